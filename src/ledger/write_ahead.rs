//! The write-ahead journal: what a commit adds to the repository, in one file
//! and on the disk with one sync. The objects and the branch are written after
//! that, without waiting for the disk.
//!
//! After a power failure some of those may be lost or torn, and the first
//! handoff that runs writes them again from here: the records say so by the
//! number of the boot that they were written in. A record whose checksum does
//! not hold was never finished, and its commit never returned.
//!
//! The file is a text header, a text line that says how far the records are
//! applied, and the records from [`RECORDS`] on. It is emptied once what it
//! holds is on the disk in its own place ([`WriteAhead::settle`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorCode, ObjectType, Odb, Oid, Reference, Repository};

use super::LedgerError;
use super::behind::{self, Behind};
use super::branch_ref;
use super::durable::{sync_all, workshop};
use super::handle::{LOOKED_AT, check_history};
use super::lock::become_writer;
use super::loose::{self, Object};
use crate::disk;

const TITLE: &str = "handoff write-ahead journal 1";
/// The header and the line behind it have so many bytes each, filled with zeros.
const LINE: usize = 512;
/// Where the records begin.
const RECORDS: u64 = 4096;
/// What a record begins with; its first byte is in no UTF-8 text.
const MARK: [u8; 4] = [0xff, b'h', b'o', b'w'];
/// Mark, generation, length and checksum.
const FRAME: usize = 24;
/// The file grows by so much at once: a sync that finds no new length to write is faster.
const STEP: u64 = 1 << 20;
/// As large as this it is settled.
const LARGE: u64 = 16 << 20;
/// How long a reader waits for a writer that is putting things right.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one move of a branch adds to the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BranchMove {
    pub(super) refname: String,
    pub(super) old: Option<Oid>,
    pub(super) new: Oid,
    /// The checkouts that have yet to follow.
    pub(super) behind: Behind,
    /// Each behind those it names.
    pub(super) objects: Vec<Object>,
}

/// The journal in the hands of the one writer.
pub(super) struct WriteAhead {
    git_dir: PathBuf,
    boot: Option<String>,
    file: Option<File>,
    generation: u64,
    /// Where the next record goes.
    end: u64,
    /// Where the one that was appended last ends, applied or not.
    appended: u64,
    length: u64,
    /// The move of a branch that was made last, where that is known.
    last: Option<(String, Oid)>,
    /// Whether all records are applied, as far as this process knows.
    is_applied: bool,
    /// What was written since it was settled, where the system syncs file by file.
    touched: BTreeSet<PathBuf>,
}

fn place(git_dir: &Path) -> PathBuf {
    workshop(git_dir).join("write-ahead")
}

/// Puts right what a power failure may have lost, before anything is read. As a
/// rule two small files are read and that is all.
///
/// # Errors
/// When something is lost and this user may not write it again.
pub(super) fn recover(git_dir: &Path, repo: &Repository) -> Result<(), LedgerError> {
    let path = place(git_dir);
    let read = |path: &Path| -> io::Result<Option<(File, Head)>> {
        let mut file = File::open(path)?;
        Ok(Head::read(&mut file)?.map(|head| (file, head)))
    };
    let (mut file, head) = match read(&path) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LedgerError::io("reading", &path)(error)),
    };
    let boot = disk::boot_id();
    if boot.is_some() && boot.as_deref() == Some(head.boot.as_str()) {
        return Ok(());
    }
    let records = all_records(&mut file, head.generation, git_dir)
        .map_err(LedgerError::io("reading", &path))?;
    if records.is_empty() {
        return Ok(());
    }
    match become_writer(git_dir, PATIENCE) {
        Ok(_lock) => WriteAhead::open(git_dir, repo).map(drop),
        Err(LedgerError::Io { source, .. })
            if matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            let is_whole = records.iter().all(|record| record.missing(repo).is_empty())
                && chains(&records).values().all(|chain| chain.verdict(repo) != JournalCheck::Lost);
            if is_whole { Ok(()) } else { Err(LedgerError::PowerFailure { path }) }
        }
        Err(error) => Err(error),
    }
}

