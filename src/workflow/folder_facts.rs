//! What a command works out of each handoff's folder, kept beside the ledger's
//! objects by the folder's tree: with nothing new no file is read again. Never
//! needed for a correct answer, and never asked by the audit, which keeps its
//! own digests by the ids of what it read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::deliveries::{Horizon, months_within};
use super::promises::open_promises;
use super::reminders::unknowns;
use super::store::{Stored, stored_from};
use super::{Context, WorkflowError};
use crate::brief::{Completeness, Timeline};
use crate::ledger::{FactsKind, Folder, FolderGroup, HandoffFiles, Snapshot, key_of};
use crate::model::{Gap, Key};

/// Counts up whenever what is kept of any kind has another form.
const FORM: u32 = 1;

/// What is known of each folder, in the order of their paths, and what could
/// not be read.
pub(super) struct Facts<T> {
    pub(super) rows: Vec<T>,
    pub(super) gaps: Vec<Gap>,
}

/// What is kept under one name, and how it is worked out.
pub(super) struct Kind<'a, T> {
    pub(super) name: &'static str,
    /// What else decides about it, such as the schema.
    pub(super) basis: &'a [u8],
    pub(super) read: &'a (dyn Fn(&Folder, &HandoffFiles) -> Result<T, String> + Sync),
}

/// Works something out of the files of each folder, of one month or of all.
/// What failed is not kept.
pub(super) fn facts<T: Serialize + DeserializeOwned + Send>(
    context: &Context,
    snapshot: &Snapshot,
    month: Option<&str>,
    kind: &Kind<'_, T>,
) -> Facts<(Folder, Result<T, String>)> {
    let mut all = select(context, snapshot, month, kind, |folder, facts| Some((folder(), facts)));
    // A group may lie inside another one.
    all.rows.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    all
}

/// The same, of those folders alone that are selected.
pub(super) fn select<T: Serialize + DeserializeOwned + Send, U: Send>(
    context: &Context,
    snapshot: &Snapshot,
    month: Option<&str>,
    kind: &Kind<'_, T>,
    select: impl Fn(&dyn Fn() -> Folder, Result<T, String>) -> Option<U> + Sync,
) -> Facts<U> {
    let files = FactsKind::new(kind.name, FORM, kind.basis);
    let found = snapshot.folder_groups(&files, month);
    let read = |group: &FolderGroup, at: usize| {
        let read = snapshot.files_in(group.tree(at)).map_err(|error| error.to_string());
        read.and_then(|files| (kind.read)(&group.folder(at), &files))
    };
    let (mut rows, mut saved) = (Vec::new(), false);
    for group in &found.groups {
        let of_group: Vec<(Option<U>, Option<Vec<u8>>)> = (0..group.len())
            .into_par_iter()
            .with_min_len(256)
            .map(|at| {
                let known = group.facts(at).and_then(|bytes| postcard::from_bytes(bytes).ok());
                let (facts, news) = match known {
                    Some(facts) => (Ok(facts), None),
                    None => {
                        let facts = read(group, at);
                        let news = facts.as_ref().ok().and_then(|it| postcard::to_stdvec(it).ok());
                        (facts, news)
                    }
                };
                (select(&|| group.folder(at), facts), news)
            })
            .collect();
        let news = of_group.iter().filter(|(_, news)| news.is_some()).count();
        if group.is_worth_saving(news) {
            let kept: Vec<Option<&[u8]>> = of_group
                .iter()
                .enumerate()
                .map(|(at, (_, news))| news.as_deref().or_else(|| group.facts(at)))
                .collect();
            group.save(context.ledger.git_dir(), &files, &kept);
            saved = true;
        }
        rows.extend(of_group.into_iter().filter_map(|(row, _)| row));
    }
    if saved && month.is_none() && found.gaps.is_empty() {
        found.prune(context.ledger.git_dir());
    }
    Facts { rows, gaps: found.gaps }
}

/// What the files of a handoff say, whatever the moment and the settings.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandoffFacts {
    pub(super) brief: Option<BriefFacts>,
    #[serde(with = "as_json")]
    pub(super) timeline: Timeline,
}

/// A timeline leaves out what an event does not have, which postcard cannot read.
mod as_json {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::brief::Timeline;

