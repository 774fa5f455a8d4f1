//! Closed Won kept true after a signature: one course for every CRM. Look,
//! decide, move where the deal is open, and leave one note with the link.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::note::leads_to;
use super::{ClosedWonUpdate, CrmError};
use crate::model::{Deal, DealId, Outcome};
use crate::text::quoted;

/// What a CRM does to keep a signed deal true.
#[async_trait]
pub(super) trait Target: Sync {
    /// The CRM for people, `HubSpot`.
    fn vendor(&self) -> &'static str;

    /// Whether it may be written to: the setting `update_closed_won`.
    fn may_write(&self) -> bool;

    /// The deal as it is now; its own record is enough.
    async fn look(&self, id: &DealId) -> Result<Deal, CrmError>;

    /// Moves an open deal to where it is won, at the time of the signature.
    async fn win(&self, deal: &Deal, signed_at: DateTime<Utc>) -> Result<(), CrmError>;

    /// The texts of the notes on a deal.
    async fn notes(&self, deal: &Deal) -> Result<Vec<String>, CrmError>;

    /// Writes a note that leads to this URL.
    async fn add_note(&self, deal: &Deal, url: &str, at: DateTime<Utc>) -> Result<(), CrmError>;
}

/// Goes the course. A note that is there already is not written again: what
/// was written before may have been answered by an error.
///
/// # Errors
/// `Refused`, for a deal that contradicts its signature or that the CRM's own
/// rules keep back; and whatever the CRM answers.
pub(super) async fn keep(
    target: &dyn Target,
    id: &DealId,
    signed_at: DateTime<Utc>,
    brief_url: Option<&str>,
) -> Result<ClosedWonUpdate, CrmError> {
    let deal = target.look(id).await?;
    let update = if moves(&deal, target.vendor(), target.may_write())? {
        target.win(&deal, signed_at).await?;
        ClosedWonUpdate::Updated
    } else if deal.outcome == Outcome::Won {
        ClosedWonUpdate::AlreadyWon
    } else {
        return Ok(ClosedWonUpdate::NotSupported);
    };
    if let Some(url) = brief_url.filter(|_| target.may_write()) {
        let notes = target.notes(&deal).await?;
        if !notes.iter().any(|note| leads_to(note, url)) {
            target.add_note(&deal, url, signed_at).await?;
        }
    }
    Ok(update)
}

/// Whether a deal is to be moved. One that was won or lost never is.
fn moves(deal: &Deal, vendor: &str, may_write: bool) -> Result<bool, CrmError> {
    let stage = quoted(deal.stage.as_deref().unwrap_or("unknown"));
    let message = match deal.outcome {
        Outcome::Won => return Ok(false),
        _ if !may_write => return Ok(false),
        Outcome::Open => return Ok(true),
        Outcome::Lost => format!(
            "the deal is lost (its stage is {stage}), and a lost deal is not moved. Reopen it in \
             {vendor} if the signature counts."
        ),
        Outcome::Gone => format!(
            "the deal is deleted or archived. Restore it in {vendor} if the signature counts."
        ),
        Outcome::Unknown => {
            format!("{vendor} does not say whether the deal is open or won; its stage is {stage}.")
        }
    };
    Err(CrmError::Refused { crm: deal.crm.clone(), message })
}
