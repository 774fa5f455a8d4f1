//! What a file is, by its first bytes, and its text.

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataType as _, Range, Reader as _, SheetVisible, Sheets};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::cell::{number_text, push_cell};
use super::encoding::{HEAD, MARK, decode};
use super::problem::Problem;
use super::typed::{CellKind, Typed};
use super::{headers, markup, totals};
use crate::text::quoted;

// What a file is, by its first bytes: text, compressed text, a workbook, or
// something that holds no table, which is named with what to do.

/// The most that a compressed file may grow to: an export of ten million deals.
const LARGEST: u64 = 4 << 30;
/// A file that grows more than this is no export: text shrinks ten to fifty times.
const MOST_GROWTH: u64 = 1_000;
/// How zip files and workbooks begin.
const ZIP: &[u8] = b"PK\x03\x04";
/// What may be in a workbook, unpacked.
const LARGEST_WORKBOOK: u64 = 1 << 30;
/// So many wrappings are taken off: a workbook in a zip file in a gzip file.
const MOST_WRAPPINGS: usize = 3;

/// A file's bytes as far as they are text.
struct Content {
    bytes: Vec<u8>,
    remarks: Vec<String>,
    /// What a workbook knows of its cells.
    typed: Option<Typed>,
}

/// A file's text, and what was done to come by it.
pub(super) struct FileText {
    pub(super) text: String,
    pub(super) checksum: Checksum,
    /// What was unpacked.
    pub(super) remarks: Vec<String>,
    /// In which encoding it was read.
    pub(super) encoding: Option<String>,
    /// What a workbook knows of its cells.
    pub(super) typed: Option<Typed>,
}

/// The SHA-256 of a file's bytes.
pub(super) enum Checksum {
    Known(String),
    /// The text is the file, but for a mark before it: it is hashed while its rows
    /// are found, which takes as long.
    OfText {
        has_mark: bool,
    },
}

impl Checksum {
    /// In hexadecimal.
    pub(super) fn of(self, text: &str) -> String {
        match self {
            Self::Known(sha256) => sha256,
            Self::OfText { has_mark } => {
                let mut mark = [0; MARK.len_utf8()];
                let mark = if has_mark { MARK.encode_utf8(&mut mark) } else { "" };
                let hash = Sha256::new().chain_update(mark.as_bytes());
                hex::encode(hash.chain_update(text.as_bytes()).finalize())
            }
        }
    }
}

/// A file's text: its bytes as they are where they are UTF-8, else unpacked and decoded.
pub(super) fn read(bytes: Vec<u8>) -> Result<FileText, Problem> {
    let bytes = match plain(bytes) {
        Ok(mut text) => {
            if let Some(problem) = nothing_to_read(text.as_bytes()) {
                return Err(problem);
            }
            let has_mark = text.starts_with(MARK);
            if has_mark {
                text.drain(..MARK.len_utf8());
            }
            let checksum = Checksum::OfText { has_mark };
            return Ok(FileText {
                text,
                checksum,
                remarks: Vec::new(),
                encoding: None,
                typed: None,
            });
        }
        Err(bytes) => bytes,
    };
    let checksum = Checksum::Known(hex::encode(Sha256::digest(&bytes)));
    let Content { bytes, remarks, typed } = open(bytes)?;
    let decoded = decode(bytes).map_err(|fault| {
        Problem::row(fault.line, fault.what)
            .help("Export the file again as UTF-8, or save it as \"CSV UTF-8\".")
    })?;
    Ok(FileText { text: decoded.text, checksum, remarks, encoding: decoded.remark, typed })
}

/// The bytes as text where that is all there is to do; else the bytes. No other
/// packing than zip is UTF-8, and in no other encoding has a text zero bytes.
fn plain(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    if bytes.starts_with(ZIP) || bytes[..bytes.len().min(HEAD)].contains(&0) {
        return Err(bytes);
    }
    String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)
}

