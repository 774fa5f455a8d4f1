//! What a mail holds: the Markdown of a text as HTML that Outlook, Gmail and
//! phones show, as plain text, and the deadline for the calendar.

use chrono::TimeDelta;
use icalendar::{Calendar, Component as _, Event as CalendarEvent, EventLike as _};

use crate::brief::EventKind;
use crate::deliver::messages::{Messages, customer, due};
use crate::deliver::sink::Handoff;
use crate::deliver::templates::Message;
use crate::text::{self, Look};

/// How long the entry in the calendar is, up to the deadline.
const LENGTH: TimeDelta = TimeDelta::minutes(30);

/// Events after which the deadline may be another one.
const MOVES: &[EventKind] = &[
    EventKind::Resubmitted,
    EventKind::Corrected,
    EventKind::Amended,
    EventKind::Assigned,
    EventKind::DeadlineMoved,
];

/// One mail's words.
pub(super) struct MailText {
    pub(super) subject: String,
    pub(super) html: String,
    pub(super) plain: String,
}

impl MailText {
    /// From a text in Markdown.
    pub(super) fn of(message: &Message) -> Self {
        // Titles hold zero-width spaces for GitHub, which a reader would copy.
        let subject = text::one_line(&message.title);
        let html = page(&subject, &text::markdown_to_html(&message.body, Look::Mail));
        Self { html, plain: text::markdown_to_plain(&message.body), subject }
    }
}

/// The body in a frame of tables, which Outlook understands. The style sheet
/// is for those that know the dark scheme; the rest go by each element's style.
fn page(title: &str, body: &str) -> String {
    const STYLE: &str = include_str!("../../../templates/mail.css");
    let title = text::html(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\
         <title>{title}</title><style>{STYLE}</style></head>\n\
         <body class=\"g\" style=\"margin:0;padding:0;background:#f2f4f7\">\
         <table role=\"presentation\" class=\"g\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"background:#f2f4f7\">\
         <tr><td align=\"center\" style=\"padding:16px 8px\">\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"max-width:680px\">\
         <tr><td class=\"m\" style=\"padding:20px 24px;background:#ffffff;color:#1f2328;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px\">\n\
         {body}</td></tr></table></td></tr></table></body></html>\n"
    )
}

/// The first touch's deadline as a calendar's entry; the same entry, with a
/// higher sequence, whenever the deadline may have moved.
pub(super) fn calendar(handoff: &Handoff, messages: &Messages, domain: &str) -> Option<String> {
    let due = due(handoff)?;
    let events = &handoff.timeline.events;
    let moves = events.iter().filter(|event| MOVES.contains(&event.event)).count();
    let mut entry = CalendarEvent::new();
    entry
        .uid(&format!("handoff-{}@{domain}", handoff.key))
        .sequence(u32::try_from(moves).unwrap_or(u32::MAX))
        .timestamp((messages.context().clock)())
        .summary(&format!("First touch due: {}", customer(handoff)))
        .starts(due.checked_sub_signed(LENGTH)?)
        .ends(due);
    if let Some(words) = super::super::messages::answer(&handoff.brief, "first_action.instruction")
    {
        entry.description(&text::shorten(&text::one_line(&words), 1_000));
    }
    if let Some(url) = handoff.url.as_deref().and_then(super::super::templates::web_address) {
        entry.url(&url);
    }
    let mut calendar = Calendar::new();
    calendar.append_property(("METHOD", "PUBLISH"));
    calendar.push(entry.done());
    Some(calendar.done().to_string())
}
