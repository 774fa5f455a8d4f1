//! Descriptions in Asana's rich text, with the part that is kept in line with
//! the brief. Asana gives them back with attributes of its own; what people see
//! is what counts as changed.

use crate::deliver::machine_part::{self, is_intact, is_seal};
use crate::text::{self, Look};

/// A text in Markdown as `html_notes`, with the line that ends the machine's
/// part.
pub(super) fn sealed(markdown: &str) -> String {
    let (html, seal) = parts(markdown);
    format!("<body>{html}\n\n{seal}</body>")
}

/// `html_notes` with the machine's part replaced; `None` where people have
/// changed that part or taken the seal away.
pub(super) fn renewed(old: &str, markdown: &str) -> Option<String> {
    let inner = old.trim().strip_prefix("<body>")?.strip_suffix("</body>")?;
    let at = inner.match_indices("---").find(|(at, _)| is_seal(&inner[*at..]))?.0;
    let (above, rest) = inner.split_at(at);
    let (seal, below) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
    let is_whole = is_balanced(above) && is_balanced(below);
    if !is_whole || !is_intact(&shown(above), &shown(seal)) {
        return None;
    }
    let (html, seal) = parts(markdown);
    Some(format!("<body>{html}\n\n{seal}{below}</body>"))
}

fn parts(markdown: &str) -> (String, String) {
    let html = text::markdown_to_html(markdown, Look::Asana);
    let html = html.trim_end().to_owned();
    let sealed = machine_part::sealed(&shown(&html));
    let seal = sealed.lines().last().map(text::html).unwrap_or_default();
    (html, seal)
}

/// What people see of it.
fn shown(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(out, |out, (entity, c)| out.replace(entity, c))
}

/// Whether each element that is opened is closed.
fn is_balanced(html: &str) -> bool {
    let tags = html
        .split('<')
        .skip(1)
        .filter(|tag| !tag.split('>').next().unwrap_or_default().ends_with('/'));
    let (closing, opening): (Vec<&str>, Vec<&str>) = tags.partition(|tag| tag.starts_with('/'));
    closing.len() == opening.len()
}

#[cfg(test)]
mod tests {
    use super::*;

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
