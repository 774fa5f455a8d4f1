//! What was worked out of each handoff's folder, kept by the folder's tree.
//! One file holds a group: the folders that lie in one folder, such as those of
//! a month. While the group's tree is the same, neither it nor anything below
//! it is read.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ledger::path::{Folder, key_of};
use crate::model::{Gap, Key, ObjectId};

use super::file::{ByteReader, HEADER, body, load, save};

const MAGIC: &[u8; 16] = b"handoff folders\n";
/// Counts up whenever the file's form changes.
const FORMAT: u32 = 1;
const FOLDER: &str = "folders";
/// A larger group is not kept, and a larger file is not read.
const LARGEST: u64 = 256 << 20;
/// Reading so few folders again costs less than writing a group's file.
const WORTH_WRITING: usize = 16;
/// Tree, end of the name, end of the facts, whether there are facts.
const ROW: usize = 20 + 4 + 4 + 1;

/// What is kept under one name, and what it depends on besides the files.
#[derive(Debug, Clone)]
pub struct FactsKind {
    /// How the files of this kind end; a word of small letters.
    pub name: &'static str,
    /// What else decides what is kept, such as the schema and the form of the facts.
    pub basis: [u8; 32],
}

impl FactsKind {
    /// A kind of facts. Another version of the program works them out again.
    #[must_use]
    pub fn new(name: &'static str, form: u32, basis: &[u8]) -> Self {
        let sum = Sha256::new()
            .chain_update(env!("CARGO_PKG_VERSION"))
            .chain_update([0])
            .chain_update(form.to_le_bytes())
            .chain_update(basis);
        Self { name, basis: sum.finalize().into() }
    }
}

/// The folders in one folder, each with what is kept of it.
pub struct FolderGroup {
    path: String,
    tree: ObjectId,
    rows: Rows,
    /// The names where the tree was read, else those in the file.
    names: Option<Vec<u8>>,
    file: Option<Vec<u8>>,
    below: Below,
}

/// The folders in a group that are no handoffs' by their names, with their trees.
pub(in crate::ledger) type Below = Vec<(String, ObjectId)>;

#[derive(Clone)]
struct CachedRow {
    tree: ObjectId,
    name: Range<usize>,
    facts: Option<Range<usize>>,
}

enum Rows {
    /// As a tree lists them.
    Listed(Vec<CachedRow>),
    /// As they stand in the file: of a hundred thousand folders few are looked at.
    Kept(RowTable),
}

/// Where the rows of a file begin, how many there are, and where the names and
/// the facts behind them begin.
#[derive(Clone, Copy)]
struct RowTable {
    start: usize,
    count: usize,
    names: usize,
    facts: usize,
}

impl RowTable {
    fn place(bytes: &[u8]) -> usize {
        let place = bytes.first_chunk().copied().map_or(0, u32::from_le_bytes);
        usize::try_from(place).expect("places in a file fit memory")
    }

    /// A row of a file that [`decode`] gave this table for.
    fn row(self, file: &[u8], at: usize) -> CachedRow {
        let entry = |at: usize| &file[self.start + at * ROW..][..ROW];
        let own = entry(at);
        let (name, facts) = at.checked_sub(1).map_or((0, 0), |before| {
            let before = entry(before);
            (Self::place(&before[20..]), Self::place(&before[24..]))
        });
        let has_facts = own[28] == 1;
        CachedRow {
            tree: ObjectId(own.first_chunk().copied().unwrap_or_default()),
            name: self.names + name..self.names + Self::place(&own[20..]),
            facts: has_facts.then(|| self.facts + facts..self.facts + Self::place(&own[24..])),
        }
    }

    /// Where the names of all rows stand, without the rest of a row.
    fn names(self, file: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let entries = file[self.start..][..self.count * ROW].as_chunks::<ROW>().0.iter();
        entries.scan(self.names, move |start, entry| {
            let end = self.names + Self::place(&entry[20..]);
            Some(std::mem::replace(start, end)..end)
        })
    }
}

