//! Dates as people and programs write them, and what a column of them proves.

use handoff::model::{DateOrder, Locale, OrderProof, read_date};

fn told(text: &str, order: Option<DateOrder>, zone: &str) -> String {
    let locale = Locale { order, zone: zone.parse().ok(), ..Locale::default() };
    match locale.moment(text) {
        Ok(moment) => moment.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        Err(fault) => format!("{fault:?}"),
    }
}

#[test]
fn dates_are_read_as_they_are_written() {
    let (utc, new_york) = ("UTC", "America/New_York");
    let mut wrong = Vec::new();
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
        ("03/04/2026", None, utc, "Either(2026-03-04, 2026-04-03)"),
        ("03-04-2026", None, utc, "Either(2026-03-04, 2026-04-03)"),
        ("30/10/2026", Some(DateOrder::Mdy), utc, "NotInOrder"),
        ("2026-02-30", None, utc, "NotADate"),
        ("31/31/2026", None, utc, "NotADate"),
        ("soon", None, utc, "NotADate"),
        ("2026-10-30x", None, utc, "NotADate"),
        ("12026-10-30", None, utc, "NotADate"),
        ("10 Nov 2026 16:42", None, utc, "2026-11-10T16:42:00Z"),
        ("10-Nov-26", None, utc, "2026-11-10T00:00:00Z"),
        ("Nov 10, 2026 4:42 PM", None, utc, "2026-11-10T16:42:00Z"),
        ("Tue, 10 Nov 2026 16:42:00 +0100", None, utc, "2026-11-10T15:42:00Z"),
        ("10. November 2026", None, utc, "2026-11-10T00:00:00Z"),
        ("1. März 2026, 14:05 Uhr", None, utc, "2026-03-01T14:05:00Z"),
        ("1er mars 2026", None, utc, "2026-03-01T00:00:00Z"),
        ("14 juil. 2026", None, utc, "2026-07-14T00:00:00Z"),
        ("14 juin 2026", None, utc, "2026-06-14T00:00:00Z"),
        ("10 de noviembre de 2026", None, utc, "2026-11-10T00:00:00Z"),
        ("25 dez 2026", None, utc, "2026-12-25T00:00:00Z"),
        ("2026年11月10日", None, utc, "2026-11-10T00:00:00Z"),
        ("2026年11月10日 16:42", None, "Asia/Tokyo", "2026-11-10T07:42:00Z"),
        ("2026-11-10 09:00 EST", None, utc, "Zone(\"EST\")"),
        ("2026-11-10 09:00 EST", None, new_york, "2026-11-10T14:00:00Z"),
        ("2026-07-10 09:00 EST", None, new_york, "Zone(\"EST\")"),
        ("2026-11-10 09:00 CST", None, utc, "Zone(\"CST\")"),
        ("2026-11-10 09:00 CST", None, "America/Chicago", "2026-11-10T15:00:00Z"),
        ("2026-11-10 09:00 CST", None, "Asia/Shanghai", "2026-11-10T01:00:00Z"),
        ("2026-11-10 09:00 IST", None, "Asia/Kolkata", "2026-11-10T03:30:00Z"),
        ("2026-07-10 09:00 BST", None, "Europe/London", "2026-07-10T08:00:00Z"),
        ("2026-07-10 09:00 BST", None, "Asia/Dhaka", "Zone(\"BST\")"),
        // Of the two half past one the name says which.
        ("2026-11-01 01:30 EST", None, new_york, "2026-11-01T06:30:00Z"),
        ("2026-11-20 15:00 CET", None, utc, "2026-11-20T14:00:00Z"),
        ("2026-11-20 15:00 GMT+2", None, utc, "2026-11-20T13:00:00Z"),
        ("2026-11-20 15:00 UTC+05:30", None, utc, "2026-11-20T09:30:00Z"),
        ("2026-11-20 15:00 UTC-3", None, utc, "2026-11-20T18:00:00Z"),
        ("2026-11-20 15:00 GMT+25", None, utc, "NotADate"),
        ("2026-11-20 15:00 PST8PDT", None, utc, "2026-11-20T23:00:00Z"),
        ("2026-07-20 15:00 PST8PDT", None, utc, "2026-07-20T22:00:00Z"),
        ("2026-11-20 15:00 Europe/Berlin", None, utc, "2026-11-20T14:00:00Z"),
        ("2026-07-20T15:00[Europe/Berlin]", None, utc, "2026-07-20T13:00:00Z"),
        ("2026-11-20T15:00+01:00[Europe/Berlin]", None, utc, "2026-11-20T14:00:00Z"),
        ("2026-11-20T15:00+01:00[Europe/Berlin][u-ca=gregory]", None, utc, "2026-11-20T14:00:00Z"),
        ("2026-11-20T15:00+01:00[Etc/Nowhere]", None, utc, "2026-11-20T14:00:00Z"),
        (
            "2026-11-20T15:00+02:00[Europe/Berlin]",
            None,
            utc,
            "OffsetAndZone(\"+02:00\", Europe/Berlin)",
        ),
        ("2026-11-20 15:00 (UTC+01:00) Amsterdam", None, utc, "Zone(\"(UTC+01:00) Amsterdam\")"),
        (
            "2026-11-20 15:00 W. Europe Standard Time",
            None,
            utc,
            "Zone(\"W. Europe Standard Time\")",
        ),
        ("20/11/2026 15:00 CET", None, utc, "2026-11-20T14:00:00Z"),
        ("2026年11月10日(火)", None, utc, "2026-11-10T00:00:00Z"),
        ("2026年11月10日（火） 14:30", None, utc, "2026-11-10T14:30:00Z"),
        ("10.11.2026 r.", None, utc, "2026-11-10T00:00:00Z"),
        ("10.11.2026 klo 14.30", None, utc, "2026-11-10T14:30:00Z"),
        ("/Date(1794304800000)/", None, utc, "2026-11-10T10:00:00Z"),
        ("/Date(1794304800000+0100)/", None, utc, "2026-11-10T10:00:00Z"),
        ("/Date(-1)/", None, utc, "1969-12-31T23:59:59Z"),
        ("/Date(x)/", None, utc, "NotADate"),
        ("令和8年11月20日", None, utc, "2026-11-20T00:00:00Z"),
        ("令和元年5月1日", None, utc, "2019-05-01T00:00:00Z"),
        ("令和8年11月20日 15時30分", None, "Asia/Tokyo", "2026-11-20T06:30:00Z"),
        ("R8.11.20", None, utc, "2026-11-20T00:00:00Z"),
        ("R08/11/20", None, utc, "2026-11-20T00:00:00Z"),
        ("H31.4.30", None, utc, "2019-04-30T00:00:00Z"),
        ("H31.5.1", None, utc, "NotADate"),
        ("平成38年11月20日", None, utc, "NotADate"),
        ("令和1年4月30日", None, utc, "NotADate"),
        ("R0.11.20", None, utc, "NotADate"),
        ("２０２６／１１／２０", None, utc, "2026-11-20T00:00:00Z"),
        ("民國115年11月20日", None, utc, "2026-11-20T00:00:00Z"),
        ("民國115/11/20", None, utc, "2026-11-20T00:00:00Z"),
        ("中華民國 115 年 11 月 20 日", None, utc, "2026-11-20T00:00:00Z"),
        ("115/11/20", None, utc, "NotADate"),
        ("100/11/20", None, utc, "NotADate"),
        ("20 พ.ย. 2569", None, utc, "2026-11-20T00:00:00Z"),
        ("๒๐ พฤศจิกายน พ.ศ. ๒๕๖๙", None, utc, "2026-11-20T00:00:00Z"),
        ("20 พ.ย. 2026 15:00", None, utc, "2026-11-20T15:00:00Z"),
        ("20 พ.ย. 69", None, utc, "NotADate"),
        ("20 Kasım 2026", None, utc, "2026-11-20T00:00:00Z"),
        ("20 ноября 2026 г.", None, utc, "2026-11-20T00:00:00Z"),
        ("2026-11-10 09:00 Mars", None, utc, "NotADate"),
        ("20261110", None, utc, "2026-11-10T00:00:00Z"),
        ("20261110T101500Z", None, utc, "2026-11-10T10:15:00Z"),
        ("1794304800", None, utc, "2026-11-10T10:00:00Z"),
        ("46336", None, utc, "NotADate"),
        ("'2026-11-10", None, utc, "2026-11-10T00:00:00Z"),
        ("10. 11. 2026", None, utc, "2026-11-10T00:00:00Z"),
        ("2026. 11. 10. 오후 2:30", None, utc, "2026-11-10T14:30:00Z"),
        ("2026年11月10日 下午2:30", None, utc, "2026-11-10T14:30:00Z"),
        ("2026年11月10日 14時30分", None, utc, "2026-11-10T14:30:00Z"),
        ("13/11/2026 14h30", None, utc, "2026-11-13T14:30:00Z"),
        ("13/11/2026 2:30 p. m.", None, utc, "2026-11-13T14:30:00Z"),
        ("10. november 2026 kl. 14.30", None, utc, "2026-11-10T14:30:00Z"),
        ("10 listopada 2026", None, utc, "2026-11-10T00:00:00Z"),
        ("3 października 2026", None, utc, "2026-10-03T00:00:00Z"),
        ("10. července 2026", None, utc, "2026-07-10T00:00:00Z"),
        ("2026-11-10T10:00:00-05:00[America/New_York]", None, utc, "2026-11-10T15:00:00Z"),
        ("2026-11-10 10:00:00.123456 +0000 UTC", None, utc, "2026-11-10T10:00:00Z"),
        (
            "Tue Nov 10 2026 10:00:00 GMT+0100 (Central European Standard Time)",
            None,
            utc,
            "2026-11-10T09:00:00Z",
        ),
        ("25.02.26", None, utc, "2026-02-25T00:00:00Z"),
        ("29.02.26", Some(DateOrder::Dmy), utc, "NotInOrder"),
        ("2026-11-10T10:00:00[Mars/Base]", None, utc, "NotADate"),
        ("2026-11-10T10:00:00[u-ca=gregory]", None, utc, "2026-11-10T10:00:00Z"),
        ("2026-11-10 10:00 +05:59", None, utc, "2026-11-10T04:01:00Z"),
        ("2026-11-10 10:00 +05:60", None, utc, "NotADate"),
        ("2026-11-10 10:00 +14:00", None, utc, "2026-11-09T20:00:00Z"),
        ("2026-11-10 10:00 +14:01", None, utc, "NotADate"),
        ("２０２６－１１－２０　１４：３０", None, utc, "2026-11-20T14:30:00Z"),
        ("２０．１１．２０２６", None, utc, "2026-11-20T00:00:00Z"),
        ("2026-11-20 2 PM", None, utc, "2026-11-20T14:00:00Z"),
        ("2026-11-20 12 am", None, utc, "2026-11-20T00:00:00Z"),
        ("2026-11-20 13 PM", None, utc, "NotADate"),
        ("2026-11-20 0:10 AM", None, utc, "NotADate"),
        ("2026-11-20 14", None, utc, "NotADate"),
        ("2026-11-20 24:00", None, utc, "2026-11-21T00:00:00Z"),
        ("2026-11-20T24:00:00Z", None, utc, "2026-11-21T00:00:00Z"),
        ("2026-11-20 24:00:30", None, utc, "NotADate"),
        ("2026-11-20-24:00", None, utc, "NotADate"),
        ("2026-11-20 15:00:10:20", None, utc, "NotADate"),
        // With an offset only a day that is certain gives a moment.
        ("20/11/2026 15:00 +01:00", None, utc, "2026-11-20T14:00:00Z"),
        ("11/20/2026 15:00 +01:00", None, utc, "2026-11-20T14:00:00Z"),
        ("05/05/2026 15:00 +01:00", None, utc, "2026-05-05T14:00:00Z"),
        ("03/04/2026 15:00 +01:00", None, utc, "NotADate"),
        ("03/12/2026 15:00 +01:00", None, utc, "NotADate"),
        ("12/03/2026 15:00 +01:00", None, utc, "NotADate"),
        ("4 p.m.", None, utc, "NotADate"),
        ("march", None, utc, "NotADate"),
        // Clocks go back (01:30 twice) and forward (02:30 never).
        ("2026-11-01 01:30", None, new_york, "2026-11-01T05:30:00Z"),
        ("2026-03-08 02:30", None, new_york, "2026-03-08T07:30:00Z"),
    ] {
        let read = told(text, order, zone);
        if read != requested {
            wrong.push(format!("{text} {order:?} {zone}: {read}, not {requested}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_plain_form_is_read_as_the_long_way_reads_it() {
    for text in [
        "2026-11-10",
        "2024-02-29",
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-11-10Z",
        "2026-11-10 09:15",
        "2026-11-10T09:15",
        "2026-11-10 24:00",
        "2026-11-10 23:59:59",
        "2026-11-10 23:59:60",
        "2026-11-10T09:15:00Z",
        "2026-11-10 09:15Z",
        "2026-11-10_09:15",
        "2026-11-10 9:15:00",
        "2026-11-1009:15",
        "2026-11-10 09:15.30",
        "2026-11-10 09:15-30",
        "2026-11-10 09:15 Z",
        "2026/11-10 09:15",
        "٢٠٢٦-11-10",
    ] {
        // A spreadsheet's mark of a text, which only the long way takes off.
        assert_eq!(read_date(text), read_date(&format!("'{text}")), "{text}");
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
    // The months have twelve, and a day may be the same in both.
    assert_eq!(proof(&["12/13/2026"]), Some(DateOrder::Mdy));
    assert_eq!(proof(&["13/12/2026"]), Some(DateOrder::Dmy));
    assert_eq!(proof(&["12/12/2026", "13/13/2026"]), None);
    // Of two digits the first may be the year, unless the last cannot be a day.
    assert_eq!(proof(&["11/20/26"]), Some(DateOrder::Mdy));
    assert_eq!(proof(&["12/13/26"]), Some(DateOrder::Mdy));
    assert_eq!(proof(&["20/11/26"]), None);
    assert_eq!(proof(&["20/11/99"]), Some(DateOrder::Dmy));
    assert_eq!(proof(&["20/11/31"]), None);
    assert_eq!(proof(&["20/11/32"]), Some(DateOrder::Dmy));
    assert_eq!(proof(&["20/11/00"]), Some(DateOrder::Dmy));
    for no_day in ["13/0/00", "13/0/99", "0/13/26", "31/02/2026", "02/30/2026"] {
        assert_eq!(proof(&["03/04/2026", no_day]), None, "{no_day} is no day and proves nothing");
    }
    assert_eq!(proof(&["11/20/00"]), Some(DateOrder::Mdy));
    assert_eq!(proof(&["03/04/26", "soon", "2026-11-20"]), None);
    // Of two parts of a column the first row of either counts.
    let of = |cells: &[(&str, usize)]| {
        let mut proof = OrderProof::default();
        cells.iter().for_each(|(cell, row)| proof.see(cell, *row));
        proof
    };
    let (first, second) = (of(&[("03/04/2026", 4)]), of(&[("30/10/2026", 7), ("03/04/2026", 9)]));
    let both = OrderProof { day_first: Some(7), month_first: None, either: Some(4) };
    assert_eq!((first.and(second), second.and(first)), (both, both));
    assert_eq!(first.and(of(&[("10/30/2026", 9)])).order(), Some(DateOrder::Mdy));
    // What can be read in two ways is named by its first row.
    for (cells, row) in [
        (&["05/05/2026", "30/10/2026", "03/04/2026", "05/06/2026"][..], Some(2)),
        (&["05/05/2026", "13/13/2026", "2026-11-20"], None),
        (&["10/11/12"], Some(0)),
        (&["10/13/26", "13/10/26"], Some(1)),
    ] {
        let mut proof = OrderProof::default();
        cells.iter().enumerate().for_each(|(row, cell)| proof.see(cell, row));
        assert_eq!(proof.either, row, "{cells:?}");
    }
}
