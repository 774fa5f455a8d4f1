//! The CSM's first-touch task in the CRM that deals come from: on the deal and
//! its company, given to the CSM, due at the deadline. Its title ends with the
//! handoff's key in brackets, by which it is found again. It follows the brief,
//! and its completion is read back.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::follow::{Follow, Follows, ending, given_to, titled};
use super::machine_part;
use super::messages::{CRM_TASK as VIA, Messages, TaskForm, answer, due, due_at_target, signed_at};
use super::read_back::{
    Actor, MovedDeadline, Observations, ReadBack, Reader, Reassigned, Roles, last_assigned,
};
use super::row::{Made, ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds};
use super::sink::{DeliveryError, Handoff, LentCrmTasks, Mark, Sink, WholeDays};
use super::templates::Medium;
use crate::brief::{EventKind, View};
use crate::model::{
    Check, CrmTask, DealId, Person, Remarks, Secrets, TaskAct, TaskBody, TaskDeadline, TaskDue,
    TaskFields,
};
use crate::settings::SettingsReader;
use crate::text::{self, Look};

/// Salesforce takes 32,000 characters of text; the brief has everything.
const LONGEST: usize = 20_000;

/// `deliver.crm_task`: a task in the CRM that `crm:` names. Write
/// `crm_task: {}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CrmTaskSettings {}

pub(super) const ROW: SinkRow = SinkRow {
    name: VIA,
    title: "the CRM",
    // The CRM's own.
    secrets: &[],
    events: &[EventKind::TaskOpened, EventKind::CsmTold],
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<CrmTaskSettings>(),
};

fn lent(tasks: Option<&LentCrmTasks>) -> Result<LentCrmTasks, Vec<String>> {
    let none = "the task is made in the CRM, and `crm:` names none that has tasks (hubspot, salesforce, pipedrive)";
    tasks.cloned().ok_or_else(|| vec![none.to_owned()])
}

impl SinkSettings for CrmTaskSettings {
    fn sinks(&self, _: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let tasks = lent(messages.context().crm_tasks.as_ref())?;
        let opening = CrmTaskSink { tasks, messages: messages.clone() };
        let following = Follow(CrmTaskFollow(opening.clone()));
        Ok(vec![Box::new(opening), Box::new(following)])
    }

    fn reader(&self, _: &Secrets, context: &ReaderContext) -> Made<dyn Reader> {
        let tasks = lent(context.crm_tasks.as_ref())?;
        Ok(Some(Box::new(CrmTaskReader { tasks, days: context.days })))
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { reads_back: true, is_crm: true, ..WorkflowNeeds::default() }
    }

    fn task_form(&self) -> TaskForm {
        TaskForm::Crm
    }
}

/// Opens the task.
#[derive(Clone)]
struct CrmTaskSink {
    tasks: LentCrmTasks,
    messages: Messages,
}

impl CrmTaskSink {
    /// The deal that the brief names in this CRM.
    fn deal(&self, handoff: &Handoff) -> Result<DealId, DeliveryError> {
        let deal = View::of(&handoff.brief).deal();
        let deal = deal.filter(|(crm, _)| crm.as_str() == self.tasks.home().crm);
        deal.map(|(_, id)| id).ok_or_else(|| {
            DeliveryError::permanent(
                format!("the brief names no deal of {}", self.tasks.home().title),
                "put the deal's id on the document, and sign again",
            )
        })
    }

    /// The title, and the text in Markdown.
    fn words(&self, handoff: &Handoff) -> Result<(String, String), DeliveryError> {
        let message = self.messages.task(handoff, TaskForm::Crm, Medium::Markdown)?;
        let body = text::shorten(&message.body, LONGEST);
        Ok((titled(&text::one_line(&message.title), handoff), body))
    }

    fn sealed(&self, markdown: &str) -> String {
        match self.tasks.home().body {
            TaskBody::Html => machine_part::sealed_html(markdown, Look::Page),
            TaskBody::Plain => machine_part::sealed(&text::markdown_to_plain(markdown)),
        }
    }

    fn renewed(&self, old: &str, markdown: &str) -> Option<String> {
        match self.tasks.home().body {
            TaskBody::Html => machine_part::renewed_html(old, markdown, Look::Page),
            TaskBody::Plain => machine_part::renewed(old, &text::markdown_to_plain(markdown)),
        }
    }

    fn deadline(&self, handoff: &Handoff) -> Option<TaskDeadline> {
        let at = due(handoff)?;
        Some(TaskDeadline { at, day: self.messages.context().days().of(at) })
    }

    async fn user(&self, csm: Option<&Person>) -> Result<Option<String>, DeliveryError> {
        match csm {
            Some(csm) => self.tasks.user(csm).await,
            None => Ok(None),
        }
    }

