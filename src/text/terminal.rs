//! Customer text on a terminal.

use super::line::is_deceptive;

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
