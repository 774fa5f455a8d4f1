//! `handoff serve`: webhooks are received, stored, answered, worked off.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::error::CliError;
use super::exit::Exit;
use super::inbox_argument::InboxArgument;
use super::intake::{A_MOMENT, GRACE, Intake, Working, told_to_stop};
use super::invocation::Invocation;
use crate::intake::{Service, router};
use crate::webhook::{self, Route};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one. TLS is a proxy's task
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    inbox: InboxArgument,
    /// Receive only; `handoff work` elsewhere works the inbox off
    #[arg(long)]
    no_work: bool,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
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
        CliError::could_not(format!("{} cannot be listened on: {error}", arguments.listen))
            .help("another program may use it; choose another with --listen")
    })?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let mut working = match arguments.no_work {
        true => None,
        false => Some(Working::start(
            intake.worker(!arguments.no_push, A_MOMENT, invocation),
            stopped.clone(),
        )?),
    };
    introduce(intake, invocation);
    invocation.print(format!("listening on http://{address}\n"))?;
    let mut until = stopped.clone();
    let server = axum::serve(listener, router(Arc::new(service(intake)))).with_graceful_shutdown(
        async move {
            // An error means that the sender is gone, which is the end as well.
            let _ = until.wait_for(|stop| *stop).await;
        },
    );
    let server = tokio::spawn(async move { server.await });
    let broke_off = tokio::select! {
        told = told_to_stop() => told.map(|()| false)?,
        () = async { match &mut working { Some(working) => working.ended().await, None => std::future::pending().await } } => true,
    };
    tracing::info!("ending: no more requests are taken, what is in hand is finished");
    // Both sides listen to this; neither can be gone yet.
    let _ = stop.send(true);
    match tokio::time::timeout(GRACE, server).await {
        Ok(Ok(served)) => served?,
        Ok(Err(_)) => {
            return Err(CliError::could_not("the server broke off")
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
        return Err(CliError::could_not("the worker ended by itself")
            .help("start again; every event is still in the inbox"));
    }
    Ok(())
}

fn service(intake: &Intake) -> Service {
    let ledger = intake.ledger.clone();
    Service {
        providers: Arc::clone(&intake.providers),
        triggers: Arc::clone(&intake.triggers),
        secrets: intake.secrets.clone(),
        inbox: Arc::clone(&intake.inbox),
        metrics: Arc::clone(&intake.metrics),
        clock: Arc::clone(&intake.clock),
        ledger: Arc::new(move || ledger.tip().map(|_| ()).map_err(|error| error.to_string())),
    }
}

/// Says which doors are open, and which refuse for want of a secret or setting.
fn introduce(intake: &Intake, invocation: &Invocation) {
    invocation.say(format!("inbox: {}", intake.inbox.location()));
    let configured: Vec<&str> = intake.providers.configured().map(Route::name).collect();
    let mut unset = Vec::new();
    let providers = intake.providers.iter().map(|provider| {
        let route: &dyn Route = provider;
        (route, configured.contains(&route.name()), "accepted")
    });
    let trigger = intake.triggers.connected().map(|trigger| {
        let lacks = webhook::lacks(trigger, &intake.secrets);
        let has_secret = !trigger.secret_names().iter().any(|name| lacks.contains(name));
        let route: &dyn Route = trigger;
        (route, trigger.is_configured() || has_secret, "won deals accepted")
    });
    for (route, is_wanted, accepted) in providers.chain(trigger) {
        let (title, name) = (route.title(), route.name());
        let lacks = webhook::lacks(route, &intake.secrets).join(" and ");
        if let Some(why) = webhook::unusable(route, &intake.secrets) {
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
