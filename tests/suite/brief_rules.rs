//! Every rule's fixtures, discovered from disk: each `fires-*` case fires,
//! each `silent-*` case does not, and what is found is exactly what the case
//! says, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use handoff::brief::{
    Brief, CheckContext, CheckedFolder, Colleague, ConfirmedAnswers, NamedMember, Refused,
    RenderInput, Renderer, Schema, SourcesFile, TeamNames, brief_rules, check_handoff,
    check_ledger, fixes,
};
use handoff::finding::Finding;
use handoff::ledger::blob_id;
use handoff::yaml;
use proptest::prelude::*;
use serde::Deserialize;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/brief");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "why")]
    _why: String,
    folder: Option<String>,
    #[serde(default)]
    folders: BTreeMap<String, String>,
    now: DateTime<Utc>,
    readme: Option<String>,
    findings: Vec<String>,
}

/// One folder of a case as it is on disk.
struct Files {
    folder: String,
    brief: Option<Vec<u8>>,
    timeline: Option<Vec<u8>>,
    readme: Option<Vec<u8>>,
    proposed: Option<Vec<u8>>,
    sources: Option<Vec<u8>>,
}

impl Files {
    fn read(dir: &Path, folder: &str, without_readme: bool) -> Self {
        let brief = fs::read(dir.join("brief.yaml")).ok();
        let timeline = fs::read(dir.join("timeline.yaml")).ok();
        let readme = fs::read(dir.join("README.md")).ok().or_else(|| {
            let brief = Brief::parse(brief.as_deref()?).ok()?;
            (!without_readme).then(|| render(&brief).into_bytes())
        });
        let proposed = fs::read(dir.join("proposed.yaml")).ok();
        let sources = fs::read(dir.join("sources.yaml")).ok();
        Self { folder: folder.to_owned(), brief, timeline, readme, proposed, sources }
    }

    fn borrowed(&self) -> CheckedFolder<'_> {
        CheckedFolder {
            folder: &self.folder,
            brief: self.brief.as_deref(),
            timeline: self.timeline.as_deref(),
            readme: self.readme.as_deref(),
            refused: &[],
            proposed: self.proposed.as_deref(),
            sources: self.sources.as_deref().map(|bytes| SourcesFile { bytes, blob_id }),
        }
    }
}

fn render(brief: &Brief) -> String {
    let renderer = Renderer::new(None).expect("the built-in template");
    let confirmed = &ConfirmedAnswers::default();
    let input = RenderInput { brief, schema: Schema::shipped(), confirmed };
    renderer.readme(&input).expect("renders")
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("UTF-8 names")
}

fn run(dir: &Path) -> (Case, Vec<Finding>) {
    let source = fs::read(dir.join("case.yaml"))
        .unwrap_or_else(|error| panic!("{}/case.yaml: {error}", dir.display()));
    let case: Case = yaml::from_node(&yaml::read(&source).expect("YAML"))
        .unwrap_or_else(|error| panic!("{}/case.yaml: {error}", dir.display()));
    let renderer = Renderer::new(None).expect("the built-in template");
    let team = TeamNames::new(vec![NamedMember {
        name: Some("Sam Lee".into()),
        email: Some("sam@vendor.example".into()),
        github: Some("samlee".into()),
        slack: None,
    }]);
    let limit = |signed: DateTime<Utc>| signed + Duration::hours(24);
    let context = CheckContext {
        schema: Schema::shipped(),
        renderer: &renderer,
        team: &team,
        now: case.now,
        first_touch: Some(&limit),
        layout: Some("%Y/%m"),
    };
    let without = case.readme.is_some();
    let folders: Vec<Files> = match &case.folder {
        Some(folder) => vec![Files::read(dir, folder, without)],
        None => {
            case.folders.iter().map(|(n, path)| Files::read(&dir.join(n), path, without)).collect()
        }
    };
    let checks: Vec<_> =
        folders.iter().map(|files| check_handoff(&files.borrowed(), &context)).collect();
    let mut findings: Vec<_> = checks.iter().flat_map(|check| check.findings.clone()).collect();
    let summaries: Vec<_> = checks.into_iter().map(|check| check.summary).collect();
    findings.extend(check_ledger(&summaries));
    (case, findings)
}

