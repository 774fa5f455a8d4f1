//! Lists of other commands (`status`, `coverage`, `doctor`, `inbox`) as tables,
//! and colours on a terminal or in a CI log.

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
    // Most cells are, and a table may have a hundred thousand rows.
    let is_plain = given.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let has_marks = given.contains("##[") || given.starts_with(':');
    if is_plain && !has_marks && !given.contains("  ") && given.trim_ascii() == given {
        return given.to_owned();
    }
    let folded = given.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = text::terminal(&folded).replace("##[", "## [");
    match shown.strip_prefix("::") {
        Some(rest) => format!(": :{rest}"),
        None => shown,
    }
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
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = TableColumn>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing are empty, cells too many are a bug.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| inert(cell.as_ref())).collect();
        debug_assert!(cells.len() <= self.columns.len(), "a row is no longer than the titles");
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
        self
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How wide a column must be: what people copy, numbers and words are not broken.
    fn least(&self, at: usize, column: &TableColumn) -> usize {
        let cells = || self.rows.iter().map(|row| row[at].as_str());
        let widest = cells().map(UnicodeWidthStr::width).max().unwrap_or_default();
        let words = cells().chain([column.title.as_str()]).flat_map(str::split_whitespace);
        let word = words.map(UnicodeWidthStr::width).max().unwrap_or_default();
        match column.whole || column.right {
            true => widest.max(word),
            false => widest.min(NARROW).max(word.min(LONG_WORD)),
        }
    }

    /// A paragraph for each row: where columns do not fit side by side.
    fn blocks(&self, options: &Options) -> String {
        let paint = Paint { color: options.color };
        let head = self.columns.iter().position(|column| column.whole).unwrap_or_default();
        let titles = self.columns.iter().map(|column| column.title.width()).max();
        let titles = titles.unwrap_or_default();
        let mut out = String::new();
        for row in &self.rows {
            out.push_str(&format!("{}\n", paint.bold(&row[head])));
            for (at, cell) in
                row.iter().enumerate().filter(|(at, cell)| *at != head && !cell.is_empty())
            {
                let title = self.columns[at].title.to_lowercase();
                let gap = " ".repeat(titles - title.width());
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
        let mut widths: Vec<usize> = titles.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for ((width, cell), column) in widths.iter_mut().zip(row).zip(&self.columns) {
                let own = cell.width();
                if own <= ALIGNED || column.whole || column.right {
                    *width = (*width).max(own);
                }
            }
        }
        let mut out = String::new();
        let add = |row: &[String], out: &mut String| {
            let begin = out.len();
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(&widths) {
                let gap = width.saturating_sub(cell.width());
                let (before, after) = if column.right { (gap, 2) } else { (0, gap + 2) };
                out.extend(std::iter::repeat_n(' ', before));
                out.push_str(cell);
                out.extend(std::iter::repeat_n(' ', after));
            }
            out.truncate(begin + out[begin..].trim_end().len());
        };
        add(&titles, &mut out);
        out = Paint { color: options.color }.bold(&out);
        out.push('\n');
        for row in &self.rows {
            add(row, &mut out);
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
        table.add_rows(self.rows.iter());
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
