//! Which questions the CRM's data can answer: for each field of the brief, of
//! how many won deals the mapping finds an answer, in all and by rep.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{DealKey, Share};
use crate::model::Gap;

/// The version of the JSON shape; it changes when a reader would break.
pub const COVERAGE_VERSION: u32 = 1;

/// A field that the brief's schema asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredField {
    /// The question, 1 to 7; `None` for a company's own field outside them.
    pub question: Option<u8>,
    /// The field, dotted: `success.primary_goal`.
    pub field: String,
}

/// What the mapping found for one won deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealAnswers {
    /// The deal.
    pub key: DealKey,
    /// The deal's owner.
    pub rep: Option<String>,
    /// When it was won.
    pub closed_won_at: Option<DateTime<Utc>>,
    /// The fields that have an answer.
    pub answered: BTreeSet<String>,
}

/// What is measured.
#[derive(Debug, Clone)]
pub struct CoverageInput<'a> {
    /// The fields, in the order of the schema.
    pub fields: &'a [RequiredField],
    /// The won deals; only the newest `last` count.
    pub deals: &'a [DealAnswers],
    /// How many of the newest deals count; all of them when absent.
    pub last: Option<usize>,
    /// What could not be read.
    pub gaps: &'a [Gap],
}

/// For each question and field, how many deals can answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoverageReport {
    /// Always [`COVERAGE_VERSION`].
    pub version: u32,
    /// Whether everything could be read.
    pub complete: bool,
    /// How many deals were looked at.
    pub deals: usize,
    /// How many of them answer every field.
    pub whole_brief: Share,
    /// By question, then field.
    pub questions: Vec<QuestionCoverage>,
    /// By rep, the one with most deals first.
    pub by_rep: Vec<RepCoverage>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// How many deals can answer one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionCoverage {
    /// The question, 1 to 7; absent for a company's own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<u8>,
    /// The deals that answer every field of it.
    pub answered: Share,
    /// The fields, in the order of the schema.
    pub fields: Vec<FieldCoverage>,
}

/// How many deals can answer one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldCoverage {
    /// The field, dotted.
    pub field: String,
    /// The deals that answer it.
    pub answered: Share,
}

/// How well one rep's deals are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepCoverage {
    /// The rep; `(none)` for deals without an owner.
    pub rep: String,
    /// How many deals.
    pub deals: usize,
    /// How many of them answer every field.
    pub whole_brief: Share,
    /// By question, then field.
    pub questions: Vec<QuestionCoverage>,
}

/// Measures the newest won deals. The order of the input makes no difference.
#[must_use]
pub fn measure_coverage(input: &CoverageInput<'_>) -> CoverageReport {
    let mut deals: Vec<&DealAnswers> = input.deals.iter().collect();
    // A deal without a date is the oldest: it is the first to fall out.
    deals.sort_by(|a, b| {
        (Reverse(a.closed_won_at), &a.key, &a.rep, &a.answered).cmp(&(
            Reverse(b.closed_won_at),
            &b.key,
            &b.rep,
            &b.answered,
        ))
    });
    deals.dedup_by(|later, first| later.key == first.key);
    deals.truncate(input.last.unwrap_or(usize::MAX));
    deals.sort_by(|a, b| a.key.cmp(&b.key));

    let mut reps: BTreeMap<(bool, &str), Vec<&DealAnswers>> = BTreeMap::new();
    for deal in &deals {
        let rep = deal.rep.as_deref().filter(|rep| !rep.trim().is_empty());
        reps.entry(rep.map_or((true, "(none)"), |rep| (false, rep))).or_default().push(deal);
    }
    let mut by_rep: Vec<RepCoverage> = reps
        .into_iter()
        .map(|((_, rep), deals)| RepCoverage {
            rep: rep.to_owned(),
            deals: deals.len(),
            whole_brief: whole_brief(input.fields, &deals),
            questions: questions(input.fields, &deals),
        })
        .collect();
    // A stable sort: reps with as many deals stay in the order of their names.
    by_rep.sort_by_key(|rep| Reverse(rep.deals));

    CoverageReport {
        version: COVERAGE_VERSION,
        complete: input.gaps.is_empty(),
        deals: deals.len(),
        whole_brief: whole_brief(input.fields, &deals),
        questions: questions(input.fields, &deals),
        by_rep,
        gaps: input.gaps.to_vec(),
    }
}

fn whole_brief(fields: &[RequiredField], deals: &[&DealAnswers]) -> Share {
    share(deals, |deal| fields.iter().all(|field| deal.answered.contains(&field.field)))
}

fn questions(fields: &[RequiredField], deals: &[&DealAnswers]) -> Vec<QuestionCoverage> {
    // `None`, a company's own fields, goes behind the seven questions.
    let mut by_question: BTreeMap<(bool, Option<u8>), Vec<&RequiredField>> = BTreeMap::new();
    for field in fields {
        by_question.entry((field.question.is_none(), field.question)).or_default().push(field);
    }
    by_question
        .into_iter()
        .map(|((_, question), fields)| QuestionCoverage {
            question,
            answered: share(deals, |deal| {
                fields.iter().all(|field| deal.answered.contains(&field.field))
            }),
            fields: fields
                .iter()
                .map(|field| FieldCoverage {
                    field: field.field.clone(),
                    answered: share(deals, |deal| deal.answered.contains(&field.field)),
                })
                .collect(),
        })
        .collect()
}

fn share(deals: &[&DealAnswers], counts: impl Fn(&DealAnswers) -> bool) -> Share {
    let mut share = Share::default();
    for deal in deals {
        share.count_in(&deal.key, counts(deal));
    }
    share
}
