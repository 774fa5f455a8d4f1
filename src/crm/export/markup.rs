//! Tables in markup: a web page that is named `.xls`, which is what Salesforce and
//! others export for Excel, and Excel's own XML of 2003. Read in one pass, without
//! any depth to exhaust; what stands outside of tables is passed over.

use html5gum::Tokenizer;
use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};

use super::cell::{number_text, push_cell};
use super::headers;
use super::problem::Problem;
use super::typed::{CellKind, Typed};
use crate::text::quoted;

/// A table's rows as delimited text, and what a reader should know of it.
#[derive(Debug)]
pub(super) struct MarkupText {
    pub(super) text: String,
    pub(super) remark: String,
    pub(super) typed: Typed,
}

/// Whether a file has a table in markup: it begins with a tag, and one of its tags
/// opens a table.
pub(super) fn has_table(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memchr(b'<', rest)) {
        at += next + 1;
        let opens = |name: &[u8]| {
            bytes.get(at..at + name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        if opens(b"table") || opens(b"worksheet") || opens(b"ss:worksheet") {
            return true;
        }
    }
    false
}

/// The table with the columns of deals; `None` where the text has no table at all.
pub(super) fn read(text: &str) -> Result<Option<MarkupText>, Problem> {
    let tables = MarkupReader::read(text)?;
    if tables.is_empty() {
        return Ok(None);
    }
    let score = |table: &MarkupTable| {
        let known =
            |row: &Vec<MarkupCell>| row.iter().filter(|cell| headers::is_known(&cell.text)).count();
        table.rows.iter().take(30).map(known).max().unwrap_or_default()
    };
    let mut scored: Vec<(usize, &MarkupTable)> =
        tables.iter().map(|table| (score(table), table)).filter(|it| it.0 > 1).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let as_csv =
        "Open it in a spreadsheet and save it as \"CSV UTF-8\", or choose CSV when you export.";
    let table = match scored.as_slice() {
        [(_, table)] => table,
        [(first, table), (second, _), ..] if first > second => table,
        [] if tables.iter().any(|table| !table.name.is_empty()) => {
            let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
            return Err(Problem::file(format!(
                "No sheet of the workbook has columns of deals; its sheets are {}",
                names.join(", ")
            ))
            .help("Save the sheet with the deals as \"CSV UTF-8\", with a line of headers."));
        }
        [] => {
            return Err(Problem::file(format!(
                "This is a web page{}, and no table in it has columns of deals; the download may have asked to sign in",
                title(text)
            ))
            .help("Sign in and download the export again, as CSV."));
        }
        _ => {
            return Err(Problem::file(
                "Several tables of this page have columns of deals, though it may be named .xls",
            )
            .help(as_csv));
        }
    };
    if table.is_cut {
        return Err(Problem::file(
            "The file ends in the middle of its table, so deals may be missing",
        )
        .help("Export it, or download it, again."));
    }
    if table.spans_rows {
        return Err(Problem::file(
            "Cells of this page's table go over several rows, though it may be named .xls",
        )
        .help(as_csv));
    }
    // A row leaves out what it has nothing in at its end.
    let width = table.rows.iter().map(Vec::len).max().unwrap_or_default();
    let lacking: usize = table.rows.iter().map(|row| width - row.len()).sum();
    let width = if lacking > MOST_PADDING { 0 } else { width };
    let mut out = String::new();
    for row in &table.rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_cell(&mut out, &cell.text);
        }
        let lacking = width.saturating_sub(row.len().max(1));
        out.extend(std::iter::repeat_n(',', if row.is_empty() { 0 } else { lacking }));
        out.push('\n');
    }
    let remark = match (table.name.as_str(), tables.len()) {
        ("", 1) => "The file is a web page; its table was read.".to_owned(),
        ("", many) => format!("The file is a web page; of its {many} tables one was read."),
        (name, 1) => format!("The file is a workbook in XML; its sheet {} was read.", quoted(name)),
        (name, many) => {
            format!(
                "The file is a workbook in XML; of its {many} sheets {} was read.",
                quoted(name)
            )
        }
    };
    let typed = match table.rows.iter().flatten().any(|cell| !cell.kind.is_empty()) {
        true => Typed::of(|| {
            let rows = table.rows.iter().enumerate();
            rows.flat_map(|(row, cells)| {
                cells.iter().enumerate().map(move |(at, cell)| (row + 1, at, kind_of(cell)))
            })
        }),
        false => Typed::default(),
    };
    Ok(Some(MarkupText { text: out, remark, typed }))
}