impl WriteAhead {
    /// Opens it and brings the repository to what it says. The caller holds the
    /// writer's lock.
    pub(super) fn open(git_dir: &Path, repo: &Repository) -> Result<Self, LedgerError> {
        let mut this = Self {
            git_dir: git_dir.to_path_buf(),
            boot: disk::boot_id(),
            file: None,
            generation: 0,
            end: RECORDS,
            appended: RECORDS,
            length: 0,
            last: None,
            is_applied: true,
            touched: BTreeSet::new(),
        };
        let path = place(git_dir);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(this),
            Err(error) => return Err(LedgerError::io("opening", &path)(error)),
        };
        let failed = || LedgerError::io("reading", &path);
        this.length = file.metadata().map_err(failed())?.len();
        let head = Head::read(this.file.insert(file)).map_err(failed())?;
        let Some(head) = head else {
            // Its first record was never whole.
            return this.begin().map(|()| this).map_err(LedgerError::io("writing", &path));
        };
        this.generation = head.generation;
        let file = this.file.as_mut().expect("it was opened");
        let is_same_boot = this.boot.as_deref() == Some(head.boot.as_str());
        if let Some(applied) = head.applied.filter(|_| is_same_boot) {
            this.end = applied.end;
            this.last = Some((applied.refname, applied.commit));
            let left = record_at(file, this.generation, this.end, git_dir).map_err(failed())?;
            if let Some((record, end)) = left {
                // A writer was killed on its way from the record to the branch.
                this.apply(repo, &[record], false)?;
                this.end = end;
                this.settle()?;
            }
            return Ok(this);
        }
        let records = all_records(file, this.generation, git_dir).map_err(failed())?;
        if !records.is_empty() {
            this.apply(repo, &records, !is_same_boot)?;
            this.end = this.length;
            this.settle()?;
        } else if !is_same_boot {
            this.begin().map_err(LedgerError::io("writing", &path))?;
        }
        Ok(this)
    }

    /// Makes sure that nothing is half done, before a branch is looked at: after
    /// a failure between a record and its branch.
    pub(super) fn complete(&mut self, repo: &Repository) -> Result<(), LedgerError> {
        if !self.is_applied {
            *self = Self::open(&self.git_dir, repo)?;
        }
        Ok(())
    }

    /// Appends a record, which is on the disk when this returns. The caller holds
    /// git's lock on the branch and found it where the record begins: nothing that
    /// did not happen is ever recorded.
    pub(super) fn append(&mut self, record: &BranchMove) -> Result<(), LedgerError> {
        let is_known = self.last.as_ref().is_some_and(|(refname, commit)| {
            *refname == record.refname && Some(*commit) == record.old
        });
        if !is_known {
            // Others' work is built upon: what that is made of is to be on the disk,
            // too, and no older record may take the branch back.
            if self.end == RECORDS { self.sync()? } else { self.settle()? }
        }
        self.is_applied = false;
        let path = place(&self.git_dir);
        let is_new = self.file.is_none();
        if is_new {
            self.create(&path).map_err(LedgerError::io("making", &path))?;
        }
        let payload = record.encode(&self.git_dir);
        let mut bytes = Vec::with_capacity(FRAME + payload.len());
        bytes.extend(MARK);
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(u64::try_from(payload.len()).expect("a length fits").to_le_bytes());
        bytes.extend(checksum(self.generation, self.end, &payload).to_le_bytes());
        bytes.extend(payload);
        self.write_record(&bytes).map_err(LedgerError::io("writing", &path))?;
        if is_new {
            for folder in [workshop(&self.git_dir), self.git_dir.clone()] {
                let synced = disk::sync_folder(&folder);
                synced.map_err(LedgerError::io("syncing", &folder))?;
            }
        }
        Ok(())
    }

    fn write_record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (end, length) = (self.end, self.length);
        let after = end + bytes.len() as u64;
        let file = self.file.as_mut().expect("it was made");
        file.seek(SeekFrom::Start(end))?;
        file.write_all(bytes)?;
        if after > length {
            let room = if self.boot.is_some() { STEP - after % STEP } else { 0 };
            let zeros = vec![0; usize::try_from(room).expect("a step fits")];
            // Only for speed: a full disk needs no room for later.
            let _ = file.write_all(&zeros);
            self.length = file.metadata()?.len();
        }
        self.appended = after;
        file.sync_data()
    }

    /// Writes a record's objects into the repository.
    pub(super) fn install(&mut self, record: &BranchMove) -> Result<(), LedgerError> {
        let install = |object| loose::install(&self.git_dir, object, &mut self.touched);
        record.objects.iter().try_for_each(install)
    }

    /// Notes that the record appended last has its objects and its branch.
    pub(super) fn applied(&mut self, record: &BranchMove, touched: BTreeSet<PathBuf>) {
        self.touched.extend(touched);
        self.last = Some((record.refname.clone(), record.new));
        let noted = self.note_applied();
        if noted.is_ok() {
            self.is_applied = true;
        }
        // On a system without a name for its boot nobody could tell later whether it was lost.
        if self.boot.is_none() || self.end - RECORDS > LARGE {
            // The commit is on the disk, in the journal; another time will do.
            if let Err(error) = self.settle() {
                tracing::warn!(%error, "the write-ahead journal was not settled; the next commit tries again");
            }
        }
    }

    fn note_applied(&mut self) -> io::Result<()> {
        self.end = self.appended;
        let line = self.applied_line();
        let file = self.file.as_mut().expect("a record was appended");
        file.seek(SeekFrom::Start(LINE as u64))?;
        file.write_all(&filled(&line))
    }

    fn applied_line(&self) -> String {
        let Some((refname, commit)) = &self.last else { return String::new() };
        format!("applied {} {:016x} {commit} {refname}\n", self.end, self.generation)
    }

    /// Waits until everything that was written is on the disk in its own place,
    /// and empties the journal.
    pub(super) fn settle(&mut self) -> Result<(), LedgerError> {
        if self.file.is_none() || self.end == RECORDS {
            return Ok(());
        }
        self.sync()?;
        let path = place(&self.git_dir);
        self.begin().map_err(LedgerError::io("emptying", &path))
    }

    /// Waits until everything that was written is on the disk, also by others
    /// where the system can do that.
    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        let (objects, refs) = (self.git_dir.join("objects"), self.git_dir.join("refs"));
        let folders = [self.git_dir.as_path(), &objects, &refs];
        let is_synced =
            disk::sync_file_systems(&folders).map_err(LedgerError::io("syncing", &self.git_dir))?;
        if !is_synced {
            // What git has moved into a pack meanwhile is its own.
            let there = self.touched.iter().filter(|path| path.exists());
            sync_all(&there.map(PathBuf::as_path).collect())?;
        }
        self.touched.clear();
        Ok(())
    }

    /// Empties it. The sync keeps records that are done with from coming again.
    fn begin(&mut self) -> io::Result<()> {
        self.generation = fastrand::u64(1..);
        (self.end, self.is_applied) = (RECORDS, true);
        let head = self.head();
        let file = self.file.as_mut().expect("it is open");
        file.set_len(RECORDS)?;
        file.rewind()?;
        file.write_all(&head)?;
        self.length = RECORDS;
        file.sync_data()
    }

    fn head(&self) -> Vec<u8> {
        let boot = self.boot.as_deref().unwrap_or("-");
        let mut head =
            filled(&format!("{TITLE}\nboot {boot}\ngeneration {:016x}\n", self.generation));
        head.extend(filled(&self.applied_line()));
        head
    }

    /// Makes the file, for those to read who may read the objects.
    fn create(&mut self, path: &Path) -> io::Result<()> {
        let folder = workshop(&self.git_dir);
        fs::create_dir_all(&folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(self.git_dir.join("objects"))?.permissions().mode() & 0o666;
            file.set_permissions(fs::Permissions::from_mode(mode | 0o600))?;
        }
        self.generation = fastrand::u64(1..);
        self.end = RECORDS;
        file.write_all(&self.head())?;
        file.set_len(RECORDS)?;
        self.length = RECORDS;
        self.file = Some(file);
        Ok(())
    }

    /// Brings the repository to what records say.
    fn apply(
        &mut self,
        repo: &Repository,
        records: &[BranchMove],
        after_failure: bool,
    ) -> Result<(), LedgerError> {
        for record in records {
            for object in record.missing(repo) {
                loose::install(&self.git_dir, object, &mut self.touched)?;
            }
        }
        let mut behind = behind::read(&self.git_dir)?;
        for (checkout, shown) in records.iter().flat_map(|record| &record.behind) {
            behind.entry(checkout.clone()).or_insert_with(|| shown.clone());
        }
        behind::note(&self.git_dir, &behind)?;
        for (refname, chain) in chains(records) {
            let verdict = match chain.verdict(repo) {
                // Nothing was lost by a mere kill; who took the branch elsewhere meant it.
                JournalCheck::Lost if !after_failure && !chain.is_at_start(repo) => {
                    JournalCheck::Elsewhere
                }
                JournalCheck::Lost
                    if chain.now(repo).is_ok_and(|now| {
                        now.is_some_and(|now| {
                            branch_ref::was_set_back(&self.git_dir, refname, now, &chain.commits)
                        })
                    }) =>
                {
                    JournalCheck::Elsewhere
                }
                verdict => verdict,
            };
            match verdict {
                JournalCheck::Whole => {}
                JournalCheck::Lost => {
                    let commits = &chain.commits;
                    let new = chain.last();
                    let touched = branch_ref::restore(&self.git_dir, refname, new, commits)?;
                    self.touched.extend(touched);
                }
                JournalCheck::Elsewhere if after_failure => {
                    self.keep_aside(repo, refname, chain.last())?;
                }
                JournalCheck::Elsewhere => {}
            }
        }
        Ok(())
    }

    /// Keeps commits that a branch no longer has: nobody can tell whether they
    /// were taken out on purpose.
    fn keep_aside(
        &mut self,
        repo: &Repository,
        refname: &str,
        commit: Oid,
    ) -> Result<(), LedgerError> {
        let branch = refname.strip_prefix("refs/heads/").unwrap_or(refname);
        let kept = format!("refs/handoff/kept/{branch}-{}", &commit.to_string()[..10]);
        self.touched.extend(branch_ref::restore(&self.git_dir, &kept, commit, &[])?);
        let path = repo.workdir().unwrap_or(repo.path()).display();
        tracing::warn!(
            "{path}: after a power failure {branch} is without commits that handoff had made; they are kept as {kept}. See them with `git log {branch}..{kept}`; bring them back with `git cherry-pick {branch}..{kept}`, or forget them with `git update-ref -d {kept}`"
        );
        Ok(())
    }
}

