//! The part of a description that is kept in line with the brief. It ends in a
//! line that people see, with a check sum of what stands above: what people
//! have changed there is left alone, what they write below stays. In HTML,
//! which servers give back with elements and attributes of their own, what
//! people see is what counts.

use sha2::{Digest as _, Sha256};

use crate::text::{self, Look};

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

/// A plain text with the machine's part replaced; `None` where people have
/// changed that part or taken the seal away.
pub(super) fn renewed(old: &str, new: &str) -> Option<String> {
    let at = seal_at(old)?;
    let (above, rest) = old.split_at(at);
    let (seal, below) = rest.split_at(seal_length(rest));
    is_intact(above, seal).then(|| format!("{}{below}", sealed(new)))
}

/// A text in Markdown as HTML, with the line that ends the machine's part.
pub(super) fn sealed_html(markdown: &str, look: Look) -> String {
    let html = text::markdown_to_html(markdown, look);
    let html = html.trim_end();
    let sealed = sealed(&shown(html));
    let seal = sealed.lines().last().map(text::html).unwrap_or_default();
    match look {
        Look::Asana => format!("{html}\n\n{seal}"),
        Look::Mail | Look::Page => format!("{html}\n<p>{seal}</p>"),
    }
}

/// As [`renewed`], in HTML.
pub(super) fn renewed_html(old: &str, markdown: &str, look: Look) -> Option<String> {
    let at = seal_at(old)?;
    let (above, rest) = old.split_at(at);
    let (seal, below) = rest.split_at(seal_length(rest));
    if !is_intact(&shown(above), &shown(seal)) {
        return None;
    }
    Some(format!("{}{}", sealed_html(markdown, look), closed(below)?))
}

fn seal_at(text: &str) -> Option<usize> {
    text.match_indices("---").map(|(at, _)| at).find(|at| is_seal(&text[*at..]))
}

/// How much of what begins with a seal is the seal.
fn seal_length(text: &str) -> usize {
    let end = text.get(3..).and_then(|rest| rest.find("---")).map(|at| at + 6);
    let line = text.find('\n').unwrap_or(text.len());
    end.map_or(line, |end| end.min(line))
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

/// HTML without the ends of elements that were opened before it; `None` where
/// something in it is opened and not closed.
fn closed(html: &str) -> Option<String> {
    let (mut out, mut rest, mut depth) = (String::with_capacity(html.len()), html, 0_usize);
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let (tag, after) = after.split_once('>')?;
        rest = after;
        let is_empty = tag.ends_with('/') || ["br", "hr", "img"].contains(&name_of(tag));
        if tag.starts_with('/') {
            let Some(left) = depth.checked_sub(1) else { continue };
            depth = left;
        } else if !is_empty {
            depth += 1;
        }
        out.push('<');
        out.push_str(tag);
        out.push('>');
    }
    out.push_str(rest);
    (depth == 0).then_some(out)
}

fn name_of(tag: &str) -> &str {
    tag.split([' ', '/']).next().unwrap_or_default()
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
    fn what_people_changed_or_wrote_below_stays() {
        let old = sealed("Call Dana");
        let given = format!("{old}\r\nI called.");
        let new = renewed(&given, "Call Kim").expect("intact");
        assert!(new.starts_with("Call Kim\n\n--- handoff "), "{new}");
        assert!(new.ends_with("---\r\nI called."), "{new}");
        assert_eq!(renewed(&new, "Call Kim").as_deref(), Some(new.as_str()));
        assert_eq!(renewed(&given.replace("Dana", "Bob"), "x"), None);
        assert_eq!(renewed("Call Dana", "x"), None);
    }

    #[test]
    fn a_server_may_wrap_the_html() {
        let old =
            sealed_html("**Call** [Dana & Co](https://a.example/)\n\n- one\n- two", Look::Page);
        for given in [
            old.clone(),
            format!(
                "<div style=\"\" dir=\"auto\">{}<p>I <b>called</b>.<br></p></div>",
                old.replace('\n', "")
            ),
            format!("<div>{old}</div><div>I called</div>"),
        ] {
            let new = renewed_html(&given, "Call *Kim*", Look::Page).expect("intact");
            assert!(new.contains("<em>Kim</em>") && !new.contains("Dana"), "{new}");
            assert_eq!(new.contains("called"), given.contains("called"), "{new}");
            assert_eq!(renewed_html(&new, "Call *Kim*", Look::Page).as_deref(), Some(new.as_str()));
        }
        assert_eq!(renewed_html(&old.replace("two", "three"), "x", Look::Page), None);
        assert_eq!(renewed_html(&format!("{old}<div>open"), "x", Look::Page), None);
    }
}
