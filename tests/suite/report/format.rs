//! Names of formats.

use std::path::Path;

use handoff::report::{Format, UnknownFormat};

#[test]
fn every_format_is_found_by_its_name() {
    let all: Vec<Format> = Format::all().collect();
    assert_eq!(all.len(), 8);
    for format in all {
        assert_eq!(format.as_str().parse::<Format>(), Ok(format));
    }
    assert_eq!("MD".parse::<Format>(), Ok(Format::Markdown));
}

#[test]
fn a_misspelt_name_is_answered_with_the_one_that_was_meant() {
    let told = |name: &str| name.parse::<Format>().expect_err("no format").to_string();
    insta::assert_snapshot!(told("jsno"), @r#"There is no format "jsno". Did you mean json? The formats are text, json, markdown, html, csv, github, sarif, junit."#);
    insta::assert_snapshot!(told("powerpoint"), @r#"There is no format "powerpoint". The formats are text, json, markdown, html, csv, github, sarif, junit."#);
    assert_eq!(
        "markdwon".parse::<Format>(),
        Err(UnknownFormat { given: "markdwon".to_owned(), meant: Some(Format::Markdown) })
    );
}

#[test]
fn a_file_name_tells_its_format() {
    let of = |name: &str| Format::from_path(Path::new(name));
    assert_eq!(of("out/report.HTML"), Some(Format::Html));
    assert_eq!(of("a.sarif.json"), Some(Format::Sarif));
    assert_eq!(of("a.json"), Some(Format::Json));
    assert_eq!(of("junit.xml"), Some(Format::Junit));
    assert_eq!(of("deals.csv"), Some(Format::Csv));
    assert_eq!(of("summary.md"), Some(Format::Markdown));
    assert_eq!(of("summary"), None);
    assert_eq!(of(".md"), None, "a hidden file has no ending");
}

#[test]
fn the_docs_have_a_section_for_every_format_and_keep_to_the_contract() {
    let page = include_str!("../../../docs/formats.md");
    for format in Format::all() {
        assert!(
            page.contains(&format!("\n## {format}\n")),
            "docs/formats.md has no section {format}"
        );
    }
    let csv = super::audits::shown(Format::Csv, &super::audits::company(1));
    let header = csv.lines().next().expect("a header");
    assert!(page.contains(header), "docs/formats.md has other columns than {header}");
    let csv = super::samples::shown(Format::Csv, &super::samples::three_briefs());
    let header = csv.lines().next().expect("a header");
    assert!(page.contains(header), "docs/formats.md has other columns than {header}");

    let (_, rest) = page.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("an end");
    let example: serde_json::Value = serde_json::from_str(example).expect("JSON");
    let printed = super::samples::shown(Format::Json, &super::samples::three_briefs());
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(keys(&example), keys(&printed));
    assert_eq!(
        keys(&example["findings"][0]),
        keys(&printed["findings"][1]),
        "a finding with every field"
    );
}