    /// What to say of a CSM whom the CRM does not know.
    fn unknown(&self, csm: &Person) -> String {
        let who = csm.email.as_deref().or(csm.name.as_deref()).unwrap_or_default();
        format!(
            "{} has no single active user {}; give the CSM under team.csms the address of their user",
            self.tasks.home().title,
            text::quoted(who)
        )
    }
}

/// The owner of the first action, where the brief names one.
fn csm(handoff: &Handoff) -> Option<Person> {
    let of = |name: &str| answer(&handoff.brief, &format!("first_action.owner.{name}"));
    let person = Person { name: of("name"), email: of("email") };
    (person != Person::default()).then_some(person)
}

#[async_trait]
impl Sink for CrmTaskSink {
    fn event(&self) -> EventKind {
        EventKind::TaskOpened
    }

    fn via(&self) -> &'static str {
        VIA
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    /// What hangs on a deal may be seen some seconds after it was made.
    fn look_lag(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let to = csm(handoff).and_then(|csm| csm.name.or(csm.email));
        let to = to.map_or_else(|| "nobody yet".to_owned(), |name| text::quoted(&name));
        format!("make a task on the deal in {}, given to {to}", self.tasks.home().title)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let found = self.tasks.find(&self.deal(handoff)?, &ending(handoff)).await?;
        Ok(found.map(|task| Mark::new(task.reference, task.created_at, &[])))
    }

    /// Makes the task; without its owner where the CRM refuses the person,
    /// which makes nothing.
    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let deal = self.deal(handoff)?;
        let (subject, body) = self.words(handoff)?;
        let signed = || {
            let at = signed_at(handoff)?;
            Some(TaskDeadline { at, day: self.messages.context().days().of(at) })
        };
        let fields = TaskFields {
            subject: Some(subject),
            body: Some(self.sealed(&body)),
            // HubSpot has no task without a date.
            due: self.deadline(handoff).or_else(signed),
            owner: None,
        };
        let (mut remarks, refused) = (Remarks::default(), "the task is assigned to nobody");
        let (made, unknown) = given_to(csm(handoff), refused, &mut remarks, |csm| {
            let (deal, mut fields) = (&deal, fields.clone());
            async move {
                fields.owner = self.user(csm.as_ref()).await?;
                let made = self.tasks.create(deal, &fields).await?;
                Ok((made, csm.filter(|_| fields.owner.is_none())))
            }
        })
        .await?;
        remarks.extend(unknown.map(|csm| format!("{refused}: {}", self.unknown(&csm))));
        Ok(Mark::new(made.reference, made.created_at, &remarks))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("crm_task: {}", self.tasks.home().title);
        if offline {
            return vec![Check::ok(what, "not tried, because this is offline")];
        }
        vec![match self.tasks.check().await {
            Ok(()) => Check::ok(what, "tasks may be read and written"),
            Err(error) => error.as_check(what, "run it again later"),
        }]
    }
}

/// The task follows a brief that changed: title, text, owner and deadline.
struct CrmTaskFollow(CrmTaskSink);

#[async_trait]
impl Follows for CrmTaskFollow {
    const VIA: &'static str = VIA;
    const OPENED: EventKind = EventKind::TaskOpened;

    fn what(&self) -> String {
        format!("the task in {}", self.0.tasks.home().title)
    }

    fn nothing_yet(&self) -> String {
        format!("there is no task in {} yet", self.0.tasks.home().title)
    }

    async fn renew(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<Option<Mark>, DeliveryError> {
        let Some(there) = self.0.tasks.read(reference).await? else {
            return Err(DeliveryError::permanent(
                format!("the task {reference} is not in {} any more", self.0.tasks.home().title),
                "restore it there, or record what was done by hand",
            ));
        };
        let mut remarks = Remarks::default();
        let (subject, markdown) = self.0.words(handoff)?;
        let body = self.0.renewed(&there.body, &markdown);
        if body.is_none() {
            remarks.push("the task's text is left as people changed it".to_owned());
        }
        let fields = TaskFields {
            subject: Some(subject).filter(|subject| *subject != there.subject),
            body: body.filter(|body| *body != there.body),
            due: self.0.deadline(handoff).filter(|_| handoff.due_changed()),
            owner: None,
        };
        let new = csm(handoff).filter(|_| handoff.previous_owner().is_some());
        let refused = "the task is not assigned to the new CSM";
        let unknown = given_to(new, refused, &mut remarks, |csm| {
            let mut fields = fields.clone();
            async move {
                fields.owner = self.0.user(csm.as_ref()).await?;
                self.0.tasks.change(reference, &fields).await?;
                Ok(csm.filter(|_| fields.owner.is_none()))
            }
        })
        .await?;
        remarks.extend(unknown.map(|csm| format!("{refused}: {}", self.0.unknown(&csm))));
        Ok(Some(Mark::new(reference, None, &remarks)))
    }
}

/// Reads what people did about the task.
struct CrmTaskReader {
    tasks: LentCrmTasks,
    days: WholeDays,
}

/// Somebody by what roles know them by.
fn actor<'a>(person: &'a Person, is_machine: bool) -> Actor<'a> {
    let name = person.name.as_deref().or(person.email.as_deref()).unwrap_or_default();
    let id = person.email.as_deref().unwrap_or(name);
    Actor { id, name, is_person: !is_machine, is_outsider: false }
}

