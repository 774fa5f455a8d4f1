//! Dates as people and programs write them. Which of two numbers is the day is
//! said by the settings or proved by the file; it is never guessed.

use super::date_order::{DateOrder, Readings, short, two};
use super::eras::{ERAS, THAI, month_number, plain_digits};
use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc,
};
use chrono_tz::{OffsetName as _, Tz};

/// A date as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenDate {
    /// With an offset: one moment.
    Moment(DateTime<Utc>),
    /// A day that can be read in one way only, and its time if it has one.
    Day(NaiveDate, Option<NaiveTime>),
    /// Two numbers of which one is the day.
    Two {
        /// The first number.
        first: u32,
        /// The second number.
        second: u32,
        /// The year.
        year: i32,
        /// The time of day.
        time: Option<NaiveTime>,
    },
    /// A time beside the short name of several zones.
    InZone {
        /// The day.
        day: NaiveDate,
        /// The time of day.
        time: NaiveTime,
        /// The name, `CST`.
        zone: &'static str,
    },
    /// Three numbers, each of at most two digits.
    Short {
        /// The numbers.
        numbers: [u32; 3],
        /// The time of day.
        time: Option<NaiveTime>,
    },
}

/// Why a text is not a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateFault {
    /// It is not a date at all.
    NotADate,
    /// It can be read in two ways.
    Either(NaiveDate, NaiveDate),
    /// It does not fit the order of the other dates.
    NotInOrder,
    /// Its time zone's name means several zones, and the setting none of them.
    Zone(String),
    /// Its offset is not one that the zone beside it has then.
    OffsetAndZone(String, Tz),
}

impl DateFault {
    /// A zone whose clocks show this short name of several zones.
    #[must_use]
    pub fn zone_of(name: &str) -> Option<&'static str> {
        SEVERAL.iter().find(|(known, _)| *known == name)?.1
    }

    /// What is wrong with the text, which comes quoted.
    #[must_use]
    pub fn words(&self, text: &str) -> String {
        match self {
            Self::NotADate => format!("{text} is not a date such as 2026-10-30"),
            Self::Either(first, second) => format!("{text} can be {first} or {second}"),
            Self::NotInOrder => format!("{text} does not fit the order of the other dates"),
            Self::Zone(zone) => format!("{text} is in time zone {zone}, which can be several"),
            Self::OffsetAndZone(offset, zone) => {
                format!("{text} says {offset}, which is not what clocks in {zone} show then")
            }
        }
    }
}

/// A moment, and what the text held of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The moment; of a day its beginning.
    pub at: DateTime<Utc>,
    /// Whether there was a time of day.
    pub has_time: bool,
    /// Whether there was an offset.
    pub has_offset: bool,
}

/// What a written date means in one order.
pub(super) enum Resolved {
    Moment(DateTime<Utc>),
    Local(NaiveDate, Option<NaiveTime>),
}

