//! Where objects are made before they are part of the repository: in memory,
//! beside a folder that reads the repository's own objects as alternates.
//! Nothing of them is seen by others until all are on the disk.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{Commit, ObjectType, OdbLookupFlags, Oid, Repository, Signature};

use super::LedgerError;
use super::durable::{move_into_place, workshop};
use super::handle::{Shared, check_whole, find_commit, find_tree, hold, read_object};
use super::loose::Object;
use super::pack::{self, PackWriter};
use super::signing::{Signing, Unsigned};

/// With as many objects as this, one pack is faster to write and to read than single files.
const PACK_FROM: usize = 120;

/// The folder for files that are to be moved into the repository.
const NEW: &str = "new";

/// Folders whose objects are as large as this are remembered and packed as what
/// each commit changed: a month's is rewritten for each handoff in it.
const LARGE: usize = 1_024;

struct Made {
    id: Oid,
    /// What turns another new object into this one.
    delta: Option<(Oid, Vec<u8>)>,
}

/// Objects of commits that are not part of the repository yet.
pub(super) struct Staging {
    git_dir: PathBuf,
    dir: PathBuf,
    /// Reads the repository and holds new objects in memory.
    memory: Shared,
    /// Reads the repository alone, to tell what is new.
    disk: Repository,
    /// The new objects, each behind those it names.
    made: Vec<Made>,
    known: HashSet<Oid>,
    /// The newest large folders.
    folders: HashMap<Oid, Arc<[u8]>>,
    /// Where git runs to sign the commits; `None` where they are not signed.
    signing: Option<PathBuf>,
}

impl Staging {
    /// Starts empty; what a killed writer left behind goes away.
    pub(super) fn begin(git_dir: &Path, signing: Option<PathBuf>) -> Result<Self, LedgerError> {
        let dir = workshop(git_dir).join("staging");
        lay_down(git_dir, &dir).map_err(LedgerError::io("preparing", &dir))?;
        let failed = || LedgerError::git("preparing", &dir);
        let open = || Repository::open_bare(&dir).map_err(failed());
        let (memory, disk) = (open()?, open()?);
        memory
            .odb()
            .and_then(|odb| odb.add_new_mempack_backend(1_000).map(drop))
            .map_err(failed())?;
        let memory = Arc::new(Mutex::new(memory));
        Ok(Self {
            git_dir: git_dir.to_path_buf(),
            dir,
            memory,
            disk,
            made: Vec::new(),
            known: HashSet::new(),
            folders: HashMap::new(),
            signing,
        })
    }

    /// The repository with the new objects.
    pub(super) fn repo(&self) -> &Shared {
        &self.memory
    }

    fn failed(&self) -> impl FnOnce(git2::Error) -> LedgerError {
        LedgerError::git("making an object", &self.dir)
    }

    /// Notes an object that was made, unless the repository has it.
    fn note(&mut self, id: Oid, delta: Option<(Oid, Vec<u8>)>) -> Result<Oid, LedgerError> {
        let odb = self.disk.odb().map_err(self.failed())?;
        // libgit2 writes nothing where there is a file of that name, and would leave a cut one.
        check_whole(&self.git_dir, id).map_err(self.failed())?;
        // Without looking again for new packs: a second copy does no harm.
        if !odb.exists_ext(id, OdbLookupFlags::NO_REFRESH) && self.known.insert(id) {
            self.made.push(Made { id, delta });
        }
        Ok(id)
    }

    pub(super) fn blob(&mut self, bytes: &[u8]) -> Result<Oid, LedgerError> {
        let id = hold(&self.memory).blob(bytes).map_err(self.failed())?;
        self.note(id, None)
    }

    /// Writes a tree: an old one with entries put in (`Some`) or taken out.
    /// `None` when nothing is left in it.
    pub(super) fn tree(
        &mut self,
        old: Option<Oid>,
        edits: &[(String, Option<(Oid, i32)>)],
    ) -> Result<Option<Oid>, LedgerError> {
        let before = old.map(|id| self.folder(id)).transpose()?;
        let bytes = edited(before.as_deref().unwrap_or_default(), edits);
        let bytes = bytes.map_err(|why| self.failed()(git2::Error::from_str(why)))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let id = self.write(ObjectType::Tree, &bytes)?;
        let mut delta = None;
        if let (Some(old), Some(before)) = (old, before) {
            if bytes.len() >= LARGE && self.known.contains(&old) {
                delta = pack::delta(&before, &bytes).map(|delta| (old, delta));
            }
            self.folders.remove(&old);
        }
        if bytes.len() >= LARGE {
            self.folders.insert(id, bytes.into());
        }
        self.note(id, delta).map(Some)
    }