/// The title of a page, in brackets, where it stands among its first tags.
pub(super) fn title(text: &str) -> String {
    let (mut within, mut title) = (false, String::new());
    for token in tokens(text).take(1_000) {
        match token {
            Token::StartTag(tag) if *tag.name == b"title" => within = true,
            Token::String(text) if within => title.push_str(&String::from_utf8_lossy(&text)),
            Token::EndTag(tag) if *tag.name == b"title" => break,
            _ => {}
        }
    }
    let title = crate::text::one_line(&title);
    if title.is_empty() { title } else { format!(" ({})", quoted(&title)) }
}

#[derive(Debug, Default)]
struct MarkupTable {
    name: String,
    rows: Vec<Vec<MarkupCell>>,
    spans_rows: bool,
    /// Whether the page ends before the table does.
    is_cut: bool,
}

#[derive(Debug, Default)]
struct MarkupCell {
    text: String,
    /// What a workbook says of its value: `Number`, `DateTime`, …
    kind: String,
}

/// A row has no more columns than a sheet has.
const MOST_COLUMNS: usize = 16_384;
/// So many cells may be made of spans and places, which cost a page nothing.
const MOST_PADDING: usize = 4 << 20;
/// Tables in tables that are told apart.
const MOST_OPEN: usize = 64;

/// What was opened and not yet closed.
#[derive(Debug, Default)]
struct OpenTag {
    table: MarkupTable,
    row: Option<Vec<MarkupCell>>,
    cell: Option<MarkupCell>,
    /// How many columns the cell goes over behind its own.
    span: usize,
}

#[derive(Debug, Default)]
struct MarkupReader {
    done: Vec<MarkupTable>,
    open: Vec<OpenTag>,
    /// Whether this is a workbook, whose texts are those of `Data` alone.
    is_workbook: bool,
    in_data: bool,
    in_comment: bool,
    padding: usize,
}

impl MarkupReader {
    fn read(text: &str) -> Result<Vec<MarkupTable>, Problem> {
        let mut reader = Self::default();
        for token in tokens(text) {
            match token {
                Token::String(text) => reader.text(&String::from_utf8_lossy(&text)),
                Token::StartTag(tag) => {
                    let name = local(&tag.name);
                    reader.opens(&name, &tag)?;
                    // In XML a tag without content ends where it begins.
                    if tag.self_closing && reader.is_workbook {
                        reader.closes(&name);
                    }
                }
                Token::EndTag(tag) => reader.closes(&local(&tag.name)),
                Token::Comment(comment) if comment.starts_with(b"[CDATA[") => {
                    let data = String::from_utf8_lossy(&comment[7..]).into_owned();
                    let Some(data) = data.strip_suffix("]]") else {
                        return Err(Problem::file(
                            "The table of this page has a `CDATA` section, which is not read",
                        )
                        .help("Open it in a spreadsheet and save it as \"CSV UTF-8\"."));
                    };
                    reader.text(data);
                }
                _ => {}
            }
        }
        while let Some(open) = reader.open.last_mut() {
            open.table.is_cut = true;
            reader.close_table();
        }
        Ok(reader.done)
    }

    fn text(&mut self, text: &str) {
        if self.is_workbook && (!self.in_data || self.in_comment) {
            return;
        }
        if let Some(cell) = self.open.last_mut().and_then(|open| open.cell.as_mut()) {
            cell.text.push_str(text);
        }
    }

    fn opens(&mut self, name: &str, tag: &StartTag<()>) -> Result<(), Problem> {
        match name {
            "worksheet" => {
                self.is_workbook = true;
                self.open_table(value_of(tag, "name").unwrap_or_default());
            }
            "table" if !self.is_workbook => self.open_table(String::new()),
            "tr" | "row" => {
                self.close_row();
                self.open_row(tag)?;
            }
            "td" | "th" | "cell" => {
                self.close_cell();
                self.open_cell(tag)?;
            }
            "data" if self.is_workbook => {
                self.in_data = true;
                if let Some(cell) = self.open.last_mut().and_then(|open| open.cell.as_mut()) {
                    cell.kind = value_of(tag, "type").unwrap_or_default();
                }
            }
            "comment" if self.is_workbook => self.in_comment = true,
            "br" | "p" | "div" | "li" => self.text(" "),
            _ => {}
        }
        Ok(())
    }

