//! What a template gets: the brief as it is, and its sections as the schema
//! orders and names them.

use chrono_tz::Tz;
use minijinja::Value as Jinja;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

use super::RenderInput;
use super::show::show;
use crate::brief::ConfirmedAnswers;
use crate::brief::answer::{escape, is_blank, unknown};
use crate::brief::completeness::{Absence, AnswerState, Completeness, MissingField, question};
use crate::brief::schema::{Field, Shape, humanise};
use crate::text::markdown;

/// One top-level section.
#[derive(Debug, Clone, Serialize)]
struct PageSection {
    name: String,
    title: String,
    question: Option<u8>,
    /// `rows`, `table`, `list` (a table with long cells) or `line`.
    kind: &'static str,
    rows: Vec<FieldRow>,
    table: Option<FieldTable>,
    line: Option<Jinja>,
    /// Whether a person gave or confirmed all of it.
    confirmed: bool,
}

/// The longest cell of a table, in characters: on a phone a longer one makes
/// every column narrow.
const LONGEST_CELL: usize = 200;

impl PageSection {
    fn set_table(&mut self, table: Option<FieldTable>) {
        let cells = table.iter().flat_map(|table| &table.rows).flatten();
        let longest = cells.filter_map(|cell| Some(cell.as_str()?.chars().count())).max();
        self.kind = if longest > Some(LONGEST_CELL) { "list" } else { "table" };
        self.table = table;
    }
}

/// One field with its value.
#[derive(Debug, Clone, Serialize)]
struct FieldRow {
    name: String,
    label: String,
    value: Jinja,
    /// Whether a person gave or confirmed it.
    confirmed: bool,
}

/// Like things beside each other: promises, people.
#[derive(Debug, Clone, Serialize)]
struct FieldTable {
    columns: Vec<String>,
    rows: Vec<Vec<Jinja>>,
    /// For each row whether a person gave or confirmed it.
    confirmed: Vec<bool>,
}

/// One of the seven, with all that the page says of it.
#[derive(Debug, Serialize)]
struct Question {
    number: u8,
    title: String,
    /// `answered`, `none`, `unknown` or `missing`.
    state: &'static str,
    sections: Vec<PageSection>,
    missing: Vec<Ask>,
    unknown: Vec<GapRow>,
}

/// Who can tell what is missing.
#[derive(Debug, Serialize)]
struct Ask {
    whom: Option<String>,
    fields: Vec<AskedField>,
}

#[derive(Debug, Serialize)]
struct AskedField {
    label: String,
    field: String,
    question: u8,
    placeholder: bool,
}

#[derive(Debug, Clone, Serialize)]
struct GapRow {
    question: Option<u8>,
    label: String,
    value: Jinja,
}

/// The names a template can use.
#[derive(Debug, Serialize)]
struct PageNames<'a> {
    brief: &'a Value,
    title: String,
    draft: bool,
    complete: bool,
    answered: usize,
    questions: Vec<Question>,
    sections: Vec<PageSection>,
    missing: Vec<Ask>,
    unknown: Vec<GapRow>,
    /// Whether there is any answer that a person gave or confirmed.
    confirmed: bool,
}

pub(super) fn context(input: &RenderInput<'_>, completeness: &Completeness, zone: Tz) -> Jinja {
    let brief = input.brief.json();
    let view = input.brief.view();
    let fields = input.schema.outline().fields();
    let known = fields
        .iter()
        .filter(|field| !matches!(field.name.as_str(), "schema" | "key"))
        .filter_map(|field| section(field, brief.get(&field.name)?, input.confirmed, zone));
    let strange = brief.as_object().into_iter().flatten().filter(|(name, _)| {
        !matches!(name.as_str(), "schema" | "key")
            && !fields.iter().any(|field| field.name == **name)
    });
    let strange = strange.filter_map(|(name, value)| {
        Some(PageSection {
            name: name.clone(),
            title: humanise(name),
            question: None,
            kind: "line",
            rows: Vec::new(),
            table: None,
            line: Some(safe(show(None, value, zone)?)),
            confirmed: input.confirmed.has(&pointer("", name), value),
        })
    });
    let unknown: Vec<GapRow> = completeness
        .unknown
        .iter()
        .filter_map(|gap| {
            let value = brief.pointer(&gap.pointer).and_then(|value| show(None, value, zone))?;
            Some(GapRow { question: gap.question, label: gap.label.clone(), value: safe(value) })
        })
        .collect();
    let sections: Vec<PageSection> = known.chain(strange).collect();
    let page = PageNames {
        questions: questions(input, completeness, &sections, &unknown),
        brief,
        title: view
            .title()
            .or_else(|| brief.get("key").and_then(Value::as_str))
            .unwrap_or("Handoff")
            .to_owned(),
        draft: !view.is_signed(),
        complete: completeness.is_complete(),
        answered: completeness.questions.iter().filter(|a| **a != AnswerState::Unanswered).count(),
        sections,
        missing: asks(completeness.missing.iter()),
        unknown,
        confirmed: input.confirmed.pointers().any(|pointer| brief.pointer(pointer).is_some()),
    };
    Jinja::from(Serde(&page))
}

