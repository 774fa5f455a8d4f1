//! The words by which rows of sums are known.

/// Words of total rows, in the languages of the shipped labels.
const WORDS: [&str; 26] = [
    "grand total",
    "subtotal",
    "total",
    "summe",
    "gesamtsumme",
    "gesamt",
    "zwischensumme",
    "total général",
    "sous-total",
    "somme",
    "total general",
    "suma",
    "soma",
    "totale",
    "somma",
    "合計",
    "小計",
    "総計",
    "total geral",
    "toplam",
    "genel toplam",
    "razem",
    "итого",
    "celkem",
    "összesen",
    "yhteensä",
];
/// Words of rows that count the rows above.
pub(super) const COUNTS: [&str; 9] = [
    "count",
    "record count",
    "anzahl",
    "nombre",
    "recuento",
    "contagem",
    "conteggio",
    "aantal",
    "件数",
];

/// Those of them that end one group of rows.
const OF_A_GROUP: [&str; 4] = ["subtotal", "zwischensumme", "sous-total", "小計"];
/// What a report writes before the name of a column that it sums up.
const SUMS: [&str; 7] = [
    "sum of ",
    "average of ",
    "avg of ",
    "median of ",
    "largest ",
    "smallest ",
    "unique count of ",
];

/// Whether a cell is a word of a total row.
pub(super) fn says_total(cell: &str) -> bool {
    let words = cell.trim().to_lowercase();
    WORDS.iter().any(|word| {
        words.strip_prefix(word).is_some_and(|rest| {
            let rest = rest.strip_prefix('s').unwrap_or(rest).trim();
            rest.is_empty() || rest.starts_with(['(', ':'])
        })
    })
}

/// Whether a cell ends a group of a report's rows.
pub(super) fn ends_group(cell: &str) -> bool {
    let words = cell.trim().to_lowercase();
    OF_A_GROUP
        .iter()
        .any(|word| words.strip_prefix(word).is_some_and(|rest| rest.trim().is_empty()))
}

/// Whether a cell says which sum stands beside it: `Sum of Amount`, `Count`.
pub(super) fn names_sum(cell: &str) -> bool {
    let words = cell.trim().to_lowercase();
    COUNTS.contains(&words.as_str()) || SUMS.iter().any(|start| words.starts_with(start))
}
