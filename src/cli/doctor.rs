//! `handoff doctor`: every connection, secret, permission and mapping, each
//! failure with its remedy.

use clap::Args;
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::inbox_argument::inbox_counts;
use super::invocation::Invocation;
use super::open::{
    Ports, check_columns, config_checks, export_root, open, open_crm, open_sinks, requested,
};
use crate::crm::Triggers;
use crate::disk::Access;
use crate::esign::Providers;
use crate::ledger::PushProbe;
use crate::model::{Check, CheckLevel, Secrets, count};
use crate::webhook::{self, Route};
use crate::workflow::{Context, check_touches};

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only what needs no network
    #[arg(long)]
    offline: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// What waits in the inbox for a person; nothing where there is none.
fn inbox(context: &Context, invocation: &Invocation) -> Option<Check> {
    Some(match inbox_counts(&context.ledger, invocation)? {
        Ok(counts) if counts.failed > 0 => Check::failed(
            "inbox",
            format!("{} failed", count(counts.failed, "event")),
            "`handoff inbox list --state failed` says why; `handoff inbox retry --failed` tries again",
        ),
        Ok(counts) if counts.held > 0 => Check::warning(
            "inbox",
            format!("{} held: it is not certain what they are", count(counts.held, "event")),
            "`handoff inbox list --state held` says why; add a rule under `documents:`, or `handoff inbox release ID --as contract`",
        ),
        Ok(_) => Check::ok("inbox", "nothing waits for a person"),
        Err(error) => Check::failed("inbox", error.to_string(), "make it readable again"),
    })
}

/// Whether a message about a held document can go out, where somebody is to get one.
fn told_of_held(context: &Context) -> Option<Check> {
    let (to, post) = (&context.config.tell_of_held, &context.config.post_of_held);
    let deliver = &context.config.deliver;
    let named = |via: &&&str| deliver.rows().all(|row| row.name != **via);
    let lacks = post.iter().find(named);
    let told = to.iter().map(String::as_str).chain(post.iter().copied()).collect::<Vec<_>>();
    (!told.is_empty()).then(|| match lacks {
        _ if !to.is_empty() && !deliver.sends_notices() => Check::failed(
            "held_documents",
            "`tell` names addresses, and nothing sends mail",
            "configure `deliver.email`, or `deliver.outbox`",
        ),
        Some(via) => Check::failed(
            "held_documents",
            format!("`post` names {via}, and `deliver:` does not"),
            format!("configure `deliver.{via}`, or take it out"),
        ),
        None => Check::ok("held_documents", format!("{} told", told.join(", "))),
    })
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    check_columns(&context)?;
    let mut checks = vec![Check::ok("handoff.yaml", "read and valid")];
    checks.extend(config_checks(&context));
    checks.extend(ledger(&context, arguments.offline));
    checks.extend(signing(&context, invocation, arguments.offline));
    checks.extend(crate::workflow::check_workflows(
        context.ledger.root(),
        &context.config,
        context.ledger.branch(),
    ));
    checks.extend(webhooks(&context, invocation)?);
    checks.extend(inbox(&context, invocation));
    checks.extend(told_of_held(&context));
    invocation.block_on(async {
        match open_crm(invocation, &context.config, &export_root(&context.ledger)) {
            Ok(Some(crm)) if arguments.offline && context.config.crm.file().is_none() => {
                let detail = "its secrets are set; not tried, because this is offline";
                checks.push(Check::ok(crm.name().as_str(), detail));
            }
            Ok(Some(crm)) => {
                let of_crm = crm.checks(&requested(&context.config).named()).await;
                let is_reached = of_crm.first().is_some_and(|it| it.level != CheckLevel::Failed);
                checks.extend(of_crm);
                if is_reached && !arguments.offline {
                    checks.extend(check_touches(crm.as_ref(), &context.config).await);
                }
            }
            Ok(None) => checks.push(Check::warning(
                "crm",
                "no CRM is connected: briefs hold what the signed document says",
                "add `crm:` to handoff.yaml",
            )),
            Err(error) => {
                checks.push(Check::failed("crm", error.message, error.help.unwrap_or_default()))
            }
        }
        match open_sinks(invocation, &context.config, &context.ledger) {
            Ok(sinks) => {
                if sinks.is_empty() {
                    checks.push(Check::warning(
                        "deliver",
                        "nothing is delivered",
                        "add `deliver:` to handoff.yaml",
                    ));
                }
                for sink in sinks {
                    checks.extend(sink.checks(arguments.offline).await);
                }
            }
            Err(error) => checks.push(Check::failed(
                "deliver",
                error.details.join("; "),
                error.help.unwrap_or_default(),
            )),
        }
    })?;
    invocation.emit(
        arguments.format,
        || json!({"version": 1, "checks": checks}),
        || to_text(&checks),
    )?;
    Ok(if checks.iter().any(|check| check.level == CheckLevel::Failed) {
        Exit::CouldNot
    } else {
        Exit::Clean
    })
}

