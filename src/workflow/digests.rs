//! What the audit needs of the ledger's blobs, read in bulk: each brief and
//! timeline is parsed once, and what came of it is kept beside the history's
//! cache, so that the next audit reads only what is new.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::WorkflowError;
use crate::audit::{
    Blobs as AuditBlobs, BriefFacts, DealAsWritten, FolderDigest, ReadError, SignatureAsWritten,
    UnansweredField, digest_history,
};
use crate::brief::{Brief, Completeness, Schema, Timeline};
use crate::facts::{History, ObjectId, Person};
use crate::ledger::{BlobDigests, Blobs, HistoryError};

/// The format of what is kept; a change of [`BriefFacts`] or of how a brief
/// is judged needs another number.
const FORMAT: u32 = 1;
const NAME: &str = "audit";

/// A blob and the schema that judges it; `None` for a timeline.
type Wanted = (ObjectId, Option<Option<ObjectId>>);

/// The schemas of the history by blob; no schema stands for the shipped one.
type Schemas = BTreeMap<Option<ObjectId>, Result<Option<Schema>, ReadError>>;

/// What a blob came to.
#[derive(Clone, Serialize, Deserialize)]
enum Parsed {
    Brief(Box<BriefFacts>),
    Timeline(Timeline),
    Unreadable(String),
}

/// Digests every folder of a history.
///
/// # Errors
/// When the repository cannot be opened. A blob or schema that cannot be read
/// is in the digests.
pub(super) fn digest(
    git_dir: &Path,
    history: &History,
    cached: bool,
) -> Result<Vec<FolderDigest>, WorkflowError> {
    let blobs = Blobs::open(git_dir)?;
    let schemas = schemas(history, &blobs);
    let wanted = wanted(history);
    let mut kept = BlobDigests::open(git_dir, NAME, FORMAT)?;
    let mut parsed: HashMap<Wanted, Result<Parsed, ReadError>> =
        HashMap::with_capacity(wanted.len());
    let known: Vec<(Wanted, Option<Parsed>)> = wanted
        .into_par_iter()
        .map(|want| {
            let bytes = kept.get(place(want)).filter(|_| cached);
            (want, bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()))
        })
        .collect();
    let mut missing = Vec::new();
    for (want, value) in known {
        match value {
            Some(value) => {
                parsed.insert(want, Ok(value));
            }
            None => missing.push(want),
        }
    }
    let by_id: HashMap<ObjectId, Vec<Option<Option<ObjectId>>>> =
        missing.iter().fold(HashMap::new(), |mut map, (id, schema)| {
            map.entry(*id).or_insert_with(Vec::new).push(*schema);
            map
        });
    let mut ids: Vec<ObjectId> = by_id.keys().copied().collect();
    ids.sort_unstable();
    let read = blobs.read_many(&ids, |id, bytes| {
        let results: Vec<(Wanted, Result<Parsed, ReadError>)> = by_id[&id]
            .iter()
            .map(|schema| ((id, *schema), parse(&bytes, *schema, &schemas)))
            .collect();
        results
    });
    for (want, result) in read.into_iter().flatten() {
        if cached
            && let Ok(value) = &result
            && let Ok(bytes) = serde_json::to_vec(value)
        {
            kept.insert(place(want), bytes);
        }
        parsed.insert(want, result);
    }
    if cached {
        kept.save();
    }
    Ok(digest_history(history, || Ok::<_, String>(Reader { parsed: &parsed })))
}

