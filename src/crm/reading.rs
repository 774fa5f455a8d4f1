//! What is gathered while a population is read page by page.

use std::collections::BTreeMap;
use std::ops::Range;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::closed_won::dated_ahead;
use super::failure::Failure;
use super::{CrmError, Progress};
use crate::http::{Page, PageWalk};
use crate::model::{CrmName, Deal, Evidence, Gap, Person, Population, Remarks, Source};

/// Where pages come from: a CRM's own way of naming them.
#[async_trait]
pub(super) trait PageSource: Sync {
    /// The CRM for people: `HubSpot`.
    fn crm(&self) -> &'static str;

    /// The page at this place; `before` records were on those before it.
    async fn page(&self, at: &str, before: usize) -> Result<Page, Failure>;
}

/// Every record of a list.
///
/// # Errors
/// When it cannot be read whole.
pub(super) async fn whole(pages: &dyn PageSource, first: String) -> Result<Vec<Value>, Failure> {
    let mut records = Vec::new();
    let mut walk = PageWalk::new(first);
    while let Some(at) = walk.next() {
        let page = pages.page(&at, records.len()).await?;
        walk.take(&page).map_err(|fault| Failure::of_list(pages.crm(), &fault))?;
        records.extend(page.records);
    }
    walk.finish().map_err(|fault| Failure::of_list(pages.crm(), &fault))?;
    Ok(records)
}

/// Records that are asked for together.
#[async_trait]
pub(super) trait RecordBatch: Sync {
    type Item: Send;

    /// What there is of this part, in its order.
    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure>;
}

/// Reads so many records at once. A part whose answer fails because of what it
/// is about is halved, until the record that it fails for is alone: the others
/// are read.
pub(super) async fn in_parts<B: RecordBatch>(
    batch: &B,
    count: usize,
    at_once: usize,
) -> Vec<Result<B::Item, CrmError>> {
    let mut read = Vec::with_capacity(count);
    let starts = (0..count).step_by(at_once.max(1)).rev();
    let mut parts: Vec<Range<usize>> =
        starts.map(|start| start..count.min(start + at_once.max(1))).collect();
    while let Some(part) = parts.pop() {
        match batch.read(part.clone()).await {
            Ok(items) => read.extend(items.into_iter().map(Ok)),
            Err(failure) if part.len() > 1 && failure.is_of_content() => {
                let middle = part.start + part.len() / 2;
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
            Err(failure) => read.extend(part.map(|_| Err(failure.error.clone()))),
        }
    }
    read
}

/// What an account says of itself (its pipelines, properties, users): asked
/// once for each connection. A connection lives for one command; in a service,
/// for one batch.
#[derive(Default)]
pub(super) struct AccountFacts(tokio::sync::Mutex<BTreeMap<String, Value>>);

impl AccountFacts {
    /// What was answered at this path before, else what `ask` gives now.
    /// Failures are not kept.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) async fn once<E>(
        &self,
        path: &str,
        ask: impl Future<Output = Result<Value, E>>,
    ) -> Result<Value, E> {
        let mut known = self.0.lock().await;
        if let Some(answer) = known.get(path) {
            return Ok(answer.clone());
        }
        let answer = ask.await?;
        known.insert(path.to_owned(), answer.clone());
        Ok(answer)
    }

    /// As [`AccountFacts::once`], of a list.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) async fn list_once<E>(
        &self,
        path: &str,
        ask: impl Future<Output = Result<Vec<Value>, E>>,
    ) -> Result<Vec<Value>, E> {
        let list = async { ask.await.map(Value::Array) };
        match self.once(path, list).await? {
            Value::Array(list) => Ok(list),
            other => Ok(vec![other]),
        }
    }
}

/// What becomes of a page's records; an error ends the reading.
pub(super) type Keep<'a> =
    &'a mut (dyn FnMut(&mut Reading, Vec<Value>) -> Result<(), CrmError> + Send);

/// The evidence of a population: rows, hash, what is missing, what to know.
#[derive(Default)]
pub(super) struct Reading {
    hash: Sha256,
    pub(super) gaps: Vec<Gap>,
    pub(super) remarks: Remarks,
    pub(super) rows: usize,
}

