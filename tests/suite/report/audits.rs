//! Audits of a made-up company, as large as wanted, the same each time.

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use handoff::audit::{
    AuditReport, CheckpointReport, Class, DealKey, DealRow, Exclusion, FieldCount, LedgerReport,
    Matched, Metrics, Orphan, OrphanWhy, PopulationReport, QuestionCount, REPORT_VERSION,
    ReturnCount, Settings, SourceReport, Suggestion, Values,
};
use handoff::brief::TouchEvidence;
use handoff::finding::{Finding, Location, Rule, RuleKind, Severity};
use handoff::model::{CrmName, DealId, Gap, Money, ObjectId, Window};
use handoff::report::{Format, Options, render_audit};

use super::figures::{
    counted, coverage, evidenced, first_pass, groups, latencies, touched_on_time,
};
use super::samples::{HOSTILE, key, long_name};

macro_rules! rule {
    ($name:ident, $id:literal, $severity:ident) => {
        static $name: Rule = Rule {
            id: $id,
            kind: RuleKind::Audit,
            severity: Severity::$severity,
            summary: "A rule of the sample.",
            explain: "See the documentation.",
        };
    };
}
rule!(MISSING, "missing-handoff", Error);
rule!(REMOVED, "removed-handoff", Error);
rule!(LATE, "late-handoff", Warning);
rule!(INCOMPLETE, "incomplete-handoff", Warning);
rule!(TOUCH, "first-touch-overdue", Warning);
rule!(ORPHAN, "orphan-brief", Warning);

const COMPANIES: &[&str] = &[
    "Acme",
    "Northwind",
    "Initech",
    "Globex",
    "Umbra",
    "Stark & Söhne",
    "Café Lumière",
    "株式会社山田",
    "Hooli",
    "Vandelay",
    "Wonka",
    "Tyrell",
    "Cyberdyne",
    "Soylent",
    "Massive Dynamic",
    "Pied Piper",
];
const ENDS: &[&str] = &["Corp", "Group", "GmbH", "Inc.", "Systems", "Labs", "Partners"];
const REPS: &[&str] = &["Riley Ross", "Jo Marsh", "Ana Pérez", "Tom Okafor", "Mia Chen"];
const CSMS: &[&str] = &["Sam Lee", "Noor Haddad", "Chris Vogel"];
const TIERS: &[&str] = &["enterprise", "mid-market", "small business"];

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).expect("small")]
    }
}

pub(crate) fn as_of() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).single().expect("a moment")
}

fn class(dice: &mut Dice) -> Class {
    match dice.roll(100) {
        0..=2 => Class::Missing,
        3..=6 => Class::Late,
        7 => Class::Removed,
        8 => Class::Pending,
        9..=10 => Class::Exempt,
        11..=17 => Class::Excluded,
        _ => Class::OnTime,
    }
}