/// Unpacks what is packed, and refuses what holds no table.
fn open(mut bytes: Vec<u8>) -> Result<Content, Problem> {
    let mut remarks = Vec::new();
    for _ in 0..MOST_WRAPPINGS {
        if bytes.starts_with(b"\x1f\x8b") {
            let limit = limit(bytes.len());
            bytes = bounded(flate2::read::MultiGzDecoder::new(bytes.as_slice()), limit, "gzip")?;
            remarks.push("The file was unpacked (gzip).".to_owned());
        } else if bytes.starts_with(ZIP) {
            let Some((name, inner)) = from_zip(&bytes)? else { return workbook(bytes, remarks) };
            remarks.push(format!("The file was unpacked (zip): {}.", quoted(&name)));
            bytes = inner;
        } else if bytes.starts_with(b"\xD0\xCF\x11\xE0") {
            return workbook(bytes, remarks);
        } else {
            return match nothing_to_read(&bytes) {
                Some(problem) => Err(problem),
                None => Ok(Content { bytes, remarks, typed: None }),
            };
        }
    }
    Err(Problem::file(format!("The file is packed more than {MOST_WRAPPINGS} times"))
        .help("Unpack it yourself and name the file with the deals."))
}

fn limit(packed: usize) -> u64 {
    (packed as u64).saturating_mul(MOST_GROWTH).clamp(16 << 20, LARGEST)
}

fn bounded(reader: impl Read, limit: u64, kind: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| {
        Problem::file(format!("The {kind} file cannot be unpacked: {error}"))
            .help("Download it again; it may be cut off.")
    })?;
    if bytes.len() as u64 > limit {
        return Err(Problem::file(format!(
            "The {kind} file grows to more than {} MiB when it is unpacked, which no export does",
            limit >> 20
        ))
        .help("Unpack it yourself and name the file with the deals."));
    }
    Ok(bytes)
}

/// How the names of tables end.
const TABLES: [&str; 10] =
    [".csv", ".json", ".jsonl", ".ndjson", ".tsv", ".txt", ".xlsx", ".xls", ".ods", ".gz"];

