//! An export file as a CRM.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::deal::{Builder, Counted, Detail, RowOutcome, Scratch, WonTest};
use super::files::ExportRoot;
use super::json::CutOff;
use super::load::{Loaded, PIECE, hashes};
use super::problem::{Problem, SHOWN, as_error, many};
use super::remarks;
use super::remarks::Tally;
use super::settings::{Column, FileSettings};
use crate::crm::record::mark_signers;
use crate::crm::{AskedDeal, Check, CheckLevel, ClosedWonUpdate, Crm, CrmError, Progress, Signed};
use crate::model::{
    CrmName, Deal, DealId, Evidence, Gap, Key, Outcome, Population, Properties, Source, Window,
    count,
};

// Every row as a deal, on all cores.

/// What one thread meets on its rows; handed over when it is done with them.
/// How rows are divided depends on the machine, so everything here comes out
/// the same however they are: sums, and the first problems by row.
struct Part<'a> {
    scratch: Scratch,
    problems: Vec<Problem>,
    total: usize,
    all: &'a Mutex<Met>,
}

#[derive(Default)]
struct Met {
    tally: Tally,
    problems: Vec<Problem>,
    total: usize,
}

impl Part<'_> {
    /// The deals of a piece of the file that are asked for.
    fn build(&mut self, builder: &Builder<'_>, rows: Range<usize>) -> Vec<Deal> {
        let newest = match builder.detail {
            Detail::Counted(counted) => counted.newest,
            Detail::Whole => None,
        };
        let (mut deals, mut found) = (Vec::new(), Vec::new());
        for row in rows {
            match builder.build(row, &mut self.scratch, &mut found) {
                RowOutcome::Deal(deal) => {
                    deals.push(deal);
                    // What is older than these need not be made at all.
                    if newest.is_some_and(|newest| deals.len() >= newest.saturating_mul(2).max(512))
                    {
                        self.keep_newest(&mut deals, newest);
                    }
                }
                RowOutcome::LeftOut | RowOutcome::Refused => {}
            }
            if !found.is_empty() {
                self.total += found.len();
                // More than can be shown is counted only.
                if self.problems.len() < SHOWN {
                    self.problems.append(&mut found);
                }
                found.clear();
            }
        }
        self.keep_newest(&mut deals, newest);
        deals
    }

    fn keep_newest(&mut self, deals: &mut Vec<Deal>, newest: Option<usize>) {
        if let Some(newest) = newest {
            self.scratch.since = self.scratch.since.max(keep_newest(deals, newest));
        }
    }
}

/// Keeps the newest so many won deals, the newest first; gives the time before
/// which no other is among them.
fn keep_newest(deals: &mut Vec<Deal>, most: usize) -> Option<DateTime<Utc>> {
    deals.sort_by(|a, b| (b.closed_won_at, &a.id).cmp(&(a.closed_won_at, &b.id)));
    deals.truncate(most);
    deals.get(most.checked_sub(1)?)?.closed_won_at
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally.add(std::mem::take(&mut self.scratch.tally));
        all.problems.append(&mut self.problems);
        all.total += self.total;
    }
}