/// The first lines of the file.
struct Head {
    boot: String,
    generation: u64,
    applied: Option<Applied>,
}

/// How far the records are applied. Only true while the machine runs.
struct Applied {
    end: u64,
    refname: String,
    commit: Oid,
}

impl Head {
    /// `None` for a file that never had a whole record, or is none of ours.
    fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut bytes = Vec::with_capacity(2 * LINE);
        file.rewind()?;
        file.take(2 * LINE as u64).read_to_end(&mut bytes)?;
        let text = |from: usize| {
            let bytes = bytes.get(from..from + LINE)?;
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(LINE);
            std::str::from_utf8(&bytes[..end]).ok()
        };
        Ok(text(0).and_then(|head| Self::parse(head, text(LINE).unwrap_or_default())))
    }

    fn parse(head: &str, applied: &str) -> Option<Self> {
        let rest = head.strip_prefix(TITLE)?.strip_prefix("\nboot ")?;
        let (boot, rest) = rest.split_once("\ngeneration ")?;
        let hex = rest.strip_suffix('\n')?;
        let generation = u64::from_str_radix(hex, 16).ok()?;
        let applied = || {
            let mut words = applied.strip_suffix('\n')?.strip_prefix("applied ")?.splitn(4, ' ');
            let end = words.next()?.parse().ok()?;
            let is_of_this = words.next()? == hex;
            let commit = Oid::from_str(words.next()?).ok()?;
            let refname = words.next()?.to_owned();
            is_of_this.then_some(Applied { end, refname, commit })
        };
        Some(Self { boot: boot.to_owned(), generation, applied: applied() })
    }
}

