//! `handoff plan`: what a change of the settings would do, before it is merged.

use std::path::PathBuf;

use chrono::Months;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};

use super::audit::read_population;
use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::open::{
    Ports, export_root, messages_at, open, open_at, open_crm_for, open_deals, requested, text_of,
};
use super::progress::Counting;
use super::signatures;
use crate::audit::Class;
use crate::config::FILE_NAME;
use crate::crm::export::Detail;
use crate::crm::{Crm, RequestedProperties};
use crate::model::{Gap, Population, Window, count};
use crate::text::{code, markdown, shorten, terminal};
use crate::workflow::{
    self, ChangeKind, Context, LedgersAt, Plan, PlanChange, PlanRequest, Strictness,
};

/// So many changes of a kind are shown as examples; the JSON has all.
const EXAMPLES: usize = 5;

/// Deals and briefs of so many months are looked at.
const MONTHS: u32 = 12;
/// Both briefs are made for so many of the newest deals.
const LAST: usize = 200;

/// The arguments of `plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Compare with the settings of this revision [default: the ledger's branch, that of the
    /// remote where there is one]
    #[arg(long, value_name = "REV")]
    pub(super) base: Option<String>,
    /// An export of the deals: CSV, JSON or a workbook; - for standard input [default: the CRM in
    /// handoff.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) deals: Option<PathBuf>,
    /// Read no deals: compare the ledger's own briefs, as where no CRM is connected
    #[arg(long, conflicts_with_all = ["deals", "signatures"])]
    briefs_only: bool,
    /// Ask the e-sign providers too: which completed documents of these months would be held,
    /// ignored or counted otherwise
    #[arg(long)]
    signatures: bool,
    /// How many months of deals and briefs to compare
    #[arg(long, value_name = "N", default_value_t = MONTHS)]
    pub(super) months: u32,
    /// For how many of the newest won deals both briefs are made
    #[arg(long, value_name = "N", default_value_t = LAST)]
    last: usize,
    /// Exit 1 when there is a change of this kind; `any` for all kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kinds())]
    fail_on: Vec<FailOn>,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: PlanFormat,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// One JSON value, as schema/plan.schema.json describes it
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// What `--fail-on` names: one kind of change, or any.
type FailOn = Option<ChangeKind>;

fn kinds() -> impl clap::builder::TypedValueParser<Value = FailOn> {
    let words = ChangeKind::ALL.map(|kind| PossibleValue::new(kind.as_str()).help(kind.label()));
    PossibleValuesParser::new(words.into_iter().chain([PossibleValue::new("any")]))
        .map(|word| ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word))
}

