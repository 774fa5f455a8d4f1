//! Which of the seven questions a brief answers, and what is missing: all of
//! it computed from the schema.

use serde::Serialize;
use serde_json::Value;

use super::answer::{dotted, escape, is_blank, is_placeholder, unknown};
use super::schema::{Field, Outline, Schema, Shape, flow};

/// The seven questions; their wording is part of the product.
pub const QUESTIONS: [&str; 7] = [
    "Who is this customer?",
    "What did they buy?",
    "Who are we talking to?",
    "What did the rep promise?",
    "How complex is implementation?",
    "What does success look like to them?",
    "What should CS do first, and by when?",
];

/// The wording of a question, 1 to 7.
#[must_use]
pub fn question(number: u8) -> Option<&'static str> {
    QUESTIONS.get(usize::from(number).checked_sub(1)?).copied()
}

/// How far one question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerState {
    /// Every answer that is owed is there.
    Answered,
    /// Nothing is missing, and at least one answer is an honest gap.
    Unknown,
    /// At least one answer that is owed is not there.
    Unanswered,
}

/// Why a field counts as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Absence {
    /// It is not there, or empty.
    Missing,
    /// Something stands there that answers nothing: `TBD`.
    Placeholder,
}

/// One answer that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingField {
    /// The question, 1 to 7.
    pub question: u8,
    /// The field, dotted: `success.primary_goal`.
    pub field: String,
    /// The same as a JSON pointer.
    pub pointer: String,
    /// What readers call it.
    pub label: String,
    /// Why it counts as missing.
    pub absence: Absence,
    /// A good answer, as one line of YAML would hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Whom to ask: a name where the brief has one, else the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
}

/// One honest gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownAnswer {
    /// The question, where the field belongs to one.
    pub question: Option<u8>,
    /// The field, dotted.
    pub field: String,
    /// The same as a JSON pointer.
    pub pointer: String,
    /// What readers call it.
    pub label: String,
    /// Why it is unknown.
    pub why: Option<String>,
    /// Who finds out.
    pub owner: Option<String>,
    /// By when, as it is written.
    pub resolve_by: Option<String>,
}

/// How complete a brief is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// The seven questions, first to last. A question that the schema does
    /// not ask is answered.
    pub questions: [AnswerState; 7],
    /// What is owed and not there, in the schema's order.
    pub missing: Vec<MissingField>,
    /// The honest gaps, in the schema's order.
    pub unknown: Vec<UnknownAnswer>,
}

impl Completeness {
    /// Judges a brief's values after a schema.
    #[must_use]
    pub fn of(schema: &Schema, brief: &Value) -> Self {
        let mut walk =
            CompletenessWalk { outline: schema.outline(), brief, missing: vec![], unknown: vec![] };
        for field in schema.outline().fields() {
            walk.visit(field, brief.get(&field.name), FieldStep::section(field));
        }
        let CompletenessWalk { missing, unknown, .. } = walk;
        let mut questions = [AnswerState::Answered; 7];
        let mut worsen = |question: u8, answer: AnswerState| {
            let slot = &mut questions[usize::from(question) - 1];
            *slot = (*slot).max(answer);
        };
        for gap in &unknown {
            if let Some(question) = gap.question {
                worsen(question, AnswerState::Unknown);
            }
        }
        for field in &missing {
            worsen(field.question, AnswerState::Unanswered);
        }
        Self { questions, missing, unknown }
    }

    /// Whether nothing is missing; honest gaps are allowed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// How a question stands, 1 to 7.
    #[must_use]
    pub fn answer(&self, question: u8) -> Option<AnswerState> {
        self.questions.get(usize::from(question).checked_sub(1)?).copied()
    }

    /// How many of the seven questions are answered, honest gaps not counted.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.questions.iter().filter(|answer| **answer == AnswerState::Answered).count()
    }
}