fn filled(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(LINE, 0);
    bytes
}

fn checksum(generation: u64, at: u64, payload: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&generation.to_le_bytes());
    hash.update(&at.to_le_bytes());
    hash.update(&(payload.len() as u64).to_le_bytes());
    hash.update(payload);
    hash.finalize()
}

/// The checksum and the length of a payload that may be at a place.
fn frame_at(
    file: &mut File,
    generation: u64,
    at: u64,
    length: u64,
) -> io::Result<Option<(u32, usize)>> {
    let mut frame = Vec::with_capacity(FRAME);
    file.seek(SeekFrom::Start(at))?;
    file.take(FRAME as u64).read_to_end(&mut frame)?;
    Ok(parse_frame(&frame, generation).filter(|(_, payload)| {
        at.checked_add((FRAME + payload) as u64).is_some_and(|end| end <= length)
    }))
}

fn parse_frame(frame: &[u8], generation: u64) -> Option<(u32, usize)> {
    let frame = frame.get(..FRAME)?;
    let number = |at: usize| u64::from_le_bytes(frame[at..at + 8].try_into().expect("eight bytes"));
    let length = usize::try_from(number(12)).ok().filter(|length| *length < usize::MAX / 2)?;
    let checksum = u32::from_le_bytes(frame[20..].try_into().expect("four bytes"));
    (frame[..4] == MARK && number(4) == generation).then_some((checksum, length))
}

