//! What people did about the epic and its tasks: comments, changes of status,
//! the epic's due date.

use async_trait::async_trait;
use chrono::NaiveDate;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use super::api::Api;
use super::{JiraSettings, adf, label, time};
use crate::brief::EventKind;
use crate::deliver::messages::{answer, due_at_target};
use crate::deliver::observations::Observations;
use crate::deliver::{DeliveryError, Handoff, MovedDeadline, ReadBack, Reader, WholeDays};
use crate::http::Semantics;
use crate::text;

/// Reads the epics that handoff made.
pub(super) struct JiraReader {
    api: Api,
    settings: JiraSettings,
    days: WholeDays,
    own: OnceCell<Option<String>>,
}

/// Whose acts count in one handoff, by account.
struct People {
    own: Option<String>,
    csm: Option<String>,
    rep: Option<String>,
}

impl JiraReader {
    pub(super) fn new(api: Api, settings: JiraSettings, days: WholeDays) -> Self {
        Self { api, settings, days, own: OnceCell::new() }
    }

    async fn people(&self, handoff: &Handoff) -> Result<People, DeliveryError> {
        let own = self
            .own
            .get_or_try_init(|| async {
                let me = self.api.read("/myself").await?;
                Ok::<_, DeliveryError>(me["accountId"].as_str().map(str::to_owned))
            })
            .await?
            .clone();
        let account = async |path: &str| match answer(&handoff.brief, path) {
            Some(email) => self.api.account(&self.settings, &email).await,
            None => Ok(None),
        };
        let csm = account("first_action.owner.email").await?;
        Ok(People { own, csm, rep: account("deal.owner.email").await? })
    }

    /// The tasks below the epic that somebody has begun.
    async fn begun(&self, handoff: &Handoff, epic: &str) -> Result<Vec<String>, DeliveryError> {
        let jql = format!(
            "project = \"{}\" AND labels = \"{}\" AND statusCategory != \"To Do\" ORDER BY created ASC",
            self.settings.project,
            label(handoff)
        );
        let mut begun = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut body = json!({"jql": jql, "fields": ["status"], "maxResults": 100});
            if let Some(token) = &token {
                body["nextPageToken"] = json!(token);
            }
            let search = "/search/jql";
            let page =
                self.api.ask(Semantics::Idempotent, Method::POST, search, Some(&body)).await?;
            let keys = page["issues"].as_array().into_iter().flatten();
            let keys = keys.filter_map(|issue| issue["key"].as_str());
            begun.extend(keys.filter(|key| *key != epic && is_key(key)).map(str::to_owned));
            let next = page["nextPageToken"].as_str().map(str::to_owned);
            if next.is_none() || next == token {
                return Ok(begun);
            }
            token = next;
        }
    }

    /// Changes of an issue's status are touches; gives the last change of its
    /// due date.
    async fn changes(
        &self,
        key: &str,
        people: &People,
        seen: &mut Observations,
    ) -> Result<Option<Value>, DeliveryError> {
        let mut dated = None;
        for change in self.api.all(&format!("/issue/{key}/changelog"), "values").await? {
            let Some(at) = time(&change["created"]) else { continue };
            let has = |field: &str| {
                let items = change["items"].as_array().into_iter().flatten();
                items.clone().any(|item| item["field"] == field)
            };
            if has("status")
                && let Some(by) = people.counted(&change["author"], seen)
            {
                let url = self.url(key, &format!("#history-{}", id(&change)));
                seen.see(EventKind::Touched, at, &by, &url, None);
            }
            if has("duedate") {
                dated = Some(change);
            }
        }
        Ok(dated)
    }

    /// The epic's due date, where a person has changed it.
    fn deadline(
        &self,
        (key, epic): (&str, &Value),
        change: &Value,
        handoff: &Handoff,
        people: &People,
    ) -> Option<MovedDeadline> {
        let day: NaiveDate = epic["fields"]["duedate"].as_str()?.parse().ok()?;
        if due_at_target(handoff, "jira").is_some_and(|due| self.days.is_day_of(day, due)) {
            return None;
        }
        let author = &change["author"];
        let is_own = people.own.as_deref().is_some_and(|own| author["accountId"] == own);
        (!is_own && is_person(author)).then(|| MovedDeadline {
            due: self.days.end(day),
            at: time(&change["created"]),
            by: name(author),
            reference: self.url(key, ""),
        })
    }

    async fn comments(
        &self,
        key: &str,
        people: &People,
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        for comment in self.api.all(&format!("/issue/{key}/comment"), "comments").await? {
            let Some(at) = time(&comment["created"]) else { continue };
            if let Some(by) = people.counted(&comment["author"], seen) {
                let url = self.url(key, &format!("?focusedCommentId={}", id(&comment)));
                seen.comment(&adf::plain(&comment["body"]), at, &by, &url);
            }
        }
        Ok(())
    }

    fn url(&self, key: &str, rest: &str) -> String {
        self.api.base().join(&format!("/browse/{key}{rest}"))
    }
}

