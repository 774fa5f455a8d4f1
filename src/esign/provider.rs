//! What every e-sign provider can do, and what a verified notification is.

use chrono::{DateTime, Utc};

use super::api::{FetchError, Fetcher};
use super::{deal_refs, metadata};
use crate::http::Limits;
use crate::model::{
    DocumentId, ProviderName, ReferenceRule, Secrets, Signature, SignatureEvent, Signer,
};
use crate::settings::{DocumentRule, SettingsReader};
use crate::webhook::{DeliveryId, Malformed, Rejection, Request, Route};

/// One e-sign provider: all that the rest of the program has to know of it.
pub struct ProviderRow {
    /// Its key under `esign:` in `handoff.yaml`.
    pub name: &'static str,
    /// The name people know it by.
    pub title: &'static str,
    /// The names of all secrets it may read.
    pub secrets: &'static [&'static str],
    /// Its section of `handoff.yaml`, and how the provider is made of it.
    pub settings: SettingsReader<dyn ProviderSettings>,
    /// The events to switch on at the provider, in its own words.
    pub events: &'static [&'static str],
}

/// A provider's section of `handoff.yaml`, read and checked.
pub trait ProviderSettings: std::fmt::Debug + Send + Sync {
    /// The provider with these settings, and with the CRMs' rules for how
    /// documents name deals.
    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider>;

    /// Its own rules for which documents are contracts.
    fn documents(&self) -> &[DocumentRule];
}

impl<S: ProviderSettings + 'static> From<S> for Box<dyn ProviderSettings> {
    fn from(settings: S) -> Self {
        Box::new(settings)
    }
}

/// What a believed request was for.
#[derive(Debug, Clone)]
pub enum Received {
    /// It reports documents.
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
    told_by_api: &'static [&'static str],
}

impl Verified {
    /// A notification that `receive` has just verified.
    pub(super) fn new(
        provider: &'static str,
        delivery_id: DeliveryId,
        events: Vec<SignatureEvent>,
        authenticity: Authenticity,
    ) -> Self {
        let events = collapse(events);
        let provider = ProviderName::new(provider);
        Self { provider, delivery_id, events, authenticity, told_by_api: &[] }
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
        let told_by_api = provider.told_by_api();
        Self { told_by_api, ..Self::new(provider.name(), delivery_id, events, authenticity) }
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
    pub(super) fn into_parts(self) -> VerifiedParts {
        (self.provider, self.events, self.authenticity, self.told_by_api)
    }
}

/// Who sent a notification, its events, what the proof covers, and what only the API tells.
pub(super) type VerifiedParts =
    (ProviderName, Vec<SignatureEvent>, Authenticity, &'static [&'static str]);

/// One e-sign provider with its settings. Pure: no clock, no network, no file.
pub trait Provider: Route {
    /// The secrets its API needs; empty when it has none that is asked.
    fn api_secret_names(&self) -> &[&'static str] {
        &[]
    }

    /// The facts of a document that its notifications never hold and its API
    /// tells, as fields of a [`Signature`].
    fn told_by_api(&self) -> &'static [&'static str] {
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
    /// With the reason; [`Route::rejected`] turns it into the answer.
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
    ) -> Result<Vec<SignatureEvent>, Malformed>;

    /// The body without what must not lie on a disk: signing links, access
    /// codes, addresses, file contents, secrets. [`Provider::parse`] reads the
    /// same from it, whatever the content type.
    fn redact(&self, body: &[u8]) -> Vec<u8> {
        metadata::redacted(body, &[])
    }

    /// The provider's API, where it has one that is asked; `None` when it has
    /// none. The time for all its requests counts from here.
    ///
    /// # Errors
    /// When its secret or a setting it needs is missing.
    fn fetcher(
        &self,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        let _ = (secrets, limits);
        Ok(None)
    }
}

// What several notifications, or a notification and the API, say of one
// document, put together.

