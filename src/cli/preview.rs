//! `handoff render --preview`: what each target would be sent.

use super::error::CliError;
use super::invocation::Invocation;
use super::open::open_letters;
use crate::brief::Completeness;
use crate::deliver::{DeliverConfig, DeliveryError, Medium, Message, MessageKind, TaskForm};
use crate::model::Key;
use crate::workflow::{self, Context, Stored, WorkflowError};

/// The texts of one handoff, each under the target that gets it.
pub(super) fn preview(
    context: &Context,
    key: &Key,
    stored: &Stored,
    invocation: &Invocation,
) -> Result<String, CliError> {
    let handoff = workflow::handoff_of(context, key, stored)?
        .ok_or_else(|| CliError::from(WorkflowError::NoHandoff(key.clone())))?;
    let letters = open_letters(invocation, context)?;
    let deliver = &context.config.deliver;
    let mut text = String::new();
    let mut add = |what: &str, to: &str, letter: Result<Message, DeliveryError>| {
        let Message { title, body } = letter.map_err(fault)?;
        text.push_str(&format!("==> {what}, to {to}: {title}\n\n{}\n\n", body.trim()));
        Ok::<(), CliError>(())
    };
    let is_signed = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed());
    if !is_signed {
        add("draft", target(deliver.github.is_some(), "github", None), letters.draft(&handoff))?;
        return Ok(text);
    }
    let outbox = outbox(deliver);
    let form = deliver.github.as_ref().map_or(TaskForm::Issue, |github| github.form);
    let to = target(deliver.github.is_some(), "github", outbox);
    add("task", to, letters.task(&handoff, form, Medium::Markdown))?;
    let (medium, to) = match &deliver.slack {
        Some(_) => (Medium::Slack, "slack"),
        None => (Medium::Markdown, target(false, "slack", outbox)),
    };
    add("message", to, letters.notice(&handoff, medium, None))?;
    let to = target(deliver.email.is_some(), "email", outbox);
    add("mail", to, letters.mail(&handoff, Medium::Plain))?;
    let people = match (deliver.slack.is_some(), deliver.email.is_some()) {
        (true, true) => "slack and email",
        (true, false) => "slack",
        (false, email) => target(email, "email", outbox),
    };
    for (what, occasion) in
        [("return", MessageKind::Returned), ("re-submission", MessageKind::Resubmitted)]
    {
        add(what, people, letters.again(&handoff, occasion, Medium::Markdown, None))?;
    }
    let to = match (deliver.asana.is_some(), deliver.jira.is_some()) {
        (true, true) => "asana and jira",
        (true, false) => "asana",
        (false, jira) => target(jira, "jira", outbox),
    };
    add("project", to, letters.project(&handoff, Medium::Markdown))?;
    let to = target(deliver.welcome.is_some(), "welcome", outbox);
    text.push_str(&format!("==> welcome, to {to}\n\n{:#}\n", letters.welcome(&handoff)));
    let missing = Completeness::of(&context.schema, &handoff.brief).missing.len();
    if missing > 0 {
        invocation.say(format!(
            "note: the brief lacks {}; the texts say so",
            crate::report::count(missing, "answer")
        ));
    }
    Ok(text)
}

/// Who gets a text: the vendor, else the outbox, else nobody.
fn target(is_there: bool, name: &'static str, outbox: Option<&'static str>) -> &'static str {
    if is_there { name } else { outbox.unwrap_or("nobody (nothing is configured)") }
}

fn outbox(deliver: &DeliverConfig) -> Option<&'static str> {
    deliver.outbox.as_ref().map(|_| "the outbox")
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
