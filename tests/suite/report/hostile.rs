//! Text that comes from outside never acts, in any format.

use handoff::finding::Finding;
use handoff::report::{FindingsReport, Format, Options, render_findings};

use proptest::prelude::*;

use super::samples::{
    UNANSWERED, assert_html, assert_inert_lines, assert_sarif, assert_xml, hostile_findings, place,
    shown,
};

#[test]
fn no_format_lets_a_control_character_out() {
    let report = hostile_findings();
    for format in Format::all() {
        let text = shown(format, &report);
        let bad = text.chars().find(|c| {
            (c.is_control() && !matches!(c, '\n' | '\r'))
                || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        });
        assert!(bad.is_none(), "{format} lets {bad:?} out");
        assert!(!text.contains('\u{1b}'), "{format} lets an escape out");
    }
}

#[test]
fn text_starts_no_workflow_command() {
    assert_inert_lines(&shown(Format::Text, &hostile_findings()));
}

#[test]
fn github_commands_stay_one_line_each() {
    let text = shown(Format::Github, &hostile_findings());
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 10);
    for line in text.lines() {
        assert!(
            line.starts_with("::error file=")
                || line.starts_with("and ")
                || line.starts_with("checked "),
            "{line}"
        );
    }
    assert!(text.contains("%250A%3A%3Aerror"), "a percent sign is escaped: {text}");
}

#[test]
fn csv_holds_no_formula() {
    let text = shown(Format::Csv, &hostile_findings());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for row in reader.records() {
        for cell in &row.expect("a row") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
        }
    }
    assert!(text.contains("'=cmd|' /C calc'!A0"));
}

#[test]
fn markdown_renders_to_text_alone() {
    let text = shown(Format::Markdown, &hostile_findings());
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(&text, &options);
    for tag in ["<script", "<img", "<a ", "<failure", "<h1"] {
        assert!(!html.contains(tag), "{tag} in {html}");
    }
    // GitHub mentions nobody from within code.
    let outside_code =
        html.split("<code>").map(|part| part.split_once("</code>").map_or(part, |(_, rest)| rest));
    assert!(
        outside_code.into_iter().all(|part| !part.contains("@everyone")),
        "nobody is mentioned"
    );
    let rows = html.matches("<tr>").count();
    assert_eq!(rows, hostile_findings().findings().len() + 1, "every finding stays in its row");
    assert_eq!(html.matches("<td>").count(), (rows - 1) * 4, "and its cells in theirs");
}

#[test]
fn sarif_junit_and_html_stay_well_formed() {
    let report = hostile_findings();
    assert_sarif(&shown(Format::Sarif, &report));
    let junit = shown(Format::Junit, &report);
    assert_xml(&junit);
    assert!(!junit.contains("<failure/>"));
    let html = shown(Format::Html, &report);
    assert_html(&html);
    assert!(!html.contains("<script>alert"));
    assert_eq!(html.matches("<script").count(), 1, "only our own script");
    assert!(html.contains("{{7*7}}"), "shown, not computed");
}

#[test]
fn empty_reports_render_everywhere() {
    let empty = FindingsReport::new(vec![], vec![], []);
    for format in Format::all() {
        assert!(!render_findings(format, &empty, &Options::default()).is_empty(), "{format}");
    }
}

#[test]
fn json_keeps_every_character() {
    let report = hostile_findings();
    let parsed: serde_json::Value =
        serde_json::from_str(&shown(Format::Json, &report)).expect("JSON");
    for (finding, told) in
        report.findings().iter().zip(parsed["findings"].as_array().expect("findings"))
    {
        assert_eq!(told["message"], *finding.message);
    }
}

proptest! {
    #[test]
    fn whatever_stands_in_a_finding_every_format_stays_whole(
        message in any::<String>(),
        source in any::<String>(),
        file in any::<String>(),
        column in any::<usize>(),
        width in any::<usize>(),
        screen in prop::option::of(0_usize..200),
    ) {
        let finding = Finding::new(&UNANSWERED, message.clone())
            .help(message)
            .at(place(&file, 7, column, width, &source));
        let report = FindingsReport::new(vec![file], vec![finding], [&UNANSWERED]);
        let options = Options { color: true, width: screen };
        for format in Format::all() {
            let bytes = render_findings(format, &report, &options);
            let text = String::from_utf8(bytes).expect("every format is UTF-8");
            match format {
                Format::Json => {
                    serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
                }
                Format::Sarif => assert_sarif(&text),
                Format::Junit => assert_xml(&text),
                Format::Html => assert_html(&text),
                Format::Csv => {
                    let rows = csv::Reader::from_reader(text.as_bytes()).into_records().count();
                    assert_eq!(rows, 1);
                }
                Format::Github => {
                    assert_eq!(text.lines().count(), 2, "{text}");
                }
                Format::Text => {
                    assert_inert_lines(&text);
                    assert!(text.lines().count() <= 8, "{text}");
                }
                Format::Markdown => assert_eq!(text.lines().count(), 7, "{text}"),
            }
        }
    }
}
