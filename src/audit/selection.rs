//! Which deals of the population the audit counts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{AuditInput, DealKey, Scope};
use crate::model::{Deal, DealId, Gap, Key, Outcome, Remarks, normalise_deal_id};
use crate::text::quoted;

/// How many names a gap lists before it says how many more there are.
const NAMED: usize = 5;

/// A closed-won deal in the window.
pub(super) struct Selected<'a> {
    pub(super) deal: &'a Deal,
    /// The id in its one form.
    pub(super) id: DealId,
    /// What the report calls it: the key, or `<crm>-<id>` where no key can be made.
    pub(super) key: DealKey,
    /// Why it is outside the scope.
    pub(super) excluded: Option<String>,
    /// The rules of the scope that could not be decided for it.
    pub(super) undecided: Vec<String>,
}

/// The closed-won deals in the window, sorted, and what is wrong with them.
pub(super) struct Selection<'a> {
    pub(super) deals: Vec<Selected<'a>>,
    pub(super) undated: usize,
    pub(super) gaps: Vec<Gap>,
    pub(super) remarks: Remarks,
}

/// Takes the won deals of the window as of the audit's moment. Nothing is
/// dropped in silence: a won deal without a date is counted and a gap.
pub(super) fn select<'a>(input: &AuditInput<'a>) -> Selection<'a> {
    let (all, source_gaps) = input.population.deals.parts();
    let mut gaps = source_gaps.to_vec();
    let mut remarks = Remarks::default();

    // A deal whose outcome is not known is not counted, and never in silence. A
    // file says itself which cells do not tell.
    let unknown: Vec<&Deal> = all.iter().filter(|d| d.outcome == Outcome::Unknown).collect();
    let told = source_gaps.iter().any(|gap| gap.what.starts_with("the outcome of "));
    if !unknown.is_empty() && !told {
        gaps.push(Gap {
            what: format!("the outcome of {}", list_deals(&unknown)),
            why: "the source does not say whether they were won; they are not counted".to_owned(),
            help: Some("Give these deals a stage that is open, won or lost.".to_owned()),
        });
    }

    // Won already, and dated ahead: people leave the expected date in the CRM.
    let future = |deal: &Deal| deal.closed_won_at.is_some_and(|at| at > input.as_of);
    let won = |deal: &&Deal| {
        deal.outcome == Outcome::Won
            && input.is_there(deal.closed_won_at)
            && deal.closed_won_at.is_none_or(|at| input.window.contains(at))
    };
    let mut deals: Vec<(EndNumber, Selected<'a>, Option<Gap>)> = all
        .par_iter()
        .filter(won)
        .map(|deal| {
            let (selected, gap) = selected(deal, input);
            (EndNumber::of(selected.key.as_str()), selected, gap)
        })
        .collect();
    deals.par_sort_by(|(number, a, _), (other, b, _)| {
        number.order(*other, a.key.as_str(), b.key.as_str()).unwrap_or_else(|| {
            (&a.key, &a.deal.crm, &a.id)
                .cmp(&(&b.key, &b.deal.crm, &b.id))
                .then_with(|| same_record(a.deal, b.deal))
        })
    });
    gaps.extend(unique(deals.iter_mut().filter_map(|(_, _, gap)| gap.take())));
    let mut deals: Vec<Selected<'a>> = deals.into_iter().map(|(_, deal, _)| deal).collect();

    deals.dedup_by(|later, first| {
        let same = later.deal.crm == first.deal.crm && later.id == first.id;
        if same && same_record(later.deal, first.deal).is_ne() {
            gaps.push(Gap {
                what: format!("deal {}", quoted(first.id.as_str())),
                why: "the source holds it twice, with different content; the first is counted"
                    .to_owned(),
                help: Some(
                    "Read the deals again, or remove the row that is out of date.".to_owned(),
                ),
            });
        }
        same
    });
    for pair in deals.windows(2) {
        if pair[0].key == pair[1].key {
            gaps.push(Gap {
                what: format!(
                    "deals {} and {}",
                    quoted(pair[0].id.as_str()),
                    quoted(pair[1].id.as_str())
                ),
                why: format!("both ids give the key {}", pair[0].key),
                help: Some(
                    "Give one of them another id; keys ignore capitals and punctuation.".to_owned(),
                ),
            });
        }
    }

    let ahead: Vec<&Deal> = deals.iter().map(|d| d.deal).filter(|deal| future(deal)).collect();
    if !ahead.is_empty() {
        remarks.push(format!(
            "Won, with a close date in the future; counted, as they were won when the deals were read: {}.",
            list_deals(&ahead)
        ));
    }
    let undated: Vec<&Deal> =
        deals.iter().map(|d| d.deal).filter(|d| d.closed_won_at.is_none()).collect();
    if !undated.is_empty() {
        gaps.push(Gap {
            what: format!("the time at which {} won", list_were(&undated)),
            why: "the source gives no date; counted in every window".to_owned(),
            help: Some(
                input.population.source.undated_help.clone().unwrap_or_else(|| {
                    "Fill in the close date of these deals in the CRM.".to_owned()
                }),
            ),
        });
    }
    Selection { undated: undated.len(), deals, gaps, remarks }
}

