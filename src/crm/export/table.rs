//! A file as a table: headers, rows and cells, without the rows that are no deals.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::cell::without_controls;
use super::json;
use super::problem::Problem;
use super::typed::Typed;
use crate::text::quoted;

// Delimited text to rows and cells (RFC 4180), strictly.
//
// Why not the `csv` crate: it forgives a quote that is never closed and takes
// the rows behind it into one cell. A population that shrinks in silence is
// the one thing an audit must not have, so here that is an error with its row.

/// One cell: where its text lies, without the quotes around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    start: usize,
    end: usize,
    /// Holds doubled quotes.
    escaped: bool,
}

impl Cell {
    /// The cell's text, without white space around it.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let raw = &text[self.start..self.end];
        let raw = if is_trimmed(raw) { raw } else { raw.trim() };
        if self.escaped { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) }
    }

    /// Whether nothing but white space is in it.
    pub(super) fn is_blank(&self, text: &str) -> bool {
        let raw = &text[self.start..self.end];
        raw.is_empty() || !is_trimmed(raw) && raw.trim().is_empty()
    }
}

/// Whether a text surely has no white space around it, as most cells have none.
fn is_trimmed(text: &str) -> bool {
    let ends = text.as_bytes().first().zip(text.as_bytes().last());
    ends.is_none_or(|(first, last)| first.is_ascii_graphic() && last.is_ascii_graphic())
}

/// Why a row cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFault {
    /// A quote is opened and never closed.
    Unclosed,
    /// Text follows a closing quote in the same cell.
    AfterQuote,
}

/// Reads the row that starts at `at` into `cells` and gives where the next one
/// starts. The end of a row is a line feed, a carriage return or both.
pub(super) fn read_row(
    text: &str,
    at: usize,
    delimiter: u8,
    cells: &mut Vec<Cell>,
) -> Result<usize, RowFault> {
    read_cells(text, at, delimiter, usize::MAX, cells)
}

/// As [`read_row`], but stops behind so many cells; then what it gives is the
/// end of the last cell.
pub(super) fn read_cells(
    text: &str,
    at: usize,
    delimiter: u8,
    most: usize,
    cells: &mut Vec<Cell>,
) -> Result<usize, RowFault> {
    cells.clear();
    let bytes = text.as_bytes();
    let mut at = at;
    loop {
        let mut end;
        if bytes.get(at) == Some(&b'"') {
            let start = at + 1;
            let mut escaped = false;
            end = find(bytes, start, [b'"']);
            while bytes.get(end + 1) == Some(&b'"') {
                escaped = true;
                end = find(bytes, end + 2, [b'"']);
            }
            if end >= bytes.len() {
                return Err(RowFault::Unclosed);
            }
            cells.push(Cell { start, end, escaped });
            end += 1;
        } else {
            end = find(bytes, at, [delimiter, b'\n', b'\r']);
            cells.push(Cell { start: at, end, escaped: false });
        }
        match bytes.get(end) {
            Some(_) if cells.len() >= most => return Ok(end),
            Some(byte) if *byte == delimiter => at = end + 1,
            Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => return Ok(end + 2),
            Some(b'\n' | b'\r') => return Ok(end + 1),
            None => return Ok(end),
            Some(_) => return Err(RowFault::AfterQuote),
        }
    }
}

/// Where the first of these bytes is, from `at` on; the end where there is none.
/// Cells are short, so that eight bytes at once are quicker than a call that is
/// made for long texts.
#[inline]
fn find<const N: usize>(bytes: &[u8], at: usize, wanted: [u8; N]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut at = at;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let eight = u64::from_le_bytes(*eight);
        // A byte that is wanted becomes nought, and of those the first gets its
        // highest bit; only bytes behind it may get theirs for nothing.
        let hits = wanted.iter().fold(0, |hits, byte| {
            let noughts = eight ^ (ONES * u64::from(*byte));
            hits | noughts.wrapping_sub(ONES) & !noughts & HIGH
        });
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| wanted.contains(byte)).unwrap_or(rest.len())
}

/// A file's rows under their headers. What could not be read is in `broken`.
#[derive(Debug)]
pub(super) struct ExportTable {
    /// The headers, trimmed, as they are written.
    pub(super) headers: Vec<String>,
    pub(super) body: Body,
    /// Rows that cannot be read; they are never skipped in silence.
    pub(super) broken: Vec<Problem>,
    /// What was left out or assumed, for the report.
    pub(super) remarks: Vec<String>,
    /// What the file itself says is missing from it, such as further pages.
    pub(super) cut_off: Option<json::CutOff>,
    /// What a JSON file has around its records, by which an API is known.
    pub(super) marks: BTreeSet<String>,
    /// What a workbook says of its cells beside their text.
    pub(super) typed: Typed,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub(super) sha256: String,
}

