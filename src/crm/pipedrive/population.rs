//! All deals that were won: the lists by cursor, the archived and deleted
//! ones, those that were reopened, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;
use serde_json::Value;

use super::api::{Api, after, first};
use super::deal;
use super::fields::Fields;
use super::record::{self, Account};
use super::settings::PipedriveSettings;
use crate::crm::failure::Failure;
use crate::crm::reading::Reading;
use crate::crm::{CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Gap, Outcome, Population, Window};

/// The list that is kept whole.
const DELETED: &str = "the deleted deals";

/// Reads a population step by step; what fails becomes a gap.
pub(super) struct Reader<'a> {
    pub(super) api: &'a Api,
    pub(super) settings: &'a PipedriveSettings,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a Account,
    pub(super) progress: &'a dyn Progress,
    pub(super) reading: Reading,
}

impl Reader<'_> {
    /// Reads everything.
    pub(super) async fn read(mut self, window: Window) -> Result<Population, CrmError> {
        // There is no filter for the time of winning; winning touches a deal,
        // so this is a superset that also has the backdated ones.
        let since = window.from.map_or_else(String::new, |from| {
            format!("&updated_since={}", from.to_rfc3339_opts(SecondsFormat::Secs, true))
        });
        let list = |path: &str, status: &str| {
            let more = "include_fields=first_won_time&include_option_labels=true&sort_by=id";
            self.api.v2(&format!("{path}?status={status}&{more}{since}"))
        };
        let query = list("deals", "won");
        let mut found: BTreeMap<u64, Value> = BTreeMap::new();
        // The first page tells whether anything can be read at all.
        let (records, lost) = self.pages(&query, "the won deals").await;
        if let (Some(failure), true) = (lost, records.is_empty()) {
            return Err(failure.into());
        }
        self.keep(records, &mut found, |_| true);
        let won_once =
            |record: &Value| !record["first_won_time"].is_null() || !record["won_time"].is_null();
        let lists = [
            (list("deals/archived", "won"), "the archived won deals"),
            (list("deals", "deleted"), DELETED),
            (list("deals", "open"), "the open deals that were won before"),
            (list("deals", "lost"), "the lost deals that were won before"),
        ];
        for (path, what) in lists {
            let (records, _) = self.pages(&path, what).await;
            // A brief may stand for a deal that was deleted before it was won.
            let deleted = what == DELETED;
            self.keep(records, &mut found, |record| deleted || won_once(record));
        }
        let mut merged: BTreeMap<u64, Vec<DealId>> = BTreeMap::new();
        for (id, record) in &found {
            if let Some(survivor) = record["merged_to_id"].as_u64() {
                merged.entry(survivor).or_default().push(DealId::new(id.to_string()));
            }
        }
        let mut deals = Vec::with_capacity(found.len());
        for (id, record) in &found {
            let mut deal = record::deal(self.crm, record, self.account)?;
            deal.merged_ids = merged.remove(id).unwrap_or_default();
            deals.push(deal);
        }
        let records: Vec<&Value> = found.values().collect();
        self.add_history(&mut deals, &records).await;
        self.add_owners(&mut deals, &records).await;
        self.add_companies(&mut deals, &records).await;
        Ok(self.reading.finish(self.crm, self.api.base(), query, deals))
    }

    /// All records of a list, and the failure that ended it, which is a gap.
    async fn pages(&mut self, path: &str, what: &str) -> (Vec<Value>, Option<Failure>) {
        let mut records: Vec<Value> = Vec::new();
        let (mut next, mut page) = (Some(first(path)), 0);
        while let Some(at) = next.take() {
            page += 1;
            let (mut answer, bytes) = match self.api.read(&at).await {
                Ok(answer) => answer,
                Err(failure) => {
                    self.reading.lost_page(page, what, &failure);
                    return (records, Some(failure));
                }
            };
            self.reading.bytes(&bytes);
            next = after(path, &answer, records.len());
            match answer["data"].take() {
                Value::Array(page) if !page.is_empty() => records.extend(page),
                _ => break,
            }
            self.progress.read(records.len(), None);
        }
        (records, None)
    }

    fn keep(
        &mut self,
        records: Vec<Value>,
        found: &mut BTreeMap<u64, Value>,
        counts: impl Fn(&Value) -> bool,
    ) {
        self.reading.rows += records.len();
        for record in records.into_iter().filter(counts) {
            match record["id"].as_u64() {
                // A deal that changed meanwhile stands as it was seen first.
                Some(id) => {
                    found.entry(id).or_insert(record);
                }
                None => self.reading.gaps.push(Gap {
                    what: "a deal of the answer".to_owned(),
                    why: "its id is no number".to_owned(),
                    help: None,
                }),
            }
        }
    }

    /// The real time of winning: of every deal where the settings ask for it,
    /// else of those whose time cannot be what happened.
    async fn add_history(&mut self, deals: &mut [Deal], records: &[&Value]) {
        let all = deals.len();
        let mut unread = 0;
        for (at, (deal, record)) in deals.iter_mut().zip(records).enumerate() {
            // Of a deleted deal nothing more may be asked.
            if deal.outcome == Outcome::Gone {
                continue;
            }
            if !self.settings.changelog && !is_backdated(record) {
                unread += 1;
                continue;
            }
            match deal::changelog(self.api, deal.id.as_str()).await {
                Ok(changes) => {
                    if let Some(won) = record::first_won(&changes) {
                        record::won_at(deal, won, "status history");
                    }
                }
                Err(failure) => {
                    let what = format!("the changelogs from deal {} on", deal.id);
                    self.reading.gaps.push(failure.gap(what));
                    return;
                }
            }
            self.progress.read(at + 1, Some(all));
        }
        if unread > 0 {
            self.reading.remarks.push(format!(
                "Deals whose time of winning is the one that Pipedrive shows, which people can \
                 set: {unread}. crm.pipedrive.changelog reads the real one of each."
            ));
        }
    }

    async fn add_owners(&mut self, deals: &mut [Deal], records: &[&Value]) {
        match self.api.list(&self.api.v1("users")).await {
            Ok(users) => {
                let users = by_id(&users);
                for (deal, record) in deals.iter_mut().zip(records) {
                    let owner = record["owner_id"].as_u64();
                    deal.owner = owner.and_then(|id| users.get(&id)).map(|u| record::person(u));
                }
            }
            Err(failure) => {
                self.reading.remarks.push(format!("The reps could not be read: {}", failure.error));
            }
        }
    }

    async fn add_companies(&mut self, deals: &mut [Deal], records: &[&Value]) {
        let ids: BTreeSet<u64> = records.iter().filter_map(|r| r["org_id"].as_u64()).collect();
        let ids: Vec<u64> = ids.into_iter().collect();
        match self.api.by_ids("organizations", &ids).await {
            Ok(found) => {
                let (found, fields) = (by_id(&found), Fields::default());
                for (deal, record) in deals.iter_mut().zip(records) {
                    let org = record["org_id"].as_u64().and_then(|id| found.get(&id));
                    deal.company = org.map(|org| record::company(org, &fields));
                }
            }
            Err(failure) => {
                self.reading.gaps.push(failure.gap("the companies of the deals".to_owned()));
            }
        }
    }
}

fn by_id(records: &[Value]) -> BTreeMap<u64, &Value> {
    records.iter().filter_map(|record| Some((record["id"].as_u64()?, record))).collect()
}

/// Whether a deal was still worked on, or not yet made, a day after it is said
/// to have been won: somebody set the time by hand.
fn is_backdated(record: &Value) -> bool {
    let at = |name: &str| record::text(record, name).and_then(|text| record::time(&text));
    let Some(won) = at("won_time") else { return false };
    ["stage_change_time", "add_time"]
        .into_iter()
        .filter_map(at)
        .any(|later| later - won > chrono::TimeDelta::days(1))
}
