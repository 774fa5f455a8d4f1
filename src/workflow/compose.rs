//! From what was found to the whole brief: mapped, given to a CSM, and merged with
//! what stands in the ledger.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::customers;
use super::customers::Customers;
use super::deal::Found;
use super::store::machine_version;
use crate::brief::{
    Brief, ChangedAnswer, ChangedData, FirstTouch, GivenAnswers, MappingInput, Timeline, View,
    changed_answers, changed_data, kept_answers, merge,
};
use crate::config::{Config, Csm, Routing, Team};
use crate::ledger::{Snapshot, blob_id};
use crate::model::{Key, Remarks};
use crate::time::Calendar;

/// What the ledger knows of a customer.
#[derive(Debug, Default)]
pub(super) struct KnownCustomer {
    /// Who has their earlier handoffs: a place in the team.
    pub csm: Option<usize>,
    /// Those handoffs, as a brief tells them.
    pub section: Option<Value>,
}

impl KnownCustomer {
    /// Of the customer of a brief. What cannot be read is not known.
    pub(super) fn of(
        context: &Context,
        snapshot: &Snapshot,
        customers: &Customers,
        key: &Key,
        brief: &Value,
    ) -> Self {
        let earlier = customers.earlier(context, snapshot, key, brief).unwrap_or_default();
        Self {
            csm: customers::same_csm(context, &earlier),
            section: customers.section(context, snapshot, &earlier),
        }
    }
}

/// A brief as handoff would write it if nobody had written one.
#[derive(Debug)]
pub(super) struct Composed {
    pub brief: Value,
    /// What the mapping gave for it.
    pub given: GivenAnswers,
    pub remarks: Remarks,
}

/// Makes the brief. `before` is what the ledger has: its owner is kept, so
/// that a correction does not move the handoff to somebody else. `answers` are
/// what people wrote in a form; they come before what the deal says. `known`
/// gives the customer's earlier handoffs.
pub(super) fn compose(
    context: &Context,
    found: &Found,
    signed: bool,
    before: Option<&Value>,
    answers: Option<&Map<String, Value>>,
    open: &dyn Fn() -> BTreeMap<usize, usize>,
    known: &dyn Fn(&Value) -> KnownCustomer,
) -> Composed {
    let config = &context.config;
    let due = due_of(config, found, signed, before);
    let limit = until(config, due);
    let mapped = config.mapping.apply(&mapping_input(context, found, signed, &limit, answers));
    let mut remarks = found.remarks.clone();
    remarks.extend(
        mapped.remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.message)),
    );
    let mut sections = mapped.sections;
    if !signed {
        sections.remove("signature");
    } else if found.is_on_the_crms_word()
        && let Some(Value::Object(signature)) = sections.get_mut("signature")
    {
        // On the CRM's word there is no document.
        signature.retain(|name, _| matches!(name.as_str(), "provider" | "signed_at"));
    }
    let has = |pointer: &str| context.schema.outline().field(pointer).is_some();
    let company = found.deal.as_ref().and_then(|deal| deal.company.as_ref()?.id.clone());
    if let (Some(id), Some(Value::Object(deal))) = (company, sections.get_mut("deal"))
        && has("/deal/company_id")
        // A brief of before there was this field does not change for it.
        && before.is_none_or(|it| !View::of(it).is_signed() || it.pointer("/deal/company_id").is_some())
    {
        deal.insert("company_id".to_owned(), json!(id));
        let of_crm = deal.get("crm").and_then(Value::as_str).and_then(crate::crm::row);
        let page = of_crm.and_then(|row| row.company_page);
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let url = deal.get("url").and_then(Value::as_str).filter(|_| is_id);
        let url = page.zip(url).and_then(|(page, url)| page(url, &id));
        let is_new =
            |it: &Value| !View::of(it).is_signed() || it.pointer("/deal/company_url").is_some();
        if let Some(url) = url.filter(|_| has("/deal/company_url") && before.is_none_or(is_new)) {
            deal.insert("company_url".to_owned(), json!(url));
        }
    }
    let KnownCustomer { csm, section } = known(&Value::Object(sections.clone()));
    // What stood in the brief when it was made is not told again.
    let was_signed = before.is_some_and(|before| View::of(before).is_signed());
    let section = match before.and_then(|before| before.get("earlier")) {
        Some(told) => Some(told.clone()),
        None => section.filter(|_| !was_signed && has("/earlier")),
    };
    if let Some(section) = section {
        sections.insert("earlier".to_owned(), section);
    }
    first_action(config, due, &mut sections, before, (open, csm), &mut remarks);
    let brief = Brief::new(&found.key, sections).into_json();
    let brief = match answers {
        Some(answers) => merge(None, &Value::Object(answers.clone()), &brief),
        None => brief,
    };
    Composed { brief, given: mapped.given, remarks }
}

