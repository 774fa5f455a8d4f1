//! A ledger written as one pack, which git then indexes and so checks.
//!
//! `git fast-import` compares each tree with the one before it, five
//! milliseconds a commit where a month holds thousands of folders. What differs
//! is one run of bytes, so that a tree's delta is known without a search.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest as _, Sha1};

type Id = [u8; 20];

/// The numbers of pack format 2.
const COMMIT: u8 = 1;
const TREE: u8 = 2;
const BLOB: u8 = 3;
const DELTA: u8 = 6;

/// As many deltas may stand on one another; the default of `git repack`.
const DEPTH: u32 = 50;
/// A copy in a delta takes at most this much; what git writes.
const COPY: usize = 0x1_0000;

/// A repository under way.
pub(crate) struct Repository {
    git_dir: PathBuf,
    pack: BufWriter<File>,
    offset: u64,
    known: HashSet<Id>,
    root: Folder,
    begun: Option<(i64, String)>,
    head: Option<Id>,
    commits: usize,
}

#[derive(Default)]
struct Folder {
    /// By the name that git sorts by: a folder's ends with `/`.
    entries: BTreeMap<String, Entry>,
    written: Option<Written>,
    is_changed: bool,
}

enum Entry {
    File(Id),
    Folder(Folder),
}

/// A tree as it was last written.
struct Written {
    id: Id,
    content: Vec<u8>,
    offset: u64,
    depth: u32,
}

impl Repository {
    /// Makes a bare repository and begins.
    pub(crate) fn start(path: &Path) -> std::io::Result<Self> {
        git(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(path))?;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path.join("objects/pack/tmp_pack"))?;
        let mut pack = BufWriter::with_capacity(1 << 20, file);
        // How many objects there are stands here at the end.
        pack.write_all(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(Self {
            git_dir: path.to_owned(),
            pack,
            offset: 12,
            known: HashSet::new(),
            root: Folder::default(),
            begun: None,
            head: None,
            commits: 0,
        })
    }

    /// Begins a commit.
    pub(crate) fn commit(&mut self, at: i64, message: &str) -> std::io::Result<()> {
        self.end_commit()?;
        self.begun = Some((at, message.to_owned()));
        Ok(())
    }

    /// Puts a file into it.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) -> std::io::Result<()> {
        let id = id_of("blob", content);
        if self.known.insert(id) {
            self.entry(BLOB, content.len(), &[], content)?;
        }
        let (folder, name) = self.root.at(path);
        folder.entries.insert(name.to_owned(), Entry::File(id));
        Ok(())
    }

    /// Takes a folder out of it.
    pub(crate) fn delete(&mut self, path: &str) {
        let (folder, name) = self.root.at(path);
        folder.entries.remove(&format!("{name}/"));
    }

    /// Ends the pack and has git index it; how many commits there are.
    pub(crate) fn finish(mut self) -> std::io::Result<usize> {
        self.end_commit()?;
        let mut file = self.pack.into_inner()?;
        file.seek(SeekFrom::Start(8))?;
        let count = u32::try_from(self.known.len()).map_err(std::io::Error::other)?;
        file.write_all(&count.to_be_bytes())?;
        file.rewind()?;
        let (mut hash, mut some) = (Sha1::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut some)? {
                0 => break,
                length => hash.update(&some[..length]),
            }
        }
        let sum: Id = hash.finalize().into();
        file.write_all(&sum)?;
        drop(file);
        let folder = self.git_dir.join("objects/pack");
        let named = folder.join(format!("pack-{}.pack", hex::encode(sum)));
        std::fs::rename(folder.join("tmp_pack"), &named)?;
        git(Command::new("git").arg("index-pack").arg(&named).stdout(std::process::Stdio::null()))?;
        let head = self.head.ok_or_else(|| std::io::Error::other("nothing was committed"))?;
        git(Command::new("git").arg("-C").arg(&self.git_dir).args([
            "update-ref",
            "refs/heads/main",
            &hex::encode(head),
        ]))?;
        Ok(self.commits)
    }

    fn end_commit(&mut self) -> std::io::Result<()> {
        let Some((at, message)) = self.begun.take() else { return Ok(()) };
        let mut root = std::mem::take(&mut self.root);
        let tree = self.write(&mut root)?;
        self.root = root;
        let parent = self.head.map(|id| format!("parent {}\n", hex::encode(id)));
        let who = format!("handoff <handoff@example.com> {at} +0000");
        let content = format!(
            "tree {}\n{}author {who}\ncommitter {who}\n\n{message}",
            hex::encode(tree),
            parent.unwrap_or_default()
        );
        let id = id_of("commit", content.as_bytes());
        if self.known.insert(id) {
            self.entry(COMMIT, content.len(), &[], content.as_bytes())?;
        }
        self.head = Some(id);
        self.commits += 1;
        Ok(())
    }

    /// Writes a folder and what changed in it.
    fn write(&mut self, folder: &mut Folder) -> std::io::Result<Id> {
        if let (false, Some(written)) = (folder.is_changed, &folder.written) {
            return Ok(written.id);
        }
        folder.is_changed = false;
        let mut content =
            Vec::with_capacity(folder.written.as_ref().map_or(0, |it| it.content.len() + 100));
        for (name, entry) in &mut folder.entries {
            let (mode, id) = match entry {
                Entry::File(id) => ("100644", *id),
                Entry::Folder(below) => ("40000", self.write(below)?),
            };
            content.extend_from_slice(mode.as_bytes());
            content.push(b' ');
            content.extend_from_slice(name.trim_end_matches('/').as_bytes());
            content.push(0);
            content.extend_from_slice(&id);
        }
        let id = id_of("tree", &content);
        let (offset, mut depth) = (self.offset, 0);
        if self.known.insert(id) {
            match &folder.written {
                Some(base) if base.depth < DEPTH => {
                    depth = base.depth + 1;
                    let delta = delta(&base.content, &content);
                    self.entry(DELTA, delta.len(), &distance(offset - base.offset), &delta)?;
                }
                _ => self.entry(TREE, content.len(), &[], &content)?,
            }
            folder.written = Some(Written { id, content, offset, depth });
        } else if let Some(written) = &mut folder.written {
            // It is as it was before; where that stands is not kept, and any base will do.
            written.id = id;
        }
        Ok(id)
    }

    /// Appends an object: its kind and size, for a delta where its base is, and its content.
    fn entry(&mut self, kind: u8, size: usize, base: &[u8], content: &[u8]) -> std::io::Result<()> {
        let mut head = Vec::with_capacity(16);
        let (mut rest, mut byte) = (size >> 4, kind << 4 | (size & 15) as u8);
        while rest > 0 {
            head.push(byte | 0x80);
            (byte, rest) = ((rest & 0x7f) as u8, rest >> 7);
        }
        head.push(byte);
        head.extend_from_slice(base);
        let mut packed = ZlibEncoder::new(head, Compression::fast());
        packed.write_all(content)?;
        let packed = packed.finish()?;
        self.offset += packed.len() as u64;
        self.pack.write_all(&packed)
    }
}

