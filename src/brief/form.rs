//! The brief as a GitHub issue form, for companies without a CRM: the form made
//! from a schema, and what people filled in read back as answers. Both walk the
//! same list of inputs.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use serde_json::{Map, Number, Value, json};

use super::answer::{is_blank, is_placeholder};
use super::completeness::Completeness;
use super::schema::{Field, Schema, Shape, flow, humanise};
use super::{Brief, question};
use crate::text::quoted;
use crate::yaml;

/// One input of the form: one answer that somebody owes.
struct FormInput<'a> {
    /// The question it belongs to.
    question: u8,
    /// What stands above it; GitHub wants each label once.
    label: String,
    /// The answer's path in the brief: one or two names.
    path: Vec<&'a str>,
    /// What the schema says about it.
    field: &'a Field,
}

/// The inputs of a schema, in the order of the questions. What the CSM answers
/// is left out: handoff and the CSM fill it when the brief is there.
fn inputs(schema: &Schema) -> Vec<FormInput<'_>> {
    let mut inputs: Vec<FormInput<'_>> = Vec::new();
    for (question, section) in schema.outline().sections() {
        if section.ask.as_deref() == Some("csm") {
            continue;
        }
        let owed: Vec<(String, Vec<&str>, &Field)> = match &section.shape {
            Shape::Mapping { fields, .. } => fields
                .iter()
                .filter(|field| field.required)
                .map(|field| (field.title.clone(), vec![&*section.name, &*field.name], field))
                .collect(),
            // Its title is the question itself, which is the heading already.
            Shape::List(_) | Shape::Value => {
                vec![(humanise(&section.name), vec![&*section.name], section)]
            }
        };
        for (title, path, field) in owed {
            let taken = inputs.iter().any(|input| input.label.eq_ignore_ascii_case(&title));
            let label = if taken { format!("{title} ({})", path.join(".")) } else { title };
            inputs.push(FormInput { question, label, path, field });
        }
    }
    inputs
}

// One missing answer as an input of a page, and what somebody writes into it
// as the value that the schema wants.

/// Longer answers are no answers that people type.
const LONGEST: usize = 20_000;

/// One answer that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AskedAnswer {
    /// Where it belongs, as a JSON pointer.
    pub pointer: String,
    /// The question, 1 to 7.
    pub question: u8,
    /// What stands above the input.
    pub label: String,
    /// What belongs there, and how to write it.
    pub description: Option<String>,
    /// A good answer, in the form in which it is to be written.
    pub example: Option<String>,
    /// The words it is limited to; empty where it is not.
    pub choices: Vec<String>,
    /// Whether it may have several lines.
    pub is_long: bool,
    /// The format of a text, such as `date` or `email`.
    pub format: Option<String>,
    /// Whether `none` is an answer.
    pub allows_none: bool,
    /// Whether "not known yet" is an answer.
    pub allows_unknown: bool,
}

/// What a brief lacks and somebody else than the CSM can answer: missing
/// answers first, then the honest gaps.
#[must_use]
pub fn asked_answers(schema: &Schema, brief: &Value) -> Vec<AskedAnswer> {
    let Completeness { missing, unknown, .. } = Completeness::of(schema, brief);
    let missing = missing.into_iter().map(|it| (it.pointer, it.label));
    let unknown = unknown.into_iter().map(|it| (it.pointer, it.label));
    missing
        .chain(unknown)
        .filter_map(|(pointer, label)| asked_answer(schema, &pointer, Some(label)))
        .collect()
}

/// The input of one answer; `None` where the schema has none, or only the CSM
/// answers it.
#[must_use]
pub fn asked_answer(schema: &Schema, pointer: &str, label: Option<String>) -> Option<AskedAnswer> {
    let field = schema.outline().field(pointer)?;
    let number = field.question?;
    if field.ask.as_deref() == Some("csm") {
        return None;
    }
    let label = label.unwrap_or_else(|| field.title.clone());
    // A section that is one answer is called by its key: its title is the question.
    let is_question = question(number) == Some(label.as_str());
    let choices = match field.is_flag() {
        true => vec!["yes".to_owned(), "no".to_owned()],
        false => field.choices.clone(),
    };
    Some(AskedAnswer {
        pointer: pointer.to_owned(),
        question: number,
        label: if is_question { humanise(&field.name) } else { label },
        description: describe(field),
        example: placeholder(field),
        choices,
        is_long: !matches!(field.shape, Shape::Value) || is_prose(field),
        format: field.format.clone(),
        allows_none: field.allows_none,
        allows_unknown: field.allows_unknown,
    })
}