    /// What a tree has by a name: the object and its mode.
    pub(super) fn entry(
        &mut self,
        tree: Oid,
        name: &str,
    ) -> Result<Option<(Oid, i32)>, LedgerError> {
        let bytes = self.folder(tree)?;
        let found = entries(&bytes)
            .find(|it| it.as_ref().map_or(true, |entry| entry.name == name.as_bytes()));
        let failed = |why: &str| self.failed()(git2::Error::from_str(why));
        let Some(entry) = found.transpose().map_err(failed)? else { return Ok(None) };
        let id = Oid::from_bytes(&entry.raw[entry.raw.len() - 20..]).map_err(self.failed())?;
        let mode = std::str::from_utf8(entry.mode).ok();
        let mode = mode.and_then(|mode| i32::from_str_radix(mode, 8).ok());
        Ok(Some((id, mode.ok_or_else(|| failed(UNREADABLE))?)))
    }

    /// The bytes of a tree.
    fn folder(&mut self, id: Oid) -> Result<Arc<[u8]>, LedgerError> {
        if let Some(bytes) = self.folders.get(&id) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = {
            let repo = hold(&self.memory);
            let (kind, bytes) =
                self.read(&repo, id).map_err(LedgerError::git("reading a folder", repo.path()))?;
            if kind != ObjectType::Tree {
                return Err(self.failed()(git2::Error::from_str(UNREADABLE)));
            }
            bytes.into()
        };
        if bytes.len() >= LARGE {
            self.folders.insert(id, Arc::clone(&bytes));
        }
        Ok(bytes)
    }

    /// An object that was made here or is in the repository.
    fn read(&self, repo: &Repository, id: Oid) -> Result<(ObjectType, Vec<u8>), git2::Error> {
        read_object(repo, &self.git_dir, id)
    }

    fn write(&self, kind: ObjectType, bytes: &[u8]) -> Result<Oid, LedgerError> {
        let repo = hold(&self.memory);
        repo.odb().and_then(|odb| odb.write(kind, bytes)).map_err(self.failed())
    }

    /// The tree without entries, which only the first commit may have.
    pub(super) fn empty_tree(&mut self) -> Result<Oid, LedgerError> {
        let id = self.write(ObjectType::Tree, b"")?;
        self.note(id, None)
    }

    pub(super) fn commit(
        &mut self,
        author: &Signature<'_>,
        committer: &Signature<'_>,
        message: &str,
        tree: Oid,
        parent: Option<Oid>,
    ) -> Result<Oid, LedgerError> {
        if let Some(root) = &self.signing {
            let bytes = {
                let repo = hold(&self.memory);
                let (git_dir, dir) = (&self.git_dir, &self.dir);
                let signing = Signing { root, git_dir, dir, repo: &repo };
                signing.commit(&Unsigned { author, committer, message, tree, parent })?
            };
            let id = self.write(ObjectType::Commit, &bytes)?;
            return self.note(id, None);
        }
        let id = {
            let repo = hold(&self.memory);
            let tree = find_tree(&repo, tree).map_err(self.failed())?;
            let parent =
                parent.map(|id| find_commit(&repo, id)).transpose().map_err(self.failed())?;
            let parents: Vec<&Commit<'_>> = parent.iter().collect();
            repo.commit(None, author, committer, message, &tree, &parents).map_err(self.failed())?
        };
        self.note(id, None)
    }

    /// Makes many objects part of the repository, as one pack that is on the
    /// disk when this returns; gives few ones to whoever makes them part of it.
    pub(super) fn install(self) -> Result<Vec<Object>, LedgerError> {
        if self.made.len() >= PACK_FROM {
            move_into_place(&self.pack()?)?;
            return Ok(Vec::new());
        }
        let repo = hold(&self.memory);
        let object = |made: &Made| {
            if let Some(folder) = self.folders.get(&made.id) {
                let bytes = folder.to_vec();
                return Ok(Object { id: made.id, kind: ObjectType::Tree, bytes });
            }
            let (kind, bytes) = self.read(&repo, made.id).map_err(self.failed())?;
            Ok(Object { id: made.id, kind, bytes })
        };
        self.made.iter().map(object).collect()
    }

