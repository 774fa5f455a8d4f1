//! Where a deal stands, decided from all columns that say something about it.
//! What they contradict, and what no column says in words that are known, is
//! unknown; nothing is won because a column is missing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::cell::{folded, without_marks};
use super::headers::{Scale, Words};
use super::settings::Column;
use crate::model::{Outcome, read_date};

/// One cell that says something, with its column.
pub(super) type Said<'a> = (Column, &'a str);

/// How an outcome was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutcomeEvidence<'a> {
    /// A column says so.
    Said,
    /// A stage that nobody knows, with a probability of 100.
    Probability,
    /// Nothing that is known.
    Nothing,
    /// Two cells contradict each other.
    Contradiction(Said<'a>, Said<'a>),
    /// A cell that should be true or false is neither.
    Unread(Said<'a>),
}

/// What a row's cells say, each empty where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs<'a> {
    pub(super) is_won: &'a str,
    pub(super) is_lost: &'a str,
    pub(super) is_closed: &'a str,
    pub(super) deleted: &'a str,
    pub(super) active: &'a str,
    pub(super) status: &'a str,
    pub(super) stage: &'a str,
    pub(super) probability: &'a str,
}

impl<'a> Signs<'a> {
    /// In the order of the columns that a deal's outcome is read from.
    pub(super) fn of(cells: [&'a str; 8]) -> Self {
        let [is_won, is_lost, is_closed, deleted, active, status, stage, probability] = cells;
        Self { is_won, is_lost, is_closed, deleted, active, status, stage, probability }
    }

    /// Whether a cell that says so with a word or a flag says "won", were it alone.
    pub(super) fn says_won((column, text): Said<'a>, reading: &FileOutcome<'_>) -> bool {
        let alone = match column {
            Column::IsWon => Self { is_won: text, ..Self::default() },
            Column::Status => Self { status: text, ..Self::default() },
            Column::Stage => Self { stage: text, ..Self::default() },
            _ => return false,
        };
        matches!(outcome(&alone, reading), (Outcome::Won, OutcomeEvidence::Said))
    }
}

/// As many rows that differ are remembered.
const OUTCOMES: usize = 1_024;

/// Where deals stand by the cells that say so; a file has few such rows that
/// differ.
#[derive(Default)]
pub(super) struct KnownOutcomes {
    known: HashMap<String, (Outcome, OutcomeEvidence<'static>)>,
    /// The cells of the row that is looked at, one behind the other.
    cells: String,
}

impl KnownOutcomes {
    /// [`outcome()`], which is found once for rows with the same cells. What
    /// is said of one row's own cells is looked at each time.
    pub(super) fn find<'a>(
        &mut self,
        signs: &Signs<'a>,
        reading: &FileOutcome<'_>,
    ) -> (Outcome, OutcomeEvidence<'a>) {
        let Signs { is_won, is_lost, is_closed, deleted, active, status, stage, probability } =
            *signs;
        let cells = [is_won, is_lost, is_closed, deleted, active, status, stage, probability];
        self.cells.clear();
        for (at, cell) in ('a'..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            // Which one it is and how long tell apart what the texts alone would not.
            let Some(length) = short(cell) else { return outcome(signs, reading) };
            self.cells.push(at);
            self.cells.push(length);
            self.cells.push_str(cell);
        }
        if let Some(found) = self.known.get(&self.cells) {
            return *found;
        }
        let (found, evidence) = outcome(signs, reading);
        let of_any_row = match evidence {
            OutcomeEvidence::Said => Some(OutcomeEvidence::Said),
            OutcomeEvidence::Probability => Some(OutcomeEvidence::Probability),
            OutcomeEvidence::Nothing => Some(OutcomeEvidence::Nothing),
            OutcomeEvidence::Contradiction(..) | OutcomeEvidence::Unread(_) => None,
        };
        if let Some(evidence) = of_any_row.filter(|_| self.known.len() < OUTCOMES) {
            self.known.insert(self.cells.clone(), (found, evidence));
        }
        (found, evidence)
    }
}

/// The length of a cell as a letter, where it is short.
fn short(cell: &str) -> Option<char> {
    u8::try_from(cell.len()).ok().filter(u8::is_ascii).map(char::from)
}

/// What the file and its vendor say about all rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileOutcome<'a> {
    /// How probabilities are written; `None` where nothing proves it.
    pub(super) scale: Option<Scale>,
    /// Whether a won deal keeps the probability that it had.
    pub(super) probability_stays: bool,
    /// Whether each stage has its probability, so that a won one is certain.
    pub(super) probability_of_stage: bool,
    /// The vendor's own words for a status or a stage.
    pub(super) words: Option<&'a Words>,
    /// What stands in brackets behind stages and is a pipeline.
    pub(super) pipelines: Option<&'a Pipelines>,
}

