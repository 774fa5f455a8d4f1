//! What people are told about one handoff: the texts of `templates/`, filled
//! in. The same messages go to every sink and into the outbox. Here are also the
//! onboarding tasks: a list in YAML, due so many working days after the
//! signature.

use chrono::{DateTime, NaiveDate, Utc};
use minijinja::value::Serde;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::message_kind::{MessageKind, is_change, is_resubmission};
use super::sink::{DeliveryError, Handoff, OnboardingTask, SinkContext, Who};
use super::templates::{Medium, Message, TemplateError, web_address};
use crate::brief::{
    ChangedAnswer, Event, EventKind, View, deadline_in_force, deadline_moves, question,
    without_edit_hint,
};
use crate::link::LinkRole;
use crate::model::Money;
use crate::text;
use crate::yaml;

/// The form of the first-touch task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskForm {
    /// An issue, assigned to the CSM.
    #[default]
    Issue,
    /// A pull request that the CSM reviews; merging it accepts the handoff.
    PullRequest,
    /// A task of the CRM, which only the CRM's users see.
    #[serde(skip)]
    Crm,
}

/// Who reads a text, which decides whose link it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who may see a repository or a list: no link.
    Public,
    /// A channel, or a task that is given to one person.
    Shared,
    /// One person alone.
    Person(LinkRole),
    /// The CSM whom a handoff was taken from: it is theirs no more.
    Former,
}

/// Writes the messages.
#[derive(Clone)]
pub struct Messages {
    context: SinkContext,
}

impl Messages {
    /// With these texts, clock and calendar.
    #[must_use]
    pub fn new(context: SinkContext) -> Self {
        Self { context }
    }

    /// The surroundings.
    #[must_use]
    pub fn context(&self) -> &SinkContext {
        &self.context
    }