/// What the mapping reads.
pub(super) fn mapping_input<'a>(
    context: &'a Context,
    found: &'a Found,
    signed: bool,
    limit: &'a FirstTouch,
    answers: Option<&'a Map<String, Value>>,
) -> MappingInput<'a> {
    MappingInput {
        signature: signed.then_some(&found.signature),
        deal: found.deal.as_ref(),
        first_touch: Some(limit),
        answers,
        schema: Some(&context.schema),
    }
}

/// The deadline of the first touch, once there is a signature.
pub(super) fn first_touch_of(context: &Context, found: &Found, signed: bool) -> FirstTouch {
    until(&context.config, due_of(&context.config, found, signed, None))
}

/// When the first touch is due. The signature sets it once: a brief of the same
/// signature keeps its deadline, which somebody may have moved.
fn due_of(
    config: &Config,
    found: &Found,
    signed: bool,
    before: Option<&Value>,
) -> Option<DateTime<Utc>> {
    let signed_at = found.signature.signed_at.filter(|_| signed)?;
    let seconds = |at: DateTime<Utc>| at.timestamp();
    let kept = before.map(View::of).filter(|before| {
        before.is_signed() && before.signed_at().map(seconds) == Some(seconds(signed_at))
    });
    let kept = kept.and_then(View::first_action_due);
    Some(kept.unwrap_or_else(|| config.first_touch.due(signed_at)))
}

/// The deadline of the first touch: text, task and calendar entry all come
/// from this one moment.
fn until(config: &Config, due: Option<DateTime<Utc>>) -> FirstTouch {
    let limit = &config.first_touch;
    let zone = limit.calendar.as_ref().map_or(Tz::UTC, Calendar::zone);
    let within = in_words(&limit.within.to_string());
    FirstTouch {
        by: due.map(|due| due.with_timezone(&zone).format(BY).to_string()),
        due: due.map(|due| due.to_rfc3339_opts(SecondsFormat::Secs, true)),
        within: match (&limit.calendar, within.split_once(' ')) {
            (Some(_), Some((count, unit))) => format!("{count} business {unit}"),
            _ => within,
        },
    }
}

/// How the words of the first action name the deadline.
const BY: &str = "%a %-d %b %Y, %H:%M %Z";