/// What stands in brackets behind the stages of a file and is a pipeline: it comes
/// behind several stages, or a column of pipelines has it.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    /// All of them are: the vendor writes each stage so.
    all: bool,
    names: HashSet<String>,
}

impl Pipelines {
    /// Finds them: `stages` are the cells of stages, `known` those of pipelines.
    pub(super) fn find<'c>(
        stages: impl Iterator<Item = Cow<'c, str>>,
        known: impl Iterator<Item = Cow<'c, str>>,
        vendor_writes_them: bool,
    ) -> Self {
        let mut all = vendor_writes_them;
        let mut behind: HashMap<String, Option<String>> = HashMap::new();
        let mut names: HashSet<String> = known.map(|name| folded(&name)).collect();
        for cell in stages.filter(|cell| !cell.is_empty()) {
            let Some((stage, inside)) = in_brackets(&cell) else {
                all = false;
                continue;
            };
            let (stage, inside) = (folded(stage), folded(inside));
            match behind.get(&inside) {
                None => drop(behind.insert(inside, Some(stage))),
                Some(Some(first)) if *first != stage => drop(names.insert(inside)),
                Some(_) => {}
            }
        }
        Self { all, names }
    }

    fn has(&self, inside: &str) -> bool {
        self.all || self.names.contains(&folded(inside))
    }
}

/// A label and what its last brackets hold: `Closed Won`, `Sales (EMEA)`.
fn in_brackets(label: &str) -> Option<(&str, &str)> {
    let inner = label.trim_end().strip_suffix(')')?;
    let mut depth = 1;
    for (at, c) in inner.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((inner[..at].trim_end(), &inner[at + 1..]));
        }
    }
    None
}

/// Whether words name a pipeline by themselves: `Sales Pipeline`.
fn is_pipeline(inside: &str) -> bool {
    const WORDS: [&str; 8] =
        ["pipeline", "funnel", "funil", "embudo", "trichter", "lejek", "trechter", "パイプライン"];
    folded(inside).split(' ').any(|word| WORDS.contains(&word) || word.ends_with("pipeline"))
}

