//! Customer text inside GitHub-flavoured Markdown.

use super::line::one_line;

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
