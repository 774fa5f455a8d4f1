//! What every sink can do, and what it is given beside its settings and secrets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::links::Links;
use super::message_kind::Reminder;
use super::templates::Templates;
use crate::brief::{ChangedAnswer, ChangedData, EventKind, Timeline};
use crate::model::{Check, CrmTasks, Key};
use crate::time::Clock;

/// Who does a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The owner of the first action.
    Csm,
    /// The owner of the deal.
    Rep,
}

/// One onboarding task of one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnboardingTask {
    /// What to do, on one line.
    pub what: String,
    /// By when.
    pub due: NaiveDate,
    /// By whom.
    pub who: Option<Who>,
}

/// One answer a brief does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The question, 1 to 7.
    pub question: u8,
    /// The field, dotted: `success.primary_goal`.
    pub field: String,
    /// Whom to ask, such as the rep's name.
    pub ask: Option<String>,
    /// A good answer, on one line.
    pub example: Option<String>,
}

/// A signed brief as the sinks see it. Everything in `brief` is customer text
/// and must be made harmless for the medium it goes to (`crate::text`).
#[derive(Debug, Clone, Serialize)]
pub struct Handoff {
    /// The handoff.
    pub key: Key,
    /// Its folder in the ledger, `briefs/2026/11/acme-corp--hubspot-1`.
    pub folder: String,
    /// The brief as JSON, after DESIGN.md §3.
    pub brief: Value,
    /// The brief rendered for people: the folder's README.md.
    pub readme: String,
    /// The bytes of brief.yaml.
    pub brief_yaml: String,
    /// What happened so far.
    pub timeline: Timeline,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// What changed since the CSM returned it, where it was resubmitted.
    pub changes: Vec<ChangedAnswer>,
    /// What else changed since people were last told, such as the deal's owner.
    pub changed_data: Vec<ChangedData>,
    /// The brief as it was when people were last told, where that is known.
    pub told: Option<Value>,
    /// The git blob of the brief's file, hex.
    pub brief_blob: Option<String>,
    /// A link to the folder on the forge, where the remote is known.
    pub url: Option<String>,
    /// The commit that holds it, hex.
    pub commit: String,
}

impl Handoff {
    /// Who had the first action when people were last told, if it is somebody
    /// else now.
    #[must_use]
    pub fn previous_owner(&self) -> Option<&Value> {
        let owner = |brief: &Value| brief.pointer("/first_action/owner").cloned();
        let before = self.told.as_ref()?.pointer("/first_action/owner")?;
        let now = owner(&self.brief).unwrap_or_default();
        // The same person may have got an address since.
        let same = ["github", "email", "name"].into_iter().any(|name| {
            let of = |owner: &Value| owner[name].as_str().map(str::to_lowercase);
            of(before).is_some() && of(before) == of(&now)
        });
        (!same).then_some(before)
    }

    /// Whether the brief's deadline is another than people were last told.
    #[must_use]
    pub fn due_changed(&self) -> bool {
        let due = |brief: &Value| brief.pointer("/first_action/due").cloned();
        self.told.as_ref().is_some_and(|told| due(told) != due(&self.brief))
    }
}

/// What can be found again of a delivery that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// A URL or id.
    pub reference: String,
    /// When it was made by the target's clock, if that is known.
    pub at: Option<DateTime<Utc>>,
    /// What a person should know: `assigned to nobody: samlee may not be assigned`.
    pub remark: Option<String>,
}

impl Mark {
    /// With what a person should know, if anything.
    pub(super) fn new(
        reference: impl Into<String>,
        at: Option<DateTime<Utc>>,
        remarks: &[String],
    ) -> Self {
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Self { reference: reference.into(), at, remark }
    }
}

/// A branch that people are asked to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchRequest {
    /// The handoff that it is about.
    pub key: Key,
    /// The branch, on the remote.
    pub branch: String,
    /// The title, on one line.
    pub title: String,
    /// The text, Markdown in which customer text is harmless.
    pub body: String,
}

/// Opens pull requests of branches that are no drafts and no tasks.
#[async_trait]
pub trait BranchRequests: Send + Sync {
    /// Opens one, once for each branch.
    ///
    /// # Errors
    /// When it cannot be opened, or it is not known whether it was.
    async fn open_request(&self, request: &BranchRequest) -> Result<Mark, DeliveryError>;
}

