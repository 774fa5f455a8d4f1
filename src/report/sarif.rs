//! SARIF 2.1.0 as GitHub's code scanning reads it
//! (<https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_sarif::sarif as s;
use sha2::{Digest as _, Sha256};

use super::findings::{in_briefs, worst_first};
use super::{FindingsReport, json};
use crate::audit::AuditReport;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::count;
use crate::text;

/// Code scanning refuses a run with more results.
const MOST: usize = 25_000;

/// Where a finding is shown that has no file, since code scanning wants a
/// place for each: a file that every ledger has.
const NO_FILE: &str = "handoff.yaml";

/// What a path keeps: everything a relative URI reference allows in a segment.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// One run for briefs.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    log("validate", report.findings(), report.rules(), &[])
}

/// One run for an audit; what could not be read makes it unsuccessful. A
/// finding about a deal stands in its brief, if there is one.
pub(super) fn audit(report: &AuditReport) -> Vec<u8> {
    let gaps: Vec<String> = report
        .gaps
        .iter()
        .map(|gap| format!("{}: {}", text::one_line(&gap.what), text::one_line(&gap.why)))
        .collect();
    let gaps = match (report.complete, gaps.is_empty()) {
        (false, true) => vec!["Not everything could be read.".to_owned()],
        _ => gaps,
    };
    let rules: Vec<&Rule> = crate::audit::rules().collect();
    log("audit", &in_briefs(report), &rules, &gaps)
}

/// The log of one run.
fn log(command: &str, findings: &[Finding], known: &[&Rule], gaps: &[String]) -> Vec<u8> {
    let mut sorted = worst_first(findings);
    let mut notes: Vec<String> = gaps.to_vec();
    if sorted.len() > MOST {
        let left = count(sorted.len() - MOST, "finding");
        notes.push(format!(
            "{left} are not in this file, the least severe: code scanning takes {MOST} in a run. \
             `--format json` has all of them."
        ));
        sorted.truncate(MOST);
    }
    let rules = descriptors(&sorted, known);
    let mut seen = BTreeMap::new();
    let results: Vec<s::Result> =
        sorted.iter().map(|finding| result(finding, &rules, &mut seen)).collect();
    let driver = s::ToolComponent::builder()
        .name("handoff")
        .version(env!("CARGO_PKG_VERSION").to_owned())
        .semantic_version(env!("CARGO_PKG_VERSION").to_owned())
        .short_description(words("Checks sales-to-customer-success handoffs in git.", None))
        .rules(rules)
        .build();
    let notifications: Vec<s::Notification> = notes
        .iter()
        .map(|note| {
            s::Notification::builder().message(message(note)).level(level(Severity::Error)).build()
        })
        .collect();
    let invocation = s::Invocation::builder()
        .execution_successful(gaps.is_empty())
        .tool_execution_notifications(notifications)
        .build();
    let run = s::Run::builder()
        .tool(s::Tool::builder().driver(driver).build())
        // Alerts of the two commands live side by side.
        .automation_details(
            s::RunAutomationDetails::builder().id(format!("handoff/{command}/")).build(),
        )
        .column_kind(serde_json::Value::from("unicodeCodePoints"))
        .invocations(vec![invocation])
        .results(results)
        .build();
    let log = s::Sarif::builder()
        .schema(s::SCHEMA_URL.to_owned())
        .version(serde_json::Value::from("2.1.0"))
        .runs(vec![run])
        .build();
    json::pretty(&log)
}

/// The rules, sorted by id: all that were applied and any other that fired.
fn descriptors(findings: &[&Finding], known: &[&Rule]) -> Vec<s::ReportingDescriptor> {
    let mut rules: BTreeMap<&str, s::ReportingDescriptor> = findings
        .iter()
        .map(|finding| (finding.rule, s::ReportingDescriptor::builder().id(finding.rule).build()))
        .collect();
    for rule in known {
        let kind = match rule.kind {
            RuleKind::Brief => "brief",
            RuleKind::Audit => "audit",
            RuleKind::Sources => "sources",
        };
        let configuration =
            s::ReportingConfiguration::builder().level(level(rule.severity)).build();
        let properties = s::PropertyBag::builder()
            .tags(vec!["handoff".to_owned(), kind.to_owned()])
            .additional_properties(BTreeMap::from([(
                "precision".to_owned(),
                serde_json::Value::from("very-high"),
            )]))
            .build();
        let mut descriptor = s::ReportingDescriptor::builder()
            .id(rule.id)
            .name(name(rule.id))
            .short_description(words(rule.summary, None))
            .full_description(words(rule.summary, None))
            .help(words(rule.explain, Some(rule.explain)))
            .default_configuration(configuration)
            .properties(properties)
            .build();
        descriptor.help_uri = help_uri(rule.id);
        rules.insert(rule.id, descriptor);
    }
    rules.into_values().collect()
}

