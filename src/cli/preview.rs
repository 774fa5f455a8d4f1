//! `handoff render --preview`: what each target would be sent.

use super::error::CliError;
use super::invocation::Invocation;
use super::open::open_messages;
use crate::brief::{Completeness, EventKind};
use crate::deliver::{DeliveryError, Medium, Message};
use crate::model::Key;
use crate::workflow::{self, Context, Stored, WorkflowError};

/// What is sent, by the event that records it.
const TEXTS: &[(&str, EventKind)] = &[
    ("draft", EventKind::Drafted),
    ("task", EventKind::TaskOpened),
    ("message", EventKind::Notified),
    ("mail", EventKind::Emailed),
    ("return", EventKind::RepTold),
    ("re-submission", EventKind::CsmTold),
    ("project", EventKind::ProjectStarted),
    ("welcome", EventKind::Welcomed),
];

/// The texts of one handoff, each under the target that gets it.
pub(super) fn preview(
    context: &Context,
    key: &Key,
    stored: &Stored,
    invocation: &Invocation,
) -> Result<String, CliError> {
    let handoff = workflow::handoff_of(context, key, stored)?
        .ok_or_else(|| CliError::from(WorkflowError::NoHandoff(key.clone())))?;
    let messages = open_messages(invocation, context)?;
    let deliver = &context.config.deliver;
    let is_signed = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed());
    let mut text = String::new();
    for (what, event) in TEXTS {
        if is_signed == (*event == EventKind::Drafted) {
            continue;
        }
        // A draft is opened where tasks are opened.
        let asked = if is_signed { *event } else { EventKind::TaskOpened };
        let targets = deliver.targets(asked);
        let names: Vec<&str> = targets.iter().map(|row| row.title).collect();
        let to = match names.split_last() {
            None => "nobody (nothing is configured)".to_owned(),
            Some((only, [])) => (*only).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
        };
        if *event == EventKind::Welcomed {
            text.push_str(&format!("==> {what}, to {to}\n\n{:#}\n", messages.welcome(&handoff)));
            continue;
        }
        let medium = targets.first().map_or(Medium::Markdown, |row| row.medium);
        let message = match event {
            EventKind::TaskOpened => messages.task(&handoff, deliver.task_form(), medium),
            event => messages.of_event(*event, &handoff, medium),
        };
        let Message { title, body } = message.map_err(fault)?;
        text.push_str(&format!("==> {what}, to {to}: {title}\n\n{}\n\n", body.trim()));
    }
    let missing = Completeness::of(&context.schema, &handoff.brief).missing.len();
    if missing > 0 {
        invocation.say(format!(
            "note: the brief lacks {}; the texts say so",
            crate::model::count(missing, "answer")
        ));
    }
    Ok(text)
}

fn fault(error: DeliveryError) -> CliError {
    let message = error.to_string();
    match error {
        DeliveryError::Permanent { help, .. } => CliError::usage(message).help(help),
        DeliveryError::Transient { .. } | DeliveryError::Unclear { .. } => {
            CliError::could_not(message)
        }
    }
}
