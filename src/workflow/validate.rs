//! Checking briefs: those of the checkout, those that changed, or those named.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{Context, WorkflowError};
use crate::brief::{
    Brief, BriefSources, CheckContext, CheckedFolder, FolderSummary, HandoffCheck, NamedMember,
    Proposals, Refused, SourcesFile, TeamNames, check_again, check_ledger, fixes,
};
use crate::disk::{self, Inside};
use crate::finding::{Finding, Location};
use crate::ledger::{
    BRIEFS, Folder, KeptDigests, LONGEST_SLUG, LedgerError, LeftOut, blob_id, key_of,
};
use crate::model::{Key, ObjectId, Remarks};
use crate::text::slug;

/// What a folder is called that no name was known for.
const NAMELESS: &str = "customer";
/// The files of a handoff's folder.
const FILES: [&str; 5] =
    ["brief.yaml", "timeline.yaml", "README.md", BriefSources::FILE, Proposals::FILE];

/// Which briefs are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of the checkout; of a bare repository, all of the tip.
    All,
    /// Those that differ from where the checkout left a revision.
    Since(String),
    /// Those at or below these paths.
    At(Vec<PathBuf>),
}

/// What a check gave.
#[derive(Debug, Clone, Default)]
pub struct Validated {
    /// The files that were checked, relative to the ledger.
    pub checked: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The files that were fixed.
    pub fixed: Vec<String>,
    /// The folders that were renamed, from and to.
    pub renamed: Vec<(String, String)>,
    /// Why more than what changed was checked, and what was read from elsewhere.
    pub remarks: Remarks,
    /// The handoffs of the index that were deleted in the checkout, where all are checked.
    pub deleted: usize,
}

/// One folder's files, as they are on the disk or in the tip.
struct FolderFiles {
    folder: String,
    brief: Option<Vec<u8>>,
    timeline: Option<Vec<u8>>,
    readme: Option<Vec<u8>>,
    refused: Vec<Refused>,
    proposed: Option<Vec<u8>>,
    sources: Option<Vec<u8>>,
}

impl FolderFiles {
    /// Reads a folder's files; what is a link, or lies behind one, is
    /// noted and not read.
    fn read(
        folder: &str,
        read: impl Fn(&str) -> Result<Option<Vec<u8>>, LedgerError>,
    ) -> Result<Self, WorkflowError> {
        let mut refused: Vec<Refused> = Vec::new();
        let mut file = |name: &str| match read(&format!("{folder}/{name}")) {
            Err(LedgerError::NotFollowed { path, what }) => {
                if refused.last().is_none_or(|last| last.path != path) {
                    refused.push(Refused { path, what });
                }
                Ok(None)
            }
            other => other,
        };
        let (brief, timeline) = (file("brief.yaml")?, file("timeline.yaml")?);
        let (readme, proposed) = (file("README.md")?, file(Proposals::FILE)?);
        let sources = file(BriefSources::FILE)?;
        Ok(Self { folder: folder.to_owned(), brief, timeline, readme, refused, proposed, sources })
    }

    /// Whether there is anything to check.
    fn is_there(&self) -> bool {
        let readme = format!("{}/README.md", self.folder);
        self.brief.is_some()
            || self.timeline.is_some()
            || self.refused.iter().any(|refused| refused.path != readme)
    }

    /// Whether a submodule may stand in the place of the folder, one above it or a
    /// file: on the disk it is a folder, empty or with a `.git` of its own.
    fn may_be_submodule(&self, root: &Path) -> bool {
        let folder = Path::new(&self.folder);
        let mut folders = folder.ancestors().filter(|above| !above.as_os_str().is_empty());
        let file = |name: &&str| root.join(folder).join(name).is_dir();
        self.brief.is_none()
            || folders.any(|above| root.join(above).join(".git").symlink_metadata().is_ok())
            || FILES.iter().any(file)
    }

    fn files(&self) -> CheckedFolder<'_> {
        CheckedFolder {
            folder: &self.folder,
            brief: self.brief.as_deref(),
            timeline: self.timeline.as_deref(),
            readme: self.readme.as_deref(),
            refused: &self.refused,
            proposed: self.proposed.as_deref(),
            sources: self.sources.as_deref().map(|bytes| SourcesFile { bytes, blob_id }),
        }
    }
}

