//! Lists of other commands (`status`, `coverage`, `doctor`, `inbox`) as tables,
//! and colours on a terminal or in a CI log.

use std::borrow::Cow;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width,
};
use unicode_width::UnicodeWidthStr;

use super::Options;
use crate::finding::Severity;
use crate::text;

// Text and colours on a terminal or in a CI log.

/// Somebody else's text for a terminal or a CI log: controls and direction
/// overrides visible, on one line, and nothing that GitHub's runner would take
/// for a workflow command (`::error::` at a line's start, `##[…]` anywhere).
pub(super) fn inert(given: &str) -> String {
    made_inert(given).into_owned()
}

fn made_inert(given: &str) -> Cow<'_, str> {
    // Most cells are, and a table may have a hundred thousand rows.
    let has_marks = given.starts_with(':') || given.as_bytes().contains(&b'#');
    let is_folded = !given.as_bytes().windows(2).any(|pair| pair == b"  ");
    if is_plain(given) && !has_marks && is_folded && given.trim_ascii() == given {
        return Cow::Borrowed(given);
    }
    let folded = given.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = text::terminal(&folded).replace("##[", "## [");
    Cow::Owned(match shown.strip_prefix("::") {
        Some(rest) => format!(": :{rest}"),
        None => shown,
    })
}

fn blanks(out: &mut String, mut count: usize) {
    const SOME: &str = "                                ";
    while count > 0 {
        let some = count.min(SOME.len());
        out.push_str(&SOME[..some]);
        count -= some;
    }
}

/// Whether a text has printable ASCII alone: as many columns as bytes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// Sets colours, or does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// Whether colours are wanted.
    pub(super) color: bool,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Bold.
    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Gutter, arrows and rules.
    pub(super) fn frame(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    /// All is well.
    pub(super) fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// In the colour of a severity.
    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.wrap(code, text)
    }
}

// Lists of other commands (`status`, `coverage`, `doctor`, `inbox`) as tables.

/// One column: its title, and whether it holds numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    title: String,
    right: bool,
    whole: bool,
}

impl TableColumn {
    /// A column of words.
    pub fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), right: false, whole: false }
    }

    /// A column of words that people copy, such as keys: never broken.
    pub fn whole(title: impl Into<String>) -> Self {
        Self { title: title.into(), right: false, whole: true }
    }

    /// A column of numbers, aligned to the right.
    pub fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), right: true, whole: false }
    }
}

/// A column of words may be as narrow as this, unless a word in it is longer,
/// up to [`LONG_WORD`].
const NARROW: usize = 10;
const LONG_WORD: usize = 24;

/// In lines that are not fitted a column of words is aligned up to this width; one
/// longer cell moves its own row alone.
const ALIGNED: usize = 60;

