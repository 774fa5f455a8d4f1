//! The record of the last scan as a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ledger::scan::{FolderState, Id, ScanRecord, Slot};
use crate::model::{CommitInfo, ObjectId};

use super::file::{ByteReader, body, load, save};

const MAGIC: &[u8; 16] = b"handoff history\n";
const FORMAT: u32 = 4;

/// The record of the last scan; `None` when there is none that fits.
pub(in crate::ledger) fn load_record(common: &Path, prefix: &str) -> Option<ScanRecord> {
    decode(body(&load(&path(common, prefix), MAGIC, FORMAT)?))
}

/// Whether a record is worth writing after this many new commits.
pub(in crate::ledger) fn is_worth_saving(record: &ScanRecord, fresh: usize) -> bool {
    let all = usize::try_from(record.walked).unwrap_or(usize::MAX);
    fresh == all || fresh >= super::WORTH_WRITING
}

/// Keeps the record for the next scan.
pub(in crate::ledger) fn save_record(common: &Path, prefix: &str, record: &ScanRecord) {
    save(&path(common, prefix), MAGIC, FORMAT, |out| encode(record, out));
}

fn path(common: &Path, prefix: &str) -> PathBuf {
    let name = match prefix {
        "" => "history".to_owned(),
        prefix => format!("history-{}", hex::encode(&Sha256::digest(prefix)[..8])),
    };
    common.join(super::FOLDER).join(name)
}

fn encode(record: &ScanRecord, out: &mut dyn Write) -> std::io::Result<()> {
    let count = |length: usize| u32::try_from(length).expect("git counts in u32").to_le_bytes();
    out.write_all(&record.tip)?;
    out.write_all(&record.walked.to_le_bytes())?;
    out.write_all(&count(record.commits.len()))?;
    for (at, commit) in &record.commits {
        out.write_all(&at.to_le_bytes())?;
        out.write_all(&commit.id.0)?;
        out.write_all(&commit.committed_at.to_le_bytes())?;
        out.write_all(&[u8::from(commit.parent_committed_at.is_some())])?;
        out.write_all(&commit.parent_committed_at.unwrap_or_default().to_le_bytes())?;
    }
    for versions in [&record.schemas, &record.settings] {
        out.write_all(&count(versions.len()))?;
        for (at, slot) in versions {
            out.write_all(&at.to_le_bytes())?;
            encode_slot(*slot, None, out)?;
        }
    }
    out.write_all(&count(record.folders.len()))?;
    for (path, states) in &record.folders {
        out.write_all(&count(path.len()))?;
        out.write_all(path)?;
        out.write_all(&count(states.len()))?;
        let mut before: Option<&FolderState> = None;
        for state in states {
            out.write_all(&state.at.to_le_bytes())?;
            encode_slot(state.brief, before.map(|b| b.brief), out)?;
            encode_slot(state.timeline, before.map(|b| b.timeline), out)?;
            encode_slot(state.sources, before.map(|b| b.sources), out)?;
            before = Some(state);
        }
    }
    Ok(())
}

fn encode_slot(slot: Slot, before: Option<Slot>, out: &mut dyn Write) -> std::io::Result<()> {
    if before == Some(slot) {
        return out.write_all(&[3]);
    }
    match slot {
        Slot::Absent => out.write_all(&[0]),
        Slot::Other => out.write_all(&[2]),
        Slot::Blob(id) => {
            out.write_all(&[1])?;
            out.write_all(&id)
        }
    }
}

fn decode_slot(from: &mut ByteReader<'_>, before: Option<Slot>) -> Option<Slot> {
    match from.take(1)?[0] {
        0 => Some(Slot::Absent),
        1 => from.array().map(Slot::Blob),
        2 => Some(Slot::Other),
        3 => before,
        _ => None,
    }
}

fn decode(body: &[u8]) -> Option<ScanRecord> {
    let mut from = ByteReader(body);
    let tip: Id = from.array()?;
    let walked = from.number()?;
    let count = from.count(41)?;
    let mut commits = Vec::with_capacity(count);
    for _ in 0..count {
        let at = from.number().filter(|at| *at < walked)?;
        let id = ObjectId(from.array()?);
        let committed_at = from.array().map(i64::from_le_bytes)?;
        let has_parent = from.take(1)?[0] == 1;
        let parent = from.array().map(i64::from_le_bytes)?;
        let parent_committed_at = has_parent.then_some(parent);
        commits.push((at, CommitInfo { id, committed_at, parent_committed_at }));
    }
    let mut versions = || {
        let count = from.count(5)?;
        let mut versions = Vec::with_capacity(count);
        for _ in 0..count {
            versions
                .push((from.number().filter(|at| *at < walked)?, decode_slot(&mut from, None)?));
        }
        Some(versions)
    };
    let (schemas, settings) = (versions()?, versions()?);
    let count = from.count(8)?;
    let mut folders = Vec::with_capacity(count);
    for _ in 0..count {
        let length = from.count(1)?;
        let path = from.take(length)?.to_vec();
        let length = from.count(7)?;
        let mut states: Vec<FolderState> = Vec::with_capacity(length);
        for _ in 0..length {
            let before = states.last();
            let at = from.number().filter(|at| *at < walked)?;
            let brief = decode_slot(&mut from, before.map(|b| b.brief))?;
            let timeline = decode_slot(&mut from, before.map(|b| b.timeline))?;
            let sources = decode_slot(&mut from, before.map(|b| b.sources))?;
            states.push(FolderState { at, brief, timeline, sources });
        }
        folders.push((path, states));
    }
    from.0.is_empty().then_some(ScanRecord { tip, walked, commits, folders, schemas, settings })
}