    fn closes(&mut self, name: &str) {
        match name {
            "worksheet" => self.close_table(),
            "table" if !self.is_workbook => self.close_table(),
            "tr" | "row" => self.close_row(),
            "td" | "th" | "cell" => self.close_cell(),
            "data" => self.in_data = false,
            "comment" => self.in_comment = false,
            "p" | "div" | "li" => self.text(" "),
            _ => {}
        }
    }

    fn open_table(&mut self, name: String) {
        if self.open.len() < MOST_OPEN {
            let table = MarkupTable { name, ..MarkupTable::default() };
            self.open.push(OpenTag { table, ..OpenTag::default() });
        }
    }

    fn close_table(&mut self) {
        self.close_row();
        if let Some(open) = self.open.pop()
            && open.table.rows.iter().flatten().any(|cell| !cell.text.is_empty())
        {
            self.done.push(open.table);
        }
    }

    fn open_row(&mut self, tag: &StartTag<()>) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        // A workbook leaves out rows without anything, and says where it goes on.
        let before = open.table.rows.len();
        let empty = number_of(tag, "index").map_or(0, |at| at.saturating_sub(before + 1));
        self.padding += empty;
        if self.padding > MOST_PADDING {
            return Err(too_many());
        }
        open.table.rows.extend((0..empty).map(|_| Vec::new()));
        open.row = Some(Vec::new());
        Ok(())
    }

    fn close_row(&mut self) {
        self.close_cell();
        if let Some(open) = self.open.last_mut()
            && let Some(row) = open.row.take()
        {
            open.table.rows.push(row);
        }
    }

    fn open_cell(&mut self, tag: &StartTag<()>) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let row = open.row.get_or_insert_default();
        open.table.spans_rows |= number_of(tag, "rowspan").is_some_and(|rows| rows > 1)
            || number_of(tag, "mergedown").is_some_and(|rows| rows > 0);
        let empty = number_of(tag, "index").map_or(0, |at| at.saturating_sub(row.len() + 1));
        let span = number_of(tag, "colspan")
            .map_or(0, |columns| columns.saturating_sub(1))
            .max(number_of(tag, "mergeacross").unwrap_or_default());
        self.padding += empty.saturating_add(span);
        if self.padding > MOST_PADDING
            || row.len().saturating_add(empty).saturating_add(span) >= MOST_COLUMNS
        {
            return Err(too_many());
        }
        row.extend((0..empty).map(|_| MarkupCell::default()));
        (open.cell, open.span) = (Some(MarkupCell::default()), span);
        Ok(())
    }

    fn close_cell(&mut self) {
        self.in_data = false;
        let Some(open) = self.open.last_mut() else { return };
        let (Some(row), Some(mut cell)) = (open.row.as_mut(), open.cell.take()) else { return };
        cell.text = value(&cell);
        row.push(cell);
        row.extend((0..open.span).map(|_| MarkupCell::default()));
    }
}

fn too_many() -> Problem {
    Problem::file("The table of this page says of more cells than it has than any export does")
        .help("Open it in a spreadsheet and save it as \"CSV UTF-8\".")
}

/// A page's tokens, without what stands in scripts and styles.
fn tokens(text: &str) -> impl Iterator<Item = Token<()>> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(text, emitter).map(|token| match token {
        Ok(token) => token,
        Err(never) => match never {},
    })
}