fn is_prose(field: &Field) -> bool {
    field.format.is_none()
        && field.example.as_ref().and_then(Value::as_str).is_some_and(|it| it.len() > 40)
}

/// What somebody wrote, as the value of its field; `None` where they wrote
/// nothing.
///
/// # Errors
/// With what is wrong, in words for the person who wrote it.
pub fn read_answer(schema: &Schema, pointer: &str, text: &str) -> Result<Option<Value>, String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST {
        return Err(format!("the answer is longer than {LONGEST} characters"));
    }
    if is_placeholder(text) {
        return Err("this answers nothing; say who finds out, and until when".to_owned());
    }
    let field = schema.outline().field(pointer).ok_or("the brief has no such answer")?;
    let value = value(field, text)?;
    if is_blank(&value) { Ok(None) } else { Ok(Some(value)) }
}

/// What the schema says against the answer at a pointer, or inside of it.
#[must_use]
pub fn violation(schema: &Schema, brief: &Value, pointer: &str) -> Option<String> {
    let violations = schema.check(&Brief::from_json(brief.clone()));
    let inside = format!("{pointer}/");
    let found = violations
        .into_iter()
        .find(|it| (it.pointer == pointer || it.pointer.starts_with(&inside)) && !it.absent)?;
    let help = found.help.map(|help| format!(" {help}")).unwrap_or_default();
    Some(format!("{}{help}", found.message))
}

/// Puts an answer where it belongs; whole sections that are not there are made.
///
/// # Errors
/// When something stands in its way that holds no fields, such as `none`.
pub fn put_answer(brief: &mut Value, pointer: &str, answer: Value) -> Result<(), String> {
    let mut tokens: Vec<String> = pointer
        .trim_start_matches('/')
        .split('/')
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let last = tokens.pop().ok_or("the answer has no place")?;
    let mut at = brief;
    for token in tokens {
        at = match at {
            Value::Object(fields) => {
                let inner = fields.entry(token).or_insert_with(|| Value::Object(Map::new()));
                if is_blank(inner) {
                    *inner = Value::Object(Map::new());
                }
                inner
            }
            Value::Array(items) => token
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
                .ok_or("the entry that it belongs to is gone")?,
            _ => return Err("what it belongs to is answered in another way".to_owned()),
        };
    }
    match at {
        Value::Object(fields) => drop(fields.insert(last, answer)),
        _ => return Err("what it belongs to is answered in another way".to_owned()),
    }
    Ok(())
}

/// "Not known yet": who finds out, until when, and why it is not known.
#[must_use]
pub fn unknown_answer(why: &str, owner: &str, resolve_by: &str) -> Value {
    json!({"unknown": {"why": why, "owner": owner, "resolve_by": resolve_by}})
}

// A filled form: GitHub writes `### Label`, an empty line and the answer for
// each input, and `_No response_` where there is none.

/// What GitHub writes for an input that was left empty.
const NO_RESPONSE: &str = "_No response_";
/// Longer bodies than GitHub allows are no filled forms.
const MOST_BYTES: usize = 512 * 1024;

/// The answers of a filled form, by section of the brief.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FormAnswers {
    /// The sections.
    pub sections: Map<String, Value>,
    /// What could not be understood and is not among the answers.
    pub problems: Vec<FormProblem>,
}

/// An answer that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {message}")]
pub struct FormProblem {
    /// The input.
    pub label: String,
    /// What is wrong, with the answer's words.
    pub message: String,
}

/// Reads the body of an issue that was made with the form. `None` when it
/// holds no input of this schema's form.
#[must_use]
pub fn read_form(schema: &Schema, body: &str) -> Option<FormAnswers> {
    if body.len() > MOST_BYTES {
        return None;
    }
    let body = body.replace("\r\n", "\n");
    let inputs = inputs(schema);
    let given = split(&inputs, &body);
    if given.is_empty() {
        return None;
    }
    let mut answers = FormAnswers::default();
    for (input, text) in given {
        let text = text.trim();
        if text.is_empty() || text == NO_RESPONSE || is_placeholder(text) {
            continue;
        }
        let pointer = format!("/{}", input.path.join("/"));
        let taken = value(input.field, text).and_then(|value| {
            let mut tried = answers.sections.clone();
            put(&mut tried, &input.path, value);
            let brief = Value::Object(tried);
            match (violation(schema, &brief, &pointer), brief) {
                (None, Value::Object(tried)) => Ok(tried),
                (why, _) => Err(why.unwrap_or_default()),
            }
        });
        match taken {
            Ok(tried) => answers.sections = tried,
            Err(message) => {
                answers.problems.push(FormProblem { label: input.label.clone(), message });
            }
        }
    }
    Some(answers)
}

