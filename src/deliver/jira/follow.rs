//! The epic and its tasks follow a brief that changed: description, summary,
//! deadline, and who has the CSM's tasks.

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value, json};

use super::adf;
use super::api::{Api, JiraSettings, key_of};
use crate::brief::EventKind;
use crate::deliver::machine_part::{is_intact, is_seal, sealed};
use crate::deliver::messages::{Messages, answer};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::Medium;
use crate::http::Semantics;
use crate::text;

/// Brings the epic of each handoff in line with its brief. Setting the same
/// again changes nothing, so that nothing needs to be looked up.
pub(super) struct JiraFollow {
    pub(super) api: Api,
    pub(super) settings: JiraSettings,
    pub(super) messages: Messages,
}

impl JiraFollow {
    async fn put(&self, issue: &str, fields: Map<String, Value>) -> Result<(), DeliveryError> {
        if fields.is_empty() {
            return Ok(());
        }
        let path = format!("/issue/{issue}");
        let body = json!({"fields": fields});
        self.api.send(Semantics::Idempotent, Method::PUT, &path, Some(&body)).await
    }

    /// Gives the tasks of the CSM before to the new one.
    async fn reassign(
        &self,
        handoff: &Handoff,
        remarks: &mut Vec<String>,
    ) -> Result<(), DeliveryError> {
        let Some(before) = handoff.previous_owner() else { return Ok(()) };
        let Some(email) = answer(&handoff.brief, "first_action.owner.email") else {
            remarks.push("the tasks are not reassigned: the new CSM has no address".to_owned());
            return Ok(());
        };
        let Some(new) = self.api.account(&self.settings, &email).await? else {
            remarks.push(format!(
                "the tasks are not reassigned: Jira shows no single account of {}; name it in deliver.jira.accounts",
                text::quoted(&email)
            ));
            return Ok(());
        };
        let old = match before["email"].as_str() {
            Some(email) => self.api.account(&self.settings, email).await?,
            None => None,
        };
        let Some(old) = old else { return Ok(()) };
        let fields = ["assignee"];
        for issue in self.api.of_handoff(&self.settings, handoff, "", &fields).await? {
            let key = issue["key"].as_str().unwrap_or_default();
            if issue["fields"]["assignee"]["accountId"] == old.as_str() {
                let assignee = json!({"accountId": new});
                self.put(key, Map::from_iter([("assignee".to_owned(), assignee)])).await?;
            }
        }
        Ok(())
    }
}

/// The description with the machine's part replaced; `None` where people have
/// changed that part.
fn renewed(old: &Value, new: &str) -> Option<Value> {
    let blocks = old["content"].as_array()?;
    let text = |blocks: &[Value]| adf::plain(&json!({"content": blocks}));
    let at = blocks.iter().position(|block| is_seal(&text(std::slice::from_ref(block))))?;
    let (above, rest) = blocks.split_at_checked(at)?;
    let (seal, below) = rest.split_at_checked(1)?;
    if !is_intact(&text(above), &text(seal)) {
        return None;
    }
    let mut document = adf::document(&sealed(new), &[]);
    document["content"].as_array_mut()?.extend(below.iter().cloned());
    Some(document)
}

#[async_trait]
impl Sink for JiraFollow {
    fn event(&self) -> EventKind {
        EventKind::CsmTold
    }

    fn via(&self) -> &'static str {
        "jira"
    }

    fn follows_brief(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        "bring the Jira epic in line with the brief".to_owned()
    }

    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let mut events = handoff.timeline.events.iter().rev();
        let started = events.find(|it| it.event == EventKind::ProjectStarted && it.via == "jira");
        let reference = started.and_then(|event| event.reference.clone()).unwrap_or_default();
        let Some(epic) = key_of(&reference) else {
            return Err(DeliveryError::Transient {
                message: "there is no epic in Jira yet".to_owned(),
                retry_after: None,
            });
        };
        let path = format!("/issue/{epic}?fields=summary,description");
        let there = self.api.read(&path).await?;
        let message = self.messages.project(handoff, Medium::Plain)?;
        let (mut fields, mut remarks) = (Map::new(), Vec::new());
        let summary = text::shorten(&message.title, 250);
        if there["fields"]["summary"] != summary.as_str() {
            fields.insert("summary".to_owned(), json!(summary));
        }
        let old = &there["fields"]["description"];
        match renewed(old, &message.body) {
            Some(new) if adf::plain(&new) == adf::plain(old) => {}
            Some(new) => drop(fields.insert("description".to_owned(), new)),
            None => remarks.push("the epic's description is left as people changed it".to_owned()),
        }
        if handoff.due_changed()
            && let Some(due) = self.messages.due_day(handoff)
        {
            fields.insert("duedate".to_owned(), json!(due));
        }
        self.put(&epic, fields).await?;
        self.reassign(handoff, &mut remarks).await?;
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok(Mark { reference, at: None, remark })
    }
}
