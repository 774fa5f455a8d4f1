//! `handoff serve`: webhooks are received, stored, answered, processed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::error::CliError;
use super::exit::Exit;
use super::inbox_argument::InboxArgument;
use super::intake::{A_MOMENT, GRACE, Intake, Working, told_to_stop};
use super::invocation::Invocation;
use super::links::LedgerLinks;
use crate::http::BaseUrl;
use crate::intake::{LinkRoute, Senders, Service, router, serve as receive};
use crate::webhook::{self, Route};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one. TLS is a proxy's task
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// A proxy whose X-Forwarded-For is believed; may be given several times
    #[arg(long, value_name = "IP")]
    trusted_proxy: Vec<IpAddr>,
    /// Where people reach this server, such as https://handoff.example.com: then
    /// it offers the page behind a link, and what is sent holds links to it
    /// (default: `deliver.links.public_url`)
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    inbox: InboxArgument,
    /// Receive only; `handoff work` on another machine processes the inbox
    #[arg(long)]
    no_work: bool,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

/// An address with its port.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an address with a port, such as 127.0.0.1:8080",
            crate::text::quoted(text)
        )
    })
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let public_url = arguments.public_url.as_deref().map(BaseUrl::parse).transpose();
    let public_url = public_url.map_err(|why| {
        CliError::usage(format!("--public-url: {why}"))
            .help("give what people open in a browser, such as https://handoff.example.com")
    })?;
    let invocation = &Invocation { public_url, ..invocation.clone() };
    invocation.block_on(async {
        let intake = Intake::open(&arguments.inbox, invocation).await?;
        serve(arguments, &intake, invocation).await
    })??;
    Ok(Exit::Clean)
}

async fn serve(
    arguments: &Arguments,
    intake: &Intake,
    invocation: &Invocation,
) -> Result<(), CliError> {
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        CliError::could_not(format!("cannot listen on {}: {error}", arguments.listen))
            .help("another program may use it; choose another with --listen")
    })?;
    let address = listener.local_addr()?;
    // Before anybody is told that it listens: whoever then changes the settings ends nothing.
    let handler = LedgerLinks::open(!arguments.no_push, intake, invocation)?;
    let service = Arc::new(service(arguments, intake, handler));
    let (stop, stopped) = watch::channel(false);
    let mut working = match arguments.no_work {
        true => None,
        false => Some(Working::start(
            intake.worker(!arguments.no_push, A_MOMENT, invocation),
            Arc::clone(&intake.metrics),
            stopped.clone(),
        )?),
    };
    introduce(intake, invocation);
    invocation.print(format!("listening on http://{address}\n"))?;
    let hangup = tokio::spawn(read_again_when_told(Arc::clone(&service.senders)));
    let server = tokio::spawn(receive(listener, router(service), stopped.clone()));
    let broke_off = tokio::select! {
        told = told_to_stop() => told.map(|()| false)?,
        () = async { match &mut working { Some(working) => working.ended().await, None => std::future::pending().await } } => true,
    };
    tracing::info!("stopping: no new requests are accepted, running ones are finished");
    // Both sides listen to this; neither can be gone yet.
    let _ = stop.send(true);
    hangup.abort();
    match tokio::time::timeout(GRACE, server).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => {
            return Err(CliError::could_not("the server crashed")
                .help("start again; every event is still in the inbox"));
        }
        Err(_) => {
            tracing::warn!("some requests were not finished; their providers send them again");
        }
    }
    if let Some(working) = working {
        working.finish().await?;
    }
    if broke_off {
        return Err(CliError::could_not("the worker stopped unexpectedly")
            .help("start again; every event is still in the inbox"));
    }
    Ok(())
}

fn service(arguments: &Arguments, intake: &Intake, links: Option<LinkRoute>) -> Service {
    let ledger = intake.ledger.clone();
    Service {
        senders: Arc::new(intake.senders()),
        inbox: Arc::clone(&intake.inbox),
        metrics: Arc::clone(&intake.metrics),
        clock: Arc::clone(&intake.clock),
        ledger: Arc::new(move || {
            let unpushed = ledger.tip().and_then(|_| ledger.unpushed());
            unpushed
                .map(|unpushed| unpushed.map_or(0, |unpushed| unpushed.commits))
                .map_err(|error| error.to_string())
        }),
        trusted_proxies: arguments.trusted_proxy.iter().map(IpAddr::to_canonical).collect(),
        links,
    }
}

/// SIGHUP: settings and secrets are read again at once.
async fn read_again_when_told(senders: Arc<Senders>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            senders.read_again();
            tracing::info!("settings and secrets are read again");
        }
    }
    #[cfg(not(unix))]
    drop(senders);
}

/// Says which routes are open, and which refuse for want of a secret or setting.
fn introduce(intake: &Intake, invocation: &Invocation) {
    invocation.say(format!("inbox: {}", intake.inbox.location()));
    let configured: Vec<&str> =
        intake.connections.providers.configured().map(Route::name).collect();
    let mut unset = Vec::new();
    let providers = intake.connections.providers.iter().map(|provider| {
        let route: &dyn Route = provider;
        (route, configured.contains(&route.name()), "accepted")
    });
    let trigger = intake.connections.triggers.connected().map(|trigger| {
        let lacks = webhook::lacks(trigger, &intake.connections.secrets);
        let has_secret = !trigger.secret_names().iter().any(|name| lacks.contains(name));
        let route: &dyn Route = trigger;
        (route, trigger.is_configured() || has_secret, "won deals accepted")
    });
    for (route, is_wanted, accepted) in providers.chain(trigger) {
        let (title, name) = (route.title(), route.name());
        let lacks = webhook::lacks(route, &intake.connections.secrets).join(" and ");
        if let Some(why) = webhook::unusable(route, &intake.connections.secrets) {
            invocation
                .warn(format!("warning: {title}: /webhooks/{name} refuses everything: {why}"));
        } else if lacks.is_empty() {
            invocation.say(format!("{title}: {accepted} at /webhooks/{name}"));
        } else if is_wanted {
            invocation.warn(format!(
                "warning: {title}: /webhooks/{name} refuses everything until {lacks} is set"
            ));
        } else {
            unset.push(name);
        }
    }
    if !unset.is_empty() {
        invocation.say(format!(
            "no secret is set for {}: their routes refuse everything",
            unset.join(", ")
        ));
    }
}
