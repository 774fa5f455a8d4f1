//! The rows of a file: unpacked, its headers and delimiter found, and what is no
//! deal left out.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::content::{self, Checksum, FileText};
use super::headers::{is_id, is_known};
use super::no_deals::{has_id, id_column, leave_out_footer};
use super::problem::Problem;
use super::settings::{Column, FileSettings};
use super::table::{Body, Cell, ExportTable, RowAt, RowFault, read_row};
use super::typed::Typed;
use super::{json, markup};
use crate::model::count;
use crate::text::quoted;

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
    for delimiter in [b',', b';', b'\t', b'|', b'~', b'^', 0x1f, 0x01] {
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

impl ExportTable {
    /// Reads a file's bytes: unpacked where they are packed, JSON by its first
    /// character, else delimited text.
    pub(super) fn read(bytes: Vec<u8>, settings: &FileSettings) -> Result<Self, Problem> {
        let FileText { text, checksum, remarks, encoding, typed } = content::read(bytes)?;
        // A stray one is a damaged cell; many are no text.
        let head = &text.as_bytes()[..text.len().min(4096)];
        if head.iter().filter(|b| **b == 0).count() * 20 > head.len() {
            return Err(Problem::file(
                "This is not a text file, and no kind of file that is known",
            )
            .help("Name a CSV or JSON export of the deals, or a workbook (.xlsx)."));
        }
        let mut table = match text.trim_start().as_bytes().first() {
            None => {
                return Err(Problem::file("The file is empty")
                    .help("Export it again; even an export without deals has a line of headers."));
            }
            Some(b'[' | b'{') => {
                let parsed = json::read(&text)?;
                Self {
                    headers: parsed.headers,
                    body: Body::Json { records: parsed.records },
                    broken: Vec::new(),
                    remarks: parsed.remark.into_iter().collect(),
                    cut_off: parsed.cut_off,
                    marks: parsed.marks,
                    typed: Typed::default(),
                    sha256: checksum.of(&text),
                }
            }
            Some(b'<') => match markup::read(&text)? {
                Some(found) => {
                    let known = Checksum::Known(checksum.of(&text));
                    let mut table = Self::read_text(found.text, known, settings)?;
                    table.remarks.insert(0, found.remark);
                    table.typed = found.typed;
                    table
                }
                None => Self::read_text(text, checksum, settings)?,
            },
            Some(_) => Self::read_text(text, checksum, settings)?,
        };
        table.remarks.splice(0..0, remarks);
        if let Some(typed) = typed {
            table.typed = typed;
        }
        table.remarks.extend(encoding);
        if table.len() == 0 && table.broken.is_empty() {
            table.remarks.push("The file holds headers and no rows.".to_owned());
        }
        Ok(table)
    }

    fn read_text(
        text: String,
        checksum: Checksum,
        settings: &FileSettings,
    ) -> Result<Self, Problem> {
        let (found, sha256) =
            rayon::join(|| FirstPass::rows_of(&text, settings), || checksum.of(&text));
        let mut found = found?;
        let mut text = text;
        // A spreadsheet with another delimiter quotes each row as one cell.
        if let [header] = found.headers.as_slice()
            && header.contains([',', ';', '\t'])
            && let Some(rows) = unquoted_rows(&text)
        {
            text = rows;
            found = FirstPass::rows_of(&text, settings)?;
            found.above.push("Each row was one quoted cell, and was read as a row.".to_owned());
        }
        let mut table = Self {
            headers: found.headers,
            body: Body::Text { text, delimiter: found.delimiter, rows: found.rows },
            broken: found.broken,
            remarks: found.above,
            cut_off: None,
            marks: BTreeSet::new(),
            typed: Typed::default(),
            sha256,
        };
        if found.blank > 0 {
            table.remarks.push(format!("Rows without any text, left out: {}.", found.blank));
        }
        leave_out_footer(&mut table);
        table.set_ragged_apart(&found.ragged);
        Ok(table)
    }

    /// Rows whose cells cannot be told apart are problems, not deals.
    fn set_ragged_apart(&mut self, ragged: &[(usize, usize)]) {
        let expected = self.headers.len();
        let kept = self.len();
        let Body::Text { rows, .. } = &mut self.body else { return };
        let mut apart = Vec::new();
        for (row, actual) in ragged.iter().filter(|(row, _)| *row < kept) {
            let number = rows[*row].number;
            if number == 0 {
                continue;
            }
            apart.push(*row);
            self.broken.push(
                Problem::row(
                    number as usize,
                    format!(
                        "The row has {}, but there are {expected} columns",
                        count(*actual, "cell")
                    ),
                )
                .help("A cell with the delimiter in it must be quoted; remove rows that are not deals."),
            );
        }
        for row in apart {
            rows[row].number = 0;
        }
        rows.retain(|row| row.number > 0);
        self.broken.sort_by_key(|problem| problem.row);
    }
}

/// A text that is shorter is read in one piece.
const SHORTEST_PIECE: usize = 1 << 20;

/// What a first reading of a text finds.
#[derive(Debug, PartialEq)]
struct FirstPass {
    headers: Vec<String>,
    delimiter: u8,
    rows: Vec<RowAt>,
    /// Rows with another number of cells than there are headers.
    ragged: Vec<(usize, usize)>,
    broken: Vec<Problem>,
    blank: usize,
    /// What was left out above the headers.
    above: Vec<String>,
}

/// A text of rows that are one quoted cell each, as rows.
fn unquoted_rows(text: &str) -> Option<String> {
    let (mut at, mut cells, mut out) = (0, Vec::new(), String::with_capacity(text.len()));
    while at < text.len() {
        let start = at;
        at = read_row(text, at, b',', &mut cells).ok()?;
        match cells.as_slice() {
            [cell] if text[start..].starts_with('"') => out.push_str(&cell.text(text)),
            [cell] if cell.is_blank(text) => {}
            _ => return None,
        }
        out.push('\n');
    }
    Some(out)
}

impl FirstPass {
    /// The headers, where the rows behind them start, the headers' row number,
    /// and what stands above them: a report's title, date and filters. The
    /// headers are the first row with two names that deals files have, else the
    /// first row with any text.
    fn headers(
        text: &str,
        start: usize,
        delimiter: u8,
        settings: &FileSettings,
    ) -> Result<(Vec<String>, usize, u32, Option<String>), Problem> {
        let mut cells = Vec::with_capacity(32);
        let (mut at, mut number) = (start, u32::from(start > 0));
        let mut first: Option<(Vec<String>, usize, u32)> = None;
        let mut without_id = None;
        let mut above: Vec<String> = Vec::new();
        while at < text.len() && above.len() < 30 {
            number += 1;
            match read_row(text, at, delimiter, &mut cells) {
                Ok(next) => at = next,
                Err(fault) if first.is_none() => return Err(fault_problem(fault, number)),
                Err(_) => break,
            }
            if cells.iter().all(|cell| cell.is_blank(text)) {
                continue;
            }
            let row: Vec<String> =
                cells.iter().map(|cell| crate::text::one_line(&cell.text(text))).collect();
            let known = |header: &&String| {
                is_known(header)
                    || settings.columns.values().any(|named| named.eq_ignore_ascii_case(header))
            };
            if row.iter().filter(known).count() >= 2 {
                let words: Vec<String> = above.iter().map(|words| quoted(words)).collect();
                let remark = (!words.is_empty()).then(|| {
                    format!("Lines above the headers were left out: {}.", words.join(", "))
                });
                let found = (row, at, number, remark);
                let named = settings.columns.get(&Column::Id);
                if found.0.iter().any(|it| is_id(it) || named.is_some_and(|id| id == it)) {
                    return Ok(found);
                }
                // The title of a report may hold two names as well.
                above.push(found.0.join(" "));
                first.get_or_insert((found.0.clone(), at, number));
                without_id.get_or_insert(found);
                continue;
            }
            above.push(
                row.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join(" "),
            );
            first.get_or_insert((row, at, number));
        }
        match first {
            _ if without_id.is_some() => Ok(without_id.expect("it was looked at")),
            Some((row, at, number)) => Ok((row, at, number, None)),
            None => Err(Problem::file("The file holds nothing but blank lines")),
        }
    }

    /// The rows, found in pieces on all cores. A piece begins behind a line end, which
    /// may be one inside of a quoted cell: where the piece before it ends
    /// elsewhere, it is read again from there.
    fn rows_of(text: &str, settings: &FileSettings) -> Result<Self, Problem> {
        // Few, as one that begins wrongly may be read to the end of the text.
        let length = text.len() / (4 * rayon::current_num_threads());
        Self::rows_in_pieces(text, settings, length.max(SHORTEST_PIECE))
    }

    fn rows_in_pieces(text: &str, settings: &FileSettings, length: usize) -> Result<Self, Problem> {
        let (delimiter, at) = find_delimiter(text);
        let (headers, mut at, mut number, above) = Self::headers(text, at, delimiter, settings)?;
        let (columns, id) = (headers.len(), id_column(&headers));
        let mut found = Self {
            headers,
            delimiter,
            rows: Vec::new(),
            ragged: Vec::new(),
            broken: Vec::new(),
            blank: 0,
            above: above.into_iter().collect(),
        };
        let read = |from, to| Piece::read(text, from, to, delimiter, (columns, id));
        let pieces = Piece::places(text, at, length);
        let pieces: Vec<Piece> = pieces.into_par_iter().map(|(from, to)| read(from, to)).collect();
        found.rows.reserve_exact(pieces.iter().map(|piece| piece.rows.len()).sum());
        for mut piece in pieces {
            if piece.from != at {
                piece = read(at, piece.to);
            }
            at = piece.end;
            let before = found.rows.len();
            found.ragged.extend(piece.ragged.iter().map(|(row, cells)| (row + before, *cells)));
            let rows = piece.rows.into_iter();
            found.rows.extend(rows.map(|row| RowAt { number: row.number + number, ..row }));
            found.broken.extend(piece.broken.into_iter().map(|problem| Problem {
                row: problem.row.map(|row| row + number as usize),
                ..problem
            }));
            found.blank += piece.blank;
            number += piece.lines;
            if piece.is_cut_off {
                break;
            }
        }
        Ok(found)
    }
}

/// The rows that begin in a part of a text, as [`FirstPass`] has them; numbered from 1.
struct Piece {
    from: usize,
    to: usize,
    /// Where the last row ends, which may be behind `to`.
    end: usize,
    /// How many rows there are, blank ones too.
    lines: u32,
    rows: Vec<RowAt>,
    ragged: Vec<(usize, usize)>,
    broken: Vec<Problem>,
    blank: usize,
    /// Whether nobody can know where a next row begins.
    is_cut_off: bool,
}

impl Piece {
    /// Where pieces of about this length begin and end.
    fn places(text: &str, from: usize, length: usize) -> Vec<(usize, usize)> {
        let mut begins = vec![from];
        let mut at = from + length;
        while let Some(line) = text.as_bytes().get(at..)
            && let Some(line_end) = line.iter().position(|byte| *byte == b'\n')
        {
            begins.push(at + line_end + 1);
            at += line_end + 1 + length;
        }
        let ends = begins[1..].iter().copied().chain([text.len()]);
        begins.iter().copied().zip(ends).collect()
    }

    fn read(
        text: &str,
        from: usize,
        to: usize,
        delimiter: u8,
        (columns, id): (usize, Option<usize>),
    ) -> Self {
        let mut piece = Self {
            from,
            to,
            end: from,
            lines: 0,
            rows: Vec::with_capacity(to.saturating_sub(from) / 100),
            ragged: Vec::new(),
            broken: Vec::new(),
            blank: 0,
            is_cut_off: false,
        };
        let mut cells = Vec::with_capacity(32);
        while piece.end < to {
            piece.lines += 1;
            let (number, start) = (piece.lines, piece.end);
            match read_row(text, start, delimiter, &mut cells) {
                Ok(next) => piece.end = next,
                Err(fault) => {
                    // Where the next row starts cannot be known.
                    piece.broken.push(fault_problem(fault, number));
                    piece.is_cut_off = true;
                    break;
                }
            }
            let blank = |cells: &[Cell]| cells.iter().all(|cell| cell.is_blank(text));
            if cells[0].is_blank(text) && blank(&cells) {
                // A line without anything is none; a line of delimiters is told.
                piece.blank += usize::from(cells.len() > 1);
                continue;
            }
            if hides_rows(text, start, piece.end, delimiter, columns) {
                piece.broken.push(
                    Problem::row(
                        number as usize,
                        "A quoted cell in this row holds what looks like whole rows",
                    )
                    .help("A quote before it is missing or stands alone; a quote inside a cell is written twice, and the cell is quoted."),
                );
            }
            if cells.len() < columns || !blank(&cells[columns..]) {
                piece.ragged.push((piece.rows.len(), cells.len()));
            }
            let id = id.and_then(|id| cells.get(id)).map(|cell| cell.text(text));
            let has_id = id.is_some_and(|id| has_id(&id));
            piece.rows.push(RowAt { start, number, has_id });
        }
        piece
    }
}

/// Whether a row that goes over several lines would be as many rows if its quotes
/// were no quotes: one that stands alone takes the rows up to the next one into a
/// cell, and they would be missed by nobody. A cell of text that is laid out like rows
/// is refused with them: nothing tells the two apart.
fn hides_rows(text: &str, start: usize, end: usize, delimiter: u8, columns: usize) -> bool {
    let row = text[start..end].trim_end_matches(['\r', '\n']);
    columns > 3
        && row.contains('\n')
        && row.lines().all(|line| line.bytes().filter(|b| *b == delimiter).count() == columns - 1)
}

fn fault_problem(fault: RowFault, number: u32) -> Problem {
    let what = match fault {
        RowFault::Unclosed => {
            "A quote is opened in this row and never closed, so the rows behind it cannot be told apart"
        }
        RowFault::AfterQuote => {
            "Text follows a closing quote in this row: a quote is missing or not doubled"
        }
    };
    Problem::row(number as usize, what)
        .help("A quote inside a cell is written twice, and the cell is quoted.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_in_pieces_of_any_length() {
        let head = "Record ID,Deal Name,Amount,Stage\n";
        let rows = [
            "1,Acme,5,won\n",
            "\"2\",\"two\nlines, \"\"quoted\"\"\",\"6\",won\r\n",
            "\n,,,\n",
            "3,short\n4,5\" pipe,7,won,more\n",
            "5,\"\na,b,c,d\n\",8,won\n",
            "6,Zoë,9,won\r7,x,1,lost\n",
            "8,\"never closed,1,won\n9,y,2,won\n",
            "10,\"after\"quote,1,won\n11,z,2,won\n",
            "12,last,3,won",
        ];
        let settings = FileSettings::of("deals.csv");
        for first in 0..rows.len() {
            let text: String = [head].iter().chain(&rows[first..]).copied().collect();
            let whole = FirstPass::rows_in_pieces(&text, &settings, text.len()).expect("rows");
            for length in 0..text.len() {
                let pieces = FirstPass::rows_in_pieces(&text, &settings, length).expect("rows");
                assert_eq!(pieces, whole, "pieces of {length} bytes of {text:?}");
            }
        }
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