    /// The CSM's first-touch task.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn task(
        &self,
        handoff: &Handoff,
        form: TaskForm,
        medium: Medium,
    ) -> Result<Message, DeliveryError> {
        let is_crm = form == TaskForm::Crm;
        // Everybody who sees the deal sees its tasks, the rep among them.
        let audience = if is_crm { Audience::Shared } else { Audience::Public };
        let link = self.link(handoff, audience, Some(LinkRole::Csm));
        let mut values = self.values(handoff, link.as_deref());
        values["pull_request"] = json!(form == TaskForm::PullRequest);
        values["crm"] = json!(is_crm);
        if is_crm {
            few_promises(&mut values);
            values["task_url"] = json!(tasks_on_the_web(handoff).0);
        }
        self.fill("task.md.j2", medium, Serde(values))
    }

    /// The same for a task that only the CSM's team sees, with their link.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn csm_task(&self, handoff: &Handoff, medium: Medium) -> Result<Message, DeliveryError> {
        let link = self.link(handoff, Audience::Person(LinkRole::Csm), None);
        self.fill("task.md.j2", medium, Serde(self.values(handoff, link.as_deref())))
    }

    /// The text that stands for an event, without a mention of anybody.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn of_event(
        &self,
        event: EventKind,
        handoff: &Handoff,
        medium: Medium,
    ) -> Result<Message, DeliveryError> {
        match event {
            EventKind::Drafted => self.draft(handoff),
            EventKind::TaskOpened => self.csm_task(handoff, medium),
            EventKind::Emailed => self.mail(handoff, medium, Audience::Person(LinkRole::Csm)),
            EventKind::ProjectStarted => self.project(handoff, medium),
            event => {
                let kind = MessageKind::of(event);
                self.again(handoff, &kind, medium, Audience::Shared, None)
            }
        }
    }

    /// The text of a draft's pull request, in Markdown.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn draft(&self, handoff: &Handoff) -> Result<Message, DeliveryError> {
        let mut values = self.values(handoff, None);
        let voided = handoff.timeline.last(EventKind::Voided);
        let voided = voided.filter(|_| handoff.timeline.is_voided());
        values["withdrawn"] =
            json!(voided.map(|event| event.reason.as_deref().unwrap_or("voided")));
        self.fill("draft.md.j2", Medium::Markdown, Serde(values))
    }

    /// The chat message. `mention` is our own markup that addresses the CSM.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn notice(
        &self,
        handoff: &Handoff,
        medium: Medium,
        audience: Audience,
        mention: Option<String>,
    ) -> Result<Message, DeliveryError> {
        let mention = mention.map(minijinja::Value::from_safe_string);
        let link = self.link(handoff, audience, Some(LinkRole::Csm));
        let mut values = self.values(handoff, link.as_deref());
        few_promises(&mut values);
        let context = minijinja::context! { mention, ..Serde(values) };
        self.fill("notice.slack.j2", medium, context)
    }

    /// What people are told when a handoff was returned or resubmitted;
    /// `mention` is our own markup that addresses them.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn again(
        &self,
        handoff: &Handoff,
        kind: &MessageKind,
        medium: Medium,
        audience: Audience,
        mention: Option<String>,
    ) -> Result<Message, DeliveryError> {
        let events = &handoff.timeline.events;
        let name = match kind {
            MessageKind::Signed => return self.notice(handoff, medium, audience, mention),
            MessageKind::Drafted => "asked.md.j2",
            MessageKind::Returned => "returned.md.j2",
            MessageKind::Changed if is_resubmission(events) => "resubmitted.md.j2",
            MessageKind::Changed => "changed.md.j2",
            MessageKind::Reminder(_) => "reminder.md.j2",
        };
        let mention = mention.map(minijinja::Value::from_safe_string);
        let changes: Vec<Value> = handoff.changes.iter().map(|it| self.change(it)).collect();
        let role = kind.role();
        let mut values = self.values(handoff, self.link(handoff, audience, role).as_deref());
        values["changes"] = json!(changes);
        values["deal_changes"] = json!(deal_changes(handoff));
        let said = |event: &Event| json!({"by": event.by, "reason": event.reason, "at": self.context.in_words(event.at)});
        let mut returns = open_returns(events).map(said);
        values["returned"] = returns
            .next()
            .or_else(|| handoff.timeline.last(EventKind::Returned).map(said))
            .unwrap_or_else(|| json!({"by": null, "reason": null, "at": null}));
        values["returned"]["earlier"] = returns.collect();
        let assigned = handoff.timeline.last(EventKind::Assigned);
        values["assigned"] = json!(assigned.map(said));
        values["to_former"] = json!(audience == Audience::Former);
        let person = |owner: Option<&Value>| {
            let owner = owner?;
            let of = |name: &str| answer(owner, name);
            Some(json!({"name": of("name").or_else(|| of("email")), "email": of("email")}))
        };
        values["previous_owner"] = json!(person(handoff.previous_owner()));
        let amended = handoff.timeline.last(EventKind::Amended);
        values["amended"] = json!(amended.map(|event| self.context.in_words(event.at)));
        values["amendments"] = json!(new_amendments(handoff));
        values["of_deal"] = json!(said_of_deal(handoff));
        values["voided"] = json!(voided_document(handoff));
        values["deal_is_over"] = json!(handoff.timeline.deal_is_over().is_some());
        let outdated = handoff.timeline.outdated_acceptance();
        values["accepted_before"] = json!(outdated.map(|event| self.context.in_words(event.at)));
        values["to"] = json!(
            match audience {
                Audience::Person(role) => Some(role),
                _ => role,
            }
            .map(LinkRole::as_str)
        );
        values["is_touched"] = json!(is_touched(handoff));
        if let MessageKind::Reminder(reminder) = kind {
            values["reminder"] = json!(reminder.as_ref());
            values["late"] = json!(reminder.due < (self.context.clock)());
            values["reminder"]["due"] = json!(self.context.in_words(reminder.due));
        }
        let context = minijinja::context! { mention, ..Serde(values) };
        self.fill(name, medium, context)
    }

    /// The brief's own page, in Markdown.
    #[must_use]
    pub fn page(handoff: &Handoff) -> String {
        without_edit_hint(&handoff.readme)
    }

    /// The mail, with the brief's own page in it.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn mail(
        &self,
        handoff: &Handoff,
        medium: Medium,
        audience: Audience,
    ) -> Result<Message, DeliveryError> {
        let to = match audience {
            Audience::Person(role) => Some(role.as_str()),
            Audience::Public | Audience::Shared | Audience::Former => None,
        };
        let link = self.link(handoff, audience, Some(LinkRole::Csm));
        // The page is harmless Markdown already.
        let page = minijinja::Value::from_safe_string(Self::page(handoff));
        let context =
            minijinja::context! { page, to, ..Serde(self.values(handoff, link.as_deref())) };
        self.fill("mail.md.j2", medium, context)
    }

    /// The onboarding project's name and description.
    ///
    /// # Errors
    /// When a ledger's own template fails.
    pub fn project(&self, handoff: &Handoff, medium: Medium) -> Result<Message, DeliveryError> {
        let link = self.link(handoff, Audience::Person(LinkRole::Csm), None);
        let mut values = self.values(handoff, link.as_deref());
        values["tasks"] = json!(self.tasks(handoff)?);
        self.fill("project.md.j2", medium, Serde(values))
    }

    /// The day of the first touch's deadline, for targets that know days only.
    #[must_use]
    pub fn due_day(&self, handoff: &Handoff) -> Option<NaiveDate> {
        due(handoff).map(|due| self.context.days().of(due))
    }

    /// The onboarding tasks of this handoff.
    ///
    /// # Errors
    /// When `tasks.yaml` is not valid.
    pub fn tasks(&self, handoff: &Handoff) -> Result<Vec<OnboardingTask>, DeliveryError> {
        let signed = signed_at(handoff).unwrap_or_else(|| (self.context.clock)());
        TaskList::read(&self.context)
            .and_then(|list| {
                let (values, first) = (self.values(handoff, None), self.due_day(handoff));
                list.tasks(&self.context, signed, &values, first)
            })
            .map_err(|error| template_fault(&error))
    }

    /// The body of the welcome request; the same bytes at every try.
    #[must_use]
    pub fn welcome(&self, handoff: &Handoff) -> Value {
        // Receivers take 20 KB; the brief itself bounds no answer.
        let told =
            |path: &str| answer(&handoff.brief, path).map(|words| text::shorten(&words, 500));
        let person = |at: &str| json!({"name": told(&format!("{at}.name")), "email": told(&format!("{at}.email"))});
        json!({
            "type": "handoff.welcome_sequence.requested",
            "timestamp": signed_at(handoff),
            "data": {
                "handoff_id": handoff.key,
                "customer": {"name": told("customer.name"), "website": told("customer.website"), "tier": told("customer.tier")},
                "contacts": {"signer": person("contacts.signer"), "day_to_day": person("contacts.day_to_day")},
                "csm": person("first_action.owner"),
                "primary_goal": told("success.primary_goal"),
                "deal": {"crm": told("deal.crm"), "id": told("deal.id")},
            }
        })
    }

    /// One answer that is another now, for people.
    fn change(&self, it: &ChangedAnswer) -> Value {
        let time = |text: &String| {
            let at = text.parse::<DateTime<Utc>>().ok()?;
            Some(self.context.in_words(at))
        };
        let told = |text: &Option<String>| {
            text.as_ref().map(|text| time(text).unwrap_or_else(|| text.clone()))
        };
        let (before, after) = (told(&it.before), told(&it.after));
        let words = question(it.question);
        // A section that is one answer is called by its question.
        let label = Some(it.label.as_str()).filter(|label| words != Some(*label));
        let is_address = |text: &Option<String>| text.as_deref().is_none_or(text::is_address);
        let (lacks, adds, drops) = match it.kept {
            0 => ("no answer", "", ""),
            _ => ("", "added: ", "taken out: "),
        };
        let text = match (&before, &after) {
            (None, Some(after)) if it.kept > 0 => format!("{adds}{after}"),
            (Some(before), None) if it.kept > 0 => format!("{drops}{before}"),
            (before, after) => format!(
                "{} → {}",
                before.as_deref().unwrap_or(lacks),
                after.as_deref().unwrap_or(lacks)
            ),
        };
        json!({"question": it.question, "words": words, "field": it.field, "label": label,
               "before": before, "after": after, "text": text,
               "is_address": is_address(&before) && is_address(&after)})
    }

    fn fill(
        &self,
        name: &str,
        medium: Medium,
        values: impl Into<minijinja::Value>,
    ) -> Result<Message, DeliveryError> {
        self.context.templates.message(name, medium, values).map_err(|error| template_fault(&error))
    }

    /// The link of whoever reads a text: their own, or in a channel that of the
    /// `role` that is spoken to.
    #[must_use]
    pub fn link(
        &self,
        handoff: &Handoff,
        audience: Audience,
        role: Option<LinkRole>,
    ) -> Option<String> {
        let links = self.context.links.as_ref()?;
        let role = match audience {
            Audience::Public | Audience::Former => return None,
            Audience::Shared => role.filter(|_| links.in_channels)?,
            Audience::Person(role) => role,
        };
        let now = (self.context.clock)();
        links.grant(&handoff.key, &handoff.brief, role, now).map(|grant| links.url(&grant))
    }

    /// The links of a message as buttons: what each is called, and where it goes.
    #[must_use]
    pub fn buttons(
        &self,
        handoff: &Handoff,
        kind: &MessageKind,
        audience: Audience,
    ) -> Vec<(&'static str, String)> {
        let answer_label = match kind.role() {
            Some(LinkRole::Rep) => "Answer what is missing",
            _ => "Accept or return",
        };
        let deal = answer(&handoff.brief, "deal.url");
        let links = [
            (answer_label, self.link(handoff, audience, kind.role())),
            ("Brief", handoff.url.as_deref().and_then(web_address)),
            ("First-touch task", task_url(handoff)),
            ("Deal", deal.as_deref().and_then(web_address)),
        ];
        links.into_iter().filter_map(|(label, url)| Some((label, url?))).collect()
    }

    /// The names that stand in templates; docs/deliveries.md lists them.
    fn values(&self, handoff: &Handoff, answer_url: Option<&str>) -> Value {
        let brief = &handoff.brief;
        let due = due(handoff);
        let missing: Vec<Value> = handoff
            .missing
            .iter()
            .map(|gap| {
                json!({"question": gap.question, "words": question(gap.question), "field": gap.field, "ask": gap.ask,
                       "example": gap.example})
            })
            .collect();
        let money = answer(brief, "purchase.contract_value.amount").map(|amount| {
            let currency = answer(brief, "purchase.contract_value.currency");
            match Money::parse(&amount, currency.as_deref()) {
                Ok(money) => money.shown(),
                Err(_) => {
                    format!("{amount} {}", currency.unwrap_or_default()).trim_end().to_owned()
                }
            }
        });
        let short = due.map(|due| {
            due.with_timezone(&self.context.timezone).format("%a %-d %b %H:%M %Z").to_string()
        });
        let (told_promises, more_promises) = promises(brief);
        json!({
            "key": handoff.key,
            "customer": customer(handoff),
            "complete": handoff.missing.is_empty(),
            "folder": handoff.folder,
            "commit": handoff.commit,
            "url": handoff.url.as_deref().and_then(web_address),
            "task_url": task_url(handoff),
            "instruction": answer(brief, "first_action.instruction"),
            "due": due.map(|due| self.context.in_words(due)),
            "due_short": short,
            "due_at": due,
            "owner": {"name": answer(brief, "first_action.owner.name"),
                      "email": answer(brief, "first_action.owner.email"),
                      "github": answer(brief, "first_action.owner.github")},
            "rep": {"name": answer(brief, "deal.owner.name"), "email": answer(brief, "deal.owner.email")},
            "goal": answer(brief, "success.primary_goal"),
            "value": money,
            "missing": missing,
            "contact": contact(brief),
            "promises": told_promises,
            "more_promises": more_promises,
            "deal_url": answer(brief, "deal.url").as_deref().and_then(web_address),
            "document_url": answer(brief, "signature.url").as_deref().and_then(web_address),
            "answer_url": answer_url,
            "brief": brief,
        })
    }
}