/// A message that belongs to no handoff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever it is sent again: letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// The addresses it goes to; none where it is posted.
    pub to: Vec<String>,
    /// The sink that posts it, by its `via`.
    pub post: Option<&'static str>,
    /// The subject, on one line.
    pub title: String,
    /// The text, plain and harmless.
    pub body: String,
}

/// Why a delivery was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again will not help: bad credentials, a refused field, a bad address.
    #[error("{message}")]
    Permanent {
        /// What was refused, in the target's words, without secrets.
        message: String,
        /// What to do.
        help: String,
    },
    /// Not made, and later may work.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// How long the target asks to wait.
        retry_after: Option<Duration>,
    },
    /// It may or may not have been made: look before trying again.
    #[error("{message}")]
    Unclear {
        /// What happened.
        message: String,
    },
}

impl DeliveryError {
    /// What trying again will not fix, and what to do.
    #[must_use]
    pub fn permanent(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Permanent { message: message.into(), help: help.into() }
    }

    /// What was not made, and may work later.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }

    /// What may or may not have been made.
    #[must_use]
    pub fn unclear(message: impl Into<String>) -> Self {
        Self::Unclear { message: message.into() }
    }

    /// A check of `doctor` that failed because of it; `otherwise` is the remedy
    /// where the target names none.
    pub(super) fn as_check(&self, what: impl Into<String>, otherwise: &str) -> Check {
        let help = match self {
            Self::Permanent { help, .. } => help,
            Self::Transient { .. } | Self::Unclear { .. } => otherwise,
        };
        Check::failed(what, self.to_string(), help)
    }
}

/// One target of deliveries.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The event recorded when it is done; with `via` it identifies the delivery.
    fn event(&self) -> EventKind;

    /// The sink's name in timelines, `github`, `slack`, `outbox`.
    fn via(&self) -> &'static str;

    /// Whether an earlier delivery can be found again. Where it cannot, an
    /// unclear outcome is settled by [`Sink::repeats_when_unclear`].
    fn can_look_up(&self) -> bool {
        true
    }

    /// Whether it is to be made again whenever the brief is another than the
    /// one it was made of; for targets whose fields are kept in line.
    fn follows_brief(&self) -> bool {
        false
    }

    /// Whether what it makes is kept in line by a sink that follows the brief.
    fn is_followed_up(&self) -> bool {
        false
    }

    /// What tells two deliveries of the same event through the same sink
    /// apart; empty where there is only one.
    fn subject(&self) -> &str {
        ""
    }

    /// A sink that sends this reminder the way this one sends; `None` where
    /// people are not reminded that way.
    fn for_reminder(&self, _: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
        None
    }

    /// Sends a message that belongs to no handoff; whether it did, which it does
    /// not where such messages do not go out this way.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn notify(&self, notice: &Notice) -> Result<bool, DeliveryError> {
        let _ = notice;
        Ok(false)
    }

    /// Whether it makes onboarding tasks that it knows afterwards.
    fn has_onboarding(&self) -> bool {
        false
    }

    /// The onboarding tasks that it has made, each with what it is known by.
    fn onboarding(&self, _: &Handoff) -> Vec<(String, OnboardingTask)> {
        Vec::new()
    }

    /// Which of the onboarding tasks are not done, by what they are known by.
    ///
    /// # Errors
    /// When the target cannot be asked; then nothing is known.
    async fn open_tasks(&self, _: &Handoff) -> Result<Vec<String>, DeliveryError> {
        Ok(Vec::new())
    }

    /// Whether it reports the timeline, and so comes after all others are recorded.
    fn reports_what_is_recorded(&self) -> bool {
        false
    }

    /// For sinks that cannot look: whether to send again after an unclear
    /// outcome (at least once) or not (at most once).
    fn repeats_when_unclear(&self) -> bool {
        false
    }

    /// How long after an unclear outcome the target's own index may lag, so
    /// that looking sooner would see nothing.
    fn look_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// One line for `--dry-run`: what would be made.
    fn describe(&self, handoff: &Handoff) -> String;

    /// Looks for the mark of an earlier delivery of this handoff.
    ///
    /// # Errors
    /// When the target cannot be asked; then nothing is made.
    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    /// Makes the delivery and leaves a mark that [`Sink::look_up`] finds.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError>;

    /// Brings what was made in line with a brief that has changed since, where
    /// that is no delivery of its own; one line where something was done.
    ///
    /// # Errors
    /// See [`DeliveryError`]; nothing is lost, the next run tries again.
    async fn keep_up(&self, _: &Handoff) -> Result<Option<String>, DeliveryError> {
        Ok(None)
    }

    /// Secret, permission, channel, template, …, for `doctor`. Offline, only
    /// what can be said without asking the target.
    async fn checks(&self, _: bool) -> Vec<Check> {
        Vec::new()
    }
}