impl Folder {
    /// The folder that a path is in, made where it is not there, and the last name.
    fn at<'a>(&mut self, path: &'a str) -> (&mut Self, &'a str) {
        self.is_changed = true;
        let Some((first, rest)) = path.split_once('/') else { return (self, path) };
        let new = || Entry::Folder(Self::default());
        match self.entries.entry(format!("{first}/")).or_insert_with(new) {
            Entry::Folder(folder) => folder.at(rest),
            Entry::File(_) => unreachable!("a file's name does not end with a slash"),
        }
    }
}

/// What makes the second out of the first: all that they begin and end with
/// alike is copied.
fn delta(base: &[u8], content: &[u8]) -> Vec<u8> {
    let alike = |(a, b): &(&u8, &u8)| a == b;
    let before = base.iter().zip(content).take_while(alike).count();
    let (from, to) = (base.len(), content.len());
    let after = base[before..].iter().rev().zip(content[before..].iter().rev());
    let after = after.take_while(alike).count();
    let mut delta = Vec::new();
    for mut size in [from, to] {
        while size > 0x7f {
            delta.push((size & 0x7f) as u8 | 0x80);
            size >>= 7;
        }
        delta.push(size as u8);
    }
    copy(&mut delta, 0, before);
    for some in content[before..to - after].chunks(0x7f) {
        delta.push(some.len() as u8);
        delta.extend_from_slice(some);
    }
    copy(&mut delta, from - after, from);
    delta
}

fn copy(delta: &mut Vec<u8>, mut at: usize, end: usize) {
    while at < end {
        let size = (end - at).min(COPY);
        let place = delta.len();
        delta.push(0x80);
        // 0x10000 is written as no size at all.
        let written = if size == COPY { 0 } else { size };
        let bytes = (0..4).map(|byte| (at >> (8 * byte)) & 0xff);
        let bytes = bytes.chain((0..2).map(|byte| (written >> (8 * byte)) & 0xff));
        for (bit, byte) in bytes.enumerate().filter(|(_, byte)| *byte != 0) {
            delta[place] |= 1 << bit;
            delta.push(byte as u8);
        }
        at += size;
    }
}

/// How far before a delta its base stands, as a pack has it.
fn distance(mut back: u64) -> Vec<u8> {
    let mut bytes = vec![(back & 0x7f) as u8];
    while back > 0x7f {
        back = (back >> 7) - 1;
        bytes.push((back & 0x7f) as u8 | 0x80);
    }
    bytes.reverse();
    bytes
}

fn id_of(kind: &str, content: &[u8]) -> Id {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", content.len()));
    hash.update(content);
    hash.finalize().into()
}

fn git(command: &mut Command) -> std::io::Result<()> {
    if command.status()?.success() {
        return Ok(());
    }
    Err(std::io::Error::other(format!("{command:?} failed")))
}
