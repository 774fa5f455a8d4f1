//! The classes, and what is counted and summed for each.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use crate::model::Money;

/// Where a closed-won deal stands; each deal has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A signed brief on the default branch within the time allowed.
    OnTime,
    /// A signed brief, later than that.
    Late,
    /// None yet, and still within the time allowed.
    Pending,
    /// None, and the time is over.
    Missing,
    /// There was one; it is gone from the tip.
    Removed,
    /// Somebody decided, with a reason, that none is needed.
    Exempt,
    /// Outside the scope of the audit, with the reason.
    Excluded,
}

impl Class {
    /// All classes in the order of every output.
    pub const ALL: [Self; 7] = [
        Self::OnTime,
        Self::Late,
        Self::Pending,
        Self::Missing,
        Self::Removed,
        Self::Exempt,
        Self::Excluded,
    ];

    /// The classes of deals that count, in the same order.
    pub fn in_scope() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|class| *class != Self::Excluded)
    }

    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Removed => "removed",
            Self::Exempt => "exempt",
            Self::Excluded => "excluded",
        }
    }

    /// The words people read.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::OnTime => "on time",
            other => other.as_str(),
        }
    }

    /// Whether the deal was due a handoff: everything but pending, exempt and excluded.
    #[must_use]
    pub fn is_due(self) -> bool {
        matches!(self, Self::OnTime | Self::Late | Self::Missing | Self::Removed)
    }

    /// Whether the deal has its handoff.
    #[must_use]
    pub fn is_covered(self) -> bool {
        matches!(self, Self::OnTime | Self::Late)
    }
}

/// How many deals each class has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClassCounts {
    /// Deals handed over in time.
    pub on_time: usize,
    /// Deals handed over late.
    pub late: usize,
    /// Deals that may still be in time.
    pub pending: usize,
    /// Deals without a handoff.
    pub missing: usize,
    /// Deals whose handoff is gone.
    pub removed: usize,
    /// Deals that need none by decision.
    pub exempt: usize,
    /// Deals outside the scope.
    pub excluded: usize,
}

impl ClassCounts {
    /// The count of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> usize {
        match class {
            Class::OnTime => self.on_time,
            Class::Late => self.late,
            Class::Pending => self.pending,
            Class::Missing => self.missing,
            Class::Removed => self.removed,
            Class::Exempt => self.exempt,
            Class::Excluded => self.excluded,
        }
    }

    /// Counts one more deal.
    pub fn add(&mut self, class: Class) {
        match class {
            Class::OnTime => self.on_time += 1,
            Class::Late => self.late += 1,
            Class::Pending => self.pending += 1,
            Class::Missing => self.missing += 1,
            Class::Removed => self.removed += 1,
            Class::Exempt => self.exempt += 1,
            Class::Excluded => self.excluded += 1,
        }
    }

    /// All deals.
    #[must_use]
    pub fn total(&self) -> usize {
        Class::ALL.into_iter().map(|class| self.of(class)).sum()
    }
}

/// Sums of money, one for each currency; nothing is converted. Amounts
/// without a currency are summed under [`Values::NO_CURRENCY`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Decimal>);

impl Values {
    /// The name under which amounts without a currency are summed.
    pub const NO_CURRENCY: &'static str = "unknown";

    /// Adds an amount.
    pub fn add(&mut self, money: &Money) {
        self.add_amount(money.currency.as_deref().unwrap_or(Self::NO_CURRENCY), money.amount);
    }

    fn add_amount(&mut self, currency: &str, amount: Decimal) {
        if let Some(sum) = self.0.get_mut(currency) {
            *sum = sum.saturating_add(amount);
        } else {
            self.0.insert(currency.to_owned(), amount);
        }
    }

    /// Adds all sums of another.
    pub fn add_all(&mut self, other: &Self) {
        for (currency, amount) in &other.0 {
            self.add_amount(currency, *amount);
        }
    }

    /// The sum in one currency, if there is any amount in it.
    #[must_use]
    pub fn get(&self, currency: &str) -> Option<Decimal> {
        self.0.get(currency).copied()
    }

    /// Currency and sum, sorted by currency.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Decimal)> {
        self.0.iter().map(|(currency, sum)| (currency.as_str(), *sum))
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(currency, sum)| (currency, sum.to_string())))
    }
}

/// The sums of each class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ValuesByClass {
    /// Handed over in time.
    pub on_time: Values,
    /// Handed over late.
    pub late: Values,
    /// May still be in time.
    pub pending: Values,
    /// Without a handoff.
    pub missing: Values,
    /// Handoff gone.
    pub removed: Values,
    /// None needed by decision.
    pub exempt: Values,
    /// Outside the scope.
    pub excluded: Values,
}

impl ValuesByClass {
    /// The sums of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> &Values {
        match class {
            Class::OnTime => &self.on_time,
            Class::Late => &self.late,
            Class::Pending => &self.pending,
            Class::Missing => &self.missing,
            Class::Removed => &self.removed,
            Class::Exempt => &self.exempt,
            Class::Excluded => &self.excluded,
        }
    }

    /// Adds an amount to one class.
    pub fn add(&mut self, class: Class, money: &Money) {
        let values = match class {
            Class::OnTime => &mut self.on_time,
            Class::Late => &mut self.late,
            Class::Pending => &mut self.pending,
            Class::Missing => &mut self.missing,
            Class::Removed => &mut self.removed,
            Class::Exempt => &mut self.exempt,
            Class::Excluded => &mut self.excluded,
        };
        values.add(money);
    }

    /// The sums over all classes.
    #[must_use]
    pub fn total(&self) -> Values {
        let mut total = Values::default();
        for class in Class::ALL {
            total.add_all(self.of(class));
        }
        total
    }
}
