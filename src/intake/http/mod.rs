//! The webhook server: who may speak, what is stored, how it is answered.

mod entry;
mod health;
mod link;
mod serve;
mod webhook;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http::StatusCode;

use super::inbox::Inbox;
use super::metrics::{Counter, ServiceMetrics};
use super::worker::{Connections, Reread};
use crate::text;
use crate::time::Clock;
use crate::webhook::{Route, unusable};

pub use link::{LinkHandler, LinkRoute, PostedFields};
pub use serve::serve;

/// Settings and secrets are read again at most so often.
const FRESH: Duration = Duration::from_secs(1);

/// Who may send: as settings and secrets have it, read again by and by.
pub struct Senders {
    reread: Reread,
    state: Mutex<(Arc<Connections>, Instant, String)>,
}

impl Senders {
    /// These senders now, and what reads them again.
    #[must_use]
    pub fn new(connections: Connections, reread: Reread) -> Self {
        let state = Mutex::new((Arc::new(connections), Instant::now(), String::new()));
        Self { reread, state }
    }

    /// The senders as they were at most a second ago.
    pub(super) fn now(&self) -> Arc<Connections> {
        let age = self.lock().1.elapsed();
        if age > FRESH { self.read_again() } else { Arc::clone(&self.lock().0) }
    }

    /// Reads settings and secrets again. What cannot be read is said once, and
    /// the former ones are used.
    pub fn read_again(&self) -> Arc<Connections> {
        self.lock().1 = Instant::now();
        let read = (self.reread)();
        let mut state = self.lock();
        match read {
            Ok(connections) => {
                state.0 = Arc::new(connections);
                state.2.clear();
            }
            Err(why) if state.2 != why => {
                tracing::error!(why, "the settings cannot be read; the former ones are used");
                state.2 = why;
            }
            Err(_) => {}
        }
        Arc::clone(&state.0)
    }

    /// Why settings or secrets cannot be used as they are now.
    pub(super) fn problems(&self) -> Vec<String> {
        let connections = self.now();
        let unread = self.lock().2.clone();
        let mut problems: Vec<String> = Vec::new();
        if !unread.is_empty() {
            problems
                .push(format!("the settings cannot be read, the former ones are used: {unread}"));
        }
        for route in routes(&connections) {
            if let Some(why) = unusable(route, &connections.secrets) {
                let (title, name) = (route.title(), route.name());
                problems.push(format!("{title}: /webhooks/{name} refuses everything: {why}"));
            }
        }
        problems
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Arc<Connections>, Instant, String)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes that may accept something: every provider, and the connected CRM.
fn routes(connections: &Connections) -> Vec<&dyn Route> {
    let providers = connections.providers.iter().map(|provider| {
        let route: &dyn Route = provider;
        route
    });
    let trigger = connections.triggers.connected().map(|trigger| {
        let route: &dyn Route = trigger;
        route
    });
    providers.chain(trigger).collect()
}

/// What the paths of the server share.
pub struct Service {
    /// Who may send.
    pub senders: Arc<Senders>,
    /// The inbox.
    pub inbox: Arc<dyn Inbox>,
    /// The counts.
    pub metrics: Arc<ServiceMetrics>,
    /// The clock.
    pub clock: Clock,
    /// How many commits the ledger's remote lacks, or why the ledger cannot be read.
    pub ledger: Arc<dyn Fn() -> Result<usize, String> + Send + Sync>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The page behind a link, where one is offered.
    pub links: Option<LinkRoute>,
}

/// The paths of the server.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        // Every method: which ones a provider uses is its own affair.
        .route("/webhooks/{provider}", any(webhook::receive))
        // Some forms add a slash by themselves.
        .route("/webhooks/{provider}/", any(webhook::receive))
        .route("/h/{token}", any(link::page))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(not_found)
        .with_state(service)
}

async fn not_found(State(service): State<Arc<Service>>, request: Request) -> Response {
    service.metrics.count(Counter::Rejected, &["unknown", "no_such_path"]);
    // What stands behind `/h/` may be somebody's link.
    let path = request.uri().path();
    let path = if path.starts_with("/h/") { "\"/h/…\"".to_owned() } else { text::quoted(path) };
    let remote = serve::remote(&request, &service.trusted_proxies);
    tracing::warn!(path, remote, "there is no such path; webhooks go to /webhooks/NAME");
    (StatusCode::NOT_FOUND, "there is no such path\n").into_response()
}