/// Every version of every brief with its schema, and each folder's last timeline.
fn wanted(history: &History) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for folder in &history.folders {
        let mut before = None;
        for version in &folder.versions {
            if let Some(brief) = version.brief.filter(|brief| before != Some(*brief)) {
                let later =
                    history.schemas.partition_point(|(commit, _)| *commit <= version.commit);
                let schema = history.schemas[..later].last().and_then(|(_, blob)| *blob);
                wanted.push((brief, Some(schema)));
            }
            before = version.brief;
        }
        if let Some(timeline) = folder.versions.iter().rev().find_map(|version| version.timeline) {
            wanted.push((timeline, None));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Where a result is kept: the blob's own id for a timeline, mixed with the
/// schema's for a brief.
fn place((id, schema): Wanted) -> ObjectId {
    let mut bytes = id.0;
    match schema {
        None => {}
        Some(None) => bytes[0] ^= 0x5A,
        Some(Some(schema)) => {
            bytes.iter_mut().zip(schema.0).for_each(|(byte, other)| *byte ^= other)
        }
    }
    ObjectId(bytes)
}

fn schemas(history: &History, blobs: &Blobs) -> Schemas {
    let mut schemas = BTreeMap::new();
    schemas.insert(None, Ok(None));
    for (_, id) in &history.schemas {
        let Some(id) = id else { continue };
        schemas.entry(Some(*id)).or_insert_with(|| {
            let bytes = blobs.read(*id).map_err(|error| ReadError::Object(error.to_string()))?;
            Schema::compile(&bytes).map(Some).map_err(|error| {
                ReadError::Content(format!(
                    "the schema of its time, blob {id}, is not usable: {error}"
                ))
            })
        });
    }
    schemas
}

fn parse(
    bytes: &Result<Vec<u8>, HistoryError>,
    schema: Option<Option<ObjectId>>,
    schemas: &Schemas,
) -> Result<Parsed, ReadError> {
    let bytes = bytes.as_ref().map_err(|error| ReadError::Object(error.to_string()))?;
    let Some(schema) = schema else {
        return Ok(match Timeline::parse(bytes) {
            Ok(timeline) => Parsed::Timeline(timeline),
            Err(error) => Parsed::Unreadable(error.to_string()),
        });
    };
    let schema = match schemas.get(&schema) {
        Some(Ok(Some(schema))) => schema,
        Some(Err(error)) => return Err(error.clone()),
        Some(Ok(None)) | None => Schema::shipped(),
    };
    Ok(match Brief::parse(bytes) {
        Ok(brief) => Parsed::Brief(Box::new(brief_facts(&brief, schema))),
        Err(error) => Parsed::Unreadable(error.to_string()),
    })
}

/// What the audit needs to know of a brief.
pub(super) fn brief_facts(brief: &Brief, schema: &Schema) -> BriefFacts {
    let view = brief.view();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let completeness = Completeness::of(schema, brief.json());
    BriefFacts {
        key: view.key(),
        deal: view.deal().map(|(crm, id)| DealAsWritten {
            crm,
            id,
            name: owned(view.deal_name()),
            owner: view
                .deal_owner()
                .map(|owner| Person { name: owned(owner.name), email: owned(owner.email) }),
            closed_won_at: view.closed_won_at(),
        }),
        signature: view.provider().filter(|_| view.is_signed()).map(|provider| {
            SignatureAsWritten {
                provider,
                document_id: view.document_id(),
                signed_at: view.signed_at(),
            }
        }),
        customer: owned(view.customer_name()),
        tier: owned(view.customer_tier()),
        csm: view
            .first_action_owner()
            .and_then(|owner| owned(owner.name.or(owner.github).or(owner.email))),
        value: view.contract_value(),
        due: view.first_action_due(),
        complete: completeness.is_complete(),
        unanswered: completeness
            .missing
            .into_iter()
            .map(|field| UnansweredField { question: Some(field.question), field: field.field })
            .collect(),
    }
}

/// The parsed blobs as the audit asks for them.
struct Reader<'a> {
    parsed: &'a HashMap<Wanted, Result<Parsed, ReadError>>,
}

impl Reader<'_> {
    fn get(&self, want: Wanted) -> Result<&Parsed, ReadError> {
        match self.parsed.get(&want) {
            Some(Ok(parsed)) => Ok(parsed),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ReadError::Object(format!("blob {} was not read", want.0))),
        }
    }
}

impl AuditBlobs for Reader<'_> {
    fn brief(&mut self, blob: ObjectId, schema: Option<ObjectId>) -> Result<BriefFacts, ReadError> {
        match self.get((blob, Some(schema)))? {
            Parsed::Brief(facts) => Ok(facts.as_ref().clone()),
            Parsed::Unreadable(why) => Err(ReadError::Content(why.clone())),
            Parsed::Timeline(_) => Err(ReadError::Content("it is a timeline".to_owned())),
        }
    }

    fn timeline(&mut self, blob: ObjectId) -> Result<Timeline, ReadError> {
        match self.get((blob, None))? {
            Parsed::Timeline(timeline) => Ok(timeline.clone()),
            Parsed::Unreadable(why) => Err(ReadError::Content(why.clone())),
            Parsed::Brief(_) => Err(ReadError::Content("it is a brief".to_owned())),
        }
    }
}
