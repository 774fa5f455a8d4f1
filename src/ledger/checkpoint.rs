//! Checkpoints: what an audit saw, kept in the ledger as a ref, so that a
//! later audit can tell when history, population or result were changed.
//!
//! `refs/handoff/audit/<UTC stamp>` points at an annotated tag on the audited
//! tip, signed by git where a key is configured. The tag keeps the tip and all
//! behind it from being collected, whatever happens to the branch. Its message
//! holds the facts as JSON, and names the checkpoint before it.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{CheckpointDeal, ObjectId, Push};

use super::error::HistoryError;
use super::git_program::run;
use super::handle::{LOOKED_AT, check_history, find_tag, find_target, hold};
use super::scan::{self, Repository};
use super::signing::SIGNING;
use super::{Ledger, LedgerError};

pub(super) const PREFIX: &str = "refs/handoff/audit/";
/// Their timestamps: one blob for each checkpoint, by the checkpoint's own name.
pub(super) const TIMESTAMPS: &str = "refs/handoff/timestamps/";
const SCHEMA: &str = "handoff/checkpoint/v2";
/// Without chain, settings and deals.
const SCHEMA_V1: &str = "handoff/checkpoint/v1";

/// What a checkpoint is to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointFacts {
    /// The tip of the audited history.
    pub tip: ObjectId,
    /// The SHA-256 of the population, as the report prints it.
    pub population_sha256: String,
    /// The audit's result in short, as the audit gives it.
    pub summary: Value,
    /// The blob of the settings that counted.
    pub settings: Option<ObjectId>,
    /// The blob of the schema that counted.
    pub schema: Option<ObjectId>,
    /// The audited deals, sorted by key.
    pub deals: Vec<CheckpointDeal>,
    /// Whether the remote was asked for its branch right before, or there is
    /// none: then what is not behind the tip was not there yet.
    pub is_current: bool,
    /// The pushes that a server recorded since the checkpoint before.
    pub pushes: Vec<Push>,
}

/// What an audit saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The ref that holds it.
    pub name: String,
    /// The tag object.
    pub id: ObjectId,
    /// When the audit was made; to the second.
    pub at: DateTime<Utc>,
    /// The tag object of the checkpoint before it.
    pub previous: Option<ObjectId>,
    /// Whether it has a signature, of whomever.
    pub is_signed: bool,
    /// Whether it is of the kind before there was a chain.
    pub is_unchained: bool,
    /// Whether the list of deals is the one that its root stands for.
    pub is_whole: bool,
    /// What it keeps.
    pub facts: CheckpointFacts,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    schema: String,
    at: DateTime<Utc>,
    tip: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<ObjectId>,
    population_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<ObjectId>,
    #[serde(default, rename = "brief_schema", skip_serializing_if = "Option::is_none")]
    brief_schema: Option<ObjectId>,
    summary: Value,
    /// The root of a Merkle tree over the deals, SHA-256.
    #[serde(default)]
    root: String,
    #[serde(default)]
    deals: Vec<CheckpointDeal>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_current: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pushes: Vec<Push>,
}

/// The root of the Merkle tree over deals: each leaf is the SHA-256 of a deal's
/// JSON, each node that of its two children; an odd one moves up as it is.
#[must_use]
pub fn merkle_root(deals: &[CheckpointDeal]) -> String {
    let leaf = |deal: &CheckpointDeal| -> [u8; 32] {
        let text = serde_json::to_vec(deal).expect("a deal is plain data");
        Sha256::digest([b"\0".as_slice(), &text].concat()).into()
    };
    let mut level: Vec<[u8; 32]> = deals.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => Sha256::digest([b"\x01".as_slice(), a, b].concat()).into(),
                [one] => *one,
                _ => unreachable!("chunks of two hold one or two"),
            })
            .collect();
    }
    level.first().map_or_else(String::new, hex::encode)
}

/// Leaves a checkpoint of an audit made at `now`, without a signature; two in
/// one second get names of their own.
///
/// # Errors
/// When the repository cannot be opened or written, or does not hold the tip.
pub fn write_checkpoint(
    git_dir: &Path,
    facts: &CheckpointFacts,
    now: DateTime<Utc>,
) -> Result<Checkpoint, HistoryError> {
    leave(git_dir, facts, now, |git, tag, message| {
        let target =
            find_target(git, oid(facts.tip)).map_err(|error| error.message().to_owned())?;
        let tagger = git2::Signature::new(
            "handoff",
            "handoff@localhost",
            &git2::Time::new(now.timestamp(), 0),
        )
        .map_err(|error| error.message().to_owned())?;
        git.tag_annotation_create(tag, &target, &tagger, message)
            .map_err(|error| error.message().to_owned())
    })
}