/// The number at the end of a key, read once: a million keys are then sorted as
/// fast as plain texts.
#[derive(Clone, Copy)]
struct EndNumber(Option<(usize, u64)>);

impl EndNumber {
    fn of(key: &str) -> Self {
        let digits = key.bytes().rev().take_while(u8::is_ascii_digit).count();
        let at = key.len() - digits;
        Self(key[at..].parse().ok().map(|number| (at, number)))
    }

    /// The order of two keys, where their numbers alone decide it.
    fn order(self, other: Self, key: &str, other_key: &str) -> Option<Ordering> {
        let ((at, number), (other_at, other)) = self.0.zip(other.0)?;
        let same = at == other_at && key.as_bytes()[..at] == other_key.as_bytes()[..at];
        (same && number != other).then(|| number.cmp(&other))
    }
}

fn selected<'a>(deal: &'a Deal, input: &AuditInput<'_>) -> (Selected<'a>, Option<Gap>) {
    let id = normalise_deal_id(&deal.crm, &deal.id);
    let key = match Key::for_deal(&deal.crm, &deal.id) {
        Ok(key) => DealKey::new(key.as_str()),
        Err(_) => DealKey::new(&format!("{}-{}", deal.crm, crate::text::one_line(id.as_str()))),
    };
    let (scope, gap) = match (input.exclude)(deal) {
        Ok(scope) => (scope, None),
        Err(gap) => (Scope::default(), Some(gap)),
    };
    let Scope { excluded, undecided } = scope;
    (Selected { deal, id, key, excluded, undecided }, gap)
}

/// The order of two rows with one id; equal when nothing tells them apart.
fn same_record(a: &Deal, b: &Deal) -> Ordering {
    let content = |deal: &Deal| serde_json::to_string(deal).expect("a deal is plain data");
    content(a).cmp(&content(b))
}

/// A scope rule that fails fails for every deal; it is told once.
fn unique(gaps: impl Iterator<Item = Gap>) -> Vec<Gap> {
    let mut by_text = BTreeMap::new();
    for gap in gaps {
        by_text.entry((gap.what.clone(), gap.why.clone())).or_insert(gap);
    }
    by_text.into_values().collect()
}

fn list_were(deals: &[&Deal]) -> String {
    let verb = if deals.len() == 1 { "was" } else { "were" };
    format!("{} {verb}", list_deals(deals))
}

fn list_deals(deals: &[&Deal]) -> String {
    let mut names: Vec<String> = deals.iter().map(|deal| quoted(deal.id.as_str())).collect();
    names.sort();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let noun = if deals.len() == 1 { "deal" } else { "deals" };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{noun} {}{more}", names.join(", "))
}