impl std::fmt::Debug for FolderGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderGroup")
            .field("path", &self.path)
            .field("folders", &self.len())
            .finish_non_exhaustive()
    }
}

/// What came of each group at or below a place, with the group's path and sorted
/// by it, and what could not be read.
#[derive(Debug)]
pub struct FolderGroups<T> {
    /// The groups.
    pub groups: Vec<(String, T)>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl<T> Default for FolderGroups<T> {
    fn default() -> Self {
        Self { groups: Vec::new(), gaps: Vec::new() }
    }
}

impl<T> FolderGroups<T> {
    /// Removes the files of groups that are not among these, which are all.
    pub fn prune(&self, git_dir: &Path) {
        let wanted: BTreeSet<String> =
            self.groups.iter().map(|(path, _)| file_stem(path)).collect();
        let entries = fs::read_dir(git_dir.join(super::FOLDER).join(FOLDER));
        for entry in entries.into_iter().flatten().flatten() {
            let file = entry.path();
            let stem = file.file_stem().and_then(|stem| stem.to_str());
            // What a writer has begun and not finished is its own.
            let is_ours = stem.is_some_and(|stem| stem.len() == 24);
            if is_ours && !stem.is_some_and(|stem| wanted.contains(stem)) {
                // One that stays is only not needed.
                let _ = fs::remove_file(file);
            }
        }
    }
}

impl FolderGroup {
    /// A group that was read, with what is kept of those folders that are the same.
    pub(in crate::ledger) fn read(
        path: String,
        tree: ObjectId,
        listed: &[(String, ObjectId)],
        below: Below,
        kept: Option<KeptGroup>,
    ) -> Self {
        let mut names = Vec::new();
        let mut rows: Vec<CachedRow> = Vec::with_capacity(listed.len());
        for (name, tree) in listed {
            let start = names.len();
            names.extend_from_slice(name.as_bytes());
            rows.push(CachedRow { tree: *tree, name: start..names.len(), facts: None });
        }
        rows.sort_by(|a, b| names[a.name.clone()].cmp(&names[b.name.clone()]));
        if let Some(kept) = &kept {
            for row in &mut rows {
                row.facts = kept.find(&names[row.name.clone()], row.tree);
            }
        }
        let file = kept.map(|kept| kept.file);
        Self { path, tree, rows: Rows::Listed(rows), names: Some(names), file, below }
    }

    /// What else lies in it and may hold groups.
    pub(in crate::ledger) fn below(&self) -> &Below {
        &self.below
    }

