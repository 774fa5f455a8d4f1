//! What a change of settings, schema, mapping or templates would do, before it
//! is merged: two sets of settings over the same deals, histories and briefs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::audit::{self, AuditRequest, ReadingSettings, RulesOfTime};
use super::compose::{KnownCustomer, compose};
use super::deal::{DealSource, Found, find_deal};
use super::documents::{DocumentDecision, decide_for_all};
use super::refresh::signature_of;
use super::{Context, Horizon, WorkflowError, handoff_of, keys_within};
use crate::audit::{Class, DealRow, Differences, LedgerInput, SignaturesInput};
use crate::brief::{Brief, Completeness, Event, EventKind, View, changed_answers};
use crate::config::{CompiledDocumentRule, Due};
use crate::deliver::{
    Audience, DeliveryError, Handoff, Medium, Message, MessageKind, Messages, Reminder, TaskForm,
};
use crate::link::LinkRole;
use crate::model::{DealId, Gap, Key, Money, Outcome, Population, Remarks, Window, count_of};
use crate::yaml;

/// What a plan looks at; both sides share it.
pub struct PlanRequest<'a> {
    /// The histories, read once.
    pub ledgers: &'a [LedgerInput],
    /// The deals as the new settings read them, with what either side reads of them.
    pub population: &'a Population,
    /// The deals as the settings of the base read them; those of the base's
    /// context where it has a source of its own.
    pub base_population: &'a Population,
    /// What of the deals could not be compared.
    pub gaps: &'a [Gap],
    /// What the e-sign providers completed, where they were asked.
    pub signatures: Option<&'a SignaturesInput>,
    /// Which of them, by the time they were won.
    pub window: Window,
    /// For how many of the newest deals a brief is made by both sides.
    pub last: usize,
    /// The revision whose settings are compared with, as it was named.
    pub base: &'a str,
    /// What writes the messages, by the templates and settings of the base and of the
    /// new side.
    pub messages: [&'a Messages; 2],
    /// `handoff.yaml` of the base and of the new side.
    pub settings: [&'a [u8]; 2],
}

/// The messages of so many of the newest handoffs are compared.
const MESSAGES: usize = 50;

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A deal is in another class of the audit, or leaves or enters the scope.
    Class,
    /// A completed document would be held, ignored or handed over as another kind.
    Document,
    /// A brief that answered everything would lack an answer.
    Incomplete,
    /// A brief that lacked an answer would have all.
    Complete,
    /// An answer would be another one.
    Answer,
    /// Another CSM would get the handoff.
    Csm,
    /// The first touch would be due at another time.
    Deadline,
    /// The page of a brief would read differently.
    Page,
    /// A message, task or project of a handoff would read differently.
    Message,
    /// A setting differs whose effect none of the others shows: who may approve,
    /// what proves a first touch, whom reminders go to, where things are sent.
    Setting,
}

impl ChangeKind {
    /// All of them, in the order of every output.
    pub const ALL: [Self; 10] = [
        Self::Class,
        Self::Document,
        Self::Incomplete,
        Self::Complete,
        Self::Csm,
        Self::Deadline,
        Self::Answer,
        Self::Page,
        Self::Message,
        Self::Setting,
    ];

    /// The word used in JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Document => "document",
            Self::Incomplete => "incomplete",
            Self::Complete => "complete",
            Self::Answer => "answer",
            Self::Csm => "csm",
            Self::Deadline => "deadline",
            Self::Page => "page",
            Self::Message => "message",
            Self::Setting => "setting",
        }
    }

    /// What people read above the changes of this kind.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.labels().1
    }

    /// A number of changes of this kind: `1 deadline that moves`.
    #[must_use]
    pub fn counted(self, number: usize) -> String {
        let (one, many) = self.labels();
        count_of(number, one, many)
    }

    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Class => ("deal in another class", "deals in another class"),
            Self::Document => {
                ("document that is decided otherwise", "documents that are decided otherwise")
            }
            Self::Incomplete => ("brief that becomes incomplete", "briefs that become incomplete"),
            Self::Complete => ("brief that becomes complete", "briefs that become complete"),
            Self::Csm => ("handoff for another CSM", "handoffs for another CSM"),
            Self::Deadline => ("deadline that moves", "deadlines that move"),
            Self::Answer => ("answer that changes", "answers that change"),
            Self::Page => ("page that reads differently", "pages that read differently"),
            Self::Message => (
                "message or task that reads differently",
                "messages and tasks that read differently",
            ),
            Self::Setting => ("other setting that differs", "other settings that differ"),
        }
    }
}