fn first_action(
    config: &Config,
    due: Option<DateTime<Utc>>,
    sections: &mut Map<String, Value>,
    before: Option<&Value>,
    (open, same): (&dyn Fn() -> BTreeMap<usize, usize>, Option<usize>),
    remarks: &mut Remarks,
) {
    let kept = before.and_then(|brief| brief.pointer("/first_action/owner")).cloned();
    let brief = Value::Object(sections.clone());
    let action = sections.entry("first_action").or_insert_with(|| json!({}));
    let Some(action) = action.as_object_mut() else { return };
    // A name or a login alone in the CRM becomes the person of the team; somebody
    // who is not listed there takes a handoff from nobody.
    let mapped = action.get("owner").filter(|owner| owner_words(owner).next().is_some()).cloned();
    let chosen = match mapped.as_ref().map(|owner| named(config, owner)) {
        Some(Some(csm)) => Some(csm.to_json()),
        Some(None) if config.team.csms.is_empty() => None,
        other => {
            let chosen = kept
                .or_else(|| choose(&config.team, &brief, open, same, remarks).map(Csm::to_json));
            if let (Some(_), Some(owner)) = (other, &mapped) {
                remarks.push(not_listed(owner, chosen.as_ref()));
            }
            chosen
        }
    };
    if let Some(chosen) = chosen {
        action.insert("owner".to_owned(), chosen);
    }
    if !action.contains_key("due")
        && let Some(due) = due.filter(|_| brief.get("signature").is_some())
    {
        action.insert("due".to_owned(), json!(due.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    if action.is_empty() {
        sections.remove("first_action");
    }
}

/// What is said where the deal names somebody as the CSM whom the team does not have.
fn not_listed(owner: &Value, instead: Option<&Value>) -> String {
    let words = |owner| crate::text::quoted(owner_words(owner).next().unwrap_or_default());
    let stays = match instead {
        Some(csm) => format!("{} is the CSM", words(csm)),
        None => "no rule under team.assign names anybody else".to_owned(),
    };
    format!(
        "the deal names {} as the CSM, who is not listed under team.csms; {stays}. Add them there, or correct the deal",
        words(owner)
    )
}

/// The words that a CSM is named by, in text or in a record; none where nobody is.
fn owner_words(owner: &Value) -> impl Iterator<Item = &str> {
    let words =
        [owner.as_str(), owner["email"].as_str(), owner["github"].as_str(), owner["name"].as_str()];
    words.into_iter().flatten().filter(|word| !word.trim().is_empty())
}

fn named<'a>(config: &'a Config, owner: &Value) -> Option<&'a Csm> {
    owner_words(owner)
        .find_map(|word| config.team.find(word))
        .and_then(|index| config.team.csms.get(index))
}

/// What a brief is the handoff of, for comparing: its deal, else its document.
pub(super) fn identity(view: View<'_>) -> String {
    match (view.deal(), view.provider(), view.document_id()) {
        (Some((crm, id)), ..) => {
            let id = crate::model::normalise_deal_id(&crm, &id);
            format!("{crm} deal {id}")
        }
        (None, Some(provider), Some(document)) => format!("{provider} document {document}"),
        _ => String::new(),
    }
}

/// `24h` as a sentence has it: `24 hours`. A mixed length stays as it is.
fn in_words(length: &str) -> String {
    let units = [('d', "day"), ('h', "hour"), ('m', "minute"), ('s', "second")];
    let simple = units.iter().find_map(|(unit, word)| {
        let number: u32 = length.strip_suffix(*unit)?.parse().ok()?;
        Some(if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") })
    });
    simple.unwrap_or_else(|| length.to_owned())
}

/// Chooses the CSM: the first rule that applies to the brief, else the
/// fallback. `open` counts the open handoffs by the CSM's place in the
/// team; `same_customer` is who has the customer's earlier handoffs.
/// A rule whose expression fails is passed over with a remark.
#[must_use]
pub(super) fn choose<'a>(
    team: &'a Team,
    brief: &Value,
    open: &dyn Fn() -> BTreeMap<usize, usize>,
    same_customer: Option<usize>,
    remarks: &mut Remarks,
) -> Option<&'a Csm> {
    for (index, rule) in team.assign.iter().enumerate() {
        let applies = match &rule.when {
            None => true,
            Some(when) => when.is_true(brief).unwrap_or_else(|error| {
                remarks
                    .push(format!("team.assign rule {} could not be decided: {error}", index + 1));
                false
            }),
        };
        if !applies {
            continue;
        }
        let chosen = match &rule.to {
            Routing::Among(people) => least_open(people, open),
            Routing::SameCustomer => same_customer,
            Routing::LeastOpen => least_open(&Vec::from_iter(0..team.csms.len()), open),
        };
        if let Some(index) = chosen {
            return team.csms.get(index);
        }
    }
    team.fallback.and_then(|index| team.csms.get(index))
}

/// Fewest open handoffs first; of equals, whoever stands first in the file.
/// Nothing is counted where there is nobody to choose between.
fn least_open(people: &[usize], open: &dyn Fn() -> BTreeMap<usize, usize>) -> Option<usize> {
    if people.len() < 2 {
        return people.first().copied();
    }
    let open = open();
    people.iter().copied().min_by_key(|index| (open.get(index).copied().unwrap_or(0), *index))
}

// The words of the first action name the deadline and the customer's goal, and
// follow both wherever they are changed.

const INSTRUCTION: &str = "/first_action/instruction";

fn instruction(brief: &Value) -> Option<&str> {
    brief.pointer(INSTRUCTION)?.as_str()
}

pub(super) fn set_instruction(brief: &mut Value, words: &str) {
    if let Some(said) = brief.pointer_mut(INSTRUCTION) {
        *said = json!(words);
    }
}

/// The words of the first action as the mapping makes them of a brief: of its
/// deadline and its answers, whoever gave them.
pub(super) fn composed_instruction(
    context: &Context,
    found: Option<&Found>,
    brief: &Value,
) -> Option<String> {
    let view = View::of(brief);
    let limit = until(&context.config, view.first_action_due());
    let input = MappingInput {
        signature: found.map(|found| &found.signature).filter(|_| view.is_signed()),
        deal: found.and_then(|found| found.deal.as_ref()),
        first_touch: Some(&limit),
        answers: brief.as_object(),
        schema: Some(&context.schema),
    };
    let mapped = context.config.mapping.apply_below(&["first_action.instruction"], &input);
    instruction(&Value::Object(mapped.sections)).map(str::to_owned)
}

