//! All deals that were won: the lists by cursor, the archived and deleted
//! ones, those that were reopened, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::api::{PipedriveApi, first};
use super::record::PipedriveAccount;
use super::{PipedriveSettings, record};
use crate::crm::failure::Failure;
use crate::crm::reading::Reading;
use crate::crm::{CrmError, Progress};
use crate::model::{
    CrmName, Deal, DealId, Evidence, Outcome, Population, Properties, RecordKind, Window,
};

type DealsByNumber = BTreeMap<u64, Deal>;

/// Whether a deal of a list is one of the population.
type IsCounted = fn(&Deal) -> bool;

/// Reads a population step by step; what fails becomes a gap.
pub(super) struct PipedrivePopulation<'a> {
    pub(super) api: &'a PipedriveApi,
    pub(super) settings: &'a PipedriveSettings,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a PipedriveAccount,
    /// Which records beside the deals are read, too.
    pub(super) requested: &'a Properties,
    pub(super) progress: &'a dyn Progress,
    pub(super) reading: Reading,
}

impl PipedrivePopulation<'_> {
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
        let mut found = DealsByNumber::new();
        let any: IsCounted = |_| true;
        // The first page tells whether anything can be read at all.
        if let Some(failure) = self.deals(&query, "the won deals", any, &mut found).await? {
            return Err(failure.into());
        }
        let won_once: IsCounted = |deal| deal.closed_won_at.is_some();
        let lists = [
            (list("deals/archived", "won"), "the archived won deals", won_once),
            // A brief may stand for a deal that was deleted before it was won.
            (list("deals", "deleted"), "the deleted deals", any),
            (list("deals", "open"), "the open deals that were won before", won_once),
            (list("deals", "lost"), "the lost deals that were won before", won_once),
        ];
        for (path, what, counts) in lists {
            self.deals(&path, what, counts, &mut found).await?;
        }
        let merges: Vec<(u64, DealId)> = found
            .values()
            .filter_map(|deal| {
                Some((deal.properties.get("merged_to_id")?.as_u64()?, deal.id.clone()))
            })
            .collect();
        for (survivor, merged) in merges {
            if let Some(survivor) = found.get_mut(&survivor) {
                survivor.merged_ids.push(merged);
            }
        }
        let mut deals: Vec<Deal> = found.into_values().collect();
        self.add_history(&mut deals).await;
        let users = self.api.list(&self.api.v1("users")).await;
        let users = users.map(|users| {
            record::by_id(&users).into_iter().map(|(id, it)| (id, record::person(it))).collect()
        });
        self.reading.add_reps(users, &mut deals, |deal| {
            deal.properties.get("owner_id").and_then(Value::as_u64)
        });
        self.add_beside(&mut deals).await;
        Ok(self.reading.finish(self.crm, self.api.base(), query, deals))
    }

    /// The deals of a list that count; a failure is the first page's.
    async fn deals(
        &mut self,
        path: &str,
        what: &str,
        counts: IsCounted,
        found: &mut DealsByNumber,
    ) -> Result<Option<Failure>, CrmError> {
        let (crm, account) = (self.crm, self.account);
        let mut keep = |reading: &mut Reading, records: Vec<Value>| {
            reading.rows += records.len();
            for record in &records {
                let Some(id) = record["id"].as_u64() else {
                    reading.nameless("its id is not a number");
                    continue;
                };
                let deal = record::deal(crm, record, account)?;
                if counts(&deal) {
                    // A deal that changed meanwhile stands as it was seen first.
                    found.entry(id).or_insert(deal);
                }
            }
            Ok(())
        };
        self.reading.pages(self.api, first(path), what, self.progress, &mut keep).await
    }

    /// The real time of winning: of every deal where the settings ask for it,
    /// else of those whose time cannot be what happened.
    async fn add_history(&mut self, deals: &mut [Deal]) {
        let all = deals.len();
        let mut unread = 0;
        for (at, deal) in deals.iter_mut().enumerate() {
            // Of a deleted deal nothing more may be asked.
            if deal.outcome == Outcome::Gone {
                continue;
            }
            if !self.settings.changelog && !is_backdated(deal) {
                unread += 1;
                continue;
            }
            match record::changelog(self.api, deal.id.as_str()).await {
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

    /// Organizations, people and products, where the scope asks for them: they
    /// cost more of the daily budget than the deals.
    async fn add_beside(&mut self, deals: &mut [Deal]) {
        for (kind, what) in [
            (RecordKind::Company, "the organizations of the deals"),
            (RecordKind::Contact, "the people of the deals"),
            (RecordKind::LineItem, "the products of the deals"),
        ] {
            if self.requested.of(kind).is_none() {
                continue;
            }
            let added = match kind {
                RecordKind::Company => record::add_companies(self.api, deals).await,
                RecordKind::Contact => record::add_contacts(self.api, deals).await,
                RecordKind::LineItem => record::add_products(self.api, deals).await,
                RecordKind::Deal => Ok(()),
            };
            self.reading.part(what, added);
        }
    }
}

/// The deals that were changed since a moment, whatever became of them.
pub(super) async fn changed_since(
    api: &PipedriveApi,
    since: DateTime<Utc>,
) -> Result<Evidence<DealId>, CrmError> {
    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut reading = Reading::default();
    let mut changed = BTreeSet::new();
    let mut keep = |reading: &mut Reading, records: Vec<Value>| {
        for record in &records {
            match record["id"].as_u64() {
                Some(id) => drop(changed.insert(id)),
                None => reading.nameless("its id is not a number"),
            }
        }
        Ok(())
    };
    for (index, (list, what)) in [
        ("deals?", "the changed deals"),
        ("deals?status=deleted&", "the deleted deals"),
        ("deals/archived?", "the archived deals"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = api.v2(&format!("{list}updated_since={since}&sort_by=id"));
        match reading.pages(api, first(&path), what, &(), &mut keep).await? {
            // The first page tells whether anything can be read at all.
            Some(failure) if index == 0 => return Err(failure.into()),
            _ => {}
        }
    }
    let ids = changed.into_iter().map(|id| DealId::new(id.to_string())).collect();
    Ok(Evidence::new(ids, reading.gaps))
}

/// Whether a deal was still worked on, or not yet made, a day after it is said
/// to have been won: somebody set the time by hand.
fn is_backdated(deal: &Deal) -> bool {
    let at = |name: &str| deal.properties.get(name).and_then(Value::as_str).and_then(record::time);
    let Some(won) = at("won_time") else { return false };
    ["stage_change_time", "add_time"]
        .into_iter()
        .filter_map(at)
        .any(|later| later - won > chrono::TimeDelta::days(1))
}
