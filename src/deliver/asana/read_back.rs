//! What people did about the first-touch task of the onboarding project:
//! comments, its completion, its deadline, whom it was given to.
//! <https://developers.asana.com/reference/getstoriesfortask>

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::{AsanaApi, is_ours};
use crate::brief::EventKind;
use crate::deliver::messages::{answer, due_at_target};
use crate::deliver::read_back::{
    MovedDeadline, Observations, OpenTask, ReadBack, Reader, Reassigned, Roles, TargetUser,
    last_assigned,
};
use crate::deliver::sink::{DeliveryError, Handoff, WholeDays};
use crate::text;

/// What Asana says of what is not there, or may not be seen.
const HIDDEN: [u16; 2] = [403, 404];

/// Reads the projects that handoff made.
pub(super) struct AsanaReader {
    api: AsanaApi,
    days: WholeDays,
    own: OnceCell<Option<String>>,
}

impl AsanaReader {
    pub(super) fn new(api: AsanaApi, days: WholeDays) -> Self {
        Self { api, days, own: OnceCell::new() }
    }

    async fn roles(&self, handoff: &Handoff) -> Result<Roles, DeliveryError> {
        let own = self.own.get_or_try_init(|| self.gid("me")).await?.clone();
        let gid_of = async |path: &str| match answer(&handoff.brief, path) {
            Some(email) => self.gid(&email).await,
            None => Ok(None),
        };
        let csm = gid_of("first_action.owner.email").await?.into_iter().collect();
        let rep = gid_of("deal.owner.email").await?.into_iter().collect();
        Ok(Roles { own, csm, rep })
    }

    /// The id of somebody that Asana knows by this address.
    async fn gid(&self, who: &str) -> Result<Option<String>, DeliveryError> {
        let who = percent_encoding::utf8_percent_encode(who, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/users/{who}?opt_fields=name");
        let user = self.api.json.read_if_there(&path, &HIDDEN).await?;
        Ok(user.and_then(|user| user["data"]["gid"].as_str().map(str::to_owned)))
    }

    /// The task's comments, and who moved its deadline.
    async fn first_touch_task(
        &self,
        project: &str,
        task: &Value,
        handoff: &Handoff,
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        let gid = task["gid"].as_str().unwrap_or_default();
        let path = format!(
            "/tasks/{gid}/stories?limit=100&opt_fields=created_at,created_by,created_by.name,resource_subtype,text,type"
        );
        let (mut moved, mut given) = (None, None);
        for story in self.api.all(&path).await? {
            let Some(at) = time(&story["created_at"]) else { continue };
            let kind = story["resource_subtype"].as_str().unwrap_or_default();
            if kind == "due_date_changed" {
                let by = person(&story["created_by"]);
                let is_own = by.as_ref().is_some_and(|by| seen.is_own(&by.id));
                moved = (!is_own).then_some((at, by));
            }
            if kind == "assigned" {
                let by = person(&story["created_by"]);
                given = by.filter(|by| !seen.is_own(&by.id)).map(|by| (at, by));
            }
            if (story["type"] == "comment" || kind == "comment_added")
                && let Some(by) = person(&story["created_by"])
            {
                let url = story_url(project, gid, story["gid"].as_str().unwrap_or_default());
                let words = story["text"].as_str().unwrap_or_default();
                seen.comment(words, &by.actor(), at, &url);
            }
        }
        if let Some((at, by)) = given
            && let Some(new) = person(&task["assignee"])
            && !seen.is_csm(&new.id)
            && last_assigned(handoff).is_none_or(|known| at > known)
        {
            let to = task["assignee"]["email"].as_str().map_or(new.name, str::to_owned);
            let reference = task_url(project, gid);
            seen.assigned(Reassigned { to, at, by: Some(by.name), reference });
        }
        let due = self.new_deadline(task, due_at_target(handoff, "asana"));
        if let (Some((at, by)), Some(due)) = (moved, due) {
            let (at, by) = (Some(at), by.map(|by| by.name));
            let reference = task_url(project, gid);
            seen.deadline(MovedDeadline { due, at, by, reference });
        }
        Ok(())
    }

    fn open_task(&self, task: &Value) -> OpenTask {
        let name = task["name"].as_str().unwrap_or_default();
        let day = || task["due_on"].as_str()?.parse().ok().map(|day| self.days.end(day));
        OpenTask { name: name.to_owned(), due: time(&task["due_at"]).or_else(day) }
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

/// A person of an answer; nothing for what Asana did itself.
fn person(value: &Value) -> Option<TargetUser> {
    let name = value["name"].as_str().map(text::one_line).filter(|name| !name.is_empty());
    TargetUser::of(&value["gid"], name, true)
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
pub(super) fn project_of(reference: &str) -> Option<String> {
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
            return unknown(format!("{} is not an Asana project", text::quoted(reference)));
        };
        let path = format!("/projects/{project}?opt_fields=name");
        let there = self.api.json.read_if_there(&path, &HIDDEN).await?;
        if there.is_none() {
            return unknown(format!(
                "the project {reference} is not there any more, or the token may not see it"
            ));
        }
        let mut seen = Observations::new(self.roles(handoff).await?);
        let path = format!(
            "/projects/{project}/tasks?limit=100&opt_fields=name,completed,completed_at,completed_by,completed_by.name,due_at,due_on,assignee,assignee.name,assignee.email"
        );
        for task in &self.api.all(&path).await? {
            if !is_ours(task, handoff) {
                // A task that does not say whether it is done proves nothing.
                if let Some(is_done) = task["completed"].as_bool() {
                    seen.task(reference, is_done, self.open_task(task));
                }
                continue;
            }
            if let Some(at) = time(&task["completed_at"])
                && let Some(by) = person(&task["completed_by"])
            {
                let url = task_url(&project, task["gid"].as_str().unwrap_or_default());
                seen.see(EventKind::Touched, &by.actor(), at, &url, None);
            }
            self.first_touch_task(&project, task, handoff, &mut seen).await?;
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
