//! The arguments that every command shares, and the list of commands.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::offered::Offered;
use super::{
    audit, backfill, catch_up, coverage, deliver, demo, doctor, draft, explain, inbox, init, links,
    mcp, offered, people, plan, promises, propose, reference, refresh, render, schema, serve, sign,
    status, sync, validate, verify, watch, why, work,
};
use crate::brief::EventKind;

/// Turns a signed contract into the brief that customer success needs, in git, and audits that no deal was missed.
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
    Your own export: `handoff audit --deals export.csv`, in any folder.\n\
    Exit codes: 0 done and clean · 1 findings at or above --fail-level · 2 usage or configuration · 3 could not do or could not check all of it · 4 a name that was given matches nothing."
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
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    pub directory: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, help_heading = EVERYWHERE)]
    pub color: ColorChoice,
    /// Only warnings and errors on standard error
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub quiet: bool,
    /// Say what is read and done; twice for debugging. Never shows a secret
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = EVERYWHERE)]
    pub verbose: u8,
    /// How the log on standard error is written
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true, help_heading = EVERYWHERE)]
    pub log_format: LogFormat,
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

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object on each line.
    Json,
}

/// The heading of what every command takes; its own options come first.
const EVERYWHERE: &str = "Everywhere";

/// Lines that work in the demo's folder, with what each does, for the help of
/// each command.
pub(super) const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "init",
        &[
            ("handoff init", "asks questions, and sets up a ledger in this folder"),
            (
                "handoff init acme --crm hubspot --esign pandadoc --github acme/handoffs",
                "takes the answers from its options",
            ),
        ],
    ),
    (
        "demo",
        &[
            ("handoff demo", "a small company's story in the folder handoff-demo"),
            ("handoff demo elsewhere --verbose", "all of it, in another folder"),
        ],
    ),
    (
        "draft",
        &[(
            "handoff draft --deal 9876543214",
            "a brief before the signature, and who is asked for what is missing",
        )],
    ),
    (
        "sign",
        &[
            (
                "handoff sign events/01-acme-corp.pandadoc.json",
                "the payload of a provider's webhook",
            ),
            ("handoff sign --deal 9876543214", "a deal that is won without an e-signature"),
        ],
    ),
    (
        "deliver",
        &[
            ("handoff deliver --dry-run", "what would be made"),
            ("handoff deliver hubspot-9876543210", "for one handoff"),
            ("handoff deliver --since 2026-11", "for all of November and later"),
        ],
    ),
    (
        "plan",
        &[
            ("handoff plan --deals deals.csv", "what the changed files of the checkout would do"),
            ("handoff plan --base HEAD --format markdown", "for a comment on a pull request"),
            ("handoff plan --base HEAD --fail-on class", "exit 1 when a deal changes its class"),
        ],
    ),
    (
        "refresh",
        &[
            ("handoff refresh", "every deal of the last 120 days"),
            ("handoff refresh acme --dry-run", "what would change in one brief"),
            ("handoff refresh --changed-since 7d", "what the CRM says was changed in a week"),
        ],
    ),
    (
        "validate",
        &[
            ("handoff validate", "every brief"),
            (
                "handoff validate --since HEAD~1 --format github",
                "what a pull request changed, as annotations",
            ),
            ("handoff validate --fix", "renders pages that are not up to date"),
        ],
    ),
    (
        "audit",
        &[
            ("handoff audit --deals deals.csv", "an export is enough, in any folder"),
            ("handoff audit --deals deals.csv --from 2026-11 -o audit.html", "November as a page"),
            (
                "handoff audit --as-of 2026-11-20T17:00:00Z --format json",
                "the CRM of handoff.yaml, as it stood then",
            ),
        ],
    ),
    ("verify", &[("handoff verify --trust ../allowed-signers", "who signed the checkpoints")]),
    (
        "status",
        &[
            ("handoff status", "every open handoff"),
            ("handoff status acme", "one handoff's story, by customer, key, deal id or task"),
            ("handoff status --all --since 30d", "those that are done, too"),
        ],
    ),
    (
        "why",
        &[
            ("handoff why acme", "each answer of a brief, its source and the line of the mapping"),
            ("handoff why acme success.metric", "one answer, and what it said before"),
            ("handoff why acme --check", "asks the CRM again; exit 1 if it says something else"),
        ],
    ),
    (
        "propose",
        &[(
            "handoff propose brightwater-logistics --file answers.yaml --by call-notes --cite \"call 2026-11-03\"",
            "what a tool would answer, for a person to merge",
        )],
    ),
    (
        "backfill",
        &[("handoff backfill --deals deals.csv --dry-run", "what is missing and would be made")],
    ),
    (
        "coverage",
        &[
            ("handoff coverage --deals deals.csv", "an export is enough, in any folder"),
            (
                "handoff coverage --deals deals.csv --write",
                "puts lines that answer more into handoff.yaml",
            ),
        ],
    ),
    (
        "doctor",
        &[
            ("handoff doctor", "asks each server"),
            ("handoff doctor --offline", "settings and secrets only"),
        ],
    ),
    ("accept", &[("handoff accept acme-corp --by samlee", "the CSM accepts it")]),
    (
        "return",
        &[(
            "handoff return brightwater-logistics --by noorh --reason \"unanswered: no success metric\"",
            "back to the rep",
        )],
    ),
    (
        "resubmit",
        &[(
            "handoff resubmit brightwater-logistics --by \"Priya Raman\"",
            "the rep has completed the brief",
        )],
    ),
    (
        "touch",
        &[(
            "handoff touch northwind-robotics --by samlee --at yesterday",
            "the first contact with the customer",
        )],
    ),
    (
        "assign",
        &[("handoff assign northwind-robotics noorh --by \"Alex Kim\"", "another CSM takes it")],
    ),
    (
        "promises",
        &[
            ("handoff promises", "the open ones, what is due first"),
            (
                "handoff promises --due-before 2027-02 --owner platform --format csv",
                "for a spreadsheet",
            ),
            ("handoff promises keep acme-corp 1 --by samlee", "one is kept"),
        ],
    ),
    (
        "promises keep",
        &[(
            "handoff promises keep acme-corp 1 --by samlee --reason \"SSO is live\"",
            "the number is the one that `handoff promises acme-corp` shows",
        )],
    ),
    (
        "sync",
        &[
            ("handoff sync --dry-run", "what people did on their tasks"),
            ("handoff sync --since 7d", "of the last week's handoffs"),
        ],
    ),
    (
        "exempt",
        &[(
            "handoff exempt hubspot-9876543217 --by \"Alex Kim\" --reason \"a paid pilot\"",
            "this deal needs none",
        )],
    ),
    ("serve", &[("handoff serve --listen 127.0.0.1:8080", "webhooks come in, handoffs go out")]),
    ("work", &[("handoff work --once", "processes what is due now, then ends")]),
    ("watch", &[("handoff watch /srv/signed --poll 30", "a folder where payload files arrive")]),
    (
        "links",
        &[
            ("handoff links show acme-corp", "everybody who can answer, with a link each"),
            ("handoff links make acme-corp --as rep", "one link"),
        ],
    ),
    (
        "links show",
        &[("handoff links show acme-corp", "everybody who can answer, with a link each")],
    ),
    ("links make", &[("handoff links make acme-corp --as rep", "the rep's own link")]),
    (
        "links revoke",
        &[
            ("handoff links revoke acme-corp", "all links of this handoff"),
            ("handoff links revoke dana@example.com", "all links of this person"),
        ],
    ),
    ("mcp", &[("handoff mcp", "an assistant starts it and speaks to it; docs/assistants.md")]),
    (
        "inbox",
        &[
            ("handoff inbox list", "what waits or failed"),
            ("handoff inbox retry --failed", "all that failed, again"),
        ],
    ),
    (
        "inbox list",
        &[
            ("handoff inbox list", "what waits, is held or failed"),
            ("handoff inbox list --state held", "what a person has to decide"),
        ],
    ),
    (
        "inbox show",
        &[("handoff inbox show 3f2a9c01", "one event: what was received and went wrong")],
    ),
    (
        "inbox retry",
        &[
            ("handoff inbox retry 3f2a9c01", "this event, at once"),
            ("handoff inbox retry --failed", "all that failed"),
        ],
    ),
    (
        "inbox release",
        &[("handoff inbox release 3f2a9c01 --as contract", "a held document is one")],
    ),
    ("inbox drop", &[("handoff inbox drop 3f2a9c01", "no handoff is made of it")]),
    ("catch-up", &[("handoff catch-up --since 7d --dry-run", "documents that never arrived")]),
    ("explain", &[("handoff explain missing-handoff", "why it matters and what to do")]),
    ("rules", &[("handoff rules", "every rule"), ("handoff rules --format json", "for programs")]),
    ("schema", &[("handoff schema brief", "the schema of briefs")]),
    (
        "render",
        &[
            ("handoff render acme", "the page"),
            ("handoff render acme --preview", "what each target would be sent"),
        ],
    ),
    (
        "completions",
        &[("handoff completions bash", "loads them in bash: source <(handoff completions bash)")],
    ),
    ("man", &[("handoff man audit", "one command's page: handoff man audit | man -l -")]),
];

