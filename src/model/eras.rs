//! Eras and digits of East Asia and Thailand, and the names of months.

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

/// Names of the months as they begin, in English, German, French, Spanish,
/// Portuguese, Italian, Dutch, Swedish, Polish, Czech, Turkish and Russian. The
/// longer beginnings stand first.
#[rustfmt::skip]
const MONTHS: [(&str, u32); 76] = [
    ("oca", 1), ("şub", 2), ("nis", 4), ("haz", 6), ("tem", 7), ("ağu", 8), ("eyl", 9), ("eki", 10),
    ("kas", 11), ("ara", 12), ("янв", 1), ("фев", 2), ("мар", 3), ("апр", 4), ("мая", 5),
    ("июн", 6), ("июл", 7), ("авг", 8), ("сен", 9), ("окт", 10), ("ноя", 11), ("дек", 12),
    ("červenec", 7), ("července", 7), ("červ", 6), ("sty", 1), ("led", 1), ("lut", 2), ("úno", 2),
    ("bře", 3), ("kwi", 4), ("dub", 4), ("maj", 5), ("kvě", 5), ("cze", 6), ("lip", 7), ("sie", 8),
    ("srp", 8), ("wrz", 9), ("paź", 10), ("říj", 10), ("lis", 11),
    ("juil", 7), ("juin", 6), ("jan", 1), ("jän", 1), ("ene", 1), ("gen", 1), ("feb", 2),
    ("fév", 2), ("fev", 2), ("mar", 3), ("mär", 3), ("mrt", 3), ("maa", 3), ("apr", 4),
    ("avr", 4), ("abr", 4), ("may", 5), ("mai", 5), ("mag", 5), ("mei", 5), ("jun", 6),
    ("giu", 6), ("jul", 7), ("lug", 7), ("aug", 8), ("aoû", 8), ("ago", 8), ("sep", 9),
    ("set", 9), ("oct", 10), ("okt", 10), ("out", 10), ("nov", 11), ("ott", 10),
];

/// The month whose name a word is, in any of these languages.
pub(super) fn month_number(word: &str) -> Option<u32> {
    let word = word.to_lowercase();
    if !word.chars().all(char::is_alphabetic) {
        return None;
    }
    let of_december = ["dec", "dez", "déc", "dic", "des", "gru", "pro"]
        .iter()
        .any(|start| word.starts_with(start));
    let named = MONTHS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, month)| *month);
    named.or(of_december.then_some(12)).filter(|_| word.chars().count() <= 12)
}
