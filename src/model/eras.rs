//! Eras, digits and months of East Asia and Thailand.

/// The digits and signs that keyboards of East Asia and Thailand write, as
/// ASCII; `None` where there are none of them.
pub(super) fn plain_digits(text: &str) -> Option<String> {
    let plain = |c: char| match c {
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        '๐'..='๙' => char::from_digit(u32::from(c) - u32::from('๐'), 10),
        '／' => Some('/'),
        '－' => Some('-'),
        '．' => Some('.'),
        '：' => Some(':'),
        '\u{3000}' => Some(' '),
        _ => None,
    };
    text.chars()
        .any(|c| plain(c).is_some())
        .then(|| text.chars().map(|c| plain(c).unwrap_or(c)).collect())
}

/// An era: its names and letter, the year before its first, and its days.
pub(super) struct Era {
    pub(super) names: &'static [&'static str],
    pub(super) letter: Option<char>,
    pub(super) before: i32,
    pub(super) first: (i32, u32, u32),
    pub(super) last: (i32, u32, u32),
}

/// The eras of Japan and the one of Taiwan.
pub(super) const ERAS: [Era; 4] = [
    Era {
        names: &["令和", "㋿"],
        letter: Some('R'),
        before: 2018,
        first: (2019, 5, 1),
        last: (9999, 12, 31),
    },
    Era {
        names: &["平成", "㍻"],
        letter: Some('H'),
        before: 1988,
        first: (1989, 1, 8),
        last: (2019, 4, 30),
    },
    Era {
        names: &["昭和", "㍼"],
        letter: Some('S'),
        before: 1925,
        first: (1926, 12, 25),
        last: (1989, 1, 7),
    },
    Era {
        names: &["中華民國", "中华民国", "民國", "民国"],
        letter: None,
        before: 1911,
        first: (1912, 1, 1),
        last: (9999, 12, 31),
    },
];

/// The months in Thai, as they are written out and short.
#[rustfmt::skip]
pub(super) const THAI: [(&str, &str, &str); 12] = [
    ("มกราคม", "ม.ค.", "Jan"), ("กุมภาพันธ์", "ก.พ.", "Feb"), ("มีนาคม", "มี.ค.", "Mar"),
    ("เมษายน", "เม.ย.", "Apr"), ("พฤษภาคม", "พ.ค.", "May"), ("มิถุนายน", "มิ.ย.", "Jun"),
    ("กรกฎาคม", "ก.ค.", "Jul"), ("สิงหาคม", "ส.ค.", "Aug"), ("กันยายน", "ก.ย.", "Sep"),
    ("ตุลาคม", "ต.ค.", "Oct"), ("พฤศจิกายน", "พ.ย.", "Nov"), ("ธันวาคม", "ธ.ค.", "Dec"),
];