    /// The folder that they lie in.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How many folders lie in it.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Listed(rows) => rows.len(),
            Rows::Kept(table) => table.count,
        }
    }

    /// Whether none lies in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn row(&self, at: usize) -> CachedRow {
        match &self.rows {
            Rows::Listed(rows) => rows[at].clone(),
            Rows::Kept(table) => table.row(self.file.as_deref().unwrap_or_default(), at),
        }
    }

    /// The name of a folder; empty where the group is itself a handoff's folder.
    #[must_use]
    pub fn name(&self, at: usize) -> &str {
        let name = &self.name_bytes()[self.row(at).name];
        std::str::from_utf8(name).expect("checked when it was read")
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.name(at))
    }

    /// The folders whose names end in a key, in whatever case.
    pub fn ending_in(&self, key: &Key) -> impl Iterator<Item = Folder> {
        let (names, key) = (self.name_bytes(), key.as_str().as_bytes());
        let is_meant = move |name: Range<usize>| {
            let name = &names[name];
            let (rest, own) = name.split_at(name.len().saturating_sub(key.len()));
            rest.ends_with(b"--") && own.eq_ignore_ascii_case(key)
        };
        let places = self.name_places().enumerate();
        places.filter(move |(_, name)| is_meant(name.clone())).map(|(at, _)| self.folder(at))
    }

    /// Where the names stand in [`Self::name_bytes`].
    fn name_places(&self) -> impl Iterator<Item = Range<usize>> {
        let (listed, kept) = match &self.rows {
            Rows::Listed(rows) => (Some(rows.iter().map(|row| row.name.clone())), None),
            Rows::Kept(table) => {
                (None, Some(table.names(self.file.as_deref().unwrap_or_default())))
            }
        };
        listed.into_iter().flatten().chain(kept.into_iter().flatten())
    }

    fn name_bytes(&self) -> &[u8] {
        self.names.as_deref().or(self.file.as_deref()).unwrap_or_default()
    }

    /// A folder.
    #[must_use]
    pub fn folder(&self, at: usize) -> Folder {
        match self.name(at) {
            "" => Folder { path: self.path.clone(), key: None },
            name => Folder { path: format!("{}/{name}", self.path), key: key_of(name) },
        }
    }

    /// The tree of a folder.
    #[must_use]
    pub fn tree(&self, at: usize) -> ObjectId {
        self.row(at).tree
    }

    /// What is kept of a folder; `None` where it is to be worked out.
    #[must_use]
    pub fn facts(&self, at: usize) -> Option<&[u8]> {
        let range = self.row(at).facts?;
        self.file.as_deref().map(|file| &file[range])
    }

    /// Whether what was worked out again is worth a new file.
    #[must_use]
    pub fn is_worth_saving(&self, news: usize) -> bool {
        news >= WORTH_WRITING || (self.file.is_none() && news > 0)
    }

    /// Keeps the names alone.
    pub(in crate::ledger) fn save_names(&self, git_dir: &Path, kind: &FactsKind) {
        let news = (0..self.len()).filter(|at| self.facts(*at).is_none()).count();
        if self.is_worth_saving(news) {
            let none: &[u8] = &[];
            self.save(git_dir, kind, &vec![Some(none); self.len()]);
        }
    }

    /// Keeps these facts of the group's folders, in their order. A file that
    /// cannot be written is no error: the next run is only slower.
    pub fn save(&self, git_dir: &Path, kind: &FactsKind, facts: &[Option<&[u8]>]) {
        // A folder without a key in its name is read each time: it is its own group.
        let rows = || (0..self.len()).map(|at| self.row(at));
        if rows().any(|row| row.name.is_empty()) {
            return;
        }
        let (mut names, mut bytes) = (0, 0);
        let mut table = Vec::with_capacity(self.len() * ROW);
        for (row, facts) in rows().zip(facts) {
            names += row.name.len();
            bytes += facts.as_ref().map_or(0, |facts| facts.len());
            table.extend_from_slice(&row.tree.0);
            table.extend_from_slice(&short(names));
            table.extend_from_slice(&short(bytes));
            table.push(u8::from(facts.is_some()));
        }
        if u64::try_from(table.len() + names + bytes).is_ok_and(|size| size > LARGEST / 2) {
            return;
        }
        save(&path(git_dir, kind, &self.path), MAGIC, FORMAT, |out| {
            out.write_all(&kind.basis)?;
            out.write_all(&self.tree.0)?;
            out.write_all(&short(self.path.len()))?;
            out.write_all(self.path.as_bytes())?;
            out.write_all(&short(self.below.len()))?;
            for (name, tree) in &self.below {
                out.write_all(&tree.0)?;
                out.write_all(&short(name.len()))?;
                out.write_all(name.as_bytes())?;
            }
            out.write_all(&short(self.len()))?;
            out.write_all(&table)?;
            (0..self.len()).try_for_each(|at| out.write_all(self.name(at).as_bytes()))?;
            facts.iter().flatten().try_for_each(|facts| out.write_all(facts))
        });
    }
}

