//! The task in a CRM that is kept in memory: what is written into it, what
//! people change, and hostile text.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use handoff::brief::EventKind;
use handoff::deliver::{DeliveryError, Handoff, Sink, SinkContext, build};
use handoff::model::{CrmTask, CrmTasks, DealId, Person, TaskBody, TaskDue, TaskFields, TaskHome};
use serde_json::json;

use super::sample::{deliver_config, handoff, hostile, secrets, site, time};

/// A CRM with one task at most; `refuses_owner` as one whose user has left.
pub(crate) struct Tasks {
    body: TaskBody,
    pub(crate) held: Mutex<Option<CrmTask>>,
    refuses_owner: bool,
}

impl Tasks {
    pub(crate) fn new(body: TaskBody) -> Self {
        Self { body, held: Mutex::new(None), refuses_owner: false }
    }
}

fn refusal() -> DeliveryError {
    DeliveryError::Permanent { message: "42 is not a valid owner".to_owned(), help: String::new() }
}

/// A user, who is known by their address.
fn user(id: &str) -> Person {
    Person { email: Some(id.to_owned()), ..Person::default() }
}

#[async_trait]
impl CrmTasks<DeliveryError> for Tasks {
    fn home(&self) -> TaskHome {
        TaskHome { crm: "hubspot", title: "HubSpot", body: self.body }
    }

    async fn user(&self, person: &Person) -> Result<Option<String>, DeliveryError> {
        Ok(person.email.clone())
    }

    async fn find(&self, _: &DealId, ending: &str) -> Result<Option<CrmTask>, DeliveryError> {
        let held = self.held.lock().unwrap().clone();
        Ok(held.filter(|task| task.subject.ends_with(ending)))
    }

    async fn read(&self, _: &str) -> Result<Option<CrmTask>, DeliveryError> {
        Ok(self.held.lock().unwrap().clone())
    }

    async fn create(&self, _: &DealId, fields: &TaskFields) -> Result<CrmTask, DeliveryError> {
        if self.refuses_owner && fields.owner.is_some() {
            return Err(refusal());
        }
        let mut held = self.held.lock().unwrap();
        assert!(held.is_none(), "a second task");
        let task = CrmTask {
            reference: "https://crm.example/tasks/1".to_owned(),
            subject: fields.subject.clone().unwrap(),
            body: fields.body.clone().unwrap(),
            due: fields.due.map(|due| TaskDue::At(due.at)),
            owner: fields.owner.as_deref().map(user),
            ..CrmTask::default()
        };
        *held = Some(task.clone());
        Ok(task)
    }

    async fn change(&self, _: &str, fields: &TaskFields) -> Result<(), DeliveryError> {
        if self.refuses_owner && fields.owner.is_some() {
            return Err(refusal());
        }
        let mut held = self.held.lock().unwrap();
        let task = held.as_mut().unwrap();
        let TaskFields { subject, body, due, owner } = fields.clone();
        task.subject = subject.unwrap_or_else(|| task.subject.clone());
        task.body = body.unwrap_or_else(|| task.body.clone());
        task.due = due.map(|due| TaskDue::At(due.at)).or(task.due);
        task.owner = owner.as_deref().map(user).or_else(|| task.owner.clone());
        Ok(())
    }

    async fn check(&self) -> Result<(), DeliveryError> {
        Ok(())
    }
}

fn sinks(tasks: &Arc<Tasks>) -> Vec<Box<dyn Sink>> {
    let folder = tempfile::tempdir().expect("a folder");
    let site = SinkContext { crm_tasks: Some(tasks.clone()), ..site(folder.path()) };
    let config = deliver_config(&json!({"crm_task": {}})).expect("a configuration");
    build(&config, &secrets(&[]), &site).expect("sinks can be built")
}

fn opened(mut handoff: Handoff) -> Handoff {
    let mut event =
        handoff::brief::Event::new(time("2026-11-20T15:10:00Z"), EventKind::TaskOpened, "crm_task");
    event.reference = Some("https://crm.example/tasks/1".to_owned());
    handoff.timeline.events.push(event);
    handoff
}

