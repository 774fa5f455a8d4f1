//! What is gathered while a population is read page by page.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::{CrmError, Progress};
use crate::model::{CrmName, Deal, Evidence, Gap, Population, Source};

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) records: Vec<Value>,
    /// As they came, for the population's hash.
    pub(super) bytes: Bytes,
    /// How many records the list has in all, where the CRM says.
    pub(super) total: Option<usize>,
    /// Where the next page is.
    pub(super) next: Option<String>,
}

/// Takes the list of this name out of an answer.
pub(super) fn take_list(answer: &mut Value, name: &str) -> Vec<Value> {
    match answer[name].take() {
        Value::Array(records) => records,
        _ => Vec::new(),
    }
}

/// Where pages come from: a CRM's own way of naming them.
#[async_trait]
pub(super) trait Pages: Sync {
    /// The page at this place; `before` records were on those before it.
    async fn page(&self, at: &str, before: usize) -> Result<Page, Failure>;
}

/// What becomes of a page's records; an error ends the reading.
pub(super) type Keep<'a> =
    &'a mut (dyn FnMut(&mut Reading, Vec<Value>) -> Result<(), CrmError> + Send);

/// The evidence of a population: rows, hash, what is missing, what to know.
#[derive(Default)]
pub(super) struct Reading {
    hash: Sha256,
    pub(super) gaps: Vec<Gap>,
    pub(super) remarks: Vec<String>,
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

    /// Every page of a list, one after the other. One that fails is a gap, and
    /// so are records that the CRM counts and does not give.
    ///
    /// # Errors
    /// The failure of the first page in `Ok(Some(_))`, which may mean that
    /// nothing can be read at all; what `keep` cannot use in `Err`.
    pub(super) async fn pages(
        &mut self,
        pages: &dyn Pages,
        first: String,
        what: &str,
        progress: &dyn Progress,
        keep: Keep<'_>,
    ) -> Result<Option<Failure>, CrmError> {
        let (mut next, mut page, mut read, mut total) = (Some(first), 0, 0, None);
        while let Some(at) = next.take() {
            page += 1;
            let found = match pages.page(&at, read).await {
                Ok(found) => found,
                Err(failure) => {
                    self.lost_page(page, what, &failure);
                    return Ok((page == 1).then_some(failure));
                }
            };
            self.bytes(&found.bytes);
            total = total.or(found.total);
            // A place behind nothing, or behind itself, would go on for ever.
            let goes_on = !found.records.is_empty() && found.next.as_ref() != Some(&at);
            read += found.records.len();
            next = found.next.filter(|_| goes_on);
            keep(self, found.records)?;
            progress.read(read, total);
        }
        if let Some(total) = total.filter(|total| read < *total) {
            self.gaps.push(Gap {
                what: format!("{} of {what}", total - read),
                why: format!("{total} are counted, and the pages held {read}"),
                help: Some("Run the audit again.".to_owned()),
            });
        }
        Ok(None)
    }

    /// The population.
    pub(super) fn finish(
        self,
        crm: &CrmName,
        location: &str,
        query: String,
        deals: Vec<Deal>,
    ) -> Population {
        let source = Source {
            kind: crm.as_str().to_owned(),
            location: location.to_owned(),
            query: Some(query),
            rows: self.rows,
            sha256: hex::encode(self.hash.finalize()),
            remarks: self.remarks,
        };
        Population { source, deals: Evidence::new(deals, self.gaps) }
    }
}
