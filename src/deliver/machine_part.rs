//! The part of a plain description that is kept in line with the brief. It
//! ends in a line that people see, with a check sum of what stands above: what
//! people have changed there is left alone, what they write below stays.

use sha2::{Digest as _, Sha256};

const SEAL: &str = "--- handoff";

/// A text with the line that ends the machine's part.
pub(super) fn sealed(text: &str) -> String {
    let text = text.trim_end();
    format!("{text}\n\n{SEAL} {}: the text above is kept up to date ---", sum(text))
}

/// Whether a line ends the machine's part.
pub(super) fn is_seal(line: &str) -> bool {
    line.trim_start().starts_with(SEAL)
}

/// Whether the text above a seal is as the machine wrote it.
pub(super) fn is_intact(above: &str, seal: &str) -> bool {
    seal.contains(&sum(above))
}

/// A description with the machine's part replaced; `None` where people have
/// changed that part or taken the seal away.
pub(super) fn renewed(old: &str, new: &str) -> Option<String> {
    let lines: Vec<&str> = old.lines().collect();
    let at = lines.iter().position(|line| is_seal(line))?;
    let (above, below) = (lines.get(..at)?.join("\n"), lines.get(at + 1..)?.join("\n"));
    if !is_intact(&above, lines.get(at)?) {
        return None;
    }
    let below = if below.is_empty() { below } else { format!("\n{below}") };
    Some(format!("{}{below}", sealed(new)))
}

/// Over letters and digits alone: servers and editors change blanks and marks.
fn sum(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let digest = Sha256::digest(plain.as_bytes());
    hex::encode(digest.get(..4).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_keep_what_they_write_and_what_they_changed() {
        let old = format!("{}\nCalled Dana\r\n", sealed("- By: Friday\n\n- CSM: Sam\n"));
        let new = renewed(&old, "- By: Monday").expect("intact");
        assert!(new.starts_with("- By: Monday\n\n--- handoff "), "{new}");
        assert!(new.ends_with("---\nCalled Dana"), "{new}");
        assert_eq!(renewed(&new, "- By: Monday").as_deref(), Some(new.as_str()));
        assert_eq!(renewed(&old.replace("Friday", "Sunday"), "x"), None, "a person's edit");
        assert_eq!(renewed("no seal", "x"), None);
    }
}