#[tokio::test]
async fn customer_text_is_harmless_in_a_task_of_the_crm() {
    for body in [TaskBody::Html, TaskBody::Plain] {
        let tasks = Arc::new(Tasks::new(body));
        sinks(&tasks)[0].act(&hostile("hubspot-1")).await.expect("made");
        let task = tasks.held.lock().unwrap().clone().unwrap();
        assert!(task.subject.ends_with(" [hubspot-1]"), "{}", task.subject);
        assert!(task.subject.chars().count() <= 255, "Salesforce takes no more");
        for bad in ['\u{202E}', '\u{0}', '\u{1b}', '\r', '\n'] {
            assert!(!task.subject.contains(bad), "{bad:?} in {}", task.subject);
        }
        assert!(!task.body.contains('\u{202E}') && !task.body.contains('\u{0}'));
        if body == TaskBody::Html {
            for bad in ["<script", "<img", "href=\"javascript", "onload=x\"", "<!--"] {
                assert!(!task.body.contains(bad), "{bad} in {}", task.body);
            }
        }
        // Markup that is ours is none in a plain text.
        assert_eq!(task.body.contains("<strong>"), body == TaskBody::Html, "{}", task.body);
    }
}

#[tokio::test]
async fn the_task_follows_and_what_people_wrote_stays() {
    for body in [TaskBody::Html, TaskBody::Plain] {
        let tasks = Arc::new(Tasks::new(body));
        let sinks = sinks(&tasks);
        let before = handoff("hubspot-1");
        sinks[0].act(&before).await.expect("made");
        let found = sinks[0].look_up(&before).await.expect("asked").expect("it is there");
        assert_eq!(found.reference, "https://crm.example/tasks/1");
        let below = if body == TaskBody::Html { "<p>I called.</p>" } else { "\nI called." };
        tasks.held.lock().unwrap().as_mut().unwrap().body.push_str(below);
        let mut now = opened(handoff("hubspot-1"));
        now.told = Some(before.brief.clone());
        now.brief["first_action"]["due"] = json!("2026-11-25T15:00:00Z");
        now.brief["first_action"]["owner"] =
            json!({"name": "Kim Doe", "email": "kim@example.test"});
        let mark = sinks[1].act(&now).await.expect("in line");
        assert_eq!(mark.remark, None);
        let task = tasks.held.lock().unwrap().clone().unwrap();
        assert_eq!(task.due, Some(TaskDue::At(time("2026-11-25T15:00:00Z"))));
        assert_eq!(task.owner.unwrap().email.as_deref(), Some("kim@example.test"));
        assert!(task.body.contains("Kim Doe") && !task.body.contains("Ana CSM"), "{}", task.body);
        assert!(task.body.ends_with(below), "{}", task.body);
        // What people changed above stays theirs.
        let theirs = task.body.replace("Kim Doe", "Kim and Bo");
        tasks.held.lock().unwrap().as_mut().unwrap().body.clone_from(&theirs);
        let mark = sinks[1].act(&now).await.expect("in line");
        assert_eq!(mark.remark.as_deref(), Some("the task's text is left as people changed it"));
        assert_eq!(tasks.held.lock().unwrap().clone().unwrap().body, theirs);
    }
}

#[tokio::test]
async fn an_owner_who_is_refused_leaves_the_task_to_nobody_and_a_deal_elsewhere_is_named() {
    let tasks = Arc::new(Tasks { refuses_owner: true, ..Tasks::new(TaskBody::Html) });
    let sinks = sinks(&tasks);
    let mark = sinks[0].act(&handoff("hubspot-1")).await.expect("made");
    let remark = mark.remark.expect("it is said");
    assert_eq!(remark, "the task is assigned to nobody: 42 is not a valid owner");
    let mut other = handoff("pandadoc-1");
    other.brief["deal"]["crm"] = json!("salesforce");
    let refused = sinks[0].look_up(&other).await.expect_err("refused");
    assert_eq!(refused.to_string(), "the brief names no deal of HubSpot");
    // The task went while nobody looked.
    *tasks.held.lock().unwrap() = None;
    let gone = sinks[1].act(&opened(handoff("hubspot-1"))).await.expect_err("gone");
    assert!(gone.to_string().contains("is not in HubSpot any more"), "{gone}");
}
