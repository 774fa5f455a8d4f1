//! `handoff links`: links by which a CSM or a rep answers without an account;
//! and what answers them in `serve`.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::hand_over::LedgerHandler;
use super::intake::{A_MOMENT, Intake};
use super::invocation::Invocation;
use super::keys::find_whole_key;
use super::open::{Ports, links, open};
use crate::deliver::Links;
use crate::intake::{LinkHandler, LinkRoute, PostedFields, ServiceMetrics};
use crate::link::LinkRole;
use crate::model::{Key, Remarks};
use crate::text::{is_address, one_line, quoted, terminal};
use crate::time::{Clock, HumanDuration};
use crate::workflow::{self, Context, LINK_PAGE_STYLE, LinkReply};

/// The arguments of `links`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: LinksCommand,
}

/// What can be done about links.
#[derive(Debug, Subcommand)]
enum LinksCommand {
    /// Print a new link of the CSM or the rep of a handoff
    Make(Make),
    /// Print new links of everybody who can answer for a handoff
    Show(Show),
    /// Withdraw all links of a handoff or a person made so far
    Revoke(Revoke),
}

/// The arguments of `links make`.
#[derive(Debug, Args)]
struct Make {
    /// The handoff
    #[arg(value_name = "KEY")]
    key: String,
    /// Whose link
    #[arg(long = "as", value_name = "ROLE", value_enum)]
    role: RoleArgument,
    /// How long it is valid [default: `valid_for` in the settings]
    #[arg(long, value_name = "DURATION")]
    valid_for: Option<HumanDuration>,
}