/// The one table in an archive; `None` for a workbook, which is one too.
fn from_zip(bytes: &[u8]) -> Result<Option<(String, Vec<u8>)>, Problem> {
    let broken = |error: zip::result::ZipError| {
        Problem::file(format!("The zip file cannot be unpacked: {error}"))
            .help("Download it again; it may be cut off or protected by a password.")
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<_, _>>()
        .map_err(broken)?;
    let has = |part: &str| names.iter().any(|name| name == part);
    for (part, what, help) in [
        (
            "word/document.xml",
            "a Word document",
            "Copy the table into a spreadsheet and save it as .xlsx or CSV.",
        ),
        (
            "ppt/presentation.xml",
            "a presentation",
            "Name a CSV or JSON export of the deals, or a workbook (.xlsx).",
        ),
        (
            "Index/Document.iwa",
            "a document of Apple's Numbers, Pages or Keynote",
            "Export it from there as CSV or Excel.",
        ),
    ] {
        if has(part) {
            return Err(Problem::file(format!("This is {what}, not a table of deals")).help(help));
        }
    }
    if names.iter().any(|name| name == "[Content_Types].xml" || name == "content.xml") {
        // A workbook's reader trusts its sizes, so they are counted first.
        let mut left = LARGEST_WORKBOOK;
        for at in 0..archive.len() {
            let file = archive.by_index(at).map_err(broken)?;
            let read = std::io::copy(&mut file.take(left + 1), &mut std::io::sink());
            left = read.ok().and_then(|read| left.checked_sub(read)).ok_or_else(|| {
                Problem::file("The workbook is larger than 1 GiB when it is unpacked, or damaged")
                    .help("Save the sheet with the deals as \"CSV UTF-8\".")
            })?;
        }
        return Ok(None);
    }
    let mut tables: Vec<&String> = names
        .iter()
        .filter(|name| {
            let lower = name.to_lowercase();
            !name.starts_with("__MACOSX/") && TABLES.iter().any(|end| lower.ends_with(end))
        })
        .collect();
    // A data export has one file for each object.
    let deals: Vec<&String> = tables
        .iter()
        .copied()
        .filter(|name| {
            let lower = name.to_lowercase();
            ["deal", "opportunit", "potential"].iter().any(|word| lower.contains(word))
        })
        .collect();
    if tables.len() > 1 && deals.len() == 1 {
        tables = deals;
    }
    let [name] = tables.as_slice() else {
        let told: Vec<String> = names.iter().take(20).map(|name| quoted(name)).collect();
        return Err(Problem::file(format!(
            "The zip file does not hold one table of deals; it holds {}",
            told.join(", ")
        ))
        .help("Unpack it and name the file with the deals."));
    };
    let file = archive.by_name(name).map_err(broken)?;
    let inner = bounded(file, limit(bytes.len()), "zip")?;
    Ok(Some(((*name).clone(), inner)))
}

/// A workbook's sheet with the deals, as delimited text.
fn workbook(bytes: Vec<u8>, mut remarks: Vec<String>) -> Result<Content, Problem> {
    let unreadable = |why: String| {
        Problem::file(format!("The workbook cannot be read: {why}"))
            .help("Open it in a spreadsheet and save the sheet with the deals as \"CSV UTF-8\".")
    };
    // Damaged workbooks have made their reader panic.
    let (mut book, sheets, hidden) = catch_unwind(AssertUnwindSafe(|| {
        let mut workbook = calamine::open_workbook_auto_from_rs(Cursor::new(bytes))
            .map_err(|error| error.to_string())?;
        let hidden: Vec<String> = workbook
            .sheets_metadata()
            .iter()
            .filter(|sheet| sheet.visible != SheetVisible::Visible)
            .map(|sheet| sheet.name.clone())
            .collect();
        let sheets = workbook.worksheets();
        Ok::<_, String>((workbook, sheets, hidden))
    }))
    .map_err(|_| unreadable("it is damaged".to_owned()))?
    .map_err(unreadable)?;
    let score = |range: &Range<Data>| {
        let rows = range.rows().take(30);
        let known = |row: &[Data]| {
            row.iter().filter(|cell| cell.get_string().is_some_and(headers::is_known)).count()
        };
        rows.map(known).max().unwrap_or_default()
    };
    let mut scored: Vec<(usize, &(String, Range<Data>))> =
        sheets.iter().map(|sheet| (score(&sheet.1), sheet)).filter(|it| it.0 > 0).collect();
    // What is hidden counts only where nothing else does.
    let is_shown = |sheet: &(String, Range<Data>)| !hidden.contains(&sheet.0);
    if scored.iter().any(|(score, sheet)| *score > 1 && is_shown(sheet)) {
        scored.retain(|(_, sheet)| is_shown(sheet));
    }
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let shown = |name: &String| {
        let hidden = if hidden.contains(name) { " (hidden)" } else { "" };
        format!("{}{hidden}", quoted(name))
    };
    let names: Vec<String> = sheets.iter().map(|(name, _)| shown(name)).collect();
    let (name, range) = match scored.as_slice() {
        [(_, sheet)] => sheet,
        [(first, sheet), (second, _), ..] if first > second => sheet,
        [] => {
            return Err(Problem::file(format!(
                "No sheet of the workbook has columns of deals; its sheets are {}",
                names.join(", ")
            ))
            .help("Save the sheet with the deals as \"CSV UTF-8\", with a line of headers."));
        }
        _ => {
            return Err(Problem::file(format!(
                "Several sheets of the workbook have columns of deals; its sheets are {}",
                names.join(", ")
            ))
            .help("Save the one with the deals as \"CSV UTF-8\"."));
        }
    };
    if let Sheets::Xlsx(book) = &mut book {
        // A formula that fails to be read takes nothing away: its value was read.
        let read = catch_unwind(AssertUnwindSafe(|| book.worksheet_formula(name)));
        if let Ok(Ok(formulas)) = read {
            refuse_uncomputed(range, &formulas)?;
        }
    }
    let above = range.start().map_or(0, |(row, _)| row as usize);
    let typed = Typed::of(|| {
        let cells = range.used_cells();
        cells.map(|(row, column, cell)| (above + row + 1, column, kind_of(cell)))
    });
    let mut text = String::new();
    // Rows above the range are empty, and numbered all the same.
    for _ in 0..range.start().map_or(0, |(row, _)| row) {
        text.push('\n');
    }
    let groups = grouped(range);
    let mut last = vec![String::new(); range.width()];
    for (number, row) in range.rows().enumerate() {
        let is_deal = || {
            let is = |cell: &Data, says: fn(&str) -> bool| cell.get_string().is_some_and(says);
            !row.iter().any(|cell| is(cell, totals::says_total) || is(cell, totals::names_sum))
                && row.iter().any(|cell| !cell_text(cell).trim().is_empty())
        };
        let groups = groups.as_ref().filter(|(headers, _)| number > *headers && is_deal());
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let cell = cell_text(cell);
            if groups.is_some_and(|(_, columns)| columns.contains(&at)) {
                if !cell.trim().is_empty() {
                    last[at] = cell;
                }
                push_cell(&mut text, &last[at]);
            } else {
                push_cell(&mut text, &cell);
            }
        }
        text.push('\n');
    }
    if let Some((headers, columns)) = &groups {
        let header = |at: &usize| range.get((*headers, *at)).map(cell_text).unwrap_or_default();
        let names: Vec<String> = columns.iter().map(|at| quoted(&header(at))).collect();
        remarks.push(format!(
            "The report groups its rows by {}; what stands in a group's first row was read for all \
             of its rows.",
            names.join(", ")
        ));
    }
    if sheets.len() > 1 {
        remarks.push(format!(
            "Of the workbook's sheets {} was read; its sheets are {}.",
            shown(name),
            names.join(", ")
        ));
    }
    Ok(Content { bytes: text.into_bytes(), remarks, typed: Some(typed) })
}