fn leave(
    git_dir: &Path,
    facts: &CheckpointFacts,
    now: DateTime<Utc>,
    make: impl FnOnce(&git2::Repository, &str, &str) -> Result<git2::Oid, String>,
) -> Result<Checkpoint, HistoryError> {
    let previous = list_checkpoints(git_dir)?.pop().map(|checkpoint| checkpoint.id);
    let repository = open(git_dir)?;
    let at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let stamp = at.format("%Y%m%dT%H%M%SZ").to_string();
    let fail = |why: String| HistoryError::Checkpoint {
        name: format!("{PREFIX}{stamp}"),
        why: format!("cannot be written: {why}"),
        is_written: true,
    };
    let facts = facts.clone();
    let message = Message {
        schema: SCHEMA.to_owned(),
        at,
        tip: facts.tip,
        previous,
        population_sha256: facts.population_sha256.clone(),
        settings: facts.settings,
        brief_schema: facts.schema,
        summary: facts.summary.clone(),
        root: merkle_root(&facts.deals),
        deals: facts.deals.clone(),
        is_current: facts.is_current,
        pushes: facts.pushes.clone(),
    };
    let text = serde_json::to_string_pretty(&message).map_err(|error| fail(error.to_string()))?;
    let git = &repository.git;
    let tag = make(git, &format!("handoff-audit-{stamp}"), &format!("{text}\n")).map_err(&fail)?;
    let is_signed = signature_at(find_tag(git, tag).ok().as_ref()).is_some();
    for number in 0u32.. {
        let name = match number {
            0 => format!("{PREFIX}{stamp}"),
            _ => format!("{PREFIX}{stamp}-{number}"),
        };
        match git.reference(&name, tag, false, "handoff audit --checkpoint") {
            Ok(_) => {
                let id = ObjectId(tag.as_bytes().try_into().expect("twenty bytes"));
                return Ok(Checkpoint {
                    name,
                    id,
                    at,
                    previous,
                    is_signed,
                    is_unchained: false,
                    is_whole: true,
                    facts,
                });
            }
            Err(error) if error.code() == git2::ErrorCode::Exists => {}
            Err(error) => return Err(fail(error.message().to_owned())),
        }
    }
    unreachable!("four thousand million checkpoints within one second")
}

/// Where the signature begins in a tag's message.
fn signature_at(tag: Option<&git2::Tag<'_>>) -> Option<usize> {
    let text = tag?.message_bytes()?;
    let begins = |marker: &[u8]| text.windows(marker.len()).position(|part| part == marker);
    begins(b"\n-----BEGIN ").map(|at| at + 1)
}

impl Ledger {
    /// Leaves a checkpoint, signed by git as tags are (`user.signingkey`,
    /// `gpg.format`) where a key is configured.
    ///
    /// # Errors
    /// When the repository cannot be written, or git cannot sign.
    pub fn leave_checkpoint(
        &self,
        facts: &CheckpointFacts,
        now: DateTime<Utc>,
    ) -> Result<Checkpoint, HistoryError> {
        if !self.has_signing_key() {
            return write_checkpoint(self.git_dir(), facts, now);
        }
        let tip = facts.tip.to_string();
        leave(self.git_dir(), facts, now, |git, tag, message| {
            let args = ["tag", "--sign", "--cleanup=verbatim", "-F", "-", "--", tag, &tip];
            let ran = run(self.root(), &args, message.as_bytes(), SIGNING)
                .map_err(|error| error.to_string())?;
            if !ran.status.success() {
                return Err(format!("git could not sign it: {}", ran.stderr));
            }
            let name = format!("refs/tags/{tag}");
            let mut made = git.find_reference(&name).map_err(|e| e.message().to_owned())?;
            let id = made.target().ok_or("the tag has no target")?;
            made.delete().map_err(|e| e.message().to_owned())?;
            Ok(id)
        })
    }

    /// Whether git has a key to sign with.
    #[must_use]
    pub fn has_signing_key(&self) -> bool {
        let config = hold(self.shared()).config();
        config.is_ok_and(|config| config.get_string("user.signingkey").is_ok())
    }

