//! All deals that were won: past the 10,000 results of one search, with the
//! archived ones, those that were reopened, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::account::{self, HubSpotAccount};
use super::api::{Failure, HubSpotApi};
use super::record::DEAL;
use super::record::with;
use super::{HubSpotSettings, read, record};
use crate::crm::failure::{cursor, list, without_id};
use crate::crm::reading::{PageSource, Reading};
use crate::crm::{CrmError, Progress};
use crate::http::Page;
use crate::model::{
    CrmName, Deal, DealId, Evidence, Gap, Population, Properties, RecordKind, Window,
};
use crate::text::quoted;

const PAGE: usize = 200;
/// Filter groups of one search; HubSpot takes five, and a body of 3,000
/// characters.
const GROUPS: usize = 3;

/// Reads a population step by step; what fails becomes a gap.
pub(super) struct HubSpotPopulation<'a> {
    pub(super) api: &'a HubSpotApi,
    pub(super) settings: &'a HubSpotSettings,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a HubSpotAccount,
    /// Properties beyond those that are always read.
    pub(super) requested: &'a Properties,
    pub(super) progress: &'a dyn Progress,
    reading: Reading,
}

impl<'a> HubSpotPopulation<'a> {
    pub(super) fn new(
        api: &'a HubSpotApi,
        settings: &'a HubSpotSettings,
        crm: &'a CrmName,
        account: &'a HubSpotAccount,
        requested: &'a Properties,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { api, settings, crm, account, requested, progress, reading: Reading::default() }
    }

    /// Reads everything.
    pub(super) async fn read(mut self, window: Window) -> Result<Population, CrmError> {
        let pipelines = self.account.stages.counted(&self.settings.pipelines)?;
        if let Some(pipelines) = &pipelines {
            let labels: Vec<String> = pipelines
                .iter()
                .filter_map(|id| self.account.stages.label(id))
                .map(quoted)
                .collect();
            self.reading.remarks.push(format!(
                "Only the pipelines {} were read, as crm.hubspot.pipelines says.",
                labels.join(", ")
            ));
        }
        let mut shared = Vec::new();
        if let Some(from) = window.from {
            // Winning touches a deal, so this is a superset that also has the
            // backdated ones.
            let from = from.timestamp_millis().to_string();
            shared.push(filter("hs_lastmodifieddate", "GTE", &from));
        }
        if let Some(pipelines) = &pipelines {
            shared.push(json!({"propertyName": "pipeline", "operator": "IN", "values": pipelines}));
        }
        let mut won = shared.clone();
        won.insert(0, filter("hs_is_closed_won", "EQ", "true"));
        let query = json!({"filterGroups": [{"filters": won}], "sorts": sorts()}).to_string();
        let mut found = BTreeMap::new();
        // The first page tells whether anything can be read at all.
        self.search(&[won], "deals that are won", true, &mut found).await?;
        for groups in self.reopened(&shared).await {
            self.search(&groups, "deals that were won before", false, &mut found).await?;
        }
        self.complete(&mut found).await?;
        let mut deals = self.archived(pipelines.as_deref(), &found).await?;
        deals.splice(0..0, found.into_values());
        let owners = account::owners(self.api).await;
        self.reading.add_reps(owners, &mut deals, |deal| {
            record::text(&deal.properties, "hubspot_owner_id").map(str::to_owned)
        });
        for kind in [RecordKind::Company, RecordKind::Contact, RecordKind::LineItem] {
            if self.requested.of(kind).is_some() {
                let added =
                    record::add_linked(self.api, kind, self.requested, &mut deals, false).await;
                self.reading.part(&format!("the {} of the deals", read::object(kind)), added);
            }
        }
        Ok(self.reading.finish(self.crm, self.api.base(), query, deals))
    }

    /// Every result of a search.
    async fn search(
        &mut self,
        groups: &[Vec<Value>],
        what: &str,
        counts: bool,
        found: &mut BTreeMap<u64, Deal>,
    ) -> Result<(), CrmError> {
        let search = DealSearch { api: self.api, groups };
        let (crm, account) = (self.crm, self.account);
        let mut keep = |reading: &mut Reading, records: Vec<Value>| {
            for record in &records {
                let deal = record::deal(crm, record, account)?;
                let number = deal.id.as_str().parse().map_err(|_| without_id("HubSpot"))?;
                if found.insert(number, deal).is_none() {
                    reading.rows += 1;
                }
            }
            Ok(())
        };
        let progress: &dyn Progress = if counts { self.progress } else { &() };
        let what = format!("the search for {what}");
        let first = "0".to_owned();
        match self.reading.pages(&search, first, &what, progress, &mut keep).await? {
            Some(failure) if counts => Err(failure.into()),
            _ => Ok(()),
        }
    }

