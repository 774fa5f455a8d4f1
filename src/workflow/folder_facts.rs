//! What a command works out of each handoff's folder, kept beside the ledger's
//! objects by the folder's tree: with nothing new no file is read again. Never
//! needed for a correct answer, and never asked by the audit, which keeps its
//! own digests by the ids of what it read.

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use crate::ledger::{FactsKind, Folder, FolderGroup, HandoffFiles, Snapshot};
use crate::model::Gap;

/// Counts up whenever what is kept of any kind has another form.
const FORM: u32 = 2;

/// What is known of each folder, in the order of their paths, and what could
/// not be read.
pub(super) struct FolderFacts<T> {
    pub(super) rows: Vec<T>,
    pub(super) gaps: Vec<Gap>,
}

/// What is kept under one name, and how it is worked out.
pub(super) struct FactKind<'a, T> {
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
    kind: &FactKind<'_, T>,
) -> FolderFacts<(Folder, Result<T, String>)> {
    let all = |folder: &dyn Fn() -> Folder, facts| Some((folder(), facts));
    let mut all = select(context, snapshot, month, kind, |_| true, all);
    // A group may lie inside another one.
    all.rows.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    all
}

/// The same, of those folders alone that are selected. What is kept of one in
/// postcard's form, where texts stand as they are, is unpacked only where it
/// may be selected.
pub(super) fn select<T: Serialize + DeserializeOwned + Send, U: Send>(
    context: &Context,
    snapshot: &Snapshot,
    month: Option<&str>,
    kind: &FactKind<'_, T>,
    may_be: impl Fn(&[u8]) -> bool + Sync,
    select: impl Fn(&dyn Fn() -> Folder, Result<T, String>) -> Option<U> + Sync,
) -> FolderFacts<U> {
    let files = FactsKind::new(kind.name, FORM, kind.basis);
    let read = |group: &FolderGroup, at: usize| {
        let folder = group.folder(at);
        let read = snapshot.files_in(group.tree(at), &folder.path);
        read.map_err(|error| error.to_string()).and_then(|files| (kind.read)(&folder, &files))
    };
    let found = snapshot.visit_groups(&files, month, |group| {
        // Of a hundred thousand folders few are selected, and none has news.
        let of_group: Vec<(usize, Option<U>, Option<Vec<u8>>)> = (0..group.len())
            .into_par_iter()
            .with_min_len(256)
            .filter_map(|at| {
                let kept = group.facts(at);
                if kept.is_some_and(|bytes| !may_be(bytes)) {
                    return None;
                }
                let known = kept.and_then(|bytes| postcard::from_bytes(bytes).ok());
                let (facts, news) = match known {
                    Some(facts) => (Ok(facts), None),
                    None => {
                        let facts = read(&group, at);
                        let news = facts.as_ref().ok().and_then(|it| postcard::to_stdvec(it).ok());
                        (facts, news)
                    }
                };
                let row = select(&|| group.folder(at), facts);
                (row.is_some() || news.is_some()).then_some((at, row, news))
            })
            .collect();
        let news = of_group.iter().filter(|(_, _, news)| news.is_some()).count();
        let saved = group.is_worth_saving(news);
        if saved {
            let mut kept: Vec<Option<&[u8]>> = (0..group.len()).map(|at| group.facts(at)).collect();
            for (at, _, news) in &of_group {
                kept[*at] = news.as_deref().or(kept[*at]);
            }
            group.save(context.ledger.git_dir(), &files, &kept);
        }
        let rows: Vec<U> = of_group.into_iter().filter_map(|(_, row, _)| row).collect();
        (rows, saved)
    });
    let saved = found.groups.iter().any(|(_, (_, saved))| *saved);
    if saved && month.is_none() && found.gaps.is_empty() {
        found.prune(context.ledger.git_dir());
    }
    let rows = found.groups.into_iter().flat_map(|(_, (rows, _))| rows).collect();
    FolderFacts { rows, gaps: found.gaps }
}
