//! The rules that decide on time, late and in scope, as they were at each
//! moment: what was committed then, not what is checked out now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Settings;
use crate::model::ObjectId;
use crate::time::{Calendar, HumanDuration};

/// What is on time and late, and how far two records may differ.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How long a handoff may take from the signature on; in plain time,
    /// because a machine makes it.
    pub handoff_within: HumanDuration,
    /// How long the first touch may take, where the brief names no deadline.
    pub first_touch_within: HumanDuration,
    /// Whether only a first touch that the CRM shows counts.
    pub first_touch_needs_evidence: bool,
    /// The business calendar of the first touch and of the business times in the metrics.
    pub calendar: Option<Calendar>,
    /// The time zone for months and for dates without a time; the calendar's
    /// where there is one.
    pub zone: Tz,
    /// Whether a first-touch task is expected: some sink that opens one is configured.
    pub expects_task: bool,
    /// Whether signed briefs wait in a pull request, where people may change them
    /// before they arrive.
    pub waits_in_pull_request: bool,
    /// Who may approve exemptions; anybody but the deal's rep while it is empty.
    pub approvers: Vec<String>,
    /// The logins, addresses and names of each in the team: who is known under
    /// them is not taken for somebody of a like name.
    pub team: Vec<Vec<String>>,
    /// Whether a second clock is asked when briefs arrived.
    pub asks_clock: bool,
    /// How much later than its commit an event may be: clocks of two machines
    /// are seldom further apart.
    pub clock_skew: HumanDuration,
    /// How far the amounts of deal and brief may differ before it is drift.
    pub amount_tolerance: Decimal,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            handoff_within: HumanDuration::hours(1),
            first_touch_within: HumanDuration::hours(24),
            first_touch_needs_evidence: false,
            calendar: None,
            zone: Tz::UTC,
            expects_task: true,
            waits_in_pull_request: false,
            approvers: Vec::new(),
            team: Vec::new(),
            asks_clock: false,
            clock_skew: HumanDuration::seconds(60),
            amount_tolerance: Decimal::ONE,
        }
    }
}

/// The rules from one commit on.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// From when on: the latest date of the commit and all before it.
    pub from: DateTime<Utc>,
    /// The commit that brought them; `None` for settings that no commit holds.
    pub commit: Option<ObjectId>,
    /// Who made it, `Riley Ross <riley@example.com>`.
    pub by: String,
    /// The blob of `handoff.yaml`.
    pub settings: Option<ObjectId>,
    /// The blob of `schema/brief.schema.json`; `None` for the shipped one.
    pub schema: Option<ObjectId>,
    /// What is on time and late.
    pub policy: Policy,
    /// The conditions under `scope.exclude`, as they are written.
    pub scope: Vec<String>,
    /// The answers that every brief has to have.
    pub required: BTreeSet<String>,
    /// What the schema asks of answers beside, each under its JSON pointer.
    pub constraints: BTreeMap<String, Value>,
    /// The settings that say which deals are read, how, and of which branch: each
    /// under its name, as it is written.
    pub reading: BTreeMap<String, String>,
}

/// A commit that took the settings off the branch; those before it stay in force.
#[derive(Debug, Clone)]
pub struct SettingsRemoval {
    /// The latest date of the commit and all before it.
    pub at: DateTime<Utc>,
    /// The commit.
    pub commit: ObjectId,
    /// Who made it, `Riley Ross <riley@example.com>`.
    pub by: String,
}

/// The rules of each time, oldest first.
#[derive(Debug, Clone)]
pub struct Policies {
    versions: Vec<PolicyVersion>,
    removals: Vec<SettingsRemoval>,
}

impl Policies {
    /// Rules that never changed and that no commit holds.
    #[must_use]
    pub fn unchanged(policy: Policy) -> Self {
        let version = PolicyVersion {
            from: DateTime::<Utc>::MIN_UTC,
            commit: None,
            by: String::new(),
            settings: None,
            schema: None,
            policy,
            scope: Vec::new(),
            required: BTreeSet::new(),
            constraints: BTreeMap::new(),
            reading: BTreeMap::new(),
        };
        Self { versions: vec![version], removals: Vec::new() }
    }

