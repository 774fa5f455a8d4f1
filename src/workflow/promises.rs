//! What reps have promised, over the whole ledger: due when, kept or open.

use chrono::{DateTime, NaiveDate, Utc};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder_facts::{FactKind, FolderFacts, select};
use super::recording::append;
use super::store::Stored;
use super::{Context, WorkflowError};
use crate::brief::{Brief, Commitment, ConfirmedAnswers, Event, EventKind, Timeline};
use crate::ledger::{Folder, HandoffFiles};
use crate::model::{Gap, Key, Remarks};
use crate::text::{one_line, shorten};

/// One promise of one handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The handoff.
    pub key: Key,
    /// Its place in the brief's list, from 1.
    pub number: usize,
    /// What was promised.
    pub promise: String,
    /// To which customer.
    pub customer: Option<String>,
    /// Who keeps it.
    pub owner: Option<String>,
    /// Who promised it.
    pub made_by: Option<String>,
    /// To whom.
    pub made_to: Option<String>,
    /// When it is due.
    pub due: Option<NaiveDate>,
    /// Whether it goes beyond the standard.
    pub stretch: bool,
    /// When it was kept, and by whom; open, if absent.
    pub kept: Option<KeptPromise>,
    /// Whether it is open and its day is over.
    pub overdue: bool,
    /// The folder of the brief.
    pub folder: String,
}

/// That a promise was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPromise {
    /// When.
    pub at: DateTime<Utc>,
    /// Who says so.
    pub by: Option<String>,
}

/// Every promise at the ledger's tip, what is due first at the front, and what
/// could not be read. Documents that were voided promise nothing any more.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn promises(context: &Context) -> Result<(Vec<Promise>, Vec<Gap>), WorkflowError> {
    let snapshot = context.ledger.snapshot()?;
    let of_folder = |folder: &Folder, files: &HandoffFiles| {
        let stored = read(folder, files)?;
        Ok(stored.map_or_else(Vec::new, |stored| promises_of(context, &stored)))
    };
    // What is overdue is so today, and was not when it was kept.
    let today = today(context);
    let of_today = |mut promises: Vec<Promise>| {
        for promise in &mut promises {
            promise.overdue = promise.is_overdue(today);
        }
        promises
    };
    let wanted = |folder: &dyn Fn() -> Folder, read: Result<Vec<Promise>, String>| match read {
        Ok(promises) if promises.is_empty() => None,
        Ok(promises) => Some(Ok(of_today(promises))),
        Err(why) => Some(Err(Gap::new(folder().path, why))),
    };
    let kind = FactKind { name: "promises", basis: b"", read: &of_folder };
    let FolderFacts { rows, mut gaps } = select(context, &snapshot, None, &kind, |_| true, wanted);
    let (mut all, mut unread) = (Vec::with_capacity(rows.len()), Vec::new());
    for read in rows {
        match read {
            Ok(promises) => all.extend(promises),
            Err(gap) => unread.push(gap),
        }
    }
    unread.sort_by(|one, other| one.what.cmp(&other.what));
    gaps.extend(unread);
    all.par_sort_unstable_by(|a, b| {
        let order = |it: &Promise| (it.due.is_none(), it.due);
        let by_key = || (&a.key, a.number, &a.folder).cmp(&(&b.key, b.number, &b.folder));
        order(a).cmp(&order(b)).then_with(by_key)
    });
    Ok((all, gaps))
}

/// Records that a promise was kept. Of one that is kept already, nothing is recorded;
/// `None` then.
///
/// # Errors
/// When there is no such handoff or promise, the moment is still to come, or
/// the ledger cannot be written.
pub fn keep_promise(
    context: &Context,
    key: &Key,
    number: usize,
    kept: &KeptPromise,
    reason: Option<&str>,
    via: &str,
    remarks: &mut Remarks,
) -> Result<Option<Promise>, WorkflowError> {
    let stored = context.handoff(key)?;
    let no = |message: String| Err(WorkflowError::unfit(key, message));
    let of_this = promises_of(context, &stored);
    let Some(promise) = of_this.iter().find(|promise| promise.number == number) else {
        let there = match of_this.len() {
            0 => "its brief holds no promise".to_owned(),
            count => format!("its brief holds the promises 1 to {count}"),
        };
        return Err(WorkflowError::NoPromise { key: key.clone(), number, there });
    };
    if kept.at > context.now {
        return no(format!("{} is in the future", kept.at.format("%Y-%m-%d %H:%M UTC")));
    }
    if promise.kept.is_some() {
        return Ok(None);
    }
    let mut event = Event::new(kept.at, EventKind::PromiseKept, via);
    event.reference = Some(reference(number, &promise.promise));
    event.by = kept.by.as_deref().map(|by| shorten(&one_line(by), 200));
    event.reason =
        reason.map(|reason| shorten(&one_line(reason), 1_000)).filter(|reason| !reason.is_empty());
    append(context, key, &stored.folder, vec![event], remarks)?;
    let promise = Promise { kept: Some(kept.clone()), overdue: false, ..promise.clone() };
    Ok(Some(promise))
}