fn deal(at: usize, dice: &mut Dice, class: Class) -> DealRow {
    let id = format!("{}", 9_876_000_000_u64 + at as u64 * 7);
    let won =
        as_of() - TimeDelta::minutes(i64::try_from(dice.roll(60 * 24 * 330)).expect("small") + 600);
    let won = if class == Class::Pending { as_of() - TimeDelta::minutes(20) } else { won };
    let name = format!("{} {}", dice.pick(COMPANIES), dice.pick(ENDS));
    let latency = match class {
        Class::OnTime => i64::try_from(20 + dice.roll(900)).expect("small"),
        Class::Late => i64::try_from(4_000 + dice.roll(400_000)).expect("small"),
        _ => 0,
    };
    let covered = class.is_covered();
    let touched = covered && dice.roll(20) > 0;
    let complete = dice.roll(6) > 0;
    let amount = format!("{}.{:02}", 4_000 + dice.roll(90_000), dice.roll(4) * 25);
    let currency = if dice.roll(5) == 0 { "EUR" } else { "USD" };
    let delivered = won + TimeDelta::seconds(latency);
    DealRow {
        key: DealKey::new(&format!("hubspot-{id}")),
        crm: CrmName::new("hubspot"),
        deal_id: DealId::new(id.clone()),
        name: Some(format!("{name} platform")),
        url: Some(format!("https://app.hubspot.com/contacts/1/deal/{id}")),
        owner: Some(dice.pick(REPS).to_owned()),
        csm: covered.then(|| dice.pick(CSMS).to_owned()),
        tier: covered.then(|| dice.pick(TIERS).to_owned()),
        value: (dice.roll(40) > 0).then(|| Money::parse(&amount, Some(currency)).expect("money")),
        closed_won_at: Some(won),
        closed_won_evidence: Some("stage history".to_owned()),
        class,
        reason: match class {
            Class::Excluded => Some("renewal".to_owned()),
            Class::Exempt => Some("handed over in person before the ledger began".to_owned()),
            Class::Pending => Some("may wait until 2026-11-22T12:40:00Z".to_owned()),
            Class::Removed => Some("removed by commit 4be1f0c".to_owned()),
            _ => None,
        },
        approver: (class == Class::Exempt).then(|| "Dana Wu".to_owned()),
        brief: covered.then(|| format!("briefs/{}/customer--hubspot-{id}", won.format("%Y/%m"))),
        matched: covered.then_some(Matched::Key),
        signed_at: covered.then_some(won),
        received_at: covered.then(|| won + TimeDelta::seconds(4)),
        delivered_at: covered.then_some(delivered),
        committed_at: None,
        clock: None,
        delivered_commit: covered.then_some(ObjectId([7; 20])),
        latency_s: covered.then_some(latency),
        business_latency_s: covered.then_some(latency / 3),
        task: covered.then(|| format!("https://github.com/acme/handoffs/issues/{at}")),
        task_at: covered.then(|| delivered + TimeDelta::seconds(3)),
        first_touch_due: covered.then(|| won + TimeDelta::hours(24)),
        first_touch_evidence: touched.then_some(match at % 3 {
            0 => TouchEvidence::Crm,
            _ => TouchEvidence::Claimed,
        }),
        first_touch_at: touched.then(|| {
            won + TimeDelta::minutes(i64::try_from(30 + dice.roll(2_000)).expect("small"))
        }),
        accepted_at: touched.then(|| won + TimeDelta::hours(5)),
        complete: covered.then_some(complete),
        unanswered: if covered && !complete {
            vec!["contacts.economic_buyer".to_owned(), "success.metric".to_owned()]
        } else {
            Vec::new()
        },
        backfilled: false,
        suggestion: (class == Class::Missing && dice.roll(3) == 0).then(|| {
            Box::new(Suggestion {
                what: "briefs/2026/10/acme--pandadoc-x1".to_owned(),
                because: "the same name and amount".to_owned(),
            })
        }),
        findings: Vec::new(),
    }
}

fn findings_of(row: &DealRow) -> Vec<Finding> {
    let about = key(row.key.as_str());
    let name = row.name.as_deref().unwrap_or_default();
    let brief = |row: &DealRow| {
        Location::file(format!("{}/brief.yaml", row.brief.as_deref().unwrap_or("briefs")))
    };
    let mut found = Vec::new();
    match row.class {
        Class::Missing => found.push(
            Finding::new(&MISSING, format!("\"{name}\" was won and has no handoff."))
                .help(format!("Make it now: handoff sign --deal {}", row.deal_id)),
        ),
        Class::Removed => found.push(
            Finding::new(&REMOVED, format!("The handoff of \"{name}\" is gone from main."))
                .help("Bring it back: git revert 4be1f0c"),
        ),
        Class::Late => found.push(
            Finding::new(
                &LATE,
                format!("The handoff of \"{name}\" came late; an hour is allowed."),
            )
            .at(brief(row)),
        ),
        _ => {}
    }
    if row.complete == Some(false) {
        found.push(
            Finding::new(
                &INCOMPLETE,
                format!("The brief of \"{name}\" left 2 fields unanswered when it was delivered."),
            )
            .help("contacts.economic_buyer, success.metric")
            .at(brief(row)),
        );
    }
    if row.class.is_covered() && row.first_touch_at.is_none() {
        found.push(Finding::new(
            &TOUCH,
            format!("Nobody has touched \"{name}\" yet; it was due a day after the signature."),
        ));
    }
    found.into_iter().map(|finding| finding.key(&about)).collect()
}

/// An audit of so many deals with every class.
pub(crate) fn company(deals: usize) -> AuditReport {
    let mut dice = Dice(42);
    let rows = (0..deals)
        .map(|at| {
            let class = if at < 7 { Class::ALL[at] } else { class(&mut dice) };
            deal(at, &mut dice, class)
        })
        .collect();
    report(rows)
}