impl Arguments {
    /// What the command line says where nothing but the deals is named.
    pub(super) fn of(deals: Option<PathBuf>) -> Self {
        Self {
            base: None,
            deals,
            briefs_only: false,
            signatures: false,
            months: MONTHS,
            last: LAST,
            fail_on: Vec::new(),
            format: PlanFormat::default(),
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let plan = make(arguments, invocation)?;
    let printed = match arguments.format {
        PlanFormat::Text => text(&plan),
        PlanFormat::Markdown => markdown_of(&plan),
        PlanFormat::Json => {
            let json = serde_json::to_string(&plan);
            json.map_err(|error| CliError::could_not(error.to_string()))? + "\n"
        }
    };
    invocation.print(printed)?;
    let fails = |change: &PlanChange| {
        arguments.fail_on.iter().any(|kind| kind.is_none_or(|kind| kind == change.kind))
    };
    let asks_documents =
        arguments.fail_on.iter().any(|kind| kind.is_none_or(|kind| kind == ChangeKind::Document));
    let is_known = !plan.documents_not_compared || !asks_documents;
    if !is_known {
        invocation.warn("warning: --fail-on asks about documents, and they were not compared: the rules under `documents:` differ, and no provider was asked; add --signatures");
    }
    Ok(match plan.complete && is_known {
        false => Exit::CouldNot,
        true if plan.changes.iter().any(fails) => Exit::Findings,
        true => Exit::Clean,
    })
}

/// Makes the plan that the arguments ask for; writes nothing.
pub(super) fn make(arguments: &Arguments, invocation: &Invocation) -> Result<Plan, CliError> {
    let mut head = open(invocation, Ports::default())?;
    let revision = match &arguments.base {
        Some(revision) => revision.clone(),
        None => head.ledger.remote_branch()?.unwrap_or_else(|| head.ledger.branch().to_owned()),
    };
    let of_base = |error: CliError| CliError {
        message: format!("the settings of {revision} cannot be used: {}", error.message),
        help: Some("name another revision with --base".to_owned()),
        exit: Exit::CouldNot,
        details: error.details,
    };
    let mut base = open_at(&head.ledger, &revision, invocation.now).map_err(of_base)?;
    let messages = [
        messages_at(invocation, &base, Some(&revision)).map_err(of_base)?,
        messages_at(invocation, &head, None)?,
    ];
    let settings = [
        head.ledger.snapshot_at(&revision)?.read(FILE_NAME)?.unwrap_or_default(),
        text_of(&head.ledger, FILE_NAME)?.unwrap_or_default(),
    ];
    if arguments.deals.is_some() {
        head.config.map_for_export();
        base.config.map_for_export();
    }
    let from = invocation.now.checked_sub_months(Months::new(arguments.months));
    let window = Window { from, to: None };

    // What either side reads must be there for both, else the difference would be made here.
    let mut wanted = requested(&head.config);
    let also = requested(&base.config);
    wanted.mapping.extend(&also.mapping);
    wanted.scope.extend(&also.scope);
    let root = &export_root(&head.ledger);
    let connected = match &arguments.deals {
        _ if arguments.briefs_only => None,
        Some(_) => None,
        None => open_crm_for(invocation, &head.config, &wanted, root)?,
    };
    let source = match (connected, &arguments.deals) {
        (Some(connected), _) => Some(connected),
        (None, Some(deals)) => Some(open_deals(Some(deals), Detail::Whole, invocation, &head)?),
        // Then the ledger's own briefs are what there is.
        (None, None) => None,
    };
    let population = match &source {
        Some(source) => read_population(source.as_ref(), window, invocation)?,
        None => {
            invocation.note(
                "no CRM is connected and no export is named: the ledger's own briefs are compared",
            );
            Population::none()
        }
    };
    let mut gaps = Vec::new();
    let mut earlier = None;
    if !arguments.briefs_only && reads_otherwise(&base, &head) {
        match read_base(arguments, &base, &wanted, window, invocation) {
            Ok(None) => {}
            Ok(Some((source, population))) => {
                base.crm = Some(source);
                earlier = Some(population);
            }
            Err(error) => {
                let what = format!("the deals as the settings of {revision} read them");
                gaps.push(Gap::new(what, error.message));
            }
        }
    }
    let signatures = match (arguments.signatures, source.as_deref()) {
        (true, Some(source)) => {
            let now = invocation.now;
            let asked = signatures::ask(&head, source, &population, window, now, invocation);
            Some(invocation.block_on(asked)??)
        }
        (true, None) => {
            return Err(CliError::usage("--signatures asks which deals the documents name, and there are no deals to read")
                .help("give --deals FILE, an export of your deals, or connect a CRM under `crm:` in handoff.yaml"));
        }
        (false, _) => None,
    };
    head.crm = source;
    let at = LedgersAt {
        as_of: invocation.now,
        cut: false,
        revision: None,
        cache: true,
        checkpoints: Strictness::default(),
        clocks: &[],
    };
    let counting = Counting::start("reading the ledger's history", invocation);
    let ledgers = workflow::read_ledgers(std::slice::from_ref(&head.ledger), &at, &|commits| {
        counting.at(commits);
    })?;
    counting.finish();
    let request = PlanRequest {
        ledgers: &ledgers,
        population: &population,
        base_population: earlier.as_ref().unwrap_or(&population),
        gaps: &gaps,
        signatures: signatures.as_ref(),
        window,
        last: arguments.last,
        base: &revision,
        messages: [&messages[0], &messages[1]],
        settings: [&settings[0], &settings[1]],
    };
    let plan = invocation.block_on(workflow::plan(&base, &head, &request))??;
    for gap in &plan.gaps {
        invocation.warn(format!("warning: {}: {}", terminal(&gap.what), terminal(&gap.why)));
    }
    Ok(plan)
}

/// Whether the two sides may read other deals from one source: where it is, what
/// is won in it, how its columns, dates and days are read.
fn reads_otherwise(base: &Context, head: &Context) -> bool {
    let of =
        |side: &Context| (format!("{:?}", side.config.crm), workflow::company_zone(&side.config));
    of(base) != of(head)
}

/// A source of deals, and the deals that were read from it.
type ReadDeals = (Box<dyn Crm>, Population);

/// The source of the deals and the deals, as the settings of the base read them;
/// none where those connect no CRM and no export is named: then there is nothing
/// that they read.
fn read_base(
    arguments: &Arguments,
    base: &Context,
    wanted: &RequestedProperties,
    window: Window,
    invocation: &Invocation,
) -> Result<Option<ReadDeals>, CliError> {
    let root = &export_root(&base.ledger);
    let source = match &arguments.deals {
        Some(_) => Some(open_deals(arguments.deals.as_ref(), Detail::Whole, invocation, base)?),
        None => open_crm_for(invocation, &base.config, wanted, root)?,
    };
    let Some(source) = source else { return Ok(None) };
    let population = read_population(source.as_ref(), window, invocation)?;
    Ok(Some((source, population)))
}

/// The changes of each kind that has some.
fn by_kind(plan: &Plan) -> impl Iterator<Item = (ChangeKind, Vec<&PlanChange>)> {
    ChangeKind::ALL.into_iter().filter_map(|kind| {
        let changes: Vec<&PlanChange> =
            plan.changes.iter().filter(|change| change.kind == kind).collect();
        (!changes.is_empty()).then_some((kind, changes))
    })
}

fn compared(plan: &Plan) -> String {
    let documents = plan.documents.map(|documents| format!("{}, ", count(documents, "document")));
    let mut told = format!(
        "{}, {}{} built again and {} of the ledger compared",
        count(plan.deals, "won deal"),
        documents.unwrap_or_default(),
        count(plan.composed, "brief"),
        count(plan.briefs, "brief")
    );
    if plan.documents_not_compared {
        told.push_str(
            "\nThe rules under `documents:` differ; `handoff plan --signatures` asks the e-sign providers which documents that concerns",
        );
    }
    told
}

fn text(plan: &Plan) -> String {
    let mut text = match (plan.changes.is_empty(), plan.complete) {
        (true, true) if plan.documents_not_compared => {
            "No change was found, and documents were not compared.\n".to_owned()
        }
        (true, true) => format!("Nothing would change against {}.\n", terminal(&plan.base)),
        (true, false) => "No change was found, and not everything could be read.\n".to_owned(),
        (false, _) => format!("Against the settings of {}:\n", terminal(&plan.base)),
    };
    for (kind, changes) in by_kind(plan) {
        text.push_str(&format!("\n{}\n", kind.counted(changes.len())));
        for change in changes.iter().take(EXAMPLES) {
            let what = [&change.name, &change.field, &change.value];
            let what: Vec<String> = what.into_iter().flatten().map(|it| terminal(it)).collect();
            text.push_str(&format!("  {}  {}\n", change.key, what.join("  ")));
            text.push_str(&format!(
                "    - {}\n    + {}\n",
                shown(kind, &change.before),
                shown(kind, &change.after)
            ));
        }
        if changes.len() > EXAMPLES {
            text.push_str(&format!(
                "  … and {} more (--format json has all)\n",
                changes.len() - EXAMPLES
            ));
        }
    }
    text.push_str(&format!("\n{}\n", compared(plan)));
    text
}

fn shown(kind: ChangeKind, value: &Option<String>) -> String {
    let worded = value.as_deref().map(|text| worded(kind, text));
    worded.map_or_else(|| "nothing".to_owned(), |text| terminal(&shorten(&text, 120)))
}

/// A value in words for people: of a class its label.
fn worded(kind: ChangeKind, text: &str) -> String {
    match kind {
        ChangeKind::Class if text == Class::OnTime.as_str() => Class::OnTime.label().to_owned(),
        _ => text.to_owned(),
    }
}

fn markdown_of(plan: &Plan) -> String {
    let mut page = match (plan.changes.is_empty(), plan.complete) {
        (true, true) if plan.documents_not_compared => {
            "**No change was found**, and documents were not compared.\n".to_owned()
        }
        (true, true) => format!("**Nothing would change** against {}.\n", code(&plan.base)),
        (true, false) => "**Not everything could be read**; no change was found.\n".to_owned(),
        (false, _) => {
            let counts: Vec<String> =
                by_kind(plan).map(|(kind, changes)| kind.counted(changes.len())).collect();
            format!("**{}** against {}\n", counts.join(", "), code(&plan.base))
        }
    };
    for (kind, changes) in by_kind(plan) {
        page.push_str(&format!(
            "\n#### {}\n\n| handoff | what | before | after |\n|---|---|---|---|\n",
            kind.counted(changes.len())
        ));
        for change in changes.iter().take(EXAMPLES) {
            let cell = |text: &Option<String>| {
                let worded = text.as_deref().map(|text| worded(kind, text));
                worded.map_or_else(|| "–".to_owned(), |text| markdown(&shorten(&text, 120)))
            };
            let what = [&change.name, &change.field, &change.value];
            let what: Vec<String> = what.into_iter().flatten().map(|it| markdown(it)).collect();
            page.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                code(&change.key),
                what.join(" · "),
                cell(&change.before),
                cell(&change.after)
            ));
        }
        if changes.len() > EXAMPLES {
            page.push_str(&format!("\n… and {} more\n", changes.len() - EXAMPLES));
        }
    }
    page.push_str(&format!("\n{}\n", compared(plan)));
    page
}
