//! What every e-sign provider can do, and the types its door is made of.

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};

use super::answer::Answer;
use super::delivery_id::DeliveryId;
use super::error::{ParseError, Rejection};
use super::fetch::{FetchError, Fetcher};
use crate::facts::{ProviderName, Secrets, SignatureEvent};

/// The largest body any provider's notification may have. One megabyte is
/// ample without documents inside, and documents are never wanted here.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// One webhook request as it came, before anything about it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query without its `?`. It may hold a signature: keep it out of logs.
    pub query: Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A header's first value, trimmed, when it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// The content type with its parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a str> {
        self.header("content-type")
    }
}

/// What a believed request was for.
#[derive(Debug, Clone)]
pub enum Received {
    /// It tells of documents.
    Notification(Verified),
    /// It only tests the address (`callback_test`, a verification of intent):
    /// answer as accepted and do nothing.
    Handshake,
}

/// How much of a notification its sender's proof covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticity {
    /// Every byte of the body.
    Body,
    /// Not the body: the notification is a hint, and the provider's API is
    /// asked before anything is done (Dropbox Sign, Adobe Acrobat Sign).
    HintOnly,
}

/// A notification whose sender was verified. What acts takes this and nothing
/// less; its events come out through [`confirm`](super::confirm) alone, which
/// asks the provider's API where the proof does not cover the body.
#[derive(Debug, Clone)]
pub struct Verified {
    provider: ProviderName,
    delivery_id: DeliveryId,
    events: Vec<SignatureEvent>,
    authenticity: Authenticity,
}

impl Verified {
    /// A notification that `receive` has just verified.
    pub(super) fn new(
        provider: &'static str,
        delivery_id: DeliveryId,
        events: Vec<SignatureEvent>,
        authenticity: Authenticity,
    ) -> Self {
        let events = super::batch::collapse(events);
        Self { provider: ProviderName::new(provider), delivery_id, events, authenticity }
    }

    /// A notification somebody with access to this machine stands for: a file
    /// given to `sign`, or one read back from the inbox, which only verified
    /// requests get into. The one way to a `Verified` without a signature.
    #[must_use]
    pub fn vouched(
        provider: &dyn Provider,
        delivery_id: DeliveryId,
        events: Vec<SignatureEvent>,
        authenticity: Authenticity,
    ) -> Self {
        Self::new(provider.name(), delivery_id, events, authenticity)
    }

    /// Who sent it.
    #[must_use]
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// The delivery's identity: the same for every retry of it.
    #[must_use]
    pub fn delivery_id(&self) -> &DeliveryId {
        &self.delivery_id
    }

    /// Whether the body itself can be believed.
    #[must_use]
    pub fn authenticity(&self) -> Authenticity {
        self.authenticity
    }

    /// What it says, for logs and counts. To act on it, take what
    /// [`confirm`](super::confirm) gives.
    #[must_use]
    pub fn claims(&self) -> &[SignatureEvent] {
        &self.events
    }

    /// The parts, for `confirm`.
    pub(super) fn into_parts(self) -> (ProviderName, Vec<SignatureEvent>, Authenticity) {
        (self.provider, self.events, self.authenticity)
    }
}

/// One e-sign provider with its settings. Pure: no clock, no network, no file.
pub trait Provider: Send + Sync {
    /// The name in keys, URLs and briefs.
    fn name(&self) -> &'static str;

    /// The name people know it by, for messages.
    fn title(&self) -> &'static str;

    /// Other names it answers to in URLs and on the command line.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// The secrets that verify its requests, the needed one first. Without it
    /// every request is refused.
    fn secret_names(&self) -> &'static [&'static str];

    /// The secrets its API needs; empty when it has none that is asked.
    fn api_secret_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// How much of a notification its signature covers.
    fn authenticity(&self) -> Authenticity {
        Authenticity::Body
    }

    /// Whether a body looks like one of this provider's notifications.
    fn recognises(&self, body: &[u8]) -> bool;

    /// Verifies a request and reads it. Raw bytes, constant time, several keys.
    ///
    /// # Errors
    /// With the reason; [`Provider::rejected`] turns it into the answer.
    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Received, Rejection>;

    /// Reads a body without verifying it: a file somebody gave by hand, or one
    /// that was verified before it was stored.
    ///
    /// # Errors
    /// When it is not one of this provider's notifications.
    fn parse(
        &self,
        body: &[u8],
        content_type: Option<&str>,
    ) -> Result<Vec<SignatureEvent>, ParseError>;

    /// The answer that tells this provider it was heard.
    fn accepted(&self, request: &Request<'_>) -> Answer {
        let _ = request;
        Answer::ok()
    }

    /// The answer that tells this provider it was not; never 410, which some
    /// take as "unsubscribe".
    fn rejected(&self, rejection: &Rejection) -> Answer {
        Answer::refusal(rejection)
    }

    /// The provider's API, where it has one that is asked; `None` when it has
    /// none.
    ///
    /// # Errors
    /// When its secret or a setting it needs is missing.
    fn fetcher(&self, secrets: &Secrets) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        let _ = secrets;
        Ok(None)
    }
}
