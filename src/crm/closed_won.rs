//! Closed Won kept true after a signature: one course for every CRM. Look,
//! decide, move where the deal is open, and leave one note with the link.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{ClosedWonUpdate, CrmError, Signed};
use crate::model::{Deal, DealId, Outcome};
use crate::text::{html, quoted};

/// What the settings of a CRM permit.
pub(super) struct ClosedWonPolicy<'a> {
    /// The CRM for people, `HubSpot`.
    pub(super) vendor: &'static str,
    /// Whether it may be written to: the setting `update_closed_won`.
    pub(super) may_write: bool,
    /// The stages from which a deal may be moved, by label or id; none for any.
    pub(super) from: &'a [String],
}

/// What a CRM does to keep a signed deal true.
#[async_trait]
pub(super) trait ClosedWonTarget: Sync {
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
    target: &dyn ClosedWonTarget,
    policy: &ClosedWonPolicy<'_>,
    signed: &Signed<'_>,
) -> Result<ClosedWonUpdate, CrmError> {
    let Signed { id, signed_at, brief_url, is_contract } = *signed;
    let deal = target.look(id).await?;
    let may_move = policy.may_write && is_contract;
    let update = if moves(&deal, policy.vendor, may_move)? {
        allowed(&deal, policy)?;
        target.win(&deal, signed_at).await?;
        ClosedWonUpdate::Updated
    } else if deal.outcome == Outcome::Won {
        ClosedWonUpdate::AlreadyWon
    } else if policy.may_write {
        return Ok(ClosedWonUpdate::NotAContract);
    } else {
        return Ok(ClosedWonUpdate::NotSupported);
    };
    if let Some(url) = brief_url.filter(|_| policy.may_write) {
        let notes = target.notes(&deal).await?;
        if !notes.iter().any(|note| leads_to(note, url)) {
            target.add_note(&deal, url, signed_at).await?;
        }
    }
    Ok(update)
}

/// An error for a deal in a stage from which none is moved.
fn allowed(deal: &Deal, policy: &ClosedWonPolicy<'_>) -> Result<(), CrmError> {
    let from = policy.from;
    let id = ["dealstage", "stage_id", "StageName"].iter().find_map(|n| deal.properties.get(*n));
    let id = id.and_then(crate::crm::failure::cursor);
    let stage = deal.stage.as_deref();
    let is_in = from.iter().any(|name| Some(name.as_str()) == stage || Some(name) == id.as_ref());
    if from.is_empty() || is_in {
        return Ok(());
    }
    Err(CrmError::Refused {
        crm: deal.crm.clone(),
        message: format!(
            "the deal is in the stage {}, and crm.{}.closed_won_from allows {}. Move it in {}, or \
             add the stage there.",
            quoted(stage.unwrap_or("unknown")),
            deal.crm,
            from.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
            policy.vendor
        ),
    })
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

/// When a deal that is won was won, at the latest: people set dates in the
/// future, and a deal that was won in its last change was won by then.
pub(super) fn not_after(
    at: DateTime<Utc>,
    evidence: &str,
    last_change: Option<DateTime<Utc>>,
) -> (DateTime<Utc>, String) {
    match last_change {
        Some(changed) if changed < at => (changed, format!("{LAST_CHANGE}{evidence} is later)")),
        _ => (at, evidence.to_owned()),
    }
}

const LAST_CHANGE: &str = "last change (";

/// What is remarked of won deals whose date was in the future when they were
/// changed last.
pub(super) fn dated_ahead(deals: &[Deal]) -> Option<String> {
    let is_ahead = |deal: &&Deal| {
        let evidence = deal.closed_won_evidence.as_deref();
        deal.outcome == Outcome::Won && evidence.is_some_and(|it| it.starts_with(LAST_CHANGE))
    };
    let mut ahead = deals.iter().filter(is_ahead);
    let first = ahead.next()?;
    Some(format!(
        "Won deals whose date is later than their last change, which counts in its place: {}, the first is {}.",
        1 + ahead.count(),
        first.id
    ))
}

/// The note in HTML, as CRMs keep notes.
pub(super) fn note(url: &str) -> String {
    let url = html(url);
    format!("<p>Handoff to customer success: <a href=\"{url}\">{url}</a></p>")
}

/// Whether a note leads to this brief.
fn leads_to(note: &str, url: &str) -> bool {
    note.contains(&html(url)) || note.contains(url)
}
