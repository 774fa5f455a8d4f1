//! `deal-drift`: the deal says something else than the brief.

use super::{Case, words};
use crate::audit::DealAsWritten;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::{Deal, Money, Person};
use crate::text::{one_line, quoted, shorten};

pub(super) static RULE: Rule = Rule {
    id: "deal-drift",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The deal and its brief differ in amount, currency, name, close date, owner, customer, promises or terms.",
    explain: include_str!("../../../docs/rules/deal-drift.md"),
};

/// Days that close dates may be apart: CRMs write a day in their own time zone.
const DAYS_APART: i64 = 1;

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let brief = handoff.brief()?;
    let deal = case.judged.deal;
    let mut differences = Vec::new();
    if let (Some(now), Some(then)) = (&deal.amount, &brief.value) {
        differences.extend(amount(now, then, case));
    }
    // A brief that was matched by document or through a merged deal names
    // another deal, or none; its name and owner are not this deal's.
    let same_deal = |written: &&DealAsWritten| {
        let id = crate::model::normalise_deal_id(&deal.crm, &deal.id);
        written.identity() == (deal.crm.clone(), id)
    };
    if let Some(written) = brief.deal.as_ref().filter(same_deal) {
        differences.extend(name(deal, written));
        differences.extend(close_date(deal, written));
        differences.extend(owner(deal, written));
        differences.extend(customer(deal, brief.customer.as_deref()));
        differences
            .extend(case.input.differences.get(&written.identity()).into_iter().flatten().cloned());
    }
    if differences.is_empty() {
        return None;
    }
    let message =
        format!("{} differs from its brief: {}.", words::deal(case), differences.join("; "));
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "If the deal is right, `handoff sign --deal {}` updates the brief, but for what a person wrote: change that in brief.yaml. If the brief is right, correct the CRM.",
                shorten(&one_line(deal.id.as_str()), 60)
            ))
            .at(words::brief(case)),
    )
}

fn amount(now: &Money, then: &Money, case: &Case<'_>) -> Option<String> {
    words::differ(now, then, case.policy().amount_tolerance)
        .then(|| format!("the deal is worth {}, the brief says {}", now.shown(), then.shown()))
}

fn name(deal: &Deal, written: &DealAsWritten) -> Option<String> {
    let (now, then) = (deal.name.as_deref()?, written.name.as_deref()?);
    differ(now, then)
        .then(|| format!("the deal is called {}, in the brief {}", quoted(now), quoted(then)))
}

/// Whether two texts are not the same words, whatever their case and spacing.
fn differ(a: &str, b: &str) -> bool {
    a != b && one_line(a).to_lowercase() != one_line(b).to_lowercase()
}

fn close_date(deal: &Deal, written: &DealAsWritten) -> Option<String> {
    let (now, then) = (deal.closed_won_at?, written.closed_won_at?);
    let days = (now.date_naive() - then.date_naive()).num_days().abs();
    (days > DAYS_APART).then(|| {
        format!(
            "the deal was won on {}, by the brief on {}, {days} days apart",
            now.date_naive(),
            then.date_naive()
        )
    })
}

/// Another customer's brief under this deal's name.
fn customer(deal: &Deal, written: Option<&str>) -> Option<String> {
    let (now, then) = (deal.company.as_ref()?.name.as_deref()?, written?);
    let is_part =
        |a: &str, b: &str| one_line(a).to_lowercase().contains(&one_line(b).to_lowercase());
    let differs = differ(now, then) && !is_part(now, then) && !is_part(then, now);
    differs.then(|| {
        format!(
            "the deal's company is {}, the brief is of the customer {}",
            quoted(now),
            quoted(then)
        )
    })
}

/// Compares addresses where both have one, else names.
fn owner(deal: &Deal, written: &DealAsWritten) -> Option<String> {
    let (now, then) = (deal.owner.as_ref()?, written.owner.as_ref()?);
    let differs =
        |a: &Option<String>, b: &Option<String>| Some(differ(a.as_deref()?, b.as_deref()?));
    let differs = differs(&now.email, &then.email).or_else(|| differs(&now.name, &then.name))?;
    let shown = |person: &Person| {
        person.name.as_deref().or(person.email.as_deref()).map(quoted).unwrap_or_default()
    };
    differs.then(|| format!("the deal's owner is {}, in the brief {}", shown(now), shown(then)))
}