    /// Who signed a checkpoint, if it is one of those whom `trust` names: a file
    /// of git's allowed signers (`name ssh-ed25519 AAAA…`), in which a line
    /// `openpgp FINGERPRINT` names an OpenPGP or X.509 key.
    ///
    /// # Errors
    /// Why the signature does not count.
    pub fn verify_checkpoint(&self, id: ObjectId, trust: &Path) -> Result<String, String> {
        let read = std::fs::read_to_string(trust);
        let text = read.map_err(|error| format!("{} cannot be read: {error}", trust.display()))?;
        let (keys, ssh): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.trim_start().starts_with("openpgp "));
        let mut signers = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        std::io::Write::write_all(&mut signers, format!("{}\n", ssh.join("\n")).as_bytes())
            .map_err(|error| error.to_string())?;
        let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.path().display());
        // What the repository's own configuration names is not run.
        let args = [
            "-c",
            &allowed,
            "-c",
            "gpg.program=gpg",
            "-c",
            "gpg.openpgp.program=gpg",
            "-c",
            "gpg.x509.program=gpgsm",
            "-c",
            "gpg.ssh.program=ssh-keygen",
            "verify-tag",
            "--raw",
            &id.to_string(),
        ];
        let ran = run(self.root(), &args, b"", SIGNING).map_err(|error| error.to_string())?;
        let said = format!("{} {}", ran.stdout, ran.stderr);
        if !ran.status.success() {
            return Err(format!("no trusted signer has signed it: {}", ran.stderr));
        }
        if let Some((_, rest)) = said.split_once("Good \"git\" signature for ") {
            return Ok(rest.split(" with ").next().unwrap_or(rest).trim().to_owned());
        }
        let Some((_, rest)) = said.split_once("VALIDSIG ") else {
            return Err("git does not say whose signature it is".to_owned());
        };
        let fingerprint = rest.split_whitespace().next().unwrap_or_default();
        let is_trusted = keys.iter().any(|line| {
            let key = line.trim_start().trim_start_matches("openpgp ").trim();
            key.eq_ignore_ascii_case(fingerprint)
        });
        if is_trusted {
            Ok(fingerprint.to_owned())
        } else {
            Err(format!("{fingerprint} signed it, and is not trusted"))
        }
    }

    /// The timestamps that this clone has, by name.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn own_timestamps(
        &self,
    ) -> Result<std::collections::BTreeMap<String, ObjectId>, LedgerError> {
        let repo = hold(self.shared());
        let failed = |error| LedgerError::git("listing timestamps", self.root())(error);
        let mut found = std::collections::BTreeMap::new();
        for reference in repo.references_glob(&format!("{TIMESTAMPS}*")).map_err(failed)? {
            let reference = reference.map_err(failed)?;
            if let (Ok(name), Some(id)) = (reference.name(), reference.target()) {
                let id = ObjectId(id.as_bytes().try_into().expect("twenty bytes are an id"));
                found.insert(name.to_owned(), id);
            }
        }
        Ok(found)
    }

    /// The checkpoints that a remote has, and their timestamps, by name.
    ///
    /// # Errors
    /// When the remote does not answer.
    pub fn remote_checkpoints(
        &self,
        remote: &str,
    ) -> Result<std::collections::BTreeMap<String, ObjectId>, LedgerError> {
        let (checkpoints, stamps) = (format!("{PREFIX}*"), format!("{TIMESTAMPS}*"));
        let said = self.git_well(&["ls-remote", "--", remote, &checkpoints, &stamps])?;
        let lines = said.lines().filter_map(|line| line.split_once('\t'));
        // `^{}` names what a tag points at.
        let refs = lines.filter(|(_, name)| !name.ends_with("^{}"));
        Ok(refs.filter_map(|(id, name)| Some((name.to_owned(), id.parse().ok()?))).collect())
    }

    /// Fetches checkpoints and timestamps by their names.
    ///
    /// # Errors
    /// When the remote does not answer or does not have them.
    pub fn fetch_checkpoints(&self, remote: &str, names: &[String]) -> Result<(), LedgerError> {
        let specs: Vec<String> = names.iter().map(|name| format!("{name}:{name}")).collect();
        let mut args = vec!["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--", remote];
        args.extend(specs.iter().map(String::as_str));
        self.git_well(&args).map(drop)
    }

    /// Pushes a checkpoint or a timestamp.
    ///
    /// # Errors
    /// When the remote does not answer or refuses it.
    pub fn push_checkpoint(&self, remote: &str, name: &str) -> Result<(), LedgerError> {
        self.git_well(&["push", "--quiet", "--", remote, &format!("{name}:{name}")]).map(drop)
    }
}

