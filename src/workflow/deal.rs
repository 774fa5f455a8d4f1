//! Which deal a signature belongs to.

use chrono::{DateTime, Utc};

use super::WorkflowError;
use crate::crm::{Crm, CrmError};
use crate::model::{
    Deal, DealId, DealRef, Key, Outcome, ProviderName, Signature, normalise_deal_id,
};

/// Where a handoff begins.
#[derive(Debug, Clone)]
pub enum DealSource {
    /// A signed document.
    Signature(Box<Signature>),
    /// A deal that the CRM says is won, without an e-signature.
    Deal(DealId),
    /// The same, read from the CRM a moment ago.
    Read(Box<Deal>),
}

/// The deal of a handoff, as far as it is known, and the handoff's key.
#[derive(Debug, Clone)]
pub struct Found {
    /// The handoff's identity.
    pub key: Key,
    /// The deal: whole, or only its CRM and id, or none at all.
    pub deal: Option<Deal>,
    /// The signature; for a deal without one, on the CRM's word.
    pub signature: Signature,
    /// What a person should know.
    pub remarks: Vec<String>,
}

impl Found {
    /// Whether the deal counts as won on the CRM's word, without a document.
    pub(super) fn is_on_the_crms_word(&self) -> bool {
        let crm = self.deal.as_ref().map(|deal| deal.crm.as_str());
        crm == Some(self.signature.provider.as_str())
    }
}

/// Finds the deal and the key. A document without a deal, or whose deal the
/// CRM does not have (an export of yesterday), still becomes a handoff: an
/// incomplete brief never blocks it.
///
/// # Errors
/// When the CRM cannot be asked, its data is not usable, or a deal that was
/// named by hand does not exist or is not won.
pub async fn find_deal(
    source: DealSource,
    crm: Option<&dyn Crm>,
    now: DateTime<Utc>,
) -> Result<Found, WorkflowError> {
    match source {
        DealSource::Signature(signature) => of_signature(*signature, crm).await,
        DealSource::Deal(id) => {
            let crm = crm.ok_or(WorkflowError::NoCrm)?;
            on_the_crms_word(crm, crm.deal(&id, None).await?, now)
        }
        DealSource::Read(deal) => on_the_crms_word(crm.ok_or(WorkflowError::NoCrm)?, *deal, now),
    }
}

/// Finds the deal and the key of a handoff that is not signed yet: of a deal
/// in whatever stage, or of a document that went out. The signature of what is
/// found only says where the draft begins; nobody has signed.
///
/// # Errors
/// As for [`find_deal`].
pub(super) async fn find_draft_deal(
    source: DealSource,
    crm: Option<&dyn Crm>,
) -> Result<Found, WorkflowError> {
    let connected = || crm.ok_or(WorkflowError::NoCrm);
    let (crm, deal) = match source {
        DealSource::Signature(signature) => return of_signature(*signature, crm).await,
        DealSource::Deal(id) => (connected()?, connected()?.deal(&id, None).await?),
        DealSource::Read(deal) => (connected()?, *deal),
    };
    let key = Key::for_deal(crm.name(), &deal.id)?;
    let mut remarks = Vec::new();
    match deal.outcome {
        Outcome::Won => remarks.push(format!(
            "{} says deal {} is won; `handoff sign --deal {}` hands it over without a document",
            crm.name(),
            deal.id,
            deal.id
        )),
        Outcome::Lost | Outcome::Gone => {
            remarks.push(format!("{} says deal {} is lost or deleted", crm.name(), deal.id));
        }
        Outcome::Open | Outcome::Unknown => {}
    }
    let signature = on_its_word(crm, &deal, None);
    Ok(Found { key, deal: Some(deal), signature, remarks })
}

/// What stands for a document where there is none.
fn on_its_word(crm: &dyn Crm, deal: &Deal, signed_at: Option<DateTime<Utc>>) -> Signature {
    let document_id = crate::model::DocumentId::new(deal.id.as_str());
    Signature { signed_at, ..Signature::new(ProviderName::new(crm.name().as_str()), document_id) }
}