/// Checks briefs. With `fix`, fixes first what can be fixed without losing
/// anything, in the checkout.
///
/// # Errors
/// When the ledger or the disk cannot be read or written.
pub fn validate(context: &Context, which: &Which, fix: bool) -> Result<Validated, WorkflowError> {
    let mut validated = Validated::default();
    let root = context.ledger.root().to_path_buf();
    let bare = context.ledger.is_bare();
    let mut outside = Vec::new();
    let mut folders = match which {
        Which::All => all_folders(context, &root, bare)?,
        Which::Since(revision) => since(context, (&root, bare), revision, &mut validated.remarks)?,
        Which::At(paths) => named(&root, paths, &mut outside)?,
    };
    let left_out = match bare {
        true => BTreeMap::new(),
        false => left_out(context, which, &mut folders, &mut validated)?,
    };
    let mut loaded: Vec<FolderFiles> = if bare {
        let snapshot = context.ledger.snapshot()?;
        folders
            .iter()
            .map(|folder| FolderFiles::read(folder, |path| snapshot.read(path)))
            .collect::<Result<_, WorkflowError>>()?
    } else {
        let outside = outside.as_slice();
        folders
            .par_iter()
            .map(|folder| match outside.contains(folder) {
                true => FolderFiles::read(folder, |path| beside(Path::new(path))),
                false => FolderFiles::read(folder, |path| {
                    match (context.ledger.read_checkout(path)?, left_out.get(path)) {
                        (None, Some(blob)) => context.ledger.blob(*blob),
                        (read, _) => Ok(read),
                    }
                }),
            })
            .collect::<Result<_, WorkflowError>>()?
    };
    if !bare {
        refuse_submodules(context, &root, which, &folders, &mut loaded);
    }
    loaded.retain(FolderFiles::is_there);
    for one in &mut loaded {
        let Some(better) = better_name(one) else { continue };
        let is_here = root.join(&one.folder).exists();
        if fix && !bare && is_here && !root.join(&better).exists() {
            let from = root.join(&one.folder);
            std::fs::rename(&from, root.join(&better))
                .map_err(|error| WorkflowError::file(&from, &error))?;
            validated.renamed.push((one.folder.clone(), better.clone()));
            one.folder = better;
        } else {
            validated.remarks.push(format!(
                "{} is named before its customer was known; `handoff validate --fix` renames it to {better}",
                one.folder
            ));
        }
    }
    let members = members(context);
    let due = |signed_at| context.config.first_touch.due(signed_at);
    let check_context = CheckContext {
        schema: &context.schema,
        renderer: &context.renderer,
        team: &members,
        now: context.now,
        first_touch: Some(&due),
        layout: Some(&context.config.layout),
    };
    if fix && !bare {
        for one in &mut loaded {
            let found = fixes(&one.files(), &check_context)
                .map_err(|error| WorkflowError::Template(error.to_string()))?;
            for fixed in found {
                let path = root.join(&fixed.file);
                // What a sparse checkout leaves out is not laid down for a page.
                if left_out.contains_key(&fixed.file) && !path.exists() {
                    continue;
                }
                super::init::write_whole(&path, fixed.contents.as_bytes())?;
                one.readme = Some(fixed.contents.into_bytes());
                validated.fixed.push(fixed.file);
            }
        }
    }
    let known = match which {
        // One page is made in less time than it takes to read what is known of all.
        Which::At(_) => KnownPages::none(),
        _ => KnownPages::open(context)?,
    };
    let checks: Vec<(HandoffCheck, ObjectId)> = loaded
        .par_iter()
        .map(|one| {
            let page = known.fingerprint(one);
            (check_again(&one.files(), &check_context, known.has(page)), page)
        })
        .collect();
    if *which == Which::All {
        let as_written = checks.iter().filter(|(check, _)| check.is_as_written);
        let pages: Vec<ObjectId> = as_written.map(|(_, page)| *page).collect();
        known.keep(context.ledger.git_dir(), &pages)?;
    }
    let mut summaries: Vec<FolderSummary> = Vec::with_capacity(checks.len());
    for (one, (check, _)) in loaded.iter().zip(checks) {
        let name = if one.brief.is_some() { "brief.yaml" } else { "timeline.yaml" };
        validated.checked.push(format!("{}/{name}", one.folder));
        validated.findings.extend(check.findings);
        summaries.push(check.summary);
    }
    if matches!(which, Which::Since(_)) {
        let others = others_of(context, &summaries)?;
        summaries.extend(others);
    }
    validated.findings.extend(check_ledger(&summaries));
    Ok(validated)
}