/// Words for won, of stages and statuses in the shipped languages and their
/// neighbours. A label is won that has one of them and else nothing but words for
/// closed, numbers and `and`: `Closed Won`, `7 - Closed Won`, `Fermée gagnée`.
#[rustfmt::skip]
const WON: &[&str] = &[
    "won", "win", "closedwon", "gewonnen", "gagné", "gagnée", "ganado", "ganada", "ganho", "ganha",
    "vinto", "vinta", "vunnen", "vunnet", "wygrana", "wygrane", "wygrany", "vyhráno", "vundet",
    "voitettu", "выиграна", "выиграно", "kazanıldı", "виграно", "виграна", "megnyert", "megnyerve",
    "câștigat", "câștigată", "κερδισμένο", "κερδισμένη",
    "成約", "受注", "受注済み", "成約済み", "赢单", "已赢单", "成交", "수주", "성사",
];
#[rustfmt::skip]
const LOST: &[&str] = &[
    "lost", "loss", "closedlost", "abandoned", "verloren", "perdu", "perdue", "perdido", "perdida",
    "perso", "persa", "förlorad", "förlorat", "przegrana", "przegrane", "przegrany", "utracone",
    "prohráno", "tabt", "hävitty", "проиграна", "проиграно", "програно", "kaybedildi", "elveszett",
    "elvesztett", "pierdut", "pierdută", "χαμένο", "χαμένη", "omitted",
    "disqualified", "closed lost to competition",
    "失注", "不成約", "输单", "已输单", "실주",
    // What was won and came to nothing is not won.
    "cancelled", "canceled", "terminated", "withdrawn", "rescinded", "voided", "annulled", "revoked",
    "churned", "storniert", "gekündigt", "annulliert", "abgebrochen", "widerrufen", "annulé",
    "annulée", "résilié", "résiliée", "cancelado", "cancelada", "anulado", "anulada", "rescindido",
    "rescindida", "annullato", "annullata", "disdetto", "disdetta", "geannuleerd", "opgezegd",
    "ingetrokken", "annullerad", "avbruten", "annulleret", "kansellert", "peruttu", "anulowana",
    "anulowane", "anulowany", "zrušeno", "zrušený", "zrušená", "отменена", "отменено", "расторгнут",
    "скасовано", "iptal", "iptal edildi", "lemondva", "anulat", "anulată", "ακυρώθηκε",
    "キャンセル", "解約", "解約済み", "取消", "中止", "已取消", "取消済み", "취소", "해지",
];
/// Words beside them that change nothing.
#[rustfmt::skip]
const CLOSED: &[&str] = &[
    "closed", "close", "geschlossen", "abgeschlossen", "fermé", "fermée", "conclu", "conclue", "clos",
    "clôturé", "clôturée", "cerrado", "cerrada", "cierre", "fechado", "fechada", "chiuso", "chiusa",
    "gesloten", "afgesloten", "avslutad", "avslutat", "zamknięta", "zamknięte", "zamknięty",
    "uzavřeno", "lukket", "закрыта", "закрыто", "закрито", "kapalı", "kapandı", "kapatıldı", "lezárt",
    "lezárva", "închis", "închisă", "κλειστό", "κλειστή", "クローズ", "クローズ済み", "deal", "deals", "opportunity", "stage", "status",
    "affaire", "trato", "negócio", "and", "und", "et", "y", "e", "en", "och", "i", "as",
    "ve", "és", "și", "и", "та", "και",
];
#[rustfmt::skip]
const OPEN: &[&str] = &[
    "open", "in progress", "offen", "in bearbeitung", "en cours", "ouvert", "ouverte", "abierto",
    "abierta", "aberto", "aberta", "aperto", "aperta", "in corso", "商談中", "進行中",
    // The open stages that HubSpot and Salesforce ship.
    "appointment scheduled", "appointmentscheduled", "qualified to buy", "qualifiedtobuy",
    "presentation scheduled", "presentationscheduled", "decision maker bought in",
    "decisionmakerboughtin", "contract sent", "contractsent", "prospecting", "qualification",
    "needs analysis", "value proposition", "id. decision makers", "perception analysis",
    "proposal price quote", "negotiation review",
];
#[rustfmt::skip]
const GONE: &[&str] = &[
    "deleted", "archived", "gelöscht", "archiviert", "supprimé", "archivé", "eliminado",
    "archivado", "excluído", "arquivado", "eliminato", "archiviato", "verwijderd", "削除",
];

static BY_WORD: LazyLock<HashMap<String, Outcome>> = LazyLock::new(|| {
    let lists =
        [(WON, Outcome::Won), (LOST, Outcome::Lost), (OPEN, Outcome::Open), (GONE, Outcome::Gone)];
    let of = |(words, it): (&[&str], Outcome)| -> Vec<(String, Outcome)> {
        words.iter().map(|word| (without_marks(word), it)).collect()
    };
    lists.into_iter().flat_map(of).collect()
});
static BESIDE: LazyLock<HashSet<String>> =
    LazyLock::new(|| CLOSED.iter().map(|word| without_marks(word)).collect());

