//! What a column of dates proves about the order of its numbers.

use super::date_order::{DateOrder, Readings, short, two};
use super::dates::{WrittenDate, read};

/// What a column of dates proves about the order, with the first row for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderProof {
    /// The first row whose day stands first.
    pub day_first: Option<usize>,
    /// The first row whose month stands first.
    pub month_first: Option<usize>,
    /// The first row that can be read in two ways.
    pub either: Option<usize>,
}

impl OrderProof {
    /// Takes one cell into account.
    pub fn see(&mut self, text: &str, row: usize) {
        // What is no day in an order proves nothing for it: 31/02/2026, 13/0/26.
        let (days, may_begin_with_year) = match read(text) {
            Ok(WrittenDate::Two { first, second, year, .. }) => (two(first, second, year), false),
            // `20/11/31` may be a slip of somebody who writes the year first.
            Ok(WrittenDate::Short { numbers, .. }) => {
                let [_, month, day] = numbers;
                (short(numbers), (1..=12).contains(&month) && (1..=31).contains(&day))
            }
            _ => return,
        };
        let seen = match days {
            Readings { dmy: Some(_), mdy: None, .. } if !may_begin_with_year => &mut self.day_first,
            Readings { mdy: Some(_), dmy: None, .. } if !may_begin_with_year => {
                &mut self.month_first
            }
            _ if may_begin_with_year || days.are_several() => &mut self.either,
            _ => return,
        };
        seen.get_or_insert(row);
    }

    /// Adds what further rows prove.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let first = |a: Option<usize>, b: Option<usize>| a.into_iter().chain(b).min();
        Self {
            day_first: first(self.day_first, later.day_first),
            month_first: first(self.month_first, later.month_first),
            either: first(self.either, later.either),
        }
    }

    /// The order, where the column proves exactly one.
    #[must_use]
    pub fn order(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (Some(_), None) => Some(DateOrder::Dmy),
            (None, Some(_)) => Some(DateOrder::Mdy),
            _ => None,
        }
    }
}