/// One thing that would be different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct PlanChange {
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// The handoff's key, or the one it would have; for a document its
    /// provider and id, `pandadoc/f9CbJKS4ZAs6nU629cuowb`; for a setting
    /// `handoff.yaml`.
    pub key: String,
    /// The customer or deal, where a name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer's field or the setting, dotted; of a message which one, `mail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// With the settings of the base; absent where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// With the settings of the checkout; absent where there would be nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What the deal is worth, as `USD 48,000.00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl PlanChange {
    fn blank(kind: ChangeKind, key: &str, name: Option<String>, value: Option<String>) -> Self {
        let (field, before, after) = (None, None, None);
        Self { kind, key: key.to_owned(), name, field, before, after, value }
    }
}

/// What could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanGap {
    /// What is missing.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a change of the settings would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// The version of this format: 1.
    pub version: u8,
    /// The revision that the checkout is compared with.
    pub base: String,
    /// Whether everything could be read. If not, `gaps` says what is missing,
    /// and a plan without changes says nothing.
    pub complete: bool,
    /// Won deals whose class was compared.
    pub deals: usize,
    /// Deals for which both sides made a brief, as if they were signed now.
    pub composed: usize,
    /// Briefs of the ledger whose completeness and page were compared.
    pub briefs: usize,
    /// Completed documents of the e-sign providers that were decided by both
    /// sides; absent where the providers were not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<usize>,
    /// Whether the rules for documents differ and no provider was asked, so that
    /// what they would hold is not known.
    pub documents_not_compared: bool,
    /// How many changes there are of each kind; kinds without one are left out.
    pub summary: BTreeMap<ChangeKind, usize>,
    /// The changes, by kind and key.
    pub changes: Vec<PlanChange>,
    /// What could not be compared.
    pub gaps: Vec<PlanGap>,
}

/// Compares what two sets of settings make of the same deals and briefs.
/// `base` and `head` are the same ledger; `head.crm` is the source of the deals,
/// and of the base's where `base.crm` is none.
///
/// # Errors
/// When the ledger cannot be read, or a template of the ledger fails.
pub async fn plan(
    base: &Context,
    head: &Context,
    request: &PlanRequest<'_>,
) -> Result<Plan, WorkflowError> {
    let mut changes = Vec::new();
    let mut gaps: Vec<Gap> = request.gaps.to_vec();
    let (rows, of_nobody) = classes(base, head, request, &mut changes, &mut gaps)?;
    let (briefs, newest) = pages(base, head, request.window, &mut changes, &mut gaps)?;
    let composed = match head.crm {
        Some(_) => {
            answers(base, head, request, (&rows, &of_nobody), &mut changes, &mut gaps).await?
        }
        None => {
            answers_of_briefs(base, head, &newest[..newest.len().min(request.last)], &mut changes)?
        }
    };
    messages(base, head, request, &newest[..newest.len().min(MESSAGES)], &mut changes)?;
    settings(request.settings, &mut changes);
    if let Some(asked) = request.signatures {
        documents(base, head, asked, request, &mut changes);
        gaps.extend(asked.gaps.iter().cloned());
    }
    changes.sort();
    changes.dedup();
    // What both sides read is missing for both.
    let mut told = BTreeSet::new();
    gaps.retain(|gap| told.insert((gap.what.clone(), gap.why.clone())));
    let mut summary = BTreeMap::new();
    for change in &changes {
        *summary.entry(change.kind).or_insert(0) += 1;
    }
    Ok(Plan {
        version: 1,
        base: request.base.to_owned(),
        complete: gaps.is_empty(),
        deals: rows.len(),
        composed,
        briefs,
        documents: request.signatures.map(|asked| asked.signatures.len()),
        documents_not_compared: request.signatures.is_none() && documents_differ(base, head),
        summary,
        changes,
        gaps: gaps.into_iter().map(|gap| PlanGap { what: gap.what, why: gap.why }).collect(),
    })
}

