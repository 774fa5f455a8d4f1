//! Texts in Atlassian's document format. Text nodes need no escaping, and no
//! node but a link to the brief acts.

use serde_json::{Value, json};

use crate::deliver::templates::web_address;
use crate::text;

/// A document from plain lines: `- ` begins a bullet, the rest is paragraphs;
/// the links stand at the end.
pub(super) fn document(plain: &str, links: &[(&str, String)]) -> Value {
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
    for (label, href) in links {
        let Some(href) = web_address(href) else { continue };
        content.push(json!({"type": "paragraph", "content": [
            {"type": "text", "text": label, "marks": [{"type": "link", "attrs": {"href": href}}]}
        ]}));
    }
    json!({"type": "doc", "version": 1, "content": content})
}

/// The plain text of a document that somebody wrote. A quotation or a block of
/// code stands behind the mark that it has in Markdown, so that it is no command.
pub(super) fn plain(document: &Value) -> String {
    let mut text = String::new();
    for block in document["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("blockquote") => text.push_str("> "),
            Some("codeBlock") => text.push_str("    "),
            _ => {}
        }
        write_inline(block, &mut text, 0);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// Deeper documents are not written by people.
const DEEPEST: usize = 50;

fn write_inline(node: &Value, text: &mut String, depth: usize) {
    match node["type"].as_str() {
        Some("text") => text.push_str(node["text"].as_str().unwrap_or_default()),
        Some("hardBreak") => text.push('\n'),
        Some("mention" | "emoji" | "status" | "date") => {
            text.push_str(node["attrs"]["text"].as_str().unwrap_or_default());
        }
        _ => {}
    }
    for (index, inner) in node["content"].as_array().into_iter().flatten().enumerate() {
        if depth >= DEEPEST {
            return;
        }
        let begins_line = matches!(inner["type"].as_str(), Some("paragraph" | "listItem"));
        if index > 0 && begins_line {
            text.push('\n');
        }
        write_inline(inner, text, depth + 1);
    }
}

fn paragraph(line: &str) -> Value {
    json!({"type": "paragraph", "content": [{"type": "text", "text": line}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_as_it_looks() {
        let said = |text: &str| json!({"type": "text", "text": text});
        let block = |kind: &str, content: Value| json!({"type": kind, "content": content});
        let read =
            |content: Value| plain(&json!({"type": "doc", "version": 1, "content": content}));
        let paragraph = block(
            "paragraph",
            json!([said("/return "), said("wrong"), {"type": "hardBreak"}, said("below")]),
        );
        assert_eq!(
            read(json!([paragraph, block("paragraph", json!([said("more")]))])),
            "/return wrong\nbelow\nmore"
        );
        let mention = json!({"type": "mention", "attrs": {"id": "1", "text": "@Sam"}});
        assert_eq!(
            read(json!([block("paragraph", json!([mention, said(" hello")]))])),
            "@Sam hello"
        );
        let quoted = block("blockquote", json!([block("paragraph", json!([said("/accept")]))]));
        assert_eq!(read(json!([quoted])), "> /accept");
        assert_eq!(read(json!([block("codeBlock", json!([said("/accept")]))])), "    /accept");
        assert_eq!(plain(&Value::Null), "");
        let deep = (0..500).fold(said("x"), |inner, _| block("panel", json!([inner])));
        assert_eq!(read(json!([deep])), "");
    }
}
