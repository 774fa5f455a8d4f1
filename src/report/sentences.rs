//! What every format says in the same words: numbers, headline, evidence.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, SecondsFormat, Utc};

use crate::audit::{
    AuditReport, Class, Coverage, LatencyFigures, LedgerReport, Share, SignatureClass,
    SignaturesReport, Values,
};
use crate::brief;
use crate::finding::{Finding, Severity};
use crate::model::{Money, ProviderName, count, count_of, grouped, thousands};
use crate::text;

// Numbers with their words.

/// The measured times from the signature, each with what they end with.
pub(super) fn latencies(report: &AuditReport) -> [(&'static str, &LatencyFigures); 4] {
    let latency = &report.metrics.latency;
    [
        ("brief", &latency.signature_to_brief.figures),
        ("task", &latency.signature_to_task.figures),
        ("first touch", &latency.signature_to_first_touch.figures),
        ("acceptance", &latency.signature_to_acceptance.figures),
    ]
}

/// How many findings there are of each severity, `3 errors, 1 warning`; `no
/// problems` when there are none.
pub(super) fn tally(findings: &[Finding]) -> String {
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .map(|severity| {
            let number = findings.iter().filter(|finding| finding.severity == severity).count();
            (number, count(number, severity.as_str()))
        })
        .filter(|(number, _)| *number > 0)
        .map(|(_, words)| words)
        .collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

// What every format says about an audit in the same words: headline,
// footing, evidence.

/// A moment as every format writes it.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A share in percent with one decimal, rounded down, so that only all of
/// them are 100 %; `None` of none.
pub(super) fn percent(part: usize, of: usize) -> Option<String> {
    let (part, of) = (part as u128, of as u128);
    let tenths = (part * 1000).checked_div(of)?;
    Some(format!("{}.{} %", tenths / 10, tenths % 10).replace("100.0 %", "100 %"))
}

/// The first touches of a share: those that are only claimed, and those that the CRM shows.
pub(super) fn claimed_and_shown(evidenced: &Share) -> [String; 2] {
    [thousands(evidenced.not.len()), thousands(evidenced.count)]
}

/// A share in percent, or words for none.
pub(super) fn percent_or_dash(share: &Share) -> String {
    percent(share.count, share.of).unwrap_or_else(|| "–".to_owned())
}

/// The one number, in a sentence.
pub(super) fn headline(report: &AuditReport) -> String {
    let share = &report.metrics.coverage.handed_over;
    let figure = coverage_sentence(&report.metrics.coverage);
    if !report.complete {
        return format!("The audit is incomplete. Of what could be read: {figure}");
    }
    if report.deals.is_empty() {
        return "No closed-won deal matched.".to_owned();
    }
    let clean = !report.findings.iter().any(|finding| finding.severity == Severity::Error);
    if clean && share.count == share.of && share.of > 0 {
        return format!("Every deal that was due is handed over: {figure}");
    }
    figure
}

fn coverage_sentence(coverage: &Coverage) -> String {
    let share = &coverage.handed_over;
    match percent(share.count, share.of) {
        None => "no deal was due a handoff.".to_owned(),
        Some(percent) => format!(
            "{percent} handed over: {} of {} due, {} of them on time.",
            thousands(share.count),
            count(share.of, "deal"),
            thousands(coverage.on_time.count)
        ),
    }
}

/// How the classes add up, in two sums that a reader can check.
pub(super) fn footing(report: &AuditReport) -> String {
    let parts: Vec<String> =
        Class::in_scope().map(|class| thousands(report.summary.of(class))).collect();
    let population = &report.population;
    format!(
        "{} = {} in scope; {} + {} excluded = {} closed won",
        parts.join(" + "),
        thousands(population.in_scope),
        thousands(population.in_scope),
        thousands(population.excluded),
        thousands(population.closed_won)
    )
}

/// The currencies of the population, sorted.
pub(super) fn currencies(report: &AuditReport) -> Vec<String> {
    report.values.total().iter().map(|(currency, _)| currency.to_owned()).collect()
}

/// A currency's heading.
pub(super) fn currency_title(currency: &str) -> &str {
    if currency == Values::NO_CURRENCY { "no currency" } else { currency }
}

/// A sum in one currency under that currency's heading; empty when there is none.
pub(super) fn sum(values: &Values, currency: &str) -> String {
    let amount = |sum| Money::settled(sum, Some(currency.to_owned())).amount;
    values.get(currency).map(|sum| grouped(&amount(sum).to_string())).unwrap_or_default()
}

/// All sums in one line, `EUR 1,200.00, USD 48,000.00`.
pub(super) fn sums(values: &Values) -> String {
    let sums: Vec<String> = values
        .iter()
        .map(|(currency, sum)| match currency {
            Values::NO_CURRENCY => {
                format!("{} {}", Money::settled(sum, None).shown(), currency_title(currency))
            }
            code => Money::settled(sum, Some(code.to_owned())).shown(),
        })
        .collect();
    sums.join(", ")
}

/// How severe it is that deals are in a class.
pub(super) fn class_severity(class: Class) -> Option<Severity> {
    match class {
        Class::Missing | Class::Removed => Some(Severity::Error),
        Class::Late => Some(Severity::Warning),
        Class::OnTime | Class::Pending | Class::Exempt | Class::Excluded => None,
    }
}

/// The closing line, `audited 456 closed-won deals: 6 errors, 2 warnings`.
pub(super) fn closing(report: &AuditReport) -> String {
    let deals = count(report.population.closed_won, "closed-won deal");
    format!("audited {deals}: {}", tally(&report.findings))
}

/// What a second person needs to get the same report: name and value, in
/// order. The values are somebody else's text where they name files and
/// queries.
pub(super) fn evidence(report: &AuditReport) -> Vec<(&'static str, String)> {
    let population = &report.population;
    let source = &population.source;
    let mut lines = vec![("source", format!("{} {}", source.kind, source.location))];
    lines.push(("filter", source.query.clone().unwrap_or_else(|| "all rows".to_owned())));
    lines.push((
        "rows",
        format!(
            "{} read, {} closed won in the window, {} in scope, {} excluded",
            thousands(population.rows),
            thousands(population.closed_won),
            thousands(population.in_scope),
            thousands(population.excluded)
        ),
    ));
    for exclusion in &population.exclusions {
        let deals = count(exclusion.count, "deal");
        let worth = sums(&exclusion.value);
        let worth = if worth.is_empty() { String::new() } else { format!(", {worth}") };
        lines.push(("excluded", format!("{}: {deals}{worth}", exclusion.reason)));
    }
    let total = sums(&population.value);
    lines.push(("value", if total.is_empty() { "no amounts".to_owned() } else { total }));
    for (number, what) in
        [(population.without_amount, "without an amount"), (population.undated, "without a date")]
    {
        if number > 0 {
            lines.push(("of these", format!("{} {what}", count(number, "deal"))));
        }
    }
    for undecided in &population.undecided {
        let deals = count(undecided.count, "deal");
        let rule = crate::text::quoted(&undecided.rule);
        lines.push((
            "undecided",
            format!("{deals} in scope, because {rule} cannot be decided for them"),
        ));
    }
    lines.push(("sha-256", population.sha256.clone()));
    for remark in &source.remarks {
        lines.push(("remark", remark.clone()));
    }
    lines.extend(std::iter::once(&report.ledger).chain(&report.more_ledgers).flat_map(ledger));
    lines.extend(report.signatures.iter().flat_map(signatures));
    for held in report.held.iter().take(HELD_SHOWN) {
        let (title, since) = (held.title(), moment(held.since));
        lines.push((
            "held",
            format!(
                "{title}, since {since}: {}; `handoff inbox release {} --as contract` hands it over",
                held.reason, held.event
            ),
        ));
    }
    if let Some(more) = report.held.len().checked_sub(HELD_SHOWN).filter(|more| *more > 0) {
        lines.push(("held", format!("{more} more; `handoff inbox list --state held` lists them")));
    }
    lines.push(("window", window(report, moment)));
    lines.push(("as of", moment(report.as_of)));
    let settings = &report.settings;
    lines.push((
        "settings",
        format!(
            "handoff within {}, first touch within {}, {}",
            settings.handoff_within,
            settings.first_touch_within,
            settings.calendar.as_deref().unwrap_or("plain hours")
        ),
    ));
    if let Some(blob) = settings.blob {
        let schema = settings.schema_blob.map_or_else(String::new, |id| format!(", schema {id}"));
        let earlier = match settings.earlier.len() {
            0 => String::new(),
            n => format!(", after {}", count_of(n, "earlier one", "earlier ones")),
        };
        lines.push(("read from", format!("handoff.yaml {blob}{schema}{earlier}")));
    }
    lines.push(("version", report.generated_by.clone()));
    lines.push(("run again", report.command.clone()));
    lines
}

fn ledger(ledger: &LedgerReport) -> Vec<(&'static str, String)> {
    let repository =
        ledger.repository.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
    if let Some(why) = &ledger.absent {
        return vec![("ledger", format!("{repository}none: {why}"))];
    }
    let mut lines = vec![(
        "ledger",
        format!(
            "{repository}{} at {}, {}, {}",
            ledger.branch,
            ledger.head,
            count(ledger.commits, "commit"),
            count(ledger.briefs, "signed brief")
        ),
    )];
    if ledger.unpushed > 0 {
        let commits = count(ledger.unpushed, "commit");
        lines.push(("not counted", format!("{commits} that only this clone has")));
    }
    for clock in &ledger.clocks {
        let pushes = count_of(clock.pushes, "push", "pushes");
        let span = match (clock.from, clock.until) {
            (Some(from), Some(until)) => format!(" from {} until {}", moment(from), moment(until)),
            _ => String::new(),
        };
        lines.push(("clock", format!("{}: {pushes}{span}", clock.source)));
    }
    for checkpoint in &ledger.checkpoints {
        let held = match (checkpoint.contained, checkpoint.displaced_by) {
            (true, None) => "still in the history",
            (true, Some(_)) => "in the history, and NOT IN ITS PLACE",
            (false, _) => "GONE from the history",
        };
        lines.push((
            "checkpoint",
            format!("{} of {}, {held}", checkpoint.name, moment(checkpoint.at)),
        ));
    }
    lines
}

/// So many held documents are told one by one.
const HELD_SHOWN: usize = 20;

/// The second population: who was asked, and how its documents add up.
fn signatures(told: &SignaturesReport) -> Vec<(&'static str, String)> {
    // A document has a row for each deal that it names, and is one document.
    let documents = |provider: &ProviderName| {
        let of = told.documents.iter().filter(|row| row.provider == *provider);
        of.map(|row| &row.document_id).collect::<BTreeSet<_>>().len()
    };
    let all: usize = told.providers.iter().map(|asked| documents(&asked.provider)).sum();
    let mut lines: Vec<(&'static str, String)> = told
        .providers
        .iter()
        .map(|asked| {
            let documents = count(documents(&asked.provider), "completed document");
            let moments = [told.window.from, told.window.to].map(|at| at.map(moment));
            let within = match moments {
                [Some(from), Some(to)] => format!(" from {from} until before {to}"),
                _ => String::new(),
            };
            ("signatures", format!("{}: {documents}{within}", asked.provider))
        })
        .collect();
    let classes = told.summary.iter().map(|(class, number)| {
        let class = match class {
            SignatureClass::HandedOver => "handed over",
            SignatureClass::Pending => "pending",
            SignatureClass::NotNeeded => "out of scope or exempt",
            SignatureClass::WithoutHandoff => "without handoff",
            SignatureClass::NotWon => "not Closed Won",
            SignatureClass::NoDeal => "without deal and handoff",
        };
        format!("{} {class}", thousands(*number))
    });
    let sum = classes.collect::<Vec<_>>().join(" + ");
    let sum = if sum.is_empty() { "none".to_owned() } else { sum };
    let counted = match told.completed {
        rows if rows > all => format!(", {} with each deal that they name", thousands(rows)),
        _ => String::new(),
    };
    lines.push(("signatures", format!("{}{counted} = {sum}", count(all, "document"))));
    lines
}

/// The window in words.
pub(super) fn window(report: &AuditReport, moment: impl Fn(DateTime<Utc>) -> String) -> String {
    match (report.window.from, report.window.to) {
        (None, None) => "all closed-won deals".to_owned(),
        (Some(from), None) => format!("won from {} on", moment(from)),
        (None, Some(to)) => format!("won before {}", moment(to)),
        (Some(from), Some(to)) => format!("won from {} until before {}", moment(from), moment(to)),
    }
}

/// A moment as people read it: a day where it is midnight, else day and minute.
pub(super) fn day_or_minute(at: DateTime<Utc>) -> String {
    let pattern = if at.time() == NaiveTime::MIN { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M UTC" };
    at.format(pattern).to_string()
}

/// A question as people know it, short enough for a table.
pub(super) fn question(number: Option<u8>) -> String {
    let known = number.and_then(|number| Some((number, brief::question(number)?)));
    known.map_or_else(
        || "the company's own fields".to_owned(),
        |(number, words)| format!("{number}. {words}"),
    )
}

/// A deal's name for people: name and key, or the key alone.
pub(super) fn deal_name(name: Option<&str>, key: &str) -> String {
    match name.map(text::one_line).filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({key})", text::shorten(&name, 60)),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{percent, *};

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!(count(0, "brief"), "0 briefs");
        assert_eq!(count(1, "brief"), "1 brief");
        assert_eq!(count(2, "delivery"), "2 deliveries");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(count(1_234_567, "deal"), "1,234,567 deals");
    }

    #[test]
    fn only_all_of_them_are_a_hundred_percent() {
        assert_eq!(percent(9_999, 10_000).as_deref(), Some("99.9 %"));
        assert_eq!(percent(10_000, 10_000).as_deref(), Some("100 %"));
        assert_eq!(percent(1, 3).as_deref(), Some("33.3 %"));
        assert_eq!(percent(0, 0), None);
    }
}
