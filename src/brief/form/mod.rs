//! The brief as a GitHub issue form, for companies without a CRM: `write`
//! makes the form from a schema, `read` turns what people filled in back into
//! answers. Both walk the same list of inputs.

mod answer;
mod read;
mod write;

pub use answer::{
    AskedAnswer, asked_answer, asked_answers, put_answer, read_answer, unknown_answer,
};
pub use read::{FormAnswers, FormProblem, read_form};
pub use write::issue_form;

use super::schema::{Field, Schema, Shape, humanise};

/// One input of the form: one answer that somebody owes.
struct Input<'a> {
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
fn inputs(schema: &Schema) -> Vec<Input<'_>> {
    let mut inputs: Vec<Input<'_>> = Vec::new();
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
            inputs.push(Input { question, label, path, field });
        }
    }
    inputs
}