/// A report over these rows.
pub(crate) fn report(mut rows: Vec<DealRow>) -> AuditReport {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut findings = Vec::new();
    for row in &mut rows {
        let found = findings_of(row);
        row.findings = found.iter().map(|finding| finding.rule).collect();
        findings.extend(found);
    }
    let orphans = vec![Orphan {
        key: DealKey::new("pandadoc-bhvz"),
        brief: "briefs/2026/10/initech--pandadoc-bhvz".to_owned(),
        why: OrphanWhy::Reopened,
        deal_id: Some(DealId::new("9876543210")),
        customer: Some("Initech".to_owned()),
        value: Some(Money::parse("12000.00", Some("USD")).expect("money")),
        signed_at: Some(as_of() - TimeDelta::days(30)),
        delivered_at: Some(as_of() - TimeDelta::days(30)),
        suggestion: None,
    }];
    findings.push(
        Finding::new(
            &ORPHAN,
            "The brief of \"Initech\" has no closed-won deal: the deal is open again.",
        )
        .key(&key("pandadoc-bhvz"))
        .at(Location::file("briefs/2026/10/initech--pandadoc-bhvz/brief.yaml")),
    );
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let all: Vec<&DealRow> = rows.iter().collect();
    let (summary, values) = counted(&all);
    let scope: Vec<&DealRow> = rows.iter().filter(|row| row.class != Class::Excluded).collect();
    let excluded: Vec<&DealRow> = rows.iter().filter(|row| row.class == Class::Excluded).collect();
    let mut excluded_value = Values::default();
    excluded
        .iter()
        .filter_map(|row| row.value.as_ref())
        .for_each(|value| excluded_value.add(value));
    let first_pass_complete = first_pass(&scope);
    let incomplete = first_pass_complete.not.clone();
    let unanswered = vec![
        QuestionCount {
            question: Some(3),
            count: incomplete.len(),
            of: first_pass_complete.of,
            deals: incomplete.clone(),
            fields: vec![FieldCount {
                field: "contacts.economic_buyer".to_owned(),
                count: incomplete.len(),
                deals: incomplete.clone(),
            }],
        },
        QuestionCount {
            question: Some(6),
            count: incomplete.len() / 2,
            of: first_pass_complete.of,
            deals: incomplete[..incomplete.len() / 2].to_vec(),
            fields: vec![FieldCount {
                field: "success.metric".to_owned(),
                count: incomplete.len() / 2,
                deals: incomplete[..incomplete.len() / 2].to_vec(),
            }],
        },
    ];
    let metrics = Metrics {
        coverage: coverage(&scope),
        latency: latencies(&scope),
        first_pass_complete,
        first_touch_on_time: touched_on_time(&scope),
        first_touch_evidenced: evidenced(&scope),
        unanswered,
        returns: vec![ReturnCount {
            reason: "unanswered".to_owned(),
            count: 1,
            deals: scope.first().map(|row| row.key.clone()).into_iter().collect(),
        }],
        by_csm: groups(&scope, |row| row.csm.clone()),
        by_rep: groups(&scope, |row| row.owner.clone()),
        by_tier: groups(&scope, |row| row.tier.clone()),
        by_month: groups(&scope, |row| Some(row.closed_won_at?.format("%Y-%m").to_string())),
    };
    AuditReport {
        held: Vec::new(),
        version: REPORT_VERSION,
        generated_by: "handoff 0.1.0".to_owned(),
        complete: true,
        as_of: as_of(),
        window: Window { from: Some(as_of() - TimeDelta::days(330)), to: None },
        settings: Settings {
            handoff_within: "1h".to_owned(),
            first_touch_within: "24h".to_owned(),
            calendar: Some("Mon-Fri 09:00-17:00 America/New_York, 1 holiday".to_owned()),
            blob: Some(ObjectId([0xcd; 20])),
            schema_blob: None,
            earlier: Vec::new(),
        },
        population: PopulationReport {
            source: SourceReport {
                kind: "file".to_owned(),
                location: "deals.csv".to_owned(),
                query: Some("stage == 'Closed Won'".to_owned()),
                remarks: vec!["dates have no zone and were taken as UTC".to_owned()].into(),
            },
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            rows: rows.len() * 3,
            closed_won: rows.len(),
            in_scope: scope.len(),
            excluded: excluded.len(),
            undated: 0,
            without_amount: rows.iter().filter(|row| row.value.is_none()).count(),
            value: values.total(),
            exclusions: vec![Exclusion {
                reason: "renewal".to_owned(),
                count: excluded.len(),
                value: excluded_value,
                deals: excluded.iter().map(|row| row.key.clone()).collect(),
            }],
            undecided: Vec::new(),
        },
        ledger: LedgerReport {
            repository: None,
            head: ObjectId([0xab; 20]),
            branch: "main".to_owned(),
            commits: rows.len() * 3,
            unpushed: 0,
            absent: None,
            web: None,
            briefs: rows.iter().filter(|row| row.brief.is_some()).count() + 1,
            checkpoints: vec![CheckpointReport {
                name: "refs/handoff/checkpoints/2026-10-31".to_owned(),
                at: as_of() - TimeDelta::days(22),
                tip: ObjectId([0xcd; 20]),
                contained: true,
                displaced_by: None,
                is_signed: false,
                signer: None,
                faults: Vec::new(),
                is_current: false,
                deals: Vec::new(),
            }],
            clocks: Vec::new(),
            pushes: Vec::new(),
            is_current: false,
        },
        more_ledgers: Vec::new(),
        summary,
        values,
        orphans,
        signatures: None,
        findings,
        metrics,
        gaps: Vec::new(),
        command: "handoff audit --deals deals.csv --from 2025-12-27 --as-of 2026-11-22T12:00:00Z"
            .to_owned(),
        deals: rows,
    }
}

