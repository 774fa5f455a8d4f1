//! What people did about a delivery, read back from its target: the commands
//! they write, what counts, and in which order.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::messages::answer;
use super::sink::{DeliveryError, Handoff};
use crate::brief::EventKind;
use crate::model::is_same_person;
use crate::text;

/// Something a person did at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// What it is for the handoff: touched, accepted or returned.
    pub kind: EventKind,
    /// When, by the target's clock.
    pub at: DateTime<Utc>,
    /// The person, as the target names them.
    pub by: String,
    /// Where it can be seen; the same at every reading, so that it is
    /// recorded once.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Why, in their words; for a return.
    pub reason: Option<String>,
}

/// A deadline of the first touch that a person set at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedDeadline {
    /// The deadline; of a day its end.
    pub due: DateTime<Utc>,
    /// When it was set, by the target's clock, where the target says so.
    pub at: Option<DateTime<Utc>>,
    /// Who set it, where the target says so.
    pub by: Option<String>,
    /// Where it can be seen.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// Somebody else whom a person gave the task to at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reassigned {
    /// The login, address or name that the target knows them by.
    pub to: String,
    /// When, by the target's clock.
    pub at: DateTime<Utc>,
    /// Who did it, where the target says so.
    pub by: Option<String>,
    /// Where it can be seen.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// The tasks of an onboarding project, without the first touch, which has a
/// deadline and findings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Onboarding {
    /// Where they can be seen.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How many there are.
    pub tasks: usize,
    /// Those that are not done.
    pub open: Vec<OpenTask>,
}

/// A task that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenTask {
    /// What it is called there.
    pub name: String,
    /// When it is due; of a day its end.
    pub due: Option<DateTime<Utc>>,
}

/// What one reading came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// The task is there, and this is what people did, oldest first.
    Seen {
        /// What they did, oldest first.
        observed: Vec<Observed>,
        /// The deadline that stands there now, where a person has set it.
        deadline: Option<MovedDeadline>,
        /// Whom the task belongs to now, where a person has changed it.
        assigned: Option<Reassigned>,
        /// The tasks of the onboarding project, where there are some.
        onboarding: Option<Box<Onboarding>>,
        /// What was seen, was not counted, and should be known.
        remarks: Vec<String>,
    },
    /// The task is gone for good, or where other people have other rights. What
    /// people did is not known, and asking again tells no more.
    Gone {
        /// What became of the task.
        why: String,
        /// What to do.
        help: String,
    },
    /// The task is not where it was. What people did is not known; it is not
    /// known to be nothing.
    Unknown {
        /// What became of the task.
        why: String,
        /// What to do.
        help: String,
    },
}

impl ReadBack {
    /// Of what is not where it was, or may not be seen.
    pub(super) fn gone(why: String, what: &str) -> Self {
        let help = format!(
            "check the account's access; if {what} is gone, record what was done with `handoff touch`, `accept` or `return`"
        );
        Self::Unknown { why, help }
    }
}

/// One target that what people did is read back from.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The event whose reference names the task, `task_opened`.
    fn event(&self) -> EventKind;

    /// The sink's name in timelines; what is read is recorded under it.
    fn via(&self) -> &'static str;

    /// Reads what people did about the task that a reference names.
    ///
    /// # Errors
    /// When the target cannot be asked, or what it says cannot be read.
    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError>;
}

/// Somebody who did something, as far as it matters whether it counts.
pub struct Actor<'a> {
    /// What the place knows them by: a login, an id, or what they call themselves.
    pub id: &'a str,
    /// Their name, for people.
    pub name: &'a str,
    /// Whether it is a person and not an app or a bot.
    pub is_person: bool,
    /// Whether the place says that they have no part in it.
    pub is_outsider: bool,
}

/// Somebody at a target.
pub(super) struct TargetUser {
    pub id: String,
    pub name: String,
    pub is_person: bool,
}

impl TargetUser {
    /// `None` for what the target did itself.
    pub(super) fn of(id: &Value, name: Option<String>, is_person: bool) -> Option<Self> {
        let id = id.as_str()?.to_owned();
        Some(Self { name: name.unwrap_or_else(|| id.clone()), id, is_person })
    }