/// The outcome a label names, in the vendor's words or anybody's. A pipeline in
/// brackets behind a stage changes nothing: `Closed Won (Sales pipeline)`; whatever
/// else stands there may: `Closed Won (pending signature)`.
fn named(label: &str, reading: &FileOutcome<'_>) -> Option<Outcome> {
    if label.is_empty() || label.contains(['?', '？']) {
        return None;
    }
    let find = |label: &str| {
        let label = folded(label);
        let own = reading.words.and_then(|words| words.outcome(&label));
        own.or_else(|| BY_WORD.get(label.as_str()).copied()).or_else(|| composed(&label))
    };
    find(label).or_else(|| {
        let (stage, inside) = in_brackets(label)?;
        let known = reading.pipelines.is_some_and(|pipelines| pipelines.has(inside));
        (known || is_pipeline(inside)).then(|| find(stage)).flatten()
    })
}

/// The outcome of a label that says one in one word, beside words that change
/// nothing, the numbers by which stages are sorted, and the chance that it has.
fn composed(label: &str) -> Option<Outcome> {
    let (mut found, mut percent, mut before) = (None, None::<f64>, None);
    for word in label.split(' ') {
        let word = word.trim_matches('.');
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '%' | '.');
        let is_number = word.trim_start_matches(|c: char| c.is_ascii_lowercase()).len() + 1
            >= word.len()
            && word.contains(|c: char| c.is_ascii_digit())
            && word.chars().skip(1).all(is_number);
        let number = word.parse::<f64>().ok();
        percent = match word {
            "%" => percent.or(before),
            _ => percent.or(word.strip_suffix('%').and_then(|it| it.parse().ok())),
        };
        before = number;
        match BY_WORD.get(word).filter(|it| matches!(it, Outcome::Won | Outcome::Lost)) {
            Some(outcome) if found.is_none_or(|it| it == *outcome) => found = Some(*outcome),
            None if is_number || word == "%" || word.is_empty() || BESIDE.contains(word) => {}
            _ => return None,
        }
    }
    found.filter(|outcome| match outcome {
        Outcome::Won => percent.is_none_or(|it| it == 100.0),
        _ => percent != Some(100.0),
    })
}

/// True or false as exports write it.
fn flag(text: &str) -> Option<bool> {
    const YES: &[&str] = &[
        "true",
        "yes",
        "y",
        "t",
        "1",
        "1.0",
        "x",
        "ja",
        "wahr",
        "oui",
        "vrai",
        "o",
        "sí",
        "si",
        "verdadero",
        "sim",
        "verdadeiro",
        "vero",
        "waar",
        "はい",
        "是",
        "예",
        "네",
        "tak",
        "prawda",
        "ano",
        "pravda",
        "áno",
        "evet",
        "doğru",
        "да",
        "истина",
        "так",
        "igen",
        "igaz",
        "kyllä",
        "tosi",
        "sant",
        "sand",
        "da",
        "adevărat",
        "ναι",
        "αληθές",
        "✅",
        "☑",
        "checked",
        "✓",
        "✔",
    ];
    const NO: &[&str] = &[
        "false",
        "no",
        "n",
        "f",
        "0",
        "0.0",
        "nein",
        "falsch",
        "non",
        "faux",
        "falso",
        "não",
        "nao",
        "nee",
        "onwaar",
        "いいえ",
        "否",
        "아니요",
        "아니오",
        "nie",
        "fałsz",
        "ne",
        "nepravda",
        "hayır",
        "hayir",
        "yanlış",
        "yanliş",
        "нет",
        "ложь",
        "ні",
        "nem",
        "hamis",
        "ei",
        "epätosi",
        "nej",
        "nei",
        "falskt",
        "falsk",
        "nu",
        "fals",
        "όχι",
        "οχι",
        "ψευδές",
        "❌",
        "☐",
        "unchecked",
    ];
    let text = text.to_lowercase();
    let text = text.trim();
    if YES.contains(&text) {
        Some(true)
    } else if NO.contains(&text) {
        Some(false)
    } else {
        None
    }
}