/// The files that the checkout leaves out, by path; their folders are added to
/// those that are checked. What was deleted in the checkout is told.
fn left_out(
    context: &Context,
    which: &Which,
    folders: &mut Vec<String>,
    validated: &mut Validated,
) -> Result<BTreeMap<String, ObjectId>, WorkflowError> {
    let (ledger, root) = (&context.ledger, context.ledger.root());
    // To read the index costs as much as everything that exists in the ledger.
    let is_there = |folder: &String| root.join(folder).join("brief.yaml").exists();
    if matches!(which, Which::At(_)) && folders.iter().all(is_there) {
        return Ok(BTreeMap::new());
    }
    let LeftOut { hidden, folders: indexed } = ledger.left_out()?;
    let hidden: BTreeMap<String, ObjectId> =
        hidden.into_iter().filter(|(path, _)| !root.join(path).exists()).collect();
    if *which == Which::All {
        let held: BTreeSet<&str> =
            hidden.keys().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        let here: BTreeSet<&str> = folders.iter().map(String::as_str).collect();
        let is_new = |folder: &&String| !here.contains(folder.as_str());
        let (left, gone): (Vec<String>, Vec<String>) = indexed
            .iter()
            .filter(is_new)
            .cloned()
            .partition(|folder| held.contains(folder.as_str()));
        validated.deleted = gone.len();
        folders.extend(left);
        folders.sort();
    }
    let used = |path: &&String| {
        path.rsplit_once('/').is_some_and(|(folder, _)| folders.iter().any(|it| it == folder))
    };
    if let Some(first) = hidden.keys().find(used) {
        validated.remarks.push(format!(
            "this checkout leaves files out, such as {first}: they are checked as they were committed"
        ));
    }
    Ok(hidden)
}

/// The folders of the tip, by their names, that hold a key of these a second
/// time. A part of the tip that cannot be listed could hold one, so nothing is
/// said then.
fn others_of(
    context: &Context,
    checked: &[FolderSummary],
) -> Result<Vec<FolderSummary>, WorkflowError> {
    let keys: BTreeSet<&str> =
        checked.iter().filter_map(|it| it.key.as_ref()).map(Key::as_str).collect();
    let seen: BTreeSet<&str> = checked.iter().map(|it| it.folder.as_str()).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let names = context.ledger.snapshot()?.folder_names();
    if let Some(gap) = names.gaps.first() {
        return Err(WorkflowError::Io { path: gap.what.clone(), why: gap.why.clone() });
    }
    let mut others = Vec::new();
    for (_, group) in &names.groups {
        for (at, name) in group.names().enumerate() {
            let own = name.rsplit_once("--").map(|(_, own)| own.to_ascii_lowercase());
            if !own.is_some_and(|own| keys.contains(own.as_str())) {
                continue;
            }
            let Folder { path: folder, key } = group.folder(at);
            if !seen.contains(folder.as_str()) {
                let place = Location::file(format!("{folder}/brief.yaml"));
                let (deal, document, has_brief) = (None, None, true);
                others.push(FolderSummary { folder, key, deal, document, has_brief, place });
            }
        }
    }
    Ok(others)
}

/// Notes the submodules in the place of what is checked: in a checkout they
/// are empty folders, and look like nothing at all.
fn refuse_submodules(
    context: &Context,
    root: &Path,
    which: &Which,
    folders: &[String],
    loaded: &mut Vec<FolderFiles>,
) {
    // To read the index costs as much as everything that exists in the ledger.
    if matches!(which, Which::At(_)) && !loaded.iter().any(|one| one.may_be_submodule(root)) {
        return;
    }
    for path in context.ledger.submodules() {
        let folder = match path.rsplit_once('/') {
            Some((folder, name)) if FILES.contains(&name) => folder.to_owned(),
            _ => path.clone(),
        };
        if *which != Which::All && !folders.contains(&folder) {
            continue;
        }
        let refused = Refused { path, what: "a submodule" };
        match loaded.iter_mut().find(|loaded| loaded.folder == folder) {
            Some(loaded) => {
                loaded.refused.retain(|other| other.path != refused.path);
                loaded.refused.push(refused);
            }
            None => loaded.push(FolderFiles {
                folder,
                brief: None,
                timeline: None,
                readme: None,
                proposed: None,
                sources: None,
                refused: vec![refused],
            }),
        }
    }
}

