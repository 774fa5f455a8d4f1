//! Business calendars, durations and moments, through their public face.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use handoff::time::{
    Calendar, CalendarConfig, Edge, HumanDuration, MomentError, deadline, describe_seconds,
    parse_moment, parse_window, read_moment,
};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a test's time is RFC 3339")
}

fn within(text: &str) -> HumanDuration {
    text.parse().expect("a test's duration is valid")
}

fn calendar(timezone: &str, days: &[&str], hours: &str, holidays: &[&str]) -> Calendar {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    CalendarConfig {
        timezone: timezone.to_owned(),
        days: words(days),
        hours: hours.to_owned(),
        holidays: words(holidays),
    }
    .check()
    .expect("a test's calendar is valid")
}

const WEEK: [&str; 5] = ["mon", "tue", "wed", "thu", "fri"];
const ALL_DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn new_york() -> Calendar {
    calendar("America/New_York", &WEEK, "09:00-17:00", &["2026-11-26"])
}

#[test]
fn working_time_skips_nights_weekends_and_holidays() {
    let calendar = new_york();
    // Friday 10:02 in New York; eight working hours later it is Monday 10:02.
    let friday = at("2026-11-20T15:02:00Z");
    assert_eq!(calendar.add(friday, within("8h")), at("2026-11-23T15:02:00Z"));
    assert_eq!(calendar.add(friday, within("1d")), at("2026-11-23T15:02:00Z"));
    // Wednesday 16:00 before Thanksgiving: one hour is left, the rest is on Friday.
    let wednesday = at("2026-11-25T21:00:00Z");
    assert_eq!(calendar.add(wednesday, within("1h")), at("2026-11-25T22:00:00Z"));
    assert_eq!(calendar.add(wednesday, within("1h1s")), at("2026-11-27T14:00:01Z"));
    assert_eq!(calendar.between(wednesday, at("2026-11-27T14:30:00Z")), 5400);
    assert_eq!(calendar.between(at("2026-11-27T14:30:00Z"), wednesday), -5400);
}

#[test]
fn working_time_is_counted_back_over_nights_weekends_and_holidays() {
    let calendar = new_york();
    for (end, back, start) in [
        ("2026-11-24T15:00:00Z", "1h", "2026-11-24T14:00:00Z"),
        ("2026-11-24T15:00:00Z", "3h", "2026-11-23T20:00:00Z"),
        ("2026-11-23T15:00:00Z", "9h1s", "2026-11-19T21:59:59Z"),
        ("2026-11-27T15:00:00Z", "2h", "2026-11-25T21:00:00Z"),
        ("2026-11-27T15:00:00Z", "80h", "2026-11-12T15:00:00Z"),
        // In the night the day before it ends.
        ("2026-11-24T04:00:00Z", "30m", "2026-11-23T21:30:00Z"),
    ] {
        assert_eq!(calendar.before(at(end), within(back)), at(start), "{end} {back}");
    }
}

#[test]
fn a_start_outside_the_hours_counts_from_the_next_opening() {
    let calendar = new_york();
    for start in ["2026-11-21T12:00:00Z", "2026-11-20T22:00:00Z", "2026-11-23T13:59:59Z"] {
        assert_eq!(calendar.add(at(start), within("30m")), at("2026-11-23T14:30:00Z"), "{start}");
    }
    assert_eq!(calendar.between(at("2026-11-20T23:00:00Z"), at("2026-11-23T13:00:00Z")), 0);
}

#[test]
fn hours_on_the_wall_move_with_daylight_saving() {
    let calendar = new_york();
    // Summer time ends on 2026-11-01: 09:00 is 13:00Z on Friday, 14:00Z on Monday.
    assert_eq!(calendar.add(at("2026-10-30T20:00:00Z"), within("2h")), at("2026-11-02T15:00:00Z"));
}

