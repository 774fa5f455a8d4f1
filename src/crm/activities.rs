//! What is gathered of a colleague's contacts with a customer: each part of
//! the CRM that cannot be read is a gap.

use chrono::{DateTime, Utc};

use super::failure::Failure;
use super::requested_properties::failed;
use super::{ActivitiesOf, Activity, ActivityKind, Check, CrmError};
use crate::model::{Evidence, Gap, Person, is_same_person};

/// The contacts that were found, and what could not be read.
pub(super) struct FoundActivities<'a> {
    crm: &'static str,
    asked: &'a ActivitiesOf<'a>,
    activities: Vec<Activity>,
    gaps: Vec<Gap>,
}

impl<'a> FoundActivities<'a> {
    pub(super) fn new(crm: &'static str, asked: &'a ActivitiesOf<'a>) -> Self {
        Self { crm, asked, activities: Vec::new(), gaps: Vec::new() }
    }

    /// Takes in what lies between the signature and now.
    pub(super) fn add(
        &mut self,
        kind: ActivityKind,
        at: DateTime<Utc>,
        logged_at: Option<DateTime<Utc>>,
        reference: String,
    ) {
        let is_known = self.activities.iter().any(|known| known.reference == reference);
        if at >= self.asked.since && at <= self.asked.until && !is_known {
            self.activities.push(Activity { kind, at, logged_at, reference });
        }
    }

    /// Part of the CRM could not be read.
    pub(super) fn unread(&mut self, what: &str, failure: &Failure) {
        self.gap(what, &failure.error);
    }

    fn gap(&mut self, what: &str, error: &CrmError) {
        self.gaps.push(Gap {
            what: format!("the {what} of deal {}", self.asked.deal),
            why: error.to_string(),
            help: error.help().map(str::to_owned),
        });
    }

    /// A record whose time is missing or none.
    pub(super) fn undated(&mut self, reference: &str) {
        self.gaps.push(Gap {
            what: format!("{reference} of deal {}", self.asked.deal),
            why: format!("{} does not say when it was", self.crm),
            help: None,
        });
    }

    /// The colleague is nobody that the CRM knows, so that nothing can be found.
    pub(super) fn nobody(mut self) -> Evidence<Activity> {
        let by = self.asked.by;
        let who = by.email.as_deref().or(by.name.as_deref()).unwrap_or("the CSM");
        self.gaps.push(Gap {
            what: format!("the activities of {}", crate::text::quoted(who)),
            why: format!("{} has no such user", self.crm),
            help: Some(format!(
                "Give the CSM under team.csms the e-mail address of their user in {}.",
                self.crm
            )),
        });
        self.finish()
    }

    /// Nobody at the customer is on the deal, so that nothing can be found.
    pub(super) fn without_contacts(mut self) -> Evidence<Activity> {
        self.gaps.push(Gap {
            what: format!("the activities of deal {}", self.asked.deal),
            why: format!("it has no contact in {}", self.crm),
            help: Some("Put the customer's people on the deal.".to_owned()),
        });
        self.finish()
    }

    /// The earliest first.
    pub(super) fn finish(mut self) -> Evidence<Activity> {
        self.activities.sort_by(|a, b| (a.at, &a.reference).cmp(&(b.at, &b.reference)));
        Evidence::new(self.activities, self.gaps)
    }
}

/// Whether an address is the colleague's.
pub(super) fn is_address_of(address: &str, colleague: &Person) -> bool {
    colleague.email.as_deref().is_some_and(|own| is_same_person(own, address))
}

/// Whether something may be read that shows first touches, for `doctor`.
pub(super) fn shows_touches(
    what: String,
    shows: &str,
    read: Result<(), Failure>,
    help: &str,
) -> Check {
    match read {
        Ok(()) => Check::ok(what, format!("allowed; {shows} first touches")),
        Err(failure) => {
            let told = failed(&what, &failure.error);
            let own = told.remedy.map_or_else(String::new, |own| format!("{own} "));
            Check { remedy: Some(format!("{own}{help}")), ..told }
        }
    }
}
