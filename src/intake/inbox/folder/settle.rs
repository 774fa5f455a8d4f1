//! Taking events in hand, and what becomes of them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::SystemTime;

use chrono::{DateTime, Days, Utc};

use super::listing::names_in;
use super::spool::Spool;
use crate::intake::inbox::envelope::{EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::Claimed;
use crate::model::DocumentKind;

/// So many files are made before the oldest events are processed.
const AT_ONCE: usize = 256;
/// So long a delivery that comes again is recognised.
const REMEMBERED: Days = Days::new(30);

impl Spool {
    /// Takes at most so many events in hand that are due, oldest first. One
    /// that cannot be read goes to `failed/`.
    ///
    /// # Errors
    /// When the folders cannot be read or written.
    pub fn claim(&self, now: DateTime<Utc>, most: usize) -> Result<Vec<Claimed>, InboxError> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            if let Err(error) = self.make_files(AT_ONCE) {
                tracing::error!(%error, "what came last cannot be processed yet");
            }
            queue.extend(self.due(now)?.into_iter().map(|(_, name)| name));
        }
        let mut claimed = Vec::new();
        while claimed.len() < most
            && let Some(name) = queue.pop_front()
        {
            let from = self.file(EventState::New, &name);
            let path = self.in_hand(&name)?;
            match fs::rename(&from, &path) {
                Ok(()) => {}
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(InboxError::io("taking in hand", &from)(error)),
            }
            match Self::read(&path) {
                Ok(envelope) => claimed.push(Claimed::new(envelope)),
                Err(error) => {
                    tracing::error!(event = %name, %error, "an event cannot be read and is put aside");
                    let failed = self.file(EventState::Failed, &name);
                    fs::rename(&path, &failed).map_err(InboxError::io("putting aside", &failed))?;
                }
            }
        }
        Ok(claimed)
    }

    /// Returns everything that this process has in hand, after something went
    /// wrong between taking and settling; gives how many events.
    ///
    /// # Errors
    /// When the files cannot be moved.
    pub fn give_all_back(&self) -> Result<usize, InboxError> {
        let claims = self.with_claims(|claims| Ok(claims.path.clone()))?;
        let mut returned = 0;
        for (name, _) in names_in(&claims)? {
            let to = self.file(EventState::New, &name);
            fs::rename(claims.join(name.file()), &to).map_err(InboxError::io("moving to", &to))?;
            returned += 1;
        }
        Ok(returned)
    }

    /// The events that are due, oldest first, with the time they were due.
    pub(super) fn due(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SystemTime, EventName)>, InboxError> {
        let latest = SystemTime::from(now);
        let mut due = Vec::new();
        for (name, modified) in self.names(EventState::New)? {
            if modified <= latest {
                due.push((modified, name));
            }
        }
        due.sort();
        Ok(due)
    }

    /// Returns an event that was not touched.
    ///
    /// # Errors
    /// When its file cannot be moved; the next start returns it.
    pub fn give_back(&self, claimed: &Claimed) -> Result<(), InboxError> {
        self.move_to(EventState::New, &claimed.envelope.name())
    }

    /// Puts an event in hand where it belongs now, as its envelope says.
    ///
    /// # Errors
    /// When its file cannot be written or moved; the next start returns it.
    pub fn settle(&self, claimed: &Claimed, to: EventState) -> Result<(), InboxError> {
        // What is done has not changed since it was read, but for what it says about others.
        if to != EventState::Done || claimed.envelope.says_more_when_done() {
            self.rewrite(claimed)?;
        }
        self.move_to(to, &claimed.envelope.name())
    }

    /// Forgets what was done long ago; gives how many events.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn prune(&self, now: DateTime<Utc>) -> Result<usize, InboxError> {
        let Some(horizon) = now.checked_sub_days(REMEMBERED).map(SystemTime::from) else {
            return Ok(0);
        };
        let mut forgotten = 0;
        for (name, modified) in self.names(EventState::Done)? {
            if modified < horizon {
                let path = self.file(EventState::Done, &name);
                fs::remove_file(&path).map_err(InboxError::io("removing", &path))?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// Makes an event that failed, is held, or waits, due at once; a person may
    /// have said what kind of document it is.
    ///
    /// # Errors
    /// When it is none of these, or its file cannot be written.
    pub fn retry(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        decided: Option<DocumentKind>,
    ) -> Result<(), InboxError> {
        // What was ignored may be decided otherwise later.
        let (mut claimed, _) = self.take_up(name, decided.is_some())?;
        claimed.envelope.begin_anew(now, decided);
        self.rewrite(&claimed)?;
        self.move_to(EventState::New, name)
    }

    /// Gives an event up for good. It stays known for as long as those that
    /// were processed, so that the provider's own retry does not bring it back.
    ///
    /// # Errors
    /// When it is neither new, held nor failed, or its file cannot be written.
    pub fn discard(&self, name: &EventName, now: DateTime<Utc>) -> Result<(), InboxError> {
        let (mut claimed, state) = self.take_up(name, false)?;
        claimed.envelope.drop_by_hand(now, state);
        self.rewrite(&claimed)?;
        self.move_to(EventState::Done, name)
    }

    /// Takes an event in hand for a person, so that no worker has it meanwhile.
    fn take_up(&self, name: &EventName, done: bool) -> Result<(Claimed, EventState), InboxError> {
        if self.state_of(name)?.is_none() {
            self.make_all_files()?;
        }
        let mut state = self.state_of(name)?;
        // What a process had in hand that is gone is nobody's.
        if state == Some(EventState::Work) && self.recover()? > 0 {
            state = self.state_of(name)?;
        }
        let state = state.ok_or_else(|| InboxError::Unknown(name.to_string()))?;
        let may = matches!(state, EventState::New | EventState::Held | EventState::Failed);
        if !(may || done && state == EventState::Done) {
            return Err(InboxError::NotHere { id: name.to_string(), state: state.shown() });
        }
        let from = self.file(state, name);
        let envelope = Self::read(&from)?;
        let path = self.in_hand(name)?;
        fs::rename(&from, &path).map_err(InboxError::io("taking in hand", &from))?;
        Ok((Claimed::new(envelope), state))
    }

    fn rewrite(&self, claimed: &Claimed) -> Result<(), InboxError> {
        let scratch = self.with_claims(|claims| Ok(claims.scratch()))?;
        self.write_over(&scratch, &self.in_hand(&claimed.envelope.name())?, &claimed.envelope)
    }

    fn move_to(&self, state: EventState, name: &EventName) -> Result<(), InboxError> {
        let to = self.file(state, name);
        fs::rename(self.in_hand(name)?, &to).map_err(InboxError::io("moving to", &to))
    }

    /// Where an event is while this process has it in hand.
    fn in_hand(&self, name: &EventName) -> Result<PathBuf, InboxError> {
        self.with_claims(|claims| Ok(claims.path.join(name.file())))
    }
}
