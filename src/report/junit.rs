//! `JUnit` XML, for the test pages of CI systems: one test case for each brief
//! or deal.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::FindingsReport;
use super::findings::location;
use super::sentences::deal_name;
use crate::audit::{AuditReport, Class, DealRow};
use crate::finding::{Finding, Severity};
use crate::model::{Key, count};
use crate::text;

/// A test case for each brief that was checked; errors fail it, the rest is
/// its output.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let mut by_file: BTreeMap<&str, Vec<&Finding>> =
        report.checked().iter().map(|file| (file.as_str(), Vec::new())).collect();
    for finding in report.findings() {
        let file = finding.place.file.as_deref().or(finding.key.as_ref().map(Key::as_str));
        by_file.entry(file.unwrap_or("the ledger")).or_default().push(finding);
    }
    let mut suite = TestSuite::new("handoff validate");
    suite.add_test_cases(by_file.iter().map(|(file, found)| case(file, "brief", found)));
    serialize("handoff validate", suite)
}

/// A test case for each closed-won deal; a class that is wrong or an error
/// fails it, what needs no handoff is skipped. What could not be read is an
/// error of its own.
pub(super) fn audit(report: &AuditReport) -> Vec<u8> {
    let mut by_key: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_key
            .entry(finding.key.as_ref().map_or("the ledger", Key::as_str))
            .or_default()
            .push(finding);
    }
    let mut suite = TestSuite::new("handoff audit");
    suite.add_test_case(population(report));
    for deal in &report.deals {
        let found = by_key.remove(deal.key.as_str()).unwrap_or_default();
        suite.add_test_case(deal_case(deal, &found));
    }
    // Briefs without a deal, and the ledger as a whole.
    suite.add_test_cases(by_key.iter().map(|(key, found)| case(key, "ledger", found)));
    serialize("handoff audit", suite)
}

/// The case that fails when the audit is incomplete.
fn population(report: &AuditReport) -> TestCase {
    let status = if report.complete {
        TestCaseStatus::success()
    } else {
        let gaps: Vec<String> =
            report.gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect();
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_message("not everything could be read, so this is no result")
            .set_type("audit-incomplete")
            .set_description(clean(&gaps.join("\n")));
        status
    };
    let mut case = TestCase::new("the whole population was read", status);
    case.set_classname("audit");
    case
}

fn deal_case(deal: &DealRow, findings: &[&Finding]) -> TestCase {
    let name = deal_name(deal.name.as_deref(), deal.key.as_str());
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    if !failed && matches!(deal.class, Class::Pending | Class::Exempt | Class::Excluded) {
        let mut status = TestCaseStatus::skipped();
        let reason = deal.reason.as_deref().map(text::one_line).unwrap_or_default();
        status.set_message(clean(&format!("{}: {reason}", deal.class.label())));
        let mut case = TestCase::new(clean(&name), status);
        case.set_classname("deal");
        return case;
    }
    case(&name, "deal", findings)
}

/// A test case: failed by errors, silent otherwise.
fn case(name: &str, class: &str, findings: &[&Finding]) -> TestCase {
    let errors: Vec<&&Finding> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let told: Vec<String> = findings.iter().map(|finding| tell(finding)).collect();
    let mut case = match errors.first() {
        None => {
            let mut case = TestCase::new(clean(name), TestCaseStatus::success());
            if !told.is_empty() {
                case.set_system_out(clean(&told.join("\n")));
            }
            case
        }
        Some(first) => {
            let mut message = clean(&text::one_line(&first.message));
            if errors.len() > 1 {
                message.push_str(&format!(" (and {} more)", count(errors.len() - 1, "error")));
            }
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_message(message)
                .set_type(first.rule)
                .set_description(clean(&told.join("\n")));
            TestCase::new(clean(name), status)
        }
    };
    case.set_classname(class);
    case
}

/// One finding in plain text.
fn tell(finding: &Finding) -> String {
    let mut told = format!(
        "{}[{}]: {}",
        finding.severity.as_str(),
        finding.rule,
        text::one_line(&finding.message)
    );
    if let Some(location) = location(finding) {
        told.push_str(&format!("\n  --> {location}"));
    }
    if let Some(help) = &finding.help {
        told.push_str(&format!("\n  help: {}", text::one_line(help)));
    }
    told
}

/// Text that XML 1.0 can hold: controls visible, the two characters that are
/// never allowed replaced.
fn clean(given: &str) -> String {
    text::terminal(given).replace(['\u{FFFE}', '\u{FFFF}'], "\u{FFFD}")
}

fn serialize(name: &str, suite: TestSuite) -> Vec<u8> {
    let mut report = Report::new(name);
    let mut suite = suite;
    // Checks take no time worth telling, and the same input gives the same bytes.
    suite.set_time(Duration::ZERO);
    for case in &mut suite.test_cases {
        case.set_time(Duration::ZERO);
    }
    report.add_test_suite(suite);
    report.set_time(Duration::ZERO);
    let text = report.to_string().expect("XML goes into memory");
    // Jenkins' schema has `skipped` on each suite and not on all of them together.
    let Some((before, rest)) = text.split_once("<testsuites") else { return text.into_bytes() };
    let (tag, rest) = rest.split_once('>').unwrap_or((rest, ""));
    let tag = match tag.split_once(" skipped=\"") {
        Some((left, right)) => {
            format!("{left}{}", right.split_once('"').map_or("", |(_, right)| right))
        }
        None => tag.to_owned(),
    };
    format!("{before}<testsuites{tag}>{rest}").into_bytes()
}
