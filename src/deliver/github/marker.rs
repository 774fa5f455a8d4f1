//! The hidden mark in a body, and how a body is made to fit.

use crate::model::Key;

/// The step that the mark of the first-touch task names.
pub(super) const STEP: &str = "task";

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

/// What people write above it stays theirs.
const BEGIN: &str = "<!-- handoff:v1 begin -->";

/// The body with the part between our marks replaced; people's text around
/// it stays, and so do the ticks in the checklist. `None` where the mark was
/// taken out: then the body is people's.
pub(super) fn renewed(old: &str, new: &str, mark: &str, whole: Option<&str>) -> Option<String> {
    let lines: Vec<&str> = old.lines().collect();
    let end = lines.iter().position(|line| line.trim() == mark)?;
    let begin = lines[..end].iter().position(|line| line.trim() == BEGIN).unwrap_or(0);
    let (above, machine) = (&lines[..begin], &lines[begin..end]);
    let below = lines.get(end + 1..).unwrap_or_default();
    let ticked: Vec<String> = machine
        .iter()
        .filter_map(|line| {
            let task = line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "))?;
            Some(format!("- [ ] {task}"))
        })
        .collect();
    let new: Vec<String> = new
        .lines()
        .map(|line| match ticked.iter().any(|task| task == line) {
            true => line.replacen("- [ ]", "- [x]", 1),
            false => line.to_owned(),
        })
        .collect();
    let mut text = above.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(sealed(&new.join("\n"), mark, whole).trim_end());
    if !below.is_empty() {
        text.push('\n');
        text.push_str(&below.join("\n"));
    }
    Some(text)
}

/// The body with its mark, cut at a line where it would be too long; then it
/// says so and points to the whole.
pub(super) fn sealed(body: &str, marker: &str, whole: Option<&str>) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let body = &format!("{BEGIN}\n{body}");
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
    fn a_renewed_body_keeps_what_people_wrote_and_ticked() {
        let mark = marker(&Key::parse("hubspot-1").expect("a key"), "task");
        let old = sealed("by Friday\n- [ ] Read the brief\n- [ ] Call", &mark, None);
        let edited = old.replace("- [ ] Read", "- [x] Read");
        let edited = format!("My notes\r\n\r\n{edited}\nSpoke with Dana");
        let new = renewed(&edited, "by Monday\n- [ ] Read the brief\n- [ ] Ask", &mark, None);
        let new = new.expect("the mark is there");
        assert!(new.starts_with("My notes\n\n<!-- handoff:v1 begin -->\nby Monday\n"), "{new}");
        assert!(new.contains("- [x] Read the brief\n- [ ] Ask"), "{new}");
        assert!(!new.contains("Friday") && !new.contains("Call"), "{new}");
        assert!(new.ends_with("\nSpoke with Dana"), "{new}");
        let again = renewed(&new, "by Monday\n- [ ] Read the brief\n- [ ] Ask", &mark, None);
        assert_eq!(again.as_deref(), Some(new.as_str()), "renewing twice changes nothing");
        assert_eq!(renewed("all mine", "x", &mark, None), None);
        // Bodies of earlier versions begin with the machine's part.
        let old = format!("Old text\n\n{mark}\n");
        assert!(!renewed(&old, "x", &mark, None).expect("marked").contains("Old text"));
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
