//! The formats of a report, and what the command line knows about where it is
//! printed.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

// What the command line knows about where a result is printed.

/// What the command line knows about where a result is printed. Formats for
/// programs pay no attention to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// The terminal's columns; `None` when the result does not go to a terminal.
    pub width: Option<usize>,
}

// The names of the formats.

/// One way to show a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For people, on a terminal.
    Text,
    /// For programs; versioned.
    Json,
    /// For a GitHub job summary, an issue or a wiki.
    Markdown,
    /// One page with charts that needs no network.
    Html,
    /// For spreadsheets.
    Csv,
    /// Annotations on a pull request, as GitHub Actions workflow commands.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// `JUnit` XML, for the test pages of CI systems.
    Junit,
}

/// Each format with its name and the file endings it is guessed from, longest
/// ending first.
const FORMATS: &[(Format, &str, &[&str])] = &[
    (Format::Text, "text", &[".txt"]),
    (Format::Json, "json", &[".json"]),
    (Format::Markdown, "markdown", &[".md", ".markdown"]),
    (Format::Html, "html", &[".html", ".htm"]),
    (Format::Csv, "csv", &[".csv"]),
    (Format::Github, "github", &[]),
    (Format::Sarif, "sarif", &[".sarif", ".sarif.json"]),
    (Format::Junit, "junit", &[".xml"]),
];

/// A name that is no format's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat {
    /// The name as it was given.
    pub given: String,
    /// The format that was probably meant.
    pub meant: Option<Format>,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "There is no format {}.", crate::text::quoted(&self.given))?;
        if let Some(meant) = self.meant {
            write!(f, " Did you mean {meant}?")?;
        }
        let names: Vec<&str> = Format::all().map(Format::as_str).collect();
        write!(f, " The formats are {}.", names.join(", "))
    }
}

impl std::error::Error for UnknownFormat {}

impl Format {
    /// All formats, in the order in which help lists them.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().map(|(format, _, _)| *format)
    }

    /// The name that `--format` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        FORMATS
            .iter()
            .find(|(format, _, _)| *format == self)
            .map(|(_, name, _)| *name)
            .expect("every format is in the table, as a test checks")
    }

    /// The format that a file's name asks for, as in `--output report.html`.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        FORMATS
            .iter()
            .flat_map(|(format, _, endings)| endings.iter().map(|ending| (*format, *ending)))
            .filter(|(_, ending)| name.ends_with(ending) && name.len() > ending.len())
            .max_by_key(|(_, ending)| ending.len())
            .map(|(format, _)| format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, UnknownFormat> {
        let wanted = given.trim().to_ascii_lowercase();
        if let Some((format, _, _)) = FORMATS
            .iter()
            .find(|(_, name, endings)| *name == wanted || endings.iter().any(|e| e[1..] == wanted))
        {
            return Ok(*format);
        }
        let meant = FORMATS
            .iter()
            .map(|(format, name, _)| (*format, strsim::jaro_winkler(&wanted, name)))
            .filter(|(_, likeness)| *likeness >= 0.75)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(format, _)| format);
        Err(UnknownFormat { given: given.to_owned(), meant })
    }
}