/// Whom at the customer to write to first.
fn contact(brief: &Value) -> Option<Value> {
    let others = brief.pointer("/contacts/others").and_then(Value::as_array);
    let roles = ["day_to_day", "signer", "economic_buyer"];
    let people = roles.iter().filter_map(|role| brief.pointer(&format!("/contacts/{role}")));
    people.chain(others.into_iter().flatten()).find_map(|person| {
        let (name, email) = (answer(person, "name"), answer(person, "email"));
        (name.is_some() || email.is_some())
            .then(|| json!({"name": name, "email": email, "title": answer(person, "title")}))
    })
}

/// So many characters of promises stand in a task; the brief has them all.
const PROMISES: usize = 20_000;
/// So many promises stand in a message.
const FEW: usize = 10;

/// What was promised, and how many promises more there are than a text holds.
fn promises(brief: &Value) -> (Vec<Value>, usize) {
    let list = brief.pointer("/commitments").and_then(Value::as_array);
    let told = list.into_iter().flatten().filter_map(|it| {
        let what = match it {
            Value::String(words) => Some(words.clone()),
            it => answer(it, "promise"),
        };
        let what = text::shorten(&text::one_line(&what?), 300);
        Some(json!({"what": what, "due": answer(it, "due"), "owner": answer(it, "owner")}))
    });
    let (mut held, mut more, mut length) = (Vec::new(), 0, 0);
    for promise in told {
        length += promise.to_string().len();
        if length > PROMISES {
            more += 1;
        } else {
            held.push(promise);
        }
    }
    (held, more)
}