    /// Nobody there is known to have no part in it.
    pub(super) fn actor(&self) -> Actor<'_> {
        let Self { id, name, is_person } = self;
        Actor { id, name, is_person: *is_person, is_outsider: false }
    }
}

/// Whose acts count in one handoff: the same answer for every target and for
/// the command line. Each person by all that they are known by.
#[derive(Debug, Default)]
pub struct Roles {
    /// The account that handoff itself uses.
    pub own: Option<String>,
    /// The CSM.
    pub csm: Vec<String>,
    /// The rep.
    pub rep: Vec<String>,
}

impl Roles {
    /// The roles as the brief names people, for what is said at the command line.
    #[must_use]
    pub fn of_brief(brief: &Value) -> Self {
        let words = |at: &str| {
            let of = |name| answer(brief, &format!("{at}.{name}"));
            ["github", "email", "name"].into_iter().filter_map(of).collect()
        };
        Self { own: None, csm: words("first_action.owner"), rep: words("deal.owner") }
    }

    /// Whether somebody's accepting, returning and touching counts.
    ///
    /// # Errors
    /// With the reason why not; `None` for a machine, of which nothing need be
    /// said.
    pub fn counts(&self, actor: &Actor<'_>) -> Result<(), Option<String>> {
        let is = |word: &String| is_same_person(word, actor.id);
        let is_csm = self.csm.iter().any(is);
        let name = text::quoted(actor.name);
        if !actor.is_person {
            Err(None)
        } else if self.own.as_ref().is_some_and(is) {
            Err(Some(format!(
                "handoff uses the account of {name}, so their acts cannot be told apart from handoff's: not counted; give handoff an app or an account of its own"
            )))
        } else if is_csm {
            Ok(())
        } else if actor.is_outsider {
            Err(Some(format!("{name} has no part in the repository: not counted")))
        } else if self.rep.iter().any(is) {
            Err(Some(format!(
                "{name} is the rep, who cannot accept, return or touch their own handoff: not counted"
            )))
        } else {
            Ok(())
        }
    }
}

/// What was seen so far at one target.
pub(super) struct Observations {
    roles: Roles,
    observed: Vec<Observed>,
    remarks: BTreeSet<String>,
    deadline: Option<MovedDeadline>,
    assigned: Option<Reassigned>,
    onboarding: Option<Onboarding>,
}

impl Observations {
    pub(super) fn new(roles: Roles) -> Self {
        let (observed, remarks) = (Vec::new(), BTreeSet::new());
        Self { roles, observed, remarks, deadline: None, assigned: None, onboarding: None }
    }

    /// An act, where it is of somebody whose acts count.
    pub(super) fn see(
        &mut self,
        kind: EventKind,
        actor: &Actor<'_>,
        at: DateTime<Utc>,
        url: &str,
        reason: Option<String>,
    ) {
        match self.roles.counts(actor) {
            Ok(()) => {
                let (by, reference) = (actor.name.to_owned(), url.to_owned());
                self.observed.push(Observed { kind, at, by, reference, reason });
            }
            Err(why) => self.remarks.extend(why),
        }
    }

    /// What a comment asks for. One without a command says nothing about the
    /// customer: it counts for nothing.
    pub(super) fn comment(&mut self, words: &str, actor: &Actor<'_>, at: DateTime<Utc>, url: &str) {
        match CommentCommand::read(words) {
            Some(CommentCommand::Accept) => self.see(EventKind::Accepted, actor, at, url, None),
            Some(CommentCommand::Return(reason)) => {
                self.see(EventKind::Returned, actor, at, url, reason);
            }
            Some(CommentCommand::Touched) => self.see(EventKind::Touched, actor, at, url, None),
            None => {}
        }
    }

    /// What was seen, was not counted, and should be known.
    pub(super) fn remark(&mut self, remark: String) {
        self.remarks.insert(remark);
    }

    /// The deadline that stands at the target because somebody set it.
    pub(super) fn deadline(&mut self, moved: MovedDeadline) {
        self.deadline = Some(moved);
    }