#[test]
fn a_night_that_does_not_exist_and_one_that_happens_twice() {
    let always = calendar("America/New_York", &ALL_DAYS, "00:00-24:00", &[]);
    // 2026-03-08 has 23 hours there, 2026-11-01 has 25.
    assert_eq!(always.between(at("2026-03-08T05:00:00Z"), at("2026-03-09T04:00:00Z")), 23 * 3600);
    assert_eq!(always.between(at("2026-11-01T04:00:00Z"), at("2026-11-02T05:00:00Z")), 25 * 3600);

    let night = calendar("America/New_York", &ALL_DAYS, "02:00-03:00", &[]);
    let (from, to) = (at("2026-03-08T05:00:00Z"), at("2026-03-09T04:00:00Z"));
    assert_eq!(night.between(from, to), 0, "the hour from 02:00 to 03:00 does not exist");
    assert_eq!(night.add(from, within("30m")), at("2026-03-09T06:30:00Z"));
    let half = calendar("America/New_York", &ALL_DAYS, "02:30-04:00", &[]);
    assert_eq!(half.between(from, to), 3600, "it opens when the clock jumps to 03:00");

    let twice = calendar("America/New_York", &ALL_DAYS, "01:00-02:00", &[]);
    let (from, to) = (at("2026-11-01T04:00:00Z"), at("2026-11-02T05:00:00Z"));
    assert_eq!(twice.between(from, to), 2 * 3600, "the hour from 01:00 to 02:00 happens twice");
    let split = calendar("America/New_York", &ALL_DAYS, "00:00-01:30, 01:30-08:00", &[]);
    assert_eq!(split.between(from, to), 9 * 3600, "nothing counts twice where two spans meet");
    // Samoa skipped the whole of 2011-12-30.
    let samoa = calendar("Pacific/Apia", &ALL_DAYS, "09:00-17:00", &[]);
    assert_eq!(samoa.between(at("2011-12-30T04:00:00Z"), at("2011-12-31T04:00:00Z")), 8 * 3600);
}

#[test]
fn hours_may_have_a_break_or_run_over_midnight() {
    let noon = calendar("UTC", &WEEK, "09:00-12:00, 13:00-17:00", &[]);
    assert_eq!(noon.add(at("2026-11-20T11:30:00Z"), within("1h")), at("2026-11-20T13:30:00Z"));
    assert_eq!(noon.day_s(), 7 * 3600);
    let night = calendar("UTC", &["fri"], "22:00-06:00", &[]);
    assert_eq!(night.between(at("2026-11-20T00:00:00Z"), at("2026-11-22T00:00:00Z")), 8 * 3600);
    assert_eq!(night.add(at("2026-11-21T01:00:00Z"), within("6h")), at("2026-11-27T23:00:00Z"));
    assert_eq!(night.to_string(), "Fri 22:00-06:00 UTC");
    assert_eq!(
        new_york().to_string(),
        "Mon Tue Wed Thu Fri 09:00-17:00 America/New_York, 1 holiday"
    );
}

#[test]
fn years_that_nobody_meant_are_answered_at_once() {
    let calendar = new_york();
    let never = DateTime::<Utc>::MAX_UTC;
    assert!(calendar.between(DateTime::<Utc>::MIN_UTC, never) > 0);
    assert_eq!(calendar.add(never, within("1h")), never);
    assert_eq!(deadline(never, within("1h"), None), never);
}

#[test]
fn without_a_calendar_hours_are_hours() {
    let friday = at("2026-11-20T15:01:58Z");
    assert_eq!(deadline(friday, within("24h"), None), at("2026-11-21T15:01:58Z"));
    assert_eq!(deadline(friday, within("1d"), None), at("2026-11-21T15:01:58Z"));
    assert_eq!(deadline(friday, within("24h"), Some(&new_york())), at("2026-11-25T15:01:58Z"));
}

#[test]
fn all_problems_of_a_calendar_come_at_once() {
    let bad = CalendarConfig {
        timezone: "Amerika/New_York".to_owned(),
        days: vec!["mon".to_owned(), "monday".to_owned(), "someday".to_owned()],
        hours: "17:00-17:00".to_owned(),
        holidays: vec!["26.11.2026".to_owned()],
    };
    let problems = bad.check().expect_err("nothing of it is right");
    let text: Vec<String> = problems
        .iter()
        .map(|problem| format!("{} {:?} {}", problem.field, problem.index, problem.message))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    timezone None "Amerika/New_York" is not a known time zone; did you mean `America/New_York`?
    days Some(1) "monday" is there twice.
    days Some(2) "someday" is not a day; one of mon, tue, wed, thu, fri, sat, sun
    hours None "17:00-17:00" opens and closes at the same time; write 00:00-24:00 for the whole day.
    holidays Some(0) "26.11.2026" is not a day; write it as 2026-11-26.
    "#);
    for hours in [
        "",
        "9",
        "09:00-25:00",
        "09:00-12:00,11:00-17:00",
        "22:00-09:00, 10:00-11:00",
        "08:00-09:00, 22:00-08:30",
    ] {
        let calendar = CalendarConfig {
            timezone: "UTC".to_owned(),
            days: vec!["mon".to_owned()],
            hours: hours.to_owned(),
            holidays: vec![],
        };
        assert!(calendar.check().is_err(), "{hours:?} must be refused");
    }
}

