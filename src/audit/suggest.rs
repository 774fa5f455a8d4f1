//! Deals and briefs that look alike by name and amount. Never a match: two
//! deals of one customer often have one name, so a person decides.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::selection::Selected;
use super::{HandoffFacts, Suggestion};
use crate::model::{Deal, Money};
use crate::text::quoted;

type Likeness = (String, Decimal);

/// Deals without a brief and briefs without a deal, by name and amount.
pub(super) struct Suggestions<'a> {
    deals: BTreeMap<Likeness, Vec<&'a Selected<'a>>>,
    briefs: BTreeMap<Likeness, Vec<&'a HandoffFacts>>,
}

impl<'a> Suggestions<'a> {
    /// Keeps what is still without its other half.
    pub(super) fn new(
        deals: impl Iterator<Item = &'a Selected<'a>>,
        briefs: impl Iterator<Item = &'a HandoffFacts>,
    ) -> Self {
        let mut by_likeness = Self { deals: BTreeMap::new(), briefs: BTreeMap::new() };
        for brief in briefs {
            for likeness in of_brief(brief) {
                by_likeness.briefs.entry(likeness).or_default().push(brief);
            }
        }
        if !by_likeness.briefs.is_empty() {
            for deal in deals {
                for likeness in of_deal(deal.deal) {
                    by_likeness.deals.entry(likeness).or_default().push(deal);
                }
            }
        }
        by_likeness
    }

    /// A brief that looks like a deal's.
    pub(super) fn for_deal(&self, deal: &Deal) -> Option<Suggestion> {
        let (likeness, briefs) =
            of_deal(deal).find_map(|likeness| self.briefs.get_key_value(&likeness))?;
        Some(Suggestion {
            what: briefs.first()?.location(),
            because: because(likeness, briefs.len(), "briefs"),
        })
    }

    /// A deal that looks like a brief's.
    pub(super) fn for_brief(&self, brief: &HandoffFacts) -> Option<Suggestion> {
        let (likeness, deals) =
            of_brief(brief).find_map(|likeness| self.deals.get_key_value(&likeness))?;
        Some(Suggestion {
            what: deals.first()?.key.to_string(),
            because: because(likeness, deals.len(), "deals"),
        })
    }
}

fn because((name, amount): &Likeness, many: usize, what: &str) -> String {
    let same = format!("same name {} and same amount {amount}", quoted(name));
    if many == 1 { same } else { format!("{same}; {many} {what} look like this") }
}

fn of_deal(deal: &Deal) -> impl Iterator<Item = Likeness> {
    let company = deal.company.as_ref().and_then(|company| company.name.as_deref());
    likenesses([deal.name.as_deref(), company], deal.amount.as_ref())
}

fn of_brief(handoff: &HandoffFacts) -> impl Iterator<Item = Likeness> {
    let brief = handoff.brief();
    let customer = brief.and_then(|brief| brief.customer.as_deref());
    let deal = brief.and_then(|brief| brief.deal.as_ref()).and_then(|deal| deal.name.as_deref());
    likenesses([deal, customer], brief.and_then(|brief| brief.value.as_ref()))
}

/// Names in small letters and digits, without the signs people write differently.
fn likenesses(names: [Option<&str>; 2], amount: Option<&Money>) -> impl Iterator<Item = Likeness> {
    let amount = amount.map(|money| money.amount.normalize());
    let mut names: Vec<String> = names
        .into_iter()
        .flatten()
        .map(|name| {
            let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
        })
        .filter(|name| !name.is_empty())
        .collect();
    names.dedup();
    names.into_iter().filter_map(move |name| Some((name, amount?)))
}
