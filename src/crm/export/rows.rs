//! Delimited text to rows and cells (RFC 4180), strictly.
//!
//! Why not the `csv` crate: it forgives a quote that is never closed and takes
//! the rows behind it into one cell. A population that shrinks in silence is
//! the one thing an audit must not have, so here that is an error with its row.

use std::borrow::Cow;

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
        let raw = text[self.start..self.end].trim();
        if self.escaped { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) }
    }

    /// Whether nothing but white space is in it.
    pub(super) fn is_blank(&self, text: &str) -> bool {
        self.start == self.end || text[self.start..self.end].trim().is_empty()
    }
}

/// Why a row cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
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
) -> Result<usize, Fault> {
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
) -> Result<usize, Fault> {
    cells.clear();
    let bytes = text.as_bytes();
    let mut at = at;
    loop {
        let mut end;
        if bytes.get(at) == Some(&b'"') {
            let start = at + 1;
            let mut escaped = false;
            end = start;
            loop {
                match bytes.get(end) {
                    None => return Err(Fault::Unclosed),
                    Some(b'"') if bytes.get(end + 1) == Some(&b'"') => {
                        escaped = true;
                        end += 2;
                    }
                    Some(b'"') => break,
                    Some(_) => end += 1,
                }
            }
            cells.push(Cell { start, end, escaped });
            end += 1;
        } else {
            end = at;
            while let Some(byte) = bytes.get(end) {
                if *byte == delimiter || *byte == b'\n' || *byte == b'\r' {
                    break;
                }
                end += 1;
            }
            cells.push(Cell { start: at, end, escaped: false });
        }
        match bytes.get(end) {
            Some(_) if cells.len() >= most => return Ok(end),
            Some(byte) if *byte == delimiter => at = end + 1,
            Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => return Ok(end + 2),
            Some(b'\n' | b'\r') => return Ok(end + 1),
            None => return Ok(end),
            Some(_) => return Err(Fault::AfterQuote),
        }
    }
}

/// The delimiter of a text and where its first row starts: said by a line
/// `sep=;` (as spreadsheets write it), else the one that cuts the first rows
/// into most columns, evenly.
pub(super) fn find_delimiter(text: &str) -> (u8, usize) {
    if let Some(rest) = text.strip_prefix("sep=")
        && let Some(delimiter) = rest.bytes().next().filter(|byte| b",;\t|:^~".contains(byte))
        && let Some(line_end) = rest[1..].find('\n')
        && rest[1..=line_end].trim().is_empty()
    {
        return (delimiter, "sep=".len() + 1 + line_end + 1);
    }
    let mut best = (0, 0, b',');
    for delimiter in [b',', b';', b'\t', b'|'] {
        let mut cells = Vec::new();
        let (mut at, mut rows) = (0, 0);
        let mut widths = std::collections::BTreeMap::new();
        while at < text.len() && rows < 30 {
            let Ok(next) = read_row(text, at, delimiter, &mut cells) else { break };
            at = next;
            if cells.iter().all(|cell| cell.is_blank(text)) {
                continue;
            }
            rows += 1;
            *widths.entry(cells.len()).or_insert(0) += 1;
        }
        // A text without the delimiter is even too: it must cut to count. A
        // report's title above its headers is not cut.
        let even = widths.into_iter().filter(|(columns, _)| *columns > 1);
        let (columns, even) = even.max_by_key(|(_, rows)| *rows).unwrap_or((0, 0));
        let score = (even, columns, delimiter);
        if (score.0, score.1) > (best.0, best.1) {
            best = score;
        }
    }
    (best.2, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>, Fault> {
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

    #[test]
    fn a_quote_that_is_not_closed_is_a_fault() {
        assert_eq!(all("a,b\n\"c,d\ne,f\n", b','), Err(Fault::Unclosed));
        assert_eq!(all("a,b\n\"c,d\n\"e\",f\n", b','), Err(Fault::AfterQuote));
    }

    #[test]
    fn delimiters_are_found_by_what_cuts_evenly() {
        assert_eq!(find_delimiter("a;b, c\n1;2\n").0, b';');
        assert_eq!(find_delimiter("a,b\n1,\"2;3\"\n").0, b',');
        assert_eq!(find_delimiter("a\tb\tc\n1\t2,5\t3\n").0, b'\t');
        assert_eq!(find_delimiter("a|b\n1|2\n").0, b'|');
        assert_eq!(find_delimiter("sep=;\r\na;b\n"), (b';', 7));
        assert_eq!(find_delimiter("one column\n1\n").0, b',');
    }
}
