//! `stale-rendering`: README.md is not what its brief gives.

use super::subject::Subject;
use crate::brief::RenderInput;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "stale-rendering",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "README.md is not what brief.yaml, schema and template give.",
    explain: include_str!("../../../docs/rules/stale-rendering.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let input = RenderInput { brief: subject.brief, schema: subject.context.schema };
    let checked = subject.checked;
    if let Some(refused) = checked.refused(&RULE, "README.md") {
        findings.push(refused);
        return;
    }
    let (message, help) = match subject.context.renderer.readme_with(&input, subject.completeness) {
        Err(error) => (
            error.to_string(),
            "fix templates/brief.md.j2, or remove it to use the one that is built in",
        ),
        Ok(page) if is_same(checked.files.readme, &page) => return,
        Ok(page) => {
            let (message, place) = difference(subject, &page);
            let finding = checked.finding(&RULE, "README.md", message);
            let finding = match place {
                Some(place) => finding.at(place),
                None => finding,
            };
            findings.push(
                finding.help("run `handoff validate --fix`; edit brief.yaml, never README.md"),
            );
            return;
        }
    };
    findings.push(checked.finding(&RULE, "README.md", message).help(help));
}

/// The same text, whatever line ends a checkout gave it.
pub(super) fn is_same(readme: Option<&[u8]>, page: &str) -> bool {
    readme.is_some_and(|readme| {
        readme == page.as_bytes()
            || (readme.contains(&b'\r')
                && String::from_utf8_lossy(readme).replace("\r\n", "\n") == page)
    })
}

/// What differs first, and where.
fn difference(subject: &Subject<'_>, page: &str) -> (String, Option<Location>) {
    let Some(readme) = subject.checked.files.readme else {
        return ("README.md is missing; it is what people read".to_owned(), None);
    };
    let readme = String::from_utf8_lossy(readme);
    let mut lines = readme.lines();
    let mut number = 0;
    for wanted in page.lines() {
        number += 1;
        let line = lines.next();
        if line != Some(wanted) {
            return place(subject, number, line);
        }
    }
    place(subject, number + 1, lines.next())
}

fn place(subject: &Subject<'_>, number: usize, line: Option<&str>) -> (String, Option<Location>) {
    let place = Location {
        line: Some(number),
        column: Some(1),
        source: line.map(str::to_owned),
        ..Location::file(subject.checked.file("README.md"))
    };
    ("README.md is not what brief.yaml gives from this line on".to_owned(), Some(place))
}