/// The row of the headers and the columns by which a report groups its rows: those
/// with an arrow beside their names in which groups end. Each group's value stands
/// in its first row alone.
fn grouped(range: &Range<Data>) -> Option<(usize, Vec<usize>)> {
    let says = |cell: &Data, says: &dyn Fn(&str) -> bool| cell.get_string().is_some_and(says);
    let is_sorted = |cell: &Data| says(cell, &|text| text.trim_end().ends_with(['↑', '↓']));
    let (headers, row) =
        range.rows().enumerate().take(30).find(|(_, row)| row.iter().any(is_sorted))?;
    let sorted = row.iter().enumerate().filter(|(_, cell)| is_sorted(cell));
    let columns: Vec<usize> = sorted
        .map(|(at, _)| at)
        .filter(|at| range.rows().skip(headers + 1).any(|row| says(&row[*at], &totals::ends_group)))
        .collect();
    (!columns.is_empty()).then_some((headers, columns))
}

/// Refuses a workbook that a program wrote and no spreadsheet has computed: its
/// formulas have no values, which is not the same as empty cells.
fn refuse_uncomputed(range: &Range<Data>, formulas: &Range<String>) -> Result<(), Problem> {
    let (top, left) = formulas.start().unwrap_or_default();
    let uncomputed = formulas.used_cells().find_map(|(row, column, formula)| {
        let place = (top + u32::try_from(row).ok()?, left + u32::try_from(column).ok()?);
        let is_empty = range.get_value(place).is_none_or(|value| matches!(value, Data::Empty));
        (is_empty && !formula.trim().is_empty()).then_some((place, formula))
    });
    let Some(((row, column), formula)) = uncomputed else { return Ok(()) };
    let column = u8::try_from(column).ok().filter(|column| *column < 26);
    let place =
        column.map_or(String::new(), |it| format!(" in {}{}", char::from(b'A' + it), row + 1));
    Err(Problem::row(
        row as usize + 1,
        format!("The formula{place} was never computed: {}", quoted(&format!("={formula}"))),
    )
    .help("Open the workbook in a spreadsheet and save it there, or export values."))
}

