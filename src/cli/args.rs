//! The arguments that every command shares, and the list of commands.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::{
    audit, backfill, catch_up, coverage, deliver, demo, doctor, draft, explain, inbox, init, links,
    people, promises, reference, refresh, render, schema, serve, sign, status, sync, validate,
    verify, watch, why, work,
};
use crate::brief::EventKind;

/// A signed contract becomes everything customer success needs, in git; and
/// an audit proves that none was missed.
#[derive(Debug, Parser)]
#[command(
    name = "handoff",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Start with `handoff demo`: a small company end to end, in a folder of its own.\n\
    Exit codes: 0 clean · 1 findings · 2 usage or configuration · 3 could not do or check · 4 nothing matched."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The ledger's folder, or one inside it (found upwards like git does)
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorChoice,
    /// Only warnings and errors on standard error
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More on standard error; twice for debugging. Never shows a secret
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// The moment to take for now; for tests and re-runs
    #[arg(long, hide = true, global = true, value_name = "TIME")]
    pub now: Option<DateTime<Utc>>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands, one file each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a folder a ledger: configuration, schema, templates, workflows
    Init(init::Arguments),
    /// Show a small company end to end, without any account
    Demo(demo::Arguments),
    /// Make a brief before the signature, and ask for what is missing
    Draft(draft::Arguments),
    /// Hand over one signed contract
    Sign(sign::Arguments),
    /// Make every delivery that is missing
    Deliver(deliver::Arguments),
    /// Read the deals again: what the CRM corrected becomes commits, and everybody who was told hears of it
    Refresh(refresh::Arguments),
    /// Check briefs against the schema and the rules
    Validate(validate::Arguments),
    /// Compare the ledger's history with the closed-won deals
    Audit(audit::Arguments),
    /// Check the checkpoints that audits left: their chain, signers and history
    Verify(verify::Arguments),
    /// Show where handoffs stand, or one handoff's story
    Status(status::Arguments),
    /// Show where the answers of a brief come from, and what they said before
    Why(why::Arguments),
    /// Make the briefs that an audit found missing
    Backfill(backfill::Arguments),
    /// Show which questions the CRM's data can answer, by field and rep
    Coverage(coverage::Arguments),
    /// Check every connection, secret, permission and mapping
    Doctor(doctor::Arguments),
    /// The CSM accepts a handoff
    Accept(people::Arguments),
    /// The CSM returns a handoff to the rep, with the reason
    Return(people::WithReason),
    /// The rep has mended a returned brief: it comes again, with what changed
    Resubmit(people::Arguments),
    /// The CSM's first human contact with the customer
    Touch(people::Arguments),
    /// Give a handoff to another CSM
    Assign(people::AssignArguments),
    /// List what reps have promised, kept or open; record that one is kept
    Promises(promises::Arguments),
    /// Links by which a CSM or a rep answers in a browser, without an account
    Links(links::Arguments),
    /// Read first touches, acceptances and returns back from the targets
    Sync(sync::Arguments),
    /// Record that a deal needs no handoff, with reason and approver
    Exempt(people::WithReason),
    /// Receive the providers' webhooks and hand over what was signed
    Serve(serve::Arguments),
    /// Work off what others receive into the same inbox
    Work(work::Arguments),
    /// Hand over the payload files of a folder, and those that come
    Watch(watch::Arguments),
    /// List, show, retry or drop what was received
    Inbox(inbox::Arguments),
    /// Ask the providers for signed documents that never arrived
    CatchUp(catch_up::Arguments),
    /// Explain a rule: why it matters, an example, how to mend it
    Explain(explain::Arguments),
    /// List all rules
    Rules(explain::ListArguments),
    /// Print a schema
    Schema(schema::Arguments),
    /// Print a brief's page
    Render(render::Arguments),
    /// Print the completions of a shell
    Completions(reference::CompletionsArguments),
    /// Print the manual page
    Man,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, with what to do next.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, CliError> {
        match self {
            Self::Init(arguments) => init::run(arguments, invocation),
            Self::Demo(arguments) => demo::run(arguments, invocation),
            Self::Draft(arguments) => draft::run(arguments, invocation),
            Self::Sign(arguments) => sign::run(arguments, invocation),
            Self::Deliver(arguments) => deliver::run(arguments, invocation),
            Self::Refresh(arguments) => refresh::run(arguments, invocation),
            Self::Validate(arguments) => validate::run(arguments, invocation),
            Self::Audit(arguments) => audit::run(arguments, invocation),
            Self::Verify(arguments) => verify::run(arguments, invocation),
            Self::Status(arguments) => status::run(arguments, invocation),
            Self::Why(arguments) => why::run(arguments, invocation),
            Self::Backfill(arguments) => backfill::run(arguments, invocation),
            Self::Coverage(arguments) => coverage::run(arguments, invocation),
            Self::Doctor(arguments) => doctor::run(arguments, invocation),
            Self::Accept(arguments) => people::run(EventKind::Accepted, arguments, invocation),
            Self::Return(arguments) => {
                people::run_with_reason(EventKind::Returned, arguments, invocation)
            }
            Self::Resubmit(arguments) => people::run(EventKind::Resubmitted, arguments, invocation),
            Self::Touch(arguments) => people::run(EventKind::Touched, arguments, invocation),
            Self::Assign(arguments) => people::run_assign(arguments, invocation),
            Self::Promises(arguments) => promises::run(arguments, invocation),
            Self::Links(arguments) => links::run(arguments, invocation),
            Self::Sync(arguments) => sync::run(arguments, invocation),
            Self::Exempt(arguments) => {
                people::run_with_reason(EventKind::Exempted, arguments, invocation)
            }
            Self::Serve(arguments) => serve::run(arguments, invocation),
            Self::Work(arguments) => work::run(arguments, invocation),
            Self::Watch(arguments) => watch::run(arguments, invocation),
            Self::Inbox(arguments) => inbox::run(arguments, invocation),
            Self::CatchUp(arguments) => catch_up::run(arguments, invocation),
            Self::Explain(arguments) => explain::run(arguments, invocation),
            Self::Rules(arguments) => explain::list(arguments, invocation),
            Self::Schema(arguments) => schema::run(arguments, invocation),
            Self::Render(arguments) => render::run(arguments, invocation),
            Self::Completions(arguments) => reference::completions(arguments, invocation),
            Self::Man => reference::man(invocation),
        }
    }
}