fn ledger(context: &Context, offline: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    match context.ledger.tip() {
        Ok(Some(tip)) => checks.push(Check::ok(
            "ledger",
            format!("{} at {}", context.ledger.branch(), &tip.to_string()[..12]),
        )),
        Ok(None) => {
            checks.push(Check::warning("ledger", "no commit yet", "`handoff init` makes the first"))
        }
        Err(error) => checks.push(Check::failed("ledger", error.to_string(), error.help())),
    }
    if let Err(error) = crate::disk::temporary_in(context.ledger.git_dir(), Access::Shared) {
        checks.push(Check::failed(
            "ledger",
            format!("nothing can be written to {}: {error}", context.ledger.git_dir().display()),
            "run handoff as the user whom the ledger belongs to, and see that the disk has room",
        ));
    }
    if context.ledger.git_dir().join("shallow").exists() {
        checks.push(Check::failed(
            "ledger history",
            "this clone is shallow: an audit cannot see its past",
            "run `git fetch --unshallow`",
        ));
    }
    match context.ledger.remote() {
        Some(remote) => checks.push(push(context, &remote, offline)),
        None => checks.push(Check::warning(
            "remote",
            "there is none: the ledger lives on this machine alone",
            "run `git remote add origin URL`",
        )),
    }
    checks
}

/// Whether commits are signed where the branch takes no others.
fn signing(context: &Context, invocation: &Invocation, offline: bool) -> Option<Check> {
    let (ledger, what) = (&context.ledger, "signed commits");
    let signs = ledger.signs_commits();
    let own = signs.then(|| Check::ok(what, "git signs every commit of handoff (commit.gpgsign)"));
    let links = ledger.web_links().filter(|_| !offline);
    let forge = links.map(|links| {
        let secrets = invocation.secrets().map_err(|error| error.message)?;
        context.config.deliver.forge(links.project(), &secrets)
    });
    // Another forge, or no access to this one: only a push shows what it takes.
    let Some(Ok(forge)) = forge else { return own };
    let asked = invocation.block_on(forge.requires_signatures(ledger.branch())).ok()?;
    Some(match asked {
        Ok(true) if !signs => Check::failed(
            what,
            format!("{} takes signed commits only, and git does not sign here", ledger.branch()),
            "give git a key and run `git config commit.gpgsign true` (docs/ledger.md)",
        ),
        Ok(_) => return own,
        Err(error) => Check::warning(
            what,
            format!("GitHub does not say whether {} requires them: {error}", ledger.branch()),
            "let the token read the repository's metadata",
        ),
    })
}