    pub(super) fn serialize<S: Serializer>(timeline: &Timeline, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(timeline).map_err(S::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timeline, D::Error> {
        serde_json::from_str(<&str>::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// The facts of the handoffs of one month or of all.
pub(super) fn handoffs(
    context: &Context,
    snapshot: &Snapshot,
    month: Option<&str>,
) -> Facts<(Folder, Result<HandoffFacts, String>)> {
    let schema = serde_json::to_vec(context.schema.document()).expect("JSON is text");
    let read = |folder: &Folder, files: &HandoffFiles| {
        let key = folder.key.as_ref().ok_or("its name holds no key")?;
        let stored = stored_from(folder, files, key).map_err(|error| error.to_string())?;
        Ok(HandoffFacts::of(context, &stored))
    };
    facts(context, snapshot, month, &Kind { name: "handoffs", basis: &schema, read: &read })
}

/// What is known of those of these handoffs that have one folder in the months
/// of the horizon and in the whole ledger: a key that has several is the
/// handoff of the first, wherever that lies.
///
/// # Errors
/// When the ledger cannot be read at all.
pub(super) fn known_handoffs(
    context: &Context,
    keys: &[Key],
    horizon: Horizon,
) -> Result<BTreeMap<Key, (String, HandoffFacts)>, WorkflowError> {
    let snapshot = context.ledger.snapshot()?;
    let wanted: BTreeSet<&Key> = keys.iter().collect();
    let others = without_one_folder(&snapshot, keys.iter());
    let mut known = BTreeMap::new();
    for month in months_within(context, horizon)? {
        for (folder, facts) in handoffs(context, &snapshot, Some(&month)).rows {
            if let (Some(key), Ok(facts)) = (folder.key, facts)
                && wanted.contains(&key)
                && !others.contains(&key)
            {
                known.insert(key, (folder.path, facts));
            }
        }
    }
    Ok(known)
}

/// Of these keys, those that no folder or more than one names in its name, or
/// that may have another one in a part of the ledger that cannot be read.
pub(super) fn without_one_folder<'a>(
    snapshot: &Snapshot,
    keys: impl Iterator<Item = &'a Key>,
) -> BTreeSet<&'a Key> {
    let mut counts: HashMap<&str, (&Key, usize)> =
        keys.map(|key| (key.as_str(), (key, 0))).collect();
    let names = snapshot.folder_names();
    if names.gaps.is_empty() {
        for name in names.groups.iter().flat_map(FolderGroup::names) {
            // A name that is no text is not found by its key either.
            let Some(key) = key_of(name).filter(|_| !name.contains(char::REPLACEMENT_CHARACTER))
            else {
                continue;
            };
            if let Some((_, count)) = counts.get_mut(key.as_str()) {
                *count += 1;
            }
        }
    }
    counts.into_values().filter(|(_, count)| *count != 1).map(|(key, _)| key).collect()
}

/// What the brief says of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BriefFacts {
    /// The git blob of the file, hex.
    pub(super) blob: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) csm: Option<String>,
    pub(super) rep: Option<String>,
    pub(super) is_signed: bool,
    pub(super) signed_at: Option<DateTime<Utc>>,
    /// The deadline of the first touch, before anybody moved it.
    pub(super) due: Option<DateTime<Utc>>,
    /// The fields without an answer.
    pub(super) missing: Vec<String>,
    /// The promises that are not kept and have a day.
    pub(super) promises: Vec<(usize, String, NaiveDate)>,
    /// The honest gaps with a day.
    pub(super) unknowns: Vec<(String, String, NaiveDate)>,
}

impl HandoffFacts {
    pub(super) fn of(context: &Context, stored: &Stored) -> Self {
        let brief = stored.brief.as_ref().map(|brief| {
            let (view, owned) = (brief.view(), |text: Option<&str>| text.map(str::to_owned));
            let csm = view.first_action_owner();
            let missing = Completeness::of(&context.schema, brief.json()).missing;
            BriefFacts {
                blob: stored.brief_blob.clone(),
                customer: owned(view.customer_name()),
                csm: csm.and_then(|it| owned(it.name.or(it.github).or(it.email))),
                rep: view.deal_owner().and_then(|it| owned(it.name.or(it.email))),
                is_signed: view.is_signed(),
                signed_at: view.signed_at(),
                due: view.first_action_due(),
                missing: missing.into_iter().map(|field| field.field).collect(),
                promises: open_promises(brief, &stored.timeline),
                unknowns: unknowns(brief.json()),
            }
        });
        Self { brief, timeline: stored.timeline.clone() }
    }
}