/// Audits with both settings, as if each had been in force all the time. Gives
/// what the audit with the new ones says of each deal, and the deals that are
/// out of scope on both sides.
fn classes(
    base: &Context,
    head: &Context,
    request: &PlanRequest<'_>,
    changes: &mut Vec<PlanChange>,
    gaps: &mut Vec<Gap>,
) -> Result<(BTreeMap<String, DealRow>, BTreeSet<DealId>), WorkflowError> {
    let run = |side: &Context, population: &Population| {
        let asked = AuditRequest {
            population,
            signatures: None,
            window: request.window,
            as_of: head.now,
            exported_at: head.now,
            differences: &Differences::new(),
            command: "",
        };
        let rules = RulesOfTime::unchanged(&side.config);
        let (rows, gaps) = audit::classes(request.ledgers, &side.config, &rules, &asked)?;
        let rows = rows.into_iter().map(|row| (row.key.to_string(), row));
        Ok::<_, WorkflowError>((rows.collect::<BTreeMap<String, DealRow>>(), gaps))
    };
    let (after, unread) = run(head, request.population)?;
    gaps.extend(unread);
    let is_out = |row: &DealRow| row.class == Class::Excluded;
    // What is read once and judged by the same rules needs no second look.
    if std::ptr::eq(request.base_population, request.population)
        && audit::judge_alike(&base.config, &head.config)
    {
        let of_nobody = after.values().filter(|row| is_out(row)).map(|row| row.deal_id.clone());
        let of_nobody = of_nobody.collect();
        return Ok((after, of_nobody));
    }
    let (before, unread) = run(base, request.base_population)?;
    gaps.extend(unread);
    let told = |row: &DealRow| match (&row.reason, row.class) {
        (Some(reason), Class::Excluded) => format!("{}: {reason}", row.class.as_str()),
        _ => row.class.as_str().to_owned(),
    };
    for (key, row) in &after {
        let was = before.get(key).map(told);
        let is = told(row);
        if was.as_ref() != Some(&is) {
            changes.push(PlanChange {
                before: was,
                after: Some(is),
                ..of_row(ChangeKind::Class, row)
            });
        }
    }
    for (_, row) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        changes.push(PlanChange { before: Some(told(row)), ..of_row(ChangeKind::Class, row) });
    }
    let was_out = |key: &String| before.get(key).is_some_and(is_out);
    let of_nobody = after.iter().filter(|(key, row)| was_out(key) && is_out(row));
    let of_nobody = of_nobody.map(|(_, row)| row.deal_id.clone()).collect();
    Ok((after, of_nobody))
}

/// Makes the brief of each of the newest won deals with both settings, as if
/// it were handed over now.
async fn answers(
    base: &Context,
    head: &Context,
    request: &PlanRequest<'_>,
    (rows, of_nobody): (&BTreeMap<String, DealRow>, &BTreeSet<DealId>),
    changes: &mut Vec<PlanChange>,
    gaps: &mut Vec<Gap>,
) -> Result<usize, WorkflowError> {
    let (deals, _) = request.population.deals.parts();
    let mut won: Vec<_> = deals
        .iter()
        .filter(|deal| deal.outcome == Outcome::Won && !of_nobody.contains(&deal.id))
        .filter(|deal| deal.closed_won_at.is_none_or(|at| request.window.contains(at)))
        .collect();
    won.sort_by(|a, b| (b.closed_won_at, &a.id).cmp(&(a.closed_won_at, &b.id)));
    let mut composed = 0;
    for deal in won.into_iter().take(request.last) {
        let find = async |crm| {
            let found = find_deal(DealSource::Deal(deal.id.clone()), crm, head.now).await;
            found.map_err(|error| Gap::new(format!("deal {}", deal.id), error.to_string()))
        };
        let found = match find(head.crm.as_deref()).await {
            Ok(found) => found,
            Err(gap) => {
                gaps.push(gap);
                continue;
            }
        };
        let earlier = match base.crm.as_deref() {
            None => None,
            // A deal that the base's settings do not know has no brief by them.
            Some(_)
                if !request.base_population.deals.parts().0.iter().any(|it| it.id == deal.id) =>
            {
                continue;
            }
            Some(crm) => match find(Some(crm)).await {
                Ok(found) => Some(found),
                Err(gap) => {
                    gaps.push(gap);
                    continue;
                }
            },
        };
        composed += 1;
        // On both sides nobody has an open handoff, and the customer no earlier one.
        let known = |_: &serde_json::Value| KnownCustomer::default();
        let made = |side: &Context, found| {
            compose(side, found, true, None, None, &BTreeMap::new, &known).brief
        };
        let (before, after) = (made(base, earlier.as_ref().unwrap_or(&found)), made(head, &found));
        let value = rows.get(found.key.as_str()).and_then(|row| row.value.as_ref());
        let (kind, value) = (ChangeKind::Answer, value.map(Money::shown));
        let blank = PlanChange::blank(kind, found.key.as_str(), deal.name.clone(), value);
        compared(base, head, (&before, &after), &blank, changes);
    }
    Ok(composed)
}

