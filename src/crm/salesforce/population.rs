//! All opportunities that were won: past the pages, with the deleted ones and
//! those that were reopened, and what could not be read. Large populations
//! come by the Bulk API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use super::api::{Described, FieldType, SalesforceApi, describe, object_of};
use super::bulk::{BulkJob, BulkPace};
use super::record::Org;
use super::record::{FirstWon, HISTORY};
use super::{record, soql};
use crate::crm::failure::Failure;
use crate::crm::reading::{Keep, Reading};
use crate::crm::{CrmError, Progress};
use crate::model::{
    CrmName, Deal, DealId, Gap, Outcome, Population, Properties, RecordKind, Window,
    normalise_deal_id,
};

/// Reads a population step by step; what fails becomes a gap.
pub(super) struct SalesforcePopulation<'a> {
    pub(super) api: &'a SalesforceApi,
    pub(super) crm: &'a CrmName,
    pub(super) org: &'a Org,
    /// The opportunity's fields, as the org describes them.
    pub(super) described: &'a Described,
    /// Fields beyond those that are always read.
    pub(super) requested: &'a Properties,
    pub(super) bulk_from: usize,
    pub(super) bulk_pace: &'a BulkPace,
    pub(super) progress: &'a dyn Progress,
    pub(super) reading: Reading,
}

/// A population that is large enough for the Bulk API.
struct Bulk {
    /// How many records the first query counts.
    expected: usize,
    /// What the columns of its CSV hold.
    holds: BTreeMap<String, FieldType>,
}

/// A query without its order, which the Bulk API takes badly, and what it is for.
struct Query<'q> {
    soql: String,
    order: &'q str,
    what: &'q str,
}

type FoundDeals = BTreeMap<DealId, Deal>;

