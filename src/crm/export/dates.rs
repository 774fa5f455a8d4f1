//! Dates as exports write them. Which of two numbers is the day is said by the
//! settings or proved by the column; it is never guessed.

use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc,
};
use chrono_tz::Tz;

use super::settings::DateOrder;

/// A date as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// With an offset: one moment.
    Moment(DateTime<Utc>),
    /// A day that can be read in one way only, and its time if it has one.
    Day(NaiveDate, Option<NaiveTime>),
    /// Two numbers of which one is the day.
    Two { first: u32, second: u32, year: i32, time: Option<NaiveTime> },
    /// Three numbers of which the last may be a year of two digits.
    Short { numbers: [u32; 3], time: Option<NaiveTime> },
}

/// What a column of dates proves about the order, with the first row for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OrderProof {
    pub(super) day_first: Option<usize>,
    pub(super) month_first: Option<usize>,
    pub(super) either: Option<usize>,
}

impl OrderProof {
    /// Takes one cell into account.
    pub(super) fn see(&mut self, text: &str, row: usize) {
        let Some(Written::Two { first, second, .. }) = read(text) else { return };
        let seen = match (first > 12, second > 12) {
            (true, false) => &mut self.day_first,
            (false, true) => &mut self.month_first,
            (false, false) if first != second => &mut self.either,
            _ => return,
        };
        seen.get_or_insert(row);
    }

    /// The order, where the column proves exactly one.
    pub(super) fn order(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (Some(_), None) => Some(DateOrder::Dmy),
            (None, Some(_)) => Some(DateOrder::Mdy),
            _ => None,
        }
    }
}

/// Why a cell gives no moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DateFault {
    /// It is no date at all.
    NoDate,
    /// It can be read in two ways.
    Either(String, String),
    /// It does not fit the order that is configured.
    NotInOrder,
}

/// A moment, and whether the cell held a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: DateTime<Utc>,
    pub(super) has_time: bool,
    pub(super) has_offset: bool,
}

/// The moment a cell means.
pub(super) fn moment(text: &str, order: Option<DateOrder>, zone: Tz) -> Result<Moment, DateFault> {
    let (day, time) = match read(text).ok_or(DateFault::NoDate)? {
        Written::Moment(at) => return Ok(Moment { at, has_time: true, has_offset: true }),
        Written::Day(day, time) => (day, time),
        Written::Two { first, second, year, time } => {
            let dmy = NaiveDate::from_ymd_opt(year, second, first);
            let mdy = NaiveDate::from_ymd_opt(year, first, second);
            let day = match (order, dmy, mdy) {
                (Some(DateOrder::Dmy), Some(day), _) | (Some(DateOrder::Mdy), _, Some(day)) => day,
                (Some(_), None, None) | (None, None, None) => return Err(DateFault::NoDate),
                (Some(_), _, _) => return Err(DateFault::NotInOrder),
                (None, Some(day), None) | (None, None, Some(day)) => day,
                (None, Some(dmy), Some(mdy)) if dmy == mdy => dmy,
                (None, Some(dmy), Some(mdy)) => {
                    return Err(DateFault::Either(mdy.to_string(), dmy.to_string()));
                }
            };
            (day, time)
        }
        Written::Short { numbers, time } => {
            let readings = [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd]
                .map(|order| (order, short(numbers, order)));
            let day = match order {
                Some(order) => {
                    readings.into_iter().find(|(o, _)| *o == order).and_then(|(_, day)| day)
                }
                None => {
                    let mut days: Vec<NaiveDate> =
                        readings.into_iter().filter_map(|(_, day)| day).collect();
                    days.dedup();
                    match days.as_slice() {
                        [] => return Err(DateFault::NoDate),
                        [day] => Some(*day),
                        [first, second, ..] => {
                            return Err(DateFault::Either(first.to_string(), second.to_string()));
                        }
                    }
                }
            };
            (day.ok_or(DateFault::NotInOrder)?, time)
        }
    };
    let local = day.and_time(time.unwrap_or_default());
    Ok(Moment { at: in_zone(local, zone), has_time: time.is_some(), has_offset: false })
}

fn short([a, b, c]: [u32; 3], order: DateOrder) -> Option<NaiveDate> {
    let (year, month, day) = match order {
        DateOrder::Mdy => (c, a, b),
        DateOrder::Dmy => (c, b, a),
        DateOrder::Ymd => (a, b, c),
    };
    NaiveDate::from_ymd_opt(2000 + i32::try_from(year).ok().filter(|y| *y < 100)?, month, day)
}

/// A local time as a moment: the earlier one where clocks go back, the first
/// one behind the gap where they go forward.
fn in_zone(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    if zone == Tz::UTC {
        return local.and_utc();
    }
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let later = local + chrono::TimeDelta::hours(1);
            zone.from_local_datetime(&later).earliest().map_or(local.and_utc(), |at| at.to_utc())
        }
    }
}

