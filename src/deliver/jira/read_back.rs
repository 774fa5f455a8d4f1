//! What people did about the epic and its tasks: comments, the first task done
//! or given to somebody else, the epic's due date.

use async_trait::async_trait;
use chrono::NaiveDate;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::epic::EPIC;
use super::{JiraApi, adf, is_key, key_of, time};
use crate::brief::EventKind;
use crate::deliver::messages::{answer, due_at_target};
use crate::deliver::read_back::{
    MovedDeadline, Observations, OpenTask, ReadBack, Reader, Reassigned, Roles, TargetUser,
    last_assigned,
};
use crate::deliver::sink::{DeliveryError, Handoff, WholeDays};
use crate::text;

/// The step of the onboarding task that is the first touch.
const FIRST_TOUCH: &str = "task-1";

/// Reads the epics that handoff made.
pub(super) struct JiraReader {
    api: JiraApi,
    days: WholeDays,
    own: OnceCell<Option<String>>,
}

impl JiraReader {
    pub(super) fn new(api: JiraApi, days: WholeDays) -> Self {
        Self { api, days, own: OnceCell::new() }
    }

    async fn roles(&self, handoff: &Handoff) -> Result<Roles, DeliveryError> {
        let own = self
            .own
            .get_or_try_init(|| async {
                let me = self.api.json.read("/myself").await?;
                Ok::<_, DeliveryError>(me["accountId"].as_str().map(str::to_owned))
            })
            .await?
            .clone();
        let account = async |path: &str| match answer(&handoff.brief, path) {
            Some(email) => self.api.account(&email).await,
            None => Ok(None),
        };
        let csm = account("first_action.owner.email").await?.into_iter().collect();
        let rep = account("deal.owner.email").await?.into_iter().collect();
        Ok(Roles { own, csm, rep })
    }

    /// The first onboarding task, where it is done as done is meant.
    async fn first_touch_done(&self, handoff: &Handoff) -> Result<Option<String>, DeliveryError> {
        let (further, fields) = (" AND statusCategory = Done", ["status", "resolution"]);
        let done = self.api.of_handoff(handoff, further, &fields).await?;
        let first = done.iter().find(|issue| issue["properties"]["handoff"]["step"] == FIRST_TOUCH);
        let Some(first) = first else { return Ok(None) };
        // Jira has no state for it: these are the names of a new site's resolutions.
        let resolution = first["fields"]["resolution"]["name"].as_str().unwrap_or_default();
        let dropped = ["won't do", "won't fix", "duplicate", "cannot reproduce", "declined"];
        if dropped.contains(&resolution.to_lowercase().as_str()) {
            return Ok(None);
        }
        Ok(first["key"].as_str().filter(|key| is_key(key)).map(str::to_owned))
    }

    /// The last change of one field of an issue.
    async fn last_change(&self, key: &str, field: &str) -> Result<Option<Value>, DeliveryError> {
        let changes = self.api.all(&format!("/issue/{key}/changelog"), "values").await?;
        let has = |change: &Value| {
            let items = change["items"].as_array().into_iter().flatten();
            items.clone().any(|item| item["field"] == field)
        };
        Ok(changes.into_iter().rev().find(|change| has(change)))
    }

    /// The epic's due date, where a person has changed it.
    fn deadline(
        &self,
        (key, epic): (&str, &Value),
        change: &Value,
        handoff: &Handoff,
        seen: &Observations,
    ) -> Option<MovedDeadline> {
        let day: NaiveDate = epic["fields"]["duedate"].as_str()?.parse().ok()?;
        if due_at_target(handoff, "jira").is_some_and(|due| self.days.is_day_of(day, due)) {
            return None;
        }
        let author = &change["author"];
        let is_own = author["accountId"].as_str().is_some_and(|id| seen.is_own(id));
        (!is_own && is_person(author)).then(|| MovedDeadline {
            due: self.days.end(day),
            at: time(&change["created"]),
            by: name(author),
            reference: self.url(key, ""),
        })
    }

    async fn comments(&self, key: &str, seen: &mut Observations) -> Result<(), DeliveryError> {
        for comment in self.api.all(&format!("/issue/{key}/comment"), "comments").await? {
            let Some(at) = time(&comment["created"]) else { continue };
            if let Some(person) = author(&comment["author"]) {
                let url = self.url(key, &format!("?focusedCommentId={}", id(&comment)));
                seen.comment(&adf::plain(&comment["body"]), &person.actor(), at, &url);
            }
        }
        Ok(())
    }

