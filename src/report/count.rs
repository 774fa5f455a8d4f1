//! Numbers with their words.

/// A number with its noun, `1 brief`, `12 briefs`, `1,204 deals`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    count_of(number, noun, &plural)
}

/// A number with its noun where the plural is not regular.
#[must_use]
pub fn count_of(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with commas between its thousands.
#[must_use]
pub fn thousands(number: usize) -> String {
    group(&number.to_string())
}

/// Commas between the thousands of a decimal text; a sign and what stands
/// behind the point stay as they are.
pub(super) fn group(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.find('.').map_or((rest, ""), |at| rest.split_at(at));
    let mut out = String::with_capacity(number.len() + number.len() / 3);
    out.push_str(sign);
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!(count(0, "brief"), "0 briefs");
        assert_eq!(count(1, "brief"), "1 brief");
        assert_eq!(count(2, "delivery"), "2 deliveries");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(count(1_234_567, "deal"), "1,234,567 deals");
    }

    #[test]
    fn thousands_keep_sign_and_fraction() {
        assert_eq!(group("-48000.00"), "-48,000.00");
        assert_eq!(group("999"), "999");
        assert_eq!(group("1000"), "1,000");
    }
}
