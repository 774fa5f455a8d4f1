//! Numbers with their words.

use crate::model::grouped;

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
    grouped(&number.to_string())
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
}
