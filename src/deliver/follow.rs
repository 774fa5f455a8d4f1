//! Targets that hold tasks and projects: how what is made is found again, given
//! to somebody who may be refused, and kept in line with a brief that changed.

use async_trait::async_trait;

use super::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::brief::EventKind;
use crate::model::Remarks;
use crate::text;

/// The end of the titles of everything that belongs to a handoff.
pub(super) fn ending(handoff: &Handoff) -> String {
    format!("[{}]", handoff.key)
}

/// A title with that end.
pub(super) fn titled(title: &str, handoff: &Handoff) -> String {
    format!("{} {}", text::shorten(title, 120), ending(handoff))
}

/// Writes something that is given to a person; without them where the target
/// refuses the person, which writes nothing. The remark begins with `refused`.
pub(super) async fn given_to<P, T, F: Future<Output = Result<T, DeliveryError>>>(
    person: Option<P>,
    refused: &str,
    remarks: &mut Remarks,
    mut write: impl FnMut(Option<P>) -> F,
) -> Result<T, DeliveryError> {
    let is_given = person.is_some();
    match write(person).await {
        Err(DeliveryError::Permanent { message, .. }) if is_given => {
            remarks.push(format!("{refused}: {message}"));
            write(None).await
        }
        written => written,
    }
}

/// What is kept in line with a brief that changed. Setting the same again
/// changes nothing, so that nothing needs to be looked up unless it says more.
#[async_trait]
pub(super) trait Follows: Send + Sync {
    /// The sink's name in timelines.
    const VIA: &'static str;
    /// The event whose reference names what is kept in line.
    const OPENED: EventKind;

    /// What is kept in line, `the Asana project`.
    fn what(&self) -> String;

    /// What to say while there is no such thing.
    fn nothing_yet(&self) -> String;

    /// What names the one of a handoff.
    fn opened(handoff: &Handoff) -> Option<&str>
    where
        Self: Sized,
    {
        handoff.timeline.last_via(Self::OPENED, Self::VIA)?.reference.as_deref()
    }

    /// Looks for what was said of the change.
    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    /// Sets what differs; `None` where the reference names no such thing.
    async fn renew(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<Option<Mark>, DeliveryError>;
}

/// The sink of it.
pub(super) struct Follow<F>(pub(super) F);

#[async_trait]
impl<F: Follows> Sink for Follow<F> {
    fn event(&self) -> EventKind {
        EventKind::CsmTold
    }

    fn via(&self) -> &'static str {
        F::VIA
    }

    fn follows_brief(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("bring {} in line with the brief", self.0.what())
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        self.0.look_up(handoff).await
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let mark = match F::opened(handoff) {
            Some(reference) => self.0.renew(handoff, reference).await?,
            None => None,
        };
        mark.ok_or_else(|| DeliveryError::transient(self.0.nothing_yet()))
    }
}
