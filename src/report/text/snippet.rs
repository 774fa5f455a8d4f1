//! One line of a file with an underline, cut to what fits.

use unicode_width::UnicodeWidthStr as _;

use crate::text;

/// How a tab is shown.
const TAB: &str = "    ";

/// A line as it is shown, and below it the underline.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snippet {
    /// The line: tabs widened, controls visible, cut with `…`.
    pub(super) line: String,
    /// Columns before the underline.
    pub(super) indent: usize,
    /// Columns of the underline; at least one.
    pub(super) length: usize,
}

/// Shows the part of a line around a column (from 1, in characters) in at most
/// `most` columns.
pub(super) fn snippet(source: &str, column: usize, width: usize, most: usize) -> Snippet {
    let source = source.trim_end_matches(['\r', '\n']).trim_end();
    let mut cells: Vec<String> = source.chars().map(show).collect();
    // GitHub's runner takes `##[…]` for a command wherever it stands in a line.
    for (at, _) in source.match_indices("##[") {
        cells[source[..at].chars().count() + 2] = " [".to_owned();
    }
    // A finding can point behind the end of a line, where something is missing.
    let start = column.saturating_sub(1).min(cells.len());
    let end = start.saturating_add(width).clamp(start, cells.len());

    let (from, to) = window(&cells, start, end, most.max(20));
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < cells.len() { "…" } else { "" });
    let before: String =
        std::iter::once(head).chain(cells[from..start].iter().map(String::as_str)).collect();
    let marked = cells[start..end.min(to)].concat();
    let after: String = cells[end.min(to)..to].iter().map(String::as_str).chain([tail]).collect();
    Snippet {
        indent: before.width(),
        length: marked.width().max(1),
        line: before + &marked + &after,
    }
}

/// One character as it is shown.
fn show(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        // A line has no line feed; one that is there all the same must not end it.
        '\n' => "\\n".to_owned(),
        _ => text::terminal(c.encode_utf8(&mut [0; 4])),
    }
}

/// Which cells fit: all if they do, else those from a little before the
/// underline on.
fn window(cells: &[String], start: usize, end: usize, most: usize) -> (usize, usize) {
    let widths: Vec<usize> = cells.iter().map(|cell| cell.width()).collect();
    if widths.iter().sum::<usize>() <= most {
        return (0, cells.len());
    }
    let inner = most.saturating_sub(2);
    let reach: usize = widths[..end].iter().sum();
    let mut from = 0;
    if reach > inner {
        let lead = inner / 4;
        let mut before = 0;
        from = start;
        while from > 0 && before + widths[from - 1] <= lead {
            from -= 1;
            before += widths[from];
        }
    }
    let mut to = from;
    let mut used = 0;
    while to < cells.len() && used + widths[to] <= inner {
        used += widths[to];
        to += 1;
    }
    (from, to.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &str, column: usize, width: usize, most: usize) -> String {
        let shown = snippet(source, column, width, most);
        format!("{}\n{}{}", shown.line, " ".repeat(shown.indent), "^".repeat(shown.length))
    }

    #[test]
    fn tabs_and_wide_characters_are_underlined_where_they_stand() {
        assert_eq!(drawn("\tname: 株式会社", 8, 4, 80), "    name: 株式会社\n          ^^^^^^^^");
        assert_eq!(drawn("a: b", 1, 1, 80), "a: b\n^");
    }

    #[test]
    fn controls_are_shown_and_counted() {
        assert_eq!(drawn("x: \u{1b}[2J", 4, 1, 80), "x: \\u{1b}[2J\n   ^^^^^^");
    }

    #[test]
    fn long_lines_are_cut_around_the_underline() {
        let long = format!("{}NAME{}", "a".repeat(300), "b".repeat(300));
        let shown = snippet(&long, 301, 4, 60);
        assert!(shown.line.starts_with('…') && shown.line.ends_with('…'), "{}", shown.line);
        assert!(shown.line.width() <= 60);
        assert_eq!(&shown.line.chars().skip(shown.indent).take(4).collect::<String>(), "NAME");
        let cut = snippet(&"w".repeat(500), 1, 500, 60);
        assert_eq!(cut.length, 58);
    }

    #[test]
    fn places_outside_the_line_are_harmless() {
        assert_eq!(drawn("a:", 9, 3, 80), "a:\n  ^");
        assert_eq!(drawn("", 1, 5, 80), "\n^");
        assert_eq!(drawn("abc", 0, usize::MAX, 0), "abc\n^^^");
    }
}