/// The inputs that the body holds, each with the text below its heading. The
/// order is the form's: a heading inside of an answer that repeats an earlier
/// label belongs to the answer.
fn split<'a>(inputs: &'a [FormInput<'a>], body: &str) -> Vec<(&'a FormInput<'a>, String)> {
    let arena = Arena::new();
    let root = parse_document(&arena, body, &Options::default());
    let lines: Vec<&str> = body.lines().collect();
    // (the input, the line of its heading, the line after it)
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for node in root.children() {
        let data = node.data.borrow();
        let NodeValue::Heading(heading) = &data.value else { continue };
        if heading.level != 3 || heading.setext {
            continue;
        }
        let (first, last) = (data.sourcepos.start.line, data.sourcepos.end.line);
        let Some(line) = lines.get(first.saturating_sub(1)) else { continue };
        let label = line.trim().trim_start_matches('#').trim();
        let next = found.last().map_or(0, |(index, ..)| index + 1);
        let index = inputs.iter().skip(next).position(|input| input.label == label);
        if let Some(index) = index {
            found.push((next + index, first, last + 1));
        }
    }
    let ends = found.iter().skip(1).map(|(_, first, _)| *first).chain([lines.len() + 1]);
    found
        .iter()
        .zip(ends)
        .filter_map(|((index, _, begin), end)| {
            let text = lines.get(begin.saturating_sub(1)..end.saturating_sub(1))?.join("\n");
            Some((&inputs[*index], text))
        })
        .collect()
}

fn put(sections: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [section] => {
            sections.insert((*section).to_owned(), value);
        }
        [section, field, ..] => {
            let section =
                sections.entry((*section).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(section) = section.as_object_mut() {
                section.insert((*field).to_owned(), value);
            }
        }
        [] => {}
    }
}

/// An answer in the shape that the schema wants.
fn value(field: &Field, text: &str) -> Result<Value, String> {
    if field.allows_none && text.trim_end_matches('.').eq_ignore_ascii_case("none") {
        return Ok("none".into());
    }
    match &field.shape {
        Shape::Value => scalar(field, text),
        Shape::Mapping { fields, .. } => mapping(fields, text),
        Shape::List(item) => list(item, text),
    }
}

fn scalar(field: &Field, text: &str) -> Result<Value, String> {
    if !field.choices.is_empty() {
        let choice = field.choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
        return choice
            .map(|choice| choice.as_str().into())
            .ok_or_else(|| format!("{} is not one of {}", quoted(text), field.choices.join(", ")));
    }
    if field.is_flag() {
        return match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Ok(true.into()),
            "no" | "false" => Ok(false.into()),
            _ => Err(format!("{} is neither yes nor no", quoted(text))),
        };
    }
    if field.example.as_ref().is_some_and(Value::is_number) {
        // People group thousands; a point is a decimal point.
        let plain: String =
            text.chars().filter(|c| !matches!(c, ',' | '_' | '\'' | ' ' | '\u{a0}')).collect();
        let number = plain
            .parse::<i64>()
            .ok()
            .map(Number::from)
            .or_else(|| plain.parse::<f64>().ok().and_then(Number::from_f64));
        return number
            .map(Value::Number)
            .ok_or_else(|| format!("{} is not a number", quoted(text)));
    }
    Ok(text.into())
}

/// `name: Dana Wu` on each line; or the words of the fields that are owed, in
/// their order: `48000.00 USD`.
fn mapping(fields: &[Field], text: &str) -> Result<Value, String> {
    let mut entries = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = line.trim_start_matches(['-', '*']).trim();
        let named = by_name(fields, line);
        if !named.is_empty() {
            for (field, rest) in named.into_iter().filter(|(_, rest)| !rest.is_empty()) {
                if entries.contains_key(&field.name) {
                    return Err(format!("{} gives {} twice", quoted(line), field.name));
                }
                entries.insert(field.name.clone(), value(field, unquoted(rest))?);
            }
        } else if entries.is_empty() && text.lines().count() == 1 {
            return in_order(fields, line);
        } else {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(format!(
                "{} does not begin with one of {}",
                quoted(line),
                names.join(", ")
            ));
        }
    }
    Ok(Value::Object(entries))
}

