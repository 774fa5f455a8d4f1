//! One clean line, text on a terminal, and "did you mean".

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization as _;

/// The candidate that a misspelt word most likely means, or the one that it is the
/// beginning of; `None` when none is near.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORTEST: usize = 4;
    let folded = word.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let misspelt = candidates
        .iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), *candidate)
        })
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.chars().count() / 3))
        .min()
        .map(|(_, candidate)| candidate);
    let begun = |candidate: &&str| candidate.to_lowercase().starts_with(&folded);
    misspelt.or_else(|| match folded.chars().count() < SHORTEST {
        true => None,
        false => candidates.iter().copied().filter(begun).min(),
    })
}

/// The help for a misspelt word: "did you mean `tier`?", else the words there are.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let all: Vec<&str> = candidates.into_iter().collect();
            format!("one of {}", all.join(", "))
        }
    }
}

/// The order in which people expect names with numbers in them: `csv-2` before
/// `csv-10`. Runs of digits are compared by their value, and where that is the
/// same the one with fewer zeros in front is first; all else is compared by its
/// bytes, so that only equal texts are equal.
#[must_use]
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Most of two keys is the same: it is passed over in pieces.
    let same = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    let differ = a[same..].iter().zip(&b[same..]).position(|(a, b)| a != b);
    let Some(differ) = differ.map(|at| same + at) else { return a.len().cmp(&b.len()) };
    let (is_digit_a, is_digit_b) = (a[differ].is_ascii_digit(), b[differ].is_ascii_digit());
    // The digits that both have before they differ.
    let common = a[..differ].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if !(is_digit_a && is_digit_b) && (common == 0 || !(is_digit_a || is_digit_b)) {
        return a[differ].cmp(&b[differ]);
    }
    let digits = |text: &'_ [u8], from: usize| {
        text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let (rest_a, rest_b) = (digits(a, differ), digits(b, differ));
    if a[differ - common..differ].iter().any(|byte| *byte != b'0') {
        return rest_a.cmp(&rest_b).then_with(|| a[differ].cmp(&b[differ]));
    }
    // Zeros in front say nothing of the value.
    let zeros = |text: &[u8]| text[differ..].iter().take_while(|byte| **byte == b'0').count();
    let value = |text: &'_ [u8], rest: usize| differ + zeros(text).min(rest)..differ + rest;
    let (value_a, value_b) = (value(a, rest_a), value(b, rest_b));
    (value_a.len().cmp(&value_b.len()))
        .then_with(|| a[value_a].cmp(&b[value_b]))
        .then_with(|| rest_a.cmp(&rest_b))
}

// One clean line, and text on a terminal: no controls, no direction overrides.

/// Characters that reorder or hide what a reader sees.
pub(super) fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        // A zero-width joiner holds emoji together and stays.
        && c != '\u{200D}'
}

/// The text on one line: NFC, controls and direction overrides gone, runs of
/// white space folded to one space, ends trimmed.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    // ASCII is its own NFC, and most of what is told is ASCII.
    if text.is_ascii() {
        fold(text.chars(), &mut line);
    } else {
        fold(text.nfc(), &mut line);
    }
    line.truncate(line.trim_end().len());
    line
}

fn fold(text: impl Iterator<Item = char>, line: &mut String) {
    for c in text {
        if c.is_whitespace() || c == '\u{2028}' || c == '\u{2029}' {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !c.is_control() && !is_deceptive(c) {
            line.push(c);
        }
    }
}

/// At most `most` characters, with `…` where something was cut.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Whether a text is a plain e-mail address that no medium could read
/// otherwise.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '%');
    text.len() <= 254
        && text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && user.chars().all(allowed)
                && host.contains('.')
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        })
}

/// Somebody else's words inside a message of ours: one line, shortened, quoted.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", shorten(&one_line(text), 60))
}

/// A word as a shell takes it for one.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '-' | '_' | '.' | '/' | ':' | '+' | '~' | '^' | '@')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A folder name's readable part: lower-case ASCII letters, digits and `-`, at
/// most `most` characters. Other scripts are transliterated; `customer` where
/// nothing is left.
#[must_use]
pub fn slug(text: &str, most: usize) -> String {
    let mut slug = String::new();
    let whole: String = text.nfkc().collect();
    for c in any_ascii::any_ascii(&whole).chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') && c != '\'' {
            slug.push('-');
        }
        if slug.len() >= most {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "customer".to_owned() } else { slug.to_owned() }
}

/// The text with every control character (but a line feed) and direction
/// override shown as a visible escape, so that it cannot move the cursor,
/// set colours or reorder what is read.
#[must_use]
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || is_deceptive(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_controls_and_no_direction_overrides() {
        assert_eq!(one_line(" Acme\r\n\u{202E}Corp\u{0}\t x\u{1b}[31m "), "Acme Corp x[31m");
    }

    #[test]
    fn a_slug_stays_in_its_folder() {
        assert_eq!(slug("../../x", 40), "x");
        assert_eq!(slug("Café Lumière & Söhne's", 40), "cafe-lumiere-sohnes");
        assert_eq!(slug("株式会社", 40), "zhushihuishe");
        assert!(slug(&"a b".repeat(300), 40).len() <= 40);
    }
}