    fn pack(&self) -> Result<Vec<(PathBuf, PathBuf)>, LedgerError> {
        let repo = hold(&self.memory);
        let new = self.dir.join(NEW);
        let written = || LedgerError::io("writing a pack into", &new);
        let mut pack = PackWriter::new(self.made.len()).map_err(written())?;
        for Made { id, delta } in &self.made {
            match delta {
                Some((base, delta)) if pack.takes_delta_to(*base) => {
                    pack.add_delta(*id, *base, delta).map_err(written())?;
                }
                _ => {
                    let (kind, bytes) = self.read(&repo, *id).map_err(self.failed())?;
                    pack.add(*id, kind, &bytes).map_err(written())?;
                }
            }
        }
        let place = self.git_dir.join("objects").join("pack");
        let files = pack.finish(&new).map_err(written())?;
        let into = |file: PathBuf| {
            let name = file.file_name().expect("a file has a name");
            (file.clone(), place.join(name))
        };
        Ok(files.map(into).to_vec())
    }
}

const UNREADABLE: &str = "a folder's object is damaged";

/// One line of a tree as git writes it: mode, name, id.
struct TreeLine<'a> {
    raw: Cow<'a, [u8]>,
    mode: &'a [u8],
    name: &'a [u8],
}

impl TreeLine<'_> {
    /// The order that git has the entries of a tree in: a folder as if its name
    /// ended in a slash.
    fn compare(&self, other: &Self) -> Ordering {
        let end = |it: &Self| if matches!(it.mode, b"40000" | b"040000") { b'/' } else { 0 };
        let (one, two) = (self.name.iter().copied(), other.name.iter().copied());
        one.chain([end(self)]).cmp(two.chain([end(other)]))
    }
}

fn entries(mut tree: &[u8]) -> impl Iterator<Item = Result<TreeLine<'_>, &'static str>> {
    std::iter::from_fn(move || {
        if tree.is_empty() {
            return None;
        }
        let parsed = || {
            let space = tree.iter().take(8).position(|byte| *byte == b' ')?;
            let end = space + tree[space..].iter().position(|byte| *byte == 0)?;
            let (raw, rest) = tree.split_at_checked(end + 21)?;
            let (mode, name) = (&raw[..space], &raw[space + 1..end]);
            Some((TreeLine { raw: raw.into(), mode, name }, rest))
        };
        Some(match parsed() {
            Some((entry, rest)) => {
                tree = rest;
                Ok(entry)
            }
            None => {
                tree = &[];
                Err(UNREADABLE)
            }
        })
    })
}

/// A tree with entries put in or taken out.
fn edited(old: &[u8], edits: &[(String, Option<(Oid, i32)>)]) -> Result<Vec<u8>, &'static str> {
    let modes: Vec<String> = edits
        .iter()
        .map(|(_, entry)| entry.map_or_else(String::new, |(_, mode)| format!("{mode:o}")))
        .collect();
    let mut tree = entries(old).collect::<Result<Vec<_>, _>>()?;
    for ((name, entry), mode) in edits.iter().zip(&modes) {
        let is_name = !matches!(name.as_str(), "" | "." | "..")
            && !name.contains(['/', '\0'])
            && !name.eq_ignore_ascii_case(".git");
        if !is_name {
            return Err("a name cannot be in a folder");
        }
        if let Some(at) = tree.iter().position(|entry| entry.name == name.as_bytes()) {
            tree.remove(at);
        }
        let Some((id, _)) = entry else { continue };
        let mut raw = format!("{mode} {name}\0").into_bytes();
        raw.extend(id.as_bytes());
        let new = TreeLine { raw: raw.into(), mode: mode.as_bytes(), name: name.as_bytes() };
        let at = tree.partition_point(|entry| entry.compare(&new) == Ordering::Less);
        tree.insert(at, new);
    }
    let mut bytes = Vec::with_capacity(old.len() + 64 * edits.len());
    tree.iter().for_each(|entry| bytes.extend_from_slice(&entry.raw));
    Ok(bytes)
}

/// Makes the staging folder, or empties it: new objects lie in one folder.
fn lay_down(git_dir: &Path, dir: &Path) -> io::Result<()> {
    let mut alternate = git_dir.join("objects").into_os_string().into_encoded_bytes();
    alternate.push(b'\n');
    let alternates = dir.join("objects/info/alternates");
    if fs::read(&alternates).is_ok_and(|found| found == alternate) {
        for left in fs::read_dir(dir.join(NEW))? {
            fs::remove_file(left?.path())?;
        }
        return Ok(());
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for folder in ["objects/info", "objects/pack", "refs", NEW] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("HEAD"), "ref: refs/heads/none\n")?;
    fs::write(dir.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
    // Last: with it, the rest is there.
    fs::write(alternates, alternate)
}
