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
