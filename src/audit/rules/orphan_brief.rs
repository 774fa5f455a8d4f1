//! `orphan-brief`: a signed brief without a closed-won deal.

use crate::audit::OrphanWhy;
use crate::audit::orphans::FoundOrphan;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "orphan-brief",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A signed brief has no closed-won deal.",
    explain: include_str!("../../../docs/rules/orphan-brief.md"),
};

pub(super) fn check(found: &FoundOrphan<'_>) -> Finding {
    let orphan = &found.orphan;
    let brief = match (&orphan.customer, &orphan.value) {
        (Some(customer), Some(value)) => {
            format!("The brief of {} ({})", quoted(customer), value.shown())
        }
        (Some(customer), None) => format!("The brief of {}", quoted(customer)),
        (None, _) => format!("The brief {}", orphan.key),
    };
    let id = orphan.deal_id.as_ref().map(|id| quoted(id.as_str())).unwrap_or_default();
    let stage = found
        .deal
        .and_then(|deal| deal.stage.as_deref())
        .map_or_else(String::new, |stage| format!(" (stage {})", quoted(stage)));
    let (message, help) = match orphan.why {
        OrphanWhy::Reopened if found.deal.is_some_and(|deal| deal.closed_won_at.is_some()) => (
            format!("{brief} is signed, and its deal {id} was reopened{stage}."),
            "Ask the rep why, and close the deal again or void the document.".to_owned(),
        ),
        OrphanWhy::Reopened => (
            format!("{brief} is signed, and its deal {id} does not count as won{stage}: it was reopened, was never closed, or the settings leave it out."),
            "Close the deal in the CRM; `update_closed_won` in handoff.yaml does so after each signature. Where the CRM says that it is won, see which deals `crm:` in handoff.yaml counts.".to_owned(),
        ),
        OrphanWhy::Lost => (
            format!("{brief} is signed, and its deal {id} is lost{stage}."),
            "Ask the rep which of the two is true.".to_owned(),
        ),
        OrphanWhy::Deleted => (
            format!("{brief} is signed, and its deal {id} was deleted or archived."),
            "Restore the deal in the CRM, or tell the CSM that the contract is void.".to_owned(),
        ),
        OrphanWhy::Merged => {
            let into = found.merged_into.map_or_else(String::new, |deal| {
                format!(" into {}", quoted(deal.id.as_str()))
            });
            (
                format!("{brief} names deal {id}, which was merged{into}."),
                "Check that the other deal's brief holds what was promised here.".to_owned(),
            )
        }
        OrphanWhy::Unknown => {
            let message = match &orphan.deal_id {
                Some(_) => format!("{brief} names deal {id}, and no such deal was read."),
                None => format!("{brief} names no deal, and no deal carries its document."),
            };
            let help = match (&orphan.suggestion, &orphan.deal_id) {
                (Some(suggestion), None) => format!(
                    "Deal {} may be it ({}). If it is, put its id into the brief.",
                    suggestion.what, suggestion.because
                ),
                // Another id in a brief that handoff wrote for a deal counts for nothing.
                (Some(suggestion), Some(_)) => format!(
                    "Deal {} may be it ({}). If it is, put the id of the signed document into a property of that deal.",
                    suggestion.what, suggestion.because
                ),
                (None, None) => "Create or find the deal in the CRM, and put its id into the brief; check that the token may see all deals.".to_owned(),
                (None, Some(_)) => "Restore the deal in the CRM, or put the id of the signed document into a property of the deal that is meant; check that the token may see all deals.".to_owned(),
            };
            (message, help)
        }
    };
    Finding::new(&RULE, message)
        .help(help)
        .key(&found.handoff.key)
        .at(Location::file(format!("{}/brief.yaml", orphan.brief)))
}
