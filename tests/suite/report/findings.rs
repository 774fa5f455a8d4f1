//! What `handoff validate` prints, in every format.

use handoff::finding::Finding;
use handoff::report::{FindingsReport, Format, Options, render_findings};
use serde_json::Value;

use super::samples::{ACME, UNANSWERED, UNKNOWN, VAGUE, nothing_wrong, place, shown, three_briefs};

fn many(number: usize) -> FindingsReport {
    let findings = (0..number)
        .map(|at| {
            Finding::new(&UNANSWERED, format!("Problem {at}.")).at(place(ACME, at + 1, 1, 1, "x"))
        })
        .chain([Finding::new(&VAGUE, "One warning.")])
        .collect();
    FindingsReport::new(vec![ACME.to_owned()], findings, [&UNANSWERED])
}

#[test]
fn text_shows_the_line_as_the_compiler_does() {
    insta::assert_snapshot!(shown(Format::Text, &three_briefs()));
}

#[test]
fn text_without_problems_is_one_line() {
    assert_eq!(shown(Format::Text, &nothing_wrong()), "checked 1 brief: no problems\n");
}

#[test]
fn text_has_colours_only_when_asked() {
    let report = three_briefs();
    let plain = render_findings(Format::Text, &report, &Options::default());
    assert!(!plain.contains(&0x1b));
    let colored = render_findings(Format::Text, &report, &Options { color: true, width: None });
    let colored = String::from_utf8(colored).expect("UTF-8");
    assert!(colored.contains("\u{1b}[1;31merror[unanswered-question]\u{1b}[0m"));
    assert_eq!(colored.matches("\u{1b}[0m").count() * 2, colored.matches('\u{1b}').count());
}

#[test]
fn json_is_the_contract() {
    let text = shown(Format::Json, &three_briefs());
    insta::assert_snapshot!(text);
    let parsed: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(parsed["version"], 1);
    assert_eq!(parsed["checked"], 3);
    assert_eq!(
        shown(Format::Json, &nothing_wrong()),
        "{\n  \"version\": 1,\n  \"checked\": 1,\n  \"findings\": []\n}\n"
    );
}

#[test]
fn markdown_is_a_job_summary() {
    insta::assert_snapshot!(shown(Format::Markdown, &three_briefs()));
}

#[test]
fn markdown_is_cut_at_a_mebibyte_and_says_so() {
    let text = shown(Format::Markdown, &many(30_000));
    assert!(text.len() <= 1024 * 1024, "{} bytes", text.len());
    let last = text.lines().last().expect("a last line");
    assert!(last.contains("left out"), "{last}");
    let left: usize = last
        .split_whitespace()
        .nth(1)
        .expect("a number")
        .trim_start_matches("**")
        .replace(',', "")
        .parse()
        .expect("a number");
    let rows =
        text.lines().filter(|line| line.starts_with("| ❌") || line.starts_with("| ⚠️")).count();
    assert_eq!(rows + left, 30_001, "every finding is shown or counted as left out");
}

