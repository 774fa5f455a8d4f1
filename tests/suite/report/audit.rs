//! What `handoff audit` prints, in every format.

use std::collections::BTreeSet;

use handoff::audit::{AuditReport, Class};
use handoff::report::{Format, Options, render_audit};
use serde_json::Value;

use super::audits::{clean, company, hostile, incomplete, shown};
use super::samples::{assert_html, assert_inert_lines, assert_sarif, assert_xml};

fn empty() -> AuditReport {
    super::audits::report(Vec::new())
}

#[test]
fn text_says_what_is_wrong_then_the_table_then_the_footing_then_the_evidence() {
    let text = shown(Format::Text, &company(24));
    insta::assert_snapshot!(text);
    let order =
        ["error[", "warning[", "% handed over", "CLASS", "in scope;", "Evidence", "audited 24"];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("no {part}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn text_of_a_clean_audit() {
    insta::assert_snapshot!(shown(Format::Text, &clean()));
}

#[test]
fn text_shows_twenty_of_a_rule_and_counts_the_rest() {
    let report = company(2_000);
    let text = shown(Format::Text, &report);
    let missing = report.findings.iter().filter(|it| it.rule == "missing-handoff").count();
    assert!(missing > 20);
    assert_eq!(text.matches("error[missing-handoff]").count(), 20);
    assert!(text.contains(&format!("and {} more missing-handoff", missing - 20)));
}

#[test]
fn the_footing_adds_up() {
    for report in [company(456), clean(), empty(), incomplete(30)] {
        let text = shown(Format::Text, &report);
        let line = text.lines().find(|line| line.contains("in scope;")).expect("a footing");
        let sums: Vec<usize> = line
            .split([';', '='])
            .map(|part| {
                part.split('+')
                    .filter_map(|term| term.split_whitespace().next())
                    .map(|term| term.replace(',', "").parse::<usize>().expect("a number"))
                    .sum()
            })
            .collect();
        assert_eq!(sums[0], sums[1], "{line}");
        assert_eq!(sums[2], sums[3], "{line}");
        assert_eq!(sums[3], report.summary.total(), "{line}");
    }
}

#[test]
fn an_incomplete_audit_says_so_in_every_format() {
    let report = incomplete(24);
    for format in Format::all() {
        let text = shown(format, &report).to_lowercase();
        let told =
            ["incomplete", "not everything", "\"complete\": false", "executionsuccessful\": false"];
        let in_csv =
            format == Format::Csv && text.lines().skip(1).all(|line| line.ends_with(",false"));
        assert!(in_csv || told.iter().any(|words| text.contains(words)), "{format}: {text}");
        if format != Format::Csv {
            assert!(text.contains("page 7 of the deals search"), "{format}");
        }
    }
}

#[test]
fn json_is_the_report_itself() {
    let report = company(24);
    let parsed: Value = serde_json::from_str(&shown(Format::Json, &report)).expect("JSON");
    assert_eq!(parsed, serde_json::to_value(&report).expect("JSON"));
    assert_eq!(parsed["version"], 1);
    let keys: Vec<&String> = parsed.as_object().expect("an object").keys().collect();
    assert_eq!(keys[..3], ["version", "generated_by", "complete"]);
}

#[test]
fn json_keeps_to_the_shipped_schema() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../schema/audit.schema.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for report in [company(24), clean(), incomplete(24), empty(), hostile()] {
        let printed: Value = serde_json::from_str(&shown(Format::Json, &report)).expect("JSON");
        let errors: Vec<String> = schema
            .iter_errors(&printed)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn csv_has_a_row_for_each_deal() {
    let report = company(24);
    let text = shown(Format::Csv, &report);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().expect("a header").clone();
    let at = |name: &str| headers.iter().position(|header| header == name).expect("a column");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), report.deals.len());
    for (row, deal) in rows.iter().zip(&report.deals) {
        assert_eq!(&row[at("key")], deal.key.as_str());
        assert_eq!(&row[at("class")], deal.class.as_str());
        assert_eq!(row[at("name")], *deal.name.as_deref().expect("a name"));
        assert_eq!(row[at("findings")], deal.findings.join("; "));
        assert_eq!(&row[at("audit_complete")], "true");
    }
    insta::assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"));
}

#[test]
fn markdown_is_a_job_summary() {
    insta::assert_snapshot!(shown(Format::Markdown, &company(24)));
}

#[test]
fn markdown_of_a_large_audit_keeps_its_evidence() {
    let text = shown(Format::Markdown, &company(40_000));
    assert!(text.len() <= 1024 * 1024, "{} bytes", text.len());
    assert!(text.contains("| sha-256 |"));
    assert!(text.contains("left out"));
}

#[test]
fn github_ends_with_the_number() {
    let text = shown(Format::Github, &company(24));
    insta::assert_snapshot!(text);
    let first = shown(Format::Github, &incomplete(24));
    assert!(first.starts_with("::error title=audit-incomplete::"), "{first}");
}

#[test]
fn sarif_keeps_to_its_schema() {
    for report in [company(24), clean(), incomplete(24), empty()] {
        let text = shown(Format::Sarif, &report);
        assert_sarif(&text);
        let log: Value = serde_json::from_str(&text).expect("JSON");
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), handoff::audit::rules().count(), "each rule is described once");
        assert!(rules.iter().all(|rule| rule["help"]["text"].is_string()));
        assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(report.findings.len()));
        assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], report.complete);
    }
}