/// What two briefs of one handoff differ in.
fn compared(
    base: &Context,
    head: &Context,
    (before, after): (&serde_json::Value, &serde_json::Value),
    blank: &PlanChange,
    changes: &mut Vec<PlanChange>,
) {
    completeness((base, before), (head, after), blank, changes);
    for changed in changed_answers(&head.schema, before, after) {
        let (kind, field) = match changed.field.as_str() {
            // Its words name the deadline.
            "first_action.instruction" if due(before) != due(after) => continue,
            "first_action.due" => (ChangeKind::Deadline, None),
            field if field.starts_with("first_action.owner") => (ChangeKind::Csm, None),
            field => (ChangeKind::Answer, Some(field.to_owned())),
        };
        let (was, is) = match kind {
            ChangeKind::Csm => (csm(before), csm(after)),
            _ => (changed.before, changed.after),
        };
        changes.push(PlanChange { kind, field, before: was, after: is, ..blank.clone() });
    }
}

/// Makes the briefs of the newest handoffs with both settings from what the ledger has of
/// their documents, as if each were handed over now: where no CRM is connected.
fn answers_of_briefs(
    base: &Context,
    head: &Context,
    newest: &[Key],
    changes: &mut Vec<PlanChange>,
) -> Result<usize, WorkflowError> {
    let mut composed = 0;
    for key in newest {
        let Some(stored) = head.stored(key, None)? else { continue };
        let Some(brief) = stored.brief.as_ref().filter(|brief| brief.view().is_signed()) else {
            continue;
        };
        composed += 1;
        let signature = signature_of(head, &stored, brief);
        let found = Found::of_document(key.clone(), None, &signature, Remarks::default());
        let known = |_: &serde_json::Value| KnownCustomer::default();
        let made = |side| compose(side, &found, true, None, None, &BTreeMap::new, &known).brief;
        let blank = PlanChange { kind: ChangeKind::Answer, ..of_brief(key, brief) };
        compared(base, head, (&made(base), &made(head)), &blank, changes);
    }
    Ok(composed)
}

/// Looks at the briefs that the ledger has: whether they answer everything, and
/// their page. Gives how many, and their keys, those that were signed last first.
fn pages(
    base: &Context,
    head: &Context,
    window: Window,
    changes: &mut Vec<PlanChange>,
    gaps: &mut Vec<Gap>,
) -> Result<(usize, Vec<Key>), WorkflowError> {
    let since = window.from.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let (keys, unread) = keys_within(head, Horizon { since })?;
    gaps.extend(unread);
    let mut newest = Vec::new();
    for key in keys {
        let Some(stored) = head.stored(&key, None)? else { continue };
        let Some(brief) = stored.brief else { continue };
        newest.push((std::cmp::Reverse(brief.view().signed_at()), key.clone()));
        let blank = of_brief(&key, &brief);
        completeness((base, brief.json()), (head, brief.json()), &blank, changes);
        let marks = &stored.confirmed;
        let (was, is) = (base.render(&brief, marks)?, head.render(&brief, marks)?);
        if was != is {
            let (before, after) = first_difference(&was, &is);
            changes.push(PlanChange { kind: ChangeKind::Page, before, after, ..blank });
        }
    }
    newest.sort();
    Ok((newest.len(), newest.into_iter().map(|(_, key)| key).collect()))
}

/// Writes the messages of handoffs by both sides.
fn messages(
    base: &Context,
    head: &Context,
    request: &PlanRequest<'_>,
    newest: &[Key],
    changes: &mut Vec<PlanChange>,
) -> Result<(), WorkflowError> {
    let [of_base, of_head] = request.messages;
    for key in newest {
        let Some(stored) = head.stored(key, None)? else { continue };
        let Some(brief) = &stored.brief else { continue };
        let written = |side: &Context, messages: &Messages| {
            let Some(handoff) = handoff_of(side, key, &stored)? else { return Ok(Vec::new()) };
            let form = side.config.deliver.task_form();
            messages_of(messages, &handoff, form, side.now)
                .map_err(|error| WorkflowError::Template(error.to_string()))
        };
        let (before, after) = (written(base, of_base)?, written(head, of_head)?);
        for ((name, was), (_, is)) in before.iter().zip(&after).filter(|(was, is)| was != is) {
            let (before, after) = first_difference(was, is);
            let field = Some((*name).to_owned());
            let kind = ChangeKind::Message;
            changes.push(PlanChange { kind, field, before, after, ..of_brief(key, brief) });
        }
    }
    Ok(())
}

