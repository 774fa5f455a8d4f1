//! Which CSM gets a handoff.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Csm, Routing, Team};

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
    remarks: &mut Vec<String>,
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
