//! Text that comes from outside never acts, in any format.

use handoff::report::{FindingsReport, Format, Options, render_findings};

use super::samples::{
    assert_html, assert_inert_lines, assert_sarif, assert_xml, hostile_findings, shown,
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
        // JSON keeps the characters and writes the controls as escapes.
        let allowed = matches!(format, Format::Json);
        assert!(bad.is_none() || allowed, "{format} lets {bad:?} out");
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
