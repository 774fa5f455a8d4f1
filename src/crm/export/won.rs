//! Where a deal stands, as the columns of an export tell it.

use crate::model::Outcome;

/// What an outcome was read from, where a reader should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// A column that says so.
    Said,
    /// A stage with a probability of 100 and a name nobody knows.
    Probability,
    /// Nothing that is known.
    Nothing,
}

/// What the columns say, each empty where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs<'a> {
    pub(super) is_won: &'a str,
    pub(super) is_closed: &'a str,
    pub(super) status: &'a str,
    pub(super) stage: &'a str,
    pub(super) probability: &'a str,
}

/// Labels by which stages and statuses are known: English, German, French,
/// Spanish, Portuguese. A vendor's shipped names only.
const WON: &[&str] = &[
    "closed won",
    "closed-won",
    "closed/won",
    "closed - won",
    "closedwon",
    "won",
    "gewonnen",
    "geschlossen gewonnen",
    "geschlossen/gewonnen",
    "abgeschlossen und gewonnen",
    "gagné",
    "gagnée",
    "fermé gagné",
    "conclu gagné",
    "ganado",
    "ganada",
    "cerrado ganado",
    "cierre ganado",
    "cerrada ganada",
    "ganho",
    "ganha",
    "fechado ganho",
];
const LOST: &[&str] = &[
    "closed lost",
    "closed-lost",
    "closed/lost",
    "closed - lost",
    "closedlost",
    "lost",
    "verloren",
    "geschlossen verloren",
    "geschlossen/verloren",
    "abgeschlossen und verloren",
    "perdu",
    "perdue",
    "fermé perdu",
    "perdido",
    "perdida",
    "cerrado perdido",
    "cierre perdido",
    "cerrada perdida",
    "fechado perdido",
    "omitted",
];
const OPEN: &[&str] = &[
    "open",
    "offen",
    "en cours",
    "ouvert",
    "abierto",
    "aberto",
    // HubSpot's and Salesforce's own open stages.
    "appointment scheduled",
    "qualified to buy",
    "presentation scheduled",
    "decision maker bought-in",
    "contract sent",
    "prospecting",
    "qualification",
    "needs analysis",
    "value proposition",
    "id. decision makers",
    "perception analysis",
    "proposal/price quote",
    "negotiation/review",
];
const GONE: &[&str] = &["deleted", "archived", "gelöscht", "supprimé", "eliminado", "excluído"];

/// Where a deal stands. A column that says whether it is won decides; then the
/// status; then the stage's name; then, for a name nobody knows, a probability
/// of 100. What only might be won is unknown, never open.
pub(super) fn outcome(signs: Signs<'_>) -> (Outcome, Evidence) {
    let (stage, status) = (word(signs.stage), word(signs.status));
    match flag(signs.is_won) {
        Some(true) => return (Outcome::Won, Evidence::Said),
        Some(false) => {
            let lost = flag(signs.is_closed) == Some(true) || is(LOST, stage) || is(LOST, status);
            return (if lost { Outcome::Lost } else { Outcome::Open }, Evidence::Said);
        }
        None => {}
    }
    for word in [status, stage] {
        for (words, outcome) in [
            (WON, Outcome::Won),
            (LOST, Outcome::Lost),
            (OPEN, Outcome::Open),
            (GONE, Outcome::Gone),
        ] {
            if is(words, word) {
                return (outcome, Evidence::Said);
            }
        }
    }
    if flag(signs.is_closed) == Some(false) {
        return (Outcome::Open, Evidence::Said);
    }
    match percent(signs.probability) {
        Some(100.0) => (Outcome::Won, Evidence::Probability),
        Some(part) if part > 0.0 && part < 100.0 => (Outcome::Open, Evidence::Said),
        _ => (Outcome::Unknown, Evidence::Nothing),
    }
}

fn word(text: &str) -> &str {
    text.trim()
}

fn is(words: &[&str], text: &str) -> bool {
    !text.is_empty()
        && words.iter().any(|word| {
            word.len() == text.len()
                && (word.eq_ignore_ascii_case(text)
                    || (!text.is_ascii() && text.to_lowercase() == **word))
        })
}

/// True or false as exports write it.
fn flag(text: &str) -> Option<bool> {
    const YES: [&str; 8] = ["true", "yes", "1", "ja", "oui", "sí", "wahr", "vrai"];
    const NO: [&str; 7] = ["false", "no", "0", "nein", "non", "falsch", "faux"];
    let text = text.trim();
    let one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if one_of(&YES) {
        Some(true)
    } else if one_of(&NO) {
        Some(false)
    } else {
        None
    }
}

/// A probability in per cent; HubSpot writes a part of one.
fn percent(text: &str) -> Option<f64> {
    let text = text.trim();
    let number: f64 = text.trim_end_matches('%').trim().replace(',', ".").parse().ok()?;
    let part_of_one = number <= 1.0 && text.contains('.') && !text.ends_with('%');
    Some(if part_of_one { number * 100.0 } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_by_what_the_columns_say() {
        let none = Signs::default();
        for (signs, requested) in [
            (Signs { is_won: "true", stage: "Renewed", ..none }, Outcome::Won),
            // Accounts relabel stages; the flag knows better.
            (Signs { is_won: "false", stage: "Closed Won", ..none }, Outcome::Open),
            (Signs { is_won: "0", is_closed: "1", ..none }, Outcome::Lost),
            (Signs { is_won: "false", stage: "Closed Lost", ..none }, Outcome::Lost),
            // Pipedrive: won is a status, whatever the stage.
            (Signs { status: "Won", stage: "Contract sent", ..none }, Outcome::Won),
            (Signs { status: "Gewonnen", ..none }, Outcome::Won),
            (Signs { status: "GAGNÉ", ..none }, Outcome::Won),
            (Signs { status: "deleted", ..none }, Outcome::Gone),
            (Signs { stage: "Closed Won", ..none }, Outcome::Won),
            (Signs { stage: "Renewed", ..none }, Outcome::Unknown),
            (Signs { stage: "Renewed", probability: "100", ..none }, Outcome::Won),
            (Signs { stage: "Renewed", probability: "1.0", ..none }, Outcome::Won),
            (Signs { stage: "Renewed", probability: "1", ..none }, Outcome::Open),
            (Signs { stage: "Talking", probability: "40%", ..none }, Outcome::Open),
            (Signs { stage: "Closed Lost", probability: "0", ..none }, Outcome::Lost),
            (none, Outcome::Unknown),
        ] {
            assert_eq!(outcome(signs).0, requested, "{signs:?}");
        }
    }
}
