//! Findings and reports that the tests of every format share.

use handoff::finding::{Finding, Location, Rule, RuleKind, Severity};
use handoff::model::Key;
use handoff::report::{FindingsReport, Format, Options, render_findings};

pub(crate) static UNANSWERED: Rule = Rule {
    id: "unanswered-question",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "A question of the brief has no answer.",
    explain: "# unanswered-question\n\nCS cannot start without it.",
};
pub(crate) static VAGUE: Rule = Rule {
    id: "vague-first-action",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action could be anybody's.",
    explain: "# vague-first-action\n\nName the customer and the goal.",
};
pub(crate) static UNKNOWN: Rule = Rule {
    id: "unknown-overdue",
    kind: RuleKind::Brief,
    severity: Severity::Info,
    summary: "An honest gap is past its day.",
    explain: "# unknown-overdue\n\nAsk its owner.",
};

/// Text that would act somewhere if it were not made harmless.
pub(crate) const HOSTILE: &[&str] = &[
    "=cmd|' /C calc'!A0",
    "{{7*7}}<script>alert(1)</script>@everyone",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J",
    "%0A::error::injected",
    "\n::error::injected\r\n##[error]injected",
    "]]><failure/>&lt;",
    "+1 (555) @SUM(A1)",
    "\t=1+1",
    "\u{202E}evil\u{2066}\u{200B} שלום",
    "a|b `c` [d](javascript:alert(1)) ![e](https://e.example/p.png) fixes #1",
    "</script><!--<script>",
    "\u{FFFE}\u{0}\u{FFFF}",
    "${jndi:ldap://x} {% raw %}",
];

pub(crate) fn long_name() -> String {
    "N".repeat(300)
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key of a test")
}

pub(crate) fn place(
    file: &str,
    line: usize,
    column: usize,
    width: usize,
    source: &str,
) -> Location {
    Location {
        file: Some(file.to_owned()),
        line: Some(line),
        column: Some(column),
        width: Some(width),
        source: Some(source.to_owned()),
    }
}

pub(crate) const ACME: &str = "briefs/2026/11/acme-corp--hubspot-1/brief.yaml";
pub(crate) const BETA: &str = "briefs/2026/11/beta--hubspot-2/brief.yaml";
pub(crate) const GAMMA: &str = "briefs/2026/10/gamma--hubspot-3/brief.yaml";

/// Three briefs: one with two problems, one with one, one without; given out
/// of order, and one finding that has no file.
pub(crate) fn three_briefs() -> FindingsReport {
    let findings =
        vec![
        Finding::new(&VAGUE, "The first action \"Reach out\" could be any customer's.")
            .help(
                "Name the customer and what they want first.\nThe goal is in success.primary_goal.",
            )
            .key(&key("hubspot-2"))
            .at(place(BETA, 31, 2, 12, "\tinstruction: Reach out"))
            .question(7),
        Finding::new(
            &UNANSWERED,
            "Nobody says what success looks like to them: success.primary_goal is empty.",
        )
        .help("Ask Riley Ross, or write {unknown: {why, owner, resolve_by}}.")
        .key(&key("hubspot-1"))
        .at(place(ACME, 24, 3, 13, "  primary_goal: \"\""))
        .question(6),
        Finding::new(
            &UNKNOWN,
            "The answer to contacts.economic_buyer was promised for 2026-11-01.",
        )
        .key(&key("hubspot-1"))
        .at(place(
            ACME,
            9, 38, 10,
            "    unknown: {why: 株式会社, resolve_by: 2026-11-01, owner: Riley}",
        ))
        .question(3),
        Finding::new(&UNANSWERED, "The brief of hubspot-9 is gone.").key(&key("hubspot-9")),
    ];
    FindingsReport::new(
        vec![BETA.to_owned(), ACME.to_owned(), GAMMA.to_owned()],
        findings,
        [&VAGUE, &UNANSWERED, &UNKNOWN],
    )
}