/// Whether the remote takes what is written, and has it.
fn push(context: &Context, remote: &str, offline: bool) -> Check {
    let unpushed = match context.ledger.unpushed() {
        Ok(unpushed) => unpushed,
        Err(error) => return Check::failed("remote", error.to_string(), error.help()),
    };
    let asked = unpushed.as_ref().is_none_or(|unpushed| unpushed.asked);
    let behind = unpushed.map(|unpushed| unpushed.to_string());
    let probed = if offline { Ok(None) } else { context.ledger.probe_push() };
    let failed = |what: String, remedy: String| {
        let behind = behind.as_ref().map_or_else(String::new, |behind| format!("; {behind}"));
        Check::failed("remote", format!("{what}{behind}"), remedy)
    };
    let by_hand = format!("`git ls-remote {remote}`");
    let url = context.ledger.remote_url(remote).unwrap_or_default();
    match (probed, &behind) {
        (Err(error), _) => failed(format!("{remote}: {error}"), error.help()),
        (Ok(Some(PushProbe::Silent(why))), _) => failed(
            format!("{remote} does not answer: {why}"),
            format!(
                "see whether {by_hand} answers (network, proxy, firewall, a prompt that waits); `limits: {{remote: 2m}}` in handoff.yaml waits longer for a slow one"
            ),
        ),
        (Ok(Some(PushProbe::Unreachable(why))), _) => failed(
            format!("{remote} cannot be reached at {url}: {why}"),
            format!(
                "check the address with `git remote -v`, the network, and that this account may read the repository: {by_hand} must work"
            ),
        ),
        (Ok(Some(PushProbe::Refuses(why))), _) => failed(
            format!("{remote} refuses a push to {}: {why}", context.ledger.branch()),
            "allow this account to push to the branch (a token or key that may write, branch protection, hooks)".to_owned(),
        ),
        (Ok(_), Some(behind)) if !asked => Check::warning(
            "remote",
            behind.clone(),
            "run `handoff deliver`, which asks it, and pushes what it lacks",
        ),
        (Ok(_), Some(behind)) => Check::failed(
            "remote",
            behind.clone(),
            "run `handoff deliver`, which pushes them and says why where the remote refuses",
        ),
        (Ok(_), None) => Check::ok("remote", format!("what is written is pushed to {remote}")),
    }
}

/// The webhooks of the configured providers and of the CRM: what they need.
/// Values are never shown.
fn webhooks(context: &Context, invocation: &Invocation) -> Result<Vec<Check>, CliError> {
    let secrets = invocation.secrets()?;
    let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
    let mut checks = Vec::new();
    for provider in providers.configured() {
        let what = format!("esign {}", provider.name());
        let refused = "its webhooks are refused; `handoff sign FILE` works";
        checks.push(webhook(provider, &secrets, what, refused));
    }
    if let Some(trigger) = Triggers::new(&context.config.crm).connected() {
        let what = format!("crm {} webhook", trigger.name());
        let has_secret = trigger.secret_names().iter().any(|name| !secrets.list(name).is_empty());
        checks.push(if trigger.is_configured() || has_secret {
            webhook(trigger, &secrets, what, "its webhooks are refused")
        } else {
            Check::ok(what, "not set up: a deal that is won without an e-signature is found by `handoff audit`, not at once")
        });
    }
    Ok(checks)
}

/// Whether one webhook has what it needs.
fn webhook(route: &dyn Route, secrets: &Secrets, what: String, refused: &str) -> Check {
    if let Some(why) = webhook::unusable(route, secrets) {
        let remedy = "set the whole key; several keys are separated by commas".to_owned();
        return Check::warning(what, format!("{why}: {refused}"), remedy);
    }
    let lacks = webhook::lacks(route, secrets);
    let Some(names) = (!lacks.is_empty()).then(|| lacks.join(" and ")) else {
        let keys = route.secret_names().first().map_or(0, |name| secrets.list(name).len());
        return Check::ok(what, format!("{} set", count(keys, "key")));
    };
    let remedy = match route.missing_setting() {
        Some(_) => format!("set {names}; docs/crm.md says how"),
        None => format!("set {names}, or {names}_FILE"),
    };
    Check::warning(what, format!("{names} is not set: {refused}"), remedy)
}

fn to_text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let word = match check.level {
            CheckLevel::Ok => "ok      ",
            CheckLevel::Warning => "warning ",
            CheckLevel::Failed => "FAILED  ",
        };
        text.push_str(&format!("{word} {}: {}\n", check.what, check.detail));
        if let Some(remedy) = check.remedy.as_deref().filter(|remedy| !remedy.is_empty()) {
            text.push_str(&format!("          → {remedy}\n"));
        }
    }
    let of = |level| checks.iter().filter(|check| check.level == level).count();
    text.push_str(&format!(
        "\n{}: {} failed, {}\n",
        count(checks.len(), "check"),
        of(CheckLevel::Failed),
        count(of(CheckLevel::Warning), "warning")
    ));
    crate::text::terminal(&text)
}