#[derive(Debug)]
pub(super) enum Body {
    Text { text: String, delimiter: u8, rows: Vec<RowAt> },
    Json { records: Vec<json::JsonRecord> },
}

/// Where a row starts, and its number in a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowAt {
    pub(super) start: usize,
    pub(super) number: u32,
    /// Whether its id has digits, as those of deals have, and nothing else has.
    pub(super) has_id: bool,
}

/// One row's cells, reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    cells: Vec<Cell>,
    row: usize,
}

impl Cursor {
    /// How many cells the row has in the text.
    pub(super) fn width(&self) -> usize {
        self.cells.len()
    }
}

impl ExportTable {
    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Text { rows, .. } => rows.len(),
            Body::Json { records } => records.len(),
        }
    }

    /// Whether this was JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.body, Body::Json { .. })
    }

    /// The cells of a column that are not empty, among the first rows.
    pub(super) fn first_cells(&self, column: usize) -> Vec<String> {
        let mut cursor = Cursor::default();
        (0..self.len().min(100))
            .map(|row| {
                self.seek_until(row, column, &mut cursor);
                self.cell(&cursor, column).into_owned()
            })
            .filter(|cell| !cell.is_empty())
            .collect()
    }

    /// The delimiter of a text.
    pub(super) fn delimiter(&self) -> Option<u8> {
        match &self.body {
            Body::Text { delimiter, .. } => Some(*delimiter),
            Body::Json { .. } => None,
        }
    }

    /// The row's number as a spreadsheet shows it; a JSON record's place in its list.
    pub(super) fn number(&self, row: usize) -> usize {
        match &self.body {
            Body::Text { rows, .. } => rows[row].number as usize,
            Body::Json { .. } => row + 1,
        }
    }

    /// Whether a row's id has digits, seen when it was found.
    pub(super) fn has_id(&self, row: usize) -> bool {
        match &self.body {
            Body::Text { rows, .. } => rows[row].has_id,
            Body::Json { .. } => false,
        }
    }

    /// Leaves a row out; for footers, before any row is used.
    pub(super) fn drop_rows(&mut self, gone: &[usize]) {
        if let Body::Text { rows, .. } = &mut self.body {
            for row in gone {
                rows[*row].number = 0;
            }
        }
    }

    /// Takes out `false` where it says that there is nothing: in these columns, and
    /// in those that hold something else, too.
    pub(super) fn drop_false(&mut self, never_flags: &BTreeSet<usize>) {
        let columns = self.headers.len();
        let Body::Json { records } = &mut self.body else { return };
        for at in 0..columns {
            let holds_more = |record: &json::JsonRecord| {
                record.value(at).is_some_and(|value| !value.is_boolean())
            };
            if never_flags.contains(&at) || records.iter().any(holds_more) {
                records.iter_mut().for_each(|record| record.drop_false(at));
            }
        }
    }

    /// Moves the cursor to a row.
    pub(super) fn seek(&self, row: usize, cursor: &mut Cursor) {
        cursor.row = row;
        if let Body::Text { text, delimiter, rows } = &self.body {
            // It was read once already, so it can be read again.
            let _ = read_row(text, rows[row].start, *delimiter, &mut cursor.cells);
        }
    }

    /// As [`ExportTable::seek`], for the cells up to this column only.
    pub(super) fn seek_until(&self, row: usize, column: usize, cursor: &mut Cursor) {
        cursor.row = row;
        if let Body::Text { text, delimiter, rows } = &self.body {
            let start = rows[row].start;
            let _ = read_cells(text, start, *delimiter, column + 1, &mut cursor.cells);
        }
    }

    /// The text of a cell in the cursor's row; empty where there is none.
    pub(super) fn cell<'a>(&'a self, cursor: &Cursor, column: usize) -> Cow<'a, str> {
        match &self.body {
            Body::Text { text, .. } => {
                cursor.cells.get(column).map_or(Cow::Borrowed(""), |cell| cell.text(text))
            }
            Body::Json { records } => records[cursor.row].text(column),
        }
    }

    /// The value of a cell: text, or what JSON holds; `None` where it is empty.
    pub(super) fn value(&self, cursor: &Cursor, column: usize) -> Option<Value> {
        match &self.body {
            Body::Text { .. } => {
                let text = self.cell(cursor, column);
                (!text.is_empty()).then(|| Value::String(without_controls(&text)))
            }
            Body::Json { records } => records[cursor.row].value(column).cloned(),
        }
    }

    /// Whether a cell is a number as a program has it, in JSON or in a workbook.
    pub(super) fn is_number(&self, cursor: &Cursor, column: usize) -> bool {
        match &self.body {
            Body::Text { rows, .. } => {
                self.typed.is_workbook
                    && self.typed.is_number(rows[cursor.row].number as usize, column)
            }
            Body::Json { records } => {
                records[cursor.row].value(column).is_some_and(Value::is_number)
            }
        }
    }

    /// Lists and objects below a JSON record, by kind.
    pub(super) fn children(&self, cursor: &Cursor) -> Option<&json::Children> {
        match &self.body {
            Body::Text { .. } => None,
            Body::Json { records } => Some(&records[cursor.row].children),
        }
    }

    /// The column with this header, whatever its case.
    pub(super) fn column(&self, header: &str) -> Option<usize> {
        let requested = header.trim();
        self.headers.iter().position(|h| h == requested).or_else(|| {
            let requested = requested.to_lowercase();
            self.headers.iter().position(|h| h.to_lowercase() == requested)
        })
    }

    /// The headers in words, for messages.
    pub(super) fn headers_in_words(&self) -> String {
        let shown: Vec<String> = self.headers.iter().take(20).map(|h| quoted(h)).collect();
        let more = self.headers.len().saturating_sub(20);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>, RowFault> {
        let (mut at, mut cells, mut rows) = (0, Vec::new(), Vec::new());
        while at < text.len() {
            at = read_row(text, at, delimiter, &mut cells)?;
            rows.push(cells.iter().map(|cell| cell.text(text).into_owned()).collect());
        }
        Ok(rows)
    }

    #[test]
    fn quotes_line_ends_and_delimiters_inside_cells() {
        let rows = all("a,\"b,\"\"c\"\"\"\r\n\"d\ne\",\rf,5\" pipe", b',').expect("rows");
        assert_eq!(rows, [vec!["a", "b,\"c\""], vec!["d\ne", ""], vec!["f", "5\" pipe"]]);
    }

    /// [`read_cells`] byte by byte, as RFC 4180 says it.
    fn by_bytes(text: &str, delimiter: u8) -> Result<(Vec<String>, usize), RowFault> {
        let bytes = text.as_bytes();
        let (mut at, mut cells) = (0, Vec::new());
        loop {
            let mut cell = Vec::new();
            if bytes.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match (bytes.get(at), bytes.get(at + 1)) {
                        (None, _) => return Err(RowFault::Unclosed),
                        (Some(b'"'), Some(b'"')) => {
                            cell.push(b'"');
                            at += 2;
                        }
                        (Some(b'"'), _) => break at += 1,
                        (Some(byte), _) => {
                            cell.push(*byte);
                            at += 1;
                        }
                    }
                }
            } else {
                while let Some(byte) =
                    bytes.get(at).filter(|b| ![delimiter, b'\n', b'\r'].contains(b))
                {
                    cell.push(*byte);
                    at += 1;
                }
            }
            cells.push(String::from_utf8(cell).expect("cut at ASCII").trim().to_owned());
            match (bytes.get(at), bytes.get(at + 1)) {
                (None, _) => return Ok((cells, at)),
                (Some(byte), _) if *byte == delimiter => at += 1,
                (Some(b'\r'), Some(b'\n')) => return Ok((cells, at + 2)),
                (Some(b'\n' | b'\r'), _) => return Ok((cells, at + 1)),
                (Some(_), _) => return Err(RowFault::AfterQuote),
            }
        }
    }

    #[test]
    fn cells_are_the_same_in_eights_and_byte_by_byte() {
        // What stands on the edge of eight bytes in one text stands inside in another.
        let parts = ["\"", ",", "\n", "\r", " ", "é", "\u{a0}", "-", "seven77", "\u{ac}\u{a2}"];
        let mut state = 1u64;
        for _ in 0..200_000 {
            let mut text = String::new();
            for _ in 0..1 + state % 12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(parts[(state >> 33) as usize % parts.len()]);
            }
            state = state.wrapping_add(1);
            let mut cells = Vec::new();
            let read = read_row(&text, 0, b',', &mut cells).map(|next| {
                let blank: Vec<bool> = cells.iter().map(|cell| cell.is_blank(&text)).collect();
                let cells: Vec<String> =
                    cells.iter().map(|cell| cell.text(&text).into_owned()).collect();
                let wanted: Vec<bool> = cells.iter().map(String::is_empty).collect();
                assert_eq!(blank, wanted, "{text:?}");
                (cells, next)
            });
            assert_eq!(read, by_bytes(&text, b','), "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_is_a_fault() {
        assert_eq!(all("a,b\n\"c,d\ne,f\n", b','), Err(RowFault::Unclosed));
        assert_eq!(all("a,b\n\"c,d\n\"e\",f\n", b','), Err(RowFault::AfterQuote));
    }
}