    /// Whom a person gave the first onboarding task to, after it was last given
    /// to somebody.
    async fn assigned(
        &self,
        handoff: &Handoff,
        issues: &[Value],
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        let is_first = |issue: &&Value| issue["properties"]["handoff"]["step"] == FIRST_TOUCH;
        let Some(task) = issues.iter().find(is_first) else { return Ok(()) };
        let assignee = &task["fields"]["assignee"];
        let (Some(account), Some(key)) = (assignee["accountId"].as_str(), task["key"].as_str())
        else {
            return Ok(());
        };
        if seen.is_csm(account) || !is_key(key) {
            return Ok(());
        }
        let Some(change) = self.last_change(key, "assignee").await? else { return Ok(()) };
        let Some(at) = time(&change["created"]) else { return Ok(()) };
        let author = &change["author"];
        let is_own = author["accountId"].as_str().is_some_and(|id| seen.is_own(id));
        if is_own || !is_person(author) || last_assigned(handoff).is_some_and(|known| at <= known) {
            return Ok(());
        }
        let email = assignee["emailAddress"].as_str().map(str::to_owned);
        let configured = self.api.settings.accounts.iter().find(|(_, it)| *it == account);
        let email = email.or_else(|| configured.map(|(email, _)| email.clone()));
        seen.assigned(Reassigned {
            to: email.or_else(|| name(assignee)).unwrap_or_else(|| account.to_owned()),
            at,
            by: name(author),
            reference: self.url(key, ""),
        });
        Ok(())
    }

    /// The tasks behind the first touch. One that does not say whether it is
    /// done proves nothing.
    fn onboarding(&self, reference: &str, issues: &[Value], seen: &mut Observations) {
        for issue in issues {
            let step = issue["properties"]["handoff"]["step"].as_str();
            let category = issue["fields"]["status"]["statusCategory"]["key"].as_str();
            if let (Some(step), Some(category)) = (step, category)
                && step != EPIC
                && step != FIRST_TOUCH
            {
                let name = issue["fields"]["summary"].as_str().unwrap_or_default().to_owned();
                let day = issue["fields"]["duedate"].as_str().and_then(|day| day.parse().ok());
                let due = day.map(|day| self.days.end(day));
                seen.task(reference, category == "done", OpenTask { name, due });
            }
        }
    }

    fn url(&self, key: &str, rest: &str) -> String {
        self.api.page(&format!("{key}{rest}"))
    }
}

/// Somebody who did something.
fn author(who: &Value) -> Option<TargetUser> {
    TargetUser::of(&who["accountId"], name(who), is_person(who))
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
            return unknown(format!("{} is not a Jira issue", text::quoted(reference)));
        };
        let path = format!("/issue/{key}?fields=duedate,status");
        let Some(epic) = self.api.json.read_if_there(&path, &[404]).await? else {
            return unknown(format!("{key} is not there any more, or the account may not see it"));
        };
        // An issue that was moved to another project answers under its new key.
        if let Some(now) = epic["key"].as_str().filter(|now| *now != key) {
            return unknown(format!("{key} was moved to {}", text::quoted(now)));
        }
        let mut seen = Observations::new(self.roles(handoff).await?);
        self.comments(&key, &mut seen).await?;
        let dated = self.last_change(&key, "duedate").await?;
        let moved = dated.and_then(|change| self.deadline((&key, &epic), &change, handoff, &seen));
        if let Some(moved) = moved {
            seen.deadline(moved);
        }
        // It can only report a first touch that is not known yet.
        if handoff.timeline.first(EventKind::Touched).is_none()
            && let Some(task) = self.first_touch_done(handoff).await?
            && let Some(change) = self.last_change(&task, "status").await?
            && let (Some(at), Some(author)) = (time(&change["created"]), author(&change["author"]))
        {
            let url = self.url(&task, &format!("#history-{}", id(&change)));
            seen.see(EventKind::Touched, &author.actor(), at, &url, None);
        }
        let fields = ["assignee", "summary", "duedate", "status"];
        let issues = self.api.of_handoff(handoff, "", &fields).await?;
        self.onboarding(reference, &issues, &mut seen);
        self.assigned(handoff, &issues, &mut seen).await?;
        Ok(seen.into_read_back())
    }
}