/// Leaves the first promises and counts the rest, for media with little room.
fn few_promises(values: &mut Value) {
    let Some(told) = values["promises"].as_array_mut() else { return };
    let rest = told.split_off(told.len().min(FEW)).len();
    let more = values["more_promises"].as_u64().unwrap_or_default();
    values["more_promises"] = json!(more + rest as u64);
}

/// The returns that nobody has answered yet, the last one first. The rep has
/// to do what each of them says.
pub(crate) fn open_returns(events: &[Event]) -> impl Iterator<Item = &Event> {
    let answers = [EventKind::Resubmitted, EventKind::Accepted];
    let open = events.iter().rev().take_while(move |event| !answers.contains(&event.event));
    open.filter(|event| event.event == EventKind::Returned)
}

/// What the CRM said last of the deal itself: lost, deleted, merged. Such a
/// correction has no brief of its own; answers may be corrected beside it.
fn said_of_deal(handoff: &Handoff) -> Option<String> {
    let crm = View::of(&handoff.brief).deal_crm()?;
    let mut changes = handoff.timeline.events.iter().rev().filter(|it| is_change(it));
    let last = changes.clone().next()?.at;
    let of_deal = changes.find(|it| it.is_of_deal() && it.via == crm.as_str());
    of_deal.filter(|it| it.at == last)?.reason.clone()
}