pub(crate) fn nothing_wrong() -> FindingsReport {
    FindingsReport::new(vec![ACME.to_owned()], Vec::new(), [&VAGUE, &UNANSWERED])
}

/// Every hostile text in every field that can hold somebody else's words.
pub(crate) fn hostile_findings() -> FindingsReport {
    let findings = HOSTILE
        .iter()
        .map(ToString::to_string)
        .chain([long_name()])
        .map(|text| {
            Finding::new(&UNANSWERED, text.clone())
                .help(text.clone())
                .at(place(&text, 1, 2, 3, &text))
        })
        .collect();
    FindingsReport::new(vec![], findings, [&UNANSWERED])
}

/// A format as text, for eyes: no colours, a fixed width.
pub(crate) fn shown(format: Format, report: &FindingsReport) -> String {
    let options = Options { color: false, width: Some(80) };
    String::from_utf8(render_findings(format, report, &options)).expect("every format is UTF-8")
}

/// Fails unless the text keeps to the SARIF 2.1.0 schema.
pub(crate) fn assert_sarif(text: &str) {
    static SCHEMA: std::sync::OnceLock<jsonschema::Validator> = std::sync::OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema = include_str!("../../fixtures/report/sarif-2.1.0.schema.json");
        let mut schema: serde_json::Value =
            serde_json::from_str(schema).expect("the schema is JSON");
        // The published pattern for a language code has a bracket too many,
        // which this library refuses; nothing here gives a language.
        for holder in ["run", "toolComponent"] {
            schema["definitions"][holder]["properties"]["language"]
                .as_object_mut()
                .expect("a language")
                .remove("pattern");
        }
        jsonschema::validator_for(&schema).expect("the schema is one")
    });
    let log = serde_json::from_str(text).expect("SARIF is JSON");
    let errors: Vec<String> = schema
        .iter_errors(&log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Fails unless the text is well-formed XML of allowed characters only.
pub(crate) fn assert_xml(text: &str) {
    let bad = text.chars().find(|c| {
        !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
    });
    assert_eq!(bad, None, "XML 1.0 does not allow it");
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => break,
            Ok(quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag)) => {
                for attribute in tag.attributes() {
                    attribute.expect("an attribute");
                }
            }
            Ok(_) => {}
            Err(error) => panic!("{error} in {text}"),
        }
    }
}

/// Fails unless tags of the page are balanced and it asks for nothing outside.
pub(crate) fn assert_html(text: &str) {
    assert!(text.starts_with("<!doctype html>"), "it says what it is");
    for outside in
        ["src=\"http", "href=\"http://", "url(http", "@import", "<link", "<iframe", "javascript:"]
    {
        let at = text.find(outside).map(|at| text[at..].chars().take(80).collect::<String>());
        // The one word that is allowed is inside escaped customer text.
        assert!(at.is_none() || outside == "javascript:", "{outside}: {at:?}");
    }
    assert!(!text.contains("=\"javascript:"), "no link runs a script");
    let open = open_tags(text);
    assert!(open.is_empty(), "never closed: {open:?}");
}

/// The tags that are never closed, after HTML's own rules for void elements
/// and for what stands inside a script or style.
fn open_tags(text: &str) -> Vec<String> {
    const VOID: &[&str] = &["meta", "input", "br", "hr", "img", "link", "col"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[..end];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            assert_eq!(last.as_deref(), Some(name.trim()), "closed in another order");
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let name = tag.split([' ', '\n', '/']).next().expect("a first part").to_owned();
            let raw = matches!(name.as_str(), "script" | "style");
            if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
                open.push(name.clone());
            }
            if raw {
                let close = format!("</{name}");
                rest = &rest[end..];
                let at = rest.find(&close).unwrap_or_else(|| panic!("{name} is never closed"));
                rest = &rest[at..];
                continue;
            }
        }
        rest = &rest[end..];
    }
    open
}

/// Fails when a line would be a workflow command to GitHub's runner.
pub(crate) fn assert_inert_lines(text: &str) {
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{line}");
        assert!(!line.contains("##["), "{line}");
    }
}
