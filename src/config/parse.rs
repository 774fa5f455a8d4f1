//! The checked configuration.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::{Documents, Problem, Team};
use crate::brief::{Expression, Mapping};
use crate::crm::CrmConfig;
use crate::deliver::DeliverConfig;
use crate::esign::EsignConfig;
use crate::model::Properties;
use crate::time::{Calendar, CalendarConfig, HumanDuration, deadline};
use crate::yaml::{Node, from_node, read};
use chrono::{DateTime, Utc};

/// The configuration's file name in a ledger's root.
pub const FILE_NAME: &str = "handoff.yaml";

const KEYS: &[&str] = &[
    "version",
    "layout",
    "esign",
    "crm",
    "map",
    "brief",
    "documents",
    "test_documents",
    "wait_for_deal",
    "scope",
    "team",
    "first_touch",
    "handoff_within",
    "deliver",
];

/// What an expression under `scope` can read.
const SCOPE_NAMES: &[&str] = &["deal", "company", "contacts", "line_items"];

/// By when the CSM makes the first touch.
#[derive(Debug)]
pub struct FirstTouch {
    /// How long after the signature.
    pub within: HumanDuration,
    /// In which hours that time runs; `None` is day and night.
    pub calendar: Option<Calendar>,
}

impl FirstTouch {
    /// By when the first touch is due after a signature.
    #[must_use]
    pub fn due(&self, signed_at: DateTime<Utc>) -> DateTime<Utc> {
        deadline(signed_at, self.within, self.calendar.as_ref())
    }
}

/// One reason for a won deal to need no handoff.
#[derive(Debug)]
pub struct ScopeRule {
    /// When it applies, over the deal.
    pub when: Expression,
    /// Why, for the report.
    pub reason: String,
}

/// The checked configuration of a ledger.
#[derive(Debug)]
pub struct Config {
    /// The strftime pattern of the folders below `briefs/`.
    pub layout: String,
    /// E-sign providers.
    pub esign: EsignConfig,
    /// Where deals come from.
    pub crm: CrmConfig,
    /// Which default mapping was named.
    pub map: Option<String>,
    /// From deal to brief.
    pub mapping: Mapping,
    /// Which completed documents are contracts.
    pub documents: Documents,
    /// Which won deals need no handoff.
    pub scope: Vec<ScopeRule>,
    /// Who takes handoffs.
    pub team: Team,
    /// By when the first touch is due.
    pub first_touch: FirstTouch,
    /// How soon after the signature a brief must be there.
    pub handoff_within: HumanDuration,
    /// What a signed brief sets off.
    pub deliver: DeliverConfig,
}

impl Config {
    /// The properties that `scope` and `documents` read: an audit's deals must come with them.
    #[must_use]
    pub fn scope_properties(&self) -> Properties {
        let mut read = Properties::default();
        self.scope.iter().for_each(|rule| read.extend(&rule.when.properties()));
        self.documents.rules.iter().for_each(|rule| read.extend(&rule.when.properties()));
        read
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Every problem at once, in the order of the file.
    pub fn parse(source: &[u8]) -> Result<Self, Vec<Problem>> {
        let root = read(source).map_err(|error| vec![Problem::from(error)])?;
        let mut problems = Vec::new();
        let Some(entries) = root.as_map() else {
            return Err(vec![Problem::at(
                root.span,
                "the configuration is a mapping that begins with `version: 1`",
            )]);
        };
        for entry in entries {
            if !KEYS.contains(&entry.key.as_str()) {
                let near = KEYS.iter().max_by(|a, b| {
                    strsim::jaro_winkler(a, &entry.key)
                        .total_cmp(&strsim::jaro_winkler(b, &entry.key))
                });
                let hint = match near.filter(|near| strsim::jaro_winkler(near, &entry.key) > 0.8) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys are {}", KEYS.join(", ")),
                };
                problems.push(
                    Problem::at(entry.key_span, format!("there is no key `{}`", entry.key))
                        .help(hint),
                );
            }
        }
        match root.get("version").map(Node::to_json) {
            Some(version) if version == 1 => {}
            Some(_) => {
                let span = root.get("version").map_or(root.span, |node| node.span);
                problems.push(
                    Problem::at(span, "this program reads `version: 1`")
                        .help("write `version: 1`, or use a newer handoff"),
                );
            }
            None => problems.push(
                Problem::at(root.span, "`version: 1` is missing")
                    .help("write it as the first line"),
            ),
        }
        let config = Self {
            layout: layout(&root, &mut problems),
            esign: section(&root, "esign", &mut problems),
            crm: section(&root, "crm", &mut problems),
            map: root.get("map").and_then(Node::as_str).map(str::to_owned),
            mapping: mapping(&root, &mut problems),
            documents: Documents::read(&root, &mut problems),
            scope: scope(&root, &mut problems),
            team: root
                .get("team")
                .map_or_else(Team::default, |node| Team::read(node, &mut problems)),
            first_touch: first_touch(&root, &mut problems),
            handoff_within: duration(
                &root,
                "handoff_within",
                HumanDuration::hours(1),
                &mut problems,
            ),
            deliver: section(&root, "deliver", &mut problems),
        };
        if problems.is_empty() {
            return Ok(config);
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        let mut seen = BTreeSet::new();
        problems
            .retain(|problem| seen.insert((problem.line, problem.column, problem.message.clone())));
        Err(problems)
    }
}

/// A section that its own room reads: the entries one by one, so that a
/// problem in one does not hide those in the next.
fn section<T: DeserializeOwned + Default>(
    root: &Node,
    key: &str,
    problems: &mut Vec<Problem>,
) -> T {
    let Some(node) = root.get(key) else { return T::default() };
    match from_node::<Option<T>>(node) {
        Ok(value) => return value.unwrap_or_default(),
        Err(error) => problems.push(error.into()),
    }
    for entry in node.as_map().unwrap_or_default() {
        let alone = Node { value: crate::yaml::Value::Map(vec![entry.clone()]), span: node.span };
        if let Err(error) = from_node::<T>(&alone) {
            problems.push(error.into());
        }
    }
    T::default()
}

fn layout(root: &Node, problems: &mut Vec<Problem>) -> String {
    let default = "%Y/%m".to_owned();
    let Some(node) = root.get("layout") else { return default };
    let pattern = node.as_str().unwrap_or_default();
    let valid =
        chrono::format::StrftimeItems::new(pattern).all(|item| item != chrono::format::Item::Error);
    let harmless =
        pattern.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '%' | '/' | '-' | '_'))
            && !pattern.starts_with('/')
            && !pattern.ends_with('/')
            && !pattern.contains("//")
            && pattern.contains("%Y");
    if valid && harmless {
        return pattern.to_owned();
    }
    problems.push(
        Problem::at(
            node.span,
            "`layout` is a strftime pattern of folders, such as \"%Y/%m\" or \"%Y/%m/%d\"",
        )
        .help("use %Y, %m and %d with `/` between them"),
    );
    default
}