fn kind_of(cell: &Data) -> CellKind {
    match cell {
        Data::DateTime(_) | Data::DateTimeIso(_) => CellKind::Date,
        Data::Float(_) | Data::Int(_) => CellKind::Number,
        Data::String(text) => CellKind::of_text(text),
        _ => CellKind::Other,
    }
}

fn cell_text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::Float(number) => number_text(*number),
        Data::DateTime(_) => match cell.as_datetime() {
            Some(time) if time.time() == chrono::NaiveTime::MIN => time.date().to_string(),
            Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
            None => cell.to_string(),
        },
        other => other.to_string(),
    }
}

/// What a file is that holds no table.
fn nothing_to_read(bytes: &[u8]) -> Option<Problem> {
    let head = &bytes[..bytes.len().min(HEAD)];
    if head.starts_with(b"%PDF") {
        return Some(
            Problem::file("This is a PDF document, not a table of deals")
                .help("Export the deals as CSV."),
        );
    }
    let text = String::from_utf8_lossy(head);
    let written = text.trim_start_matches('\u{feff}').trim_start();
    let start = written.to_ascii_lowercase();
    let is_markup = start.starts_with('<');
    if is_markup && markup::has_table(bytes) {
        return None;
    }
    let is_page = ["<!doctype html", "<html", "<body", "<div"].iter().any(|it| start.contains(it));
    if is_markup && is_page {
        return Some(
            Problem::file(format!(
                "This is a web page{}, not an export; the download may have asked to sign in",
                markup::title(written)
            ))
            .help("Sign in and download the export again, as CSV."),
        );
    }
    let fault = ["faultstring", "message"].iter().find_map(|name| {
        let (_, rest) = start.split_once(&format!("<{name}>"))?;
        // Lower case has the same length here: only a fault in ASCII is quoted.
        let at = start.len() - rest.len();
        let said = written.get(at..at + rest.find('<')?)?;
        (start.is_ascii() && !said.trim().is_empty()).then(|| said.trim().to_owned())
    });
    if let Some(said) = fault.filter(|_| is_markup) {
        return Some(
            Problem::file(format!("This is an API's error, not its deals: {}", quoted(&said)))
                .help(ASK_AGAIN),
        );
    }
    if start.starts_with("<?xml") || (is_markup && start.contains("</")) {
        return Some(
            Problem::file("This is an XML file, not a table of deals")
                .help("Export the deals as CSV."),
        );
    }
    // A line of headers in which Airbyte keeps all fields in one column.
    let first = start.lines().next().unwrap_or_default();
    if first.contains("_airbyte_data") && !start.starts_with(['{', '[']) {
        return Some(raw_airbyte());
    }
    let above_blank = start.replace("\r\n", "\n");
    let above_blank = above_blank.split("\n\n").next().unwrap_or_default();
    let has_line = |name: &str| above_blank.lines().any(|line| line.starts_with(name));
    if has_line("mime-version:") && has_line("content-type:") {
        return Some(
            Problem::file(
                "This is a mail or a web page saved in one file (MHTML), not a table of deals",
            )
            .help(
                "Open it in a spreadsheet and save it as .xlsx or CSV, or export the deals as CSV.",
            ),
        );
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(
            Problem::file("This is a tar archive, not a table of deals")
                .help("Unpack it and name the file with the deals."),
        );
    }
    if start.starts_with("version https://git-lfs.github.com/") {
        return Some(
            Problem::file("This is a Git LFS pointer in place of the file")
                .help("Run `git lfs pull` in the repository that it comes from."),
        );
    }
    for (magic, what) in [
        (&b"PAR1"[..], "a Parquet file"),
        (b"SQLite format 3", "a SQLite database"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"Rar!", "a RAR archive"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"{\\rtf", "a text document (RTF)"),
        (b"Received:", "a mail"),
        (b"[InternetShortcut]", "a link to a page"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
    ] {
        if head.starts_with(magic) {
            return Some(
                Problem::file(format!("This is {what}, not a table of deals"))
                    .help("Name a CSV or JSON export of the deals, or a workbook (.xlsx)."),
            );
        }
    }
    None
}

const ASK_AGAIN: &str =
    "Ask the API again with valid credentials, and save its answer once it lists deals.";

/// Names under which APIs put what went wrong, the clearest words first.
const FAULTS: [&str; 14] = [
    "message",
    "error_description",
    "error_message",
    "detail",
    "msg",
    "title",
    "error",
    "errors",
    "faultstring",
    "fault",
    "errorcode",
    "error_code",
    "error_info",
    "exitcode",
];

/// What an object is that holds neither a list of records nor one: an API's
/// error, in its words, or something else.
pub(super) fn error_answer(answer: &serde_json::Map<String, Value>) -> Problem {
    let has = |name: &str| answer.contains_key(name);
    let is_text = |name: &str| answer.get(name).is_some_and(Value::is_string);
    if has("_airbyte_data") {
        return raw_airbyte();
    }
    if is_text("type")
        && (is_text("stream") && (has("schema") || has("record")) || has("bookmarks"))
    {
        return Problem::file("These are messages of a Singer tap, not a list of deals")
            .help("Give them to a target that writes files, such as target-csv, and name the file that it writes.");
    }
    if has("factMap") && has("reportMetadata") {
        return Problem::file("This is a report as Salesforce's Reports API gives it: it holds cells without the fields that they are of")
            .help("Export the report in Salesforce (Export, Details Only, .csv), or save what a query gives: `sf data query --result-format csv`.");
    }
    match fault_in(&Value::Object(answer.clone()), 3) {
        Some(words) => {
            Problem::file(format!("This is an API's error, not its deals: {}", quoted(&words)))
                .help(ASK_AGAIN)
        }
        None => {
            let names: Vec<String> = answer.keys().take(20).map(|name| quoted(name)).collect();
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            Problem::file(format!("This JSON holds no list of deals; it holds {names}")).help(
                "Save what the API lists as deals, as a list of objects or as the whole answer.",
            )
        }
    }
}

/// Airbyte's raw data, which has a record once for each sync in which it changed.
fn raw_airbyte() -> Problem {
    Problem::file("This is Airbyte's raw data: it has each record once for each time that it was read, all fields in `_airbyte_data`")
        .help("Export the stream's own table, which has a column for each field, or set the destination's flattening to the root level.")
}

/// The words of a fault, from whichever name has them.
fn fault_in(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) if depth < 3 => Some(number.to_string()),
        Value::Array(items) if depth > 0 => items.iter().find_map(|it| fault_in(it, depth - 1)),
        Value::Object(members) if depth > 0 => FAULTS.iter().find_map(|name| {
            let (_, value) = members.iter().find(|(key, _)| key.to_lowercase() == *name)?;
            fault_in(value, depth - 1)
        }),
        _ => None,
    }
}

