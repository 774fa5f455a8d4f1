//! `missing-handoff`: a won deal without a handoff, past the time allowed.

use super::{Case, words};
use crate::audit::Class;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "missing-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A closed-won deal has no handoff, and the time for it is over.",
    explain: include_str!("../../../docs/rules/missing-handoff.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    if row.class != Class::Missing {
        return None;
    }
    let won = match row.closed_won_at {
        Some(at) => format!(
            "was won on {}, {} ago,",
            words::moment(at),
            words::time_between(at, case.input.as_of)
        ),
        None => "was won".to_owned(),
    };
    let reason = row.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let message = format!("{} {won} and has no handoff{reason}.", words::deal(case));
    let help = match &row.suggestion {
        Some(suggestion) => format!(
            "{} may be its brief ({}). If it is, put this deal's id into it; if not, run `handoff backfill`.",
            suggestion.what, suggestion.because
        ),
        None => format!(
            "Run `handoff backfill` to make the brief now, or `handoff exempt {} --reason … --by …` if none is needed.",
            row.key
        ),
    };
    Some(Finding::new(&RULE, message).help(help))
}