impl WrittenDate {
    /// The day and time in an order; what needs one and has none is refused. The
    /// short name of several zones is that of `zone`, where it is one of its names.
    pub(super) fn resolve(self, order: Option<DateOrder>, zone: Tz) -> Result<Resolved, DateFault> {
        match self {
            Self::InZone { day, time, zone: name } => {
                let at = zone.from_local_datetime(&day.and_time(time));
                let mut readings = [at.earliest(), at.latest()].into_iter().flatten();
                let is_named = |at: &DateTime<Tz>| at.offset().abbreviation() == Some(name);
                let at = readings.find(is_named).ok_or_else(|| DateFault::Zone(name.to_owned()))?;
                Ok(Resolved::Moment(at.to_utc()))
            }
            Self::Moment(at) => Ok(Resolved::Moment(at)),
            Self::Day(day, time) => Ok(Resolved::Local(day, time)),
            Self::Two { first, second, year, time } => {
                let Readings { mdy, dmy, .. } = two(first, second, year);
                let day = match (order, dmy, mdy) {
                    (_, None, None) => return Err(DateFault::NotADate),
                    (Some(DateOrder::Dmy), Some(day), _) | (Some(DateOrder::Mdy), _, Some(day)) => {
                        day
                    }
                    (Some(_), _, _) => return Err(DateFault::NotInOrder),
                    (None, Some(day), None) | (None, None, Some(day)) => day,
                    (None, Some(dmy), Some(mdy)) if dmy == mdy => dmy,
                    (None, Some(dmy), Some(mdy)) => return Err(DateFault::Either(mdy, dmy)),
                };
                Ok(Resolved::Local(day, time))
            }
            Self::Short { numbers, time } => {
                let days = short(numbers);
                let day = match order {
                    Some(order) => days.of(order).ok_or(DateFault::NotInOrder)?,
                    None => {
                        let mut known = days.known();
                        let day = known.next().ok_or(DateFault::NotADate)?;
                        match known.find(|other| *other != day) {
                            Some(other) => return Err(DateFault::Either(day, other)),
                            None => day,
                        }
                    }
                };
                Ok(Resolved::Local(day, time))
            }
        }
    }
}

/// A local time as a moment: the earlier one where clocks go back, the first
/// one behind the gap where they go forward.
pub(super) fn in_zone(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
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

/// Reads a text without deciding what only the other dates can.
///
/// # Errors
/// When it is not a date, or its zone is not certain.
pub fn read(text: &str) -> Result<WrittenDate, DateFault> {
    if let Some(plain) = plain(text.as_bytes()) {
        return Ok(plain);
    }
    // A spreadsheet's mark of a text.
    let text = text.trim().trim_start_matches('\'');
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return Err(DateFault::NotADate) };
    let is_ascii = text.is_ascii();
    if !is_ascii && let Some(plain) = plain_digits(text) {
        return read(&plain);
    }
    if *first == b'/'
        && let Some(at) = of_dot_net(text)
    {
        return Ok(WrittenDate::Moment(at));
    }
    if (!is_ascii || matches!(first, b'R' | b'H' | b'S'))
        && let Some(era) = of_era(text)
    {
        return era;
    }
    if !is_ascii && let Some(thai) = thai(text) {
        return thai;
    }
    if matches!(bytes.len(), 10 | 12 | 13) && bytes.iter().all(u8::is_ascii_digit) {
        // Since 1970, milliseconds as HubSpot's search writes them, or seconds.
        let factor = if bytes.len() == 10 { 1_000 } else { 1 };
        return text
            .parse::<i64>()
            .ok()
            .and_then(|number| DateTime::from_timestamp_millis(number * factor))
            .map(WrittenDate::Moment)
            .ok_or(DateFault::NotADate);
    }
    if let Some(spaced) = spaced(text) {
        return read(&spaced);
    }
    if let Some(next) = end_of_day(text) {
        return next;
    }
    if first.is_ascii_digit() && !text.is_ascii() && text.contains(['年', '년']) {
        return east_asian(text);
    }
    if !first.is_ascii_digit() || has_month_name(text) {
        return named_month(text);
    }
    let (numbers, rest) = three_numbers(text).ok_or(DateFault::NotADate)?;
    let (time, offset) = clock(rest)?;
    let whole = |day| at(day, time, offset);
    let [(a, a_len), (b, _), (c, c_len)] = numbers;
    let dotted = bytes[a_len] == b'.';
    let day = |year: u32, month, day| {
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(whole)
    };
    let written = match (a_len, c_len) {
        (4, _) => day(a, b, c),
        // With points, the day stands first wherever dates are written so.
        (_, 4) if dotted => day(c, b, a),
        (_, 2) if dotted && day(2000 + c, b, a).is_some() => day(2000 + c, b, a),
        (_, 4) if offset.is_none() => i32::try_from(c)
            .ok()
            .map(|year| Ok(WrittenDate::Two { first: a, second: b, year, time })),
        (_, 2) if offset.is_none() => Some(Ok(WrittenDate::Short { numbers: [a, b, c], time })),
        // With an offset only a day that is certain gives a moment.
        (_, 4) if a > 12 || a == b => day(c, b, a),
        (_, 4) if b > 12 => day(c, a, b),
        _ => None,
    };
    written.ok_or(DateFault::NotADate)?
}