/// The fields that a line names, `name: Dana Wu, email: dana@acme.example`, each
/// with what stands behind it; empty where it does not begin with a name.
fn by_name<'a, 'b>(fields: &'a [Field], line: &'b str) -> Vec<(&'a Field, &'b str)> {
    let field_of = |name: &str| {
        let name = name.trim();
        fields.iter().find(|field| {
            field.name.eq_ignore_ascii_case(name) || field.title.eq_ignore_ascii_case(name)
        })
    };
    // Where each name begins, and where what it names begins.
    let mut named: Vec<(&Field, usize, usize)> = Vec::new();
    let mut begin = 0;
    for (at, mark) in line.match_indices([',', ';', ':']) {
        if mark != ":" {
            begin = at + 1;
        } else if (begin == 0) == named.is_empty()
            && let Some(field) = field_of(&line[begin..at])
        {
            named.push((field, begin, at + 1));
        }
    }
    let ends = named.iter().skip(1).map(|(_, begin, _)| *begin).chain([line.len()]);
    let told = |((field, _, begin), end): (&(&'a Field, usize, usize), usize)| {
        (*field, line[*begin..end].trim().trim_end_matches([',', ';']).trim())
    };
    named.iter().zip(ends).map(told).collect()
}

/// A person on one line as people write them: `Dana Wu <dana@acme.example>`,
/// `Dana Wu, VP Operations, dana@acme.example`.
fn person(fields: &[Field], line: &str) -> Option<Map<String, Value>> {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    let email = fields.iter().find(|field| field.format.as_deref() == Some("email"))?;
    let name = named("name")?;
    let is_edge = |c: char| c.is_whitespace() || ",;<>()[]\"".contains(c);
    let mut words = line.split(is_edge).filter(|word| word.contains('@'));
    let address = words.next();
    if words.next().is_some() {
        return None;
    }
    let mut entries = Map::new();
    let rest = match address {
        Some(address) => {
            let plain = address.strip_prefix("mailto:").unwrap_or(address);
            entries.insert(email.name.clone(), plain.into());
            line.replacen(address, "", 1)
        }
        None => line.to_owned(),
    };
    let mut parts = rest.split([',', ';', '<', '>', '(', ')']).map(|it| it.trim_matches(is_edge));
    let mut parts = parts.by_ref().filter(|it| !it.is_empty());
    if let Some(who) = parts.next() {
        entries.insert(name.name.clone(), who.into());
    }
    if let Some(title) = parts.next() {
        entries.insert(named("title")?.name.clone(), title.into());
    }
    parts.next().is_none().then_some(entries)
}

/// Quotation marks of the example that were copied along.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains(['"', '\\'])).unwrap_or(text)
}

fn in_order(fields: &[Field], line: &str) -> Result<Value, String> {
    let is = |name: &str| fields.iter().any(|field| field.name == name);
    if is("name") && fields.iter().any(|field| field.format.as_deref() == Some("email")) {
        return person(fields, line).map(Value::Object).ok_or_else(|| {
            format!("{} is not one person; write `Dana Wu <dana@acme.example>`", quoted(line))
        });
    }
    let owed: Vec<&Field> = fields.iter().filter(|field| field.required).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut entries = Map::new();
    match owed.as_slice() {
        [] => {
            let Some(first) = fields.first() else { return Err("it has no fields".to_owned()) };
            entries.insert(first.name.clone(), value(first, line)?);
        }
        [only] => {
            entries.insert(only.name.clone(), value(only, line)?);
        }
        several if several.len() == words.len() => {
            for (field, word) in several.iter().zip(words) {
                entries.insert(field.name.clone(), value(field, word)?);
            }
        }
        several => {
            let names: Vec<&str> = several.iter().map(|field| field.name.as_str()).collect();
            return Err(format!("{} does not tell {}", quoted(line), names.join(" from ")));
        }
    }
    Ok(Value::Object(entries))
}

/// One item on each line, with or without a bullet; an item with fields is
/// `{promise: …, due: …}` or the plain words of its first field.
fn list(item: &Field, text: &str) -> Result<Value, String> {
    let mut items = Vec::new();
    for line in text.lines().map(bare).filter(|line| !line.is_empty()) {
        items.push(match &item.shape {
            Shape::Mapping { fields, .. } => {
                flow_mapping(fields, line).map_or_else(|| in_order(fields, line), Ok)?
            }
            Shape::Value | Shape::List(_) => scalar(item, line)?,
        });
    }
    Ok(Value::Array(items))
}

