//! Where objects are made before they are part of the repository: in memory,
//! beside a folder that reads the repository's own objects as alternates.
//! Nothing of them is seen by others until all are on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{ObjectType, OdbLookupFlags, Oid, Repository, Signature};

use super::LedgerError;
use super::blob::object_hash;
use super::durable::{move_into_place, workshop};
use super::handle::{Handle, ObjectSource as _, Shared, check_whole, hold};
use super::loose::Object;
use super::pack::{self, PackWriter};
use super::signing::{Signing, Unsigned};
use super::tree::{ObjectAndMode, UNREADABLE, edited, find_entry};

/// With as many objects as this, one pack is faster to write and to read than single files.
const PACK_FROM: usize = 120;

/// The folder for files that are to be moved into the repository.
const NEW: &str = "new";

/// Folders whose objects are as large as this are packed as what each commit
/// changed: a month's is rewritten for each handoff in it.
const LARGE: usize = 1_024;

struct NewObject {
    id: Oid,
    /// What turns another new object into this one.
    delta: Option<(Oid, Vec<u8>)>,
}

/// Objects of commits that are not part of the repository yet.
pub(super) struct Staging {
    git_dir: PathBuf,
    dir: PathBuf,
    /// Reads the repository, and has the new objects.
    objects: Shared,
    /// The new objects, each behind those it names.
    made: Vec<NewObject>,
    /// Where git runs to sign the commits; `None` where they are not signed.
    signing: Option<PathBuf>,
}

impl Staging {
    /// Starts empty; what a killed writer left behind goes away.
    pub(super) fn begin(git_dir: &Path, signing: Option<PathBuf>) -> Result<Self, LedgerError> {
        let dir = workshop(git_dir).join("staging");
        lay_down(git_dir, &dir).map_err(LedgerError::io("preparing", &dir))?;
        let repo = Repository::open_bare(&dir).map_err(LedgerError::git("preparing", &dir))?;
        Ok(Self {
            git_dir: git_dir.to_path_buf(),
            dir,
            objects: Arc::new(Mutex::new(Handle::for_work(repo, git_dir))),
            made: Vec::new(),
            signing,
        })
    }

    /// The repository with the new objects.
    pub(super) fn repo(&self) -> &Shared {
        &self.objects
    }

    fn failed(&self) -> impl FnOnce(git2::Error) -> LedgerError {
        LedgerError::git("making an object", &self.dir)
    }

    /// Takes in an object that was made, unless the repository has it.
    fn add(
        &mut self,
        kind: ObjectType,
        bytes: Vec<u8>,
        delta: Option<(Oid, Vec<u8>)>,
    ) -> Result<Oid, LedgerError> {
        let id = object_hash(kind, &bytes);
        let mut objects = hold(&self.objects);
        if objects.new.contains_key(&id) {
            return Ok(id);
        }
        // Without looking again for new packs: a second copy does no harm.
        let exists = objects.odb().map(|odb| odb.exists_ext(id, OdbLookupFlags::NO_REFRESH));
        if exists.map_err(self.failed())? {
            // One that is cut would stay so.
            check_whole(&self.git_dir, id).map_err(self.failed())?;
            return Ok(id);
        }
        objects.new.insert(id, (kind, bytes.into()));
        drop(objects);
        self.made.push(NewObject { id, delta });
        Ok(id)
    }

    pub(super) fn blob(&mut self, bytes: Vec<u8>) -> Result<Oid, LedgerError> {
        self.add(ObjectType::Blob, bytes, None)
    }

    /// Writes a tree: an old one with entries put in (`Some`) or taken out.
    /// `None` when nothing is left in it.
    pub(super) fn tree(
        &mut self,
        old: Option<Oid>,
        edits: &[(String, Option<ObjectAndMode>)],
    ) -> Result<Option<Oid>, LedgerError> {
        let before = old.map(|id| self.folder(id)).transpose()?;
        let bytes = edited(before.as_deref().unwrap_or_default(), edits);
        let bytes = bytes.map_err(|why| self.failed()(git2::Error::from_str(why)))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut delta = None;
        if let (Some(old), Some(before)) = (old, before)
            && bytes.len() >= LARGE
            && hold(&self.objects).new.contains_key(&old)
        {
            delta = pack::delta(&before, &bytes).map(|delta| (old, delta));
        }
        self.add(ObjectType::Tree, bytes, delta).map(Some)
    }