/// The same company when a page of its CRM could not be read.
pub(crate) fn incomplete(deals: usize) -> AuditReport {
    let mut report = company(deals);
    report.complete = false;
    report.gaps = vec![Gap {
        what: "page 7 of the deals search".to_owned(),
        why: "HubSpot answered 502 four times".to_owned(),
        help: Some("Run the audit again in a few minutes.".to_owned()),
    }];
    report
}

/// A company where everything is as it should be.
pub(crate) fn clean() -> AuditReport {
    let mut dice = Dice(7);
    let rows = (0..9)
        .map(|at| {
            let mut row = deal(at, &mut dice, Class::OnTime);
            row.complete = Some(true);
            row.unanswered.clear();
            row.first_touch_at = row.signed_at.map(|at| at + TimeDelta::hours(2));
            row
        })
        .collect();
    let mut report = report(rows);
    report.findings.clear();
    report.orphans.clear();
    report
}

/// Hostile text in every field that can hold somebody else's words.
pub(crate) fn hostile() -> AuditReport {
    let texts: Vec<String> = HOSTILE.iter().map(ToString::to_string).chain([long_name()]).collect();
    let mut dice = Dice(3);
    let rows = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let mut row = deal(at, &mut dice, Class::ALL[at % Class::ALL.len()]);
            row.deal_id = DealId::new(text.clone());
            for field in [
                &mut row.name,
                &mut row.url,
                &mut row.owner,
                &mut row.csm,
                &mut row.tier,
                &mut row.reason,
                &mut row.approver,
                &mut row.brief,
                &mut row.task,
                &mut row.closed_won_evidence,
            ] {
                *field = Some(text.clone());
            }
            row.url =
                Some(if at % 2 == 0 { "javascript:alert(1)".to_owned() } else { text.clone() });
            row.unanswered = vec![text.clone()];
            row.suggestion =
                Some(Box::new(Suggestion { what: text.clone(), because: text.clone() }));
            row
        })
        .collect();
    let mut report = report(rows);
    let text = texts.join(" ");
    report.complete = false;
    report.gaps = texts
        .iter()
        .map(|text| Gap { what: text.clone(), why: text.clone(), help: Some(text.clone()) })
        .collect();
    report.population.source.location.clone_from(&text);
    report.population.source.query = Some(text.clone());
    report.population.source.remarks = texts.clone().into();
    report.population.exclusions[0].reason.clone_from(&text);
    report.orphans[0].customer = Some(text.clone());
    report.orphans[0].brief.clone_from(&text);
    report.ledger.branch.clone_from(&text);
    report.command.clone_from(&text);
    report.metrics.unanswered[0].fields[0].field = text;
    report
}

/// An audit in a format as text, for eyes: no colours, a fixed width.
pub(crate) fn shown(format: Format, report: &AuditReport) -> String {
    let options = Options { color: false, width: Some(100) };
    String::from_utf8(render_audit(format, report, &options)).expect("every format is UTF-8")
}
