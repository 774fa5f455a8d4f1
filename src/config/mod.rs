//! `handoff.yaml`: read as it is written (`written`), then checked (`Config`);
//! every problem is reported at once with its line. The JSON Schema is made
//! from the same types (`schema`). Knows the settings of the rooms below and no
//! vendor by name.

mod reminders;
mod team;
mod written;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::de::DeserializeOwned;

pub use crate::settings::{ConfigProblem, DocumentKind};
pub use reminders::{Channel, Due, Offset, Recipient, ReminderRule};
pub use team::{Assign, Csm, Lead, Routing, Team};
pub use written::{AuditClock, CONFIG_SCHEMA, TestDocuments, TouchProof};

use crate::brief::{
    BaseMapping, Expression, ExpressionError, Mapping, MappingProblem, Schema, fold_property,
};
use crate::crm::{CrmConfig, base_mappings};
use crate::deliver::DeliverConfig;
use crate::esign::EsignConfig;
use crate::http::Limits;
use crate::model::{Properties, ProviderName};
use crate::settings::{DocumentRule, check_shape, name_path, read_checked};
use crate::text::{did_you_mean, quoted};
use crate::time::{Calendar, CalendarConfig, HumanDuration, deadline};
use crate::yaml::{Entry, Located, Node, Span, Value, read};
use reminders::WrittenReminders;
use written::{Written, WrittenFirstTouch, WrittenLimits};

/// The configuration's file name in a ledger's root.
pub const FILE_NAME: &str = "handoff.yaml";

/// What an expression about a deal can read.
const DEAL_NAMES: [&str; 4] = ["deal", "company", "contacts", "line_items"];

/// What a rule about a document can read.
const DOCUMENT_NAMES: [&str; 5] = ["signature", "deal", "company", "contacts", "line_items"];

/// By when the CSM makes the first touch.
#[derive(Debug)]
pub struct FirstTouchLimit {
    /// How long after the signature.
    pub within: HumanDuration,
    /// In which hours that time runs; `None` is day and night.
    pub calendar: Option<Calendar>,
    /// Whether the CSM's word ends the wait, or only evidence of it.
    pub proof: TouchProof,
}

impl FirstTouchLimit {
    /// Whether only a touch that the CRM shows ends the wait.
    #[must_use]
    pub fn needs_evidence(&self) -> bool {
        self.proof == TouchProof::Evidenced
    }

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
    /// Where it stands.
    pub span: Span,
}

/// One rule for completed documents, compiled.
#[derive(Debug)]
pub struct CompiledDocumentRule {
    /// When it applies, over `signature`, `deal` and what belongs to the deal.
    pub when: Expression,
    /// What the document is.
    pub is: DocumentKind,
    /// Why, if the rule says so.
    pub reason: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// How long all requests of a command to one CRM or provider may take.
const RUN_LIMIT: HumanDuration = HumanDuration::hours(2);
/// How long a ledger's remote is waited for.
const REMOTE_LIMIT: Duration = Duration::from_secs(30);

/// The checked configuration of a ledger.
#[derive(Debug)]
pub struct Config {
    /// The strftime pattern of the folders below `briefs/`.
    pub layout: String,
    /// The ledger's branch; `None` is the one that HEAD names.
    pub branch: Option<String>,
    /// The company's time zone: days begin and end in it.
    pub timezone: Tz,
    /// E-sign providers.
    pub esign: EsignConfig,
    /// Where deals come from.
    pub crm: CrmConfig,
    /// Which default mapping was named.
    pub map: Option<String>,
    /// From deal to brief.
    pub mapping: Mapping,
    /// Which completed documents are contracts, after the provider's own rules.
    pub documents: Vec<CompiledDocumentRule>,
    /// The rules of each provider and sender, which come first.
    pub provider_documents: Vec<(ProviderName, Vec<CompiledDocumentRule>)>,
    /// Whether documents that are marked as tests count.
    pub test_documents: TestDocuments,
    /// How long a document is held whose deal the CRM does not know yet.
    pub wait_for_deal: HumanDuration,
    /// Who gets a message about each document that is held.
    pub tell_of_held: Vec<String>,
    /// The sinks that post it, too.
    pub post_of_held: Vec<&'static str>,
    /// Which won deals need no handoff.
    pub scope: Vec<ScopeRule>,
    /// Who takes handoffs.
    pub team: Team,
    /// By when the first touch is due.
    pub first_touch: FirstTouchLimit,
    /// How soon after the signature a brief must be there.
    pub handoff_within: HumanDuration,
    /// Whose clock every audit asks, if any.
    pub audit_clock: Option<AuditClock>,
    /// Who is reminded of what is due; empty when reminders are off.
    pub reminders: Vec<ReminderRule>,
    /// How long handoff waits for CRMs and e-sign providers.
    pub limits: Limits,
    /// How long one fetch or push of the ledger may take.
    pub remote_limit: Duration,
    /// What a signed brief sets off.
    pub deliver: DeliverConfig,
}

impl Config {
    /// The settings of a folder that has none: everything by default.
    ///
    /// # Panics
    /// Never: the text is a constant.
    #[must_use]
    pub fn empty() -> Self {
        Self::parse(b"version: 1\n").expect("a version alone is a configuration")
    }