/// Reads a cell without deciding what only the column can.
pub(super) fn read(text: &str) -> Option<Written> {
    let text = text.trim();
    let bytes = text.as_bytes();
    if bytes.len() == 13 && bytes.iter().all(u8::is_ascii_digit) {
        // Milliseconds since 1970, as HubSpot's search writes them.
        return DateTime::from_timestamp_millis(text.parse().ok()?).map(Written::Moment);
    }
    let (numbers, rest) = if bytes.first()?.is_ascii_digit() && !has_month_name(bytes) {
        three_numbers(text)?
    } else {
        return named_month(text);
    };
    let (time, offset) = clock(rest)?;
    let [(a, a_len), (b, _), (c, c_len)] = numbers;
    let dotted = bytes[a_len] == b'.';
    if a_len == 4 {
        let day = NaiveDate::from_ymd_opt(i32::try_from(a).ok()?, b, c)?;
        return Some(at(day, time, offset));
    }
    match c_len {
        // With points, the day stands first wherever dates are written so.
        4 if dotted => {
            NaiveDate::from_ymd_opt(i32::try_from(c).ok()?, b, a).map(|day| at(day, time, offset))
        }
        4 if offset.is_none() => {
            Some(Written::Two { first: a, second: b, year: i32::try_from(c).ok()?, time })
        }
        2 if offset.is_none() => Some(Written::Short { numbers: [a, b, c], time }),
        _ => None,
    }
}

fn at(day: NaiveDate, time: Option<NaiveTime>, offset: Option<FixedOffset>) -> Written {
    match (time, offset) {
        (Some(time), Some(offset)) => match offset.from_local_datetime(&day.and_time(time)) {
            LocalResult::Single(at) => Written::Moment(at.to_utc()),
            _ => Written::Day(day, Some(time)),
        },
        (time, _) => Written::Day(day, time),
    }
}

fn has_month_name(bytes: &[u8]) -> bool {
    bytes.iter().take(6).any(|b| b.is_ascii_alphabetic() && *b != b'T')
}

type Numbers = [(u32, usize); 3];

/// Three numbers with one separator between them, and what follows.
fn three_numbers(text: &str) -> Option<(Numbers, &str)> {
    let bytes = text.as_bytes();
    let mut numbers = [(0, 0); 3];
    let (mut at, mut separator) = (0, None);
    for (index, number) in numbers.iter_mut().enumerate() {
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() && at - start < 4 {
            number.0 = number.0 * 10 + u32::from(bytes[at] - b'0');
            at += 1;
        }
        number.1 = at - start;
        if number.1 == 0 {
            return None;
        }
        if index < 2 {
            let sign = *bytes.get(at).filter(|b| matches!(b, b'-' | b'/' | b'.'))?;
            if *separator.get_or_insert(sign) != sign {
                return None;
            }
            at += 1;
        }
    }
    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((numbers, &text[at..]))
}

/// `30 Oct 2026`, `30-Oct-2026`, `October 30, 2026`: English month names.
fn named_month(text: &str) -> Option<Written> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut parts = text.splitn(4, [' ', '-', '/']).map(|part| part.trim_end_matches([',', '.']));
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next().unwrap_or_default();
    let month = |word: &str| {
        let word = word.to_ascii_lowercase();
        let start = word.get(..3)?;
        let index = MONTHS.iter().position(|month| *month == start)?;
        u32::try_from(index + 1).ok().filter(|_| word.bytes().all(|b| b.is_ascii_alphabetic()))
    };
    let (day, month) = match (month(a), month(b)) {
        (Some(month), None) => (b, month),
        (None, Some(month)) => (a, month),
        _ => return None,
    };
    let year = c.parse().ok().filter(|year| (1000..10_000).contains(year))?;
    let day = NaiveDate::from_ymd_opt(year, month, day.parse().ok()?)?;
    let (time, offset) = clock(rest)?;
    Some(at(day, time, offset))
}

type Clock = (Option<NaiveTime>, Option<FixedOffset>);

/// What follows the day: nothing, or a time with or without an offset.
fn clock(rest: &str) -> Option<Clock> {
    if rest.is_empty() {
        return Some((None, None));
    }
    let rest = rest.strip_prefix(['T', ',', ' '])?.trim();
    if rest.is_empty() {
        return Some((None, None));
    }
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (digits, mut zone) = (&rest[..end], rest[end..].trim());
    let mut parts = digits.split(':');
    let mut hour: u32 = parts.next()?.parse().ok()?;
    let minute: u32 = parts.next()?.parse().ok()?;
    let (second, nano) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
            let nano = if part.is_empty() {
                0
            } else {
                format!("{:0<9}", part.get(..part.len().min(9))?).parse().ok()?
            };
            (whole.parse().ok()?, nano)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let half = zone.get(..2).map(str::to_ascii_uppercase);
    if let Some(half @ ("AM" | "PM")) = half.as_deref() {
        if hour == 0 || hour > 12 {
            return None;
        }
        hour = hour % 12 + if half == "PM" { 12 } else { 0 };
        zone = zone[2..].trim();
    }
    let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nano)?;
    Some((Some(time), offset(zone)?))
}

