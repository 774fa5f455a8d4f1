//! What people did in the onboarding project: completed tasks, and comments
//! and the deadline of its first-touch task.
//! <https://developers.asana.com/reference/getstoriesfortask>

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::api::Api;
use super::is_ours;
use crate::brief::EventKind;
use crate::deliver::messages::{answer, due_at_target};
use crate::deliver::observations::Observations;
use crate::deliver::{DeliveryError, Handoff, MovedDeadline, ReadBack, Reader, WholeDays};
use crate::text;

/// Reads the projects that handoff made.
pub(super) struct AsanaReader {
    api: Api,
    days: WholeDays,
    own: OnceCell<Option<String>>,
}

/// Somebody who did something.
struct Person {
    gid: String,
    name: String,
}

/// Whose acts count in one handoff.
struct People {
    own: Option<String>,
    csm: Option<String>,
    rep: Option<String>,
}

impl AsanaReader {
    pub(super) fn new(api: Api, days: WholeDays) -> Self {
        Self { api, days, own: OnceCell::new() }
    }

    async fn people(&self, handoff: &Handoff) -> Result<People, DeliveryError> {
        let own = self.own.get_or_try_init(|| self.gid("me")).await?.clone();
        let gid_of = async |path: &str| match answer(&handoff.brief, path) {
            Some(email) => self.gid(&email).await,
            None => Ok(None),
        };
        let csm = gid_of("first_action.owner.email").await?;
        Ok(People { own, csm, rep: gid_of("deal.owner.email").await? })
    }

    /// The id of somebody that Asana knows by this address.
    async fn gid(&self, who: &str) -> Result<Option<String>, DeliveryError> {
        let who = percent_encoding::utf8_percent_encode(who, percent_encoding::NON_ALPHANUMERIC);
        let user = self.api.read_if_there(&format!("/users/{who}?opt_fields=name")).await?;
        Ok(user.and_then(|user| user["data"]["gid"].as_str().map(str::to_owned)))
    }

    /// The task's comments, and who moved its deadline.
    async fn first_touch_task(
        &self,
        project: &str,
        task: &Value,
        handoff: &Handoff,
        people: &People,
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        let gid = task["gid"].as_str().unwrap_or_default();
        let path = format!(
            "/tasks/{gid}/stories?limit=100&opt_fields=created_at,created_by,created_by.name,resource_subtype,text,type"
        );
        let mut moved = None;
        for story in self.api.all(&path).await? {
            let Some(at) = time(&story["created_at"]) else { continue };
            let kind = story["resource_subtype"].as_str().unwrap_or_default();
            if kind == "due_date_changed" {
                let by = person(&story["created_by"]);
                let is_own = by.as_ref().is_some_and(|by| people.own.as_ref() == Some(&by.gid));
                moved = (!is_own).then_some((at, by));
            }
            if (story["type"] == "comment" || kind == "comment_added")
                && let Some(by) = people.counted(&story["created_by"], seen)
            {
                let url = story_url(project, gid, story["gid"].as_str().unwrap_or_default());
                let words = story["text"].as_str().unwrap_or_default();
                seen.comment(words, at, &by.name, &url);
            }
        }
        let due = self.new_deadline(task, due_at_target(handoff, "asana"));
        if let (Some((at, by)), Some(due)) = (moved, due) {
            let (at, by) = (Some(at), by.map(|by| by.name));
            let reference = task_url(project, gid);
            seen.deadline(MovedDeadline { due, at, by, reference });
        }
        Ok(())
    }

    /// The task's deadline, where it is not the known one.
    fn new_deadline(&self, task: &Value, known: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        if let Some(due) = time(&task["due_at"]) {
            return (known.is_none_or(|known| known.timestamp() != due.timestamp())).then_some(due);
        }
        let day: NaiveDate = task["due_on"].as_str()?.parse().ok()?;
        let is_known = known.is_some_and(|known| self.days.is_day_of(day, known));
        (!is_known).then(|| self.days.end(day))
    }
}

impl People {
    /// Somebody whose acts count: neither handoff itself nor the rep.
    fn counted(&self, who: &Value, seen: &mut Observations) -> Option<Person> {
        let who = person(who)?;
        let is = |other: &Option<String>| other.as_ref() == Some(&who.gid);
        if is(&self.own) {
            seen.remark(format!(
                "handoff uses the token of {}, whose own acts cannot be told from it: not counted; give handoff an account of its own",
                text::quoted(&who.name)
            ));
            return None;
        }
        (!is(&self.rep) || is(&self.csm)).then_some(who)
    }
}

/// A person of an answer; nothing for what Asana did itself.
fn person(value: &Value) -> Option<Person> {
    let gid = value["gid"].as_str()?.to_owned();
    let name = value["name"].as_str().map(text::one_line).filter(|name| !name.is_empty());
    Some(Person { name: name.unwrap_or_else(|| gid.clone()), gid })
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn task_url(project: &str, task: &str) -> String {
    format!("https://app.asana.com/0/{project}/{task}")
}

fn story_url(project: &str, task: &str, story: &str) -> String {
    format!("{}/{story}", task_url(project, task))
}

/// The project's id in an address of Asana, old (`/0/12/list`) or new
/// (`/1/5/project/12`).
fn project_of(reference: &str) -> Option<String> {
    let url = Url::parse(reference).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let (["0", gid, ..] | ["1", _, "project", gid, ..]) = parts.as_slice() else { return None };
    (!gid.is_empty() && gid.bytes().all(|b| b.is_ascii_digit())).then(|| (*gid).to_owned())
}

#[async_trait]
impl Reader for AsanaReader {
    fn event(&self) -> EventKind {
        EventKind::ProjectStarted
    }

    fn via(&self) -> &'static str {
        "asana"
    }

    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError> {
        let unknown = |why: String| Ok(ReadBack::gone(why, "the project"));
        let Some(project) = project_of(reference) else {
            return unknown(format!("{} is no project of Asana", text::quoted(reference)));
        };
        let there = self.api.read_if_there(&format!("/projects/{project}?opt_fields=name")).await?;
        if there.is_none() {
            return unknown(format!(
                "the project {reference} is not there any more, or the token may not see it"
            ));
        }
        let people = self.people(handoff).await?;
        let mut seen = Observations::default();
        let path = format!(
            "/projects/{project}/tasks?limit=100&opt_fields=name,completed,completed_at,completed_by,completed_by.name,due_at,due_on"
        );
        for task in self.api.all(&path).await? {
            if let Some(at) = time(&task["completed_at"])
                && let Some(by) = people.counted(&task["completed_by"], &mut seen)
            {
                let url = task_url(&project, task["gid"].as_str().unwrap_or_default());
                seen.see(EventKind::Touched, at, &by.name, &url, None);
            }
            if is_ours(&task, handoff) {
                self.first_touch_task(&project, &task, handoff, &people, &mut seen).await?;
            }
        }
        Ok(seen.into_read_back())
    }
}

#[cfg(test)]
mod tests {
    use super::project_of;

    #[test]
    fn an_address_names_a_project_or_nothing() {
        for address in [
            "https://app.asana.com/0/12",
            "https://app.asana.com/0/12/list",
            "https://app.asana.com/1/5/project/12/list/99",
        ] {
            assert_eq!(project_of(address).as_deref(), Some("12"), "{address}");
        }
        for nothing in ["", "ONB-1", "https://app.asana.com/0/", "https://app.asana.com/0/../x"] {
            assert_eq!(project_of(nothing), None, "{nothing}");
        }
    }
}