#[test]
fn csv_comes_back_as_it_was() {
    let text = shown(Format::Csv, &three_briefs());
    assert_eq!(text.matches("\r\n").count(), 5, "RFC 4180 ends lines with CRLF");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> =
        reader.headers().expect("a header").iter().map(String::from).collect();
    assert_eq!(
        header,
        ["rule", "severity", "message", "help", "key", "file", "line", "column", "question"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(&rows[0][0], "unknown-overdue");
    assert_eq!(&rows[0][6], "9");
    assert_eq!(&rows[3][5], "");
}

#[test]
fn github_annotates_worst_first_with_places() {
    insta::assert_snapshot!(shown(Format::Github, &three_briefs()));
}

#[test]
fn github_shows_ten_of_a_level_and_counts_the_rest() {
    let text = shown(Format::Github, &many(25));
    assert_eq!(text.matches("::error ").count(), 10);
    assert_eq!(text.matches("::warning ").count(), 1);
    assert!(text.contains("and 15 errors more"), "{text}");
    assert!(!shown(Format::Github, &many(10)).contains("more"));
}

#[test]
fn sarif_keeps_to_its_schema() {
    let text = shown(Format::Sarif, &three_briefs());
    super::samples::assert_sarif(&text);
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let run = &log["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| rule["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(rules, [UNANSWERED.id, UNKNOWN.id, VAGUE.id]);
    for result in run["results"].as_array().expect("results") {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(result["ruleId"], rules[index]);
        assert!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
    }
    assert_eq!(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 24);
    super::samples::assert_sarif(&shown(Format::Sarif, &nothing_wrong()));
}

#[test]
fn sarif_fingerprints_outlive_a_moved_line_and_a_new_wording() {
    let print = |line: usize, message: &str| {
        let finding =
            Finding::new(&UNANSWERED, message).at(place(ACME, line, 3, 13, "  primary_goal: \"\""));
        let report = FindingsReport::new(vec![], vec![finding], []);
        let log: Value = serde_json::from_str(&shown(Format::Sarif, &report)).expect("JSON");
        log["runs"][0]["results"][0]["partialFingerprints"]["primaryLocationLineHash"].clone()
    };
    assert_eq!(print(24, "Due for 3 days."), print(30, "Due for 4 days."));
    let twice = vec![Finding::new(&UNANSWERED, "a"), Finding::new(&UNANSWERED, "b")];
    let report = FindingsReport::new(vec![], twice, []);
    let log: Value = serde_json::from_str(&shown(Format::Sarif, &report)).expect("JSON");
    let results = &log["runs"][0]["results"];
    assert_ne!(results[0]["partialFingerprints"], results[1]["partialFingerprints"]);
}

#[test]
fn sarif_takes_no_more_than_code_scanning_does_and_says_so() {
    let log: Value = serde_json::from_str(&shown(Format::Sarif, &many(25_001))).expect("JSON");
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().expect("results").len(), 25_000);
    let note = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(
        note.as_str().expect("a note").starts_with("2 findings are not in this file"),
        "{note}"
    );
}

#[test]
fn junit_has_a_case_for_each_brief() {
    let text = shown(Format::Junit, &three_briefs());
    insta::assert_snapshot!(text);
    super::samples::assert_xml(&text);
}

#[test]
fn html_shows_every_finding_and_fetches_nothing() {
    let text = shown(Format::Html, &three_briefs());
    assert_eq!(text.matches("<article class=\"finding\"").count(), 4);
    assert!(text.contains("2 errors, 1 warning, 1 info"));
    assert!(text.contains("<mark>primary_goal:</mark>"));
    super::samples::assert_html(&text);
    super::samples::assert_html(&shown(Format::Html, &nothing_wrong()));
}

#[test]
fn the_same_findings_in_another_order_give_the_same_bytes() {
    let report = three_briefs();
    let mut findings = report.findings().to_vec();
    findings.reverse();
    let mut checked = report.checked().to_vec();
    checked.reverse();
    let again = FindingsReport::new(checked, findings, report.rules().iter().rev().copied());
    for format in Format::all() {
        let options = Options::default();
        assert_eq!(
            render_findings(format, &report, &options),
            render_findings(format, &again, &options),
            "{format}"
        );
    }
}

/// The elements and attributes of Jenkins' schema for JUnit files
/// (jenkinsci/xunit-plugin, `jenkins-junit.xsd`).
const JENKINS: &[(&str, &[&str])] = &[
    ("testsuites", &["name", "time", "tests", "failures", "disabled", "errors"]),
    (
        "testsuite",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
            "group",
        ],
    ),
    (
        "testcase",
        &[
            "name",
            "assertions",
            "time",
            "classname",
            "status",
            "class",
            "file",
            "line",
            "log",
            "group",
            "url",
        ],
    ),
    ("failure", &["type", "message"]),
    ("error", &["type", "message"]),
    ("skipped", &["type", "message"]),
    ("system-out", &[]),
    ("system-err", &[]),
];

#[test]
fn junit_is_what_jenkins_takes() {
    let files = [
        shown(Format::Junit, &three_briefs()),
        super::audits::shown(Format::Junit, &super::audits::company(24)),
    ];
    for file in files {
        let mut reader = quick_xml::Reader::from_str(&file);
        let mut seen = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    seen += 1;
                    let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                    let known = JENKINS.iter().find(|(known, _)| *known == name);
                    let (_, allowed) = known.unwrap_or_else(|| panic!("Jenkins has no {name}"));
                    let mut has_time = false;
                    for attribute in tag.attributes() {
                        let key = attribute.unwrap().key;
                        let key = String::from_utf8(key.as_ref().to_vec()).unwrap();
                        assert!(allowed.contains(&key.as_str()), "{name} has no {key}");
                        has_time |= key == "time";
                    }
                    assert!(has_time || !name.starts_with("test"), "{name} has a time");
                }
                _ => {}
            }
        }
        assert!(seen > 4);
    }
}

#[test]
fn sarif_names_its_rules_and_brings_their_pages_along() {
    let log = super::audits::shown(Format::Sarif, &super::audits::company(24));
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.len() > 5);
    for rule in rules {
        let (id, name) = (rule["id"].as_str().unwrap(), rule["name"].as_str().unwrap());
        assert!(id != name && name.chars().all(char::is_alphanumeric), "{id}: {name}");
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(root.join(format!("docs/rules/{id}.md"))).unwrap();
        let help = rule["help"]["markdown"].as_str().unwrap();
        assert!(page.contains(help.trim()), "{id}: its help is its page");
        // An address is given where the package has one, and none is invented.
        match (rule["helpUri"].as_str(), env!("CARGO_PKG_REPOSITORY")) {
            (address, "") => assert_eq!(address, None, "{id}"),
            (address, repository) => {
                let address = address.unwrap();
                assert!(address.starts_with(repository), "{address}");
                assert!(address.ends_with(&format!("docs/rules/{id}.md")), "{address}");
            }
        }
    }
}
