//! `handoff explain` and `handoff rules`: what is checked, and why.

use clap::Args;
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::offered::Offered;
use crate::finding::{Rule, RuleKind};
use crate::report::Options;
use crate::report::table::{Table, TableColumn};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The rule's id, such as `missing-handoff`
    #[arg(value_name = "RULE", value_parser = Offered(rule_ids))]
    rule: String,
}

/// The arguments of `rules`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

fn rule_ids() -> Vec<&'static str> {
    all_rules().into_iter().map(|rule| rule.id).collect()
}

/// Every rule there is, brief rules first.
pub(super) fn all_rules() -> Vec<&'static Rule> {
    let of_sources = [&crate::workflow::SOURCE_CHANGED, &crate::workflow::UNSOURCED_ANSWER];
    crate::brief::brief_rules().into_iter().chain(crate::audit::rules()).chain(of_sources).collect()
}

/// Runs `explain`.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let rule = find_rule(&arguments.rule)?;
    invocation.print(format!("{}\n", rule.explain.trim_end()))?;
    Ok(Exit::Clean)
}

/// The rule with this id.
///
/// # Errors
/// When there is none, with the nearest that there is.
pub(super) fn find_rule(id: &str) -> Result<&'static Rule, CliError> {
    if let Some(rule) = all_rules().into_iter().find(|rule| rule.id == id) {
        return Ok(rule);
    }
    let near = crate::text::nearest(id, rule_ids());
    let named = crate::text::quoted(id);
    Err(CliError::nothing(format!("there is no rule {named}")).help(match near {
        Some(id) => format!("did you mean `{id}`? `handoff rules` lists all"),
        None => "`handoff rules` lists all".to_owned(),
    }))
}

/// Runs `rules`.
pub(super) fn list(arguments: &ListArguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let rules = all_rules();
    let kind = |rule: &Rule| match rule.kind {
        RuleKind::Brief => "validate",
        RuleKind::Audit => "audit",
        RuleKind::Sources => "why --check",
    };
    let to_json = || {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| json!({"id": rule.id, "severity": rule.severity, "command": kind(rule), "summary": rule.summary}))
            .collect();
        json!({"version": 1, "rules": rules})
    };
    let to_text = || {
        let mut table = Table::new([
            TableColumn::whole("rule"),
            TableColumn::text("severity"),
            TableColumn::text("checked by"),
            TableColumn::text("what it finds"),
        ]);
        for rule in &rules {
            table.row([rule.id, rule.severity.as_str(), kind(rule), rule.summary]);
        }
        table.render(&Options { color: invocation.color, width: invocation.width() })
    };
    invocation.emit(arguments.format, to_json, to_text)?;
    Ok(Exit::Clean)
}
