//! The class of one deal.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Class, HandoffFacts, Policy};
use crate::brief::EventKind;

/// A class with what a reader wants to know beside it.
pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) reason: Option<String>,
    pub(super) approver: Option<String>,
}

impl Verdict {
    fn new(class: Class, reason: impl Into<Option<String>>) -> Self {
        Self { class, reason: reason.into(), approver: None }
    }
}

/// The time from which a deal's handoff is measured, best evidence first: the
/// signature in the delivered brief, the arrival of its event, the time the
/// deal was won.
pub(super) fn signed_at(
    handoff: Option<&HandoffFacts>,
    closed_won_at: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    handoff
        .and_then(|handoff| {
            let written = handoff.signature().and_then(|signature| signature.signed_at);
            written.or_else(|| handoff.first(EventKind::Received).map(|event| event.at))
        })
        .or(closed_won_at)
}

/// Puts a deal into its class. `handoffs` has the one that counts first.
pub(super) fn classify(
    excluded: Option<&str>,
    closed_won_at: Option<DateTime<Utc>>,
    handoffs: &[&HandoffFacts],
    policy: &Policy,
    as_of: DateTime<Utc>,
) -> Verdict {
    if let Some(reason) = excluded {
        return Verdict::new(Class::Excluded, reason.to_owned());
    }
    let first = handoffs.first().copied();
    if let Some(handoff) = first
        && handoff.signed_at_tip
        && let Some(delivery) = &handoff.delivered
    {
        return handed_over(handoff, delivery.at(), closed_won_at, policy);
    }
    if let Some((reason, approver)) = handoffs.iter().find_map(|handoff| handoff.exemption()) {
        return Verdict {
            class: Class::Exempt,
            reason: Some(reason.to_owned()),
            approver: Some(approver.to_owned()),
        };
    }
    if let Some(handoff) = handoffs.iter().find(|handoff| handoff.delivered.is_some()) {
        return Verdict::new(
            Class::Removed,
            handoff.incidents().removed.map(|change| {
                format!("removed by commit {} on {}", short(change.commit), change.at.date_naive())
            }),
        );
    }
    not_yet(handoffs, closed_won_at, policy, as_of)
}

fn handed_over(
    handoff: &HandoffFacts,
    delivered_at: DateTime<Utc>,
    closed_won_at: Option<DateTime<Utc>>,
    policy: &Policy,
) -> Verdict {
    if handoff.is_backfilled() {
        return Verdict::new(
            Class::Late,
            "backfilled after an audit had found it missing".to_owned(),
        );
    }
    let Some(signed) = signed_at(Some(handoff), closed_won_at) else {
        return Verdict::new(Class::Late, "nothing says when it was signed".to_owned());
    };
    let written = handoff.signature().and_then(|signature| signature.signed_at);
    let only_the_day =
        (handoff.is_on_crm_word() || written.is_none()) && policy.is_only_a_day(signed);
    let until = policy.in_time_until(signed, only_the_day);
    let since_won = closed_won_at.map(|won| policy.in_time_until(won, policy.is_only_a_day(won)));
    let class = if delivered_at > until {
        Class::Late
    } else if since_won.is_some_and(|until| delivered_at > until) {
        let reason = "counted from when it was won, which is before its signature";
        return Verdict::new(Class::Late, reason.to_owned());
    } else {
        Class::OnTime
    };
    Verdict::new(class, only_the_day.then(|| "the CRM gives only the day it was won".to_owned()))
}

fn not_yet(
    handoffs: &[&HandoffFacts],
    closed_won_at: Option<DateTime<Utc>>,
    policy: &Policy,
    as_of: DateTime<Utc>,
) -> Verdict {
    let event = handoffs
        .iter()
        .filter_map(|handoff| handoff.first(EventKind::Received).map(|event| event.at))
        .min();
    let until = match (event, closed_won_at) {
        (Some(received), _) => Some(policy.in_time_until(received, false)),
        (None, Some(won)) => Some(policy.in_time_until(won, policy.is_only_a_day(won))),
        (None, None) => None,
    };
    if let Some(until) = until.filter(|until| as_of <= *until) {
        let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
        return Verdict::new(Class::Pending, format!("may come until {until}"));
    }
    let reason = if handoffs.iter().any(|handoff| handoff.has_exempted_event()) {
        Some("an exemption is there, and it lacks a reason or an approver")
    } else if handoffs.iter().any(|handoff| handoff.tip.is_some()) {
        Some("a draft is there, without a signature")
    } else if handoffs.iter().any(|handoff| handoff.first(EventKind::Received).is_some()) {
        Some("the signature arrived, and no brief was made")
    } else {
        None
    };
    Verdict::new(Class::Missing, reason.map(str::to_owned))
}

/// The first characters of a commit id, as git shows it.
pub(super) fn short(id: crate::model::ObjectId) -> String {
    let mut text = id.to_string();
    text.truncate(10);
    text
}