#[test]
fn a_calendar_is_read_from_yaml_and_refuses_unknown_fields() {
    let read = |text: &str| {
        handoff::yaml::from_node::<CalendarConfig>(
            &handoff::yaml::read(text.as_bytes()).expect("YAML"),
        )
    };
    let calendar = read("timezone: America/New_York\nholidays: [2026-11-26]\n").expect("valid");
    assert_eq!(calendar.check().expect("valid"), new_york());
    let error = read("timezone: UTC\nhour: x\n").expect_err("there is no `hour`");
    assert!(error.to_string().contains("hour"), "{error}");
}

#[test]
fn durations_are_read_and_written() {
    for (text, seconds, written) in [
        ("24h", 86_400, "24h"),
        ("1h30m", 5_400, "1h30m"),
        ("90m", 5_400, "1h30m"),
        ("3d", 259_200, "3d"),
        (" 2 days 4 hours ", 187_200, "2d4h"),
        ("45s", 45, "45s"),
        ("0h", 0, "0s"),
    ] {
        let duration = within(text);
        assert_eq!(duration.plain().num_seconds(), seconds, "{text}");
        assert_eq!(duration.to_string(), written, "{text}");
        assert_eq!(within(written), duration);
    }
    let errors: Vec<String> = [
        "",
        "24",
        "soon",
        "1h2h",
        "1m1h",
        "2 fortnights",
        "-1h",
        "1.5h",
        "99999999999999999999h",
        "4000d",
    ]
    .into_iter()
    .map(|text| text.parse::<HumanDuration>().expect_err(text).to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    the duration is empty; write 24h, 90m or 2d
    "24" has no unit behind 24; write 24h for hours, 24m for minutes or 24d for days
    "soon" is not a duration; write days, hours, minutes and seconds as in 2d, 24h, 1h30m or 45s
    "1h2h" is not a duration: write each unit once, the largest first, as in 1d2h30m
    "1m1h" is not a duration: write each unit once, the largest first, as in 1d2h30m
    "2 fortnights" is not a duration: "fortnights" is not understood; write days, hours, minutes and seconds as in 2d, 24h, 1h30m or 45s
    "-1h" is not a duration; write days, hours, minutes and seconds as in 2d, 24h, 1h30m or 45s
    "1.5h" is not a duration: ".5h" is not understood; write days, hours, minutes and seconds as in 2d, 24h, 1h30m or 45s
    "99999999999999999999h" is longer than ten years
    "4000d" is longer than ten years
    "#);
    assert!(serde_json::from_str::<HumanDuration>("24").is_err());
    assert_eq!(serde_json::to_string(&within("1d")).expect("serialises"), "\"1d\"");
}

#[test]
fn seconds_are_told_in_two_units() {
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (86_400, "1 d"),
        (183_600, "2 d 3 h"),
        (-90, "-1 min 30 s"),
        (i64::MIN, "-106751991167300 d 15 h"),
    ] {
        assert_eq!(describe_seconds(seconds), text);
    }
}