/// The arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct ManArguments {
    /// The command [default: handoff itself, with all of them]
    #[arg(value_name = "COMMAND", value_parser = Offered(command_names))]
    command: Option<String>,
}

fn command_names() -> Vec<&'static str> {
    EXAMPLES.iter().map(|(name, _)| *name).filter(|name| !name.contains(' ')).collect()
}

/// A command with one below it changed, however deep: `links make`.
fn deep(
    command: clap::Command,
    name: &str,
    change: &dyn Fn(clap::Command) -> clap::Command,
) -> clap::Command {
    match name.split_once(' ') {
        Some((outer, inner)) => {
            command.mut_subcommand(outer, |command| deep(command, inner, change))
        }
        None => command.mut_subcommand(name, change),
    }
}

/// The whole command line as it is run and described.
#[must_use]
pub(super) fn command() -> clap::Command {
    let mut command = Cli::command();
    for (name, examples) in EXAMPLES {
        command = deep(command, name, &|command| {
            let takes_time = command.get_arguments().any(|argument| {
                argument
                    .get_value_names()
                    .is_some_and(|names| names.iter().any(|name| name.as_str().contains("TIME")))
            });
            let mut text = "Examples:\n".to_owned();
            for (line, what) in *examples {
                text.push_str(&format!("  {line}\n      {what}\n"));
            }
            if takes_time {
                text.push_str(&format!("\n{}\n", super::when::HELP));
            }
            command.after_help(text.trim_end().to_owned())
        });
    }
    offered::completed(command)
}

