//! Which deal a signature belongs to.

use chrono::{DateTime, Utc};

use super::WorkflowError;
use crate::brief::DecidedBy;
use crate::crm::{Crm, CrmError};
use crate::model::{
    Deal, DealId, DealRef, DocumentKind, Key, Money, Outcome, ProviderName, Remarks, Signature,
    normalise_deal_id,
};

/// Where a handoff begins.
#[derive(Debug, Clone)]
pub enum DealSource {
    /// A document that a person says is a contract.
    Signature(Box<Signature>),
    /// A document for one of its deals, as [`super::look_at_document`] found it.
    Found(Box<Found>),
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
    /// What the document is for the deal.
    pub kind: DocumentKind,
    /// What decided that; nothing for a deal without a document.
    pub decided_by: Option<DecidedBy>,
    /// Whether the CRM has the deal: not one that only the document names.
    pub is_known: bool,
    /// What a person should know.
    pub remarks: Remarks,
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
        DealSource::Signature(signature) => {
            let mut found = of_signature(*signature, crm).await?;
            found.decided_by = Some(DecidedBy::Person);
            Ok(found)
        }
        DealSource::Found(found) => Ok(*found),
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
        DealSource::Found(found) => return Ok(*found),
        DealSource::Deal(id) => (connected()?, connected()?.deal(&id, None).await?),
        DealSource::Read(deal) => (connected()?, *deal),
    };
    let key = Key::for_deal(crm.name(), &deal.id)?;
    let mut remarks = Remarks::default();
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
    Ok(Found::on_its_word(key, deal, &signature, remarks))
}

/// What stands for a document where there is none.
fn on_its_word(crm: &dyn Crm, deal: &Deal, signed_at: Option<DateTime<Utc>>) -> Signature {
    let document_id = crate::model::DocumentId::new(deal.id.as_str());
    Signature { signed_at, ..Signature::new(ProviderName::new(crm.name().as_str()), document_id) }
}

/// The first deal that a document names, else the document alone.
async fn of_signature(signature: Signature, crm: Option<&dyn Crm>) -> Result<Found, WorkflowError> {
    let mut found = of_document(&signature, crm).await?;
    Ok(found.remove(0))
}

/// A document once for each deal that it names in the connected CRM; once,
/// without a deal, where it names none. Never empty.
///
/// # Errors
/// When the CRM cannot be asked, or an id gives no key.
pub(super) async fn of_document(
    signature: &Signature,
    crm: Option<&dyn Crm>,
) -> Result<Vec<Found>, WorkflowError> {
    let mut remarks = Remarks::from(signature.remarks.clone());
    let references = references(signature, crm, &mut remarks);
    if references.is_empty() {
        let key = Key::for_document(&signature.provider, &signature.document_id)?;
        return Ok(vec![Found::of_document(key, None, signature, remarks)]);
    }
    let mut all: Vec<Found> = Vec::new();
    for reference in &references {
        let found = of_reference(signature, reference, crm, remarks.clone()).await?;
        // Two ids may be one deal, after a merge.
        if !all.iter().any(|other| other.key == found.key) {
            all.push(found);
        }
    }
    if all.len() > 1 {
        let names: Vec<String> = references.iter().map(|it| it.id.to_string()).collect();
        let remark = format!("the document names the deals {}", names.join(", "));
        all.iter_mut().for_each(|found| found.remarks.push(remark.clone()));
    }
    Ok(all)
}