#[test]
fn moments_are_read_on_the_clock_of_the_zone() {
    let zone: Tz = "America/New_York".parse().expect("a zone");
    for (text, edge, moment) in [
        ("2026-11-20T15:01:58Z", Edge::Start, "2026-11-20T15:01:58Z"),
        ("2026-11-20T15:01:58+01:00", Edge::Start, "2026-11-20T14:01:58Z"),
        ("2026-11-20", Edge::Start, "2026-11-20T05:00:00Z"),
        ("2026-11-20", Edge::End, "2026-11-21T05:00:00Z"),
        ("2026-11", Edge::Start, "2026-11-01T04:00:00Z"),
        ("2026-11", Edge::End, "2026-12-01T05:00:00Z"),
        ("2026-Q4", Edge::Start, "2026-10-01T04:00:00Z"),
        ("2026-q4", Edge::End, "2027-01-01T05:00:00Z"),
        ("2026-11-20 09:30", Edge::End, "2026-11-20T14:30:00Z"),
        ("2026-11-20T09:30:15", Edge::End, "2026-11-20T14:30:15Z"),
    ] {
        assert_eq!(parse_moment(text, zone, edge), Ok(at(moment)), "{text}");
    }
    let errors: Vec<String> = [
        "",
        "yesterday",
        "2026-02-30",
        "2026-13",
        "2026-Q5",
        "2026-11-01 01:30",
        "2026-03-08 02:30",
        "2026-11-20 25:00",
        "2026-11-20 9:30",
        "11/20/2026",
        "main",
        "v2026-11-20",
        "26-11-20",
    ]
    .into_iter()
    .map(|text| parse_moment(text, zone, Edge::Start).expect_err(text).to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    "" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "yesterday" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "2026-02-30" does not exist in the calendar; write a day such as 2026-11-30, or a month such as 2026-11
    "2026-13" does not exist in the calendar; write a day such as 2026-11-30, or a month such as 2026-11
    "2026-Q5" does not exist in the calendar; write a day such as 2026-11-30, or a month such as 2026-11
    "2026-11-01 01:30" happens twice in America/New_York; write 2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00
    "2026-03-08 02:30" does not exist in America/New_York: the clock is put forward over it; write the time with its offset, as in 2026-11-30T15:00:00Z
    "2026-11-20 25:00" does not exist in the calendar; write a day such as 2026-11-30, or a month such as 2026-11
    "2026-11-20 9:30" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "11/20/2026" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "main" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "v2026-11-20" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "26-11-20" is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)
    "#);
}

#[test]
fn an_empty_window_is_refused() {
    let window =
        parse_window(Some("2026-11-01"), Some("2026-11-01"), Tz::UTC, now()).expect("one day");
    assert!(
        window.contains(at("2026-11-01T23:59:59Z")) && !window.contains(at("2026-11-02T00:00:00Z"))
    );
    let error =
        parse_window(Some("2026-11-02"), Some("2026-11-01"), Tz::UTC, now()).expect_err("empty");
    assert!(matches!(error, MomentError::EmptyWindow { .. }), "{error}");
}

proptest! {
    #[test]
    fn what_add_gives_is_as_far_as_between_says(start in 1_700_000_000i64..1_900_000_000, seconds in 1u32..2_000_000) {
        let calendar = new_york();
        let start = DateTime::from_timestamp(start, 0).expect("in range");
        let end = calendar.add(start, HumanDuration::seconds(seconds));
        prop_assert!(end >= start);
        prop_assert_eq!(calendar.between(start, end), i64::from(seconds));
    }

    #[test]
    fn time_between_adds_up(times in prop::array::uniform3(1_700_000_000i64..1_900_000_000)) {
        let calendar = calendar("Europe/Berlin", &ALL_DAYS, "00:30-02:45, 22:00-23:30", &["2026-03-29"]);
        let [a, b, c] = times.map(|time| DateTime::from_timestamp(time, 0).expect("in range"));
        prop_assert_eq!(calendar.between(a, b) + calendar.between(b, c), calendar.between(a, c));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,24}") {
        let _ = text.parse::<HumanDuration>();
        let _ = parse_moment(&text, Tz::UTC, Edge::End);
        let _ = CalendarConfig { timezone: text.clone(), days: vec![text.clone()], hours: text.clone(), holidays: vec![text] }.check();
    }
}

fn now() -> DateTime<Utc> {
    at("2026-11-28T12:00:00Z")
}

#[test]
fn moments_may_be_counted_from_now() {
    let berlin = chrono_tz::Europe::Berlin;
    for (text, start, end) in [
        ("30d", "2026-10-29T12:00:00Z", "2026-10-29T12:00:00Z"),
        ("90m", "2026-11-28T10:30:00Z", "2026-11-28T10:30:00Z"),
        ("today", "2026-11-27T23:00:00Z", "2026-11-28T23:00:00Z"),
        ("Yesterday", "2026-11-26T23:00:00Z", "2026-11-27T23:00:00Z"),
        ("now", "2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"),
        ("2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-11", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z"),
    ] {
        for (edge, moment) in [(Edge::Start, start), (Edge::End, end)] {
            assert_eq!(read_moment(text, berlin, edge, now()), Ok(at(moment)), "{text} {edge:?}");
        }
    }
    for text in ["tomorrow", "30", "d", "-3d", "2026-13", "99999999999999d"] {
        assert!(read_moment(text, berlin, Edge::Start, now()).is_err(), "{text}");
    }
}