    /// Whom somebody gave the task to.
    pub(super) fn assigned(&mut self, assigned: Reassigned) {
        self.assigned = Some(assigned);
    }

    /// A task of the onboarding project.
    pub(super) fn task(&mut self, reference: &str, is_done: bool, task: OpenTask) {
        let onboarding = self.onboarding.get_or_insert_with(|| Onboarding {
            reference: reference.to_owned(),
            tasks: 0,
            open: Vec::new(),
        });
        onboarding.tasks += 1;
        if !is_done {
            onboarding.open.push(task);
        }
    }

    /// Whether it is handoff's own account.
    pub(super) fn is_own(&self, id: &str) -> bool {
        self.roles.own.as_ref().is_some_and(|own| is_same_person(own, id))
    }

    /// Whether it is the CSM's account.
    pub(super) fn is_csm(&self, id: &str) -> bool {
        self.roles.csm.iter().any(|csm| is_same_person(csm, id))
    }

    /// What people did, oldest first.
    pub(super) fn into_read_back(mut self) -> ReadBack {
        self.observed
            .sort_by(|a, b| (a.at, a.kind, &a.reference).cmp(&(b.at, b.kind, &b.reference)));
        ReadBack::Seen {
            observed: self.observed,
            deadline: self.deadline,
            assigned: self.assigned,
            onboarding: self.onboarding.map(Box::new),
            remarks: self.remarks.into_iter().collect(),
        }
    }
}

/// When the handoff was last given to somebody: what a person did at a target
/// before is overtaken.
pub(super) fn last_assigned(handoff: &Handoff) -> Option<DateTime<Utc>> {
    handoff.timeline.last(EventKind::Assigned).map(|event| event.at)
}

/// What a comment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommentCommand {
    /// The handoff is accepted.
    Accept,
    /// It goes back to the rep, with the reason where one is given.
    Return(Option<String>),
    /// The CSM says that they have contacted the customer.
    Touched,
}

impl CommentCommand {
    /// Reads the first line of a comment. Whoever gives the reason of a
    /// return on the lines below is understood, too. A quotation or a code
    /// block is no command.
    pub(super) fn read(comment: &str) -> Option<Self> {
        let comment = comment.trim_start_matches(['\u{FEFF}', '\n', '\r']);
        let (first, below) = comment.split_once('\n').unwrap_or((comment, ""));
        // Four blanks begin a code block.
        if first.starts_with("    ") || first.starts_with('\t') {
            return None;
        }
        let (word, rest) = match first.trim().split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (first.trim(), ""),
        };
        let word = word.trim_end_matches(['.', ':', '!', ',']).to_ascii_lowercase();
        match word.as_str() {
            "/accept" => Some(Self::Accept),
            "/touched" => Some(Self::Touched),
            "/return" => {
                let reason = if rest.is_empty() { below.trim() } else { rest };
                let reason = text::shorten(&text::one_line(reason), 1_000);
                Some(Self::Return((!reason.is_empty()).then_some(reason)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_a_comment_commands() {
        let returned = |reason: &str| Some(CommentCommand::Return(Some(reason.to_owned())));
        let cases = [
            ("/accept", Some(CommentCommand::Accept)),
            ("\r\n /Accept.\r\nThank you", Some(CommentCommand::Accept)),
            ("/accept, all clear", Some(CommentCommand::Accept)),
            ("/return wrong customer\nmore", returned("wrong customer")),
            ("/return: `rm -rf`\u{202E} @team <b>", returned("`rm -rf` @team <b>")),
            ("/return\n\nthe metric has\nno target\n", returned("the metric has no target")),
            ("/return", Some(CommentCommand::Return(None))),
            ("/touched, called Dana", Some(CommentCommand::Touched)),
            ("Touched", None),
            ("/accepted", None),
            ("/returning soon", None),
            ("please /accept", None),
            ("> /accept", None),
            ("    /accept", None),
            ("```\n/accept\n```", None),
            ("Hello\n/accept", None),
            ("", None),
        ];
        for (comment, command) in cases {
            assert_eq!(CommentCommand::read(comment), command, "{comment:?}");
        }
    }
}
