//! Tasks, events and e-mails of a colleague with the contacts of an opportunity.
//! Facts: the Object Reference (`Task`, `Event`, `EmailMessageRelation`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::api::SalesforceApi;
use super::record::{text, time};
use super::soql;
use crate::crm::activities::{FoundActivities, is_address_of, shows_touches};
use crate::crm::failure::Failure;
use crate::crm::reading::{RecordBatch, in_parts};
use crate::crm::requested_properties::failed;
use crate::crm::{ActivitiesOf, Activity, ActivityKind, Check, CrmError};
use crate::model::{CrmName, DealId, Evidence, Person, normalise_deal_id};

/// Deals, and contacts, of one query: an address with its headers holds 16,384 bytes.
const AT_ONCE: usize = 200;

/// The contacts with the customers of several opportunities, in their order.
pub(super) async fn read(
    api: &SalesforceApi,
    crm: &CrmName,
    asked: &[ActivitiesOf<'_>],
) -> Vec<Result<Evidence<Activity>, CrmError>> {
    in_parts(&SalesforceActivities { api, crm, asked }, asked.len(), AT_ONCE).await
}

struct SalesforceActivities<'a> {
    api: &'a SalesforceApi,
    crm: &'a CrmName,
    asked: &'a [ActivitiesOf<'a>],
}

/// One deal with the users who are its colleague and the people on it.
struct DealPeople<'a> {
    found: FoundActivities<'a>,
    asked: &'a ActivitiesOf<'a>,
    users: Vec<String>,
    contacts: BTreeSet<String>,
}

impl DealPeople<'_> {
    fn is_by(&self, user: Option<String>) -> bool {
        user.is_some_and(|user| self.users.contains(&user))
    }

    fn is_with(&self, contact: Option<String>) -> bool {
        contact.is_some_and(|contact| self.contacts.contains(&contact))
    }

    /// Whether a record was touched since the signature.
    fn is_recent(&self, record: &Value) -> bool {
        let touched = text(record, "SystemModstamp").and_then(|text| time(&text));
        touched.is_none_or(|touched| touched >= self.asked.since)
    }
}

#[async_trait]
impl RecordBatch for SalesforceActivities<'_> {
    type Item = Evidence<Activity>;

    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure> {
        let asked = &self.asked[part];
        let of = |asked: &ActivitiesOf<'_>| normalise_deal_id(self.crm, asked.deal);
        let deals: BTreeSet<DealId> = asked.iter().map(of).collect();
        let soql = format!(
            "SELECT OpportunityId, ContactId FROM OpportunityContactRole WHERE OpportunityId IN {} AND IsDeleted = false",
            soql::list(deals.iter().map(DealId::as_str))
        );
        let mut people: BTreeMap<DealId, BTreeSet<String>> = BTreeMap::new();
        for role in self.api.query(&soql).await? {
            if let (Some(deal), Some(contact)) =
                (text(&role, "OpportunityId"), text(&role, "ContactId"))
            {
                let deal = normalise_deal_id(self.crm, &DealId::new(deal));
                people.entry(deal).or_default().insert(contact);
            }
        }
        let base = self.api.base().await?;
        let mut deals = Vec::with_capacity(asked.len());
        for asked in asked {
            let users = users_of(self.api, asked).await?;
            let contacts = people.get(&of(asked)).cloned().unwrap_or_default();
            let found = FoundActivities::new("Salesforce", asked);
            deals.push(DealPeople { found, asked, users, contacts });
        }
        let can_be_told = |deal: &&DealPeople<'_>| !deal.users.is_empty();
        let users: BTreeSet<&String> =
            deals.iter().filter(can_be_told).flat_map(|deal| &deal.users).collect();
        let contacts: BTreeSet<&String> =
            deals.iter().filter(can_be_told).flat_map(|deal| &deal.contacts).collect();
        let users: Vec<String> = users.into_iter().cloned().collect();
        let contacts: Vec<String> = contacts.into_iter().cloned().collect();
        let since = asked.iter().map(|asked| asked.since).min().unwrap_or_default();
        for contacts in contacts.chunks(AT_ONCE).filter(|_| !users.is_empty()) {
            let read = AskedContacts { since, users: &users, contacts };
            for (what, result) in [
                ("tasks", read.tasks(self.api, &base, &mut deals).await),
                ("events", read.events(self.api, &base, &mut deals).await),
                ("e-mails", read.emails(self.api, &base, &mut deals).await),
            ] {
                let Err(failure) = result else { continue };
                let is_about = |deal: &&mut DealPeople<'_>| {
                    contacts.iter().any(|contact| deal.contacts.contains(contact))
                };
                deals.iter_mut().filter(is_about).for_each(|it| it.found.unread(what, &failure));
            }
        }
        let told = |deal: DealPeople<'_>| match () {
            () if deal.users.is_empty() => deal.found.nobody(),
            () if deal.contacts.is_empty() => deal.found.without_contacts(),
            () => deal.found.finish(),
        };
        Ok(deals.into_iter().map(told).collect())
    }
}

