//! What a change of settings, schema, mapping or templates would do, before it
//! is merged: two sets of settings over the same deals, histories and briefs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::{AuditRequest, RulesOfTime, audit};
use super::compose::{Known, compose};
use super::deal::{DealSource, find_deal};
use super::documents::{DocumentDecision, decide_for_all};
use super::{Context, Horizon, WorkflowError, keys_within};
use crate::audit::{Class, DealRow, Differences, LedgerInput, SignaturesInput};
use crate::brief::{Brief, Completeness, changed_answers};
use crate::config::CompiledDocumentRule;
use crate::model::{DealId, Gap, Key, Money, Outcome, Population, Window};

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
}

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
}

impl ChangeKind {
    /// All of them, in the order of every output.
    pub const ALL: [Self; 8] = [
        Self::Class,
        Self::Document,
        Self::Incomplete,
        Self::Complete,
        Self::Csm,
        Self::Deadline,
        Self::Answer,
        Self::Page,
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
        }
    }

    /// What people read above the changes of this kind.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Class => "deals in another class",
            Self::Document => "documents that are decided otherwise",
            Self::Incomplete => "briefs that become incomplete",
            Self::Complete => "briefs that become complete",
            Self::Csm => "handoffs for another CSM",
            Self::Deadline => "deadlines that move",
            Self::Answer => "answers that change",
            Self::Page => "pages that read differently",
        }
    }
}

/// One thing that would be different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct PlanChange {
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// The handoff's key, or the one it would have; for a document its
    /// provider and id, `pandadoc/f9CbJKS4ZAs6nU629cuowb`.
    pub key: String,
    /// The customer or deal, where a name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer's field, dotted; only for answers.
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
    let composed =
        answers(base, head, request, (&rows, &of_nobody), &mut changes, &mut gaps).await?;
    let briefs = pages(base, head, request.window, &mut changes, &mut gaps)?;
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
            at_present: true,
            differences: &Differences::new(),
            command: "",
        };
        audit(request.ledgers, &side.config, &RulesOfTime::unchanged(&side.config), &asked)
    };
    let before = run(base, request.base_population)?;
    let after = run(head, request.population)?;
    gaps.extend(before.gaps);
    gaps.extend(after.gaps);
    let before: BTreeMap<String, DealRow> =
        before.deals.into_iter().map(|row| (row.key.to_string(), row)).collect();
    let after: BTreeMap<String, DealRow> =
        after.deals.into_iter().map(|row| (row.key.to_string(), row)).collect();
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
    let is_out = |rows: &BTreeMap<String, DealRow>, key: &str| {
        rows.get(key).is_some_and(|row| row.class == Class::Excluded)
    };
    let of_nobody = after.iter().filter(|(key, _)| is_out(&before, key) && is_out(&after, key));
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
        let known = |_: &serde_json::Value| Known::default();
        let made = |side: &Context, found| {
            compose(side, found, true, None, None, &BTreeMap::new, &known).brief
        };
        let (before, after) = (made(base, earlier.as_ref().unwrap_or(&found)), made(head, &found));
        let value = rows.get(found.key.as_str()).and_then(|row| row.value.as_ref());
        let (kind, value) = (ChangeKind::Answer, value.map(Money::shown));
        let blank = PlanChange::blank(kind, found.key.as_str(), deal.name.clone(), value);
        completeness((base, &before), (head, &after), &blank, changes);
        for changed in changed_answers(&head.schema, &before, &after) {
            let (kind, field) = match changed.field.as_str() {
                // Its words name the deadline.
                "first_action.instruction" if due(&before) != due(&after) => continue,
                "first_action.due" => (ChangeKind::Deadline, None),
                field if field.starts_with("first_action.owner") => (ChangeKind::Csm, None),
                field => (ChangeKind::Answer, Some(field.to_owned())),
            };
            let (was, is) = match kind {
                ChangeKind::Csm => (csm(&before), csm(&after)),
                _ => (changed.before, changed.after),
            };
            changes.push(PlanChange { kind, field, before: was, after: is, ..blank.clone() });
        }
    }
    Ok(composed)
}

/// Looks at the briefs that the ledger has: whether they answer everything, and
/// their page.
fn pages(
    base: &Context,
    head: &Context,
    window: Window,
    changes: &mut Vec<PlanChange>,
    gaps: &mut Vec<Gap>,
) -> Result<usize, WorkflowError> {
    let since = window.from.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let (keys, unread) = keys_within(head, Horizon { since })?;
    gaps.extend(unread);
    let mut briefs = 0;
    for key in keys {
        let Some(stored) = head.stored(&key, None)? else { continue };
        let Some(brief) = stored.brief else { continue };
        briefs += 1;
        let blank = of_brief(&key, &brief);
        completeness((base, brief.json()), (head, brief.json()), &blank, changes);
        let marks = &stored.confirmed;
        let (was, is) = (base.render(&brief, marks)?, head.render(&brief, marks)?);
        if was != is {
            let (before, after) = first_difference(&was, &is);
            changes.push(PlanChange { kind: ChangeKind::Page, before, after, ..blank });
        }
    }
    Ok(briefs)
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

/// The first line in which two pages differ.
fn first_difference(before: &str, after: &str) -> (Option<String>, Option<String>) {
    let (mut was, mut is) = (before.lines(), after.lines());
    loop {
        match (was.next(), is.next()) {
            (Some(one), Some(other)) if one == other => {}
            (one, other) => return (one.map(str::to_owned), other.map(str::to_owned)),
        }
    }
}