/// Where a folder belongs that is called `customer` for want of a name, once
/// its brief has one.
fn better_name(one: &FolderFiles) -> Option<String> {
    let (parent, name) = one.folder.rsplit_once('/')?;
    let key = name.strip_prefix(NAMELESS)?.strip_prefix("--")?;
    let brief = Brief::parse(one.brief.as_deref()?).ok()?;
    let better = slug(brief.view().title()?, LONGEST_SLUG);
    (better != NAMELESS).then(|| format!("{parent}/{better}--{key}"))
}

fn members(context: &Context) -> TeamNames {
    let csms = context.config.team.csms.iter();
    TeamNames::new(
        csms.map(|csm| NamedMember {
            name: Some(csm.name.clone()),
            email: csm.email.clone(),
            github: csm.github.clone(),
            slack: csm.slack.clone(),
        })
        .collect(),
    )
}

fn all_folders(context: &Context, root: &Path, bare: bool) -> Result<Vec<String>, WorkflowError> {
    if bare {
        let mut folders = tip_folders(context)?;
        folders.extend(context.ledger.snapshot()?.not_followed()?);
        folders.sort();
        return Ok(folders);
    }
    let mut folders = Vec::new();
    let briefs = root.join(BRIEFS);
    match briefs.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => folders.push(BRIEFS.to_owned()),
        Ok(meta) if meta.is_dir() => walk(&briefs, BRIEFS, &mut folders)?,
        _ => {}
    }
    folders.sort();
    Ok(folders)
}

/// The handoff folders of the tip. One that cannot be listed could hold a key a
/// second time, so nothing is said of the others.
fn tip_folders(context: &Context) -> Result<Vec<String>, WorkflowError> {
    let (folders, gaps) = context.ledger.folders(None)?.into_parts();
    if let Some(gap) = gaps.first() {
        return Err(WorkflowError::Io { path: gap.what.clone(), why: gap.why.clone() });
    }
    Ok(folders.into_iter().map(|folder| folder.path).collect())
}

/// Handoff folders below a folder of the disk: those that directly hold a
/// brief or a timeline. A link where a folder belongs is given as one, to be
/// refused when it is read; what lies beside a handoff's files may be a link.
fn walk(dir: &Path, shown: &str, found: &mut Vec<String>) -> Result<(), WorkflowError> {
    let entries = std::fs::read_dir(dir).map_err(|error| WorkflowError::file(dir, &error))?;
    let mut is_handoff = false;
    for entry in entries {
        let entry = entry.map_err(|error| WorkflowError::file(dir, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|error| WorkflowError::file(&entry.path(), &error))?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{shown}/{name}"), found)?;
        } else if matches!(name.as_str(), "brief.yaml" | "timeline.yaml") {
            is_handoff = true;
        } else if kind.is_symlink() && !shown.split('/').any(|part| key_of(part).is_some()) {
            found.push(format!("{shown}/{name}"));
        }
    }
    found.extend(is_handoff.then(|| shown.to_owned()));
    Ok(())
}

/// The folders that changed; everything, when the schema or the template did.
fn since(
    context: &Context,
    (root, bare): (&Path, bool),
    revision: &str,
    remarks: &mut Remarks,
) -> Result<Vec<String>, WorkflowError> {
    if is_commit_id(revision) && revision.bytes().all(|byte| byte == b'0') {
        // What GitHub gives for the commit before a branch's first push.
        remarks.push("there is no commit before this one, so every brief is checked".to_owned());
        return all_folders(context, root, bare);
    }
    for decisive in ["schema/brief.schema.json", "templates/brief.md.j2"] {
        let differs = match context.ledger.differs_since(revision, decisive) {
            // A name may be mistyped; a whole id is one that a force push left behind.
            Err(LedgerError::UnknownRevision { .. }) if is_commit_id(revision) => {
                remarks.push(format!(
                    "this clone does not have {revision}, as after a force push, so every brief is checked"
                ));
                return all_folders(context, root, bare);
            }
            differs => differs?,
        };
        if differs {
            remarks.push(format!("{decisive} changed since {revision}, so every brief is checked"));
            return all_folders(context, root, bare);
        }
    }
    Ok(context.ledger.changed_since(revision, true)?)
}