/// The arguments of `links show`.
#[derive(Debug, Args)]
struct Show {
    /// The handoff
    #[arg(value_name = "KEY")]
    key: String,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// The arguments of `links revoke`.
#[derive(Debug, Args)]
struct Revoke {
    /// A handoff's key, or a person's e-mail address
    #[arg(value_name = "KEY|PERSON")]
    of: String,
    /// Who says so: a login, an e-mail address or a name
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArgument {
    /// Accept, return, touch, assign, keep promises
    Csm,
    /// Answer what is missing
    Rep,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    match &arguments.command {
        LinksCommand::Make(make) => run_make(make, invocation),
        LinksCommand::Show(show) => run_show(show, invocation),
        LinksCommand::Revoke(revoke) => run_revoke(revoke, invocation),
    }
}

fn configured(invocation: &Invocation, context: &Context) -> Result<Links, CliError> {
    links(invocation, &context.config)?.ok_or_else(|| {
        CliError::usage("links are not set up")
            .help("set `deliver: {links: {public_url: https://…}}` in handoff.yaml to where people reach `handoff serve`")
    })
}

/// The link of one role with what it says; `None` where the brief names nobody.
fn link(
    links: &Links,
    context: &Context,
    key: &Key,
    role: LinkRole,
) -> Result<Option<(String, crate::link::Grant)>, CliError> {
    let stored = workflow::stored_anywhere(context, key)?;
    let brief = stored.as_ref().and_then(|stored| stored.brief.as_ref());
    let brief = brief.ok_or_else(|| {
        CliError::usage(format!("the ledger has no handoff {key}"))
            .help("`handoff status` lists the open ones")
    })?;
    let grant = links.grant(key, brief.json(), role, context.now);
    Ok(grant.map(|grant| (links.url(&grant), grant)))
}

fn run_make(make: &Make, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    let key = find_whole_key(&make.key, &context)?;
    let mut made = configured(invocation, &context)?;
    if let Some(valid_for) = make.valid_for {
        made.valid_for = valid_for.plain();
    }
    let role = match make.role {
        RoleArgument::Csm => LinkRole::Csm,
        RoleArgument::Rep => LinkRole::Rep,
    };
    let Some((url, grant)) = link(&made, &context, &key, role)? else {
        let at = role.pointer().trim_start_matches('/').replace('/', ".");
        return Err(CliError::usage(format!("the brief of {key} names no address of the {role}"))
            .help(format!("answer {at}.email in the brief")));
    };
    let until = grant.expires.format("%Y-%m-%d %H:%M UTC");
    invocation.say(format!("for {} as the {role} of {key}, until {until}", grant.person));
    invocation.print(format!("{url}\n"))?;
    Ok(Exit::Clean)
}

fn run_show(show: &Show, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    let key = find_whole_key(&show.key, &context)?;
    let made = configured(invocation, &context)?;
    let mut found = Vec::new();
    for role in [LinkRole::Csm, LinkRole::Rep] {
        found.extend(link(&made, &context, &key, role)?);
    }
    let is_empty = found.is_empty();
    let to_json = || {
        let rows: Vec<_> = found
            .iter()
            .map(|(url, grant)| json!({"role": grant.role.as_str(), "person": grant.person, "expires": grant.expires, "url": url}))
            .collect();
        json!({"version": 1, "key": key, "links": rows})
    };
    let to_text = || {
        let rows = found.iter().map(|(url, grant)| {
            let until = grant.expires.format("%Y-%m-%d");
            format!("{} {}, until {until}\n  {url}\n", grant.role, terminal(&grant.person))
        });
        rows.collect::<String>()
    };
    invocation.emit(show.format, to_json, to_text)?;
    Ok(if is_empty { Exit::Nothing } else { Exit::Clean })
}

fn run_revoke(revoke: &Revoke, invocation: &Invocation) -> Result<Exit, CliError> {
    let of = revoke.of.trim();
    if revoke.by.trim().is_empty() {
        return Err(CliError::usage("--by is empty").help("name who says so"));
    }
    let context = open(invocation, Ports { push: !revoke.no_push, ..Ports::default() })?;
    let of = match is_address(of) {
        true => of.to_lowercase(),
        false => {
            let help = "give a handoff's key, such as hubspot-9876543210, or a person's e-mail address, such as sam@example.com";
            let key = find_whole_key(of, &context).map_err(|error| error.help(help))?;
            if workflow::stored_anywhere(&context, &key)?.is_none() {
                let what = format!("{} is neither a handoff nor an e-mail address", quoted(of));
                return Err(CliError::nothing(what).help(help));
            }
            key.to_string()
        }
    };
    let mut remarks = Remarks::default();
    let (by, reason) = (Some(revoke.by.as_str()), revoke.reason.as_deref());
    workflow::revoke_links(&context, &of, by, reason, &mut remarks)?;
    context.push(&mut remarks)?;
    let exit = invocation.tell("", &remarks);
    invocation.print(terminal(&format!("{of}: all links made so far are withdrawn\n")))?;
    Ok(exit)
}

/// Answers the requests of links in `serve`.
pub(super) struct LedgerLinks {
    invocation: Invocation,
    clock: Clock,
    push: bool,
    changed: mpsc::UnboundedSender<Key>,
}

impl LedgerLinks {
    /// The route, where links are configured.
    pub(super) fn open(
        push: bool,
        intake: &Intake,
        invocation: &Invocation,
    ) -> Result<Option<LinkRoute>, CliError> {
        let context = open(invocation, Ports::default())?;
        let Some(made) = links(invocation, &context.config)? else { return Ok(None) };
        let origin = url::Url::parse(made.public_url.as_str())
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default();
        invocation.say(format!("links: answered at {}", made.public_url.join("/h/…")));
        let (changed, keys) = mpsc::unbounded_channel();
        let clock = Arc::clone(&intake.clock);
        follow(
            keys,
            LedgerParts {
                invocation: invocation.clone(),
                clock: Arc::clone(&clock),
                push,
                metrics: Arc::clone(&intake.metrics),
            },
        )?;
        let handler = Arc::new(Self { invocation: invocation.clone(), clock, push, changed });
        let hash = STANDARD.encode(Sha256::digest(LINK_PAGE_STYLE));
        Ok(Some(LinkRoute::new(handler, origin, format!("'sha256-{hash}'"))))
    }
}

struct LedgerParts {
    invocation: Invocation,
    clock: Clock,
    push: bool,
    metrics: Arc<ServiceMetrics>,
}

/// A thread that pushes and delivers what was changed, so that no page waits
/// for the network.
fn follow(mut keys: mpsc::UnboundedReceiver<Key>, parts: LedgerParts) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        let LedgerParts { invocation, clock, push, metrics } = parts;
        let handler = LedgerHandler::new(invocation, clock, push, A_MOMENT, metrics);
        runtime.block_on(async {
            while let Some(key) = keys.recv().await {
                let mut keys_now = vec![key];
                while let Ok(more) = keys.try_recv() {
                    keys_now.push(more);
                }
                keys_now.sort();
                keys_now.dedup();
                handler.follow(&keys_now).await;
            }
        });
    };
    std::thread::Builder::new().name("links".to_owned()).spawn(work)?;
    Ok(())
}

#[async_trait]
impl LinkHandler for LedgerLinks {
    async fn answer(&self, token: String, form: Option<PostedFields>) -> (u16, String) {
        let invocation = Invocation { now: (self.clock)(), ..self.invocation.clone() };
        let push = self.push && form.is_some();
        let work = move || -> Result<LinkReply, CliError> {
            let context = open(&invocation, Ports { push, ..Ports::default() })?;
            let made = configured(&invocation, &context)?;
            Ok(workflow::link_page(&context, &made.keys, &token, form.as_deref()))
        };
        let words = match tokio::task::spawn_blocking(work).await {
            Ok(Ok(reply)) => {
                if let Some(key) = reply.changed {
                    // Nobody listens any more when the program is ending; the next start delivers.
                    let _ = self.changed.send(key);
                }
                return (reply.status, reply.html);
            }
            Ok(Err(error)) => one_line(&error.render(false)),
            Err(_) => "the page crashed, which is a bug in handoff".to_owned(),
        };
        tracing::error!("a link cannot be answered: {}", terminal(&words));
        (503, "<!DOCTYPE html><html lang=\"en\"><title>Not now</title><p>The handoff cannot be read at the moment. Try again in a minute.</p></html>".to_owned())
    }
}
