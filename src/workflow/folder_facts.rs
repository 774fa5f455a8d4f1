//! What a command works out of each handoff's folder, kept beside the audit's
//! cache by the folder's tree: with nothing new no file is read again. Never
//! needed for a correct answer; what does not fit is worked out anew.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{Context, WorkflowError};
use crate::ledger::{Folder, HandoffFiles, KeptDigests, Snapshot};
use crate::model::ObjectId;

/// Counts up whenever what is kept would be read otherwise.
const FORMAT: u32 = 1;

/// What is kept under one name, and what it depends on besides the files.
pub(super) struct Kind<'a> {
    /// The name of the file that keeps it.
    pub(super) name: &'a str,
    /// The schema, where what is worked out depends on it.
    pub(super) basis: &'a [u8],
}

/// Works something out of each folder's files, in their order. What failed is
/// not kept. A folder whose files cannot be read at all is an error of its own.
///
/// # Errors
/// When the folders' names cannot be read or the repository cannot be opened.
pub(super) fn facts<T: Serialize + DeserializeOwned + Send>(
    context: &Context,
    snapshot: &Snapshot,
    folders: &[Folder],
    kind: &Kind<'_>,
    read: impl Fn(&Folder, &HandoffFiles) -> Result<T, String> + Sync,
) -> Result<Vec<Result<T, String>>, WorkflowError> {
    let git_dir = context.ledger.git_dir();
    let start = Sha256::new()
        .chain_update(env!("CARGO_PKG_VERSION"))
        .chain_update([0])
        .chain_update(Sha256::digest(kind.basis));
    let fingerprint = |folder: &Folder, tree: &ObjectId| {
        let sum = start.clone().chain_update(tree.0).chain_update(&folder.path).finalize();
        let mut id = [0; 20];
        id.copy_from_slice(&sum[..20]);
        ObjectId(id)
    };
    let trees = snapshot.trees(folders)?;
    let kept = KeptDigests::open(git_dir, kind.name, FORMAT)?;
    let known: Vec<(Option<ObjectId>, Option<T>)> = folders
        .par_iter()
        .zip(&trees)
        .map(|(folder, tree)| {
            let id = tree.as_ref().map(|tree| fingerprint(folder, tree));
            let bytes = id.and_then(|id| kept.get(id));
            (id, bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()))
        })
        .collect();
    let is_known: Vec<bool> = known.iter().map(|(_, facts)| facts.is_some()).collect();
    let ids: Vec<Option<ObjectId>> = known.iter().map(|(id, _)| *id).collect();
    let all: Vec<Result<T, String>> = folders
        .par_iter()
        .zip(known)
        .map(|(folder, (_, facts))| match facts {
            Some(facts) => Ok(facts),
            None => {
                let files = snapshot.handoff(folder).map_err(|error| error.to_string())?;
                read(folder, &files)
            }
        })
        .collect();
    let news = is_known.iter().filter(|known| !**known).count();
    if kept.is_worth_replacing(news) {
        let rows: Vec<(ObjectId, Cow<'_, [u8]>)> = ids
            .iter()
            .zip(&is_known)
            .zip(&all)
            .filter_map(|((id, is_known), facts)| {
                let id = (*id)?;
                let bytes = match (is_known, facts) {
                    (true, _) => Cow::Borrowed(kept.get(id)?),
                    (false, Ok(facts)) => Cow::Owned(serde_json::to_vec(facts).ok()?),
                    (false, Err(_)) => return None,
                };
                Some((id, bytes))
            })
            .collect();
        KeptDigests::save(git_dir, kind.name, FORMAT, &rows)?;
    }
    Ok(all)
}
