//! Descriptions in Asana's rich text, with the part that is kept in line with
//! the brief.

use crate::deliver::machine_part::{renewed_html, sealed_html};
use crate::text::Look;

/// A text in Markdown as `html_notes`, with the line that ends the machine's
/// part.
pub(super) fn sealed(markdown: &str) -> String {
    format!("<body>{}</body>", sealed_html(markdown, Look::Asana))
}

/// `html_notes` with the machine's part replaced; `None` where people have
/// changed that part or taken the seal away.
pub(super) fn renewed(old: &str, markdown: &str) -> Option<String> {
    let inner = old.trim().strip_prefix("<body>")?.strip_suffix("</body>")?;
    Some(format!("<body>{}</body>", renewed_html(inner, markdown, Look::Asana)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::machine_part;

    #[test]
    fn people_keep_what_they_write_and_what_they_changed() {
        let old = sealed(
            "**Call** [Dana & Co](https://a.example/x?a=1&b=2)\n\n- [ ] one\n- two\n\n### More\n",
        );
        assert!(old.starts_with("<body><strong>Call</strong> <a href="), "{old}");
        assert!(!old.contains("**") && !old.contains("class=") && !old.contains("<p"), "{old}");
        // As Asana gives it back.
        let given = old
            .replace("<a href", "<a data-asana-accessible=\"true\" href")
            .replace("</body>", "\nCalled Dana</body>");
        let new = renewed(&given, "Call *Kim*").expect("intact");
        assert!(new.starts_with("<body>Call <em>Kim</em>\n\n--- handoff "), "{new}");
        assert!(new.ends_with("---\nCalled Dana</body>"), "{new}");
        assert_eq!(renewed(&new, "Call *Kim*").as_deref(), Some(new.as_str()));
        assert_eq!(renewed(&given.replace("one", "three"), "x"), None, "a person's edit");
        assert_eq!(renewed("<body>no seal</body>", "x"), None);
        // What earlier versions wrote as plain text.
        let plain = format!(
            "<body>{}</body>",
            machine_part::sealed("- By: Friday & Co").replace('&', "&amp;")
        );
        assert!(renewed(&plain, "x").is_some(), "{plain}");
    }
}