/// The commands, one file each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a ledger in a folder: settings, schema, templates, workflows
    Init(init::Arguments),
    /// Show a small company end to end, without any account
    Demo(demo::Arguments),
    /// Make a brief before the signature, and ask for what is missing
    Draft(draft::Arguments),
    /// Make the handoff of one signed contract
    Sign(sign::Arguments),
    /// Make every delivery that is missing
    Deliver(deliver::Arguments),
    /// Read the deals again: commit what the CRM corrected, and notify everybody who was told before
    Refresh(refresh::Arguments),
    /// Check briefs against the schema and the rules
    Validate(validate::Arguments),
    /// Compare the ledger's history with the closed-won deals
    Audit(audit::Arguments),
    /// Check the checkpoints that audits left: their chain, signers and history
    Verify(verify::Arguments),
    /// Show the state of the open handoffs, or the story of one
    Status(status::Arguments),
    /// Show where the answers of a brief come from, and what they said before
    Why(why::Arguments),
    /// Propose answers for a person to confirm, each with its citation, as a branch or pull request
    Propose(propose::Arguments),
    /// Make the briefs that an audit found missing
    Backfill(backfill::Arguments),
    /// Show which questions the CRM's data can answer, by field and rep
    Coverage(coverage::Arguments),
    /// Show what a change of settings, schema or templates would do, before it is merged
    Plan(plan::Arguments),
    /// Check every connection, secret, permission and mapping
    Doctor(doctor::Arguments),
    /// Record that the CSM accepts a handoff
    Accept(people::PersonArguments),
    /// Record that the CSM returns a handoff to the rep, with the reason
    Return(people::WithReason),
    /// The rep has fixed a returned brief: send it to the CSM again, with what changed
    Resubmit(people::PersonArguments),
    /// Record the CSM's first human contact with the customer
    Touch(people::PersonArguments),
    /// Assign a handoff to another CSM
    Assign(people::AssignArguments),
    /// List what reps have promised, kept or open; record that one is kept
    Promises(promises::Arguments),
    /// Make or withdraw links with which a CSM or a rep answers in a browser, without an account
    Links(links::Arguments),
    /// Read first touches, acceptances and returns back from the targets
    Sync(sync::Arguments),
    /// Record that a deal needs no handoff, with reason and approver
    Exempt(people::WithReason),
    /// Receive webhooks and make the handoff of each signed contract
    Serve(serve::Arguments),
    /// Process the events that other machines receive into the same inbox
    Work(work::Arguments),
    /// Make the handoffs of the payload files in a folder, now and as they arrive
    Watch(watch::Arguments),
    /// Let an assistant read the ledger, over the Model Context Protocol on standard input and output
    Mcp(mcp::Arguments),
    /// List, show, retry or drop what was received
    Inbox(inbox::Arguments),
    /// Ask the providers for signed documents that never arrived
    CatchUp(catch_up::Arguments),
    /// Explain a rule: why it matters, an example, how to fix it
    Explain(explain::Arguments),
    /// List all rules
    Rules(explain::ListArguments),
    /// Print a schema
    Schema(schema::Arguments),
    /// Print a brief's page
    Render(render::Arguments),
    /// Print the completions of a shell
    Completions(reference::CompletionsArguments),
    /// Print the manual page of handoff or of one command
    Man(ManArguments),
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
            Self::Propose(arguments) => propose::run(arguments, invocation),
            Self::Backfill(arguments) => backfill::run(arguments, invocation),
            Self::Coverage(arguments) => coverage::run(arguments, invocation),
            Self::Plan(arguments) => plan::run(arguments, invocation),
            Self::Doctor(arguments) => doctor::run(arguments, invocation),
            Self::Accept(arguments) => people::run(EventKind::Accepted, arguments, invocation),
            Self::Return(arguments) => {
                people::run_with_reason(EventKind::Returned, arguments, invocation)
            }
            Self::Resubmit(arguments) => people::run(EventKind::Resubmitted, arguments, invocation),
            Self::Touch(arguments) => people::run(EventKind::Touched, arguments, invocation),
            Self::Assign(arguments) => people::run_assign(arguments, invocation),
            Self::Promises(arguments) => promises::run(arguments, invocation),
            Self::Mcp(arguments) => mcp::run(arguments, invocation),
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
            Self::Man(arguments) => reference::man(
                arguments.command.as_deref(),
                command(),
                &command_names(),
                invocation,
            ),
        }
    }
}