/// The document that was voided last, where that is the last change: its name,
/// what became of it, and whether the handoff stands on it.
fn voided_document(handoff: &Handoff) -> Option<Value> {
    let last = handoff.timeline.events.iter().rev().find(|it| is_change(it))?;
    let reference = last.reference.as_deref().filter(|_| last.event == EventKind::Voided)?;
    let amendments = handoff.brief["amendments"].as_array().into_iter().flatten();
    let mut amendments = amendments.filter(|it| it["document_id"] == reference);
    let name = match amendments.next() {
        Some(amendment) => answer(amendment, "document_name"),
        None => answer(&handoff.brief, "signature.document_name"),
    };
    let name = name.map_or_else(|| reference.to_owned(), |name| text::quoted(&name));
    Some(json!({"name": name, "what": last.reason, "is_first": handoff.timeline.is_voided()}))
}

/// What of the deal's own data people should know when it changes.
fn deal_changes(handoff: &Handoff) -> Vec<Value> {
    let labels = [
        ("deal.name", "The deal's name"),
        ("deal.owner.name", "Sold by"),
        ("deal.owner.email", "Sold by, address"),
    ];
    let told = |text: &Option<String>| text.as_deref().map(|text| text::shorten(text, 200));
    let changed = |(field, label): (&str, &str)| {
        let it = handoff.changed_data.iter().find(|it| it.field == field)?;
        Some(json!({"label": label, "before": told(&it.before), "after": told(&it.after)}))
    };
    labels.into_iter().filter_map(changed).collect()
}

/// The later documents that people were not told about yet.
fn new_amendments(handoff: &Handoff) -> Vec<Value> {
    let list = |brief: &Value| brief["amendments"].as_array().cloned().unwrap_or_default();
    let known = handoff.told.as_ref().map(list).unwrap_or_default();
    let is_known = |it: &Value| {
        known
            .iter()
            .any(|known| ["provider", "document_id"].iter().all(|name| known[*name] == it[*name]))
    };
    let new = list(&handoff.brief).into_iter().filter(|it| !is_known(it));
    new.map(|it| {
        let name = answer(&it, "document_name").or_else(|| answer(&it, "document_id"));
        let url = answer(&it, "url").as_deref().and_then(web_address);
        json!({"name": name.map(|name| text::shorten(&text::one_line(&name), 200)), "url": url})
    })
    .collect()
}

/// A broken template is the ledger's to fix; sending nothing is the only
/// thing left to do.
fn template_fault(error: &TemplateError) -> DeliveryError {
    DeliveryError::Permanent {
        message: error.to_string(),
        help: "fix the ledger's copy, or delete it to use the shipped text".to_owned(),
    }
}