impl SalesforcePopulation<'_> {
    /// Reads everything.
    pub(super) async fn read(mut self, window: Window) -> Result<Population, CrmError> {
        let fields = self.fields();
        let select = format!("SELECT {} FROM Opportunity", fields.join(", "));
        let since =
            |before: &str| window.from.map(|from| touched(before, from)).unwrap_or_default();
        let touched = since("");
        let condition = format!("(IsWon = true OR IsDeleted = true){touched}");
        let mut bulk = self.bulk(&condition).await?;
        let query = Query {
            soql: format!("{select} WHERE {condition}"),
            order: "ORDER BY Id",
            what: "the won and deleted opportunities",
        };
        let mut found = FoundDeals::new();
        // The first page tells whether anything can be read at all.
        if let Some(failure) = self.deals(&mut bulk, &query, &mut found).await? {
            return Err(failure.into());
        }
        self.hidden_fields();
        let history = self.history(&mut bulk, &touched).await?;
        let before: Vec<&str> =
            history.0.keys().filter(|id| !found.contains_key(*id)).map(DealId::as_str).collect();
        for ids in before.chunks(record::ids_at_once(self.api, &select)) {
            let ids = soql::list(ids.iter().copied());
            let reopened = Query {
                soql: format!("{select} WHERE Id IN {ids}"),
                order: "ORDER BY Id",
                what: "the opportunities that were won before",
            };
            self.deals(&mut None, &reopened, &mut found).await?;
        }
        let mut deals: Vec<Deal> = found.into_values().collect();
        deals.iter_mut().for_each(|deal| history.tell(deal));
        self.follow_merges(&fields, &mut deals).await;
        let touched = since("Opportunity.");
        self.add_people(&mut bulk, &touched, &mut deals).await?;
        self.add_products(&mut bulk, &touched, &mut deals).await?;
        self.remark(&deals);
        let query = format!("{} {}", query.soql, query.order);
        Ok(self.reading.finish(self.crm, &self.org.base, query, deals))
    }

    /// Fields that the app's user may not see and on which the figures depend.
    fn hidden_fields(&mut self) {
        let known = &self.described.fields;
        let help = || Some("Run `handoff doctor`: it names what to permit.".to_owned());
        if !known.contains_key("IsWon") || !known.contains_key("IsClosed") {
            self.reading.gaps.push(Gap {
                what: "which opportunities are won".to_owned(),
                why: hidden("IsWon and IsClosed"),
                help: help(),
            });
        }
        if !known.contains_key("CloseDate") && !known.contains_key("LastStageChangeDate") {
            self.reading.gaps.push(Gap {
                what: "when opportunities were won that have no history".to_owned(),
                why: hidden("CloseDate and LastStageChangeDate"),
                help: help(),
            });
        }
        if !known.contains_key("Amount") {
            self.reading.remarks.push(format!("{}: no deal has an amount.", hidden("Amount")));
        }
    }

    /// The fields of a population: the standard ones without long texts, and
    /// those that the configuration names.
    fn fields(&self) -> Vec<String> {
        let long = ["Description", "NextStep", "LeadSource", "ContractId"];
        let mut fields = soql::fields(&self.described.fields, self.requested);
        fields
            .retain(|field| self.requested.deal.contains(field) || !long.contains(&field.as_str()));
        fields
    }

    /// Counts first, and says whether the Bulk API is worth it.
    async fn bulk(&mut self, condition: &str) -> Result<Option<Bulk>, CrmError> {
        let count = format!("SELECT COUNT() FROM Opportunity WHERE {condition}");
        let path = self.api.query_path(&count, true);
        let (answer, _) = self.api.read(&path).await?;
        let expected = answer["totalSize"].as_u64().and_then(|n| usize::try_from(n).ok());
        let expected = expected.ok_or_else(|| {
            let why = "does not say how many opportunities there are";
            Failure::nonsense("Salesforce", &path, StatusCode::OK, why)
        })?;
        if expected < self.bulk_from {
            return Ok(None);
        }
        let mut holds = self.described.fields.clone();
        for kind in [RecordKind::Company, RecordKind::Contact, RecordKind::LineItem] {
            if self.requested.of(kind).is_some_and(|names| !names.is_empty()) {
                let before = match kind {
                    RecordKind::Company => "Account.",
                    RecordKind::Contact => "Contact.",
                    _ => "",
                };
                let fields = describe(self.api, object_of(kind).0).await?.fields;
                holds.extend(fields.into_iter().map(|(name, of)| (format!("{before}{name}"), of)));
            }
        }
        holds.insert("CreatedDate".to_owned(), FieldType::Moment);
        Ok(Some(Bulk { expected, holds }))
    }

    /// Every record of a query. A failure is the first page's, by the REST API.
    async fn all(
        &mut self,
        bulk: &mut Option<Bulk>,
        query: &Query<'_>,
        keep: Keep<'_>,
    ) -> Result<Option<Failure>, CrmError> {
        if let Some(Bulk { expected, holds }) = &*bulk {
            let columns = columns(holds, &query.soql);
            match BulkJob::create(self.api, &query.soql, &columns).await {
                Ok(job) => return self.job(job, *expected, query.what, keep).await,
                Err(failure) => {
                    self.reading.remarks.push(format!(
                        "The Bulk API could not be used, and the REST API was: {}",
                        failure.error
                    ));
                    *bulk = None;
                }
            }
        }
        let first = self.api.query_path(&format!("{} {}", query.soql, query.order), true);
        self.reading.pages(self.api, first, query.what, self.progress, keep).await
    }

    /// The records of a job, which is taken away in the end, however it ended.
    async fn job(
        &mut self,
        mut job: BulkJob<'_>,
        expected: usize,
        what: &str,
        keep: Keep<'_>,
    ) -> Result<Option<Failure>, CrmError> {
        let read = match job.finish(self.bulk_pace, self.progress, expected).await {
            Ok(()) => self.reading.pages(&job, job.results(), what, self.progress, keep).await,
            Err(failure) => {
                self.reading.gaps.push(failure.gap(what.to_owned()));
                Ok(None)
            }
        };
        if let Err(failure) = job.remove().await {
            self.reading.remarks.push(format!(
                "A job of the Bulk API could not be deleted; Salesforce deletes it in a week: {}",
                failure.error
            ));
        }
        // What is missing is a gap already.
        read.map(|_| None)
    }

    async fn deals(
        &mut self,
        bulk: &mut Option<Bulk>,
        query: &Query<'_>,
        found: &mut FoundDeals,
    ) -> Result<Option<Failure>, CrmError> {
        let (crm, org) = (self.crm, self.org);
        let mut keep = |reading: &mut Reading, records: Vec<Value>| {
            for record in &records {
                if record::text(record, "Id").is_none() {
                    reading.nameless("it has no id");
                    continue;
                }
                let deal = record::deal(crm, record, org)?;
                if found.insert(deal.id.clone(), deal).is_none() {
                    reading.rows += 1;
                }
            }
            Ok(())
        };
        self.all(bulk, query, &mut keep).await
    }

    /// Every entry into a won stage, of the opportunities that count.
    async fn history(
        &mut self,
        bulk: &mut Option<Bulk>,
        touched: &str,
    ) -> Result<FirstWon, CrmError> {
        let mut first = FirstWon::default();
        let won = self.org.stages.won_names();
        if won.is_empty() {
            self.reading.remarks.push("The org has no won stage.".to_owned());
            return Ok(first);
        }
        let mut soql = format!("{HISTORY} WHERE StageName IN {}", soql::list(won));
        if let Some(touched) = touched.strip_prefix(" AND ") {
            soql += &format!(" AND OpportunityId IN (SELECT Id FROM Opportunity WHERE {touched})");
        }
        let order = "ORDER BY OpportunityId, CreatedDate";
        let query = Query { soql, order, what: "the history of won stages" };
        let (crm, org) = (self.crm, self.org);
        let mut keep = |_: &mut Reading, rows: Vec<Value>| first.add(&rows, crm, org);
        self.all(bulk, &query, &mut keep).await?;
        Ok(first)
    }

    async fn follow_merges(&mut self, fields: &[String], deals: &mut [Deal]) {
        match record::follow(self.api, fields, deals).await {
            Ok(0) => {}
            Ok(merged) => self.reading.remarks.push(format!(
                "Opportunities whose account was merged into another, listed under the account \
                 that remains: {merged}."
            )),
            Err(failure) => {
                let what = "the accounts that others were merged into".to_owned();
                self.reading.gaps.push(failure.gap(what));
            }
        }
    }

    /// The people of won opportunities, where the scope asks for them.
    async fn add_people(
        &mut self,
        bulk: &mut Option<Bulk>,
        touched: &str,
        deals: &mut [Deal],
    ) -> Result<(), CrmError> {
        if self.requested.contacts.is_none() {
            return Ok(());
        }
        let fields = soql::roles(self.requested);
        let what = "the contact roles of the won opportunities";
        let roles = self.below(bulk, "OpportunityContactRole", &fields, touched, what).await?;
        for deal in deals {
            deal.contacts =
                roles.get(&deal.id).map(|rows| record::contacts(rows)).unwrap_or_default();
        }
        Ok(())
    }

    /// The products of won opportunities, where the scope asks for them.
    async fn add_products(
        &mut self,
        bulk: &mut Option<Bulk>,
        touched: &str,
        deals: &mut [Deal],
    ) -> Result<(), CrmError> {
        if self.requested.line_items.is_none() {
            return Ok(());
        }
        let fields = soql::line_items(self.requested);
        let what = "the products of the won opportunities";
        let items = self.below(bulk, "OpportunityLineItem", &fields, touched, what).await?;
        for deal in deals {
            let rows = items.get(&deal.id).into_iter().flatten();
            deal.line_items = rows.map(record::line_item).collect();
        }
        Ok(())
    }

    /// What stands below won opportunities, by opportunity: a query of its
    /// own, since the Bulk API takes no lists inside of records.
    async fn below(
        &mut self,
        bulk: &mut Option<Bulk>,
        from: &str,
        fields: &[String],
        touched: &str,
        what: &str,
    ) -> Result<BTreeMap<DealId, Vec<Value>>, CrmError> {
        let query = Query {
            soql: format!(
                "SELECT OpportunityId, Id, {} FROM {from} WHERE Opportunity.IsWon = true AND \
                 IsDeleted = false{touched}",
                fields.join(", ")
            ),
            order: "ORDER BY OpportunityId, Id",
            what,
        };
        let mut below: BTreeMap<DealId, Vec<Value>> = BTreeMap::new();
        let crm = self.crm;
        let mut keep = |_: &mut Reading, rows: Vec<Value>| {
            for row in rows {
                if let Some(id) = record::text(&row, "OpportunityId") {
                    let id = normalise_deal_id(crm, &DealId::new(id));
                    below.entry(id).or_default().push(row);
                }
            }
            Ok(())
        };
        self.all(bulk, &query, &mut keep).await?;
        for rows in below.values_mut() {
            // A job's results have no order.
            rows.sort_by_cached_key(|row| record::text(row, "Id"));
            // A list that was read once more from its start has rows twice.
            rows.dedup_by(|a, b| a["Id"] == b["Id"] && !a["Id"].is_null());
            for fields in rows.iter_mut().filter_map(Value::as_object_mut) {
                fields.shift_remove("OpportunityId");
                fields.shift_remove("Id");
            }
        }
        Ok(below)
    }

    fn remark(&mut self, deals: &[Deal]) {
        let deleted = deals.iter().filter(|deal| deal.outcome == Outcome::Gone).count();
        if deleted > 0 {
            self.reading.remarks.push(format!(
                "Opportunities in the recycle bin, listed as gone: {deleted}. They are gone once it is emptied."
            ));
        }
    }
}

fn hidden(fields: &str) -> String {
    format!("{fields} of opportunities cannot be seen by the app's user (field-level security)")
}

/// Winning touches an opportunity, so this is a superset of what was won since
/// then that also has the backdated ones.
fn touched(before: &str, from: DateTime<Utc>) -> String {
    format!(" AND {before}SystemModstamp >= {}", soql::moment(from))
}

/// What the columns of a query hold.
fn columns(holds: &BTreeMap<String, FieldType>, soql: &str) -> BTreeMap<String, FieldType> {
    let fields = soql.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM "));
    let fields = fields.map_or("", |(fields, _)| fields).split(", ");
    let of = |name: &str| soql::holds_beside(name).or_else(|| holds.get(name).copied());
    fields.filter_map(|name| Some((name.to_owned(), of(name)?))).collect()
}
