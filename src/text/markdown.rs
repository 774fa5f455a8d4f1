//! Markdown: customer text inside it, and our own templates as HTML and as plain
//! text.

use std::fmt::Write as _;

use comrak::nodes::{AlertType, AstNode, ListType, NodeValue};
use comrak::{Arena, Options, parse_document};

use super::line::{is_deceptive, one_line};

/// Deeper nesting is left out; no template of ours comes near.
const DEEPEST: usize = 40;

/// How HTML is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For mail: the style stands in each element, since many readers drop
    /// style sheets; classes serve the dark scheme of those that do not.
    Mail,
    /// For a page with a style sheet of its own.
    Page,
    /// For Asana's rich text: XML of few elements, in which lines end with line
    /// feeds. <https://developers.asana.com/docs/rich-text>
    Asana,
}

/// The fragment of HTML that a Markdown text gives.
#[must_use]
pub fn markdown_to_html(markdown: &str, look: Look) -> String {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options());
    let mut writer = Html { out: String::with_capacity(markdown.len() * 2), look };
    writer.children(root, 0, false);
    writer.out
}

/// The plain text that a Markdown text gives: addresses stand in it whole.
#[must_use]
pub fn markdown_to_plain(markdown: &str) -> String {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options());
    let mut out = String::with_capacity(markdown.len());
    plain_blocks(root, "", 0, &mut out);
    let mut text = String::with_capacity(out.len());
    let mut blank = 0;
    for line in out.lines().map(str::trim_end) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank < 2 && !(line.is_empty() && text.is_empty()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text inside of HTML.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_deceptive(c) => {}
            c => out.push(c),
        }
    }
    out
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.strikethrough = true;
    options.extension.alerts = true;
    options
}

/// What reordered, hid or kept from acting.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !is_deceptive(*c) && !c.is_control()).collect()
}

/// An address that a link may go to.
fn target(url: &str) -> Option<String> {
    let parsed = url::Url::parse(url).ok()?;
    matches!(parsed.scheme(), "http" | "https" | "mailto").then(|| parsed.to_string())
}

/// The words of a `<summary>`, which are entities and text already.
fn summary(literal: &str) -> Option<String> {
    let (_, rest) = literal.split_once("<summary>")?;
    let (words, _) = rest.split_once("</summary>")?;
    let plain = words
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#8203;", "")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    Some(shown(&plain))
}

/// A paragraph of nothing but one strong link.
fn is_button<'a>(node: &'a AstNode<'a>) -> bool {
    let only = |node: &'a AstNode<'a>| {
        let mut children = node.children();
        children.next().filter(|_| children.next().is_none())
    };
    let Some(strong) = only(node) else { return false };
    let is_strong = matches!(strong.data.borrow().value, NodeValue::Strong);
    is_strong
        && only(strong).is_some_and(
            |it| matches!(&it.data.borrow().value, NodeValue::Link(it) if target(&it.url).is_some()),
        )
}

fn is_break(literal: &str) -> bool {
    matches!(literal, "<br>" | "<br/>" | "<br />")
}

/// The words of a node and all below it.
fn words<'a>(node: &'a AstNode<'a>, depth: usize, out: &mut String) {
    if depth > DEEPEST {
        return;
    }
    let (inside, more) = match &node.data.borrow().value {
        NodeValue::Text(text) => (shown(text), false),
        NodeValue::Code(code) => (shown(&code.literal), false),
        NodeValue::SoftBreak => ("\n".to_owned(), false),
        NodeValue::LineBreak => ("\n".to_owned(), false),
        NodeValue::HtmlInline(literal) if is_break(literal) => ("\n".to_owned(), false),
        NodeValue::HtmlInline(_) | NodeValue::HtmlBlock(_) | NodeValue::Raw(_) => {
            (String::new(), false)
        }
        _ => (String::new(), true),
    };
    out.push_str(&inside);
    if !more {
        return;
    }
    let before = out.len();
    for child in node.children() {
        words(child, depth + 1, out);
    }
    if let NodeValue::Link(link) = &node.data.borrow().value
        && let Some(url) = target(&link.url)
    {
        let label = out[before..].to_owned();
        let address = url.strip_prefix("mailto:").unwrap_or(&url);
        if label.trim().is_empty() {
            out.push_str(address);
        } else if !label.contains(address) {
            let _ = write!(out, " <{address}>");
        }
    }
}