    /// Searches for deals that entered a won stage and are not won now. Only
    /// stages with that date can be asked; the others are named in a remark.
    async fn reopened(&mut self, shared: &[Value]) -> Vec<Vec<Vec<Value>>> {
        let names = match read::property_names(self.api, "deals").await {
            Ok(names) => names,
            Err(failure) => {
                self.reading.gaps.push(Gap {
                    what: "deals that were won before and reopened".to_owned(),
                    why: failure.error.to_string(),
                    help: None,
                });
                return Vec::new();
            }
        };
        let mut groups = Vec::new();
        let mut without = 0;
        for stage in self.account.stages.won_ids() {
            let entered = format!("hs_v2_date_entered_{stage}");
            if !names.contains(&entered) {
                without += 1;
                continue;
            }
            let mut filters = shared.to_vec();
            filters.insert(0, filter("hs_is_closed_won", "EQ", "false"));
            filters.insert(1, json!({"propertyName": entered, "operator": "HAS_PROPERTY"}));
            groups.push(filters);
        }
        if without > 0 {
            self.reading.remarks.push(format!(
                "Won stages whose date of entering HubSpot does not keep, so that reopened deals \
                 of theirs are not listed: {without}."
            ));
        }
        groups.chunks(GROUPS).map(<[_]>::to_vec).collect()
    }

    /// The properties of each deal, with the dates of entering a won stage.
    fn properties(&self) -> Vec<String> {
        let mut names: Vec<String> =
            with(&DEAL, &self.requested.deal).into_iter().map(str::to_owned).collect();
        let won = self.account.stages.won_ids();
        names.extend(won.iter().map(|stage| format!("hs_v2_date_entered_{stage}")));
        names
    }

    /// The stage history and the further properties of what was found. Where
    /// they cannot be read, the deal stays with what the search said.
    async fn complete(&mut self, found: &mut BTreeMap<u64, Deal>) -> Result<(), CrmError> {
        let properties = self.properties();
        let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
        let ids: Vec<String> = found.keys().map(u64::to_string).collect();
        let mut done = 0;
        for chunk in ids.chunks(50) {
            let read = read::batch(self.api, "deals", chunk, &properties, &["dealstage"], false);
            match read.await {
                Ok(batch) => {
                    for id in chunk {
                        let number = id.parse().unwrap_or_default();
                        match batch.records.get(id) {
                            Some(record) => {
                                self.reading.bytes(record.to_string());
                                let deal = record::deal(self.crm, record, self.account)?;
                                found.insert(number, deal);
                            }
                            None if batch.untold.contains(id) => self.reading.gaps.push(Gap {
                                what: format!("the stage history of deal {id}"),
                                why: "HubSpot's answer leaves it out without a reason".to_owned(),
                                help: Some("Run the audit again.".to_owned()),
                            }),
                            None => self.reading.remarks.push(format!(
                                "Deal {id} was deleted or merged while it was read, and is counted as the search returned it."
                            )),
                        }
                    }
                }
                Err(failure) => {
                    let last = chunk.last().map_or("", String::as_str);
                    let what = format!("the stage history of the deals {} to {last}", chunk[0]);
                    self.reading.gaps.push(failure.gap(what));
                }
            }
            done += chunk.len();
            self.progress.read(done, Some(ids.len()));
        }
        Ok(())
    }

