//! What status, deliveries and reminders need to know of a handoff, kept by its
//! folder's tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::folder_facts::{FactKind, FolderFacts, facts};
use super::promises::open_promises;
use super::store::{Stored, stored_from};
use super::{Context, WorkflowError};
use crate::brief::{Completeness, Timeline};
use crate::ledger::{Folder, HandoffFiles, Snapshot, key_of};
use crate::model::Key;
use crate::text::{one_line, shorten};

/// What the files of a handoff say, whatever the moment and the settings.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandoffSummary {
    pub(super) brief: Option<BriefSummary>,
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

    #[expect(
        clippy::disallowed_methods,
        reason = "its fields are typed: one that stands twice is refused"
    )]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timeline, D::Error> {
        serde_json::from_str(<&str>::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// The facts of the handoffs of one month or of all.
pub(super) fn handoffs(
    context: &Context,
    snapshot: &Snapshot,
    month: Option<&str>,
) -> FolderFacts<(Folder, Result<HandoffSummary, String>)> {
    let schema = serde_json::to_vec(context.schema.document()).expect("JSON is text");
    let read = |folder: &Folder, files: &HandoffFiles| {
        let key = folder.key.as_ref().ok_or("its name holds no key")?;
        let stored = stored_from(folder, files, key).map_err(|error| error.to_string())?;
        Ok(HandoffSummary::of(context, &stored))
    };
    facts(context, snapshot, month, &FactKind { name: "handoffs", basis: &schema, read: &read })
}

/// What is known of those of these handoffs that have one folder in these
/// months and in the whole ledger: a key that has several is the handoff of the
/// first, wherever that lies.
///
/// # Errors
/// When the ledger cannot be read at all.
pub(super) fn known_handoffs(
    context: &Context,
    keys: &[Key],
    months: &BTreeSet<String>,
) -> Result<BTreeMap<Key, (String, HandoffSummary)>, WorkflowError> {
    let snapshot = context.ledger.snapshot()?;
    let wanted: BTreeSet<&Key> = keys.iter().collect();
    let others = without_one_folder(&snapshot, keys.iter());
    let mut known = BTreeMap::new();
    for month in months {
        for (folder, facts) in handoffs(context, &snapshot, Some(month)).rows {
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
        for name in names.groups.iter().flat_map(|(_, group)| group.names()) {
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct BriefSummary {
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

impl HandoffSummary {
    pub(super) fn of(context: &Context, stored: &Stored) -> Self {
        let brief = stored.brief.as_ref().map(|brief| {
            let (view, owned) = (brief.view(), |text: Option<&str>| text.map(str::to_owned));
            let missing = Completeness::of(&context.schema, brief.json()).missing;
            BriefSummary {
                blob: stored.brief_blob.clone(),
                customer: owned(view.customer_name()),
                csm: owned(view.csm_name()),
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

/// The honest gaps with a day: the field, why in brackets, the day.
fn unknowns(brief: &Value) -> Vec<(String, String, NaiveDate)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), brief)];
    while let Some((path, value)) = open.pop() {
        let Some(fields) = value.as_object() else { continue };
        if let Some(gap) = fields.get("unknown") {
            let day = gap["resolve_by"].as_str().and_then(|day| day.parse().ok());
            let why = gap["why"].as_str().map(|why| format!(" ({})", shorten(&one_line(why), 120)));
            found.extend(day.map(|day| (path.clone(), why.unwrap_or_default(), day)));
            continue;
        }
        for (name, value) in fields {
            let dot = if path.is_empty() { "" } else { "." };
            open.push((format!("{path}{dot}{name}"), value));
        }
    }
    found.sort();
    found
}
