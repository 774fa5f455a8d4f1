//! What git would write into a checkout for a text file, and whether a file
//! there is the one that git has.

use git2::{AttrCheckFlags, AttrValue, Repository};

use super::LedgerError;

/// How lines end in the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    AsTheyAre,
    CrLf,
}

/// The line ends that attributes and configuration ask for at a path.
pub(super) fn line_ends(repo: &Repository, path: &str) -> LineEnds {
    let attribute = |name: &str| {
        repo.get_attr(std::path::Path::new(path), name, AttrCheckFlags::FILE_THEN_INDEX)
            .ok()
            .flatten()
            .map(str::to_owned)
    };
    let (text, eol) = (attribute("text"), attribute("eol"));
    let (text, eol) =
        (AttrValue::from_string(text.as_deref()), AttrValue::from_string(eol.as_deref()));
    let config = repo.config().ok();
    let says = |key: &str, value: &str| {
        config
            .as_ref()
            .and_then(|config| config.get_string(key).ok())
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let native = says("core.eol", "crlf") || (cfg!(windows) && !says("core.eol", "lf"));
    match (text, eol) {
        (AttrValue::False, _) | (_, AttrValue::String("lf")) => LineEnds::AsTheyAre,
        (_, AttrValue::String("crlf")) => LineEnds::CrLf,
        (AttrValue::Unspecified, _) => {
            if says("core.autocrlf", "true") {
                LineEnds::CrLf
            } else {
                LineEnds::AsTheyAre
            }
        }
        _ if says("core.autocrlf", "true") => LineEnds::CrLf,
        _ if says("core.autocrlf", "input") => LineEnds::AsTheyAre,
        _ if native => LineEnds::CrLf,
        _ => LineEnds::AsTheyAre,
    }
}

/// Refuses a path whose content is to pass a filter program (encryption, large
/// files): what is committed here would have passed it by.
pub(super) fn refuse_filter(repo: &Repository, path: &str) -> Result<(), LedgerError> {
    let filter = repo
        .get_attr(std::path::Path::new(path), "filter", AttrCheckFlags::FILE_THEN_INDEX)
        .ok()
        .flatten();
    match AttrValue::from_string(filter) {
        AttrValue::String(filter) => {
            Err(LedgerError::Filtered { path: path.to_owned(), filter: filter.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The bytes for the checkout.
pub(super) fn for_checkout(bytes: &[u8], ends: LineEnds) -> Vec<u8> {
    if ends == LineEnds::AsTheyAre || bytes.contains(&0) || bytes.contains(&b'\r') {
        return bytes.to_vec();
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for &byte in bytes {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Whether a file of the checkout holds a blob's bytes, line ends aside.
pub(super) fn is_same(file: &[u8], blob: &[u8]) -> bool {
    file == blob || (file.contains(&b'\r') && without_cr(file) == without_cr(blob))
}

fn without_cr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        if !(byte == b'\r' && bytes.get(at + 1) == Some(&b'\n')) {
            out.push(byte);
        }
    }
    out
}