/// `Z`, `UTC`, `+02:00`, `+0200`, `-05`.
fn offset(zone: &str) -> Option<Option<FixedOffset>> {
    if zone.is_empty() {
        return Some(None);
    }
    if matches!(zone, "Z" | "z" | "UTC" | "GMT") {
        return Some(FixedOffset::east_opt(0));
    }
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 =
        digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
    let east = (hours * 60 + minutes) * 60;
    match zone.as_bytes()[0] {
        b'+' => FixedOffset::east_opt(east).map(Some),
        b'-' => FixedOffset::west_opt(east).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, order: Option<DateOrder>, zone: &str) -> String {
        match moment(text, order, zone.parse().expect("zone")) {
            Ok(moment) => moment.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        let (utc, new_york) = ("UTC", "America/New_York");
        for (text, order, zone, requested) in [
            ("2026-10-30", None, utc, "2026-10-30T00:00:00Z"),
            ("2026-10-30 12:42", None, new_york, "2026-10-30T16:42:00Z"),
            ("2026-10-30T16:42:12.000Z", None, new_york, "2026-10-30T16:42:12Z"),
            ("2026-10-30T16:42:12.000+0000", None, new_york, "2026-10-30T16:42:12Z"),
            ("2026-10-30 16:42:11 +02:00", None, utc, "2026-10-30T14:42:11Z"),
            ("2026/10/30", None, utc, "2026-10-30T00:00:00Z"),
            ("30.10.2026", None, utc, "2026-10-30T00:00:00Z"),
            ("3.4.2026 14:05", None, utc, "2026-04-03T14:05:00Z"),
            ("10/30/2026, 6:00 AM", None, utc, "2026-10-30T06:00:00Z"),
            ("10/30/2026 12:00 AM", None, utc, "2026-10-30T00:00:00Z"),
            ("30/10/2026 12:30 pm", None, utc, "2026-10-30T12:30:00Z"),
            ("30 Oct 2026", None, utc, "2026-10-30T00:00:00Z"),
            ("30-Oct-2026", None, utc, "2026-10-30T00:00:00Z"),
            ("October 30, 2026", None, utc, "2026-10-30T00:00:00Z"),
            ("1790812800000", None, utc, "2026-10-01T00:00:00Z"),
            ("05/05/2026", None, utc, "2026-05-05T00:00:00Z"),
            ("03/04/2026", Some(DateOrder::Mdy), utc, "2026-03-04T00:00:00Z"),
            ("03/04/2026", Some(DateOrder::Dmy), utc, "2026-04-03T00:00:00Z"),
            ("03/04/26", Some(DateOrder::Dmy), utc, "2026-04-03T00:00:00Z"),
            ("03/04/2026", None, utc, "Either(\"2026-03-04\", \"2026-04-03\")"),
            ("03-04-2026", None, utc, "Either(\"2026-03-04\", \"2026-04-03\")"),
            ("30/10/2026", Some(DateOrder::Mdy), utc, "NotInOrder"),
            ("2026-02-30", None, utc, "NoDate"),
            ("31/31/2026", None, utc, "NoDate"),
            ("soon", None, utc, "NoDate"),
            ("2026-10-30x", None, utc, "NoDate"),
            ("12026-10-30", None, utc, "NoDate"),
            // Clocks go back (01:30 twice) and forward (02:30 never).
            ("2026-11-01 01:30", None, new_york, "2026-11-01T05:30:00Z"),
            ("2026-03-08 02:30", None, new_york, "2026-03-08T07:30:00Z"),
        ] {
            assert_eq!(told(text, order, zone), requested, "{text} {order:?} {zone}");
        }
    }

    #[test]
    fn a_column_proves_its_order_or_does_not() {
        let proof = |cells: &[&str]| {
            let mut proof = OrderProof::default();
            for (row, cell) in cells.iter().enumerate() {
                proof.see(cell, row);
            }
            proof.order()
        };
        assert_eq!(proof(&["03/04/2026", "10/30/2026"]), Some(DateOrder::Mdy));
        assert_eq!(proof(&["03/04/2026", "30/10/2026"]), Some(DateOrder::Dmy));
        assert_eq!(proof(&["03/04/2026", "11/12/2026"]), None);
        assert_eq!(proof(&["30/10/2026", "10/30/2026"]), None, "a mixed column proves nothing");
    }
}
