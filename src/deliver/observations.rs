//! What people did at one target, gathered act by act.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::command::Command;
use super::{MovedDeadline, Observed, ReadBack};
use crate::brief::EventKind;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Observations {
    observed: Vec<Observed>,
    remarks: BTreeSet<String>,
    deadline: Option<MovedDeadline>,
}

impl Observations {
    pub(super) fn see(
        &mut self,
        kind: EventKind,
        at: DateTime<Utc>,
        by: &str,
        url: &str,
        reason: Option<String>,
    ) {
        let (by, reference) = (by.to_owned(), url.to_owned());
        self.observed.push(Observed { kind, at, by, reference, reason });
    }

    /// What a comment says. A command alone says nothing about the customer;
    /// any other comment is a touch.
    pub(super) fn comment(&mut self, text: &str, at: DateTime<Utc>, by: &str, url: &str) {
        match Command::read(text) {
            Some(Command::Accept) => self.see(EventKind::Accepted, at, by, url, None),
            Some(Command::Return(reason)) => self.see(EventKind::Returned, at, by, url, reason),
            None => self.see(EventKind::Touched, at, by, url, None),
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

    /// The first touch and every verdict, oldest first.
    pub(super) fn into_read_back(mut self) -> ReadBack {
        self.observed
            .sort_by(|a, b| (a.at, a.kind, &a.reference).cmp(&(b.at, b.kind, &b.reference)));
        let mut touched = false;
        self.observed
            .retain(|act| act.kind != EventKind::Touched || !std::mem::replace(&mut touched, true));
        ReadBack::Seen {
            observed: self.observed,
            deadline: self.deadline,
            remarks: self.remarks.into_iter().collect(),
        }
    }
}
