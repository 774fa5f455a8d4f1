//! What is wrong in a file, all of it at once, up to a readable number.

use std::fmt::Write as _;
use std::path::Path;

use crate::crm::CrmError;
use crate::text::quoted;

/// As many as a reader can look at.
pub(super) const SHOWN: usize = 20;

/// One problem: row and column as a spreadsheet shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The row from 1, the header being one; `None` for the file as a whole.
    pub(super) row: Option<usize>,
    pub(super) column: Option<String>,
    /// A sentence without its full stop.
    pub(super) what: String,
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn file(what: impl Into<String>) -> Self {
        Self { row: None, column: None, what: what.into(), help: None }
    }

    pub(super) fn row(row: usize, what: impl Into<String>) -> Self {
        Self { row: Some(row), column: None, what: what.into(), help: None }
    }

    pub(super) fn cell(row: usize, column: &str, what: impl Into<String>) -> Self {
        Self { row: Some(row), column: Some(column.to_owned()), what: what.into(), help: None }
    }

    pub(super) fn column(column: &str, what: impl Into<String>) -> Self {
        Self { row: None, column: Some(column.to_owned()), what: what.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn place(&self) -> String {
        let column = self.column.as_ref().map(|column| format!("column {}", quoted(column)));
        let row = self.row.map(|row| format!("row {row}"));
        [row, column].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// One error for all problems of a file; `None` when there is none. `total`
/// counts those that were not kept, too.
pub(super) fn as_error(file: &str, problems: &[Problem], total: usize) -> Option<CrmError> {
    let first = problems.first()?;
    let mut helps: Vec<&str> = Vec::new();
    for help in problems.iter().take(SHOWN).filter_map(|problem| problem.help.as_deref()) {
        if !helps.contains(&help) && helps.len() < 3 {
            helps.push(help);
        }
    }
    let help = if helps.is_empty() {
        "Correct the file, or export it again.".to_owned()
    } else {
        helps.join(" ")
    };
    if total.max(problems.len()) == 1 {
        let place = match first.place() {
            place if place.is_empty() => file.to_owned(),
            place => format!("{file}: {place}"),
        };
        return Some(CrmError::BadData { place, message: format!("{}.", first.what), help });
    }
    let total = total.max(problems.len());
    let mut message = format!("{total} problems:");
    for problem in problems.iter().take(SHOWN) {
        let place = problem.place();
        let colon = if place.is_empty() { "" } else { ": " };
        let _ = write!(message, "\n  {place}{colon}{}", problem.what);
    }
    if total > SHOWN.min(problems.len()) {
        let _ = write!(message, "\n  and {} more", total - SHOWN.min(problems.len()));
    }
    Some(CrmError::BadData { place: file.to_owned(), message, help })
}

/// One error for the problems of a file.
pub(super) fn many(path: &Path, found: &[Problem]) -> CrmError {
    as_error(&path.display().to_string(), found, found.len())
        .expect("it is called with at least one problem")
}