/// Whether an object says of itself that it is an error.
pub(super) fn is_error(answer: &serde_json::Map<String, Value>) -> bool {
    let is = |name: &str, wanted: &Value| answer.get(name) == Some(wanted);
    let says = |name: &str| answer.get(name).is_some_and(|it| !it.is_null());
    answer.get("status").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case("error"))
        || is("success", &Value::Bool(false))
        || ["errorCode", "error", "error_description", "error_info", "error_code"]
            .into_iter()
            .any(says)
}

#[cfg(test)]
mod tests {
    use encoding_rs::Encoding;

    use super::*;

    /// Decoded, which is what comes of reading it.
    fn text(bytes: &[u8]) -> String {
        let text = decode(bytes.to_vec()).expect("text").text;
        let read = read(bytes.to_vec()).map_err(|problem| problem.what).expect("a file");
        assert_eq!(read.text, text);
        assert_eq!(read.checksum.of(&text), hex::encode(Sha256::digest(bytes)));
        text
    }

    #[test]
    fn what_is_read_as_it_is_would_come_to_the_same_decoded() {
        let fixtures =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/deals");
        let (mut open, mut plain) = (vec![fixtures], 0);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("fixtures") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).expect("a fixture");
                for bytes in [bytes.clone(), [b"\xEF\xBB\xBF", bytes.as_slice()].concat()] {
                    let Ok(as_it_is) = super::plain(bytes.clone()) else { continue };
                    let (opened, read) = (super::open(bytes.clone()), read(bytes.clone()));
                    match (opened, read) {
                        (Ok(opened), Ok(read)) => {
                            let decoded = decode(opened.bytes).expect("text");
                            assert_eq!((decoded.text, decoded.remark), (read.text.clone(), None));
                            assert_eq!(
                                read.checksum.of(&read.text),
                                hex::encode(Sha256::digest(as_it_is.as_bytes()))
                            );
                            plain += 1;
                        }
                        (opened, read) => {
                            let what = |problem: Option<Problem>| problem.map(|it| it.what);
                            assert_eq!(what(opened.err()), what(read.err()), "{}", path.display());
                        }
                    }
                }
            }
        }
        assert!(plain > 100, "{plain} fixtures");
    }

    #[test]
    fn each_encoding_gives_the_same_text() {
        let requested = "Id,Name\n1,Café Lumière";
        let le: Vec<u8> = requested.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = requested.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let latin: Vec<u8> = requested.chars().map(|c| u8::try_from(c).expect("latin")).collect();
        assert_eq!(text(requested.as_bytes()), requested);
        assert_eq!(text(&[b"\xEF\xBB\xBF", requested.as_bytes()].concat()), requested);
        assert_eq!(text(&[b"\xFF\xFE", le.as_slice()].concat()), requested);
        assert_eq!(text(&[b"\xFE\xFF", be.as_slice()].concat()), requested);
        assert_eq!(text(&le), requested, "UTF-16 LE without a mark");
        assert_eq!(text(&be), requested, "UTF-16 BE without a mark");
        assert_eq!(text(&latin), requested);
        assert_eq!(text(b"Id\n\x80 5"), "Id\n€ 5", "Windows-1252, not Latin-1");
        let ascii: Vec<u8> = "Id,Name\n1,Cafe".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&ascii), "Id,Name\n1,Cafe", "UTF-16 LE that is UTF-8 with zero bytes, too");
        let of =
            |encoding: &'static Encoding, text: &str| decode(encoding.encode(text).0.into_owned());
        for (encoding, text) in [
            (encoding_rs::SHIFT_JIS, "Id,取引名\n1,アルファ株式会社の契約"),
            (encoding_rs::WINDOWS_1250, "Id;Nazwa\n1;Łódź, Gdańsk i Żywiec\n2;Świętokrzyskie"),
            (encoding_rs::WINDOWS_1251, "Id;Имя\n1;Договор с заказчиком"),
            (encoding_rs::EUC_KR, "Id,이름\n1,알파 프로젝트 계약"),
        ] {
            assert_eq!(of(encoding, text).expect("text").text, text, "{}", encoding.name());
        }
        let wide: Vec<u8> = "番号,名\n1,甲".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&wide), "番号,名\n1,甲", "few zero bytes, and UTF-16 all the same");
    }

    #[test]
    fn one_damaged_character_is_not_taken_for_another_encoding() {
        let error = decode(b"Id\n\xC3\xA9\n\xC3(\n".to_vec()).expect_err("damaged");
        assert_eq!(error.line, 3, "{error:?}");
    }

    #[test]
    fn a_workbooks_numbers_keep_the_digits_that_they_have() {
        for (number, text) in [
            (101.0, "101"),
            (1234.5, "1234.5"),
            (0.1 + 0.2, "0.3"),
            (1.234, "1.2340"),
            (-1_234.499_999_999_999_8, "-1234.5"),
            (31_874_500_101.0, "31874500101"),
            (36_523_970_000_012_345.0, "3.6523970000012344E+16"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }
}