async fn of_signature(signature: Signature, crm: Option<&dyn Crm>) -> Result<Found, WorkflowError> {
    let mut remarks = signature.remarks.clone();
    let Some(reference) = choose(&signature, crm, &mut remarks) else {
        let key = Key::for_document(&signature.provider, &signature.document_id)?;
        return Ok(Found { key, deal: None, signature, remarks });
    };
    let (Some(crm), Some(name)) =
        (crm, crm.map(|crm| crm.name().clone()).or_else(|| reference.crm.clone()))
    else {
        // The document names a deal and its CRM is not connected: the identity is kept.
        let Some(name) = reference.crm.clone() else {
            let key = Key::for_document(&signature.provider, &signature.document_id)?;
            remarks
                .push(format!("the document names deal {} and no CRM is configured", reference.id));
            return Ok(Found { key, deal: None, signature, remarks });
        };
        let id = normalise_deal_id(&name, &reference.id);
        let key = Key::for_deal(&name, &id)?;
        return Ok(Found { key, deal: Some(Deal::new(name, id)), signature, remarks });
    };
    let deal = match crm.deal(&reference.id, Some(&signature)).await {
        Ok(deal) => deal,
        Err(CrmError::NotFound { help, .. }) => {
            remarks.push(format!(
                "{name} has no deal {} (yet); the brief holds what the document says. {help}",
                reference.id
            ));
            Deal::new(name.clone(), normalise_deal_id(&name, &reference.id))
        }
        Err(error) => return Err(error.into()),
    };
    match deal.outcome {
        Outcome::Lost => {
            remarks.push(format!("{name} says deal {} is lost, and it was signed", deal.id));
        }
        Outcome::Gone => remarks.push(format!(
            "{name} says deal {} is deleted or archived, and it was signed",
            deal.id
        )),
        Outcome::Won | Outcome::Open | Outcome::Unknown => {}
    }
    let key = Key::for_deal(&name, &deal.id)?;
    Ok(Found { key, deal: Some(deal), signature, remarks })
}

/// The reference that fits the connected CRM, else the first.
pub(super) fn choose(
    signature: &Signature,
    crm: Option<&dyn Crm>,
    remarks: &mut Vec<String>,
) -> Option<DealRef> {
    let Some(crm) = crm else { return signature.deal_refs.first().cloned() };
    let fits = |reference: &&DealRef| reference.crm.as_ref().is_none_or(|name| name == crm.name());
    let chosen = signature.deal_refs.iter().find(fits).cloned();
    if chosen.is_none() {
        match signature.deal_refs.first() {
            Some(other) => remarks.push(format!(
                "the document names deal {} of {}, and {} is connected: the brief holds what the document says",
                other.id,
                other.crm.as_ref().map_or("another CRM", |name| name.as_str()),
                crm.name()
            )),
            None => remarks.push("the document names no deal: the brief holds what the document says".to_owned()),
        }
    }
    chosen
}

fn on_the_crms_word(crm: &dyn Crm, deal: Deal, now: DateTime<Utc>) -> Result<Found, WorkflowError> {
    if deal.outcome != Outcome::Won {
        return Err(WorkflowError::NotWon {
            id: deal.id,
            stage: deal.stage,
            outcome: deal.outcome,
        });
    }
    let key = Key::for_deal(crm.name(), &deal.id)?;
    let mut remarks = Vec::new();
    if deal.closed_won_at.is_none() {
        remarks.push(format!(
            "{} does not say when deal {} was won; now is taken",
            crm.name(),
            deal.id
        ));
    }
    let signature = on_its_word(crm, &deal, Some(deal.closed_won_at.unwrap_or(now)));
    Ok(Found { key, deal: Some(deal), signature, remarks })
}