fn words_of<'a>(node: &'a AstNode<'a>) -> String {
    let mut out = String::new();
    words(node, 0, &mut out);
    out
}

fn plain_blocks<'a>(node: &'a AstNode<'a>, indent: &str, depth: usize, out: &mut String) {
    if depth > DEEPEST {
        return;
    }
    for (index, child) in node.children().enumerate() {
        plain_block(child, indent, index, depth, out);
    }
}

fn lines(text: &str, first: &str, indent: &str, out: &mut String) {
    for (index, line) in text.trim().lines().enumerate() {
        out.push_str(if index == 0 { first } else { indent });
        out.push_str(line.trim());
        out.push('\n');
    }
}

fn plain_block<'a>(
    node: &'a AstNode<'a>,
    indent: &str,
    index: usize,
    depth: usize,
    out: &mut String,
) {
    let value = node.data.borrow().value.clone();
    match value {
        NodeValue::Heading(_) => {
            let text = words_of(node);
            let text = text.trim();
            let rule = "-".repeat(text.chars().count().clamp(3, 60));
            let _ = write!(out, "\n{indent}{text}\n{indent}{rule}\n");
        }
        NodeValue::Paragraph => {
            lines(&words_of(node), indent, indent, out);
            out.push('\n');
        }
        NodeValue::List(_) => {
            plain_blocks(node, indent, depth + 1, out);
            out.push('\n');
        }
        NodeValue::Item(_) | NodeValue::TaskItem(_) => {
            let bullet = match (&value, node.parent().map(|it| it.data.borrow().value.clone())) {
                (NodeValue::TaskItem(item), _) if item.symbol.is_some() => "[x] ".to_owned(),
                (NodeValue::TaskItem(_), _) => "[ ] ".to_owned(),
                (_, Some(NodeValue::List(list))) if list.list_type == ListType::Ordered => {
                    format!("{}. ", list.start + index)
                }
                _ => "- ".to_owned(),
            };
            let inner = format!("{indent}{}", " ".repeat(bullet.len()));
            let mut is_first = true;
            for child in node.children() {
                if is_first && matches!(child.data.borrow().value, NodeValue::Paragraph) {
                    lines(&words_of(child), &format!("{indent}{bullet}"), &inner, out);
                } else {
                    plain_block(child, &inner, 0, depth + 1, out);
                }
                is_first = false;
            }
        }
        NodeValue::Table(_) => plain_table(node, indent, out),
        NodeValue::CodeBlock(code) => {
            let inner = format!("{indent}    ");
            lines(&shown_lines(&code.literal), &inner, &inner, out);
            out.push('\n');
        }
        NodeValue::HtmlBlock(block) => {
            if let Some(words) = summary(&block.literal) {
                let _ = write!(out, "\n{indent}{words}\n{indent}---\n");
            }
        }
        NodeValue::ThematicBreak => {
            let _ = write!(out, "\n{indent}----------------------------------------\n\n");
        }
        _ => plain_blocks(node, indent, depth + 1, out),
    }
}

fn shown_lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

/// One entry for each row; each cell behind the name of its column.
fn plain_table<'a>(node: &'a AstNode<'a>, indent: &str, out: &mut String) {
    let mut columns: Vec<String> = Vec::new();
    let inner = format!("{indent}  ");
    for row in node.children() {
        let is_header = matches!(row.data.borrow().value, NodeValue::TableRow(true));
        let cells: Vec<String> =
            row.children().map(|cell| words_of(cell).trim().to_owned()).collect();
        if is_header {
            columns = cells;
            continue;
        }
        let filled = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        for (position, (index, cell)) in filled.enumerate() {
            let label = columns.get(index).map(String::as_str).unwrap_or_default();
            let first = if position == 0 { format!("{indent}- ") } else { inner.clone() };
            let labelled = if label.is_empty() { cell.clone() } else { format!("{label}: {cell}") };
            lines(&labelled, &first, &format!("{inner}  "), out);
        }
    }
    out.push('\n');
}

struct Html {
    out: String,
    look: Look,
}