/// The whole record at a place, and where it ends.
fn record_at(
    file: &mut File,
    generation: u64,
    at: u64,
    git_dir: &Path,
) -> io::Result<Option<(BranchMove, u64)>> {
    let length = file.metadata()?.len();
    let Some((sum, size)) = frame_at(file, generation, at, length)? else { return Ok(None) };
    let mut payload = vec![0; size];
    file.read_exact(&mut payload)?;
    if checksum(generation, at, &payload) != sum {
        return Ok(None);
    }
    let record = BranchMove::decode(&payload, git_dir);
    Ok(record.map(|record| (record, at + (FRAME + size) as u64)))
}

/// All whole records. What is unreadable before its end is passed over: each
/// record stands for itself.
fn all_records(file: &mut File, generation: u64, git_dir: &Path) -> io::Result<Vec<BranchMove>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(RECORDS))?;
    file.read_to_end(&mut bytes)?;
    let (mut records, mut at, mut is_damaged) = (Vec::new(), 0, false);
    while let Some(next) = bytes[at..].windows(MARK.len()).position(|it| it == MARK) {
        // Zeros are room for later.
        is_damaged |= bytes[at..at + next].iter().any(|byte| *byte != 0);
        at += next;
        let record = parse_frame(&bytes[at..], generation).and_then(|(sum, size)| {
            let payload = bytes.get(at + FRAME..at + FRAME + size)?;
            let is_whole = checksum(generation, RECORDS + at as u64, payload) == sum;
            let record = is_whole.then(|| BranchMove::decode(payload, git_dir)).flatten()?;
            Some((record, FRAME + size))
        });
        match record {
            Some((record, size)) => {
                if is_damaged {
                    let path = place(git_dir);
                    tracing::warn!(
                        "{}: a part of the write-ahead journal cannot be read; check the repository with `git fsck`",
                        path.display()
                    );
                }
                records.push(record);
                (at, is_damaged) = (at + size, false);
            }
            None => {
                is_damaged = true;
                at += MARK.len();
            }
        }
    }
    Ok(records)
}

impl BranchMove {
    /// A line for the branch, one for each checkout (below the git folder, so
    /// that a copy of the repository means its own), and the objects.
    fn encode(&self, git_dir: &Path) -> Vec<u8> {
        let old = self.old.unwrap_or(Oid::ZERO_SHA1);
        let mut bytes = format!("branch {old} {} {}\n", self.new, self.refname).into_bytes();
        for (checkout, shown) in &self.behind {
            if let Ok(inside) = checkout.strip_prefix(git_dir) {
                bytes.extend(format!("behind {}", behind::line(inside, shown)).bytes());
            }
        }
        for object in &self.objects {
            bytes.extend(format!("{} {}\n", object.kind.str(), object.bytes.len()).bytes());
            bytes.extend(&object.bytes);
        }
        bytes
    }

