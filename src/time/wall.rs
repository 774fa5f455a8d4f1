//! From the clock on the wall to an instant, on nights when the clock jumps.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The first instant at which the clock shows this time or, where it jumps
/// over it, a later one.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(moment, _) => {
            moment.with_timezone(&Utc)
        }
        MappedLocalTime::None => after_jump(zone, local),
    }
}

/// The last instant at which the clock shows this time or, where it jumps
/// over it, the instant of the jump.
pub(super) fn last_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(_, moment) => {
            moment.with_timezone(&Utc)
        }
        MappedLocalTime::None => after_jump(zone, local),
    }
}

/// The instant at which the clock jumped over a time. No zone is further than
/// 26 hours from UTC, and no jump longer than a day (Samoa skipped
/// 2011-12-30), so the instant lies within this reach.
fn after_jump(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    const REACH: i64 = 52 * 3600;
    let middle = local.and_utc();
    let at = |offset: i64| middle.checked_add_signed(TimeDelta::seconds(offset));
    let reached = |offset: i64| {
        at(offset).is_none_or(|moment| moment.with_timezone(&zone).naive_local() >= local)
    };
    let (mut before, mut after) = (-REACH, REACH);
    while after - before > 1 {
        let half = before + (after - before) / 2;
        if reached(half) {
            after = half;
        } else {
            before = half;
        }
    }
    at(after).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