/// Whether a cell says that something is so, be it by a time at which it was done.
pub(super) fn is_true(text: &str) -> bool {
    flag_in((Column::Deleted, text)) == Some(true)
}

/// True or false as this column has it: a word for won says true where won is
/// asked for, and a time at which a deal was deleted that it was.
fn flag_in((column, text): Said<'_>) -> Option<bool> {
    flag(text).or_else(|| match column {
        Column::IsWon | Column::IsLost => {
            let wanted = if column == Column::IsWon { Outcome::Won } else { Outcome::Lost };
            named(text, &FileOutcome::default()).map(|outcome| outcome == wanted)
        }
        Column::Deleted => read_date(text).is_ok().then_some(true),
        _ => None,
    })
}

/// A probability in per cent, in the scale of its column; `None` where it is
/// not a number or the scale is not known.
fn percent(text: &str, scale: Option<Scale>) -> Option<f64> {
    let text = text.trim();
    let number: f64 = text.trim_end_matches('%').trim().replace(',', ".").parse().ok()?;
    if text.ends_with('%') || number == 0.0 || number > 1.0 {
        return Some(number);
    }
    match scale? {
        Scale::Part => Some(number * 100.0),
        Scale::Percent => Some(number),
    }
}

/// What the probabilities of a column prove about their scale: a number above
/// one is per cent, one between nought and one a part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ScaleProof {
    percent: bool,
    part: bool,
}

impl ScaleProof {
    /// Takes one cell into account.
    pub(super) fn see(&mut self, text: &str) {
        let Ok(number) = text.trim().replace(',', ".").parse::<f64>() else { return };
        self.percent |= number > 1.0;
        self.part |= number > 0.0 && number < 1.0;
        // `1.0` beside whole numbers is how a part of one is told.
        self.part |= number == 1.0 && text.contains(['.', ',']);
    }

    /// The scale, where the column proves one.
    pub(super) fn scale(self) -> Option<Scale> {
        match (self.percent, self.part) {
            // Half a per cent is rare, and 40 is never a part of one.
            (true, _) => Some(Scale::Percent),
            (false, true) => Some(Scale::Part),
            (false, false) => None,
        }
    }
}