    /// Archived deals of the pipelines that count; the search does not know them.
    async fn archived(
        &mut self,
        pipelines: Option<&[String]>,
        found: &BTreeMap<u64, Deal>,
    ) -> Result<Vec<Deal>, CrmError> {
        // A page with history holds no more than half as many.
        let first = self.api.path(
            "crm/objects",
            &format!(
                "deals?archived=true&limit=50&propertiesWithHistory=dealstage&properties={}",
                self.properties().join(",")
            ),
        );
        let (crm, account) = (self.crm, self.account);
        let mut deals = Vec::new();
        let mut keep = |reading: &mut Reading, records: Vec<Value>| {
            reading.rows += records.len();
            for mut record in records {
                record["archived"] = Value::Bool(true);
                let counts = pipelines.is_none_or(|ids| {
                    ids.iter().any(|id| record["properties"]["pipeline"] == id.as_str())
                });
                let deal = record::deal(crm, &record, account)?;
                let seen = deal.id.as_str().parse().is_ok_and(|id| found.contains_key(&id));
                if counts && !seen {
                    deals.push(deal);
                }
            }
            Ok(())
        };
        let what = "the archived deals";
        self.reading.pages(self.api, first, what, self.progress, &mut keep).await?;
        Ok(deals)
    }
}

fn filter(property: &str, operator: &str, value: &str) -> Value {
    json!({"propertyName": property, "operator": operator, "value": value})
}

fn sorts() -> Value {
    json!([{"propertyName": "hs_object_id", "direction": "ASCENDING"}])
}

/// The deals that were changed since a moment, and those that were merged into
/// them. The search does not know archived ones, and their list has no order:
/// all of it would have to be read each time.
pub(super) async fn changed_since(
    api: &HubSpotApi,
    since: DateTime<Utc>,
) -> Result<Evidence<DealId>, CrmError> {
    let mut reading = Reading::default();
    let from = since.timestamp_millis().to_string();
    let groups = [vec![filter("hs_lastmodifieddate", "GTE", &from)]];
    let mut changed = BTreeSet::new();
    let mut keep = |_: &mut Reading, records: Vec<Value>| {
        for record in &records {
            changed.extend(cursor(&record["id"]));
            let merged = record["properties"]["hs_merged_object_ids"].as_str().unwrap_or_default();
            let merged = merged.split(';').map(str::trim).filter(|id| !id.is_empty());
            changed.extend(merged.map(str::to_owned));
        }
        Ok(())
    };
    let search = DealSearch { api, groups: &groups };
    let what = "the search for changed deals";
    if let Some(failure) = reading.pages(&search, "0".to_owned(), what, &(), &mut keep).await? {
        return Err(failure.into());
    }
    let ids = changed.into_iter().map(DealId::new).collect();
    Ok(Evidence::new(ids, reading.gaps))
}

/// The pages of a search. One search gives 10,000 results at most, so each
/// page asks for the ids behind the last one instead of following `after`.
struct DealSearch<'a> {
    api: &'a HubSpotApi,
    groups: &'a [Vec<Value>],
}

#[async_trait]
impl PageSource for DealSearch<'_> {
    fn crm(&self) -> &'static str {
        "HubSpot"
    }

    async fn page(&self, behind: &str, _: usize) -> Result<Page, Failure> {
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|filters| {
                let mut filters = filters.clone();
                filters.push(filter("hs_object_id", "GT", behind));
                json!({"filters": filters})
            })
            .collect();
        let body = json!({
            "filterGroups": groups,
            "sorts": sorts(),
            "properties": DEAL,
            "limit": PAGE,
        });
        let (mut answer, bytes) = self.api.search(&body).await?;
        let total = answer["total"].as_u64().and_then(|n| usize::try_from(n).ok());
        let path = "deals/search";
        read::absent(path, &answer)?;
        let records = list("HubSpot", path, &mut answer, "results")?;
        if total.is_none() && records.is_empty() && behind == "0" {
            let why = "does not say how many deals there are";
            return Err(Failure::nonsense("HubSpot", path, StatusCode::OK, why));
        }
        let mut furthest = 0;
        for record in &records {
            // HubSpot's ids are numbers, and sorted as such.
            let number = cursor(&record["id"]).and_then(|id| id.parse::<u64>().ok());
            let Some(number) = number else {
                let why = "has a deal whose id is not a number";
                return Err(Failure::nonsense("HubSpot", path, StatusCode::OK, why));
            };
            furthest = furthest.max(number);
        }
        // Each page's total counts what is left from it on.
        let last = records.is_empty() || total.is_some_and(|left| left <= records.len());
        let next = (!last).then(|| furthest.to_string());
        Ok(Page { records, bytes, total, next })
    }
}