/// What nearly every cell of an export is: `2026-10-30`, alone or with a time of
/// day, that with `Z` or without an offset. Without any allocation.
fn plain(text: &[u8]) -> Option<WrittenDate> {
    let (text, is_utc) = text.strip_suffix(b"Z").map_or((text, false), |text| (text, true));
    let number = |from: usize, to: usize| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
        text.get(from..to)?.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    };
    let is = |at: usize, signs: &[u8]| text.get(at).is_some_and(|byte| signs.contains(byte));
    if !is(4, b"-") || !is(7, b"-") {
        return None;
    }
    let year = i32::try_from(number(0, 4)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    let second = match text.len() {
        10 if !is_utc => return Some(WrittenDate::Day(day, None)),
        16 => 0,
        19 if is(16, b":") => number(17, 19)?,
        _ => return None,
    };
    if !is(10, b"T ") || !is(13, b":") {
        return None;
    }
    let time = NaiveTime::from_hms_opt(number(11, 13)?, number(14, 16)?, second)?;
    Some(match is_utc {
        true => WrittenDate::Moment(day.and_time(time).and_utc()),
        false => WrittenDate::Day(day, Some(time)),
    })
}

/// `2026-11-03 24:00`: the end of a day, as ISO 8601 and databases write the
/// beginning of the next one.
fn end_of_day(text: &str) -> Option<Result<WrittenDate, DateFault>> {
    let (before, behind) = text.split_once("24:00")?;
    let seconds = behind.strip_prefix(':').map_or("00", |rest| rest.get(..2).unwrap_or_default());
    if !before.ends_with(['T', ' ']) || seconds != "00" {
        return None;
    }
    let later = |at: DateTime<Utc>| at.checked_add_signed(chrono::TimeDelta::days(1));
    let read = read(&format!("{before}00:00{behind}"));
    Some(read.and_then(|written| {
        let next = match written {
            WrittenDate::Moment(at) => later(at).map(WrittenDate::Moment),
            WrittenDate::Day(day, time) => day.succ_opt().map(|day| WrittenDate::Day(day, time)),
            WrittenDate::InZone { day, time, zone } => {
                day.succ_opt().map(|day| WrittenDate::InZone { day, time, zone })
            }
            WrittenDate::Two { .. } | WrittenDate::Short { .. } => None,
        };
        next.ok_or(DateFault::NotADate)
    }))
}

/// `/Date(1794304800000)/`, as OData of version 2 writes a moment; an offset in
/// it says where it was seen, and changes nothing.
fn of_dot_net(text: &str) -> Option<DateTime<Utc>> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let sign = inner.get(1..)?.find(['+', '-']).map_or(inner.len(), |at| at + 1);
    DateTime::from_timestamp_millis(inner[..sign].parse().ok()?)
}

/// `令和8年11月20日`, `R8.11.20`, `民國115年11月20日`. A day that its era does not
/// have is none.
fn of_era(text: &str) -> Option<Result<WrittenDate, DateFault>> {
    let (era, rest) = ERAS.iter().find_map(|era| {
        let named = era.names.iter().find_map(|name| text.strip_prefix(name));
        let lettered = || text.strip_prefix(era.letter?);
        let is_number = |rest: &&str| rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
        Some((era, named.or_else(|| lettered().filter(is_number))?.trim_start()))
    })?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (year, rest) = match rest.strip_prefix('元') {
        Some(rest) => (1, rest),
        None => (rest.get(..digits.min(3))?.parse::<i32>().ok()?, &rest[digits.min(3)..]),
    };
    let written = read(&format!("{}{rest}", era.before + year));
    Some(written.and_then(|written| {
        let day = match written {
            WrittenDate::Moment(at) => at.date_naive(),
            WrittenDate::Day(day, _) | WrittenDate::InZone { day, .. } => day,
            WrittenDate::Two { .. } | WrittenDate::Short { .. } => return Err(DateFault::NotADate),
        };
        let at = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day);
        let holds = year > 0 && at(era.first) <= Some(day) && Some(day) <= at(era.last);
        holds.then_some(written).ok_or(DateFault::NotADate)
    }))
}