/// The business calendar as a value: so many working days after a moment.
pub type WorkingDays = Arc<dyn Fn(DateTime<Utc>, u32) -> NaiveDate + Send + Sync>;

/// The surroundings of the sinks: texts, clock, calendar, folders.
#[derive(Clone)]
pub struct SinkContext {
    /// The texts that leave.
    pub templates: Templates,
    /// The time zone in which deadlines are told.
    pub timezone: Tz,
    /// Tells the time when a request is signed or a mail dated.
    pub clock: Clock,
    /// Counts working days for the onboarding tasks.
    pub working_days: WorkingDays,
    /// The ledger's folder, from which relative folders are meant.
    pub folder: PathBuf,
    /// Makes the links to a person's page; `None` where nothing serves it.
    pub links: Option<Links>,
    /// The tasks of the CRM that deals come from; `None` where it has none.
    pub crm_tasks: Option<LentCrmTasks>,
}

/// The tasks of a CRM, as sinks and readers share them.
pub type LentCrmTasks = Arc<dyn CrmTasks<DeliveryError>>;

/// Turns the deadline of a target that knows days only into a moment, and
/// back, in the time zone in which deadlines are told.
#[derive(Debug, Clone, Copy)]
pub struct WholeDays(pub Tz);

impl WholeDays {
    /// The day of a moment.
    #[must_use]
    pub fn of(self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.0).date_naive()
    }

    /// The last second of a day: who has a day has all of it.
    #[must_use]
    pub fn end(self, day: NaiveDate) -> DateTime<Utc> {
        let next = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
        // At midnight a clock may be put forward; then the day ends an hour later.
        let local = self.0.from_local_datetime(&next).earliest();
        let local =
            local.or_else(|| self.0.from_local_datetime(&(next + TimeDelta::hours(1))).earliest());
        let end = local.map_or_else(|| next.and_utc(), |end| end.to_utc());
        end - TimeDelta::seconds(1)
    }

    /// Whether a day is the one that a moment was told as; the universal day
    /// counts too, as earlier versions wrote it.
    #[must_use]
    pub fn is_day_of(self, day: NaiveDate, moment: DateTime<Utc>) -> bool {
        day == self.of(moment) || day == moment.date_naive()
    }
}

impl SinkContext {
    /// Days as this place counts them.
    #[must_use]
    pub fn days(&self) -> WholeDays {
        WholeDays(self.timezone)
    }

    /// A deadline in words, with its zone: `Saturday 21 November 2026, 10:01
    /// EST (America/New_York)`.
    #[must_use]
    pub fn in_words(&self, moment: DateTime<Utc>) -> String {
        let local = moment.with_timezone(&self.timezone);
        let words = local.format("%A %-d %B %Y, %H:%M %Z").to_string();
        match self.timezone.name() {
            "UTC" | "Etc/UTC" => words,
            zone => format!("{words} ({zone})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_people_are() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let new_york = WholeDays(chrono_tz::America::New_York);
        assert_eq!(new_york.of(time("2026-11-21T02:00:00Z")), day("2026-11-20"));
        assert_eq!(new_york.end(day("2026-11-20")), time("2026-11-21T04:59:59Z"));
        assert!(new_york.is_day_of(day("2026-11-21"), time("2026-11-21T02:00:00Z")));
        assert!(!new_york.is_day_of(day("2026-11-22"), time("2026-11-21T02:00:00Z")));
        // Midnight does not exist on the day when Santiago puts its clocks forward.
        let santiago = WholeDays(chrono_tz::America::Santiago);
        assert_eq!(santiago.end(day("2026-09-05")), time("2026-09-06T03:59:59Z"));
    }
}
