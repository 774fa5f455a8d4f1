//! The CSM's first-touch task as CRMs keep it, in no vendor's words.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::deal::{DealId, Person};

/// When a task is due, as a CRM keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskDue {
    /// A moment.
    At(DateTime<Utc>),
    /// A day and no more.
    Day(NaiveDate),
}

/// When a task is to be due: each CRM takes what it can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskDeadline {
    /// The moment.
    pub at: DateTime<Utc>,
    /// Its day in the time zone in which deadlines are told.
    pub day: NaiveDate,
}

/// What a task is to say. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFields {
    /// The title, on one line.
    pub subject: Option<String>,
    /// The text, in the form that the CRM takes.
    pub body: Option<String>,
    /// The deadline.
    pub due: Option<TaskDeadline>,
    /// The id of the user whom it is given to.
    pub owner: Option<String>,
}

/// Something that was done to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskAct {
    /// When, as the CRM says.
    pub at: DateTime<Utc>,
    /// Who; `None` where the CRM does not say.
    pub by: Option<Person>,
    /// Whether an app or an automation did it.
    pub is_machine: bool,
}

/// A task as it stands in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrmTask {
    /// What it is known by: its address where it has one, else `activities/512`.
    pub reference: String,
    /// When it was made, where the CRM says so.
    pub created_at: Option<DateTime<Utc>>,
    /// The title.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The deadline.
    pub due: Option<TaskDue>,
    /// Whom it belongs to.
    pub owner: Option<Person>,
    /// The account that made it, which is handoff's own.
    pub own: Option<Person>,
    /// Its completion.
    pub done: Option<TaskAct>,
    /// The last time that its deadline was set, where the CRM keeps that.
    pub due_set: Option<TaskAct>,
    /// The last time that it was given to somebody, or else changed at all.
    pub owner_set: Option<TaskAct>,
}

/// What the text of a task is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskBody {
    /// HTML.
    Html,
    /// Plain text.
    Plain,
}

/// The CRM that tasks are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskHome {
    /// In keys and briefs, `hubspot`.
    pub crm: &'static str,
    /// For people, `HubSpot`.
    pub title: &'static str,
    /// What texts are written in.
    pub body: TaskBody,
}

/// The tasks of a CRM. `E` says why it did not do what was asked.
#[async_trait]
pub trait CrmTasks<E>: Send + Sync {
    /// The CRM.
    fn home(&self) -> TaskHome;

    /// The id of the one active user who is this person; `None` where there is
    /// none, or several.
    ///
    /// # Errors
    /// When the CRM does not answer.
    async fn user(&self, person: &Person) -> Result<Option<String>, E>;

    /// The task of a deal whose title ends so; of several the oldest.
    ///
    /// # Errors
    /// When it cannot be said whether there is one.
    async fn find(&self, deal: &DealId, ending: &str) -> Result<Option<CrmTask>, E>;

    /// The task that a reference names; `None` where there is none any more.
    ///
    /// # Errors
    /// When the CRM does not answer.
    async fn read(&self, reference: &str) -> Result<Option<CrmTask>, E>;

    /// Makes a task on a deal and its company; gives back what it is known by,
    /// and when it was made.
    ///
    /// # Errors
    /// When it was not made, or may have been.
    async fn create(&self, deal: &DealId, fields: &TaskFields) -> Result<CrmTask, E>;

    /// Changes a task; the same change again changes nothing.
    ///
    /// # Errors
    /// When it was not changed.
    async fn change(&self, reference: &str, fields: &TaskFields) -> Result<(), E>;

    /// Whether tasks can be read and written, for `doctor`; nothing is written.
    ///
    /// # Errors
    /// When they cannot.
    async fn check(&self) -> Result<(), E>;
}