/// Each text that may leave for a handoff, by what it is called: also those that it had no
/// reason for yet.
fn messages_of(
    messages: &Messages,
    handoff: &Handoff,
    form: TaskForm,
    now: DateTime<Utc>,
) -> Result<Vec<(&'static str, String)>, DeliveryError> {
    let medium = Medium::Markdown;
    let whole = |message: Message| format!("{}\n{}", message.title, message.body);
    if !View::of(&handoff.brief).is_signed() {
        let asked =
            messages.again(handoff, &MessageKind::Drafted, medium, Audience::Shared, None)?;
        return Ok(vec![("draft", whole(messages.draft(handoff)?)), ("question", whole(asked))]);
    }
    let after = |event| {
        let mut handoff = handoff.clone();
        handoff.timeline.events.push(Event::new(now, event, "plan"));
        handoff
    };
    let again = |handoff: &Handoff, kind: &MessageKind| {
        messages.again(handoff, kind, medium, Audience::Shared, None).map(whole)
    };
    let reminder = Reminder {
        id: "plan".to_owned(),
        escalates: false,
        about: Due::FirstTouch.as_str(),
        role: Some(LinkRole::Csm),
        what: "the first touch".to_owned(),
        due: now,
        to: Vec::new(),
    };
    let tasks = messages.tasks(handoff)?;
    let tasks = tasks.iter().map(|task| json!(task).to_string()).collect::<Vec<_>>();
    Ok(vec![
        ("task", whole(messages.task(handoff, form, medium)?)),
        ("notice", whole(messages.of_event(EventKind::Notified, handoff, medium)?)),
        ("mail", whole(messages.of_event(EventKind::Emailed, handoff, medium)?)),
        ("return", again(&after(EventKind::Returned), &MessageKind::Returned)?),
        ("re-submission", again(&after(EventKind::Resubmitted), &MessageKind::Changed)?),
        ("change", again(&after(EventKind::Corrected), &MessageKind::Changed)?),
        ("reminder", again(handoff, &MessageKind::Reminder(Arc::new(reminder)))?),
        ("project", whole(messages.of_event(EventKind::ProjectStarted, handoff, medium)?)),
        ("onboarding tasks", tasks.join("\n")),
        ("welcome", messages.welcome(handoff).to_string()),
    ])
}

/// The settings whose effect on deals, briefs, documents and deadlines is shown by what they
/// do, so that they need no line of their own.
const SHOWN_BY_EFFECT: [&str; 13] = [
    "version",
    "timezone",
    "crm",
    "map",
    "brief",
    "scope",
    "handoff_within",
    "first_touch.within",
    "first_touch.calendar",
    "documents",
    "team.csms",
    "team.assign",
    "team.fallback",
];

/// Settings under these names that no effect shows.
const OF_CRM: [&str; 4] = ["update_closed_won", "closed_won_from", "webhook", "stage"];