/// A document for the deal that this reference names.
pub(super) async fn of_reference(
    signature: &Signature,
    reference: &DealRef,
    crm: Option<&dyn Crm>,
    mut remarks: Remarks,
) -> Result<Found, WorkflowError> {
    let (Some(crm), Some(name)) =
        (crm, crm.map(|crm| crm.name().clone()).or_else(|| reference.crm.clone()))
    else {
        // The document names a deal and its CRM is not connected: the identity is kept.
        let Some(name) = reference.crm.clone() else {
            let key = Key::for_document(&signature.provider, &signature.document_id)?;
            remarks
                .push(format!("the document names deal {} and no CRM is configured", reference.id));
            return Ok(Found::of_document(key, None, signature, remarks));
        };
        let id = normalise_deal_id(&name, &reference.id);
        let key = Key::for_deal(&name, &id)?;
        return Ok(Found::of_document(key, Some(Deal::new(name, id)), signature, remarks));
    };
    let deal = match crm.deal(&reference.id, Some(signature)).await {
        Ok(deal) => deal,
        Err(CrmError::NotFound { help, .. }) => {
            let id = normalise_deal_id(&name, &reference.id);
            remarks.push(format!(
                "{name} has no deal {} (yet); the brief holds what the document says. {help}",
                reference.id
            ));
            let key = Key::for_deal(&name, &id)?;
            let deal = Some(Deal::new(name, id));
            let found = Found::of_document(key, deal, signature, remarks);
            return Ok(Found { is_known: false, ..found });
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
    if let (Some(total), Some(amount)) = (&signature.total, &deal.amount)
        && differ(total, amount)
    {
        remarks.push(format!(
            "the document's total is {}, and {name} says deal {} has the amount {}",
            shown(total),
            deal.id,
            shown(amount)
        ));
    }
    let key = Key::for_deal(&name, &deal.id)?;
    Ok(Found::of_document(key, Some(deal), signature, remarks))
}

/// Whether two amounts differ; one without a currency is of whichever one.
pub(super) fn differ(one: &Money, other: &Money) -> bool {
    let currencies = one.currency.as_ref().zip(other.currency.as_ref());
    one.amount != other.amount || currencies.is_some_and(|(one, other)| one != other)
}

fn shown(money: &Money) -> String {
    format!("{} {}", money.currency.as_deref().unwrap_or_default(), money.amount).trim().to_owned()
}

impl Found {
    pub(super) fn of_document(
        key: Key,
        deal: Option<Deal>,
        signature: &Signature,
        remarks: Remarks,
    ) -> Self {
        let (kind, signature) = (DocumentKind::Contract, signature.clone());
        Self { key, deal, signature, kind, decided_by: None, is_known: true, remarks }
    }

    fn on_its_word(key: Key, deal: Deal, signature: &Signature, remarks: Remarks) -> Self {
        Self { deal: Some(deal), ..Self::of_document(key, None, signature, remarks) }
    }
}

/// The references that fit the connected CRM, else the first one.
pub(super) fn references(
    signature: &Signature,
    crm: Option<&dyn Crm>,
    remarks: &mut Remarks,
) -> Vec<DealRef> {
    // Without a CRM the first one's counts: another's may be the same deal there.
    let named = signature.deal_refs.first().and_then(|first| first.crm.as_ref());
    let Some(name) = crm.map(Crm::name).or(named) else {
        return signature.deal_refs.first().cloned().into_iter().collect();
    };
    let fits = |reference: &&DealRef| reference.crm.as_ref().is_none_or(|it| it == name);
    let mut chosen: Vec<DealRef> = Vec::new();
    let mut no_ids = Vec::new();
    for reference in signature.deal_refs.iter().filter(fits) {
        if crm.is_some_and(|crm| !crm.may_be_id(&reference.id)) {
            no_ids.push(reference.id.as_str());
            continue;
        }
        let id = normalise_deal_id(name, &reference.id);
        if !chosen.iter().any(|other| normalise_deal_id(name, &other.id) == id) {
            let crm = Some(name.clone());
            chosen.push(DealRef { crm, ..reference.clone() });
        }
    }
    let Some(crm) = crm else { return chosen };
    if chosen.is_empty() {
        if !no_ids.is_empty() {
            remarks.push(format!(
                "the document names {}, which {} has no such ids for: the brief holds what the document says",
                no_ids.join(", "),
                crm.name()
            ));
            return chosen;
        }
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
    let mut remarks = Remarks::default();
    if deal.closed_won_at.is_none() {
        remarks.push(format!(
            "{} does not say when deal {} was won; now is taken",
            crm.name(),
            deal.id
        ));
    }
    let signature = on_its_word(crm, &deal, Some(deal.closed_won_at.unwrap_or(now)));
    Ok(Found::on_its_word(key, deal, &signature, remarks))
}
