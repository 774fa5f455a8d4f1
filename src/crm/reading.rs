//! What is gathered while a population is read page by page.

use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::facts::{CrmName, Deal, Evidence, Gap, Population, Source};

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

    /// A page that could not be read; those behind it cannot be either.
    pub(super) fn lost_page(&mut self, page: usize, what: &str, failure: &Failure) {
        self.gaps.push(failure.gap(format!("page {page} of {what}, and those behind it")));
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