/// The deals that are asked for in the order of the file, the newest first where
/// those are; or everything that is wrong with the file.
pub(super) fn deals(
    builder: &Builder<'_>,
    progress: &dyn Progress,
) -> Result<(Vec<Deal>, Tally), CrmError> {
    let loaded = builder.loaded;
    let rows = loaded.table.len();
    let (all, read) = (Mutex::new(Met::default()), AtomicUsize::new(0));
    let part = || Part { scratch: Scratch::default(), problems: Vec::new(), total: 0, all: &all };
    let pieces: Vec<Vec<Deal>> = (0..rows.div_ceil(PIECE))
        .into_par_iter()
        .map_init(part, |part, piece| {
            let from = piece * PIECE;
            let deals = part.build(builder, from..rows.min(from + PIECE));
            let so_far = read.fetch_add(PIECE, Ordering::Relaxed) + PIECE;
            progress.read(so_far.min(rows), Some(rows));
            deals
        })
        .collect();
    progress.read(rows, Some(rows));
    let met = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut found = loaded.table.broken.clone();
    found.extend(loaded.doubled_ids());
    let total = found.len() + met.total;
    found.extend(met.problems);
    found.sort_by_key(|problem| problem.row);
    if let Some(error) = as_error(&loaded.shown(), &found, total) {
        return Err(error);
    }
    let mut deals = Vec::with_capacity(pieces.iter().map(Vec::len).sum());
    for piece in pieces {
        deals.extend(piece);
    }
    if let Detail::Counted(Counted { newest: Some(newest), .. }) = builder.detail {
        keep_newest(&mut deals, *newest);
    }
    Ok((deals, met.tally))
}

// An export file as a CRM.

/// Deals from an export file, with what is joined to them.
pub struct FileCrm {
    settings: FileSettings,
    root: ExportRoot,
    won: Option<WonTest>,
    name: CrmName,
    detail: Detail,
    /// Whether the file was given as bytes, which cannot be read again.
    given: bool,
    loaded: Mutex<Arc<Loaded>>,
}

impl FileCrm {
    /// Reads the file and its headers. Relative paths start at `root`, the
    /// ledger. `won` is the compiled `settings.won`.
    ///
    /// # Errors
    /// When a file cannot be read, is no table, or its columns do not fit.
    pub fn open(
        settings: FileSettings,
        root: impl Into<ExportRoot>,
        won: Option<WonTest>,
    ) -> Result<Self, CrmError> {
        Self::open_given(settings, root, won, None)
    }

    /// The same, with the bytes of the deals file given, as of standard input;
    /// `settings.deals` names it in messages.
    ///
    /// # Errors
    /// As [`FileCrm::open`].
    pub fn open_given(
        settings: FileSettings,
        root: impl Into<ExportRoot>,
        won: Option<WonTest>,
        given: Option<&[u8]>,
    ) -> Result<Self, CrmError> {
        let root = root.into();
        if let Some(name) = &settings.name {
            let named = Key::for_deal(&CrmName::new(name.as_str()), &DealId::new("1"));
            if named.is_err() || *name != name.to_lowercase() || name.contains(char::is_whitespace)
            {
                return Err(CrmError::Settings {
                    message: format!(
                        "crm.file.name: {} cannot begin a key.",
                        crate::text::quoted(name)
                    ),
                    help: "Use lower-case letters, digits and dashes, such as zoho.".to_owned(),
                });
            }
        }
        let loaded = Loaded::read(&settings, &root, given)?;
        if settings.won.as_deref().is_some_and(|won| won.trim() == "true")
            && loaded.columns.say_outcome()
        {
            return Err(CrmError::Settings {
                message: format!(
                    "crm.file.won: `true` counts every row of {} as won, and the file has columns that say which are",
                    loaded.shown()
                ),
                help: "Leave `won` out, or write an expression such as deal.stage == 'Signed'."
                    .to_owned(),
            });
        }
        let name = loaded.name.clone();
        let loaded = Mutex::new(Arc::new(loaded));
        Ok(Self {
            settings,
            root,
            won,
            name,
            detail: Detail::Whole,
            given: given.is_some(),
            loaded,
        })
    }

    /// The same, giving in a population so much of each deal; [`Crm::deal`]
    /// gives all of it always.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The columns of the deals file in their order, and whether each is one
    /// that is known: the deal's id, its owner and so on.
    ///
    /// # Errors
    /// When the file has changed and cannot be read any more.
    pub fn headers(&self) -> Result<Vec<(String, bool)>, CrmError> {
        let loaded = self.current()?;
        let known = |at: usize| {
            Column::ALL.iter().any(|column| loaded.columns.all(*column).contains(&at))
                || loaded.columns.company.iter().any(|(company, _)| *company == at)
                || loaded.columns.currencies.values().any(|column| *column == at)
        };
        let headers = loaded.table.headers.iter().enumerate();
        Ok(headers.map(|(at, header)| (header.clone(), known(at))).collect())
    }