/// A length that was compared with [`LARGEST`], or is cut and then not written.
fn short(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// The file of a group.
pub(in crate::ledger) struct KeptGroup {
    file: Vec<u8>,
    tree: ObjectId,
    below: Below,
    table: RowTable,
}

impl KeptGroup {
    /// What is kept of a group; `None` where there is no file, it was cut or
    /// changed, or it depends on something else.
    pub(in crate::ledger) fn load(git_dir: &Path, kind: &FactsKind, group: &str) -> Option<Self> {
        let path = path(git_dir, kind, group);
        if fs::metadata(&path).ok()?.len() > LARGEST {
            return None;
        }
        let file = load(&path, MAGIC, FORMAT)?;
        let (tree, below, table) = decode(&file, kind, group)?;
        Some(Self { file, tree, below, table })
    }

    /// The group's tree when it was kept.
    pub(in crate::ledger) fn tree(&self) -> ObjectId {
        self.tree
    }

    /// The group, which is the same as it was.
    pub(in crate::ledger) fn into_group(self, path: String) -> FolderGroup {
        let Self { file, tree, below, table } = self;
        FolderGroup { path, tree, rows: Rows::Kept(table), names: None, file: Some(file), below }
    }

    /// Where the facts of a folder stand, if it is the same.
    fn find(&self, name: &[u8], tree: ObjectId) -> Option<Range<usize>> {
        let (mut low, mut high) = (0, self.table.count);
        while low < high {
            let middle = low.midpoint(high);
            let row = self.table.row(&self.file, middle);
            match self.file[row.name].cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return row.facts.filter(|_| row.tree == tree),
            }
        }
        None
    }
}

/// The group's tree, what lies below, and where the rows stand in the whole file.
fn decode(file: &[u8], kind: &FactsKind, group: &str) -> Option<(ObjectId, Below, RowTable)> {
    let bytes = body(file);
    let mut from = ByteReader(bytes);
    if from.array::<32>()? != kind.basis {
        return None;
    }
    let tree = ObjectId(from.array()?);
    let length = from.count(1)?;
    if from.take(length)? != group.as_bytes() {
        return None;
    }
    let count = from.count(24)?;
    let mut below = Vec::with_capacity(count);
    for _ in 0..count {
        let tree = ObjectId(from.array()?);
        let length = from.count(1)?;
        below.push((std::str::from_utf8(from.take(length)?).ok()?.to_owned(), tree));
    }
    let count = from.count(ROW)?;
    // Places are counted from the file's beginning.
    let place = |from: &ByteReader<'_>| HEADER + bytes.len() - from.0.len();
    let start = place(&from);
    let (entries, _) = from.take(count * ROW)?.as_chunks::<ROW>();
    let ends = |entry: &[u8; ROW]| {
        let mut entry = ByteReader(&entry[20..]);
        Some((usize::try_from(entry.number()?).ok()?, usize::try_from(entry.number()?).ok()?))
    };
    let names = place(&from);
    let (length, _) = entries.last().map_or(Some((0, 0)), ends)?;
    let all = std::str::from_utf8(from.take(length)?).ok()?;
    let (mut name, mut facts, mut before) = (0, 0, "");
    for entry in entries {
        let (end, last) = ends(entry).filter(|(end, last)| *end > name && *last >= facts)?;
        let own = all.get(name..end).filter(|own| *own > before)?;
        (name, facts, before) = (end, last, own);
    }
    let table = RowTable { start, count, names, facts: place(&from) };
    (from.0.len() == facts).then_some((tree, below, table))
}

fn path(git_dir: &Path, kind: &FactsKind, group: &str) -> PathBuf {
    git_dir.join(super::FOLDER).join(FOLDER).join(format!("{}.{}", file_stem(group), kind.name))
}

/// A group as its files are named: a layout may hold what no file system takes.
fn file_stem(group: &str) -> String {
    hex::encode(&Sha256::digest(group)[..12])
}