/// A finding as a case writes it down.
fn line(finding: &Finding) -> String {
    let file = finding.place.file.as_deref().unwrap_or_default();
    let at = match (finding.place.line, finding.place.column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    let help = finding.help.as_deref().map(|help| format!(" | {help}")).unwrap_or_default();
    format!("{} {} {file}{at} {}{help}", finding.severity.as_str(), finding.rule, finding.message)
}

#[test]
fn every_case_finds_exactly_what_it_says() {
    let mut wrong = Vec::new();
    for rule in brief_rules() {
        for dir in directories(&Path::new(ROOT).join(rule.id)) {
            let (case, findings) = run(&dir);
            let found: Vec<String> = findings.iter().map(line).collect();
            let name = file_name(&dir);
            let fires = findings.iter().any(|finding| finding.rule == rule.id);
            if fires != name.starts_with("fires-") {
                wrong.push(format!("{}/{name}: the rule fires: {fires}", rule.id));
            }
            if found != case.findings {
                wrong.push(format!(
                    "{}/{name}\n  found:\n    {}\n  wanted:\n    {}",
                    rule.id,
                    found.join("\n    "),
                    case.findings.join("\n    ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_cases_that_fire_and_that_are_silent_and_a_page() {
    let rules: BTreeSet<&str> = brief_rules().iter().map(|rule| rule.id).collect();
    assert_eq!(rules.len(), brief_rules().len(), "ids are unique");
    for rule in brief_rules() {
        let cases = directories(&Path::new(ROOT).join(rule.id));
        for kind in ["fires-", "silent-"] {
            assert!(
                cases.iter().any(|case| file_name(case).starts_with(kind)),
                "{} has no {kind}* case",
                rule.id
            );
        }
        assert!(rule.explain.starts_with(&format!("# {}\n", rule.id)), "{}", rule.id);
        assert!(rule.summary.ends_with('.'), "{}", rule.id);
    }
    for dir in directories(Path::new(ROOT)) {
        let name = file_name(&dir);
        assert!(name == "samples" || rules.contains(name), "fixtures/brief/{name} is of no rule");
    }
    let pages = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules")).expect("docs");
    let pages: BTreeSet<String> =
        pages.map(|page| page.expect("page").file_name().into_string().expect("UTF-8")).collect();
    for rule in &rules {
        assert!(pages.contains(&format!("{rule}.md")), "docs/rules/{rule}.md is missing");
    }
}

#[test]
fn every_finding_in_a_brief_shows_its_line_and_what_to_do() {
    for rule in brief_rules() {
        for dir in directories(&Path::new(ROOT).join(rule.id)) {
            for finding in run(&dir).1 {
                let what = format!("{}: {}", dir.display(), line(&finding));
                assert!(finding.key.is_some() || rule.id == "schema-violation", "{what}");
                let yaml = finding.place.file.as_deref().is_some_and(|f| f.ends_with("brief.yaml"));
                assert!(!yaml || finding.place.source.is_some(), "no line: {what}");
                let broken = finding.message.contains("cannot be read");
                assert!(broken || finding.help.is_some(), "no help: {what}");
                let words = format!("{}{}", finding.message, finding.help.unwrap_or_default());
                assert!(!words.contains("given schemas") && !words.contains("anyOf"), "{what}");
            }
        }
    }
}

/// With nothing but what is shipped, when nothing is due.
fn at_the_epoch<'a>(renderer: &'a Renderer, team: &'a TeamNames) -> CheckContext<'a> {
    CheckContext {
        schema: Schema::shipped(),
        renderer,
        team,
        now: DateTime::UNIX_EPOCH,
        first_touch: None,
        layout: None,
    }
}

#[test]
fn the_fix_renders_again_and_then_finds_nothing_to_do() {
    for name in ["fires-missing", "fires-edited"] {
        let dir = Path::new(ROOT).join("stale-rendering").join(name);
        let folder = "briefs/2026/10/northwind-robotics--hubspot-31874500101";
        let mut files = Files::read(&dir, folder, true);
        let renderer = Renderer::new(None).expect("the built-in template");
        let team = TeamNames::default();
        let context = at_the_epoch(&renderer, &team);
        let fix = fixes(&files.borrowed(), &context).expect("renders");
        assert_eq!(fix.len(), 1, "{name}");
        assert_eq!(fix[0].file, format!("{folder}/README.md"));
        files.readme = Some(fix[0].contents.clone().into_bytes());
        assert_eq!(fixes(&files.borrowed(), &context).expect("renders"), [], "{name}");
        files.readme = Some(fix[0].contents.replace('\n', "\r\n").into_bytes());
        assert_eq!(fixes(&files.borrowed(), &context).expect("renders"), [], "{name}: CRLF");
        // What is no file of its own, such as a link, is left alone; another file is no reason.
        files.readme = None;
        for (file, times) in [("README.md", 0), ("brief.yaml", 1)] {
            let refused = [Refused { path: format!("{folder}/{file}"), what: "a symbolic link" }];
            let files = CheckedFolder { refused: &refused, ..files.borrowed() };
            assert_eq!(fixes(&files, &context).expect("renders").len(), times, "{name}: {file}");
        }
    }
}

#[test]
fn a_finding_marks_what_it_is_about() {
    let dir = Path::new(ROOT).join("broken-timeline/fires-future-and-doubled");
    let (_, findings) = run(&dir);
    let place = &findings[0].place;
    let (column, width) = (place.column.unwrap() - 1, place.width.unwrap());
    let marked = &place.source.as_deref().unwrap()[column..column + width];
    assert_eq!(marked, "2026-12-24T00:00:00Z");
    // Of a page that is not as it was rendered, the first line that differs.
    let dir = Path::new(ROOT).join("stale-rendering/silent-rendered");
    let folder = "briefs/2026/10/northwind-robotics--hubspot-31874500101";
    let mut files = Files::read(&dir, folder, false);
    let renderer = Renderer::new(None).expect("the built-in template");
    let team = TeamNames::default();
    let context = at_the_epoch(&renderer, &team);
    let page = String::from_utf8(files.readme.clone().unwrap()).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let last = lines.len();
    for (readme, line, source) in [
        (format!("{page}one more\n"), last + 1, Some("one more")),
        (lines[..last - 1].join("\n") + "\n", last, None),
        (page.replacen("# ", "## ", 1), 2, page.lines().nth(1).map(|_| "")),
    ] {
        files.readme = Some(readme.clone().into_bytes());
        let check = check_handoff(&files.borrowed(), &context);
        let stale = check.findings.iter().find(|it| it.rule == "stale-rendering").unwrap();
        if source == Some("") {
            let at = stale.place.line.unwrap() - 1;
            assert_ne!(readme.lines().nth(at), page.lines().nth(at), "{stale:?}");
            assert_eq!(readme.lines().take(at).collect::<Vec<_>>(), lines[..at]);
            continue;
        }
        assert_eq!((stale.place.line, stale.place.source.as_deref()), (Some(line), source));
    }
}

#[test]
fn without_a_team_nobody_is_a_stranger() {
    let dir = Path::new(ROOT).join("owner-not-in-team/fires-stranger");
    let files = Files::read(&dir, "briefs/2026/10/northwind-robotics--hubspot-31874500101", false);
    let renderer = Renderer::new(None).expect("the built-in template");
    for (team, times) in [
        (TeamNames::default(), 0),
        (
            TeamNames::new(vec![NamedMember {
                name: Some("Sam Lee".into()),
                ..NamedMember::default()
            }]),
            1,
        ),
    ] {
        let context = CheckContext {
            schema: Schema::shipped(),
            renderer: &renderer,
            team: &team,
            now: "2026-11-01T09:00:00Z".parse().unwrap(),
            first_touch: None,
            layout: None,
        };
        let found = check_handoff(&files.borrowed(), &context).findings;
        assert_eq!(found.iter().filter(|it| it.rule == "owner-not-in-team").count(), times);
    }
}

#[test]
fn a_name_tells_who_it_is_only_where_there_is_nothing_else() {
    let team = TeamNames::new(vec![NamedMember {
        name: Some("Sam Lee".into()),
        email: Some("sam@vendor.example".into()),
        github: Some("samlee".into()),
        slack: Some("U1".into()),
    }]);
    let (own, other) = (Some("Sam Lee"), Some("x"));
    for (name, email, github, slack, is_one) in [
        (own, None, None, None, true),
        (other, None, None, None, false),
        (own, other, None, None, false),
        (own, None, other, None, false),
        (own, None, None, other, false),
        (other, Some("sam@vendor.example"), other, None, true),
        (other, None, Some("samlee"), other, true),
        (other, other, None, Some("U1"), true),
    ] {
        let person = Colleague { name, email, github, slack };
        assert_eq!(team.has(&person), is_one, "{person:?}");
    }
}

fn odd_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!("none"),
            json!("2026-13-45"),
            json!("9999-12-31T23:59:59Z"),
            json!({"unknown": {"why": 1, "resolve_by": "x"}}),
            json!({"amount": "1e9", "currency": "€"}),
            json!([{"promise": []}, "x"]),
        ]),
    ];
    let names = prop::sample::select(vec![
        "name",
        "email",
        "unknown",
        "promise",
        "owner",
        "due",
        "amount",
        "months",
        "instruction",
        "signed_at",
    ]);
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..4)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_section_holds_is_checked_rendered_and_merged(
        section in prop::sample::select(vec![
            "deal", "signature", "customer", "purchase", "contacts", "commitments", "implementation", "success",
            "first_action", "context", "something",
        ]),
        value in odd_value(),
    ) {
        let mut json = crate::brief_schema::sample("complete").into_json();
        json[section] = value;
        let brief = Brief::from_json(json.clone());
        let readme = render(&brief);
        prop_assert!(readme.starts_with("<!-- Rendered from brief.yaml; edit that. -->\n"));
        let yaml = brief.to_yaml(4);
        let renderer = Renderer::new(None).expect("the built-in template");
        let limit = |signed: DateTime<Utc>| signed.checked_add_signed(Duration::hours(24)).unwrap_or(signed);
        let context = CheckContext {
            schema: Schema::shipped(), renderer: &renderer, team: &TeamNames::default(), now: DateTime::UNIX_EPOCH,
            first_touch: Some(&limit), layout: Some("%Y/%m"),
        };
        let files = CheckedFolder {
            folder: "briefs/2026/10/x--hubspot-31874500101", brief: Some(yaml.as_bytes()), timeline: None,
            readme: Some(readme.as_bytes()), refused: &[], proposed: None, sources: None,
        };
        let check = check_handoff(&files, &context);
        let stale = check.findings.iter().any(|finding| finding.rule == "stale-rendering");
        prop_assert!(!stale, "the page of a brief and of its file differ\n{yaml}");
        // What the stock validator refuses is never silent here.
        let findings = check.findings.iter();
        let told = findings.clone().any(|f| f.rule == "schema-violation" || f.rule == "unanswered-question");
        prop_assert!(Schema::shipped().is_valid(&brief) || told, "invalid and silent:\n{yaml}");
        let _ = handoff::brief::merge(None, &json, &json);
    }
}