fn mapping(root: &Node, problems: &mut Vec<Problem>) -> Mapping {
    let base = root.get("map").and_then(Node::as_str);
    let mut overrides = Vec::new();
    for entry in root.get("brief").and_then(Node::as_map).unwrap_or_default() {
        match entry.node.as_str() {
            Some(expression) => {
                overrides.push((entry.key.clone(), expression.to_owned(), entry.node.span))
            }
            None => problems.push(
                Problem::at(
                    entry.node.span,
                    format!("`{}` is an expression, written as a text", entry.key),
                )
                .help("put it in quotes, such as \"deal.properties.account_tier\""),
            ),
        }
    }
    match Mapping::compile(base, &overrides) {
        Ok(mapping) => mapping,
        Err(found) => {
            let base_span = root.get("map").map_or(root.span, |node| node.span);
            for problem in found {
                let mut told = Problem::at(problem.span.unwrap_or(base_span), problem.message);
                told.help = problem.help;
                problems.push(told);
            }
            Mapping::compile(None, &[])
                .unwrap_or_else(|_| unreachable!("an empty mapping has no problem"))
        }
    }
}

fn scope(root: &Node, problems: &mut Vec<Problem>) -> Vec<ScopeRule> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        when: String,
        reason: String,
    }
    let Some(scope) = root.get("scope") else { return Vec::new() };
    for entry in scope.as_map().unwrap_or_default() {
        if entry.key != "exclude" {
            problems.push(
                Problem::at(entry.key_span, format!("`scope` has no key `{}`", entry.key))
                    .help("its key is `exclude`"),
            );
        }
    }
    let mut rules = Vec::new();
    for item in scope.get("exclude").and_then(Node::as_list).unwrap_or_default() {
        match from_node::<Raw>(item) {
            Ok(raw) => match Expression::compile(&raw.when) {
                Ok(when) => {
                    let span = item.get("when").map_or(item.span, |node| node.span);
                    for unknown in when.unknown_names(SCOPE_NAMES) {
                        let mut problem = Problem::at(span, unknown.message);
                        problem.help = unknown.help;
                        problems.push(problem);
                    }
                    rules.push(ScopeRule { when, reason: raw.reason });
                }
                Err(error) => {
                    let span = item.get("when").map_or(item.span, |node| node.span);
                    problems.push(Problem::at(
                        span,
                        format!("`when` is not a valid expression: {error}"),
                    ));
                }
            },
            Err(error) => problems.push(error.into()),
        }
    }
    rules
}

pub(super) fn duration(
    root: &Node,
    pointer: &str,
    default: HumanDuration,
    problems: &mut Vec<Problem>,
) -> HumanDuration {
    let Some(node) = root.pointer(&format!("/{pointer}")) else { return default };
    match node.as_str().map(str::parse::<HumanDuration>) {
        Some(Ok(duration)) if !duration.is_zero() => return duration,
        Some(Err(error)) => problems.push(Problem::at(node.span, error.to_string())),
        _ => {
            problems.push(Problem::at(node.span, "this is a length of time such as 24h, 90m or 2d"))
        }
    }
    default
}

fn first_touch(root: &Node, problems: &mut Vec<Problem>) -> FirstTouch {
    let within = duration(root, "first_touch/within", HumanDuration::hours(24), problems);
    let mut calendar = None;
    if let Some(node) = root.get("first_touch") {
        for entry in node.as_map().unwrap_or_default() {
            if !matches!(entry.key.as_str(), "within" | "calendar") {
                problems.push(
                    Problem::at(
                        entry.key_span,
                        format!("`first_touch` has no key `{}`", entry.key),
                    )
                    .help("its keys are within and calendar"),
                );
            }
        }
        if let Some(node) = node.get("calendar") {
            match from_node::<CalendarConfig>(node).map(|raw| raw.check()) {
                Ok(Ok(checked)) => calendar = Some(checked),
                Ok(Err(found)) => problems.extend(found.into_iter().map(|problem| {
                    let at = node.get(problem.field).map(|field| match problem.index {
                        Some(index) => {
                            field.as_list().and_then(|items| items.get(index)).unwrap_or(field)
                        }
                        None => field,
                    });
                    Problem::at(at.unwrap_or(node).span, problem.message)
                })),
                Err(error) => problems.push(error.into()),
            }
        }
    }
    FirstTouch { within, calendar }
}