/// An answer of the brief as a text; `None` when it is unanswered, `unknown` or `none`.
pub(super) fn answer(brief: &Value, path: &str) -> Option<String> {
    let mut value = brief;
    for part in path.split('.') {
        value = value.get(part)?;
    }
    match value {
        Value::String(text) if text.trim().is_empty() || text == "none" => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What to call the customer.
pub(super) fn customer(handoff: &Handoff) -> String {
    answer(&handoff.brief, "customer.name")
        .or_else(|| answer(&handoff.brief, "deal.name"))
        .map(|name| text::shorten(&text::one_line(&name), 120))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| handoff.key.to_string())
}

/// The deadline of the first action, as it is now.
pub(super) fn due(handoff: &Handoff) -> Option<DateTime<Utc>> {
    deadline_in_force(told_due(handoff), deadline_moves(&handoff.timeline.events))
}

/// The deadline of the first action, as the brief tells it.
fn told_due(handoff: &Handoff) -> Option<DateTime<Utc>> {
    answer(&handoff.brief, "first_action.due")?.parse().ok()
}

/// The deadline that a target should show: the one that was last read there and
/// not written over since, else the brief's.
pub(super) fn due_at_target(handoff: &Handoff, via: &str) -> Option<DateTime<Utc>> {
    let is_moved = |event: &&Event| event.event == EventKind::DeadlineMoved && event.via == via;
    let events = &handoff.timeline.events;
    let read = events.iter().rposition(|event| is_moved(&event));
    // What was written there since is the brief's.
    let is_written =
        |at: usize| events[at..].iter().any(|it| it.event == EventKind::CsmTold && it.via == via);
    let read = read.filter(|at| !is_written(*at)).and_then(|at| events[at].due);
    read.or_else(|| told_due(handoff))
}

/// Whether somebody has been in touch, claimed or shown by the CRM.
pub(super) fn is_touched(handoff: &Handoff) -> bool {
    handoff.timeline.first_touch(false).is_some()
}

/// When the contract was signed.
pub(super) fn signed_at(handoff: &Handoff) -> Option<DateTime<Utc>> {
    answer(&handoff.brief, "signature.signed_at")
        .and_then(|text| text.parse().ok())
        .or_else(|| handoff.timeline.first(EventKind::Signed).map(|event| event.at))
}

/// `via` of the events of the task in the CRM.
pub(super) const CRM_TASK: &str = "crm_task";

/// A link to the first-touch task, where it is on the web. Of several the one
/// on which people can accept and return.
fn task_url(handoff: &Handoff) -> Option<String> {
    let (elsewhere, of_crm) = tasks_on_the_web(handoff);
    elsewhere.or(of_crm)
}

/// The task opened last elsewhere, and the one in the CRM.
fn tasks_on_the_web(handoff: &Handoff) -> (Option<String>, Option<String>) {
    let last = |is_crm: bool| {
        let opened = handoff.timeline.events.iter().rev();
        let mut opened = opened.filter(|event| {
            event.event == EventKind::TaskOpened && (event.via == CRM_TASK) == is_crm
        });
        opened.find_map(|event| web_address(event.reference.as_deref()?))
    };
    (last(false), last(true))
}

const TASKS: &str = "tasks.yaml";

/// One task of the list, before it meets a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskSpec {
    task: String,
    days: u32,
    who: Option<Who>,
}

/// The onboarding tasks of each customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskList(Vec<TaskSpec>);

impl TaskList {
    /// Reads the list in force.
    ///
    /// # Errors
    /// When it is not valid YAML, or no list of tasks; with the line.
    pub fn read(context: &SinkContext) -> Result<Self, TemplateError> {
        let source = context.templates.source(TASKS);
        let read = yaml::read(source.as_bytes())
            .and_then(|node| yaml::from_node::<Vec<TaskSpec>>(&node))
            .map_err(|error| TemplateError::Template {
                name: TASKS.to_owned(),
                line: error.line,
                message: error.message.clone(),
            })?;
        Ok(Self(read))
    }

    /// The tasks of one customer, with their days. The first task is the first
    /// touch: `first` is the day of its deadline.
    ///
    /// # Errors
    /// When a task's text is no valid template.
    pub fn tasks(
        &self,
        context: &SinkContext,
        signed_at: DateTime<Utc>,
        values: &serde_json::Value,
        mut first: Option<NaiveDate>,
    ) -> Result<Vec<OnboardingTask>, TemplateError> {
        self.0
            .iter()
            .map(|spec| {
                Ok(OnboardingTask {
                    what: context.templates.line(TASKS, &spec.task, values)?,
                    due: first
                        .take()
                        .unwrap_or_else(|| (context.working_days)(signed_at, spec.days)),
                    who: spec.who,
                })
            })
            .collect()
    }
}