/// A rule's name as SARIF wants it, which is not its id: `MissingHandoff`.
fn name(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
        })
    };
    id.split('-').map(capital).collect()
}

/// The rule's page in the version that found it, where the project has an
/// address; the page itself is in the log in any case.
fn help_uri(id: &str) -> Option<String> {
    const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    (!REPOSITORY.is_empty()).then(|| format!("{REPOSITORY}/blob/v{VERSION}/docs/rules/{id}.md"))
}

/// One finding.
fn result(
    finding: &Finding,
    rules: &[s::ReportingDescriptor],
    seen: &mut BTreeMap<String, usize>,
) -> s::Result {
    let index = rules
        .binary_search_by(|rule| rule.id.as_str().cmp(finding.rule))
        .expect("each rule that fired is in the list, which is sorted");
    let mut told = text::one_line(&finding.message);
    if let Some(help) = &finding.help {
        told.push_str("\nHelp: ");
        told.push_str(&text::one_line(help));
    }
    let mark = mark(finding);
    let nth = seen.entry(mark.clone()).or_default();
    *nth += 1;
    let fingerprint = format!("{mark}:{nth}");
    s::Result::builder()
        .rule_id(finding.rule.to_owned())
        .rule_index(i64::try_from(index).unwrap_or(-1))
        .level(match finding.severity {
            Severity::Error => s::ResultLevel::Error,
            Severity::Warning => s::ResultLevel::Warning,
            Severity::Info => s::ResultLevel::Note,
        })
        .message(message(&told))
        .locations(vec![place(finding)])
        .partial_fingerprints(BTreeMap::from([
            // The one name that code scanning pays attention to.
            ("primaryLocationLineHash".to_owned(), fingerprint.clone()),
            ("handoffFinding/v1".to_owned(), fingerprint),
        ]))
        .build()
}

/// What makes two findings of different runs the same one: rule, handoff,
/// question and the line's text; never the line's number or the message, which
/// may name time that passes.
fn mark(finding: &Finding) -> String {
    let place = &finding.place;
    let whose = finding.key.as_ref().map(crate::model::Key::as_str).or(place.file.as_deref());
    let question = finding.question.map(|question| question.to_string()).unwrap_or_default();
    let parts = [
        finding.rule,
        whose.unwrap_or_default(),
        &question,
        place.source.as_deref().unwrap_or_default().trim(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}

fn place(finding: &Finding) -> s::Location {
    let place = &finding.place;
    let uri = utf8_percent_encode(place.file.as_deref().unwrap_or(NO_FILE), PATH).to_string();
    let artifact =
        s::ArtifactLocation::builder().uri(uri).uri_base_id("%SRCROOT%".to_owned()).build();
    let number = |number: usize| i64::try_from(number.max(1)).unwrap_or(i64::MAX);
    let line = number(place.line.unwrap_or(1));
    let region = match (place.line, place.column) {
        (Some(_), Some(column)) => s::Region::builder()
            .start_line(line)
            .start_column(number(column))
            .end_column(number(column.saturating_add(place.width.unwrap_or(1).max(1))))
            .build(),
        _ => s::Region::builder().start_line(line).build(),
    };
    let physical =
        s::PhysicalLocation::builder().artifact_location(artifact).region(region).build();
    match &finding.key {
        None => s::Location::builder().physical_location(physical).build(),
        Some(key) => {
            let logical = s::LogicalLocation::builder()
                .name(key.as_str().to_owned())
                .kind("handoff".to_owned())
                .build();
            s::Location::builder()
                .physical_location(physical)
                .logical_locations(vec![logical])
                .build()
        }
    }
}

fn level(severity: Severity) -> serde_json::Value {
    serde_json::Value::from(match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    })
}

fn words(text: &str, markdown: Option<&str>) -> s::MultiformatMessageString {
    let words = s::MultiformatMessageString::builder().text(text);
    match markdown {
        None => words.build(),
        Some(markdown) => words.markdown(markdown.to_owned()).build(),
    }
}

fn message(text: &str) -> s::Message {
    s::Message::builder().text(text.to_owned()).build()
}
