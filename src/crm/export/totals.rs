//! The words by which rows of sums are known.

/// Words of total rows, in the languages of the shipped labels and of their neighbours.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "grand total", "subtotal", "sub total", "sub-total", "total", "overall total", "sum",
    "summe", "gesamtsumme", "gesamt", "insgesamt", "endsumme", "zwischensumme", "teilsumme",
    "gesamtergebnis", "teilergebnis",
    "total général", "sous-total", "somme",
    "total general", "suma total", "suma", "soma", "subtotales",
    "totale generale", "totale complessivo", "totale parziale", "totale", "somma", "subtotale",
    "total geral", "totais",
    "totaal", "eindtotaal", "subtotaal", "algemeen totaal", "som",
    "totalt", "total summa", "totalsumma", "summa", "delsumma", "slutsumma", "i alt",
    "yhteensä", "välisumma",
    "razem", "ogółem", "łącznie", "suma końcowa", "suma częściowa",
    "celkem", "celkový součet", "součet", "mezisoučet",
    "összesen", "végösszeg", "részösszeg",
    "toplam", "genel toplam", "ara toplam",
    "итого", "всего", "общий итог",
    "合計", "小計", "総計", "总计", "合计", "小计", "總計", "합계", "총계", "소계",
];
/// Words of rows that count the rows above.
#[rustfmt::skip]
pub(super) const COUNTS: &[&str] = &[
    "count", "record count", "anzahl", "nombre", "recuento", "contagem", "conteggio", "aantal",
    "antal", "antall", "liczba", "ilość", "počet", "件数",
];

/// Those of them that end one group of rows.
#[rustfmt::skip]
const OF_A_GROUP: &[&str] = &[
    "subtotal", "sub total", "sub-total", "zwischensumme", "teilsumme", "teilergebnis",
    "sous-total", "subtotale", "totale parziale", "subtotaal", "delsumma", "välisumma",
    "suma częściowa", "mezisoučet", "részösszeg", "ara toplam", "小計", "小计", "소계",
];
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