/// A line without its bullet or number.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let line = line
        .strip_prefix("- [ ] ")
        .or_else(|| line.strip_prefix("- [x] "))
        .or_else(|| line.strip_prefix("- "))
        .or_else(|| line.strip_prefix("* "))
        .unwrap_or(line);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.get(digits..) {
        Some(rest) if (1..=2).contains(&digits) && rest.starts_with(". ") => rest[2..].trim(),
        _ => line.trim(),
    }
}

/// The fields of a line in braces, where it is one and names only known ones.
fn flow_mapping(fields: &[Field], line: &str) -> Option<Value> {
    if !line.starts_with('{') {
        return None;
    }
    let Value::Object(entries) = yaml::read(line.as_bytes()).ok()?.to_json() else { return None };
    let known = entries.keys().all(|name| fields.iter().any(|field| field.name == *name));
    (known && !entries.is_empty()).then_some(Value::Object(entries))
}

// `.github/ISSUE_TEMPLATE/handoff.yml`, after
// <https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema>.

/// The form that asks for what a schema owes: a heading for each question, an
/// input for each answer. Nothing is obligatory: an incomplete brief is
/// better than none.
#[must_use]
pub fn issue_form(schema: &Schema) -> String {
    let mut body = vec![json!({
        "type": "markdown",
        "attributes": {"value": "What customer success needs to know. Leave open what you do not know, and write `none` where you asked and there is none."},
    })];
    let mut last = 0;
    for (index, input) in inputs(schema).iter().enumerate() {
        if input.question != last {
            last = input.question;
            let words = question(last).unwrap_or_default();
            body.push(
                json!({"type": "markdown", "attributes": {"value": format!("## {last}. {words}")}}),
            );
        }
        body.push(element(index, input));
    }
    let form = json!({
        "name": "Handoff",
        "description": "A signed contract for customer success",
        "title": "Handoff: ",
        "labels": ["handoff-form"],
        "body": body,
    });
    format!(
        "# Made by handoff from schema/brief.schema.json. Change the schema, delete this file\n\
         # and run `handoff init` again; `handoff sign --form` reads what people fill in.\n{}",
        yaml::write(&form)
    )
}

fn element(index: usize, input: &FormInput<'_>) -> Value {
    let field = input.field;
    let mut attributes = json!({"label": input.label});
    if let Some(describe) = describe(field) {
        attributes["description"] = json!(describe);
    }
    let kind = if !field.choices.is_empty() {
        attributes["options"] = json!(field.choices);
        "dropdown"
    } else {
        if let Some(example) = placeholder(field) {
            attributes["placeholder"] = json!(example);
        }
        if matches!(field.shape, Shape::Value) { "input" } else { "textarea" }
    };
    json!({
        "type": kind,
        // GitHub takes letters, digits, `-` and `_`.
        "id": format!(
            "{}_{index}",
            input.path.join("_").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_")
        ),
        "attributes": attributes,
        "validations": {"required": false},
    })
}

/// What belongs there, and how to write more than one thing.
fn describe(field: &Field) -> Option<String> {
    let how = match &field.shape {
        Shape::List(_) if field.allows_none => Some("One on each line, or `none`."),
        Shape::List(_) => Some("One on each line."),
        Shape::Mapping { .. } => Some("One of these on each line, as in the example."),
        Shape::Value => None,
    };
    let words: Vec<&str> = field.description.as_deref().into_iter().chain(how).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A good answer in the form in which it is to be written.
fn placeholder(field: &Field) -> Option<String> {
    match &field.shape {
        Shape::Mapping { fields, .. } => {
            let example = field.example.as_ref();
            let lines: Vec<String> = fields
                .iter()
                .filter_map(|inner| {
                    let value =
                        example.and_then(|it| it.get(&inner.name)).or(inner.example.as_ref())?;
                    Some(format!("{}: {}", inner.name, flow(value)))
                })
                .collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        }
        Shape::List(_) => {
            let items = field.example.as_ref()?.as_array()?;
            let lines: Vec<String> = items
                .iter()
                .map(|item| match item.as_str() {
                    Some(text) => text.to_owned(),
                    None => format!("- {}", flow(item)),
                })
                .collect();
            Some(lines.join("\n"))
        }
        Shape::Value => field.example.as_ref().map(|example| match example.as_str() {
            Some(text) => text.to_owned(),
            None => flow(example),
        }),
    }
}
