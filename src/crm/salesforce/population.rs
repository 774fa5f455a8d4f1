//! All opportunities that were won: past the pages, with the deleted ones and
//! those that were reopened, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::api::Api;
use super::deal::{HISTORY, first_won};
use super::record::{self, Org};
use super::soql;
use crate::crm::failure::Failure;
use crate::crm::reading::Reading;
use crate::crm::{CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Gap, Outcome, Population, Window, normalise_deal_id};

/// Ids of one query: a URL has 16,384 bytes at most.
const IDS: usize = 200;

/// Reads a population step by step; what fails becomes a gap.
pub(super) struct Reader<'a> {
    pub(super) api: &'a Api,
    pub(super) crm: &'a CrmName,
    pub(super) org: &'a Org,
    /// The fields to read.
    pub(super) select: Vec<String>,
    pub(super) progress: &'a dyn Progress,
    pub(super) reading: Reading,
}

impl Reader<'_> {
    /// Reads everything.
    pub(super) async fn read(mut self, window: Window) -> Result<Population, CrmError> {
        let select = format!("SELECT {} FROM Opportunity", self.select.join(", "));
        // Winning touches an opportunity, so this is a superset that also has
        // the backdated ones.
        let touched = window.from.map(|from| format!("SystemModstamp >= {}", soql::moment(from)));
        let and = touched.as_ref().map(|touched| format!(" AND {touched}")).unwrap_or_default();
        let query = format!("{select} WHERE (IsWon = true OR IsDeleted = true){and} ORDER BY Id");
        let mut found = BTreeMap::new();
        // The first page tells whether anything can be read at all.
        let (records, lost) = self.pages(&query, "the won and deleted opportunities").await;
        if let (Some(failure), true) = (lost, records.is_empty()) {
            return Err(failure.into());
        }
        self.keep(records, &mut found);
        let history = self.history(touched.as_deref()).await;
        let history = first_won(&history, self.crm, self.org)?;
        let before: Vec<&str> =
            history.keys().filter(|id| !found.contains_key(*id)).map(DealId::as_str).collect();
        for ids in before.chunks(IDS) {
            let soql =
                format!("{select} WHERE Id IN {} ORDER BY Id", soql::list(ids.iter().copied()));
            let (records, _) = self.pages(&soql, "the opportunities that were won before").await;
            self.keep(records, &mut found);
        }
        let mut deals = Vec::with_capacity(found.len());
        for (id, record) in &found {
            let mut deal = record::deal(self.crm, record, self.org)?;
            if let Some(at) = history.get(id) {
                record::won_at(&mut deal, *at, "stage history");
            }
            deals.push(deal);
        }
        self.remark(&deals);
        Ok(self.reading.finish(self.crm, &self.org.base, query, deals))
    }

    /// All records of a query, and the failure that ended it, which is a gap.
    async fn pages(&mut self, soql: &str, what: &str) -> (Vec<Value>, Option<Failure>) {
        let mut records: Vec<Value> = Vec::new();
        let (mut path, mut page, mut total) = (self.api.query_path(soql, true), 0, None);
        loop {
            page += 1;
            let (mut answer, bytes) = match self.api.read(&path).await {
                Ok(answer) => answer,
                Err(failure) => {
                    self.reading.lost_page(page, what, &failure);
                    return (records, Some(failure));
                }
            };
            self.reading.bytes(&bytes);
            if page == 1 {
                total = answer["totalSize"].as_u64().and_then(|n| usize::try_from(n).ok());
            }
            if let Value::Array(page) = answer["records"].take() {
                records.extend(page);
            }
            self.progress.read(records.len(), total);
            match answer["nextRecordsUrl"].as_str() {
                Some(next) if answer["done"] == false => path = next.to_owned(),
                _ => break,
            }
        }
        if let Some(total) = total.filter(|total| records.len() < *total) {
            self.reading.gaps.push(Gap {
                what: format!("{} of {what}", total - records.len()),
                why: format!("Salesforce counts {total}, and its pages held {}", records.len()),
                help: Some("Run the audit again.".to_owned()),
            });
        }
        (records, None)
    }

    fn keep(&mut self, records: Vec<Value>, found: &mut BTreeMap<DealId, Value>) {
        self.reading.rows += records.len();
        for record in records {
            match record::text(&record, "Id") {
                Some(id) => {
                    found.insert(normalise_deal_id(self.crm, &DealId::new(id)), record);
                }
                None => self.reading.gaps.push(Gap {
                    what: "an opportunity of the answer".to_owned(),
                    why: "it has no id".to_owned(),
                    help: None,
                }),
            }
        }
    }

    /// Every entry into a won stage, of the opportunities that count.
    async fn history(&mut self, touched: Option<&str>) -> Vec<Value> {
        let won = self.org.stages.won_names();
        if won.is_empty() {
            self.reading.remarks.push("The org has no won stage.".to_owned());
            return Vec::new();
        }
        let mut soql = format!("{HISTORY} WHERE StageName IN {}", soql::list(won));
        if let Some(touched) = touched {
            soql += &format!(" AND OpportunityId IN (SELECT Id FROM Opportunity WHERE {touched})");
        }
        soql += " ORDER BY OpportunityId, CreatedDate";
        self.pages(&soql, "the history of won stages").await.0
    }

    fn remark(&mut self, deals: &[Deal]) {
        let deleted = deals.iter().filter(|deal| deal.outcome == Outcome::Gone).count();
        if deleted > 0 {
            self.reading.remarks.push(format!(
                "Opportunities in the recycle bin, listed as gone: {deleted}. Salesforce forgets \
                 them once it is emptied."
            ));
        }
    }
}

/// The fields of a population: the standard ones and those that the company's
/// own mapping reads.
pub(super) fn select(known: &BTreeSet<String>, own: &BTreeSet<String>) -> Vec<String> {
    let long = ["Description", "NextStep", "LeadSource", "ContractId"];
    let mut fields = soql::fields(known, own);
    fields.retain(|field| own.contains(field) || !long.contains(&field.as_str()));
    fields
}
