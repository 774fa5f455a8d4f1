//! What a workbook knows of its cells that their text does not show: which are real
//! dates and numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{WrittenDate, read_amount, read_date};

/// What a workbook knows of its cells that their text does not show. Rows are
/// numbered as a spreadsheet shows them.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) is_workbook: bool,
    /// Columns with real dates and with texts of which only an order tells day and
    /// month: the first row with one, and with the other.
    pub(super) dates: BTreeMap<usize, (usize, usize)>,
    /// The rows with real numbers, of columns that hold amounts as texts, too.
    pub(super) numbers: BTreeMap<usize, BTreeSet<usize>>,
}

impl Typed {
    /// Looks through the cells of a sheet: row, column, and what each is.
    pub(super) fn of<I: Iterator<Item = (usize, usize, CellKind)>>(cells: impl Fn() -> I) -> Self {
        let (mut dates, mut amounts) = (BTreeMap::new(), BTreeSet::new());
        for (row, column, kind) in cells() {
            let first = |place: &mut Option<usize>| *place = place.or(Some(row));
            match kind {
                CellKind::Date => first(&mut dates.entry(column).or_insert((None, None)).0),
                CellKind::DateText => first(&mut dates.entry(column).or_insert((None, None)).1),
                CellKind::NumberText => {
                    amounts.insert(column);
                }
                CellKind::Number | CellKind::Other => {}
            }
        }
        let mut numbers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        if !amounts.is_empty() {
            let is_one = |kind| kind == CellKind::Number;
            let of_mixed = cells().filter(|(_, at, kind)| is_one(*kind) && amounts.contains(at));
            for (row, at, _) in of_mixed {
                numbers.entry(at).or_default().insert(row);
            }
        }
        let both = dates.into_iter().filter_map(|(at, (date, text))| Some((at, (date?, text?))));
        Self { is_workbook: true, dates: both.collect(), numbers }
    }

    /// Whether this cell is a real number beside texts.
    pub(super) fn is_number(&self, row: usize, column: usize) -> bool {
        self.numbers.get(&column).is_some_and(|rows| rows.contains(&row))
    }
}

/// What a sheet's cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Date,
    /// A text that is a date whose day and month only its order tells apart.
    DateText,
    Number,
    NumberText,
    Other,
}

impl CellKind {
    /// What a text in a sheet is.
    pub(super) fn of_text(text: &str) -> Self {
        if text.len() > 60 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return Self::Other;
        }
        match read_date(text) {
            Ok(WrittenDate::Two { .. } | WrittenDate::Short { .. }) => Self::DateText,
            Ok(_) => Self::Other,
            Err(_) if read_amount(text).is_ok() => Self::NumberText,
            Err(_) => Self::Other,
        }
    }
}
