//! `handoff accept`, `return`, `touch`, `assign`, `exempt`: what people add, with who and why.

use chrono::{DateTime, Utc};
use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::keys::{find_or_new_key, find_signed_key};
use super::open::{Ports, export_root, open, open_crm};
use super::when::When;
use crate::brief::EventKind;
use crate::config::Team;
use crate::model::{Key, Remarks, count};
use crate::text::{did_you_mean, nearest, one_line, quoted};
use crate::workflow::{self, Assignment, Context, PersonEvent, Refreshed};

/// What a person says of one handoff: the arguments of `accept`, `resubmit` and
/// `touch`, and a part of those of `assign` and `promises keep`.
#[derive(Debug, Args)]
pub struct PersonArguments {
    /// The handoff
    #[arg(value_name = "KEY")]
    key: String,
    /// Who says so: a login, an e-mail address or a name
    #[arg(long, value_name = "WHO")]
    pub(super) by: String,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// When, if not now
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

impl PersonArguments {
    /// The ledger, the handoff, and when it happened, if not now.
    pub(super) fn open(
        &self,
        invocation: &Invocation,
    ) -> Result<(Context, Key, Option<DateTime<Utc>>), CliError> {
        if self.by.trim().is_empty() {
            return Err(CliError::usage("--by is empty").help("name who says so"));
        }
        let context = open(invocation, Ports { push: !self.no_push, ..Ports::default() })?;
        let key = find_signed_key(&self.key, &context)?;
        check_name(&self.by, &context.config.team)?;
        let at = When::of_act("--at", self.at.as_ref(), &context.config, invocation.now)?;
        Ok((context, key, at))
    }
}

/// The arguments of `return` and `exempt`: the reason is needed.
#[derive(Debug, Args)]
pub struct WithReason {
    /// The handoff
    #[arg(value_name = "KEY")]
    key: String,
    /// Who: a login, an e-mail address or a name; for an exemption, who approved it
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why: for a return `unanswered`, `wrong`, `not-our-customer` or free text
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When, if not now
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// The customer's name, for an exemption of a deal that has no brief [default: as the deal has it]
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

/// The arguments of `assign`.
#[derive(Debug, Args)]
pub struct AssignArguments {
    #[command(flatten)]
    person: PersonArguments,
    /// The new CSM: a login, an e-mail address or a name of `team.csms`
    #[arg(value_name = "WHO")]
    to: String,
}

/// Runs `assign`.
pub(super) fn run_assign(
    arguments: &AssignArguments,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let (context, key, at) = arguments.person.open(invocation)?;
    let team = &context.config.team;
    if team.find(&arguments.to).is_none() {
        let names = team.csms.iter().map(|csm| csm.github.as_deref().unwrap_or(&csm.name));
        let help = match team.csms.is_empty() {
            true => "list your CSMs in handoff.yaml, under `team: {csms: […]}`".to_owned(),
            false => did_you_mean(&arguments.to, names),
        };
        let what = format!("{} is not listed under team.csms", quoted(&arguments.to));
        return Err(CliError::usage(what).help(help));
    }
    let told = Assignment {
        to: arguments.to.clone(),
        by: Some(arguments.person.by.clone()),
        at,
        via: "cli".to_owned(),
        reason: arguments.person.reason.clone(),
    };
    let mut remarks = Remarks::default();
    let assigned = workflow::assign(&context, &key, &told, &mut remarks)?;
    context.push(&mut remarks)?;
    let exit = invocation.tell("", &remarks);
    let text = match assigned {
        Some(_) => format!(
            "{key}: assigned to {}; `handoff deliver {key}` moves the task and tells both\n",
            told.to
        ),
        None => format!("{key}: {} has it already, nothing new\n", told.to),
    };
    invocation.print(crate::text::terminal(&text))?;
    Ok(exit)
}

/// Runs `accept`, `resubmit` or `touch`.
pub(super) fn run(
    kind: EventKind,
    arguments: &PersonArguments,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let told = PersonEvent {
        kind,
        by: arguments.by.clone(),
        reason: arguments.reason.clone(),
        at: None,
        via: "cli".to_owned(),
        reference: None,
        customer: None,
        proven: proven(invocation),
    };
    record(&arguments.key, told, arguments.at.as_ref(), arguments.no_push, invocation)
}

/// Runs `return` or `exempt`.
pub(super) fn run_with_reason(
    kind: EventKind,
    arguments: &WithReason,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    if arguments.reason.trim().is_empty() {
        return Err(
            CliError::usage("--reason is empty").help("say why: the rep and the audit read it")
        );
    }
    let told = PersonEvent {
        kind,
        by: arguments.by.clone(),
        reason: Some(arguments.reason.clone()),
        at: None,
        via: "cli".to_owned(),
        reference: None,
        customer: arguments.customer.clone(),
        proven: proven(invocation),
    };
    record(&arguments.key, told, arguments.at.as_ref(), arguments.no_push, invocation)
}

/// Refuses a name that is almost one of the team's: what is recorded stays.
/// Somebody outside of the team, and an e-mail address, are taken as given.
fn check_name(by: &str, team: &Team) -> Result<(), CliError> {
    let by = by.trim().trim_start_matches('@');
    if by.contains('@') || team.find(by).is_some() || team.is_approver(by) {
        return Ok(());
    }
    // A login is near a login, a full name near a name.
    let names = team.csms.iter().filter_map(|csm| match by.contains(' ') {
        true => Some(csm.name.as_str()),
        false => csm.github.as_deref(),
    });
    match nearest(by, names) {
        None => Ok(()),
        Some(near) => Err(CliError::usage(format!(
            "--by: {} is not listed under team.csms; did you mean `{near}`?",
            quoted(by)
        ))
        .help("for somebody else give the e-mail address")),
    }
}

/// What GitHub says of who started its workflow.
fn proven(invocation: &Invocation) -> Vec<String> {
    let get = |name| invocation.environment.get(name).map(str::to_owned);
    let is_workflow = invocation.environment.is_github_workflow();
    let actor = get("GITHUB_TRIGGERING_ACTOR").or_else(|| get("GITHUB_ACTOR"));
    actor.filter(|_| is_workflow).into_iter().collect()
}

/// What comes again comes with the deal as it is now: the CSM is told of what
/// the rep corrected in the CRM. A machine without the CRM's secret records
/// the word alone.
fn read_again(context: &mut Context, key: &Key, invocation: &Invocation) -> Result<(), CliError> {
    match open_crm(invocation, &context.config, &export_root(&context.ledger)) {
        Ok(crm) => context.crm = crm,
        Err(error) => {
            invocation.say(format!(
                "note: the deal is not read again: {}",
                one_line(&error.render(false))
            ));
            return Ok(());
        }
    }
    let is_returned = workflow::status_of(context, key)?
        .is_some_and(|row| row.standing == workflow::Standing::Returned);
    if context.crm.is_none() || !is_returned {
        return Ok(());
    }
    let refreshed = invocation.block_on(workflow::refresh(context, key, false))??;
    for remark in &refreshed.remarks {
        invocation.say(format!("note: {key}: {remark}"));
    }
    match &refreshed.result {
        Refreshed::Corrected { changed, .. } => invocation.say(format!(
            "note: {key}: read from the CRM again, {} changed",
            count(changed.len(), "answer")
        )),
        Refreshed::NoLongerWon { why } => invocation.warn(format!("warning: {key}: {why}")),
        Refreshed::Unchanged | Refreshed::Skipped { .. } => {}
    }
    Ok(())
}

/// The key of a deal that has no handoff, where its id alone was given.
fn key_of_deal(
    given: &str,
    context: &Context,
    invocation: &Invocation,
) -> Result<Option<Key>, CliError> {
    let Some(crm) = &context.crm else { return Ok(None) };
    let id = crate::crm::deal_id(given.trim());
    let Ok(key) = Key::for_deal(crm.name(), &id) else { return Ok(None) };
    let is_there = invocation.block_on(crm.deal(&id, None))?.is_ok();
    Ok(is_there.then_some(key))
}

fn record(
    key: &str,
    mut told: PersonEvent,
    at: Option<&When>,
    no_push: bool,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    if told.by.trim().is_empty() {
        return Err(CliError::usage("--by is empty").help("name who did it"));
    }
    let mut context = open(invocation, Ports { push: !no_push, ..Ports::default() })?;
    let given = key;
    let mut key = match told.kind {
        EventKind::Exempted => find_or_new_key(key, &context)?,
        _ => find_signed_key(key, &context)?,
    };
    if matches!(told.kind, EventKind::Accepted | EventKind::Returned | EventKind::Touched) {
        check_name(&told.by, &context.config.team)?;
    }
    told.at = When::of_act("--at", at, &context.config, invocation.now)?;
    let mut remarks = Remarks::default();
    if told.kind == EventKind::Exempted {
        match open_crm(invocation, &context.config, &export_root(&context.ledger)) {
            Ok(crm) => context.crm = crm,
            Err(error) => {
                invocation.warn(format!("warning: the CRM cannot be asked: {}", error.message))
            }
        }
        if let Some(of_deal) = key_of_deal(given, &context, invocation)? {
            key = of_deal;
        }
        let checked = workflow::check_exemption(&context, &key, &told, &mut remarks);
        let of_deal = invocation.block_on(checked)??;
        told.customer = told.customer.or(of_deal);
    }
    if told.kind == EventKind::Resubmitted {
        read_again(&mut context, &key, invocation)?;
    }
    let recorded = workflow::record(&context, &key, &told, &mut remarks)?;
    context.push(&mut remarks)?;
    let exit = invocation.tell("", &remarks);
    let word = told.kind.words();
    let text = match recorded {
        Some(_) => format!("{key}: {word} by {}\n", told.by),
        None => format!("{key}: {word} already, nothing new\n"),
    };
    invocation.print(crate::text::terminal(&text))?;
    Ok(exit)
}
