//! Texts in Atlassian's document format. Text nodes need no escaping, and no
//! node but a link to the brief acts.

use serde_json::{Value, json};

use crate::deliver::templates::web_address;
use crate::text;

/// A document from plain lines: `- ` begins a bullet, the rest is paragraphs;
/// the link stands at the end.
pub(super) fn document(plain: &str, link: Option<(&str, &str)>) -> Value {
    let mut content: Vec<Value> = Vec::new();
    let mut bullets: Vec<Value> = Vec::new();
    let flush = |bullets: &mut Vec<Value>, content: &mut Vec<Value>| {
        if !bullets.is_empty() {
            content.push(json!({"type": "bulletList", "content": std::mem::take(bullets)}));
        }
    };
    for line in text::shorten(plain, 20_000).lines() {
        let line = text::one_line(line);
        if line.is_empty() {
            continue;
        }
        match line.strip_prefix("- ").map(|item| item.trim_start_matches("[ ] ")) {
            Some(item) if !item.is_empty() => {
                bullets.push(json!({"type": "listItem", "content": [paragraph(item)]}));
            }
            _ => {
                flush(&mut bullets, &mut content);
                content.push(paragraph(&line));
            }
        }
    }
    flush(&mut bullets, &mut content);
    if let Some((label, href)) = link
        && let Some(href) = web_address(href)
    {
        content.push(json!({"type": "paragraph", "content": [
            {"type": "text", "text": label, "marks": [{"type": "link", "attrs": {"href": href}}]}
        ]}));
    }
    json!({"type": "doc", "version": 1, "content": content})
}

fn paragraph(line: &str) -> Value {
    json!({"type": "paragraph", "content": [{"type": "text", "text": line}]})
}