    /// Rules that changed, oldest first; `None` where there are none.
    #[must_use]
    pub fn new(versions: Vec<PolicyVersion>) -> Option<Self> {
        (!versions.is_empty()).then_some(Self { versions, removals: Vec::new() })
    }

    /// The same rules, and who took them off the branch in the meantime.
    #[must_use]
    pub fn with_removals(self, removals: Vec<SettingsRemoval>) -> Self {
        Self { removals, ..self }
    }

    /// The commits that took the settings off the branch, oldest first.
    #[must_use]
    pub fn removals(&self) -> &[SettingsRemoval] {
        &self.removals
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn versions(&self) -> &[PolicyVersion] {
        &self.versions
    }

    /// The place of the rules in force at a moment. What was won before there
    /// were any, or has no time, is judged by the last ones: who sets up a
    /// ledger for a year that has passed says once what counts in it.
    #[must_use]
    pub fn place_at(&self, moment: Option<DateTime<Utc>>) -> usize {
        let last = self.versions.len().saturating_sub(1);
        let Some(moment) = moment else { return last };
        self.versions
            .partition_point(|version| version.from <= moment)
            .checked_sub(1)
            .unwrap_or(last)
    }

    /// The rules in force at a moment.
    #[must_use]
    pub fn at(&self, moment: Option<DateTime<Utc>>) -> &PolicyVersion {
        &self.versions[self.place_at(moment)]
    }

    /// The rules in force at the end.
    #[must_use]
    pub fn last(&self) -> &PolicyVersion {
        self.at(None)
    }

    /// The last rules in the report's words, and how many there were before.
    #[must_use]
    pub(super) fn settings(&self) -> Settings {
        let last = self.last();
        Settings {
            handoff_within: last.policy.handoff_within.to_string(),
            first_touch_within: last.policy.first_touch_within.to_string(),
            calendar: last.policy.calendar.as_ref().map(ToString::to_string),
            blob: last.settings,
            schema_blob: last.schema,
            earlier: self.versions[..self.versions.len() - 1]
                .iter()
                .filter_map(|it| it.settings)
                .collect(),
        }
    }
}

impl PolicyVersion {
    /// What these rules allow that the ones before them did not, in words.
    #[must_use]
    pub(super) fn laxer_than(&self, before: &Self) -> Vec<String> {
        let (now, then) = (&self.policy, &before.policy);
        let mut laxer = Vec::new();
        for (name, now, then) in [
            ("handoff_within", now.handoff_within, then.handoff_within),
            ("first_touch.within", now.first_touch_within, then.first_touch_within),
        ] {
            if length(now, self.from) > length(then, self.from) {
                laxer.push(format!("{name} went from {then} to {now}"));
            }
        }
        match (&now.calendar, &then.calendar) {
            (Some(_), None) => laxer.push("a calendar now stops the clock".to_owned()),
            (Some(now), Some(then)) if now != then => {
                let year = self.from + chrono::TimeDelta::days(366);
                let (hours, before) = (now.between(self.from, year), then.between(self.from, year));
                if hours < before {
                    laxer.push("the calendar has fewer hours".to_owned());
                }
            }
            _ => {}
        }
        for rule in self.scope.iter().filter(|rule| !before.scope.contains(rule)) {
            laxer.push(format!("scope now leaves out deals where {}", crate::text::quoted(rule)));
        }
        let gone: Vec<&str> =
            before.required.difference(&self.required).map(String::as_str).collect();
        if !gone.is_empty() {
            laxer.push(format!("{} no longer has to be answered", gone.join(", ")));
        }
        let weaker: Vec<&str> = before
            .constraints
            .iter()
            .filter(|(at, then)| is_weaker(at, then, self.constraints.get(*at)))
            .map(|(at, _)| at.as_str())
            .collect();
        if !weaker.is_empty() {
            let weaker = crate::text::shorten(&weaker.join(", "), 300);
            laxer.push(format!("the schema asks less of answers: {weaker}"));
        }
        if !then.waits_in_pull_request && now.waits_in_pull_request {
            laxer.push(
                "briefs wait in a pull request, where they may be changed before they arrive (`deliver.github.as`)"
                    .to_owned(),
            );
        }
        if then.asks_clock && !now.asks_clock {
            laxer.push("no second clock is asked any more (`audit.clock`)".to_owned());
        }
        if then.first_touch_needs_evidence && !now.first_touch_needs_evidence {
            laxer.push("a first touch no longer needs evidence".to_owned());
        }
        if then.expects_task && !now.expects_task {
            laxer.push("no first-touch task is opened any more".to_owned());
        }
        let more = now.approvers.iter().any(|who| !then.approvers.contains(who));
        if !then.approvers.is_empty() && (now.approvers.is_empty() || more) {
            laxer.push("more people may approve exemptions".to_owned());
        }
        laxer
    }
}

impl PolicyVersion {
    /// The settings that say otherwise than those before them which deals are
    /// read, how, and of which branch.
    #[must_use]
    pub(super) fn reads_otherwise(&self, before: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.reading.keys().chain(before.reading.keys()).collect();
        let changed = names.into_iter().filter_map(|name| {
            let shown = |version: &Self| {
                let value = version.reading.get(name);
                value.map_or_else(|| "its default".to_owned(), |it| crate::text::quoted(it))
            };
            let (then, now) = (shown(before), shown(self));
            (then != now).then(|| format!("{name} went from {then} to {now}"))
        });
        changed.collect()
    }
}

/// Whether a constraint of the schema asks less than it did.
fn is_weaker(at: &str, then: &Value, now: Option<&Value>) -> bool {
    let Some(now) = now else { return true };
    match at.rsplit('/').next() {
        Some("minLength" | "minItems" | "minProperties" | "minimum") => {
            now.as_f64().unwrap_or(f64::NEG_INFINITY) < then.as_f64().unwrap_or(f64::NEG_INFINITY)
        }
        Some("maxLength" | "maxItems" | "maximum") => {
            now.as_f64().unwrap_or(f64::INFINITY) > then.as_f64().unwrap_or(f64::INFINITY)
        }
        Some("enum") => {
            let then = then.as_array().map_or(&[][..], Vec::as_slice);
            now.as_array().is_none_or(|now| now.iter().any(|value| !then.contains(value)))
        }
        // Which of two patterns lets more pass cannot be told.
        _ => now != then,
    }
}

fn length(span: HumanDuration, from: DateTime<Utc>) -> chrono::TimeDelta {
    crate::time::deadline(from, span, None) - from
}

impl Policy {
    /// Until when a handoff is in time that begins at `start`. A start of
    /// which only the day is known counts from the end of that day.
    #[must_use]
    pub(super) fn in_time_until(&self, start: DateTime<Utc>, only_the_day: bool) -> DateTime<Utc> {
        let start = if only_the_day {
            crate::time::deadline(start, HumanDuration::days(1), None)
        } else {
            start
        };
        crate::time::deadline(start, self.handoff_within, None)
    }

    /// What the clock in the configured zone shows; UTC at the ends of all time.
    #[must_use]
    pub(super) fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        let utc = moment.naive_utc();
        let offset = self.zone.offset_from_utc_datetime(&utc).fix();
        utc.checked_add_offset(offset).unwrap_or(utc)
    }

    /// Whether a moment looks like a date without a time: midnight in UTC or
    /// in the configured zone, which is how CRMs and exports write a bare date.
    #[must_use]
    pub(super) fn is_only_a_day(&self, moment: DateTime<Utc>) -> bool {
        moment.time() == NaiveTime::MIN || self.local(moment).time() == NaiveTime::MIN
    }
}
