//! Results for programs: versioned, stable key order, indented.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::FindingsReport;
use crate::finding::Finding;

/// The version of the contract in `docs/formats.md`. It grows when a field
/// changes its meaning or goes; new fields may come without it.
const FINDINGS_VERSION: u32 = 1;

#[derive(Serialize)]
struct Findings<'a> {
    version: u32,
    checked: usize,
    findings: &'a [Finding],
}

/// `{version, checked, findings}`.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    pretty(&Findings {
        version: FINDINGS_VERSION,
        checked: report.checked().len(),
        findings: report.findings(),
    })
}

/// Indented JSON with a line end. Characters that would act on a terminal or
/// reorder what is read are written as `\u` escapes, which every reader takes
/// for the same characters.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    write_pretty(value, &mut out).expect("a vector takes everything");
    out
}

/// The same, written as it is made: the JSON of a large audit is larger than
/// everything that it was made from.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn write_pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, out);
    value.serialize(&mut Serializer::with_formatter(&mut out, Harmless::default()))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Indents, and escapes what acts.
#[derive(Default)]
struct Harmless(PrettyFormatter<'static>);

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Everything below U+0020 was escaped before this.
        if fragment.bytes().all(|byte| byte < 0x7F) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(acts) {
            out.write_all(&rest.as_bytes()[..at])?;
            let c = rest[at..].chars().next().expect("one was found there");
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }
    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }
    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Whether a character moves the cursor, hides or reorders what is read.
/// Those below U+0020 are escaped by JSON itself.
fn acts(c: char) -> bool {
    matches!(c,
        '\u{7F}'..='\u{9F}' | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}