fn read(folder: &Folder, files: &HandoffFiles) -> Result<Option<Stored>, String> {
    let Some(bytes) = &files.brief else { return Ok(None) };
    let brief = Brief::parse(bytes).map_err(|error| format!("brief.yaml:{error}"))?;
    let key = brief.view().key().or_else(|| folder.key.clone());
    let Some(key) = key else { return Err("neither brief.yaml nor the folder names a key".into()) };
    let timeline = match files.timeline.as_deref() {
        Some(bytes) => Timeline::parse(bytes).map_err(|error| format!("timeline.yaml:{error}"))?,
        None => Timeline::new(key),
    };
    Ok(Some(Stored {
        folder: folder.path.clone(),
        branch: None,
        brief: Some(brief),
        brief_blob: None,
        confirmed: ConfirmedAnswers::default(),
        timeline,
    }))
}

fn today(context: &Context) -> NaiveDate {
    context.now.with_timezone(&context.config.timezone).date_naive()
}

impl Promise {
    fn is_overdue(&self, today: NaiveDate) -> bool {
        self.kept.is_none() && self.due.is_some_and(|due| due < today)
    }
}

/// The promises of one handoff.
pub(super) fn promises_of(context: &Context, stored: &Stored) -> Vec<Promise> {
    let Some(brief) = &stored.brief else { return Vec::new() };
    if stored.timeline.is_voided() {
        return Vec::new();
    }
    let view = brief.view();
    let commitments = view.commitments();
    let kept = kept(&commitments, &stored.timeline);
    let today = today(context);
    let owned = |text: Option<&str>| text.map(one_line).filter(|text| !text.is_empty());
    commitments
        .iter()
        .zip(kept)
        .map(|(commitment, kept)| {
            let promise = Promise {
                key: view.key().unwrap_or_else(|| stored.timeline.key.clone()),
                number: commitment.index + 1,
                promise: words(commitment),
                customer: owned(view.customer_name()),
                owner: owned(commitment.owner),
                made_by: owned(commitment.made_by),
                made_to: owned(commitment.made_to),
                due: commitment.due,
                stretch: commitment.stretch,
                overdue: false,
                kept,
                folder: stored.folder.clone(),
            };
            Promise { overdue: promise.is_overdue(today), ..promise }
        })
        .collect()
}

/// The promises that are not kept and have a day: number, words, day.
pub(super) fn open_promises(brief: &Brief, timeline: &Timeline) -> Vec<(usize, String, NaiveDate)> {
    let commitments = brief.view().commitments();
    let kept = kept(&commitments, timeline);
    let open = commitments.iter().zip(kept).filter(|(_, kept)| kept.is_none());
    open.filter_map(|(it, _)| Some((it.index + 1, words(it), it.due?))).collect()
}

/// What was promised, on one line.
fn words(commitment: &Commitment<'_>) -> String {
    one_line(commitment.promise.unwrap_or("(the brief does not say what)"))
}

/// A promise as the timeline names it: `2: SSO with their Okta before go-live`.
fn reference(number: usize, words: &str) -> String {
    format!("{number}: {}", shorten(words, 300))
}

/// For each promise, whether it was kept. A promise is known by its words, so
/// that one that was reworded counts as open again; its number only tells two
/// of the same words apart, since people reorder lists.
fn kept(commitments: &[Commitment<'_>], timeline: &Timeline) -> Vec<Option<KeptPromise>> {
    let mut kept: Vec<Option<KeptPromise>> = vec![None; commitments.len()];
    let events = timeline.events.iter().filter(|event| event.event == EventKind::PromiseKept);
    for event in events {
        let Some((number, told)) = event.reference.as_deref().and_then(|it| it.split_once(": "))
        else {
            continue;
        };
        let is_meant = |commitment: &Commitment<'_>| shorten(&words(commitment), 300) == told;
        let at_number = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let meant =
            at_number.filter(|index| commitments.get(*index).is_some_and(is_meant)).or_else(|| {
                (0..commitments.len())
                    .find(|index| kept[*index].is_none() && is_meant(&commitments[*index]))
            });
        if let Some(index) = meant {
            kept[index].get_or_insert(KeptPromise { at: event.at, by: event.by.clone() });
        }
    }
    kept
}