/// The users who are the colleague; each colleague is asked for once.
async fn users_of(api: &SalesforceApi, asked: &ActivitiesOf<'_>) -> Result<Vec<String>, Failure> {
    let who = match (&asked.by.email, &asked.by.name) {
        (Some(email), _) => format!("Email = {}", soql::quote(email)),
        (None, Some(name)) => format!("Name = {}", soql::quote(name)),
        (None, None) => return Ok(Vec::new()),
    };
    let users = api.query_once(&format!("SELECT Id FROM User WHERE {who}")).await?;
    Ok(users.iter().filter_map(|user| text(user, "Id")).collect())
}

/// The same queries about nobody: whether each of them may be asked.
pub(super) async fn checks(api: &SalesforceApi) -> Vec<Check> {
    let (deal, by) = (DealId::new("000000000000000AAA"), Person::default());
    let asked = ActivitiesOf {
        deal: &deal,
        by: &by,
        since: DateTime::UNIX_EPOCH,
        until: DateTime::UNIX_EPOCH,
    };
    let base = match api.base().await {
        Ok(base) => base,
        Err(failure) => return vec![failed("salesforce: first touches", &failure.error)],
    };
    let nobody = [deal.as_str().to_owned()];
    let read = AskedContacts { since: asked.since, users: &nobody, contacts: &nobody };
    let found = &mut [];
    let access = "Give the app's user read access to the object and these fields, and View All \
                  Data or the sharing that shows it the CSMs' records.";
    let enhanced = "Turn on Enhanced Email in Setup and give the app's user access to Email \
                    Messages; without it an e-mail counts where it is logged as a task.";
    [
        ("Task", read.tasks(api, &base, found).await, access),
        ("Event", read.events(api, &base, found).await, access),
        ("EmailMessage", read.emails(api, &base, found).await, enhanced),
    ]
    .into_iter()
    .map(|(object, result, help)| {
        shows_touches(format!("salesforce: read {object}"), "it shows", result, help)
    })
    .collect()
}

struct AskedContacts<'a> {
    since: DateTime<Utc>,
    users: &'a [String],
    contacts: &'a [String],
}