    /// The mapping for deals of an export file: the chosen one, else that of
    /// export files, with the company's own lines.
    pub fn map_for_export(&mut self) {
        let of_files = crate::crm::row("file").map(|row| row.mapping);
        if let (None, None, Some(base)) = (&self.map, self.crm.file(), of_files) {
            let none = Mapping::compile(None, &[]).unwrap_or_else(|_| unreachable!("it is empty"));
            self.mapping = std::mem::replace(&mut self.mapping, none).on_base(&base);
        }
    }

    /// The properties that `scope` reads: an audit's deals must come with them.
    #[must_use]
    pub fn scope_properties(&self) -> Properties {
        let mut read = Properties::default();
        self.scope.iter().for_each(|rule| read.extend(rule.when.properties()));
        let own = self.provider_documents.iter().flat_map(|(_, rules)| rules);
        own.chain(&self.documents).for_each(|rule| read.extend(rule.when.properties()));
        read
    }

    /// The rules for a provider's documents: its own, then those for all.
    pub fn documents_of(
        &self,
        provider: &ProviderName,
    ) -> impl Iterator<Item = &CompiledDocumentRule> {
        let own = self.provider_documents.iter().filter(move |(name, _)| name == provider);
        own.flat_map(|(_, rules)| rules).chain(&self.documents)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Every problem at once, in the order of the file.
    pub fn parse(source: &[u8]) -> Result<Self, Vec<ConfigProblem>> {
        let root = read(source).map_err(|error| vec![ConfigProblem::from(error)])?;
        if root.as_map().is_none() {
            let message = "the configuration is a mapping that begins with `version: 1`";
            return Err(vec![
                ConfigProblem::at(root.span, message).help("`handoff init` creates one"),
            ]);
        }
        if let Some(version) = root.get("version")
            && let Value::Number(number) = &version.value
            && number.as_f64().is_some_and(|number| number > 1.0)
        {
            // What a later version means by its keys is not for this one to judge.
            let message = format!(
                "the settings are of version {number}, and this version of handoff knows version 1"
            );
            let help = "install the version of handoff that they are for, or a later one (docs/versions.md); `handoff --version` says which this is";
            return Err(vec![ConfigProblem::at(version.span, message).help(help)]);
        }
        let (rest, mut problems) = check_shape(&root, &CONFIG_SCHEMA);
        let written = read_whole::<Written>(&rest, &mut problems);
        let esign = section(&rest, "esign", EsignConfig::read, &mut problems);
        let crm = section(&rest, "crm", CrmConfig::read, &mut problems);
        let deliver = section(&rest, "deliver", DeliverConfig::read, &mut problems);
        let config = written
            .map(|written| Self::check_written(written, &rest, esign, crm, deliver, &mut problems));
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(in_order(problems)),
        }
    }