impl Reading {
    /// Counts bytes that were read.
    pub(super) fn bytes(&mut self, bytes: impl AsRef<[u8]>) {
        self.hash.update(bytes);
    }

    /// A record that cannot be told from others.
    pub(super) fn nameless(&mut self, why: &str) {
        self.gaps.push(Gap {
            what: "a deal of the answer".to_owned(),
            why: why.to_owned(),
            help: None,
        });
    }

    /// A page that could not be read; those behind it cannot be either.
    pub(super) fn lost_page(&mut self, page: usize, what: &str, failure: &Failure) {
        self.gaps.push(failure.gap(format!("page {page} of {what}, and those behind it")));
    }

    /// Every page of a list, one after the other. Whatever keeps the list from
    /// being whole is a gap with its page. `keep` may get a record twice: a
    /// list whose place was forgotten is read once more from its start.
    ///
    /// # Errors
    /// The failure of the first page in `Ok(Some(_))`, which may mean that
    /// nothing can be read at all; what `keep` cannot use in `Err`.
    pub(super) async fn pages(
        &mut self,
        pages: &dyn PageSource,
        first: String,
        what: &str,
        progress: &dyn Progress,
        keep: Keep<'_>,
    ) -> Result<Option<Failure>, CrmError> {
        let mut walk = PageWalk::new(first.clone());
        let mut again = false;
        while let Some(at) = walk.next() {
            let page = match pages.page(&at, walk.read()).await {
                Ok(page) => page,
                // What came is kept: `keep` takes a record twice as once.
                Err(failure) if failure.starts_again && !again => {
                    again = true;
                    walk = PageWalk::new(first.clone());
                    continue;
                }
                Err(failure) => {
                    self.lost_page(walk.page(), what, &failure);
                    return Ok((walk.page() == 1).then_some(failure));
                }
            };
            self.bytes(&page.bytes);
            let behind = walk.take(&page);
            keep(self, page.records)?;
            progress.read(walk.read(), walk.total());
            if let Err(fault) = behind {
                let failure = Failure::of_list(pages.crm(), &fault);
                self.gaps.push(failure.gap(format!("what follows page {} of {what}", walk.page())));
                return Ok(None);
            }
        }
        if let Err(fault) = walk.finish() {
            let failure = Failure::of_list(pages.crm(), &fault);
            let missing = walk.total().unwrap_or_default().saturating_sub(walk.read());
            self.gaps.push(failure.gap(format!("a part of {what} ({missing})")));
        }
        Ok(None)
    }

    /// Gives each deal its rep, by the rep's id. A token that may not see the
    /// reps leaves them unknown.
    pub(super) fn add_reps<K: Ord>(
        &mut self,
        reps: Result<BTreeMap<K, Person>, Failure>,
        deals: &mut [Deal],
        rep_of: impl Fn(&Deal) -> Option<K>,
    ) {
        match reps {
            Ok(reps) => {
                for deal in deals {
                    deal.owner = rep_of(deal).and_then(|id| reps.get(&id)).cloned();
                }
            }
            Err(failure) if failure.is_hidden() => {
                self.remarks.push(format!("The reps could not be read: {}", failure.error));
            }
            Err(failure) => self.gaps.push(failure.gap("the reps of the deals".to_owned())),
        }
    }

    /// A part of the deals that may not have been read.
    pub(super) fn part(&mut self, what: &str, read: Result<(), Failure>) {
        if let Err(failure) = read {
            self.gaps.push(failure.gap(what.to_owned()));
        }
    }

    /// The population.
    pub(super) fn finish(
        self,
        crm: &CrmName,
        location: &str,
        query: String,
        deals: Vec<Deal>,
    ) -> Population {
        let mut remarks = self.remarks;
        remarks.extend(dated_ahead(&deals));
        let source = Source {
            kind: crm.as_str().to_owned(),
            location: location.to_owned(),
            query: Some(query),
            rows: self.rows,
            sha256: hex::encode(self.hash.finalize()),
            remarks,
            undated_help: None,
        };
        Population { source, deals: Evidence::new(deals, self.gaps) }
    }
}
