//! A file's bytes as text: UTF-8, UTF-16 and Windows-1252 are recognised.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The text of a file, without its byte order mark, and what a reader of the
/// report should know about how it was read.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) remark: Option<String>,
}

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText {
    /// The line (from 1) with the first byte that does not fit.
    pub(super) line: usize,
    pub(super) what: String,
}

/// Decodes a file: by its byte order mark, else UTF-16 by its zero bytes, else
/// UTF-8 where it is valid, else Windows-1252 (which holds Latin-1).
pub(super) fn decode(mut bytes: Vec<u8>) -> Result<Decoded, NotText> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
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
                Err(broken_utf8(&bytes, at))
            } else {
                transcode(&bytes, WINDOWS_1252)
            }
        }
    }
}

/// UTF-16 with the length of its mark, or without one: delimited text has a
/// zero byte in nearly every second place.
fn utf16(bytes: &[u8]) -> Option<(&'static Encoding, usize)> {
    if bytes.starts_with(b"\xFF\xFE") {
        return Some((UTF_16LE, 2));
    }
    if bytes.starts_with(b"\xFE\xFF") {
        return Some((UTF_16BE, 2));
    }
    let head = &bytes[..bytes.len().min(512) & !1];
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let enough = head.len() / 2 * 7 / 10;
    match (head.len() >= 8, zeros(0), zeros(1)) {
        (true, even, odd) if odd > enough && even <= enough / 4 => Some((UTF_16LE, 0)),
        (true, even, odd) if even > enough && odd <= enough / 4 => Some((UTF_16BE, 0)),
        _ => None,
    }
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

/// Whether more sequences of several bytes fit UTF-8 than do not: then one
/// byte is damaged, and reading all as Windows-1252 would garble the rest.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad
}

fn broken_utf8(bytes: &[u8], at: usize) -> NotText {
    NotText {
        line: bytes[..at].iter().filter(|b| **b == b'\n').count() + 1,
        what: "The file is UTF-8, but a character here is damaged".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes.to_vec()).expect("text").text
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
    }

    #[test]
    fn one_damaged_character_is_not_taken_for_another_encoding() {
        let error = decode(b"Id\n\xC3\xA9\xC3\xA9\n\xC3(\n".to_vec()).expect_err("damaged");
        assert_eq!(error.line, 3, "{error:?}");
    }
}