    fn decode(bytes: &[u8], git_dir: &Path) -> Option<Self> {
        let mut rest = bytes;
        let line = |rest: &mut &[u8]| -> Option<String> {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
            *rest = &rest[end + 1..];
            Some(line)
        };
        let first = line(&mut rest)?;
        let mut words = first.strip_prefix("branch ")?.splitn(3, ' ');
        let old = Oid::from_str(words.next()?).ok().map(|id| (!id.is_zero()).then_some(id))?;
        let new = Oid::from_str(words.next()?).ok()?;
        let refname = words.next().filter(|name| Reference::is_valid_name(name))?.to_owned();
        let (mut behind, mut objects) = (Behind::new(), Vec::new());
        while !rest.is_empty() {
            let next = line(&mut rest)?;
            if let Some(line) = next.strip_prefix("behind ") {
                let (inside, shown) = behind::parse(line)?;
                behind.insert(git_dir.join(inside).components().collect(), shown);
                continue;
            }
            let (kind, length) = next.split_once(' ')?;
            let kind = match kind {
                "blob" => ObjectType::Blob,
                "tree" => ObjectType::Tree,
                "commit" => ObjectType::Commit,
                _ => return None,
            };
            let (content, after) = rest.split_at_checked(length.parse().ok()?)?;
            rest = after;
            let id = Oid::hash_object(kind, content).ok()?;
            objects.push(Object { id, kind, bytes: content.to_vec() });
        }
        Some(Self { refname, old, new, behind, objects })
    }

    /// The objects that the repository does not have as they are to be: a file
    /// that was not synced may be empty or cut. Packs are synced.
    fn missing(&self, repo: &Repository) -> Vec<&Object> {
        let odb: Option<Odb<'_>> = repo.odb().ok();
        let is_packed = |id| odb.as_ref().is_some_and(|odb| odb.exists(id));
        let has = |object: &&Object| {
            loose::holds(repo.commondir(), object).unwrap_or_else(|| is_packed(object.id))
        };
        self.objects.iter().filter(|object| !has(object)).collect()
    }
}

/// What became of a branch, beside what the journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JournalCheck {
    Whole,
    /// It stands before the last commit, or cannot be read.
    Lost,
    /// Somebody took it where the last commit is not.
    Elsewhere,
}

/// All moves of one branch.
struct BranchMoves<'a> {
    refname: &'a str,
    start: Option<Oid>,
    /// Where it was and came to, oldest first.
    commits: Vec<Oid>,
}

fn chains(records: &[BranchMove]) -> BTreeMap<&str, BranchMoves<'_>> {
    let mut chains = BTreeMap::new();
    for record in records {
        let refname = record.refname.as_str();
        let chain = chains.entry(refname).or_insert_with(|| BranchMoves {
            refname,
            start: record.old,
            commits: Vec::new(),
        });
        chain.commits.extend(record.old.filter(|old| !chain.commits.contains(old)));
        chain.commits.push(record.new);
    }
    chains
}

impl BranchMoves<'_> {
    fn last(&self) -> Oid {
        *self.commits.last().expect("a chain has a commit")
    }

    fn now(&self, repo: &Repository) -> Result<Option<Oid>, git2::Error> {
        match repo.refname_to_id(self.refname) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_at_start(&self, repo: &Repository) -> bool {
        self.now(repo).is_ok_and(|now| now == self.start)
    }

    fn verdict(&self, repo: &Repository) -> JournalCheck {
        let Ok(Some(now)) = self.now(repo) else { return JournalCheck::Lost };
        if now == self.last() {
            JournalCheck::Whole
        } else if self.commits.contains(&now) {
            JournalCheck::Lost
        } else if check_history(repo, [now, self.last()], LOOKED_AT).is_ok()
            && repo.graph_descendant_of(now, self.last()).unwrap_or(false)
        {
            JournalCheck::Whole
        } else {
            JournalCheck::Elsewhere
        }
    }
}