/// Names every other setting that differs, as it is written.
fn settings(settings: [&[u8]; 2], changes: &mut Vec<PlanChange>) {
    let [before, after] = settings.map(|bytes| {
        let mut found = ReadingSettings::new();
        if let Ok(written) = yaml::read(bytes).map(yaml::Node::into_json) {
            for (name, value) in written.as_object().into_iter().flatten() {
                audit::flatten(name, value, &mut found);
            }
        }
        found
    });
    let is_shown = |name: &str| {
        let of_crm = name.starts_with("crm.") && name.split('.').any(|it| OF_CRM.contains(&it));
        let inside = |shown: &str| {
            name.strip_prefix(shown).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        !of_crm && SHOWN_BY_EFFECT.into_iter().any(inside)
            || name.starts_with("esign.") && name.contains(".documents")
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    // What is inside says enough of what is around it.
    let is_around = |name: &str| {
        names.iter().any(|it| it.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    };
    for name in names.iter().copied().filter(|name| !is_shown(name) && !is_around(name)) {
        let (was, is) = (before.get(name).cloned(), after.get(name).cloned());
        if was != is {
            changes.push(PlanChange {
                field: Some(name.clone()),
                before: was,
                after: is,
                ..PlanChange::blank(ChangeKind::Setting, "handoff.yaml", None, None)
            });
        }
    }
}

/// Decides what each completed document is by the rules of both sides.
fn documents(
    base: &Context,
    head: &Context,
    asked: &SignaturesInput,
    request: &PlanRequest<'_>,
    changes: &mut Vec<PlanChange>,
) {
    for signature in &asked.signatures {
        let told = |side: &Context, population| {
            let deals = asked.deals_of(signature, population);
            match decide_for_all(&side.config, signature, &deals) {
                DocumentDecision::Counts(kind, _) => kind.as_str().to_owned(),
                DocumentDecision::Ignored { reason } => format!("ignored: {reason}"),
                DocumentDecision::Held { reason, .. } => format!("held: {reason}"),
            }
        };
        let before = told(base, request.base_population);
        let after = told(head, request.population);
        if before != after {
            let key = format!("{}/{}", signature.provider, signature.document_id);
            let value = signature.total.as_ref().map(Money::shown);
            let (kind, name) = (ChangeKind::Document, signature.document_name.clone());
            let (before, after) = (Some(before), Some(after));
            changes.push(PlanChange {
                before,
                after,
                ..PlanChange::blank(kind, &key, name, value)
            });
        }
    }
}

/// Whether a rule that decides on documents differs, or `test_documents`.
fn documents_differ(base: &Context, head: &Context) -> bool {
    let rules = |side: &Context| {
        let told = |rule: &CompiledDocumentRule| {
            (rule.when.source().to_owned(), rule.is, rule.reason.clone())
        };
        let all: Vec<_> = side.config.documents.iter().map(told).collect();
        let own = side.config.provider_documents.iter();
        let own: Vec<_> = own
            .map(|(name, rules)| (name.clone(), rules.iter().map(told).collect::<Vec<_>>()))
            .collect();
        (all, own, side.config.test_documents)
    };
    rules(base) != rules(head)
}

/// Whether a brief answers everything that each side asks.
fn completeness(
    (base, before): (&Context, &serde_json::Value),
    (head, after): (&Context, &serde_json::Value),
    blank: &PlanChange,
    changes: &mut Vec<PlanChange>,
) {
    let missing = |side: &Context, brief| {
        let missing = Completeness::of(&side.schema, brief).missing;
        missing.into_iter().map(|field| field.field).collect::<Vec<_>>()
    };
    let (lacked, lacks) = (missing(base, before), missing(head, after));
    let kind = match (lacked.is_empty(), lacks.is_empty()) {
        (true, false) => ChangeKind::Incomplete,
        (false, true) => ChangeKind::Complete,
        _ => return,
    };
    let told = |fields: &[String]| match fields {
        [] => "complete".to_owned(),
        fields => format!("lacks {}", fields.join(", ")),
    };
    let (before, after) = (Some(told(&lacked)), Some(told(&lacks)));
    changes.push(PlanChange { kind, before, after, ..blank.clone() });
}

fn of_row(kind: ChangeKind, row: &DealRow) -> PlanChange {
    PlanChange::blank(
        kind,
        row.key.as_str(),
        row.name.clone(),
        row.value.as_ref().map(Money::shown),
    )
}

fn of_brief(key: &Key, brief: &Brief) -> PlanChange {
    let view = brief.view();
    let (name, value) = (view.customer_name().map(str::to_owned), view.contract_value());
    PlanChange::blank(ChangeKind::Page, key.as_str(), name, value.map(|money| money.shown()))
}

fn due(brief: &serde_json::Value) -> Option<&serde_json::Value> {
    brief.pointer("/first_action/due")
}

fn csm(brief: &serde_json::Value) -> Option<String> {
    let name = brief.pointer("/first_action/owner/name")?;
    name.as_str().map(str::to_owned)
}

/// The first line in which two texts differ; blank ones only where no other does.
fn first_difference(before: &str, after: &str) -> (Option<String>, Option<String>) {
    let of = |wanted: fn(&&str) -> bool| {
        let (mut was, mut is) = (before.lines().filter(wanted), after.lines().filter(wanted));
        loop {
            match (was.next(), is.next()) {
                (None, None) => return None,
                (Some(one), Some(other)) if one == other => {}
                (one, other) => return Some((one.map(str::to_owned), other.map(str::to_owned))),
            }
        }
    };
    of(|line| !line.trim().is_empty()).or_else(|| of(|_| true)).unwrap_or_default()
}