    fn check_written(
        written: Written,
        node: &Node,
        esign: EsignConfig,
        crm: CrmConfig,
        deliver: DeliverConfig,
        problems: &mut Vec<ConfigProblem>,
    ) -> Self {
        let own_fields = entries(node, "brief");
        let map = written.map.as_ref().map(|map| map.value.clone());
        let written_documents = written.documents.as_deref().unwrap_or_default();
        let documents = document_rules(written_documents, problems);
        let provider_documents = esign
            .documents()
            .map(|(provider, rules)| (provider, document_rules(rules, problems)))
            .collect();
        let (limits, remote_limit) = limits(written.limits.unwrap_or_default(), problems);
        let mut scope = Vec::new();
        for rule in written.scope.into_iter().flat_map(|scope| scope.exclude) {
            if let Some(when) = compile(&rule.when, Some(&DEAL_NAMES), problems) {
                scope.push(ScopeRule { when, reason: rule.reason, span: rule.when.span });
            }
        }
        let held = written.held_documents.unwrap_or_default();
        let own_zone = written.timezone.map(|zone| zone.0);
        let first_touch =
            first_touch(written.first_touch.unwrap_or_default(), own_zone, node, problems);
        let zone = own_zone.or_else(|| first_touch.calendar.as_ref().map(Calendar::zone));
        // The mapping of the CRM that is connected, where none is chosen.
        let of_crm = crm.row().map_or(BaseMapping::DOCUMENT, |row| row.mapping);
        Self {
            layout: layout(written.layout, problems),
            branch: branch(written.branch, problems),
            timezone: zone.unwrap_or(Tz::UTC),
            esign,
            crm,
            mapping: mapping(&own_fields, written.map.as_ref(), of_crm, problems),
            map,
            documents,
            provider_documents,
            test_documents: written.test_documents.unwrap_or_default(),
            wait_for_deal: duration(
                written.wait_for_deal.as_ref(),
                HumanDuration::days(2),
                problems,
            ),
            tell_of_held: held.tell.into_iter().map(|address| address.0).collect(),
            post_of_held: held.post.into_iter().map(written::Chat::as_str).collect(),
            scope,
            team: written.team.unwrap_or_default().check(problems),
            first_touch,
            handoff_within: duration(
                written.handoff_within.as_ref(),
                HumanDuration::hours(1),
                problems,
            ),
            audit_clock: written.audit.and_then(|audit| audit.clock),
            reminders: WrittenReminders::ladder(written.reminders),
            limits,
            remote_limit,
            deliver,
        }
    }

    /// What of the configuration does not fit the ledger's own schema of a
    /// brief: fields that `brief:` fills or reads, and that rules under
    /// `team.assign` read.
    #[must_use]
    pub fn check(&self, schema: &Schema) -> Vec<ConfigProblem> {
        let mut problems: Vec<ConfigProblem> = self
            .mapping
            .check(schema)
            .into_iter()
            .map(|problem| mapping_problem(problem, Span::default()))
            .collect();
        for rule in &self.team.assign {
            for fault in
                rule.when.iter().flat_map(|when| when.problems_in_brief(schema.outline(), None))
            {
                problems.push(expression_problem(rule.span, fault));
            }
        }
        in_order(problems)
    }

    /// The properties of a deal that the company's own lines and rules read and
    /// that an export with these columns does not have.
    #[must_use]
    pub fn check_columns(&self, columns: &[String]) -> Vec<ConfigProblem> {
        let known: BTreeSet<String> = columns.iter().map(|name| fold_property(name)).collect();
        let own = self.provider_documents.iter().flat_map(|(_, rules)| rules);
        let documents =
            own.chain(&self.documents).map(|rule| (rule.when.properties().clone(), rule.span));
        let scope = self.scope.iter().map(|rule| (rule.when.properties().clone(), rule.span));
        let won = self.crm.won_reads().map(|(read, span)| (read.clone(), span));
        let mut problems = Vec::new();
        for (read, span) in self.mapping.own_lines().chain(scope).chain(documents).chain(won) {
            for name in read.deal.iter().filter(|name| !known.contains(&fold_property(name))) {
                let message = format!("`deal.properties.{name}`: the export has no such column");
                let names = columns.iter().map(String::as_str);
                problems.push(ConfigProblem::at(span, message).help(did_you_mean(name, names)));
            }
        }
        in_order(problems)
    }
}

fn mapping_problem(found: MappingProblem, base: Span) -> ConfigProblem {
    let problem = ConfigProblem::at(found.span.unwrap_or(base), found.message);
    ConfigProblem { help: found.help, ..problem }
}

fn expression_problem(span: Span, error: ExpressionError) -> ConfigProblem {
    ConfigProblem { help: error.help, ..ConfigProblem::at(span, error.message) }
}

/// Problems in the order of the file, each once.
fn in_order(mut problems: Vec<ConfigProblem>) -> Vec<ConfigProblem> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.line, problem.column, problem.message.clone())));
    problems
}