/// One step on the way from the brief's root to a field. A pointer is made of
/// it only where something is missing, which is rare.
#[derive(Clone, Copy)]
struct FieldStep<'a> {
    above: Option<&'a FieldStep<'a>>,
    at: At<'a>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    /// A field of the schema.
    Field(&'a Field),
    /// A key that the schema does not name.
    Other(&'a str),
    /// A place in a list.
    Index(usize),
}

impl<'a> FieldStep<'a> {
    fn section(field: &'a Field) -> Self {
        Self { above: None, at: At::Field(field) }
    }

    fn below(above: &'a Self, at: At<'a>) -> Self {
        Self { above: Some(above), at }
    }

    fn is_section(&self) -> bool {
        self.above.is_none()
    }

    fn pointer(&self) -> String {
        let mut pointer = self.above.map_or_else(String::new, Self::pointer);
        pointer.push('/');
        match self.at {
            At::Field(field) => pointer.push_str(&escape(&field.name)),
            At::Other(name) => pointer.push_str(&escape(name)),
            At::Index(index) => pointer.push_str(&index.to_string()),
        }
        pointer
    }
}

struct CompletenessWalk<'a> {
    outline: &'a Outline,
    brief: &'a Value,
    missing: Vec<MissingField>,
    unknown: Vec<UnknownAnswer>,
}

impl CompletenessWalk<'_> {
    fn visit(&mut self, field: &Field, value: Option<&Value>, here: FieldStep<'_>) {
        let Some(value) = value.filter(|value| !is_blank(value)) else {
            if field.required {
                self.absent(field, here);
            }
            return;
        };
        if let Some(gap) = unknown(value) {
            let text = |key: &str| gap.get(key).and_then(Value::as_str).map(str::to_owned);
            let pointer = here.pointer();
            self.unknown.push(UnknownAnswer {
                question: field.question,
                field: dotted(&pointer),
                pointer,
                label: self.outline.label(&here.pointer()),
                why: text("why"),
                owner: text("owner"),
                resolve_by: text("resolve_by"),
            });
            return;
        }
        match (&field.shape, value) {
            (Shape::Mapping { fields, other, .. }, Value::Object(entries)) => {
                for child in fields {
                    let step = FieldStep::below(&here, At::Field(child));
                    self.visit(child, entries.get(&child.name), step);
                }
                let Some(other) = other else { return };
                for (name, value) in entries {
                    if !fields.iter().any(|field| field.name == *name) {
                        self.visit(other, Some(value), FieldStep::below(&here, At::Other(name)));
                    }
                }
            }
            (Shape::List(item), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.visit(item, Some(value), FieldStep::below(&here, At::Index(index)));
                }
            }
            (_, Value::String(text)) if field.required && is_placeholder(text) => {
                self.push(field, here, Absence::Placeholder);
            }
            _ => {}
        }
    }

    /// A section that is not there lacks each of its answers; an answer that
    /// is not there is one, whatever it is made of.
    fn absent(&mut self, field: &Field, here: FieldStep<'_>) {
        if let (true, Shape::Mapping { fields, .. }) = (here.is_section(), &field.shape) {
            for child in fields {
                self.visit(child, None, FieldStep::below(&here, At::Field(child)));
            }
        } else {
            self.push(field, here, Absence::Missing);
        }
    }

    fn push(&mut self, field: &Field, here: FieldStep<'_>, absence: Absence) {
        // What belongs to no question (`key`, `deal`) is not an answer that somebody owes.
        let Some(question) = field.question else { return };
        let pointer = here.pointer();
        self.missing.push(MissingField {
            question,
            field: dotted(&pointer),
            pointer,
            label: self.outline.label(&here.pointer()),
            absence,
            example: field.example.as_ref().map(flow),
            ask: field.ask.as_deref().map(|ask| self.person(ask)),
        });
    }

    /// The name behind a role, where the brief has it.
    fn person(&self, ask: &str) -> String {
        let Some(role) = self.outline.roles().iter().find(|role| role.name == ask) else {
            return ask.to_owned();
        };
        let person = role.person.as_deref().and_then(|pointer| self.brief.pointer(pointer));
        let name = person
            .and_then(|person| person.get("name").or_else(|| person.get("email")))
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty());
        name.map_or_else(|| role.title.clone(), str::to_owned)
    }
}