/// `20 พ.ย. 2569`, `20 พฤศจิกายน พ.ศ. 2569`: Thai years are Buddhist ones, 543
/// later, unless they say `ค.ศ.` or cannot be.
fn thai(text: &str) -> Option<Result<WrittenDate, DateFault>> {
    let (month, name) = THAI.iter().find_map(|(long, short, name)| {
        [long, short].into_iter().find(|month| text.contains(**month)).map(|month| (*month, name))
    })?;
    let plain = text.replacen(month, &format!(" {name} "), 1).replace("พ.ศ.", " ");
    let plain = plain.replace("ค.ศ.", " ").replace("เวลา", " ").replace("น.", " ");
    let mut words: Vec<&str> = plain.split_whitespace().filter(|word| *word != "ที่").collect();
    let year = words.get(2).and_then(|year| year.parse::<i32>().ok());
    let gregorian = match year {
        Some(year) if text.contains("ค.ศ.") || (1900..2300).contains(&year) => year,
        Some(year) if (2443..2843).contains(&year) => year - 543,
        // One of two digits counts from either.
        _ => return Some(Err(DateFault::NotADate)),
    };
    let gregorian = gregorian.to_string();
    words[2] = &gregorian;
    Some(named_month(&words.join(" ")))
}

/// `20261110`, `20261110T101500Z` and `10. 11. 2026`, `2026. 11. 10.` with the
/// signs that the others have.
fn spaced(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let century = matches!(text.get(..2), Some("19" | "20"));
    if digits == 8 && century && matches!(text.as_bytes().get(8), None | Some(b'T')) {
        let mut out = format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..8]);
        let clock = text.get(9..).unwrap_or_default();
        let plain = clock.bytes().take_while(u8::is_ascii_digit).count();
        match plain {
            0 => out.push_str(&text[8..]),
            4 | 6 => {
                let seconds = if plain == 6 { &clock[4..6] } else { "00" };
                out.push_str(&format!(
                    "T{}:{}:{seconds}{}",
                    &clock[..2],
                    &clock[2..4],
                    &clock[plain..]
                ));
            }
            _ => return None,
        }
        return Some(out);
    }
    let mut parts = text.splitn(3, ". ");
    let (first, second, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(first) && is_number(second)).then(|| {
        let third = rest.bytes().take_while(u8::is_ascii_digit).count();
        let behind = rest[third..].trim_start_matches('.');
        format!("{first}.{second}.{}{behind}", &rest[..third])
    })
}

/// `2026年11月10日`, `2026년 11월 10일 16:42`.
fn east_asian(text: &str) -> Result<WrittenDate, DateFault> {
    let mut rest = text;
    let mut number = |ends: [char; 2]| {
        let (digits, after) = rest.split_once(ends).ok_or(DateFault::NotADate)?;
        rest = after.trim_start();
        digits.trim().parse::<u32>().map_err(|_| DateFault::NotADate)
    };
    let (year, month, day) = (number(['年', '년'])?, number(['月', '월'])?, number(['日', '일'])?);
    // The day of the week.
    if let Some((_, after)) =
        rest.strip_prefix(['(', '（']).and_then(|it| it.split_once([')', '）']))
    {
        rest = after.trim_start();
    }
    let day = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    let spaced = if rest.is_empty() { String::new() } else { format!(" {rest}") };
    let (time, offset) = clock(&spaced)?;
    at(day.ok_or(DateFault::NotADate)?, time, offset)
}