impl AskedContacts<'_> {
    /// The users', with one of the contacts, touched since the first signature.
    fn condition(&self) -> String {
        format!(
            "OwnerId IN {} AND WhoId IN {} AND IsDeleted = false AND SystemModstamp >= {}",
            soql::list(self.users.iter().map(String::as_str)),
            soql::list(self.contacts.iter().map(String::as_str)),
            soql::moment(self.since)
        )
    }

    /// Completed ones: when one was completed the org says, the day that it is
    /// due people write.
    async fn tasks(
        &self,
        api: &SalesforceApi,
        base: &str,
        deals: &mut [DealPeople<'_>],
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT Id, OwnerId, WhoId, TaskSubtype, Type, CompletedDateTime, CreatedDate, \
             SystemModstamp FROM Task WHERE {} \
             AND IsClosed = true \
             AND (TaskSubtype IN ('Call', 'Email') OR Type IN ('Call', 'Email', 'Meeting'))",
            self.condition()
        );
        for task in api.query(&soql).await? {
            let is = |word: &str| task["TaskSubtype"] == word || task["Type"] == word;
            let kind = match () {
                () if is("Email") => ActivityKind::Email,
                () if is("Meeting") => ActivityKind::Meeting,
                () => ActivityKind::Call,
            };
            for deal in held_with(deals, &task) {
                let times = ["CompletedDateTime", "CreatedDate"];
                add(&mut deal.found, kind, base, "Task", &task, &times);
            }
        }
        Ok(())
    }

    /// An event has no outcome: one in a calendar that has passed is a meeting.
    async fn events(
        &self,
        api: &SalesforceApi,
        base: &str,
        deals: &mut [DealPeople<'_>],
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT Id, OwnerId, WhoId, StartDateTime, EndDateTime, CreatedDate, SystemModstamp \
             FROM Event WHERE {}",
            self.condition()
        );
        for event in api.query(&soql).await? {
            // One that still goes on is not over.
            let ends = text(&event, "EndDateTime").and_then(|text| time(&text));
            for deal in held_with(deals, &event) {
                if ends.is_none_or(|ends| ends <= deal.asked.until) {
                    let (kind, times) = (ActivityKind::Meeting, ["StartDateTime"]);
                    add(&mut deal.found, kind, base, "Event", &event, &times);
                }
            }
        }
        Ok(())
    }

    /// E-mails with Enhanced Email, through their relations: without it they
    /// are tasks alone.
    async fn emails(
        &self,
        api: &SalesforceApi,
        base: &str,
        deals: &mut [DealPeople<'_>],
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT EmailMessageId, RelationId, EmailMessage.MessageDate, EmailMessage.CreatedDate, \
             EmailMessage.Status, EmailMessage.FromAddress, EmailMessage.CreatedById \
             FROM EmailMessageRelation WHERE RelationId IN {} \
             AND RelationType IN ('ToAddress', 'CcAddress') AND IsDeleted = false \
             AND EmailMessage.Incoming = false AND EmailMessage.MessageDate >= {}",
            soql::list(self.contacts.iter().map(String::as_str)),
            soql::moment(self.since)
        );
        for relation in api.query(&soql).await? {
            let mut email = relation["EmailMessage"].clone();
            // 5 is a draft.
            if email["Status"] == "5" {
                continue;
            }
            email["Id"] = relation["EmailMessageId"].clone();
            for deal in &mut *deals {
                let is_own = match (text(&email, "FromAddress"), &deal.asked.by.email) {
                    (Some(sender), Some(_)) => is_address_of(&sender, deal.asked.by),
                    _ => deal.is_by(text(&email, "CreatedById")),
                };
                let is_known = !deal.users.is_empty();
                if is_known && is_own && deal.is_with(text(&relation, "RelationId")) {
                    let (kind, times) = (ActivityKind::Email, ["MessageDate"]);
                    add(&mut deal.found, kind, base, "EmailMessage", &email, &times);
                }
            }
        }
        Ok(())
    }
}

/// The deals whose colleague has this record with somebody on the deal.
fn held_with<'d, 'a>(
    deals: &'d mut [DealPeople<'a>],
    record: &Value,
) -> impl Iterator<Item = &'d mut DealPeople<'a>> {
    deals.iter_mut().filter(move |deal| {
        deal.is_by(text(record, "OwnerId"))
            && deal.is_with(text(record, "WhoId"))
            && deal.is_recent(record)
    })
}

fn add(
    found: &mut FoundActivities<'_>,
    kind: ActivityKind,
    base: &str,
    object: &str,
    record: &Value,
    times: &[&str],
) {
    let of = |name: &str| text(record, name).and_then(|text| time(&text));
    let id = text(record, "Id").unwrap_or_default();
    let reference = format!("{base}/lightning/r/{object}/{id}/view");
    match times.iter().find_map(|name| of(name)) {
        Some(at) => found.add(kind, at, of("CreatedDate"), reference),
        None => found.undated(&reference),
    }
}
