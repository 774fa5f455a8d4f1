//! The hidden mark in a body, and how a body is made to fit.

use crate::model::Key;

/// GitHub's limit for a body, in characters.
const LIMIT: usize = 65_536;

/// The mark of one step of one handoff. Keys hold nothing that could end a comment.
pub(super) fn marker(key: &Key, step: &str) -> String {
    format!("<!-- handoff:v1 key={key} step={step} -->")
}

/// Whether a body holds exactly this mark on a line of its own. Customer text
/// cannot: its `<` is escaped.
pub(super) fn holds(body: &str, marker: &str) -> bool {
    body.lines().any(|line| line.trim() == marker)
}

/// The body with its mark, cut at a line where it would be too long; then it
/// says so and points to the whole.
pub(super) fn sealed(body: &str, marker: &str, whole: Option<&str>) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let end = format!("\n\n{marker}\n");
    if length(body) + length(&end) <= LIMIT {
        return format!("{body}{end}");
    }
    let note = match whole {
        Some(link) => {
            format!("\n\n**This text was too long for GitHub and is cut here.** The whole brief: <{link}>")
        }
        None => "\n\n**This text was too long for GitHub and is cut here.** The whole is in the brief's folder."
            .to_owned(),
    };
    // Room for a fence that must be closed.
    let room = LIMIT - length(&end) - length(&note) - 16;
    let mut kept = String::new();
    let (mut used, mut fenced) = (0, false);
    for line in body.split_inclusive('\n') {
        used += length(line);
        if used > room {
            break;
        }
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        kept.push_str(line);
    }
    let fence = if fenced { "\n```" } else { "" };
    format!("{}{fence}{note}{end}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_at_a_line_says_so_and_keeps_its_mark() {
        let key = Key::parse("hubspot-1").expect("a key");
        let mark = marker(&key, "task");
        let body = format!("```\n{}", "line of text 🎉\n".repeat(10_000));
        let sealed = sealed(&body, &mark, Some("https://github.example/brief"));
        assert!(sealed.encode_utf16().count() <= LIMIT);
        assert!(holds(&sealed, &mark));
        assert!(sealed.contains("cut here.** The whole brief: <https://github.example/brief>"));
        assert!(sealed.contains("line of text 🎉\n```\n\n**This"), "the fence must be closed");
    }

    #[test]
    fn only_the_exact_mark_on_its_own_line_counts() {
        let key = |text| Key::parse(text).expect("a key");
        let body = format!("text\r\n{}\r\n", marker(&key("hubspot-12"), "task"));
        assert!(holds(&body, &marker(&key("hubspot-12"), "task")));
        assert!(!holds(&body, &marker(&key("hubspot-1"), "task")));
        assert!(!holds(&body, &marker(&key("hubspot-12"), "draft")));
    }
}
