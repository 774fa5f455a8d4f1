//! What every CRM's webhook can do: name deals that may have been won, or changed. It is
//! a hint only, and the CRM is asked before anything is written.

use chrono::{DateTime, Utc};

use crate::model::{DealId, Secrets};
use crate::webhook::{DeliveryId, Rejection, Request, Route};

/// One part of a notification, in no vendor's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DealNews {
    /// A deal may have been won.
    MayBeWon {
        /// The deal.
        id: DealId,
        /// What makes this part the same whenever it is sent again.
        mark: String,
    },
    /// A deal was changed or deleted: of interest where it was handed over.
    Changed {
        /// The deal.
        id: DealId,
        /// What makes this part the same whenever it is sent again.
        mark: String,
    },
    /// Recognised and not of interest.
    Ignored {
        /// What it was, such as `a change of amount`.
        what: String,
    },
}

/// A notification whose sender was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    delivery_id: DeliveryId,
    deals: Vec<DealId>,
    changed: Vec<DealId>,
    ignored: Vec<String>,
}

impl Told {
    /// A notification that `receive` has just verified. Neither order nor
    /// repetition of its parts changes its identity.
    pub(super) fn new(news: Vec<DealNews>) -> Self {
        let (mut deals, mut changed) = (Vec::new(), Vec::new());
        let (mut marks, mut ignored) = (Vec::new(), Vec::new());
        for part in news {
            match part {
                DealNews::MayBeWon { id, mark } => {
                    deals.push(id);
                    marks.push(mark);
                }
                DealNews::Changed { id, mark } => {
                    changed.push(id);
                    marks.push(mark);
                }
                DealNews::Ignored { what } => ignored.push(what),
            }
        }
        for list in [&mut marks, &mut ignored] {
            list.sort_unstable();
            list.dedup();
        }
        for list in [&mut deals, &mut changed] {
            list.sort_unstable();
            list.dedup();
        }
        // One that may be won is read anyway.
        changed.retain(|id| !deals.contains(id));
        let readable = deals.first().or(changed.first()).map_or("", DealId::as_str);
        let parts = std::iter::once(readable).chain(marks.iter().map(String::as_str));
        let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
        Self { delivery_id: DeliveryId::of(&parts), deals, changed, ignored }
    }

    /// The delivery's identity: the same for every retry of it.
    #[must_use]
    pub fn delivery_id(&self) -> &DeliveryId {
        &self.delivery_id
    }

    /// The deals to look at, each once.
    #[must_use]
    pub fn deals(&self) -> &[DealId] {
        &self.deals
    }

    /// The deals that were changed otherwise, each once.
    #[must_use]
    pub fn changed(&self) -> &[DealId] {
        &self.changed
    }

    /// What else it told, for logs.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// One CRM's webhook with its settings. Pure: no clock, no network, no file.
pub trait Trigger: Route {
    /// Whether this CRM is the one that deals are read from.
    fn is_connected(&self) -> bool {
        true
    }

    /// Whether the configuration speaks of its webhook; where it needs no
    /// setting, the secret alone tells.
    fn is_configured(&self) -> bool {
        false
    }

    /// Verifies a request and reads it. Raw bytes, constant time, several secrets.
    ///
    /// # Errors
    /// With the reason; [`Route::rejected`] turns it into the answer.
    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Told, Rejection>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn won(id: &str, mark: &str) -> DealNews {
        DealNews::MayBeWon { id: DealId::new(id), mark: mark.to_owned() }
    }

    #[test]
    fn a_batch_is_the_same_in_any_order_and_another_batch_is_another() {
        let other = || DealNews::Ignored { what: "a change of amount".to_owned() };
        let told = Told::new(vec![won("7", "b"), other(), won("5", "a"), won("7", "c")]);
        let again = Told::new(vec![won("7", "c"), won("5", "a"), won("7", "b"), won("7", "b")]);
        assert_eq!(told.delivery_id(), again.delivery_id());
        assert_eq!(told.deals(), [DealId::new("5"), DealId::new("7")]);
        assert_eq!(told.ignored(), ["a change of amount"]);
        assert_ne!(told.delivery_id(), Told::new(vec![won("5", "a")]).delivery_id());
    }
}
