//! The digests of a ledger's folders, made in bulk: each brief and timeline is
//! parsed once, and what came of a folder is kept beside the history's cache,
//! so that the next audit reads only what is new.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::WorkflowError;
use crate::audit::{
    BlobSource, BriefFacts, DealAsWritten, Digester, FolderDigest, KEPT_FORMAT, ReadError,
    SignatureAsWritten, TimelineFacts, UnansweredField,
};
use crate::brief::{BRIEF_SCHEMA, Brief, Completeness, Schema, Timeline, check_version};
use crate::ledger::{Blobs, HistoryError, KeptDigests, Maker};
use crate::model::{FolderHistory, History, ObjectId, Person};
use crate::yaml;

/// So many folders are read together: enough that their blobs are read in the
/// order of the packs, and few enough that what was parsed fits beside them.
const AT_ONCE: usize = 16_384;
/// The name of the file that keeps them.
const NAME: &str = "audit";

/// A blob and the schema that judges it; `None` for a timeline.
type BlobToRead = (ObjectId, Option<Option<ObjectId>>);

/// The schemas of the history by blob; no schema stands for the shipped one.
type Schemas = BTreeMap<Option<ObjectId>, Result<Option<Arc<Schema>>, ReadError>>;

/// What a blob came to.
enum ParsedBlob {
    Brief(Arc<BriefFacts>),
    Timeline(TimelineFacts),
}

/// Digests every folder of a history. `cached` says whether what earlier
/// audits have left is used, `keep` whether this one leaves something.
///
/// # Errors
/// When the repository cannot be opened. A blob or schema that cannot be read
/// is in the digests.
pub(super) fn digest(
    git_dir: &Path,
    history: &History,
    cached: bool,
    keep: bool,
) -> Result<Vec<FolderDigest>, WorkflowError> {
    let digester = Digester::new(history);
    let kept =
        if cached { KeptDigests::open(git_dir, NAME, KEPT_FORMAT)? } else { KeptDigests::none() };
    let known: Vec<(ObjectId, Option<FolderDigest>)> = history
        .folders
        .par_iter()
        .map(|folder| {
            let fingerprint = digester.fingerprint(folder);
            let bytes = kept.get(fingerprint);
            (fingerprint, bytes.and_then(|bytes| digester.unpack(folder, bytes)))
        })
        .collect();
    let missing: Vec<&FolderHistory> = history
        .folders
        .iter()
        .zip(&known)
        .filter(|(_, (_, digest))| digest.is_none())
        .map(|(folder, _)| folder)
        .collect();
    let fresh = read_folders(git_dir, &digester, history, &missing)?;
    if keep && kept.is_worth_replacing(missing.len()) {
        save(git_dir, &digester, history, &kept, &known, &fresh)?;
    }
    let mut fresh = fresh.into_iter();
    let digests = known
        .into_iter()
        .map(|(_, digest)| digest.or_else(|| fresh.next()).expect("what is not known was read"));
    Ok(digests.collect())
}

/// Digests folders from their files, in their order.
fn read_folders(
    git_dir: &Path,
    digester: &Digester<'_>,
    history: &History,
    folders: &[&FolderHistory],
) -> Result<Vec<FolderDigest>, WorkflowError> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let blobs = Blobs::open(git_dir)?;
    let schemas = schemas(history, &blobs);
    let some = folders.chunks(AT_ONCE);
    Ok(some.flat_map(|some| read_some(&blobs, &schemas, digester, some)).collect())
}

fn read_some(
    blobs: &Blobs,
    schemas: &Schemas,
    digester: &Digester<'_>,
    folders: &[&FolderHistory],
) -> Vec<FolderDigest> {
    let wanted = wanted(digester, folders);
    // A blob may be wanted under several schemas.
    let same: Vec<&[BlobToRead]> = wanted.chunk_by(|(a, _), (b, _)| a == b).collect();
    let ids: Vec<ObjectId> = same.iter().map(|same| same[0].0).collect();
    let parsed = blobs.read_many(&ids, |at, bytes| {
        let parsed = same[at].iter().map(|(_, schema)| parse(&bytes, *schema, schemas));
        parsed.collect::<Vec<_>>()
    });
    let parsed: Vec<_> = parsed.into_iter().flatten().collect();
    let commits = timeline_commits(digester, folders);
    let makers = blobs.makers(&commits);
    let makers: BTreeMap<ObjectId, Maker> =
        commits.into_iter().zip(makers).filter_map(|(id, maker)| Some((id, maker?))).collect();
    let reader = ParsedBlobs { wanted: &wanted, parsed: &parsed, makers: &makers };
    folders.par_iter().map(|folder| digester.digest(folder, &mut reader.clone())).collect()
}

/// Leaves the digests of this history, and no others, for the next audit.
fn save(
    git_dir: &Path,
    digester: &Digester<'_>,
    history: &History,
    kept: &KeptDigests,
    known: &[(ObjectId, Option<FolderDigest>)],
    fresh: &[FolderDigest],
) -> Result<(), WorkflowError> {
    let mut fresh = fresh.iter();
    let mut rows = Vec::with_capacity(known.len());
    for (folder, (fingerprint, digest)) in history.folders.iter().zip(known) {
        let bytes = match digest {
            Some(_) => kept.get(*fingerprint).map(Cow::Borrowed),
            None => fresh.next().and_then(|digest| digester.pack(folder, digest)).map(Cow::Owned),
        };
        rows.extend(bytes.map(|bytes| (*fingerprint, bytes)));
    }
    KeptDigests::save(git_dir, NAME, KEPT_FORMAT, &rows)?;
    Ok(())
}