/// All checkpoints, oldest first.
///
/// # Errors
/// When the repository cannot be opened, or a ref below `refs/handoff/audit/`
/// is no checkpoint that can be read: a checkpoint that was tampered with must
/// not pass for one that never was.
pub fn list_checkpoints(git_dir: &Path) -> Result<Vec<Checkpoint>, HistoryError> {
    let repository = open(git_dir)?;
    let fail = |name: &str, why: &str| HistoryError::Checkpoint {
        name: name.to_owned(),
        why: format!(
            "cannot be read: {why}. Fetch it again from where it came, or delete it with `git update-ref -d` when you know why"
        ),
        is_written: false,
    };
    let all = |error: git2::Error| fail(PREFIX, error.message());
    let mut found = Vec::new();
    for reference in repository.git.references_glob(&format!("{PREFIX}*")).map_err(all)? {
        let reference = reference.map_err(all)?;
        let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
        let wrong = |error: git2::Error| fail(&name, error.message());
        let id = reference.target().ok_or_else(|| fail(&name, "it is a symbolic ref"))?;
        let tag = find_tag(&repository.git, id).map_err(wrong)?;
        let text = tag.message_bytes().unwrap_or_default();
        let signature = signature_at(Some(&tag));
        #[expect(
            clippy::disallowed_methods,
            reason = "its fields are typed: one that stands twice is refused"
        )]
        let message: Message = serde_json::from_slice(&text[..signature.unwrap_or(text.len())])
            .map_err(|e| fail(&name, &e.to_string()))?;
        if message.schema != SCHEMA && message.schema != SCHEMA_V1 {
            return Err(fail(&name, "it is of a kind that this version does not know"));
        }
        if oid(message.tip) != tag.target_id() {
            return Err(fail(&name, "its tag and its text name different commits"));
        }
        found.push(Checkpoint {
            name,
            id: ObjectId(id.as_bytes().try_into().expect("twenty bytes are an id")),
            at: message.at,
            previous: message.previous,
            is_signed: signature.is_some(),
            is_unchained: message.schema == SCHEMA_V1,
            is_whole: message.root == merkle_root(&message.deals),
            facts: CheckpointFacts {
                tip: message.tip,
                population_sha256: message.population_sha256,
                summary: message.summary,
                settings: message.settings,
                schema: message.brief_schema,
                deals: message.deals,
                is_current: message.is_current,
                pushes: message.pushes,
            },
        });
    }
    // Names carry the number of those within one second.
    found.sort_by(|a, b| (a.at, a.name.len(), &a.name).cmp(&(b.at, b.name.len(), &b.name)));
    Ok(found)
}

/// Where a checkpoint's tip stands in a later history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// It is the head, or stands in the head's first-parent history: what the
    /// earlier audit read is still there, in its place.
    InPlace,
    /// The head descends from it through a merge's second parent only: nothing
    /// is lost, but the first-parent history, which audits read, is another.
    BehindMerge,
    /// The head does not descend from it: the branch was rewritten or replaced.
    Gone,
}

/// Says where `tip` stands in the history of `head`.
///
/// # Errors
/// When the repository or the history of `head` cannot be read to the end
/// without meeting `tip`.
pub fn find_containment(
    git_dir: &Path,
    tip: ObjectId,
    head: ObjectId,
) -> Result<Containment, HistoryError> {
    let repository = open(git_dir)?;
    let mut reader = repository.objects.reader(1 << 20);
    let object = |why: String| HistoryError::Object { what: format!("commit {head}"), why };
    let chain = scan::walk(&repository, &mut reader, head.0, Some(tip.0))
        .map_err(|fault| object(fault.to_string()))?;
    if chain.base.is_some() {
        return Ok(Containment::InPlace);
    }
    if let Some(gap) = chain.gaps.first() {
        return Err(object(format!("{}: {}", gap.what, gap.why)));
    }
    // A tip that is not in this clone cannot be behind its head.
    if !reader.has(&tip.0) {
        return Ok(Containment::Gone);
    }
    let git = &repository.git;
    let descends = check_history(git, [oid(head), oid(tip)], LOOKED_AT)
        .and_then(|()| git.graph_descendant_of(oid(head), oid(tip)))
        .map_err(|error| object(error.message().to_owned()))?;
    Ok(if descends { Containment::BehindMerge } else { Containment::Gone })
}

/// Whether `tip` still stands in place in the history of `head`, see
/// [`Containment::InPlace`].
///
/// # Errors
/// As for [`find_containment`].
pub fn is_contained(git_dir: &Path, tip: ObjectId, head: ObjectId) -> Result<bool, HistoryError> {
    Ok(find_containment(git_dir, tip, head)? == Containment::InPlace)
}

fn open(git_dir: &Path) -> Result<Repository, HistoryError> {
    Repository::open(git_dir).map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })
}

fn oid(id: ObjectId) -> git2::Oid {
    git2::Oid::from_bytes(&id.0).expect("twenty bytes are an id")
}
