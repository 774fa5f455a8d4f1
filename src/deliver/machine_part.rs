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

/// Over letters and digits alone: servers and editors change blanks and marks.
fn sum(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let digest = Sha256::digest(plain.as_bytes());
    hex::encode(digest.get(..4).unwrap_or_default())
}
