//! What the rules look at: one folder's files, read once.

use crate::brief::answer::dotted;
use crate::brief::{Brief, Completeness, ConfirmedAnswers, EventKind, SourcesFile, Timeline, View};
use crate::finding::{Finding, Location, Rule, Severity};
use crate::model::{CrmName, DealId, DocumentKey, Key};
use crate::yaml;

use super::CheckContext;

/// One handoff's folder: its path and the bytes of its files.
#[derive(Debug, Clone, Copy)]
pub struct CheckedFolder<'a> {
    /// The folder, relative to the ledger's root:
    /// `briefs/2026/11/acme-corp--hubspot-1`.
    pub folder: &'a str,
    /// `brief.yaml`.
    pub brief: Option<&'a [u8]>,
    /// `timeline.yaml`.
    pub timeline: Option<&'a [u8]>,
    /// `README.md`.
    pub readme: Option<&'a [u8]>,
    /// Links and submodules in the place of one of them, or of the folder.
    pub refused: &'a [Refused],
    /// `proposed.yaml`.
    pub proposed: Option<&'a [u8]>,
    /// `sources.yaml`.
    pub sources: Option<SourcesFile<'a>>,
}

impl CheckedFolder<'_> {
    /// The answers that people gave or confirmed.
    #[must_use]
    pub fn confirmed(&self) -> ConfirmedAnswers {
        self.sources.map(|file| file.confirmed(self.timeline)).unwrap_or_default()
    }
}

/// Something that is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The link itself, relative to the ledger's root.
    pub path: String,
    /// What it is, such as `a symbolic link`.
    pub what: &'static str,
}

/// What to do about a link.
pub(super) const COMMIT_ITSELF: &str = "commit the file or folder itself in its place";

/// What one folder says of itself, for rules that compare folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSummary {
    /// The folder.
    pub folder: String,
    /// The key: of the brief, else of the timeline, else of the folder's name.
    pub key: Option<Key>,
    /// The deal in its one form.
    pub deal: Option<(CrmName, DealId)>,
    /// The signed document.
    pub document: Option<DocumentKey>,
    /// Whether there is a brief, and not an exemption alone.
    pub has_brief: bool,
    /// Where the brief's key stands.
    pub place: Location,
}

/// One folder with its files read.
pub(super) struct Checked<'a> {
    pub files: &'a CheckedFolder<'a>,
    pub context: &'a CheckContext<'a>,
    pub brief: Option<Result<Brief, yaml::Error>>,
    pub timeline: Option<Result<Timeline, yaml::Error>>,
    pub completeness: Option<Completeness>,
    /// Whether README.md and sources.yaml are known to be as handoff wrote them.
    pub is_as_written: bool,
}

/// A folder whose brief could be read.
pub(super) struct Subject<'a> {
    pub checked: &'a Checked<'a>,
    pub context: &'a CheckContext<'a>,
    pub brief: &'a Brief,
    pub view: View<'a>,
    pub completeness: &'a Completeness,
    /// Not signed yet: what is missing is expected to be.
    pub draft: bool,
}

impl<'a> Checked<'a> {
    pub(super) fn of(files: &'a CheckedFolder<'a>, context: &'a CheckContext<'a>) -> Self {
        let brief = files.brief.map(Brief::parse);
        let completeness = match &brief {
            Some(Ok(brief)) => Some(Completeness::of(context.schema, brief.json())),
            _ => None,
        };
        let timeline = files.timeline.map(Timeline::parse);
        Self { files, context, brief, timeline, completeness, is_as_written: false }
    }

    pub(super) fn subject(&'a self) -> Option<Subject<'a>> {
        let brief = self.brief.as_ref()?.as_ref().ok()?;
        let view = brief.view();
        Some(Subject {
            checked: self,
            context: self.context,
            brief,
            view,
            completeness: self.completeness.as_ref()?,
            draft: !view.is_signed(),
        })
    }

    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.files.folder)
    }

    /// What stands behind the last `--` of the folder's name.
    pub(super) fn folder_key(&self) -> Option<&'a str> {
        let name = self.files.folder.rsplit('/').next()?;
        name.rsplit_once("--").map(|(_, key)| key)
    }

    pub(super) fn brief_key(&self) -> Option<Key> {
        self.brief.as_ref()?.as_ref().ok()?.view().key()
    }

    pub(super) fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()?.as_ref().ok()
    }

    /// The handoff's key from the best source there is.
    pub(super) fn key(&self) -> Option<Key> {
        self.brief_key()
            .or_else(|| self.timeline().map(|timeline| timeline.key.clone()))
            .or_else(|| Key::parse(self.folder_key()?).ok())
    }

    /// A finding about a file as a whole.
    pub(super) fn finding(&self, rule: &'static Rule, file: &str, message: String) -> Finding {
        let finding = Finding::new(rule, message).at(Location::file(self.file(file)));
        match self.key() {
            Some(key) => finding.key(&key),
            None => finding,
        }
    }

    /// The finding about a file of this folder that is not followed.
    pub(super) fn refused(&self, rule: &'static Rule, name: &str) -> Option<Finding> {
        let file = self.file(name);
        let refused = self.files.refused.iter().find(|refused| refused.path == file)?;
        let message = format!("{name} is {}, which handoff does not follow", refused.what);
        Some(self.finding(rule, name, message).help(COMMIT_ITSELF))
    }

    pub(super) fn is_exempted(&self) -> bool {
        self.timeline().is_some_and(|timeline| timeline.first(EventKind::Exempted).is_some())
    }

    pub(super) fn summary(&self) -> FolderSummary {
        let brief = self.brief.as_ref().and_then(|brief| brief.as_ref().ok());
        let view = brief.map(Brief::view);
        FolderSummary {
            folder: self.files.folder.to_owned(),
            key: self.key(),
            deal: view.and_then(View::deal),
            document: view.and_then(|view| view.provider().zip(view.document_id())),
            has_brief: self.brief.is_some(),
            place: match brief {
                Some(brief) => brief.place(&self.file("brief.yaml"), "/key"),
                None => Location::file(self.file("timeline.yaml")),
            },
        }
    }
}

impl Subject<'_> {
    /// A finding about a value of the brief, or about one that is not there.
    pub(super) fn finding(
        &self,
        rule: &'static Rule,
        pointer: &str,
        message: impl Into<String>,
    ) -> Finding {
        let place = self.brief.place(&self.checked.file("brief.yaml"), pointer);
        let mut finding = Finding::new(rule, message).at(place);
        if let Some(key) = self.checked.key() {
            finding = finding.key(&key);
        }
        let top = pointer.split('/').nth(1).unwrap_or_default();
        let section = self.context.schema.outline().fields().iter().find(|f| f.name == top);
        match section.and_then(|section| section.question) {
            Some(question) => finding.question(question),
            None => finding,
        }
    }

    /// In a draft, what is not answered yet is worth a warning and no more.
    pub(super) fn in_draft(&self, finding: Finding) -> Finding {
        if self.draft { finding.severity(Severity::Warning) } else { finding }
    }

    pub(super) fn field(pointer: &str) -> String {
        format!("`{}`", dotted(pointer))
    }
}

/// The place of a reader's complaint, with the line it is about.
pub(super) fn place_of(error: &yaml::Error, file: String, source: &[u8]) -> Location {
    let text = String::from_utf8_lossy(source);
    let line = text.lines().nth(error.line.saturating_sub(1)).map(str::to_owned);
    Location {
        line: Some(error.line),
        column: Some(error.column),
        source: line,
        ..Location::file(file)
    }
}
