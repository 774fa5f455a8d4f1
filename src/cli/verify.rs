//! `handoff verify`: the chain of checkpoints, their signers, and whether the
//! ledger's history still holds what they saw.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::audit::check_trust;
use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::open::{Ports, open};
use crate::ledger::ChosenParents;
use crate::model::count;
use crate::workflow::{self, CheckpointChain, Strictness};

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Who may sign checkpoints: a file of git's allowed signers, kept outside of the ledger
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Whose timestamps count: certificates (PEM) of authorities, in a file kept outside of the ledger
    #[arg(long, value_name = "FILE")]
    tsa_trust: Option<PathBuf>,
    /// Look at what this clone has and do not ask the remote
    #[arg(long)]
    offline: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    check_trust(arguments.trust.as_deref(), invocation)?;
    let context = open(invocation, Ports::default())?;
    let branch = match context.ledger.remote_branch()? {
        Some(branch) => Some(branch),
        None => context.ledger.tip()?.map(|tip| tip.to_string()),
    };
    let head = branch.map(|branch| context.ledger.snapshot_at(&branch)).transpose()?;
    let Some(head) = head.and_then(|snapshot| snapshot.commit()) else {
        return Err(CliError::nothing("the ledger has no commit"));
    };
    let trust = arguments.trust.as_deref().map(|file| invocation.path(file));
    let tsa_trust = arguments.tsa_trust.as_deref().map(|file| invocation.path(file));
    if let Some(file) = tsa_trust.as_ref().filter(|file| !file.is_file()) {
        return Err(CliError::usage(format!(
            "--tsa-trust {}: there is no such file",
            file.display()
        ))
        .help("name a file with the certificate of the authority's issuer, in PEM"));
    }
    let strictness = Strictness {
        ask_remote: !arguments.offline,
        required: false,
        trust: trust.as_deref(),
        tsa_trust: tsa_trust.as_deref(),
    };
    let mut chain = workflow::read_chain(&context.ledger, invocation.now, strictness)?;
    chain.compare(&context.ledger, &ChosenParents::default(), head);
    let notes: Vec<&String> = chain.unchecked.iter().chain(&chain.notes).collect();
    for note in &notes {
        invocation.warn(format!("warning: {note}"));
    }
    invocation.emit(
        arguments.format,
        || json!({
            "version": 1, "head": head, "checkpoints": chain.checkpoints, "faults": chain.faults,
            "notes": notes, "timestamps": timestamps(&chain),
        }),
        || crate::text::terminal(&to_text(&chain, notes.is_empty())),
    )?;
    let is_sound = chain.faults.is_empty()
        && chain.timestamps.values().all(Result::is_ok)
        && chain
            .checkpoints
            .iter()
            .all(|it| it.contained && it.displaced_by.is_none() && it.faults.is_empty());
    Ok(match (is_sound, chain.checkpoints.is_empty(), notes.is_empty()) {
        (false, ..) => Exit::Findings,
        (true, _, false) => Exit::CouldNot,
        (true, true, true) => Exit::Nothing,
        (true, false, true) => Exit::Clean,
    })
}

/// The timestamps by checkpoint: the time, or why it does not count.
fn timestamps(chain: &CheckpointChain) -> Vec<serde_json::Value> {
    let told = chain.timestamps.iter().map(|(name, stamped)| match stamped {
        Ok(at) => json!({"checkpoint": name, "at": at}),
        Err(why) => json!({"checkpoint": name, "fault": why}),
    });
    told.collect()
}

fn to_text(chain: &CheckpointChain, is_whole: bool) -> String {
    let mut text = String::new();
    for checkpoint in &chain.checkpoints {
        let signed = match (&checkpoint.signer, checkpoint.is_signed) {
            (Some(signer), _) => format!("signed by {signer}"),
            (None, true) => "signed".to_owned(),
            (None, false) => "not signed".to_owned(),
        };
        let at = checkpoint.at.format("%Y-%m-%d %H:%M UTC");
        let tip = &checkpoint.tip.to_string()[..10];
        let deals = count(checkpoint.deals.len(), "deal");
        text.push_str(&format!("{at}  {tip}  {deals}, {signed}\n"));
        if !checkpoint.contained {
            text.push_str("  the history no longer contains it\n");
        }
        if let Some(merge) = checkpoint.displaced_by {
            let merge = &merge.to_string()[..10];
            text.push_str(&format!(
                "  the history contains it only behind merge {merge}, whose first parent is another line\n"
            ));
        }
        for fault in &checkpoint.faults {
            text.push_str(&format!("  it {fault}\n"));
        }
        match chain.timestamps.get(&checkpoint.name) {
            Some(Ok(at)) => {
                let at = at.format("%Y-%m-%d %H:%M:%S UTC");
                text.push_str(&format!("  timestamped {at}\n"));
            }
            Some(Err(why)) => text.push_str(&format!("  its timestamp does not count: {why}\n")),
            None => {}
        }
    }
    for fault in &chain.faults {
        text.push_str(&format!("{fault}\n"));
    }
    if chain.checkpoints.is_empty() && chain.faults.is_empty() && is_whole {
        return text + "no checkpoint yet; `handoff audit --checkpoint` makes the first one\n";
    }
    text.push_str(&format!("{}\n", count(chain.checkpoints.len(), "checkpoint")));
    text
}
