//! A file's bytes as text: UTF-8, UTF-16 and the encodings of spreadsheets
//! (Windows-1250 to 1258, Shift-JIS, GBK, EUC-KR and their like) are recognised.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// So many bytes tell what a file is.
pub(super) const HEAD: usize = 4096;

/// The mark of UTF-8 at the beginning of a text.
pub(super) const MARK: char = '\u{feff}';

/// The text of a file, without its byte order mark, and what a reader of the
/// report should know about how it was read.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) remark: Option<String>,
}

/// So many lines with other letters than ASCII tell which encoding they are in.
const LINES_THAT_TELL: usize = 20_000;

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText {
    /// The line (from 1) with the first byte that does not fit.
    pub(super) line: usize,
    pub(super) what: String,
}

/// Decodes a file: by its byte order mark, else UTF-16 by its zero bytes, else
/// UTF-8 where it is valid, else the encoding that its letters are most likely in.
pub(super) fn decode(mut bytes: Vec<u8>) -> Result<Decoded, NotText> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..MARK.len_utf8());
        return match String::from_utf8(bytes) {
            Ok(text) => Ok(Decoded { text, remark: None }),
            Err(error) => Err(broken_utf8(error.as_bytes(), error.utf8_error().valid_up_to())),
        };
    }
    if let Some((encoding, bom)) = utf16(&bytes) {
        return transcode(&bytes[bom..], encoding);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Decoded { text, remark: None }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            if is_mostly_utf8(&bytes) {
                return Err(broken_utf8(&bytes, at));
            }
            if let Some(encoding) = declared(&bytes) {
                return transcode(&bytes, encoding);
            }
            // In none of these encodings is a line feed a part of another character.
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            for line in lines.filter(|line| !line.is_ascii()).take(LINES_THAT_TELL) {
                detector.feed(line, false);
            }
            transcode(&bytes, detector.guess(None, Utf8Detection::Deny))
        }
    }
}

/// UTF-16 with the length of its mark, or without one: a table's line ends and
/// delimiters are where they should be in one of the two byte orders only.
fn utf16(bytes: &[u8]) -> Option<(&'static Encoding, usize)> {
    if bytes.starts_with(b"\xFF\xFE") {
        return Some((UTF_16LE, 2));
    }
    if bytes.starts_with(b"\xFE\xFF") {
        return Some((UTF_16BE, 2));
    }
    let head = &bytes[..bytes.len().min(HEAD) & !1];
    let is_table = |encoding: &&'static Encoding| {
        let (text, _) = encoding.decode_without_bom_handling(head);
        text.contains([',', ';', '\t', '{'])
            && !text.contains(['\u{fffd}', '\0'])
            && (text.contains('\n') || head.len() < HEAD)
    };
    if !head.contains(&0) {
        return None;
    }
    [UTF_16LE, UTF_16BE].into_iter().find(is_table).map(|encoding| (encoding, 0))
}

/// The encoding that a page says it is in: `charset=windows-1252`, `encoding="…"`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    if !head.trim_start().starts_with('<') {
        return None;
    }
    let behind = ["charset=", "encoding="].iter().find_map(|it| Some(head.split_once(it)?.1))?;
    let label = behind.trim_start_matches(['"', '\'', ' ']);
    let end =
        label.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.'));
    Encoding::for_label(&label.as_bytes()[..end.unwrap_or(label.len())])
        .filter(|encoding| encoding.is_ascii_compatible() && *encoding != UTF_8)
}

fn transcode(bytes: &[u8], encoding: &'static Encoding) -> Result<Decoded, NotText> {
    let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) else {
        return Err(NotText {
            line: 1,
            what: format!("The file looks like {}, and is broken or cut off", encoding.name()),
        });
    };
    Ok(Decoded {
        text: text.into_owned(),
        remark: Some(format!("The file was read as {}, because it is not UTF-8.", encoding.name())),
    })
}

/// Whether as many sequences of several bytes fit UTF-8 as do not: then some
/// bytes are damaged, and reading all in another encoding would garble the rest.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= bad
}

fn broken_utf8(bytes: &[u8], at: usize) -> NotText {
    NotText {
        line: bytes[..at].iter().filter(|b| **b == b'\n').count() + 1,
        what: "The file is UTF-8, but a character here is damaged".to_owned(),
    }
}