/// What a clock's zone is, as far as its name tells.
#[derive(Clone, Copy)]
enum ClockZone {
    Offset(FixedOffset),
    Named(Tz),
    Both(FixedOffset, Tz),
    /// Short for several.
    Short(&'static str),
}

fn at(
    day: NaiveDate,
    time: Option<NaiveTime>,
    zone: Option<ClockZone>,
) -> Result<WrittenDate, DateFault> {
    let (Some(time), Some(zone)) = (time, zone) else { return Ok(WrittenDate::Day(day, time)) };
    let local = day.and_time(time);
    let of = |offset: FixedOffset| match offset.from_local_datetime(&local) {
        LocalResult::Single(at) => Ok(at.to_utc()),
        _ => Err(DateFault::NotADate),
    };
    Ok(match zone {
        ClockZone::Offset(offset) => WrittenDate::Moment(of(offset)?),
        ClockZone::Named(zone) => WrittenDate::Moment(in_zone(local, zone)),
        ClockZone::Both(offset, zone) => {
            let at = of(offset)?;
            if at.with_timezone(&zone).naive_local() != local {
                return Err(DateFault::OffsetAndZone(offset.to_string(), zone));
            }
            WrittenDate::Moment(at)
        }
        ClockZone::Short(zone) => WrittenDate::InZone { day, time, zone },
    })
}

/// Whether a month's name stands before the year: `30 Oct 2026`, `1er mars`.
fn has_month_name(text: &str) -> bool {
    text.chars().take(7).any(|c| c.is_alphabetic() && c != 'T')
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

/// `30 Oct 2026`, `30-Oct-26`, `October 30, 2026`, `10. November 2026`,
/// `1er mars 2026`, `10 de noviembre de 2026`, each with a time or without.
fn named_month(text: &str) -> Result<WrittenDate, DateFault> {
    let mut rest = text;
    let mut words: Vec<&str> = Vec::with_capacity(4);
    while words.len() < 3 {
        let end = rest.find([' ', '-', '/', '\u{a0}']).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches([',', '.']);
        rest = rest
            .get(end + rest[end..].chars().next().map_or(0, char::len_utf8)..)
            .unwrap_or_default();
        // A day's name in front, and the small words of Spanish and Portuguese.
        let weekday = words.is_empty()
            && month_number(word).is_none()
            && word.chars().all(char::is_alphabetic);
        if !word.is_empty() && !weekday && !matches!(word, "de" | "of" | "del") {
            words.push(word);
        }
        if rest.is_empty() && words.len() < 3 {
            return Err(DateFault::NotADate);
        }
    }
    let ordinal = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || matches!(c, 'º' | 'ª'));
        let suffix = &word[digits.len()..];
        matches!(suffix, "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "ª")
            .then(|| digits.parse::<u32>().ok())
            .flatten()
    };
    let (day, month) = match (month_number(words[0]), month_number(words[1])) {
        (Some(month), None) => (ordinal(words[1]), month),
        (None, Some(month)) => (ordinal(words[0]), month),
        _ => return Err(DateFault::NotADate),
    };
    let year = match words[2].len() {
        4 => words[2].parse().ok(),
        // A year of two digits stands behind the month's name only.
        2 => words[2].parse::<i32>().ok().map(|year| 2000 + year),
        _ => None,
    };
    let day = day.zip(year).and_then(|(day, year)| NaiveDate::from_ymd_opt(year, month, day));
    // Russian writes `г.` behind the year.
    let rest = rest.trim().trim_start_matches("г.").trim();
    let spaced = if rest.is_empty() { String::new() } else { format!(" {rest}") };
    let (time, offset) = clock(&spaced)?;
    at(day.ok_or(DateFault::NotADate)?, time, offset)
}

type ClockTime = (Option<NaiveTime>, Option<ClockZone>);

/// What follows the day: nothing, or a time with or without an offset.
fn clock(rest: &str) -> Result<ClockTime, DateFault> {
    let rest = match rest.strip_prefix(['T', ',', ' ', '\u{a0}']) {
        Some(rest) => rest.trim(),
        None if rest.is_empty() => rest,
        None => return Err(DateFault::NotADate),
    };
    let words = ["at ", "um ", "à ", "kl. ", "kl ", "klo "];
    let rest = words.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
    // Polish writes `r.` behind the year.
    let rest = rest.strip_prefix("r.").map_or(rest, |rest| rest.trim_start_matches([',', ' ']));
    if rest.is_empty() {
        return Ok((None, None));
    }
    let rest = plain_clock(rest);
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (time, zone) = time_of_day(&rest[..end], rest[end..].trim()).ok_or(DateFault::NotADate)?;
    Ok((Some(time), clock_zone(zone)?))
}

/// A time of day in the signs that the others have: `14h30`, `14.30`, `14時30分`,
/// `下午2:30`, `오후 2:30`, `2:30 p. m.`.
fn plain_clock(text: &str) -> String {
    let halves = [
        ("上午", "AM"),
        ("午前", "AM"),
        ("오전", "AM"),
        ("下午", "PM"),
        ("午後", "PM"),
        ("오후", "PM"),
    ];
    let half = halves.iter().find_map(|(word, half)| Some((text.strip_prefix(word)?.trim(), half)));
    let text = half.map_or_else(|| text.to_owned(), |(rest, half)| format!("{rest} {half}"));
    let text = text.replace("時", ":").replace("点", ":").replace(['分', '秒'], "");
    let text = text.trim_end_matches(':').replace(". m.", ".m.");
    let bytes = text.as_bytes();
    let hour = bytes.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
    let minute =
        |at: usize| bytes.get(at..at + 2).is_some_and(|it| it.iter().all(u8::is_ascii_digit));
    let is_sign = matches!(bytes.get(hour), Some(b'h' | b'.'));
    if hour > 0 && is_sign && minute(hour + 1) {
        format!("{}:{}", &text[..hour], &text[hour + 1..])
    } else {
        text
    }
}

fn time_of_day<'a>(digits: &str, mut zone: &'a str) -> Option<(NaiveTime, &'a str)> {
    let mut parts = digits.split(':');
    let mut hour: u32 = parts.next()?.parse().ok()?;
    let half = zone.split([' ', '(']).next().unwrap_or_default();
    let bare = half.to_ascii_uppercase().replace('.', "");
    let is_half = matches!(bare.as_str(), "AM" | "PM");
    let minute: u32 = match parts.next() {
        Some(minute) => minute.parse().ok()?,
        None if is_half => 0,
        None => return None,
    };
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
    if is_half {
        if hour == 0 || hour > 12 {
            return None;
        }
        hour = hour % 12 + if bare == "PM" { 12 } else { 0 };
        zone = zone[half.len()..].trim();
    }
    let zone = zone.strip_prefix("Uhr").unwrap_or(zone).trim();
    Some((NaiveTime::from_hms_nano_opt(hour, minute, second, nano)?, zone))
}