fn safe(markdown: String) -> Jinja {
    Jinja::from_safe_string(markdown)
}

/// The questions that the schema asks, in their order.
fn questions(
    input: &RenderInput<'_>,
    completeness: &Completeness,
    sections: &[PageSection],
    unknown: &[GapRow],
) -> Vec<Question> {
    let brief = input.brief.json();
    let asked = (1..=7).filter_map(|number| {
        let fields = input.schema.outline().fields().iter();
        let fields: Vec<&Field> = fields.filter(|field| field.question == Some(number)).collect();
        let title = question(number)?.to_owned();
        let answer = completeness.answer(number)?;
        let is_none = !fields.is_empty()
            && fields.iter().all(|field| brief.get(&field.name).is_some_and(|it| it == "none"));
        Some(Question {
            number,
            title,
            state: match answer {
                AnswerState::Unanswered => "missing",
                AnswerState::Unknown => "unknown",
                AnswerState::Answered if is_none => "none",
                AnswerState::Answered => "answered",
            },
            sections: sections.iter().filter(|it| it.question == Some(number)).cloned().collect(),
            missing: asks(completeness.missing.iter().filter(|it| it.question == number)),
            unknown: unknown.iter().filter(|it| it.question == Some(number)).cloned().collect(),
        })
    });
    asked.collect()
}

fn asks<'a>(missing: impl Iterator<Item = &'a MissingField>) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    for missing in missing {
        let whole = question(missing.question) == Some(missing.label.as_str());
        let field = AskedField {
            // A section that is one answer is called by its key: its title is a question.
            label: if whole { humanise(&missing.field) } else { missing.label.clone() },
            field: missing.field.clone(),
            question: missing.question,
            placeholder: missing.absence == Absence::Placeholder,
        };
        match asks.iter_mut().find(|ask| ask.whom == missing.ask) {
            Some(ask) => ask.fields.push(field),
            None => asks.push(Ask { whom: missing.ask.clone(), fields: vec![field] }),
        }
    }
    asks
}

fn pointer(above: &str, name: &str) -> String {
    format!("{above}/{}", escape(name))
}

fn section(
    field: &Field,
    value: &Value,
    confirmed: &ConfirmedAnswers,
    zone: Tz,
) -> Option<PageSection> {
    if is_blank(value) {
        return None;
    }
    let here = pointer("", &field.name);
    let mut section = PageSection {
        confirmed: confirmed.has(&here, value),
        name: field.name.clone(),
        title: field.title.clone(),
        question: field.question,
        kind: "line",
        rows: Vec::new(),
        table: None,
        line: None,
    };
    match (&field.shape, value) {
        _ if unknown(value).is_some() => section.line = show(Some(field), value, zone).map(safe),
        (Shape::List(item), Value::Array(items)) if matches!(item.shape, Shape::Mapping { .. }) => {
            let sure = |index: usize, item| confirmed.has(&format!("{here}/{index}"), item);
            let items = items.iter().enumerate();
            let rows: Vec<_> = items.map(|(index, item)| (None, item, sure(index, item))).collect();
            section.set_table(table(item, &rows, zone));
        }
        (Shape::Mapping { fields, other, .. }, Value::Object(entries)) => {
            let is_person = |field: &Field| matches!(field.shape, Shape::Mapping { .. });
            // `others` beside the roles: a list of people who stand for themselves.
            let of_people = |field: &Field| match &field.shape {
                Shape::List(item) => is_person(item),
                _ => is_person(field),
            };
            let all_alike = fields.len() > 1
                && fields.iter().all(of_people)
                && other.as_deref().is_some_and(is_person);
            if let (true, Some(other)) = (all_alike, other) {
                let mut rows: Vec<(Option<String>, &Value, bool)> = Vec::new();
                for (name, value) in entries {
                    let title = title_of(fields, name);
                    let sure = confirmed.has(&pointer(&here, name), value);
                    let Value::Array(people) = value else {
                        rows.push((Some(title), value, sure));
                        continue;
                    };
                    rows.extend(people.iter().map(|person| {
                        let role = person.get("role").and_then(Value::as_str);
                        (Some(role.map_or_else(|| title.clone(), str::to_owned)), person, sure)
                    }));
                }
                section.set_table(table(other, &rows, zone));
            } else {
                let sure = |name: &str, value: &Value| confirmed.has(&pointer(&here, name), value);
                section.rows = rows(fields, other.as_deref(), entries, &sure, zone);
                section.kind = "rows";
            }
        }
        _ => section.line = show(Some(field), value, zone).map(safe),
    }
    Some(section)
}