/// A value whose shape was checked; what cannot be read is left out, so that
/// everything else is checked, too.
fn read_whole<T: DeserializeOwned>(node: &Node, problems: &mut Vec<ConfigProblem>) -> Option<T> {
    let (value, found) = read_checked(node);
    problems.extend(found);
    value
}

/// A section that its own room reads.
fn section<T: Default>(
    root: &Node,
    key: &str,
    read: fn(&Node) -> Result<T, Vec<ConfigProblem>>,
    problems: &mut Vec<ConfigProblem>,
) -> T {
    let Some(node) = root.get(key).filter(|node| node.value != Value::Null) else {
        return T::default();
    };
    read(node).unwrap_or_else(|found| {
        problems.extend(found.into_iter().map(|problem| name_path(root, problem)));
        T::default()
    })
}

fn entries(root: &Node, key: &str) -> Vec<Entry> {
    root.get(key).and_then(Node::as_map).unwrap_or_default().to_vec()
}

/// Compiles an expression. `names` are the records it can read; without them
/// it reads a brief, which [`Config::check`] looks at.
fn compile(
    written: &Located<String>,
    names: Option<&[&str]>,
    problems: &mut Vec<ConfigProblem>,
) -> Option<Expression> {
    let expression = match Expression::compile(&written.value) {
        Ok(expression) => expression,
        Err(mut error) => {
            error.message = format!("`when` is not a valid expression: {}", error.message);
            problems.push(expression_problem(written.span, error));
            return None;
        }
    };
    let faults = names.map(|names| expression.problems(names)).unwrap_or_default();
    problems.extend(faults.into_iter().map(|fault| expression_problem(written.span, fault)));
    Some(expression)
}

fn document_rules(
    written: &[DocumentRule],
    problems: &mut Vec<ConfigProblem>,
) -> Vec<CompiledDocumentRule> {
    let mut rules = Vec::new();
    for rule in written {
        if let Some(when) = compile(&rule.when, Some(&DOCUMENT_NAMES), problems) {
            rules.push(CompiledDocumentRule {
                when,
                is: rule.is,
                reason: rule.reason.clone(),
                span: rule.when.span,
            });
        }
    }
    rules
}

fn layout(written: Option<Located<String>>, problems: &mut Vec<ConfigProblem>) -> String {
    let default = "%Y/%m".to_owned();
    let Some(Located { value: pattern, span }) = written else { return default };
    let valid = chrono::format::StrftimeItems::new(&pattern)
        .all(|item| item != chrono::format::Item::Error);
    let harmless =
        pattern.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '%' | '/' | '-' | '_'))
            && !pattern.starts_with('/')
            && !pattern.ends_with('/')
            && !pattern.contains("//")
            && pattern.contains("%Y");
    if valid && harmless {
        return pattern;
    }
    problems.push(
        ConfigProblem::at(
            span,
            "`layout` is a strftime pattern of folders, such as \"%Y/%m\" or \"%Y/%m/%d\"",
        )
        .help("use %Y, %m and %d with `/` between them"),
    );
    default
}

/// A branch's name, after the rules of `git check-ref-format --branch`.
fn branch(written: Option<Located<String>>, problems: &mut Vec<ConfigProblem>) -> Option<String> {
    let Located { value: name, span } = written?;
    let parts_fit = name
        .split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let fits = parts_fit
        && name.len() <= 200
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && name != "HEAD"
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c));
    if !fits {
        problems.push(
            ConfigProblem::at(
                span,
                format!("`branch`: {} is not the name of a branch", quoted(&name)),
            )
            .help("write the name alone, such as main, without refs/heads/ or origin/"),
        );
    } else if name.starts_with("refs/") {
        let short = name.trim_start_matches("refs/").trim_start_matches("heads/");
        problems.push(
            ConfigProblem::at(span, "`branch` is the name of a branch, not a ref")
                .help(format!("write {short}")),
        );
    }
    Some(name)
}