/// The zone behind a time: `-05:00`, `GMT+2`, `EST5EDT`, `Europe/Berlin`,
/// `+01:00[Europe/Berlin]`, `GMT+0100 (Central European Standard Time)`.
fn clock_zone(text: &str) -> Result<Option<ClockZone>, DateFault> {
    let named = |name: &str| name.parse::<Tz>().ok();
    if let Some((before, rest)) = text.split_once('[') {
        let name = rest.split(']').next().unwrap_or_default().trim_start_matches('!');
        return Ok(match (fixed(before.trim())?, named(name)) {
            (Some(ClockZone::Offset(offset)), Some(zone)) => Some(ClockZone::Both(offset, zone)),
            (None, Some(zone)) => Some(ClockZone::Named(zone)),
            // A calendar, such as `[u-ca=gregory]`.
            (offset, None) if offset.is_some() || name.contains('=') => offset,
            _ => return Err(DateFault::NotADate),
        });
    }
    let bare = text.trim_matches(['(', ')']).trim();
    match fixed(certain_offset(text)) {
        Err(DateFault::NotADate) => match named(bare) {
            Some(zone) => Ok(Some(ClockZone::Named(zone))),
            // A name written out, `W. Europe Standard Time`, keeps its clock all
            // the year in one system and not in another.
            None if bare.ends_with(" Time") || bare.starts_with("UTC") => {
                Err(DateFault::Zone(shortened(text)))
            }
            None => Err(DateFault::NotADate),
        },
        zone => zone,
    }
}