/// Where a deal stands.
pub(super) fn outcome<'a>(
    signs: &Signs<'a>,
    reading: &FileOutcome<'_>,
) -> (Outcome, OutcomeEvidence<'a>) {
    let unknown = |evidence| (Outcome::Unknown, evidence);
    let mut flags = [None; 5];
    for (at, said) in [
        (Column::Deleted, signs.deleted),
        (Column::Active, signs.active),
        (Column::IsWon, signs.is_won),
        (Column::IsLost, signs.is_lost),
        (Column::IsClosed, signs.is_closed),
    ]
    .into_iter()
    .enumerate()
    {
        if said.1.is_empty() {
            continue;
        }
        match flag_in(said) {
            Some(flag) => flags[at] = Some((flag, said)),
            None => return unknown(OutcomeEvidence::Unread(said)),
        }
    }
    let [deleted, active, is_won, is_lost, is_closed] = flags;
    if deleted.is_some_and(|(flag, _)| flag) {
        return (Outcome::Gone, OutcomeEvidence::Said);
    }
    // Everything that says an outcome in words, and everything that excludes one.
    let said = |column, cell: &'a str| {
        // Numbers are a vendor's own for a status; a stage's are those of a pipeline.
        let is_number = column == Column::Stage && cell.bytes().all(|b| b.is_ascii_digit());
        let words = reading.words.filter(|_| !is_number);
        named(cell, &FileOutcome { words, ..*reading }).map(|outcome| (outcome, (column, cell)))
    };
    let (status, stage) = (said(Column::Status, signs.status), said(Column::Stage, signs.stage));
    let won_flag = is_won.filter(|(flag, _)| *flag).map(|(_, said)| (Outcome::Won, said));
    let lost_flag = is_lost.filter(|(flag, _)| *flag).map(|(_, said)| (Outcome::Lost, said));
    let probability = percent(signs.probability, reading.scale);
    let chance = (Column::Probability, signs.probability);

    // Stages are positions: an open one beside a deal that a flag or status
    // says is closed tells only where it stood.
    let decided =
        won_flag.or(lost_flag).or(status.filter(|(outcome, _)| *outcome != Outcome::Open));
    let stage = stage.filter(|(outcome, _)| *outcome != Outcome::Open || decided.is_none());
    let words: Vec<(Outcome, Said<'a>)> =
        [won_flag, lost_flag, status, stage].into_iter().flatten().collect();
    let is = |wanted: Outcome| words.iter().find(|(outcome, _)| *outcome == wanted).map(|it| it.1);

    if let Some(won) = is(Outcome::Won) {
        let against = [Outcome::Lost, Outcome::Gone, Outcome::Open]
            .into_iter()
            .find_map(is)
            .or_else(|| is_won.filter(|(flag, _)| !flag).map(|(_, said)| said))
            .or_else(|| is_closed.filter(|(flag, _)| !flag).map(|(_, said)| said))
            .or_else(|| {
                let by_stage_alone = decided.is_none() && reading.probability_of_stage;
                let excluded =
                    probability.is_some_and(|it| it == 0.0 || by_stage_alone && it < 100.0);
                (excluded && !reading.probability_stays).then_some(chance)
            });
        return match against {
            Some(said) => unknown(OutcomeEvidence::Contradiction(won, said)),
            None => (Outcome::Won, OutcomeEvidence::Said),
        };
    }
    if is(Outcome::Gone).is_some() {
        return (Outcome::Gone, OutcomeEvidence::Said);
    }
    let full = probability == Some(100.0) && !reading.probability_stays;
    if let Some(lost) = is(Outcome::Lost) {
        return if full && is_won.is_none() {
            unknown(OutcomeEvidence::Contradiction(lost, chance))
        } else {
            (Outcome::Lost, OutcomeEvidence::Said)
        };
    }
    // Odoo archives what is lost; an archived record that nothing calls won is gone.
    if active.is_some_and(|(flag, _)| !flag) {
        return (Outcome::Gone, OutcomeEvidence::Said);
    }
    if let Some((false, said)) = is_won {
        if full {
            return unknown(OutcomeEvidence::Contradiction(said, chance));
        }
        let closed = is_closed.is_some_and(|(flag, _)| flag);
        return (if closed { Outcome::Lost } else { Outcome::Open }, OutcomeEvidence::Said);
    }
    if let Some((false, said)) = is_closed {
        return if full {
            unknown(OutcomeEvidence::Contradiction(said, chance))
        } else {
            (Outcome::Open, OutcomeEvidence::Said)
        };
    }
    if let Some(open) = is(Outcome::Open) {
        if full {
            return unknown(OutcomeEvidence::Contradiction(open, chance));
        }
        return match is_closed {
            Some((_, said)) => unknown(OutcomeEvidence::Contradiction(open, said)),
            None => (Outcome::Open, OutcomeEvidence::Said),
        };
    }
    let closed = is_closed.is_some();
    match probability.filter(|_| !reading.probability_stays) {
        Some(100.0) => (Outcome::Won, OutcomeEvidence::Probability),
        Some(0.0) if closed => (Outcome::Lost, OutcomeEvidence::Said),
        // Lost, or not begun: not won.
        Some(part) if !closed && (0.0..100.0).contains(&part) => {
            (Outcome::Open, OutcomeEvidence::Said)
        }
        _ => unknown(OutcomeEvidence::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_by_what_all_columns_say() {
        let none = Signs::default();
        let part = FileOutcome { scale: Some(Scale::Part), ..FileOutcome::default() };
        let any = FileOutcome::default();
        let of_stage =
            FileOutcome { probability_of_stage: true, scale: Some(Scale::Percent), ..any };
        let several = ["Won (Sales (EMEA))", "Lost (Sales (EMEA))", "Talks (pending signature)"];
        let pipelines =
            Pipelines::find(several.into_iter().map(Cow::Borrowed), std::iter::empty(), false);
        let emea = FileOutcome { pipelines: Some(&pipelines), ..any };
        let stays = FileOutcome { probability_stays: true, scale: Some(Scale::Percent), ..any };
        for (signs, reading, wanted) in [
            (Signs { is_won: "true", stage: "Renewed", ..none }, any, Outcome::Won),
            (Signs { is_won: "0", is_closed: "1", ..none }, any, Outcome::Lost),
            (Signs { is_won: "false", stage: "Closed Lost", ..none }, any, Outcome::Lost),
            (Signs { is_won: "f", stage: "Talking", ..none }, any, Outcome::Open),
            (Signs { is_won: "VERDADERO", stage: "Signed", ..none }, any, Outcome::Won),
            (Signs { is_won: "はい", ..none }, any, Outcome::Won),
            (Signs { is_won: "maybe", stage: "Closed Won", ..none }, any, Outcome::Unknown),
            // What contradicts itself is not decided.
            (Signs { is_won: "false", stage: "Closed Won", ..none }, any, Outcome::Unknown),
            (Signs { is_won: "true", is_closed: "false", ..none }, any, Outcome::Unknown),
            (Signs { status: "Open", stage: "Closed Won", ..none }, any, Outcome::Unknown),
            (Signs { status: "Archived", stage: "Closed Won", ..none }, any, Outcome::Unknown),
            (Signs { status: "Won", stage: "Closed Lost", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won", probability: "0", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Lost", probability: "100%", ..none }, any, Outcome::Unknown),
            // Pipedrive: won is a status, whatever the stage and the chance were.
            (Signs { status: "Won", stage: "Contract sent", ..none }, any, Outcome::Won),
            (Signs { status: "Won", probability: "0", ..none }, stays, Outcome::Won),
            (Signs { status: "GAGNÉ", ..none }, any, Outcome::Won),
            (Signs { status: "deleted", ..none }, any, Outcome::Gone),
            (
                Signs { deleted: "true", stage: "Closed Won", is_won: "true", ..none },
                any,
                Outcome::Gone,
            ),
            (Signs { deleted: "false", stage: "Closed Won", ..none }, any, Outcome::Won),
            (Signs { active: "False", probability: "0", ..none }, any, Outcome::Gone),
            (Signs { stage: "Closed  Won", ..none }, any, Outcome::Won),
            (Signs { stage: "Closed\u{a0}Won", ..none }, any, Outcome::Won),
            (Signs { stage: "closed/won", ..none }, any, Outcome::Won),
            (Signs { stage: "Won 🎉", ..none }, any, Outcome::Won),
            (Signs { stage: "Closed Won (Sales Pipeline)", ..none }, any, Outcome::Won),
            (Signs { stage: "成約", ..none }, any, Outcome::Won),
            (Signs { stage: "Cloturee gagnee", ..none }, any, Outcome::Won),
            (Signs { stage: "Fe\u{301}rme\u{301} perdu", ..none }, any, Outcome::Lost),
            (Signs { stage: "7 - Closed Won", ..none }, any, Outcome::Won),
            (Signs { stage: "S6: Closed Won (100%)", ..none }, any, Outcome::Won),
            (Signs { stage: "Geschlossen und gewonnen", ..none }, any, Outcome::Won),
            (Signs { stage: "06. Closed Lost", ..none }, any, Outcome::Lost),
            // Whether that is a pipeline, the file says, or nobody.
            (Signs { stage: "Closed Won (Sales (EMEA))", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won (Sales (EMEA))", ..none }, emea, Outcome::Won),
            (Signs { stage: "Won (verbal) (Sales (EMEA))", ..none }, emea, Outcome::Unknown),
            (Signs { stage: "Closed Won (pending signature)", ..none }, emea, Outcome::Unknown),
            (Signs { stage: "Won (lost later)", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Won?", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Won 90%", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won - 50 %", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won 100%", ..none }, any, Outcome::Won),
            (Signs { stage: "Closed Lost - 0%", ..none }, any, Outcome::Lost),
            (Signs { stage: "Closed Won", status: "Cancelled", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Gewonnen", status: "Gekündigt", ..none }, any, Outcome::Unknown),
            (Signs { stage: "受注", status: "キャンセル", ..none }, any, Outcome::Unknown),
            (Signs { status: "Cancelled", ..none }, any, Outcome::Lost),
            (Signs { stage: "Won/Lost", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Not Won", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Verbally Won", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won - Reopened", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won", is_lost: "true", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Closed Won", is_lost: "false", ..none }, any, Outcome::Won),
            (Signs { is_won: "Won", ..none }, any, Outcome::Won),
            (Signs { is_won: "Lost", is_closed: "1", ..none }, any, Outcome::Lost),
            (Signs { stage: "Closed Won", deleted: "2026-11-11", ..none }, any, Outcome::Gone),
            (Signs { stage: "Closed Won", probability: "50", ..none }, of_stage, Outcome::Unknown),
            (Signs { stage: "Closed Won", probability: "50", ..none }, any, Outcome::Won),
            (
                Signs { stage: "Closed Won", is_won: "1", probability: "90", ..none },
                of_stage,
                Outcome::Won,
            ),
            (Signs { stage: "失注", ..none }, any, Outcome::Lost),
            (Signs { stage: "Angebot verschickt", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Renewed", probability: "100", ..none }, any, Outcome::Won),
            (Signs { stage: "Renewed", probability: "100%", ..none }, any, Outcome::Won),
            (Signs { stage: "Renewed", probability: "1.0", ..none }, part, Outcome::Won),
            (Signs { stage: "Renewed", probability: "1", ..none }, part, Outcome::Won),
            (Signs { stage: "Renewed", probability: "1", ..none }, any, Outcome::Unknown),
            (Signs { stage: "Talking", probability: "40%", ..none }, any, Outcome::Open),
            (Signs { stage: "Talking", probability: "0,4", ..none }, part, Outcome::Open),
            (Signs { stage: "Closed Lost", probability: "0", ..none }, any, Outcome::Lost),
            (Signs { stage: "Gone quiet", probability: "0", ..none }, any, Outcome::Open),
            (none, any, Outcome::Unknown),
        ] {
            assert_eq!(outcome(&signs, &reading).0, wanted, "{signs:?}");
        }
    }

    #[test]
    fn a_column_proves_the_scale_of_its_probabilities() {
        let scale = |cells: &[&str]| {
            let mut proof = ScaleProof::default();
            cells.iter().for_each(|cell| proof.see(cell));
            proof.scale()
        };
        assert_eq!(scale(&["1", "0.9", "0"]), Some(Scale::Part));
        assert_eq!(scale(&["1.0", "0"]), Some(Scale::Part));
        assert_eq!(scale(&["1", "40"]), Some(Scale::Percent));
        assert_eq!(scale(&["1", "0"]), None);
    }

    #[test]
    fn an_outcome_is_the_same_remembered_as_found() {
        let cells = ["", "true", "false", "Won", "Closed Won", "Lost", "Talks", "100", "x1", "1x"];
        let reading = FileOutcome::default();
        let (mut outcomes, mut seen) = (KnownOutcomes::default(), HashSet::new());
        for number in 0..100_000 {
            // Two or three cells at places that differ, some of them very long.
            let (mut said, mut rest) = ([""; 8], number);
            for _ in 0..3 {
                said[rest % 8] = cells[rest / 8 % cells.len()];
                rest /= 8 * cells.len();
            }
            let long = said[6].repeat(if number % 7 == 0 { 30 } else { 1 });
            said[6] = &long;
            let signs = Signs::of(said);
            let found = outcome(&signs, &reading);
            assert_eq!(outcomes.find(&signs, &reading), found, "{signs:?}");
            assert_eq!(outcomes.find(&signs, &reading), found, "{signs:?}, again");
            seen.insert(format!("{:?}", found.0));
        }
        assert!(outcomes.known.len() > 500 && seen.len() == 5, "{seen:?}");
    }
}
