//! Where objects are made before they are part of the repository: in memory,
//! beside a folder that reads the repository's own objects as alternates.
//! Nothing of them is seen by others until all are on the disk.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{Commit, ObjectType, OdbLookupFlags, Oid, Repository, Signature};

use super::LedgerError;
use super::branch_ref::Pending;
use super::durable::{move_into_place, workshop};
use super::handle::{Shared, hold};
use super::loose;
use super::signing::{Signing, Unsigned};

/// With as many objects as this, one pack is faster to write and to read than single files.
const PACK_FROM: usize = 120;

/// The folder for files that are to be moved into the repository.
const NEW: &str = "new";

/// Objects of commits that are not part of the repository yet.
pub(super) struct Staging {
    git_dir: PathBuf,
    dir: PathBuf,
    /// Reads the repository and holds new objects in memory.
    memory: Shared,
    /// Reads the repository alone, to tell what is new.
    disk: Repository,
    /// The new objects, each behind those it names.
    made: Vec<Oid>,
    known: HashSet<Oid>,
    /// Where git runs to sign the commits; `None` where they are not signed.
    signing: Option<PathBuf>,
}

impl Staging {
    /// Starts empty; what a killed writer left behind goes away.
    pub(super) fn begin(git_dir: &Path, signing: Option<PathBuf>) -> Result<Self, LedgerError> {
        let dir = workshop(git_dir).join("staging");
        lay_down(git_dir, &dir).map_err(LedgerError::io("preparing", &dir))?;
        let open = || Repository::open_bare(&dir).map_err(LedgerError::git("preparing", &dir));
        let (memory, disk) = (open()?, open()?);
        memory
            .odb()
            .and_then(|odb| odb.add_new_mempack_backend(1_000).map(drop))
            .map_err(LedgerError::git("preparing", &dir))?;
        let memory = Arc::new(Mutex::new(memory));
        Ok(Self {
            git_dir: git_dir.to_path_buf(),
            dir,
            memory,
            disk,
            made: Vec::new(),
            known: HashSet::new(),
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
    fn note(&mut self, id: Oid) -> Result<Oid, LedgerError> {
        let odb = self.disk.odb().map_err(self.failed())?;
        // Without looking again for new packs: a second copy does no harm.
        if !odb.exists_ext(id, OdbLookupFlags::NO_REFRESH) && self.known.insert(id) {
            self.made.push(id);
        }
        Ok(id)
    }

    pub(super) fn blob(&mut self, bytes: &[u8]) -> Result<Oid, LedgerError> {
        let id = hold(&self.memory).blob(bytes).map_err(self.failed())?;
        self.note(id)
    }

    /// Writes a tree: an old one with entries put in (`Some`) or taken out.
    /// `None` when nothing is left in it.
    pub(super) fn tree(
        &mut self,
        old: Option<Oid>,
        edits: &[(String, Option<(Oid, i32)>)],
    ) -> Result<Option<Oid>, LedgerError> {
        let id = {
            let repo = hold(&self.memory);
            let old = old.map(|id| repo.find_tree(id)).transpose().map_err(self.failed())?;
            let mut builder = repo.treebuilder(old.as_ref()).map_err(self.failed())?;
            for (name, entry) in edits {
                match entry {
                    Some((id, mode)) => {
                        builder.insert(name.as_str(), *id, *mode).map_err(self.failed())?;
                    }
                    None => {
                        if builder.get(name.as_str()).map_err(self.failed())?.is_some() {
                            builder.remove(name.as_str()).map_err(self.failed())?;
                        }
                    }
                }
            }
            if builder.is_empty() {
                return Ok(None);
            }
            builder.write().map_err(self.failed())?
        };
        self.note(id).map(Some)
    }

    /// The tree without entries, which only the first commit may have.
    pub(super) fn empty_tree(&mut self) -> Result<Oid, LedgerError> {
        let id = {
            let repo = hold(&self.memory);
            let builder = repo.treebuilder(None).map_err(self.failed())?;
            builder.write().map_err(self.failed())?
        };
        self.note(id)
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
            let id = hold(&self.memory)
                .odb()
                .and_then(|odb| odb.write(ObjectType::Commit, &bytes))
                .map_err(self.failed())?;
            return self.note(id);
        }
        let id = {
            let repo = hold(&self.memory);
            let tree = repo.find_tree(tree).map_err(self.failed())?;
            let parent =
                parent.map(|id| repo.find_commit(id)).transpose().map_err(self.failed())?;
            let parents: Vec<&Commit<'_>> = parent.iter().collect();
            repo.commit(None, author, committer, message, &tree, &parents).map_err(self.failed())?
        };
        self.note(id)
    }

    /// Makes the objects part of the repository, together with other files
    /// that belong to the same step. On return all of it is on the disk.
    pub(super) fn install(
        self,
        others: Vec<(PathBuf, PathBuf)>,
        pending: &Pending,
    ) -> Result<(), LedgerError> {
        let mut moves = if self.made.len() >= PACK_FROM { self.pack()? } else { self.loose()? };
        moves.extend(others);
        move_into_place(&moves, pending.file())
    }

    fn loose(&self) -> Result<Vec<(PathBuf, PathBuf)>, LedgerError> {
        let repo = hold(&self.memory);
        let odb = repo.odb().map_err(self.failed())?;
        let mut moves = Vec::with_capacity(self.made.len());
        for id in &self.made {
            let object = odb.read(*id).map_err(self.failed())?;
            let hex = id.to_string();
            let file = self.dir.join(NEW).join(&hex);
            loose::write(&file, object.kind(), object.data())
                .map_err(LedgerError::io("writing the object", &file))?;
            moves.push((file, self.git_dir.join("objects").join(&hex[..2]).join(&hex[2..])));
        }
        Ok(moves)
    }

    fn pack(&self) -> Result<Vec<(PathBuf, PathBuf)>, LedgerError> {
        let repo = hold(&self.memory);
        let odb = repo.odb().map_err(self.failed())?;
        let mut builder = repo.packbuilder().map_err(self.failed())?;
        for id in &self.made {
            // The name only sorts likes beside likes, so that deltas are found.
            let (_, kind) = odb.read_header(*id).map_err(self.failed())?;
            let name = match kind {
                ObjectType::Tree => Some("tree"),
                ObjectType::Blob => Some("blob"),
                _ => None,
            };
            builder.insert_object(*id, name).map_err(self.failed())?;
        }
        builder.write(&self.dir.join(NEW), 0o444).map_err(self.failed())?;
        let name = builder
            .name()
            .ok()
            .flatten()
            .map(|name| format!("pack-{name}"))
            .expect("a pack that was written has a name");
        // The pack first: git looks for packs by their index.
        let place = self.git_dir.join("objects").join("pack");
        Ok(["pack", "idx"]
            .map(|kind| format!("{name}.{kind}"))
            .map(|file| (self.dir.join(NEW).join(&file), place.join(&file)))
            .to_vec())
    }
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
