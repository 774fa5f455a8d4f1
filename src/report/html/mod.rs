//! One page with everything in it: no network, charts as inline SVG, a table
//! to filter and sort. Markup, style and script are in `templates/report/`.

mod audit;
mod deals;
mod measured;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::FindingsReport;
use super::findings::{location, worst_first};
use super::sentences::tally;
use crate::finding::{Finding, Severity};
use crate::model::count;
use crate::text;

pub(super) use audit::audit;

const STYLE: &str = include_str!("../../../templates/report/page.css");

/// What every page needs.
#[derive(Serialize)]
struct Shell {
    policy: String,
    generator: &'static str,
    style: &'static str,
    script: &'static str,
}

impl Shell {
    fn new(script: &'static str) -> Self {
        // Should some text ever escape its place, the browser still runs no
        // script but ours and fetches nothing.
        let hash = STANDARD.encode(Sha256::digest(script));
        Self {
            policy: format!(
                "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
                 base-uri 'none'; form-action 'none'"
            ),
            generator: concat!("handoff ", env!("CARGO_PKG_VERSION")),
            style: STYLE,
            script,
        }
    }
}

/// Fills in a template of ours; every value is escaped.
fn render(template: &'static str, values: &impl Serialize) -> Vec<u8> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
    environment
        .render_str(template, minijinja::value::Serde(values))
        .expect("the templates are compiled in, and tests render each of their parts")
        .into_bytes()
}

// Findings as a page.

const TEMPLATE: &str = include_str!("../../../templates/report/findings.html");
const SCRIPT: &str = include_str!("../../../templates/report/findings.js");

/// How many characters of a line are shown.
const LONGEST: usize = 400;

#[derive(Serialize)]
struct ValidatePage {
    #[serde(flatten)]
    shell: Shell,
    checked: String,
    tally: String,
    severities: Vec<SeverityCount>,
    findings: Vec<FindingLine>,
}

#[derive(Serialize)]
struct SeverityCount {
    name: &'static str,
    count: String,
}

#[derive(Serialize)]
struct FindingLine {
    severity: &'static str,
    rule: &'static str,
    location: Option<String>,
    message: String,
    help: Option<String>,
    line: Option<usize>,
    source: Option<Marked>,
}

#[derive(Serialize)]
struct Marked {
    before: String,
    marked: String,
    after: String,
}

/// The page.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let severities = [Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .filter_map(|severity| {
            let all = report.findings().iter();
            let number = all.filter(|finding| finding.severity == severity).count();
            (number > 0).then(|| SeverityCount {
                name: severity.as_str(),
                count: count(number, severity.as_str()),
            })
        })
        .collect();
    let page = ValidatePage {
        shell: Shell::new(SCRIPT),
        checked: count(report.checked().len(), "brief"),
        tally: tally(report.findings()),
        severities,
        findings: worst_first(report.findings()).into_iter().map(shown).collect(),
    };
    render(TEMPLATE, &page)
}

fn shown(finding: &Finding) -> FindingLine {
    FindingLine {
        severity: finding.severity.as_str(),
        rule: finding.rule,
        location: location(finding).map(|place| text::one_line(&place)),
        message: text::one_line(&finding.message),
        help: finding.help.as_deref().map(text::terminal),
        line: finding.place.line,
        source: finding.place.line.and(marked(finding)),
    }
}

/// The line in three parts, the middle one underlined.
fn marked(finding: &Finding) -> Option<Marked> {
    let place = &finding.place;
    let source: Vec<char> = place.source.as_deref()?.trim_end().chars().collect();
    let start = place.column.unwrap_or(1).saturating_sub(1).min(source.len());
    let end = start.saturating_add(place.width.unwrap_or(1)).clamp(start, source.len());
    let show = |part: &[char]| {
        let part: String = part.iter().collect();
        text::terminal(&text::shorten(&part.replace('\t', "    "), LONGEST))
    };
    let marked = if start == end { " ".to_owned() } else { show(&source[start..end]) };
    Some(Marked { before: show(&source[..start]), marked, after: show(&source[end..]) })
}