    /// The files as they are now; read again when one has changed.
    fn current(&self) -> Result<Arc<Loaded>, CrmError> {
        let mut held = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.given && !held.is_current() {
            let fresh = Loaded::read(&self.settings, &self.root, None)?;
            if fresh.name != self.name {
                return Err(CrmError::Settings {
                    message: format!(
                        "{}: the file was an export of {} and is one of {} now.",
                        fresh.shown(),
                        self.name,
                        fresh.name
                    ),
                    help: "Keys begin with the CRM's name: set crm.file.name, or put the former export back."
                        .to_owned(),
                });
            }
            *held = Arc::new(fresh);
        }
        Ok(Arc::clone(&held))
    }

    fn builder<'a>(&'a self, loaded: &'a Loaded, detail: &'a Detail, every: bool) -> Builder<'a> {
        Builder::new(loaded, &self.settings, self.won.as_ref(), every, detail)
    }

    fn not_found(&self, loaded: &Loaded, id: &DealId) -> CrmError {
        let near = loaded.near(id);
        let mut help = match near.as_slice() {
            [] => format!(
                "{} has {}, and none with this id.",
                loaded.shown(),
                count(loaded.table.len(), "deal")
            ),
            near => format!("Did you mean {}?", near.join(" or ")),
        };
        if loaded.columns.of(Column::Id).is_none() {
            help.push_str(
                " The file has no column with ids, so its deals are keyed by company, name and \
                 close date: add the id to the export.",
            );
        } else if near.is_empty() {
            help.push_str(" Export again if the deal is newer than the file.");
        }
        if let Some(problem) = loaded.table.broken.first() {
            let row = problem.row.unwrap_or_default();
            help.push_str(&format!(
                " Rows that cannot be read may hold it, the first is row {row}."
            ));
        }
        CrmError::NotFound { crm: self.name.clone(), id: id.clone(), help }
    }

    fn build_all(
        &self,
        loaded: &Loaded,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<(Vec<Deal>, Tally), CrmError> {
        deals(&self.builder(loaded, &self.detail, false).within(window), progress)
    }

    /// The one row with this id, as a deal.
    fn find(&self, asked: &AskedDeal<'_>) -> Result<Deal, CrmError> {
        let AskedDeal { id, signature } = *asked;
        let loaded = self.current()?;
        let rows = loaded.rows_with(id);
        let row = match rows.as_slice() {
            [] => return Err(self.not_found(&loaded, id)),
            [row] => *row,
            [first, second, ..] => {
                return Err(many(&loaded.path, &[loaded.doubled(id, *first, *second)]));
            }
        };
        let mut problems = Vec::new();
        let built = self.builder(&loaded, &Detail::Whole, true).build(
            row,
            &mut Scratch::default(),
            &mut problems,
        );
        match built {
            RowOutcome::Deal(mut deal) => {
                mark_signers(&mut deal.contacts, signature);
                Ok(deal)
            }
            RowOutcome::LeftOut | RowOutcome::Refused => Err(many(&loaded.path, &problems)),
        }
    }

    /// What `doctor` says of the content, once it can be read.
    fn content_checks(&self, loaded: &Loaded) -> Vec<Check> {
        let file = |what: &str| format!("{}: {what}", loaded.shown());
        let mut checks = Vec::new();
        match self.build_all(loaded, Window::default(), &()) {
            Ok((deals, tally)) => {
                let won = deals.iter().filter(|deal| deal.outcome == Outcome::Won).count();
                checks.push(Check {
                    what: file("deals"),
                    level: if won > 0 { CheckLevel::Ok } else { CheckLevel::Warning },
                    detail: format!("{}, {won} of them won", count(deals.len(), "deal")),
                    remedy: (won == 0).then(|| {
                        let line = self.settings.line("won: \"deal.stage == 'Closed Won'\"");
                        format!("Say which rows are won: write {line}.")
                    }),
                });
                for gap in remarks::gaps(loaded, &self.settings, &tally) {
                    checks.push(Check {
                        what: file(&gap.what),
                        level: CheckLevel::Warning,
                        detail: gap.why,
                        remedy: gap.help,
                    });
                }
                for (path, sha256) in hashes(&loaded.joined) {
                    checks.push(Check::ok(path, format!("joined; its SHA-256 is {sha256}")));
                }
                for remark in &remarks::surprises(loaded, &self.settings, &tally) {
                    checks.push(Check {
                        what: file("remark"),
                        level: CheckLevel::Warning,
                        detail: remark.clone(),
                        remedy: None,
                    });
                }
            }
            Err(error) => {
                let help = match &error {
                    CrmError::BadData { help, .. } => Some(help.clone()),
                    _ => None,
                };
                checks.push(Check {
                    what: file("deals"),
                    level: CheckLevel::Failed,
                    detail: error.to_string(),
                    remedy: help,
                });
            }
        }
        checks
    }
}