#[test]
fn junit_has_a_case_for_each_deal() {
    let report = company(24);
    let text = shown(Format::Junit, &report);
    assert_xml(&text);
    assert_eq!(text.matches("classname=\"deal\"").count(), report.deals.len());
    let idle = report.summary.pending + report.summary.exempt + report.summary.excluded;
    assert_eq!(text.matches("<skipped").count(), idle);
    let wrong = report.summary.missing + report.summary.removed;
    assert_eq!(text.matches("<failure").count(), wrong);
    assert!(shown(Format::Junit, &incomplete(3)).contains("<error"));
}

#[test]
fn first_touches_are_told_per_csm_and_rep_on_time_claimed_and_shown() {
    let report = company(40);
    let text = shown(Format::Text, &report);
    let (html, markdown) = (shown(Format::Html, &report), shown(Format::Markdown, &report));
    for (heading, groups) in [("CSM", &report.metrics.by_csm), ("REP", &report.metrics.by_rep)] {
        let table = text.split("\n\n").find(|block| block.starts_with(heading)).expect(heading);
        for title in ["FIRST TOUCH ON", "CLAIMED", "SHOWN BY CRM"] {
            assert!(table.contains(title), "{table}");
        }
        for group in groups {
            let shares = &group.figures.first_touch_evidenced;
            let line = table.lines().find(|line| line.starts_with(&group.name)).expect(&group.name);
            let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).collect();
            let of = |at: usize| cells[at].trim().to_owned();
            assert_eq!(of(4), shares.not.len().to_string(), "{line}");
            assert_eq!(of(5), shares.count.to_string(), "{line}");
        }
    }
    for title in ["First touch on time", "Claimed", "Shown by CRM"] {
        assert!(html.contains(&format!(">{title}</th>")), "{title}");
        assert!(markdown.contains(&format!(" {title} |")), "{title}");
    }
}

#[test]
fn html_links_every_class_and_holds_every_deal() {
    let report = company(456);
    let text = shown(Format::Html, &report);
    assert_html(&text);
    for class in Class::ALL {
        assert!(text.contains(&format!("#deals?class={}", class.as_str())), "{class:?}");
    }
    let data = page_data(&text);
    let columns = data["deals"].as_object().expect("columns");
    for (name, cells) in columns {
        assert_eq!(cells.as_array().map(Vec::len), Some(456), "{name}");
    }
    // What the steps of a set come to are places of deals, each once.
    for (name, set) in data["sets"].as_object().expect("sets") {
        let mut place = 0;
        let steps = set["steps"].as_array().expect("steps").iter();
        let places: Vec<i64> = steps
            .map(|step| {
                place += step.as_i64().expect("a step");
                place
            })
            .collect();
        let different: BTreeSet<_> = places.iter().collect();
        assert_eq!(different.len(), places.len(), "{name}");
        assert!(places.iter().all(|place| (0..456).contains(place)), "{name}");
    }
    let late = report.deals.iter().filter(|deal| deal.class == Class::Late).count();
    let classes = columns["class"].as_array().expect("cells");
    assert_eq!(classes.iter().filter(|class| *class == "late").count(), late);
    for part in text.split("href=\"#deals?set=").skip(1) {
        let set = part.split(['"', '&']).next().expect("a name");
        assert!(
            data["sets"][set].is_object(),
            "the page links to the set {set}, which is not there"
        );
    }
    assert_html(&shown(Format::Html, &clean()));
    assert_html(&shown(Format::Html, &empty()));
    assert_html(&shown(Format::Html, &incomplete(3)));
}

/// The JSON inside the page.
fn page_data(text: &str) -> Value {
    let (_, rest) = text.split_once("class=\"data\">").expect("data");
    let (json, _) = rest.split_once("</script>").expect("an end");
    assert!(!json.contains(['<', '>', '&']), "nothing that HTML reads");
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn hostile_text_acts_nowhere() {
    let report = hostile();
    for format in Format::all() {
        let text = shown(format, &report);
        assert!(!text.contains('\u{1b}'), "{format} lets an escape out");
        let bad =
            text.chars().find(|c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'));
        assert_eq!(bad, None, "{format} lets a direction override out");
    }
    assert_inert_lines(&shown(Format::Text, &report));
    assert_sarif(&shown(Format::Sarif, &report));
    assert_xml(&shown(Format::Junit, &report));
    for line in shown(Format::Github, &report).lines() {
        assert!(!line.starts_with("::error::") && !line.contains("##["), "{line}");
    }
    let html = shown(Format::Html, &report);
    assert_html(&html);
    assert_eq!(html.matches("<script").count(), 2, "the data and our own script");
    for url in page_data(&html)["deals"]["url"].as_array().expect("a column") {
        let url = url.as_str().unwrap_or("https://");
        assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
    }
    let csv = shown(Format::Csv, &report);
    for row in csv::Reader::from_reader(csv.as_bytes()).records() {
        for cell in &row.expect("a row") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        }
    }
}

#[test]
fn markdown_of_hostile_text_renders_to_text_alone() {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(&shown(Format::Markdown, &hostile()), &options);
    for tag in ["<script", "<img", "<a ", "<failure"] {
        assert!(!html.contains(tag), "{tag} in {html}");
    }
}

#[test]
fn an_empty_audit_renders_everywhere() {
    for format in Format::all() {
        assert!(!shown(format, &empty()).is_empty(), "{format}");
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for format in Format::all() {
        let options = Options { color: true, width: None };
        let once = render_audit(format, &company(60), &options);
        assert_eq!(once, render_audit(format, &company(60), &options), "{format}");
    }
}
