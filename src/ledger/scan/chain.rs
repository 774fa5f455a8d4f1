//! The first-parent history of a commit, from the commit-graph where there is
//! one and from the commits themselves where there is none.

use std::collections::HashSet;

use crate::model::{Gap, ObjectId};

use super::Id;
use super::objects::{Kind, ObjectFault, ObjectReader, unreadable};
use super::repository::Repository;

/// One commit of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct Link {
    pub(in crate::ledger) id: Id,
    pub(in crate::ledger) tree: Id,
    pub(in crate::ledger) committed_at: i64,
}

/// A first-parent history, oldest first.
#[derive(Debug)]
pub(in crate::ledger) struct Chain {
    /// The commits after `base`, or all of them.
    pub(in crate::ledger) links: Vec<Link>,
    /// The known commit the walk stopped at.
    pub(in crate::ledger) base: Option<Link>,
    /// Where the history goes on and could not be followed.
    pub(in crate::ledger) gaps: Vec<Gap>,
}

struct ParsedObject {
    link: Link,
    parent: Option<Id>,
    /// The reason the committer line cannot be used.
    odd: Option<&'static str>,
}

/// Walks the first parents of `head` until there are none or `known` is
/// reached.
///
/// # Errors
/// When `head` itself cannot be read.
pub(in crate::ledger) fn walk(
    repository: &Repository,
    reader: &mut ObjectReader,
    head: Id,
    known: Option<Id>,
) -> Result<Chain, ObjectFault> {
    let mut chain = Chain { links: Vec::new(), base: None, gaps: Vec::new() };
    let mut seen_tip = false;
    let mut next = Some(head);
    // A chain of hashes has no loops, but a broken commit-graph may.
    let mut guard = LoopGuard::default();
    while let Some(id) = next {
        let parsed = match parse_next(repository, reader, id) {
            Ok(parsed) => parsed,
            Err(fault) if seen_tip => {
                chain.gaps.push(unreadable("commit", &id, "", &fault));
                break;
            }
            Err(fault) => return Err(fault),
        };
        seen_tip = true;
        if known == Some(id) {
            chain.base = Some(parsed.link);
            break;
        }
        if guard.is_loop(chain.links.len(), id) {
            chain.gaps.push(Gap {
                what: format!("the history before commit {}", ObjectId(id)),
                why: "the commit-graph leads in a circle".to_owned(),
                help: Some("Run `git commit-graph write --reachable` and audit again.".to_owned()),
            });
            break;
        }
        if let Some(why) = parsed.odd {
            chain.gaps.push(Gap {
                what: format!("the time of commit {}", ObjectId(id)),
                why: why.to_owned(),
                help: Some("Run `git fsck` and look at the commit.".to_owned()),
            });
        }
        chain.links.push(parsed.link);
        next = repository.line.0.get(&id).copied().or(parsed.parent);
        if next.is_some() && repository.shallow.contains(&id) {
            chain.gaps.push(Gap {
                what: format!("the history before commit {}", ObjectId(id)),
                why: "this is a shallow clone: older commits were not fetched".to_owned(),
                help: Some(
                    "Run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0` for \
                     actions/checkout) and audit again."
                        .to_owned(),
                ),
            });
            break;
        }
    }
    chain.links.reverse();
    Ok(chain)
}

fn parse_next(
    repository: &Repository,
    reader: &mut ObjectReader,
    id: Id,
) -> Result<ParsedObject, ObjectFault> {
    if let Some(graph) = repository.graph()
        && let Some(commit) = graph.commit_by_id(gix::hash::oid::from_bytes_unchecked(&id))
        && let Ok(tree) = commit.root_tree_id().as_bytes().try_into()
        && let Ok(parent) = commit.parent1()
        // The graph's clock ends in 2514; later dates are read from the commit.
        && commit.committer_timestamp() < (1 << 34) - 1
    {
        let parent = parent.and_then(|position| graph.id_at(position).as_bytes().try_into().ok());
        let committed_at = i64::try_from(commit.committer_timestamp()).unwrap_or_default();
        return Ok(ParsedObject { link: Link { id, tree, committed_at }, parent, odd: None });
    }
    let bytes = reader.read_kind(&id, Kind::Commit)?;
    parse(id, &bytes).ok_or_else(|| ObjectFault::Broken("its header is malformed".to_owned()))
}

/// Reads a commit's header the way git does: tree, parents, then author and
/// committer; only the number behind the committer's `>` counts.
fn parse(id: Id, bytes: &[u8]) -> Option<ParsedObject> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let tree = hex_id(lines.next()?.strip_prefix(b"tree ")?)?;
    let mut parent = None;
    let mut committed_at = None;
    for line in lines {
        if line.is_empty() {
            break;
        }
        if let Some(hex) = line.strip_prefix(b"parent ") {
            let found = hex_id(hex)?;
            parent = parent.or(Some(found));
        } else if let Some(who) = line.strip_prefix(b"committer ") {
            committed_at = seconds(who);
            break;
        }
    }
    Some(ParsedObject {
        link: Link { id, tree, committed_at: committed_at.unwrap_or_default() },
        parent,
        odd: committed_at.is_none().then_some("its committer line holds no time"),
    })
}

fn hex_id(hex: &[u8]) -> Option<Id> {
    let mut id = Id::default();
    hex::decode_to_slice(hex, &mut id).ok().map(|()| id)
}

fn seconds(who: &[u8]) -> Option<i64> {
    let after = who.rsplit(|byte| *byte == b'>').next()?;
    let digits = std::str::from_utf8(after).ok()?.split_whitespace().next()?;
    digits.parse().ok()
}

/// Notices a walk that comes back to where it was, by remembering ids at
/// distances that double.
#[derive(Default)]
struct LoopGuard {
    marks: HashSet<Id>,
    next_mark: usize,
}

impl LoopGuard {
    fn is_loop(&mut self, length: usize, id: Id) -> bool {
        if self.marks.contains(&id) {
            return true;
        }
        if length >= self.next_mark {
            self.next_mark = length * 2 + 1024;
            self.marks.insert(id);
        }
        false
    }
}