fn mapping(
    own: &[Entry],
    base: Option<&Located<String>>,
    of_crm: BaseMapping,
    problems: &mut Vec<ConfigProblem>,
) -> Mapping {
    let overrides: Vec<_> = own
        .iter()
        .filter_map(|entry| {
            let expression = entry.node.as_str()?;
            Some((entry.key.clone(), expression.to_owned(), entry.node.span))
        })
        .collect();
    let base_span = base.map(|base| base.span).unwrap_or_default();
    let chosen = match base {
        None => Some(of_crm),
        Some(base) => base_mappings().find(|known| known.name == base.value),
    };
    if let (None, Some(base)) = (chosen, base) {
        let names: Vec<_> = base_mappings().map(|known| known.name).collect();
        problems.push(
            ConfigProblem::at(
                base_span,
                format!("there is no default mapping {}", quoted(&base.value)),
            )
            .help(format!("one of {}", names.join(", "))),
        );
    }
    match Mapping::compile(chosen.as_ref(), &overrides) {
        Ok(mapping) => mapping,
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| mapping_problem(problem, base_span)));
            Mapping::compile(None, &[])
                .unwrap_or_else(|_| unreachable!("an empty mapping has no problem"))
        }
    }
}

/// A duration that is longer than nothing.
fn duration(
    written: Option<&Located<HumanDuration>>,
    default: HumanDuration,
    problems: &mut Vec<ConfigProblem>,
) -> HumanDuration {
    let Some(Located { value, span }) = written else { return default };
    if value.is_zero() {
        problems.push(
            ConfigProblem::at(*span, "a duration of zero: expected one such as 24h, 90m or 2d")
                .help(format!("leave the setting out for the default, {default}")),
        );
    }
    *value
}

/// The limits of APIs, and that of the ledger's remote.
fn limits(written: WrittenLimits, problems: &mut Vec<ConfigProblem>) -> (Limits, Duration) {
    let default = Limits::default();
    let mut one = |written: Option<Located<HumanDuration>>, name: &str, help: &str| {
        let written = written?;
        if written.value.plain() > HumanDuration::hours(1).plain() {
            let message = format!("`limits.{name}` is at most an hour");
            problems.push(ConfigProblem::at(written.span, message).help(help));
        }
        Some(duration(Some(&written), HumanDuration::seconds(30), problems))
    };
    let request = one(written.request, "request", "30s is enough for every known CRM");
    let remote = one(written.remote, "remote", "30s is enough for a ledger's remote");
    let run = duration(written.run.as_ref(), RUN_LIMIT, problems);
    let plain = |length: HumanDuration| length.plain().to_std().unwrap_or_default();
    let request = request.map_or(default.request, plain);
    let limits = Limits { request, run: Some(plain(run)), ..default };
    (limits, remote.map_or(REMOTE_LIMIT, plain))
}

fn first_touch(
    written: WrittenFirstTouch,
    zone: Option<Tz>,
    root: &Node,
    problems: &mut Vec<ConfigProblem>,
) -> FirstTouchLimit {
    let within = duration(written.within.as_ref(), HumanDuration::hours(24), problems);
    let calendar = written.calendar.and_then(|written| calendar(written, zone, root, problems));
    FirstTouchLimit { within, calendar, proof: written.proof }
}

fn calendar(
    written: Located<CalendarConfig>,
    zone: Option<Tz>,
    root: &Node,
    problems: &mut Vec<ConfigProblem>,
) -> Option<Calendar> {
    let Located { value: mut calendar, span } = written;
    if calendar.timezone.is_empty() {
        let Some(zone) = zone else {
            problems.push(
                ConfigProblem::at(span, "`first_touch.calendar` needs `timezone`")
                    .help("set it there, or set `timezone:` at the top level of the file"),
            );
            return None;
        };
        calendar.timezone = zone.name().to_owned();
    }
    let found = match calendar.check() {
        Ok(calendar) => return Some(calendar),
        Err(found) => found,
    };
    let node = root.pointer("/first_touch/calendar");
    for problem in found {
        let field = node.and_then(|node| node.get(problem.field));
        let entry = problem.index.and_then(|index| field?.as_list()?.get(index));
        let span = entry.or(field).map_or(span, |node| node.span);
        problems.push(ConfigProblem::at(span, problem.message));
    }
    None
}