impl CrmTaskReader {
    /// Its completion. Where the CRM does not say whose act that was, it is
    /// taken for that of whoever has the task, and the reason says so.
    fn completion(&self, task: &CrmTask, seen: &mut Observations) {
        let Some(TaskAct { at, by, is_machine }) = &task.done else { return };
        let told = by.as_ref().or(task.owner.as_ref());
        let Some(person) = told else {
            seen.remark(format!(
                "the task was completed in {}, which does not say by whom: not counted; record it with `handoff touch`",
                self.tasks.home().title
            ));
            return;
        };
        let reason = by.is_none().then(|| {
            format!(
                "completed in {}, which says whose task it is and not who did it",
                self.tasks.home().title
            )
        });
        let actor = actor(person, *is_machine);
        seen.see(EventKind::Touched, &actor, *at, &task.reference, reason);
    }

    /// A deadline that is none of those that handoff has set.
    fn deadline(&self, handoff: &Handoff, task: &CrmTask, seen: &mut Observations) {
        let Some(there) = task.due else { return };
        let known = [
            due_at_target(handoff, VIA),
            due(handoff),
            signed_at(handoff).filter(|_| due(handoff).is_none()),
        ];
        let is_known = |known: &DateTime<Utc>| match there {
            TaskDue::At(at) => at.timestamp() == known.timestamp(),
            TaskDue::Day(day) => self.days.is_day_of(day, *known),
        };
        let act = task.due_set.as_ref();
        // A machine's act is handoff's own; without one, a brief that changed
        // and is not told yet would look like somebody's act.
        let is_ours = act.map_or_else(|| handoff.due_changed(), |act| act.is_machine);
        if is_ours || known.iter().flatten().any(is_known) {
            return;
        }
        let due = match there {
            TaskDue::At(at) => at,
            TaskDue::Day(day) => self.days.end(day),
        };
        let by = act.and_then(|act| act.by.clone()).and_then(|by| by.name.or(by.email));
        let (at, reference) = (act.map(|act| act.at), task.reference.clone());
        seen.deadline(MovedDeadline { due, at, by, reference });
    }

    /// Another owner than handoff has set.
    fn owner(&self, handoff: &Handoff, task: &CrmTask, seen: &mut Observations) {
        let (Some(owner), Some(act)) = (&task.owner, &task.owner_set) else { return };
        let is = |other: &Option<Person>| other.as_ref().is_some_and(|it| it.is_same(owner));
        // A person's own entry in a history is proof; a change of anything at
        // all has to be later than handoff's.
        let since = if act.by.is_some() { TimeDelta::zero() } else { TimeDelta::minutes(1) };
        let written = handoff.timeline.events.iter().rev().find(|it| it.via == VIA).map(|it| it.at);
        let is_later = |at: DateTime<Utc>| act.at > at + since;
        if act.is_machine
            || is(&csm(handoff))
            || is(&task.own)
            || handoff.previous_owner().is_some()
            || !last_assigned(handoff).is_none_or(is_later)
            || !written.is_none_or(is_later)
        {
            return;
        }
        let Some(to) = owner.email.clone().or_else(|| owner.name.clone()) else { return };
        let by = act.by.clone().and_then(|by| by.name.or(by.email));
        seen.assigned(Reassigned { to, at: act.at, by, reference: task.reference.clone() });
    }
}

#[async_trait]
impl Reader for CrmTaskReader {
    fn event(&self) -> EventKind {
        EventKind::TaskOpened
    }

    fn via(&self) -> &'static str {
        VIA
    }

    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError> {
        let Some(task) = self.tasks.read(reference).await? else {
            let why = format!(
                "the task {reference} is not in {} any more, or the account may not see it",
                self.tasks.home().title
            );
            return Ok(ReadBack::gone(why, "the task"));
        };
        let own = task.own.as_ref().map(|own| actor(own, false).id.to_owned());
        let mut seen = Observations::new(Roles { own, ..Roles::of_brief(&handoff.brief) });
        self.completion(&task, &mut seen);
        self.deadline(handoff, &task, &mut seen);
        self.owner(handoff, &task, &mut seen);
        Ok(seen.into_read_back())
    }
}