/// Lets the words of the first action follow what was changed in a brief without
/// reading its deal again. What a person wrote keeps its words; the deadline in
/// them follows.
pub(super) fn follow_in_instruction(context: &Context, before: &Value, after: &mut Value) {
    let Some(was) = instruction(before).filter(|was| instruction(after) == Some(was)) else {
        return;
    };
    let composed = |brief: &Value| composed_instruction(context, None, brief);
    let words = match composed(before) {
        Some(words) if words == was => composed(after),
        _ => {
            let by = |brief| until(&context.config, View::of(brief).first_action_due()).by;
            by(before).zip(by(after)).map(|(before, after)| was.replace(&before, &after))
        }
    };
    if let Some(words) = words.filter(|words| words != was) {
        set_instruction(after, &words);
    }
}

// One merge for every way by which a brief changes after it was written: what
// people wrote stays, and what the machine wrote follows the deal.

/// A brief as it is now, merged with what the machine would write.
#[derive(Debug)]
pub(super) struct Correction {
    /// The merged brief, its fields in the schema's order.
    pub brief: Brief,
    /// The answers in it that people had changed; JSON pointers.
    pub kept: Vec<String>,
    /// The answers that are other ones now.
    pub changed: Vec<ChangedAnswer>,
    /// What differs beside the answers.
    pub data: Vec<ChangedData>,
    /// Whether anything at all differs from the brief before, answers or not.
    pub is_change: bool,
}

impl Correction {
    /// Merges the ledger's brief with the machine's new one, made of what was
    /// found. The words of the first action name what the merged brief says,
    /// unless a person wrote them; `theirs` has them then, too.
    pub(super) fn of(
        context: &Context,
        found: &Found,
        timeline: &Timeline,
        before: &Brief,
        theirs: &mut Value,
    ) -> Self {
        keep_makers(before.json(), theirs);
        let base = machine_version(context, timeline);
        let mut merged = merge(base.as_ref(), before.json(), theirs);
        let was = instruction(before.json());
        let is_machines = was.is_none()
            || was == base.as_ref().and_then(instruction)
            || was == composed_instruction(context, None, before.json()).as_deref();
        if is_machines && let Some(words) = composed_instruction(context, Some(found), &merged) {
            set_instruction(&mut merged, &words);
            set_instruction(theirs, &words);
        }
        let theirs = &*theirs;
        let kept = kept_answers(base.as_ref(), before.json(), theirs, &merged);
        let brief = Brief::from_json(context.schema.in_order(&merged));
        Self {
            kept,
            changed: changed_answers(&context.schema, before.json(), brief.json()),
            data: changed_data(&context.schema, before.json(), brief.json()),
            is_change: before.json() != brief.json(),
            brief,
        }
    }

    /// What is said of the answers that people wrote and the deal, as in
    /// `theirs`, has others for.
    pub(super) fn kept_remarks(&self, theirs: &Value) -> impl Iterator<Item = String> {
        // Where the CRM has no answer it does not say something else.
        let others = self.kept.iter().filter(|it| theirs.pointer(it).is_some());
        others.map(|pointer| {
            format!(
                "{pointer}: what a person wrote stays; the CRM says something else. If the CRM is right, change it in brief.yaml"
            )
        })
    }

    /// The git blob of the corrected brief's file.
    pub(super) fn blob(&self, folder: &str) -> String {
        blob_id(self.brief.to_yaml(Context::depth(folder)).as_bytes()).to_string()
    }
}

/// A promise stays with who made it when the deal has another owner by now, whom
/// the mapping names as the maker.
fn keep_makers(before: &Value, theirs: &mut Value) {
    let owner = theirs.pointer("/deal/owner/name").cloned();
    let told = before["commitments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let promises = theirs.get_mut("commitments").and_then(Value::as_array_mut);
    for promise in promises.into_iter().flatten() {
        if promise.get("made_by").is_none() || promise.get("made_by") != owner.as_ref() {
            continue;
        }
        let same = |it: &&Value| it["promise"] == promise["promise"];
        if let Some(maker) = told.iter().find(same).and_then(|it| it.get("made_by")) {
            promise["made_by"] = maker.clone();
        }
    }
}