/// Whether a revision is the whole id of a commit.
fn is_commit_id(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The folders of paths that were named. Those that do not lie in the ledger
/// are read as they are: whoever names them may read them.
fn named(
    root: &Path,
    paths: &[PathBuf],
    outside: &mut Vec<String>,
) -> Result<Vec<String>, WorkflowError> {
    let mut folders = Vec::new();
    for path in paths {
        let fail = |error| WorkflowError::file(path, &error);
        let shown = match path_inside(root, path) {
            Some(inside) => inside,
            None => path.canonicalize().map_err(fail)?.display().to_string(),
        };
        let is_outside = path_inside(root, path).is_none();
        let before = folders.len();
        // The first link on the way, where there is one.
        let refused = match disk::read_inside(root, Path::new(&shown)).map_err(fail)? {
            Inside::Refused { path, what: "a symbolic link" } if !is_outside => Some(path),
            _ => None,
        };
        let is_file = path.symlink_metadata().map_err(fail)?.is_file()
            || FILES.iter().any(|it| path.ends_with(it));
        match (refused, shown.rsplit_once('/')) {
            (_, Some((folder, _))) if is_file => folders.push(folder.to_owned()),
            (Some(link), _) => folders.push(link),
            _ => walk(path, &shown, &mut folders)?,
        }
        if is_outside {
            outside.extend(folders[before..].iter().cloned());
        }
    }
    folders.sort();
    folders.dedup();
    Ok(folders)
}

/// A path below the ledger as the ledger names it, without following a link in
/// the ledger; `None` for one that lies elsewhere.
#[must_use]
pub fn path_inside(root: &Path, path: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    let above: Vec<&Path> = path.ancestors().collect();
    let top = above.iter().rev().find(|above| above.canonicalize().is_ok_and(|it| it == root))?;
    let mut parts: Vec<String> = Vec::new();
    for part in path.strip_prefix(top).ok()?.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()?),
            _ => {}
        }
    }
    Some(parts.join("/"))
}

/// A file that is not the ledger's.
fn beside(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { doing: "reading", path: path.to_owned(), source }),
    }
}

/// The name of the file that keeps the known pages.
const PAGES: &str = "pages";
/// It grows when the way in which pages are made changes without the program's version.
const PAGES_FORMAT: u32 = 3;
/// Rendering fewer again costs less than writing the file.
const WORTH_WRITING: usize = 50;

/// The folders whose page was found to be what the brief gives, by this template and
/// schema, and whose sources what handoff wrote; kept in the git folder by the bytes of
/// all their files: to make each page and to read all sources again would take most of
/// the time of a check.
struct KnownPages {
    basis: Sha256,
    kept: KeptDigests,
}

impl KnownPages {
    /// Reads what an earlier check has left; nothing where it is missing or broken.
    fn open(context: &Context) -> Result<Self, WorkflowError> {
        let kept = KeptDigests::open(context.ledger.git_dir(), PAGES, PAGES_FORMAT)?;
        let basis = Sha256::new()
            .chain_update(env!("CARGO_PKG_VERSION"))
            .chain_update(context.renderer.fingerprint())
            .chain_update(Sha256::digest(context.schema.document().to_string()));
        Ok(Self { basis, kept })
    }

    /// Nothing is known.
    fn none() -> Self {
        Self { basis: Sha256::new(), kept: KeptDigests::none() }
    }

    /// What a folder is known by. Its path is in it, too, as it may name the key.
    fn fingerprint(&self, one: &FolderFiles) -> ObjectId {
        let mut sum = self.basis.clone();
        let files = [&one.brief, &one.timeline, &one.readme, &one.sources];
        let files = files.into_iter().map(Option::as_deref);
        for bytes in std::iter::once(Some(one.folder.as_bytes())).chain(files) {
            // With the length of each, so that no two splits of the same bytes are one.
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            sum.update(length.to_le_bytes());
            sum.update(bytes.unwrap_or_default());
        }
        let sum = sum.finalize();
        ObjectId(*sum.first_chunk().expect("a checksum of 32 bytes"))
    }

    /// Whether this folder is as it was written.
    fn has(&self, fingerprint: ObjectId) -> bool {
        self.kept.get(fingerprint).is_some()
    }

    /// Keeps these pages, of all that there are, for the next check.
    fn keep(&self, git_dir: &Path, pages: &[ObjectId]) -> Result<(), WorkflowError> {
        let news = pages.iter().filter(|page| !self.has(**page)).count();
        if news >= WORTH_WRITING {
            let rows: Vec<_> = pages.iter().map(|page| (*page, Cow::Borrowed(&[][..]))).collect();
            KeptDigests::save(git_dir, PAGES, PAGES_FORMAT, &rows)?;
        }
        Ok(())
    }
}