/// Rows under titles. Cells may hold customer text: what would act on a
/// terminal is shown instead.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<TableColumn>,
    /// The cells, one behind the other, and where each of them ends.
    text: String,
    ends: Vec<usize>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = TableColumn>) -> Self {
        let columns = columns.into_iter().collect();
        Self { columns, text: String::new(), ends: Vec::new() }
    }

    /// Adds a row; cells that are missing are empty, cells too many are a bug.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        let end = self.ends.len() + self.columns.len();
        let mut cells = cells.into_iter();
        for cell in cells.by_ref().take(self.columns.len()) {
            self.text.push_str(&made_inert(cell.as_ref()));
            self.ends.push(self.text.len());
        }
        debug_assert!(cells.next().is_none(), "a row is no longer than the titles");
        self.ends.resize(end, self.text.len());
        self
    }

    /// The cells of each row.
    fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = &str> + Clone> {
        let columns = self.columns.len().max(1);
        (0..self.ends.len() / columns).map(move |row| {
            (row * columns..(row + 1) * columns).map(move |at| {
                let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
                &self.text[start..self.ends[at]]
            })
        })
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How wide a column must be: what people copy, numbers and words are not broken.
    fn least(&self, at: usize, column: &TableColumn) -> usize {
        let cells = || self.rows().filter_map(|mut row| row.nth(at));
        let widest = cells().map(width).max().unwrap_or_default();
        let words = cells().chain([column.title.as_str()]).flat_map(str::split_whitespace);
        let word = words.map(width).max().unwrap_or_default();
        match column.whole || column.right {
            true => widest.max(word),
            false => widest.min(NARROW).max(word.min(LONG_WORD)),
        }
    }

    /// A paragraph for each row: where columns do not fit side by side.
    fn blocks(&self, options: &Options) -> String {
        let paint = Paint { color: options.color };
        let head = self.columns.iter().position(|column| column.whole).unwrap_or_default();
        let titles = self.columns.iter().map(|column| width(&column.title)).max();
        let titles = titles.unwrap_or_default();
        let mut out = String::new();
        for row in self.rows() {
            let key = row.clone().nth(head).unwrap_or_default();
            out.push_str(&format!("{}\n", paint.bold(key)));
            for (at, cell) in row.enumerate().filter(|(at, cell)| *at != head && !cell.is_empty()) {
                let title = self.columns[at].title.to_lowercase();
                let gap = " ".repeat(titles - width(&title));
                out.push_str(&format!("  {title}{gap}  {cell}\n"));
            }
        }
        out
    }

    /// The table as text, with a line end. On a terminal it is fitted to the
    /// width and cells wrap, or each row is a paragraph where that breaks words;
    /// elsewhere each row is one line and nothing is cut, so that other programs
    /// can read it.
    #[must_use]
    pub fn render(&self, options: &Options) -> String {
        match options.width {
            Some(width) => self.fitted(width, options),
            None => self.lines(options),
        }
    }

    /// Each row on a line of its own, however long: nothing has to be fitted.
    fn lines(&self, options: &Options) -> String {
        let titles: Vec<String> = self.columns.iter().map(|it| it.title.to_uppercase()).collect();
        let mut widths: Vec<usize> = titles.iter().map(|title| width(title)).collect();
        for row in self.rows() {
            for ((widest, cell), column) in widths.iter_mut().zip(row).zip(&self.columns) {
                let own = width(cell);
                if own <= ALIGNED || column.whole || column.right {
                    *widest = (*widest).max(own);
                }
            }
        }
        let mut out = String::with_capacity(2 * self.text.len());
        let add = |row: &mut dyn Iterator<Item = &str>, out: &mut String| {
            let begin = out.len();
            for ((cell, column), widest) in row.zip(&self.columns).zip(&widths) {
                let gap = widest.saturating_sub(width(cell));
                let (before, after) = if column.right { (gap, 2) } else { (0, gap + 2) };
                blanks(out, before);
                out.push_str(cell);
                blanks(out, after);
            }
            out.truncate(begin + out[begin..].trim_end().len());
        };
        let mut head = String::new();
        add(&mut titles.iter().map(String::as_str), &mut head);
        out.push_str(&Paint { color: options.color }.bold(&head));
        out.push('\n');
        for mut row in self.rows() {
            add(&mut row, &mut out);
            out.push('\n');
        }
        out
    }

    /// Fitted to a terminal's width.
    fn fitted(&self, width: usize, options: &Options) -> String {
        let least: Vec<usize> =
            self.columns.iter().enumerate().map(|(at, column)| self.least(at, column)).collect();
        let gaps = 2 * self.columns.len().saturating_sub(1);
        if least.iter().sum::<usize>() + gaps > width {
            return self.blocks(options);
        }
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
        table.set_header(self.columns.iter().map(|column| column.title.to_uppercase()));
        table.add_rows(self.rows());
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width.max(20)).unwrap_or(u16::MAX));
        let last = self.columns.len().saturating_sub(1);
        for (at, column) in self.columns.iter().enumerate() {
            if let Some(drawn) = table.column_mut(at) {
                drawn.set_padding((0, if at == last { 0 } else { 2 }));
                if column.whole {
                    drawn.set_constraint(ColumnConstraint::ContentWidth);
                } else {
                    // A column's width holds the gap behind it.
                    let wide = least[at] + if at == last { 0 } else { 2 };
                    let wide = Width::Fixed(u16::try_from(wide).unwrap_or(u16::MAX));
                    drawn.set_constraint(ColumnConstraint::LowerBoundary(wide));
                }
                if column.right {
                    drawn.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        let drawn = table.trim_fmt();
        let paint = Paint { color: options.color };
        let mut out = String::with_capacity(drawn.len() + 16);
        for (at, line) in drawn.lines().enumerate() {
            // The titles are one line unless the terminal is very narrow.
            out.push_str(&if at == 0 { paint.bold(line) } else { line.to_owned() });
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reads_as_a_workflow_command() {
        assert_eq!(inert("::error::x"), ": :error::x");
        assert_eq!(inert("a ##[stop-commands]x"), "a ## [stop-commands]x");
        assert_eq!(inert("a\r\n::error::\u{1b}[2J"), "a ::error::\\u{1b}[2J");
    }
}