impl People {
    /// The name of somebody whose acts count: a person, neither handoff
    /// itself nor the rep.
    fn counted(&self, who: &Value, seen: &mut Observations) -> Option<String> {
        let account = who["accountId"].as_str().filter(|_| is_person(who))?;
        let is = |other: &Option<String>| other.as_deref() == Some(account);
        let name = name(who).unwrap_or_else(|| account.to_owned());
        if is(&self.own) {
            seen.remark(format!(
                "handoff uses the account of {}, whose own acts cannot be told from it: not counted; give handoff an account of its own",
                text::quoted(&name)
            ));
            return None;
        }
        (!is(&self.rep) || is(&self.csm)).then_some(name)
    }
}

/// Apps and the customers of a service desk have accounts of other kinds.
fn is_person(who: &Value) -> bool {
    who["accountType"].as_str().is_none_or(|kind| kind == "atlassian")
}

fn name(who: &Value) -> Option<String> {
    who["displayName"].as_str().map(text::one_line).filter(|name| !name.is_empty())
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}

/// `ONB-12`; nothing else may stand in a path.
fn is_key(key: &str) -> bool {
    key.split_once('-').is_some_and(|(project, number)| {
        !project.is_empty()
            && project.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The issue's key in its address.
fn key_of(reference: &str) -> Option<String> {
    let url = Url::parse(reference).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let [.., "browse", key] = parts.as_slice() else { return None };
    is_key(key).then(|| (*key).to_owned())
}

#[async_trait]
impl Reader for JiraReader {
    fn event(&self) -> EventKind {
        EventKind::ProjectStarted
    }

    fn via(&self) -> &'static str {
        "jira"
    }

    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError> {
        let unknown = |why: String| Ok(ReadBack::gone(why, "the epic"));
        let Some(key) = key_of(reference) else {
            return unknown(format!("{} is no issue of Jira", text::quoted(reference)));
        };
        let path = format!("/issue/{key}?fields=duedate,status");
        let Some(epic) = self.api.read_if_there(&path).await? else {
            return unknown(format!("{key} is not there any more, or the account may not see it"));
        };
        // An issue that was moved to another project answers under its new key.
        if let Some(now) = epic["key"].as_str().filter(|now| *now != key) {
            return unknown(format!("{key} was moved to {}", text::quoted(now)));
        }
        let people = self.people(handoff).await?;
        let mut seen = Observations::default();
        self.comments(&key, &people, &mut seen).await?;
        let dated = self.changes(&key, &people, &mut seen).await?;
        let moved =
            dated.and_then(|change| self.deadline((&key, &epic), &change, handoff, &people));
        if let Some(moved) = moved {
            seen.deadline(moved);
        }
        // Tasks can only tell of a first touch that is not known yet.
        if handoff.timeline.first(EventKind::Touched).is_none() {
            for task in self.begun(handoff, &key).await? {
                self.changes(&task, &people, &mut seen).await?;
            }
        }
        Ok(seen.into_read_back())
    }
}

#[cfg(test)]
mod tests {
    use super::key_of;

    #[test]
    fn an_address_names_an_issue_or_nothing() {
        assert_eq!(key_of("https://acme.atlassian.net/browse/ONB-12").as_deref(), Some("ONB-12"));
        for nothing in [
            "",
            "ONB-12",
            "https://acme.atlassian.net/browse/",
            "https://x.example/browse/../a-1?x",
        ] {
            assert_eq!(key_of(nothing), None, "{nothing}");
        }
    }
}