/// The versions of the folders' briefs with their schemas, and of their
/// timelines; sorted.
fn wanted(digester: &Digester<'_>, folders: &[&FolderHistory]) -> Vec<BlobToRead> {
    let mut wanted = Vec::new();
    for folder in folders {
        let mut before = None;
        for version in &folder.versions {
            if let Some(brief) = version.brief.filter(|brief| before != Some(*brief)) {
                wanted.push((brief, Some(digester.schema_at(version))));
            }
            before = version.brief;
        }
        let mut before = None;
        for timeline in folder.versions.iter().filter_map(|version| version.timeline) {
            if before.replace(timeline) != Some(timeline) {
                wanted.push((timeline, None));
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// The commits that changed a timeline; sorted.
fn timeline_commits(digester: &Digester<'_>, folders: &[&FolderHistory]) -> Vec<ObjectId> {
    let mut commits = Vec::new();
    for folder in folders {
        let mut before = None;
        for version in &folder.versions {
            if version.timeline.is_some() && version.timeline != before {
                commits.push(digester.commit(version));
            }
            before = version.timeline;
        }
    }
    commits.sort_unstable();
    commits.dedup();
    commits
}

fn schemas(history: &History, blobs: &Blobs) -> Schemas {
    let mut schemas = Schemas::new();
    schemas.insert(None, Ok(None));
    let at_tip = history.schemas.last().and_then(|(_, id)| *id);
    // One that could not be used while it was there did nothing, as with the
    // settings: the one before it counts.
    let mut usable: Option<Arc<Schema>> = None;
    for (_, id) in &history.schemas {
        let Some(id) = id else {
            usable = None;
            continue;
        };
        let known = schemas.entry(Some(*id)).or_insert_with(|| {
            let bytes = blobs.read(*id).map_err(|error| ReadError::Object(error.to_string()))?;
            match Schema::compile(&bytes) {
                Ok(schema) => Ok(Some(Arc::new(schema))),
                Err(_) if at_tip != Some(*id) => Ok(usable.clone()),
                Err(error) => Err(ReadError::Content(format!(
                    "the schema of its time, blob {id}, is not usable: {error}"
                ))),
            }
        });
        if let Ok(schema) = known {
            usable.clone_from(schema);
        }
    }
    schemas
}

fn parse(
    bytes: &Result<&[u8], HistoryError>,
    schema: Option<Option<ObjectId>>,
    schemas: &Schemas,
) -> Result<ParsedBlob, ReadError> {
    let bytes = bytes.as_ref().map_err(|error| ReadError::Object(error.to_string()))?;
    let Some(schema) = schema else {
        let timeline =
            Timeline::parse(bytes).map_err(|error| ReadError::Content(error.to_string()))?;
        return Ok(ParsedBlob::Timeline(TimelineFacts::from(&timeline)));
    };
    let schema = match schemas.get(&schema) {
        Some(Ok(Some(schema))) => schema.as_ref(),
        Some(Err(error)) => return Err(error.clone()),
        Some(Ok(None)) | None => Schema::shipped(),
    };
    // The audit tells no lines, so the file's places are not kept.
    let content = |error: yaml::Error| ReadError::Content(error.to_string());
    let node = yaml::read(bytes).map_err(content)?;
    check_version(&node, BRIEF_SCHEMA).map_err(content)?;
    Ok(ParsedBlob::Brief(Arc::new(brief_facts(&Brief::from_json(node.into_json()), schema))))
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
        csm: owned(view.csm_name()),
        value: view.contract_value(),
        total: view.signed_total(),
        due: view.first_action_due(),
        complete: completeness.is_complete(),
        unanswered: completeness
            .missing
            .into_iter()
            .map(|field| UnansweredField { question: Some(field.question), field: field.field })
            .collect(),
    }
}

/// The blobs that were read, as the audit asks for them.
#[derive(Clone)]
struct ParsedBlobs<'a> {
    /// Sorted.
    wanted: &'a [BlobToRead],
    /// What came of each of them.
    parsed: &'a [Result<ParsedBlob, ReadError>],
    /// Who made the commits that changed timelines.
    makers: &'a BTreeMap<ObjectId, Maker>,
}

impl ParsedBlobs<'_> {
    fn get(&self, want: BlobToRead) -> Result<&ParsedBlob, ReadError> {
        match self.wanted.binary_search(&want) {
            Ok(at) => self.parsed[at].as_ref().map_err(Clone::clone),
            Err(_) => Err(ReadError::Object(format!("blob {} was not read", want.0))),
        }
    }
}

impl BlobSource for ParsedBlobs<'_> {
    fn brief(
        &mut self,
        blob: ObjectId,
        schema: Option<ObjectId>,
    ) -> Result<Arc<BriefFacts>, ReadError> {
        match self.get((blob, Some(schema)))? {
            ParsedBlob::Brief(facts) => Ok(Arc::clone(facts)),
            ParsedBlob::Timeline(_) => Err(ReadError::Content("it is a timeline".to_owned())),
        }
    }

    fn timeline(&mut self, blob: ObjectId) -> Result<TimelineFacts, ReadError> {
        match self.get((blob, None))? {
            ParsedBlob::Timeline(timeline) => Ok(timeline.clone()),
            ParsedBlob::Brief(_) => Err(ReadError::Content("it is a brief".to_owned())),
        }
    }

    fn is_handoffs(&mut self, commit: ObjectId, key: Option<&str>) -> Option<bool> {
        Some(match self.makers.get(&commit)? {
            Maker::Handoff => true,
            Maker::People => false,
            Maker::Merge(keys) => key.is_some_and(|key| keys.contains(key)),
        })
    }
}