    /// What a tree has by a name: the object and its mode.
    pub(super) fn entry(
        &mut self,
        tree: Oid,
        name: &str,
    ) -> Result<Option<ObjectAndMode>, LedgerError> {
        let bytes = self.folder(tree)?;
        find_entry(&bytes, name).map_err(|why| self.failed()(git2::Error::from_str(why)))
    }

    /// The bytes of a tree.
    fn folder(&self, id: Oid) -> Result<Arc<[u8]>, LedgerError> {
        let objects = hold(&self.objects);
        let read = objects.object(id);
        match read.map_err(LedgerError::git("reading a folder", objects.folder()))? {
            (ObjectType::Tree, bytes) => Ok(bytes),
            _ => Err(self.failed()(git2::Error::from_str(UNREADABLE))),
        }
    }

    /// The tree without entries, which only the first commit may have.
    pub(super) fn empty_tree(&mut self) -> Result<Oid, LedgerError> {
        self.add(ObjectType::Tree, Vec::new(), None)
    }

    pub(super) fn commit(
        &mut self,
        author: &Signature<'_>,
        committer: &Signature<'_>,
        message: &str,
        tree: Oid,
        parent: Option<Oid>,
    ) -> Result<Oid, LedgerError> {
        let commit = Unsigned { author, committer, message, tree, parent };
        let bytes = match &self.signing {
            Some(root) => {
                let objects = hold(&self.objects);
                let (git_dir, dir) = (&self.git_dir, &self.dir);
                Signing { root, git_dir, dir, objects: &objects }.commit(&commit)?
            }
            None => commit_bytes(&commit),
        };
        self.add(ObjectType::Commit, bytes, None)
    }

    /// Makes many objects part of the repository, as one pack that is on the
    /// disk when this returns; gives few ones to whoever makes them part of it.
    pub(super) fn install(self) -> Result<Vec<Object>, LedgerError> {
        if self.made.len() >= PACK_FROM {
            move_into_place(&self.pack()?)?;
            return Ok(Vec::new());
        }
        let objects = hold(&self.objects);
        let object = |made: &NewObject| {
            let (kind, bytes) = objects.object(made.id).map_err(self.failed())?;
            Ok(Object { id: made.id, kind, bytes: bytes.to_vec() })
        };
        self.made.iter().map(object).collect()
    }

    fn pack(&self) -> Result<Vec<(PathBuf, PathBuf)>, LedgerError> {
        let objects = hold(&self.objects);
        let new = self.dir.join(NEW);
        let written = || LedgerError::io("writing a pack into", &new);
        let mut pack = PackWriter::new(self.made.len()).map_err(written())?;
        for NewObject { id, delta } in &self.made {
            match delta {
                Some((base, delta)) if pack.takes_delta_to(*base) => {
                    pack.add_delta(*id, *base, delta).map_err(written())?;
                }
                _ => {
                    let (kind, bytes) = objects.object(*id).map_err(self.failed())?;
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

/// A commit as git writes it.
fn commit_bytes(commit: &Unsigned<'_>) -> Vec<u8> {
    let mut bytes = format!("tree {}\n", commit.tree).into_bytes();
    if let Some(parent) = commit.parent {
        bytes.extend(format!("parent {parent}\n").bytes());
    }
    for (role, who) in [("author", commit.author), ("committer", commit.committer)] {
        bytes.extend(role.bytes());
        bytes.push(b' ');
        bytes.extend(who.name_bytes());
        bytes.extend(b" <");
        bytes.extend(who.email_bytes());
        // Every time is in UTC.
        bytes.extend(format!("> {} +0000\n", who.when().seconds()).bytes());
    }
    bytes.push(b'\n');
    bytes.extend(commit.message.bytes());
    bytes
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