impl Html {
    /// An opening tag with class, and with style where the look wants it.
    fn open(&mut self, tag: &str, class: &str, style: &str, more: &str) {
        let _ = write!(self.out, "<{tag}");
        if !class.is_empty() && self.look != Look::Asana {
            let _ = write!(self.out, " class=\"{class}\"");
        }
        if self.look == Look::Mail && !style.is_empty() {
            let _ = write!(self.out, " style=\"{style}\"");
        }
        let _ = write!(self.out, "{more}>");
    }

    fn around<'a>(
        &mut self,
        node: &'a AstNode<'a>,
        (tag, class, style): (&str, &str, &str),
        depth: usize,
    ) {
        self.open(tag, class, style, "");
        self.children(node, depth + 1, false);
        let _ = write!(self.out, "</{tag}>");
    }

    fn children<'a>(&mut self, node: &'a AstNode<'a>, depth: usize, tight: bool) {
        if depth > DEEPEST {
            return;
        }
        for child in node.children() {
            self.node(child, depth, tight);
        }
    }

    fn node<'a>(&mut self, node: &'a AstNode<'a>, depth: usize, tight: bool) {
        let value = node.data.borrow().value.clone();
        match value {
            NodeValue::Text(text) => self.out.push_str(&html(&text)),
            NodeValue::Code(code) => {
                self.open("code", "c", "font-family:Consolas,Menlo,monospace;font-size:13px", "");
                self.out.push_str(&html(&code.literal));
                self.out.push_str("</code>");
            }
            NodeValue::SoftBreak => self.out.push('\n'),
            NodeValue::LineBreak => self.line_break(),
            NodeValue::HtmlInline(literal) if is_break(&literal) => self.line_break(),
            NodeValue::HtmlInline(_) | NodeValue::Raw(_) => {}
            NodeValue::HtmlBlock(block) => {
                if let Some(words) = summary(&block.literal) {
                    self.open("h3", "h", HEADING, "");
                    self.out.push_str(&html(&words));
                    self.out.push_str("</h3>\n");
                }
            }
            NodeValue::Emph => self.around(node, ("em", "", ""), depth),
            NodeValue::Strong => self.around(node, ("strong", "", ""), depth),
            NodeValue::Strikethrough => self.around(node, ("s", "", ""), depth),
            NodeValue::Link(link) => match target(&link.url) {
                Some(url) => {
                    let more = format!(" href=\"{}\"", html(&url));
                    self.open("a", "l", "color:#0757ba;text-decoration:underline", &more);
                    self.children(node, depth + 1, false);
                    self.out.push_str("</a>");
                }
                None => self.children(node, depth + 1, false),
            },
            NodeValue::Paragraph if self.look == Look::Mail && is_button(node) => {
                self.out.push_str(
                    "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 12px 0\"><tr>",
                );
                self.open("td", "u", "padding:10px 18px;background:#0757ba;border-radius:6px", "");
                for link in node.children().flat_map(AstNode::children) {
                    if let NodeValue::Link(found) = &link.data.borrow().value
                        && let Some(url) = target(&found.url)
                    {
                        let style = "color:#ffffff;font-weight:bold;text-decoration:none";
                        self.open("a", "", style, &format!(" href=\"{}\"", html(&url)));
                        self.children(link, depth + 3, false);
                        self.out.push_str("</a>");
                    }
                }
                self.out.push_str("</td></tr></table>\n");
            }
            NodeValue::Paragraph if self.look == Look::Asana => {
                self.children(node, depth + 1, false);
                if !tight {
                    self.out.push('\n');
                }
            }
            NodeValue::ThematicBreak if self.look == Look::Asana => self.out.push_str("<hr/>\n"),
            NodeValue::Alert(_) if self.look == Look::Asana => {
                self.children(node, depth + 1, tight);
            }
            NodeValue::Heading(_) if self.look == Look::Asana => {
                self.around(node, ("h2", "", ""), depth);
                self.out.push('\n');
            }
            NodeValue::Paragraph if tight => self.children(node, depth + 1, false),
            NodeValue::Paragraph => {
                self.around(node, ("p", "p", "margin:0 0 12px 0"), depth);
                self.out.push('\n');
            }
            NodeValue::Heading(heading) => {
                // A page has a heading of its own above the brief's.
                let level = heading.level + u8::from(self.look == Look::Page);
                let (tag, style) = match level {
                    1 => ("h1", "margin:8px 0 12px 0;font-size:22px;line-height:28px"),
                    2 => ("h2", "margin:20px 0 8px 0;font-size:18px;line-height:24px"),
                    _ => ("h3", HEADING),
                };
                self.around(node, (tag, "h", style), depth);
                self.out.push('\n');
            }
            NodeValue::List(list) => {
                let tag = if list.list_type == ListType::Ordered { "ol" } else { "ul" };
                self.open(tag, "", "margin:0 0 12px 0;padding:0 0 0 22px", "");
                for item in node.children() {
                    self.open("li", "", "margin:0 0 4px 0", "");
                    if let NodeValue::TaskItem(task) = &item.data.borrow().value {
                        let mark = if task.symbol.is_some() { "&#9745; " } else { "&#9744; " };
                        self.out.push_str(mark);
                    }
                    self.children(item, depth + 2, list.tight);
                    self.out.push_str("</li>");
                }
                let _ = writeln!(self.out, "</{tag}>");
            }
            NodeValue::BlockQuote => {
                let style = "margin:0 0 12px 0;padding:0 0 0 12px;border-left:3px solid #d1d9e0";
                self.around(node, ("blockquote", "q", style), depth);
            }
            NodeValue::Alert(alert) => self.alert(node, alert.alert_type, depth),
            NodeValue::ThematicBreak => {
                self.open("hr", "r", "border:0;border-top:1px solid #d1d9e0;margin:20px 0", "");
                self.out.push('\n');
            }
            NodeValue::CodeBlock(code) => {
                self.open("pre", "c", "font-family:Consolas,Menlo,monospace;font-size:13px", "");
                self.out.push_str(&html(&code.literal));
                self.out.push_str("</pre>\n");
            }
            NodeValue::Table(_) => self.table(node, depth),
            _ => self.children(node, depth + 1, tight),
        }
    }

    fn line_break(&mut self) {
        self.out.push_str(if self.look == Look::Asana { "\n" } else { "<br>" });
    }

    /// A box. Outlook draws the ground and the padding of table cells only.
    fn alert<'a>(&mut self, node: &'a AstNode<'a>, kind: AlertType, depth: usize) {
        let (class, colours) = match kind {
            AlertType::Important => ("b i", "border-left:4px solid #0757ba;background:#e8f1fd"),
            AlertType::Warning | AlertType::Caution => {
                ("b w", "border-left:4px solid #9a6700;background:#fff5d6")
            }
            AlertType::Note | AlertType::Tip => {
                ("b n", "border-left:4px solid #59636e;background:#f2f4f7")
            }
        };
        if self.look == Look::Page {
            self.around(node, ("div", class, ""), depth);
            self.out.push('\n');
            return;
        }
        self.out.push_str(
            "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 16px 0\"><tr>",
        );
        let style = format!("padding:12px 14px 2px 14px;{colours}");
        self.open("td", class, &style, "");
        self.children(node, depth + 1, false);
        self.out.push_str("</td></tr></table>\n");
    }

    fn table<'a>(&mut self, node: &'a AstNode<'a>, depth: usize) {
        const CELL: &str =
            "padding:6px 10px;border:1px solid #d1d9e0;text-align:left;vertical-align:top";
        let style = "border-collapse:collapse;margin:0 0 16px 0;width:100%";
        // On a page it scrolls where it is wide, also by the keyboard.
        let more = match self.look {
            Look::Page => " tabindex=\"0\"",
            _ => " cellpadding=\"0\" cellspacing=\"0\"",
        };
        self.open("table", "t", style, more);
        for row in node.children() {
            let is_header = matches!(row.data.borrow().value, NodeValue::TableRow(true));
            if is_header && row.children().all(|cell| words_of(cell).trim().is_empty()) {
                continue;
            }
            self.out.push_str("<tr>");
            for cell in row.children() {
                let (tag, more) = if is_header { ("th", " scope=\"col\"") } else { ("td", "") };
                self.open(tag, "d", CELL, more);
                self.children(cell, depth + 2, true);
                let _ = write!(self.out, "</{tag}>");
            }
            self.out.push_str("</tr>");
        }
        self.out.push_str("</table>\n");
    }
}