fn shortened(zone: &str) -> String {
    let words: Vec<&str> = zone.split_whitespace().collect();
    words.join(" ").chars().take(60).collect()
}

/// An offset without the zone's name beside it: `+0000 UTC`,
/// `GMT+0100 (Central European Standard Time)`.
fn certain_offset(zone: &str) -> &str {
    let signed = ["GMT", "UTC"].iter().find_map(|name| zone.strip_prefix(name)).unwrap_or(zone);
    if !signed.starts_with(['+', '-']) {
        return zone;
    }
    signed.split([' ', '(']).next().unwrap_or(signed)
}

/// Short names of zones that mean one offset, in minutes.
#[rustfmt::skip]
const ZONES: [(&str, i32); 32] = [
    ("Z", 0), ("UTC", 0), ("GMT", 0), ("EDT", -240), ("CDT", -300), ("MST", -420), ("MDT", -360),
    ("PST", -480), ("PDT", -420), ("AKST", -540), ("AKDT", -480), ("HST", -600), ("BRT", -180),
    ("WET", 0), ("WEST", 60), ("CET", 60), ("CEST", 120), ("EET", 120), ("EEST", 180),
    ("MSK", 180), ("TRT", 180), ("SAST", 120), ("SGT", 480), ("HKT", 480), ("JST", 540),
    ("KST", 540), ("AWST", 480), ("ACST", 570), ("AEST", 600), ("AEDT", 660), ("NZST", 720),
    ("NZDT", 780),
];

/// Those that mean several, each with a zone whose clocks show it: `EST` is Australia's, too.
#[rustfmt::skip]
const SEVERAL: [(&str, Option<&str>); 9] = [
    ("EST", Some("America/New_York")), ("CST", Some("America/Chicago")),
    ("IST", Some("Asia/Kolkata")), ("BST", Some("Europe/London")),
    ("AST", Some("America/Halifax")), ("SST", Some("Pacific/Pago_Pago")),
    ("EAST", None), ("GST", None), ("WST", None),
];

/// `Z`, `UTC`, `+02:00`, `+0200`, `-5`, `CET`.
fn fixed(zone: &str) -> Result<Option<ClockZone>, DateFault> {
    if zone.is_empty() {
        return Ok(None);
    }
    let east = |minutes: i32| FixedOffset::east_opt(minutes * 60).map(ClockZone::Offset);
    let upper = zone.trim_matches(['(', ')']).to_ascii_uppercase();
    if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == upper) {
        return Ok(east(*minutes));
    }
    if let Some((name, _)) = SEVERAL.into_iter().find(|(name, _)| *name == upper) {
        return Ok(Some(ClockZone::Short(name)));
    }
    let signed = || {
        let (sign, rest) = (zone.as_bytes()[0], zone.get(1..)?);
        let (hours, minutes) = match rest.split_once(':') {
            Some(parts) => parts,
            None if rest.len() == 4 => rest.split_at_checked(2)?,
            None => (rest, "00"),
        };
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let is_written = matches!(hours.len(), 1 | 2) && minutes.len() == 2;
        if !is_written || !is_number(hours) || !is_number(minutes) {
            return None;
        }
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        // No clock is further ahead than that, or further behind.
        let total = hours * 60 + minutes;
        if minutes > 59 || total > 14 * 60 {
            return None;
        }
        match sign {
            b'+' => east(total),
            b'-' => east(-total),
            _ => None,
        }
    };
    signed().map(Some).ok_or(DateFault::NotADate)
}