fn title_of(fields: &[Field], name: &str) -> String {
    let known = fields.iter().find(|field| field.name == name);
    known.map_or_else(|| humanise(name), |field| field.title.clone())
}

fn rows(
    fields: &[Field],
    other: Option<&Field>,
    entries: &serde_json::Map<String, Value>,
    confirmed: &dyn Fn(&str, &Value) -> bool,
    zone: Tz,
) -> Vec<FieldRow> {
    let known = fields.iter().filter_map(|field| Some((field, entries.get(&field.name)?)));
    let mut rows: Vec<FieldRow> = known
        .filter_map(|(field, value)| {
            Some(FieldRow {
                name: field.name.clone(),
                label: field.title.clone(),
                value: safe(show(Some(field), value, zone)?),
                confirmed: confirmed(&field.name, value),
            })
        })
        .collect();
    for (name, value) in entries {
        if fields.iter().any(|field| field.name == *name) {
            continue;
        }
        if let Some(shown) = show(other, value, zone) {
            rows.push(FieldRow {
                name: name.clone(),
                label: humanise(name),
                value: safe(shown),
                confirmed: confirmed(name, value),
            });
        }
    }
    join_same(rows)
}

/// One long answer under two labels, as a CRM with one field for both gives
/// it, is read once.
fn join_same(rows: Vec<FieldRow>) -> Vec<FieldRow> {
    let mut joined: Vec<FieldRow> = Vec::with_capacity(rows.len());
    for row in rows {
        let long = row.value.as_str().is_some_and(|text| text.len() > 20);
        match joined.iter_mut().find(|earlier| long && earlier.value == row.value) {
            Some(earlier) => {
                earlier.label = format!("{}, {}", earlier.label, row.label.to_lowercase());
                earlier.confirmed &= row.confirmed;
            }
            None => joined.push(row),
        }
    }
    joined
}

/// The columns are the fields that have a value in some row.
fn table(item: &Field, rows: &[(Option<String>, &Value, bool)], zone: Tz) -> Option<FieldTable> {
    let Shape::Mapping { fields, .. } = &item.shape else { return None };
    let says = |field: &Field, value: &Value| {
        value.get(&field.name).is_some_and(|value| !is_blank(value) && *value != Value::Bool(false))
    };
    let is_gap = |value: &Value| unknown(value).is_some() || !value.is_object();
    let mut shown: Vec<&Field> =
        fields.iter().filter(|field| rows.iter().any(|(_, row, _)| says(field, row))).collect();
    if shown.is_empty() && rows.iter().any(|(_, row, _)| is_gap(row)) {
        shown.extend(fields.first());
    }
    let named = rows.iter().any(|(name, ..)| name.is_some());
    let mut columns: Vec<String> = if named { vec!["Role".to_owned()] } else { Vec::new() };
    columns.extend(shown.iter().map(|field| field.title.clone()));
    if shown.is_empty() && columns.is_empty() {
        return None;
    }
    let cells = |value: &Value| -> Vec<Jinja> {
        let gap = is_gap(value);
        let cell = |(index, field): (usize, &&Field)| {
            if gap {
                // What is not known stands in the first cell, and the others are empty.
                let shown = (index == 0).then(|| show(Some(item), value, zone)).flatten();
                return safe(shown.unwrap_or_default());
            }
            let shown = if says(field, value) {
                value.get(&field.name).and_then(|value| show(Some(field), value, zone))
            } else {
                None
            };
            // A flag that is not set needs no dash.
            let nothing = if field.is_flag() { "" } else { "—" };
            safe(shown.unwrap_or_else(|| nothing.to_owned()))
        };
        shown.iter().enumerate().map(cell).collect()
    };
    let mut lines: Vec<(Vec<String>, Vec<Jinja>, bool)> = Vec::with_capacity(rows.len());
    for (name, value, sure) in rows {
        let cells = cells(value);
        // One person in two roles is one line.
        match lines.iter_mut().find(|(names, same, _)| !names.is_empty() && *same == cells) {
            Some((names, _, all_sure)) => {
                names.extend(name.clone());
                *all_sure &= sure;
            }
            None => lines.push((name.iter().cloned().collect(), cells, *sure)),
        }
    }
    let confirmed = lines.iter().map(|(.., sure)| *sure).collect();
    let rows = lines.into_iter().map(|(names, cells, _)| {
        let role = named.then(|| safe(format!("**{}**", markdown(&names.join(", ")))));
        role.into_iter().chain(cells).collect()
    });
    Some(FieldTable { rows: rows.collect(), columns, confirmed })
}

/// At most one empty line between blocks, none at the ends of lines, one line
/// feed at the end.
pub(super) fn tidy(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut empty = 0;
    for line in page.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if empty > 0 && !out.is_empty() {
            out.push('\n');
        }
        empty = 0;
        out.push_str(line);
        out.push('\n');
    }
    out
}