const HEADING: &str = "margin:20px 0 8px 0;font-size:16px;line-height:22px";

// Customer text inside GitHub-flavoured Markdown.

/// The text as inert inline Markdown on one line: no emphasis, links, images,
/// HTML, mentions (`@team`), issue references (`#1`, `GH-1`), closing words,
/// bare URLs or tables come of it; a reader sees the same characters.
#[must_use]
pub fn markdown(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::with_capacity(line.len() + 8);
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // GitHub looks for mentions and references in the rendered text, so
            // an entity for the sign itself is not enough; Renovate breaks them
            // the same way.
            '@' => out.push_str("@&#8203;"),
            '#' if at == 0 => out.push_str("\\#&#8203;"),
            '#' => out.push_str("#&#8203;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // `http://`, `https://`, `ftp://` and `www.` would link by themselves; so would GH-12.
            ':' if line[at..].starts_with("://") => out.push_str("&#58;"),
            '.' if ends_with(&line[..at], "www") => {
                out.push_str("&#46;");
            }
            '-' if ends_with(&line[..at], "gh")
                && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit()) =>
            {
                out.push_str("&#8203;-");
            }
            // What would begin a list, a heading line or a thematic break.
            '+' | '-' | '=' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' if at > 0 && line[..at].bytes().all(|b| b.is_ascii_digit()) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Whether the text ends so, whatever its case; looks at the end alone, so that
/// a long text full of hyphens costs no more than another.
fn ends_with(text: &str, end: &str) -> bool {
    let tail = text.len().checked_sub(end.len()).map(|at| &text.as_bytes()[at..]);
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
}

/// Several lines of customer text: each line inert, joined by hard breaks.
#[must_use]
pub fn markdown_block(text: &str) -> String {
    text.lines().map(markdown).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("<br>")
}

/// The text as a code span that it cannot leave.
#[must_use]
pub fn code(text: &str) -> String {
    let line = one_line(text);
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{line}`") } else { format!("{fence} {line} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::markdown;

    #[test]
    fn hostile_text_is_text_and_addresses_can_be_copied() {
        let hostile = "<script>alert(1)</script> ![i](https://evil.example/p.png) [x](javascript:alert(1)) a@b.example";
        let source = format!(
            "# {0}\n\n> [!WARNING]\n> **{0}**\n\n| a | b |\n|---|---|\n| {0} | [dana@acme.example](mailto:dana@acme.example) |\n\n<details><summary>More</summary>\n\n- [ ] {0}\n\n</details>\n\n<img src=x onerror=alert(1)>\n\n[bad](javascript:alert(1))<b>x</b>",
            markdown(hostile)
        );
        for look in [Look::Mail, Look::Page] {
            let html = markdown_to_html(&source, look);
            for bad in ["<script", "<img", "href=\"javascript", "\u{200B}", "<b>"] {
                assert!(!html.contains(bad), "{bad} is in {html}");
            }
            assert!(html.contains("href=\"mailto:dana@acme.example\""), "{html}");
            assert!(html.contains("a@b.example"), "{html}");
        }
        let plain = markdown_to_plain(&source);
        assert!(plain.contains("b: dana@acme.example"), "{plain}");
        assert!(plain.contains("More\n---") && plain.contains("[ ] "), "{plain}");
        assert!(!plain.contains('\u{200B}') && !plain.contains("**"), "{plain}");
    }

    #[test]
    fn hostile_text_is_inert() {
        assert_eq!(
            markdown("{{7*7}}<script>@everyone"),
            "\\{\\{7\\*7\\}\\}&lt;script&gt;@&#8203;everyone"
        );
        assert_eq!(markdown("fixes #1 GH-12"), "fixes #&#8203;1 GH&#8203;-12");
        assert_eq!(
            markdown("![x](https://e.example/p.png)"),
            "\\!\\[x\\]\\(https&#58;//e.example/p.png\\)"
        );
        assert_eq!(markdown("- a\n# b"), "\\- a #&#8203; b");
        assert_eq!(markdown("1. x"), "1\\. x");
        assert_eq!(code("a ``b"), "``` a ``b ```");
    }
}
