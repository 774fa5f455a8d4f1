//! Pictures of the terminal for the README and the docs. They are drawn from
//! what the program really prints and compared on each run, so they cannot
//! rot. `HANDOFF_UPDATE_PICTURES=1 cargo nextest run picture` draws them again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use handoff::report::{Format, Options, render_audit, render_findings};
use unicode_width::UnicodeWidthChar as _;

use super::audits::company;
use super::samples::three_briefs;

const COLUMN: f64 = 8.43;
const LINE: f64 = 19.0;

/// Compares the picture of a terminal with the one in `docs/images/`, or
/// draws it again where that is asked for. `text` may hold ANSI colours.
#[allow(clippy::disallowed_methods, reason = "a test that asks whether to draw again")]
pub(crate) fn assert_picture(name: &str, command: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images").join(name);
    let drawn = draw(command, text);
    if std::env::var("HANDOFF_UPDATE_PICTURES").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("docs/images");
        fs::write(&path, &drawn).expect("the picture can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == drawn,
        "docs/images/{name} is not what `{command}` prints any more; \
         draw it again: HANDOFF_UPDATE_PICTURES=1 cargo nextest run picture"
    );
}

/// A window with the command and what it printed.
pub(crate) fn draw(command: &str, text: &str) -> String {
    let prompt = format!("\u{1b}[1;32m$\u{1b}[0m \u{1b}[1m{command}\u{1b}[0m\n{text}");
    let lines: Vec<&str> = prompt.trim_end().lines().collect();
    let widest = lines.iter().map(|line| columns(line)).max().unwrap_or(0).max(60);
    let width = widest as f64 * COLUMN + 40.0;
    let height = lines.len() as f64 * LINE + 66.0;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{}">
<style>
.w{{fill:#12161d;stroke:#2a323d}}text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d5dbe4;white-space:pre}}
.b{{font-weight:700}}.r{{fill:#ff7b80;font-weight:700}}.y{{fill:#f0b454;font-weight:700}}.g{{fill:#5fd096;font-weight:700}}.u{{fill:#7daaff;font-weight:700}}.c{{fill:#63d2e6;font-weight:700}}
</style>
<rect class="w" x=".5" y=".5" width="{:.0}" height="{:.0}" rx="10"/>
<circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/><circle cx="60" cy="20" r="6" fill="#28c840"/>
"##,
        escape(&format!("Terminal: {command}")),
        width - 1.0,
        height - 1.0,
    );
    for (at, line) in lines.iter().enumerate() {
        let y = 58.0 + at as f64 * LINE;
        let mut column = 0;
        let mut spans = String::new();
        for (style, part) in parts(line) {
            let blanks = part.len() - part.trim_start_matches(' ').len();
            let shown = part[blanks..].trim_end();
            if !shown.is_empty() {
                let x = 20.0 + (column + blanks) as f64 * COLUMN;
                let length = columns(shown) as f64 * COLUMN;
                let class =
                    if style.is_empty() { String::new() } else { format!(r#" class="{style}""#) };
                // The length keeps columns aligned whatever font is there.
                let _ = write!(
                    spans,
                    r#"<tspan x="{x:.1}"{class} textLength="{length:.1}" lengthAdjust="spacingAndGlyphs">{}</tspan>"#,
                    escape(shown)
                );
            }
            column += columns(part);
        }
        if !spans.is_empty() {
            let _ = writeln!(svg, r#"<text y="{y:.0}">{spans}</text>"#);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A line's pieces with their style.
fn parts(line: &str) -> Vec<(&'static str, &str)> {
    let mut parts = Vec::new();
    let mut style = "";
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        parts.push((style, &rest[..at]));
        let (code, after) = rest[at + 2..].split_once('m').expect("only colours are used");
        style = match code {
            "0" => "",
            "1" => "b",
            "1;31" => "r",
            "1;33" => "y",
            "1;32" => "g",
            "1;34" => "u",
            "1;36" => "c",
            other => panic!("a colour that the picture does not know: {other}"),
        };
        rest = after;
    }
    parts.push((style, rest));
    // Words far apart get their own place, so that tables stay aligned.
    parts
        .into_iter()
        .flat_map(|(style, part)| apart(part).into_iter().map(move |p| (style, p)))
        .collect()
}

/// A text cut before each run of two or more blanks.
fn apart(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices("  ") {
        if at > start && !text[..at].ends_with(' ') {
            pieces.push(&text[start..at]);
            start = at;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn columns(text: &str) -> usize {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn picture_of_validate_is_what_it_prints() {
    let options = Options { color: true, width: Some(100) };
    let text = String::from_utf8(render_findings(Format::Text, &three_briefs(), &options));
    assert_picture("validate.svg", "handoff validate", &text.expect("UTF-8"));
}

#[test]
fn picture_of_audit_is_what_it_prints() {
    let options = Options { color: true, width: Some(100) };
    let text = String::from_utf8(render_audit(Format::Text, &company(24), &options));
    assert_picture("audit.svg", "handoff audit --deals deals.csv", &text.expect("UTF-8"));
}

#[test]
fn a_picture_is_well_formed_whatever_was_printed() {
    let svg = draw("handoff <x>", "\u{1b}[1;31ma & b\u{1b}[0m  <c>   \"d\"\n\n株式会社");
    super::samples::assert_xml(&svg);
    assert!(!svg.contains("<c>"));
}
