//! The page as HTML: markup and style are in `templates/link/`, every value is
//! escaped, and nothing needs a script.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::answers::{Answered, asked_of};
use super::{LinkReply, answer_in_words};
use crate::brief::{AskedAnswer, EventKind, SourceKind, asked_answer, question, without_edit_hint};
use crate::deliver::open_returns;
use crate::link::{Grant, LinkKeys, LinkRole};
use crate::text::{self, Look};
use crate::workflow::promises::promises_of;
use crate::workflow::sources::confirmed_answers;
use crate::workflow::store::Stored;
use crate::workflow::{Context, WorkflowError};

/// The style sheet, as it stands in the page: its hash is in the policy.
pub const STYLE: &str = include_str!("../../../templates/link/page.css");

/// What the page says on top.
#[derive(Debug, Serialize)]
pub(super) struct PageNotice {
    is_error: bool,
    words: String,
}

impl PageNotice {
    pub(super) fn done(words: &str) -> Self {
        Self { is_error: false, words: words.to_owned() }
    }

    pub(super) fn error(words: &str) -> Self {
        Self { is_error: true, words: words.to_owned() }
    }
}

/// One answer that is asked for.
#[derive(Debug, Serialize)]
struct PageInput {
    #[serde(flatten)]
    asked: AskedAnswer,
    id: String,
    heading: Option<String>,
    kind: &'static str,
    /// What was written and not taken over.
    written: String,
    none: bool,
    who: String,
    until: String,
    why: String,
    /// What is known so far: an honest gap.
    now: Option<String>,
    problem: Option<String>,
    conflict: Option<String>,
    /// Whether they answered it themselves and may change it.
    is_own: bool,
}

#[derive(Debug, Serialize)]
struct OpenPromise {
    number: usize,
    words: String,
    due: Option<String>,
    owner: Option<String>,
}

/// Answers that one person gave on one day.
#[derive(Debug, Serialize)]
struct AnswersOfDay {
    answers: Vec<String>,
    by: String,
    on: Option<String>,
}

/// All that the page shows.
#[derive(Debug, Serialize)]
pub(super) struct LinkView {
    title: String,
    style: &'static str,
    notice: Option<PageNotice>,
    customer: String,
    person: String,
    role: &'static str,
    is_theirs: bool,
    is_signed: bool,
    due: Option<String>,
    state: String,
    is_returned: bool,
    /// Whether it was accepted and has changed since.
    accepts_again: bool,
    /// Of each return that is not answered yet, the last one first.
    return_reasons: Vec<Option<String>>,
    deal_is_over: Option<String>,
    touched: Option<String>,
    is_touched: bool,
    seen: String,
    first: String,
    inputs: Vec<PageInput>,
    promises: Vec<OpenPromise>,
    people: Vec<String>,
    team: Vec<String>,
    url: Option<String>,
    deal_url: Option<String>,
    written_reason: String,
    brief: String,
    confirmed: Vec<AnswersOfDay>,
}

impl LinkView {
    pub(super) fn of(
        context: &Context,
        keys: &LinkKeys,
        grant: &Grant,
        stored: &Stored,
        is_theirs: bool,
        notice: Option<PageNotice>,
        answered: Option<&Answered>,
    ) -> Result<Self, WorkflowError> {
        let Some(brief) = &stored.brief else {
            return Err(WorkflowError::NoHandoff(grant.key.clone()));
        };
        let view = brief.view();
        let customer = view.customer_name().or_else(|| view.deal_name()).unwrap_or("Handoff");
        let customer = text::shorten(&text::one_line(customer), 120);
        let timeline = &stored.timeline;
        let verdict = timeline.verdict();
        let is_returned = verdict.is_some_and(|it| it.event == EventKind::Returned);
        let zone = context.config.timezone;
        let in_words = |at: chrono::DateTime<chrono::Utc>| {
            at.with_timezone(&zone).format("%A %-d %B %Y, %H:%M %Z").to_string()
        };
        let state = match verdict {
            None if !view.is_signed() => "draft: the contract is not signed yet".to_owned(),
            None => "waits for the CSM".to_owned(),
            Some(event) => {
                let by = event.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
                let outdated = match timeline.outdated_acceptance() {
                    Some(_) => ", corrected since and not accepted again",
                    None => "",
                };
                format!("{}{by} on {}{outdated}", event.event.words(), in_words(event.at))
            }
        };
        let due = crate::brief::deadline_in_force(
            view.first_action_due(),
            crate::brief::deadline_moves(&timeline.events),
        );
        let promises = promises_of(context, stored)
            .into_iter()
            .filter(|promise| promise.kept.is_none())
            .map(|promise| OpenPromise {
                number: promise.number,
                words: promise.promise,
                due: promise.due.map(|due| due.to_string()),
                owner: promise.owner,
            });
        let people = view.contacts().into_iter().filter_map(|it| it.name.or(it.email));
        // Whoever has it already is no choice.
        let has_it = |email: &Option<String>| {
            email.as_deref().is_some_and(|it| crate::model::is_same_person(it, &grant.person))
        };
        let csms = context.config.team.csms.iter().filter(|csm| !has_it(&csm.email));
        let team = csms.map(|csm| csm.name.clone());
        let readme = context.render(brief, &stored.confirmed)?;
        let link = |url: Option<&str>| {
            let parsed = url::Url::parse(url?).ok()?;
            matches!(parsed.scheme(), "http" | "https").then(|| parsed.to_string())
        };
        let url = crate::workflow::pending_pull_request::web_url(context, stored);
        Ok(Self {
            title: format!("Handoff: {customer}"),
            style: STYLE,
            notice,
            person: grant.person.clone(),
            role: grant.role.as_str(),
            is_theirs,
            is_signed: view.is_signed(),
            due: due.map(in_words),
            state,
            is_returned,
            accepts_again: timeline.outdated_acceptance().is_some(),
            return_reasons: open_returns(&timeline.events).map(|it| it.reason.clone()).collect(),
            deal_is_over: timeline.deal_is_over().map(str::to_owned),
            touched: timeline
                .first_touch(context.config.first_touch.needs_evidence())
                .map(|it| in_words(it.at)),
            is_touched: timeline.first(EventKind::Touched).is_some(),
            seen: stored
                .brief_blob
                .as_deref()
                .map(|blob| keys.seal(&grant.key, blob))
                .unwrap_or_default(),
            inputs: match grant.role {
                LinkRole::Rep => inputs(context, grant, stored, answered),
                LinkRole::Csm => Vec::new(),
            },
            first: answered.map(|it| it.first.clone()).unwrap_or_default(),
            promises: promises.collect(),
            people: people.map(str::to_owned).collect(),
            team: team.collect(),
            url: link(url.as_deref()),
            deal_url: link(view.deal_url()),
            written_reason: answered
                .and_then(|it| it.written.get("reason").cloned())
                .unwrap_or_default(),
            brief: text::markdown_to_html(&without_edit_hint(&readme), Look::Page),
            confirmed: confirmed(context, stored)?,
            customer,
        })
    }