impl std::fmt::Debug for FileCrm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileCrm").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Crm for FileCrm {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        Ok(asked.iter().map(|asked| self.find(asked)).collect())
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let loaded = self.current()?;
        let (deals, tally) = self.build_all(&loaded, window, progress)?;
        let mut gaps = remarks::gaps(&loaded, &self.settings, &tally);
        gaps.extend(loaded.table.cut_off.iter().map(|cut_off| match cut_off {
            CutOff::More(said) => Gap {
                what: format!("the pages behind {}", loaded.shown()),
                why: format!(
                    "the file says in {} that there are more records",
                    crate::text::quoted(said)
                ),
                help: Some("Export all pages into one file.".to_owned()),
            },
            CutOff::Unsaid(name) => Gap {
                what: format!("the pages behind {}", loaded.shown()),
                why: format!(
                    "the file is a full page of {} records without {}, which says whether there are more",
                    loaded.table.len(),
                    crate::text::quoted(name)
                ),
                help: Some("Save the answers as they come, all pages into one file.".to_owned()),
            },
            CutOff::Partial(said) => Gap {
                what: format!("some records of {}", loaded.shown()),
                why: format!(
                    "the file says in {} that they could not be read",
                    crate::text::quoted(said)
                ),
                help: Some("Ask the API again for what is missing.".to_owned()),
            },
        }));
        let source = Source {
            kind: "file".to_owned(),
            location: self.settings.deals.display().to_string(),
            query: self.settings.won.clone(),
            rows: loaded.table.len(),
            sha256: loaded.table.sha256.clone(),
            remarks: remarks::all(&loaded, &self.settings, &tally),
            undated_help: Some(remarks::undated_help(&loaded)),
        };
        Ok(Population { source, deals: Evidence::new(deals, gaps) })
    }

    async fn mark_closed_won(&self, _: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        Ok(ClosedWonUpdate::NotSupported)
    }

    fn columns(&self) -> Option<Vec<String>> {
        let loaded = self.current().ok()?;
        Some(loaded.columns.names.iter().flatten().cloned().collect())
    }

    async fn checks(&self, _named: &Properties) -> Vec<Check> {
        match self.current() {
            Ok(loaded) => self.content_checks(&loaded),
            Err(error) => vec![Check {
                what: format!("{}: file", self.settings.deals.display()),
                level: CheckLevel::Failed,
                detail: error.to_string(),
                remedy: match error {
                    CrmError::BadData { help, .. } | CrmError::Settings { help, .. } => Some(help),
                    _ => None,
                },
            }],
        }
    }
}