/// Several notifications in one request may say the same: leaves one event for
/// each document and kind. What a later one knows and the
/// first does not is kept.
pub(super) fn collapse(events: Vec<SignatureEvent>) -> Vec<SignatureEvent> {
    let mut kept: Vec<SignatureEvent> = Vec::with_capacity(events.len());
    for event in events {
        let same = kept.iter_mut().find(|other| {
            std::mem::discriminant(*other) == std::mem::discriminant(&event)
                && document_id(&event).is_some_and(|id| document_id(other) == Some(id))
        });
        match (same, event) {
            (
                Some(SignatureEvent::Completed(first) | SignatureEvent::Sent(first)),
                SignatureEvent::Completed(more) | SignatureEvent::Sent(more),
            ) => fill(first, more),
            (Some(_), _) => {}
            (None, event) => kept.push(event),
        }
    }
    kept
}

/// The signature an event is about.
pub(super) fn signature_of(event: &SignatureEvent) -> Option<&Signature> {
    match event {
        SignatureEvent::Completed(signature)
        | SignatureEvent::Sent(signature)
        | SignatureEvent::Voided { signature, .. } => Some(signature),
        SignatureEvent::Ignored { .. } => None,
    }
}

/// The same, to add what it lacks.
pub(super) fn signature_of_mut(event: &mut SignatureEvent) -> Option<&mut Signature> {
    match event {
        SignatureEvent::Completed(signature)
        | SignatureEvent::Sent(signature)
        | SignatureEvent::Voided { signature, .. } => Some(signature),
        SignatureEvent::Ignored { .. } => None,
    }
}

fn document_id(event: &SignatureEvent) -> Option<&DocumentId> {
    signature_of(event).map(|signature| &signature.document_id)
}

/// Fills what the first lacks from the second; what the first has stays.
pub(super) fn fill(signature: &mut Signature, more: Signature) {
    let absent: Vec<&str> = signature.absent_facts().collect();
    let unread = more.unread.into_iter().filter(|it| absent.contains(&it.fact));
    signature.unread.extend(unread);
    signature.document_name = signature.document_name.take().or(more.document_name);
    signature.signed_at = signature.signed_at.or(more.signed_at);
    signature.url = signature.url.take().or(more.url);
    signature.total = signature.total.take().or(more.total);
    signature.template = signature.template.take().or(more.template);
    signature.template_id = signature.template_id.take().or(more.template_id);
    signature.folder = signature.folder.take().or(more.folder);
    for tag in more.tags {
        if !signature.tags.contains(&tag) {
            signature.tags.push(tag);
        }
    }
    signature.sender = signature.sender.take().or(more.sender);
    signature.customer = signature.customer.take().or(more.customer);
    signature.test |= more.test;
    fill_signers(&mut signature.signers, more.signers);
    for reference in more.deal_refs {
        deal_refs::add(&mut signature.deal_refs, reference);
    }
    for (name, value) in more.metadata {
        signature.metadata.entry(name).or_insert(value);
    }
    for remark in more.remarks {
        if !signature.remarks.contains(&remark) {
            signature.remarks.push(remark);
        }
    }
}

/// The signers are matched by e-mail, else by name; a list that was empty is
/// taken whole.
fn fill_signers(signers: &mut Vec<Signer>, more: Vec<Signer>) {
    if signers.is_empty() {
        *signers = more;
        return;
    }
    for other in more {
        let same = |signer: &&mut Signer| match (&signer.email, &other.email) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            _ => signer.name.is_some() && signer.name == other.name,
        };
        if let Some(signer) = signers.iter_mut().find(same) {
            signer.name = signer.name.take().or(other.name);
            signer.email = signer.email.take().or(other.email);
            signer.role = signer.role.take().or(other.role);
            signer.signed_at = signer.signed_at.or(other.signed_at);
            signer.signed = signer.signed.or(other.signed);
        }
    }
}
