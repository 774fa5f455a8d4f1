//! Which sender a request is from, and what of it goes into the inbox.

use chrono::{DateTime, Utc};

use super::super::inbox::{Envelope, EventContent};
use super::super::worker::{Connections, DealsTold};
use crate::crm::Trigger;
use crate::esign::{Authenticity, Provider, Received};
use crate::model::{ProviderName, Secrets, SignatureEvent};
use crate::webhook::{DeliveryId, Rejection, Request, Route};

/// A sender's route.
#[derive(Clone, Copy)]
pub(super) enum SenderRoute<'a> {
    /// An e-sign provider, which reports signatures.
    Signatures(&'a dyn Provider),
    /// A CRM, which reports deals that may have been won.
    Deals(&'a dyn Trigger),
}

/// What a verified request was for.
pub(super) enum Admitted {
    /// It tested the address.
    Test,
    /// Nothing in it is of interest.
    Ignored(DeliveryId),
    /// It is to be kept.
    Kept(Box<Envelope>),
}

impl<'a> SenderRoute<'a> {
    /// The sender with this name or alias.
    pub(super) fn find(senders: &'a Connections, name: &str) -> Option<Self> {
        let deals = || senders.triggers.by_name(name).map(Self::Deals);
        senders.providers.by_name(name).map(Self::Signatures).or_else(deals)
    }

    /// The route itself.
    pub(super) fn route(self) -> &'a dyn Route {
        match self {
            Self::Signatures(provider) => provider,
            Self::Deals(trigger) => trigger,
        }
    }

    /// Verifies a request and tells what becomes of it.
    pub(super) fn admit(
        self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Admitted, Rejection> {
        match self {
            Self::Signatures(provider) => signatures(provider, request, secrets, now),
            Self::Deals(trigger) => deals(trigger, request, secrets, now),
        }
    }
}

/// The notification is kept without signing links, access codes and addresses.
fn signatures(
    provider: &dyn Provider,
    request: &Request<'_>,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<Admitted, Rejection> {
    let Received::Notification(verified) = provider.receive(request, secrets, now)? else {
        return Ok(Admitted::Test);
    };
    let ignored = |event: &SignatureEvent| matches!(event, SignatureEvent::Ignored { .. });
    if verified.authenticity() == Authenticity::Body && verified.claims().iter().all(ignored) {
        return Ok(Admitted::Ignored(verified.delivery_id().clone()));
    }
    Ok(Admitted::Kept(Box::new(Envelope::new(
        verified.provider().clone(),
        verified.delivery_id(),
        request.content_type().map(str::to_owned),
        now,
        provider.redact(request.body),
    ))))
}

/// Only the deals' ids are kept: the CRM is asked for everything else, and
/// what a webhook carries beside them (a session's id, customers' data) has no
/// business on this disk.
fn deals(
    trigger: &dyn Trigger,
    request: &Request<'_>,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<Admitted, Rejection> {
    let told = trigger.receive(request, secrets, now)?;
    for what in told.ignored() {
        tracing::debug!(provider = trigger.name(), what, "of no interest");
    }
    if told.deals().is_empty() && told.changed().is_empty() {
        return Ok(Admitted::Ignored(told.delivery_id().clone()));
    }
    let body =
        DealsTold { deals: told.deals().to_vec(), changed: told.changed().to_vec() }.to_bytes();
    let kind = Some("application/json".to_owned());
    let crm = ProviderName::new(trigger.name());
    let mut envelope = Envelope::new(crm, told.delivery_id(), kind, now, body);
    envelope.content = EventContent::Deals;
    Ok(Admitted::Kept(Box::new(envelope)))
}