    pub(super) fn page(&self) -> String {
        fill(include_str!("../../../templates/link/page.html"), self)
    }
}

/// What people answered themselves, which no CRM and no document says.
fn confirmed(context: &Context, stored: &Stored) -> Result<Vec<AnswersOfDay>, WorkflowError> {
    let mut found: Vec<AnswersOfDay> = Vec::new();
    let outline = context.schema.outline();
    for answer in confirmed_answers(context, stored)? {
        if outline.field(&answer.pointer).is_none() {
            continue;
        }
        let label = outline.label(&answer.pointer);
        let by = match (answer.source.name, answer.source.from) {
            (Some(name), _) => name.split(" <").next().unwrap_or_default().to_owned(),
            (None, SourceKind::Form) => "in the form".to_owned(),
            (None, _) => "in the ledger".to_owned(),
        };
        let on = answer
            .source
            .at
            .map(|at| at.with_timezone(&context.config.timezone).format("%-d %B %Y").to_string());
        match found.iter_mut().find(|it| it.by == by && it.on == on) {
            Some(known) => known.answers.push(label),
            None => found.push(AnswersOfDay { answers: vec![label], by, on }),
        }
    }
    Ok(found)
}

fn inputs(
    context: &Context,
    grant: &Grant,
    stored: &Stored,
    answered: Option<&Answered>,
) -> Vec<PageInput> {
    let Some(brief) = &stored.brief else { return Vec::new() };
    let nothing = Answered::default();
    let answered = answered.unwrap_or(&nothing);
    let (mut asked, own) = asked_of(context, grant, &stored.timeline, brief.json());
    // What somebody else has answered meanwhile is asked for once more, beside their answer.
    for pointer in answered.conflicts.keys() {
        if !asked.iter().any(|it| it.pointer == *pointer) {
            asked.extend(asked_answer(&context.schema, pointer, None));
        }
    }
    asked.sort_by_key(|it| it.question);
    let own = own.into_iter().filter(|it| !answered.conflicts.contains_key(&it.pointer));
    let own: Vec<_> = own.map(|it| (it, true)).collect();
    let mut last = 0;
    asked
        .into_iter()
        .map(|it| (it, false))
        .chain(own)
        .enumerate()
        .map(|(index, (it, is_own))| {
            let heading = (it.question != last && !is_own)
                .then(|| format!("{}. {}", it.question, question(it.question).unwrap_or_default()));
            last = it.question;
            let written = |prefix: &str| {
                let name = format!("{prefix}:{}", it.pointer);
                answered.written.get(&name).cloned().unwrap_or_default()
            };
            let kind = match it.format.as_deref() {
                _ if !it.choices.is_empty() => "choice",
                _ if it.is_long => "long",
                Some("date") => "date",
                Some("email") => "email",
                _ => "text",
            };
            PageInput {
                id: format!("q{index}"),
                heading,
                kind,
                written: written("a"),
                none: written("none") == "none",
                who: written("who"),
                until: written("until"),
                why: written("why"),
                now: gap(brief.json(), &it.pointer)
                    .or_else(|| answer_in_words(brief.json(), &it.pointer).filter(|_| is_own)),
                is_own,
                problem: answered.problems.get(&it.pointer).cloned(),
                conflict: answered.conflicts.get(&it.pointer).cloned(),
                asked: it,
            }
        })
        .collect()
}

/// An honest gap in words: who finds out, and until when.
fn gap(brief: &serde_json::Value, pointer: &str) -> Option<String> {
    let at = |name: &str| answer_in_words(brief, &format!("{pointer}/unknown/{name}"));
    let (who, until) = (at("owner")?, at("resolve_by")?);
    Some(format!("not known yet; {who} finds out by {until}"))
}

#[derive(Serialize)]
struct Short<'a> {
    title: &'a str,
    words: &'a str,
    style: &'static str,
}

/// A page that says one thing.
pub(super) fn message(status: u16, title: &str, words: &str) -> LinkReply {
    let short = Short { title, words, style: STYLE };
    let html = fill(include_str!("../../../templates/link/message.html"), &short);
    LinkReply { status, html, changed: None }
}

fn fill(template: &'static str, values: &impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let head = include_str!("../../../templates/link/head.html");
    environment.add_template("head.html", head).expect("the templates are compiled in");
    environment
        .render_str(template, Serde(values))
        .expect("the templates are compiled in, and tests render each of their parts")
}
