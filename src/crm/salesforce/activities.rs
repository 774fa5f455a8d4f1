//! Tasks, events and e-mails of a colleague with the contacts of an opportunity.
//! Facts: the Object Reference (`Task`, `Event`, `EmailMessageRelation`).

use chrono::DateTime;
use serde_json::Value;

use super::api::SalesforceApi;
use super::record::{text, time};
use super::soql;
use crate::crm::activities::{FoundActivities, is_address_of, shows_touches};
use crate::crm::failure::Failure;
use crate::crm::requested_properties::failed;
use crate::crm::{ActivitiesOf, Activity, ActivityKind, Check, CrmError};
use crate::model::{CrmName, DealId, Evidence, Person, normalise_deal_id};

/// Contacts of one query: a URL holds 16,384 bytes.
const AT_ONCE: usize = 200;

pub(super) async fn read(
    api: &SalesforceApi,
    crm: &CrmName,
    asked: &ActivitiesOf<'_>,
) -> Result<Evidence<Activity>, CrmError> {
    let mut found = FoundActivities::new("Salesforce", asked);
    let who = match (&asked.by.email, &asked.by.name) {
        (Some(email), _) => format!("Email = {}", soql::quote(email)),
        (None, Some(name)) => format!("Name = {}", soql::quote(name)),
        (None, None) => return Ok(found.nobody()),
    };
    let users = api.query_once(&format!("SELECT Id FROM User WHERE {who}")).await?;
    let users = ids(&users, "Id");
    if users.is_empty() {
        return Ok(found.nobody());
    }
    let deal = normalise_deal_id(crm, asked.deal);
    let roles = api
        .query(&format!(
            "SELECT ContactId FROM OpportunityContactRole WHERE OpportunityId = {} AND IsDeleted = false",
            soql::quote(deal.as_str())
        ))
        .await?;
    let contacts = ids(&roles, "ContactId");
    if contacts.is_empty() {
        return Ok(found.without_contacts());
    }
    let base = api.base().await?;
    for contacts in contacts.chunks(AT_ONCE) {
        let read = AskedContacts { asked, users: &users, contacts };
        for (what, result) in [
            ("tasks", read.tasks(api, &base, &mut found).await),
            ("events", read.events(api, &base, &mut found).await),
            ("e-mails", read.emails(api, &base, &mut found).await),
        ] {
            if let Err(failure) = result {
                found.unread(what, &failure);
            }
        }
    }
    Ok(found.finish())
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
    let read = AskedContacts { asked: &asked, users: &nobody, contacts: &nobody };
    let mut found = FoundActivities::new("Salesforce", &asked);
    let access = "Give the app's user read access to the object and these fields, and View All \
                  Data or the sharing that shows it the CSMs' records.";
    let enhanced = "Turn on Enhanced Email in Setup and give the app's user access to Email \
                    Messages; without it an e-mail counts where it is logged as a task.";
    [
        ("Task", read.tasks(api, &base, &mut found).await, access),
        ("Event", read.events(api, &base, &mut found).await, access),
        ("EmailMessage", read.emails(api, &base, &mut found).await, enhanced),
    ]
    .into_iter()
    .map(|(object, result, help)| {
        shows_touches(format!("salesforce: read {object}"), "it shows", result, help)
    })
    .collect()
}

fn ids(records: &[Value], field: &str) -> Vec<String> {
    let mut ids: Vec<String> = records.iter().filter_map(|record| text(record, field)).collect();
    ids.sort();
    ids.dedup();
    ids
}

struct AskedContacts<'a> {
    asked: &'a ActivitiesOf<'a>,
    users: &'a [String],
    contacts: &'a [String],
}

impl AskedContacts<'_> {
    /// The user's, with one of the contacts, touched since the signature.
    fn condition(&self) -> String {
        format!(
            "OwnerId IN {} AND WhoId IN {} AND IsDeleted = false AND SystemModstamp >= {}",
            soql::list(self.users.iter().map(String::as_str)),
            soql::list(self.contacts.iter().map(String::as_str)),
            soql::moment(self.asked.since)
        )
    }

    /// Completed ones: when one was completed the org says, the day that it is
    /// due people write.
    async fn tasks(
        &self,
        api: &SalesforceApi,
        base: &str,
        found: &mut FoundActivities<'_>,
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT Id, TaskSubtype, Type, CompletedDateTime, CreatedDate FROM Task WHERE {} \
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
            add(found, kind, base, "Task", &task, &["CompletedDateTime", "CreatedDate"]);
        }
        Ok(())
    }

    /// An event has no outcome: one in a calendar that has passed is a meeting.
    async fn events(
        &self,
        api: &SalesforceApi,
        base: &str,
        found: &mut FoundActivities<'_>,
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT Id, StartDateTime, EndDateTime, CreatedDate FROM Event WHERE {}",
            self.condition()
        );
        for event in api.query(&soql).await? {
            // One that still goes on is not over.
            let ends = text(&event, "EndDateTime").and_then(|text| time(&text));
            if ends.is_none_or(|ends| ends <= self.asked.until) {
                add(found, ActivityKind::Meeting, base, "Event", &event, &["StartDateTime"]);
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
        found: &mut FoundActivities<'_>,
    ) -> Result<(), Failure> {
        let soql = format!(
            "SELECT EmailMessageId, EmailMessage.MessageDate, EmailMessage.CreatedDate, \
             EmailMessage.Status, EmailMessage.FromAddress, EmailMessage.CreatedById \
             FROM EmailMessageRelation WHERE RelationId IN {} \
             AND RelationType IN ('ToAddress', 'CcAddress') AND IsDeleted = false \
             AND EmailMessage.Incoming = false AND EmailMessage.MessageDate >= {}",
            soql::list(self.contacts.iter().map(String::as_str)),
            soql::moment(self.asked.since)
        );
        for relation in api.query(&soql).await? {
            let mut email = relation["EmailMessage"].clone();
            // 5 is a draft.
            if email["Status"] == "5" {
                continue;
            }
            let by = |id: String| self.users.contains(&id);
            let is_own = match (text(&email, "FromAddress"), &self.asked.by.email) {
                (Some(sender), Some(_)) => is_address_of(&sender, self.asked.by),
                _ => text(&email, "CreatedById").is_some_and(by),
            };
            if is_own {
                email["Id"] = relation["EmailMessageId"].clone();
                add(found, ActivityKind::Email, base, "EmailMessage", &email, &["MessageDate"]);
            }
        }
        Ok(())
    }
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