/// A name without what stands before a colon.
fn local(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

/// What an attribute says, by its name without what stands before a colon.
fn value_of(tag: &StartTag<()>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes.iter();
    let (_, value) = attributes.find(|(key, _)| local(key) == name)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn number_of(tag: &StartTag<()>, name: &str) -> Option<usize> {
    value_of(tag, name)?.trim().parse().ok()
}

fn kind_of(cell: &MarkupCell) -> CellKind {
    match cell.kind.as_str() {
        "DateTime" => CellKind::Date,
        "Number" => CellKind::Number,
        _ => CellKind::of_text(&cell.text),
    }
}

/// A cell's text: on one line on a page, as a plain number or a day in a workbook.
fn value(cell: &MarkupCell) -> String {
    match cell.kind.as_str() {
        "" => crate::text::one_line(&cell.text),
        "Number" => {
            let number: Option<f64> = cell.text.trim().parse().ok();
            number.map_or_else(|| cell.text.trim().to_owned(), number_text)
        }
        "DateTime" => {
            let text = cell.text.trim();
            let day = text.strip_suffix("T00:00:00.000").or(text.strip_suffix("T00:00:00"));
            day.unwrap_or(text).to_owned()
        }
        _ => cell.text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> String {
        read(text).expect("a table").expect("one").text
    }

    #[test]
    fn tables_of_pages_as_programs_write_them() {
        for (page, wanted) in [
            (
                "<table><tr><th>Deal ID<th>Deal Name<tr><td>1<td>A &amp; B<br>C</table>",
                "Deal ID,Deal Name\n1,A & B C\n",
            ),
            (
                "<!-- <table> --><style>td>a{}</style><TABLE border='1>0'><TR><TD colspan=2>Won</TR>\
                 <tr><td>Deal ID</td><td>Deal&nbsp;Name</td></tr><tr><td>2</td><td><a href=\"/x?a=1>2\">\
                 Caf&eacute; &#x4e2d; 1 < 2, \"b\"</a></td></tr></table>",
                "Won,\nDeal ID,Deal Name\n2,\"Café 中 1 < 2, \"\"b\"\"\"\n",
            ),
            // A page lays itself out by tables.
            (
                "<table><tr><td>Menu<table><tr><td>Id</td><td>Stage</td></tr><tr><td>3</td><td>Won</td>\
                 </tr></table></td></tr></table>",
                "Id,Stage\n3,Won\n",
            ),
            (
                "<?xml version=\"1.0\"?><ss:Workbook><ss:Worksheet ss:Name=\"D\"><Table><Column/>\
                 <Row ss:Index=\"2\"><Cell><Data ss:Type=\"String\">Id</Data></Cell><Cell ss:Index=\"3\">\
                 <Data ss:Type=\"String\">Amount</Data><Comment><Data>why</Data></Comment></Cell></Row><Row>\
                 <Cell><Data ss:Type=\"Number\">7</Data></Cell><Cell><Data ss:Type=\"DateTime\">\
                 2026-11-20T00:00:00.000</Data></Cell><Cell><Data ss:Type=\"Number\">1234.5</Data></Cell>\
                 </Row></Table></ss:Worksheet></ss:Workbook>",
                "\nId,,Amount\n7,2026-11-20,1234.5\n",
            ),
        ] {
            assert_eq!(rows(page), wanted, "{page}");
        }
    }

    #[test]
    fn pages_without_a_table_of_deals_are_refused() {
        for page in [
            "<html><title>Sign&nbsp;in</title><table><tr><td>Password</td></tr></table>",
            "<table><tr><th>Id<th>Stage<tr><td>1<td>Won<tr><td>2",
            "<table><tr><th>Id<th>Stage<tr><td rowspan=2>1<td>Won<tr><td>Lost</table>",
            "<table><tr><th>Id<th>Stage<tr><td colspan=99999>1</table>",
            "<table><tr><th>Id<th>Stage<tr><td>1<td>Won</table><table><tr><th>Id<th>Stage<tr><td>1</table>",
        ] {
            assert!(read(page).is_err(), "{page}");
        }
        assert!(read("<p>Hello").expect("no table").is_none());
    }

    #[test]
    fn markup_that_is_cut_off_or_never_closed_ends() {
        let page =
            "<table><tr><th>Id<th>Stage<tr><td title='a>b\">1<td>W&amp;n&bogus;&#xffffffff;<!--";
        for end in 0..=page.len() {
            let _ = read(&page[..end]);
            let _ = read(&page[end..]);
        }
        let deep = "<table><tr><td>".repeat(100_000);
        assert!(read(&deep).is_ok());
    }
}
