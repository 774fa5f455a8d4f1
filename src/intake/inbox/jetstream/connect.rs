//! The connection to the servers.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use secrecy::{ExposeSecret as _, SecretString};

use crate::intake::inbox::address::NatsAccess;
use crate::intake::inbox::address::NatsAddress;
use crate::intake::inbox::error::InboxError;

/// How long a server may take to answer the first time.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Connects; the client connects again by itself for as long as it lives.
pub(super) async fn connect(
    address: &NatsAddress,
    access: &NatsAccess,
) -> Result<Client, InboxError> {
    crate::http::use_ring();
    let mut options = signed_in(address, access)?
        .name("handoff")
        .connection_timeout(CONNECT_TIME)
        .require_tls(address.tls)
        .event_callback(|event| async move { tell(&event) });
    if let Some(authority) = &access.authority {
        options = options.add_root_certificates(authority.clone());
    }
    if let Some((certificate, key)) = &access.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    let server = |why: String| InboxError::Server {
        doing: "connecting to",
        place: address.servers.join(","),
        why,
    };
    let servers = address
        .servers
        .iter()
        .map(|server| server.parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| server(error.to_string()))?;
    // The limit above is for one try at one server.
    let patience = CONNECT_TIME * u32::try_from(servers.len().max(1)).unwrap_or(1);
    match tokio::time::timeout(patience, options.connect(servers)).await {
        Ok(connected) => connected.map_err(|error| server(error.to_string())),
        Err(_) => Err(server(format!("no answer within {} s", patience.as_secs()))),
    }
}

/// Options with what the servers are signed in to with.
fn signed_in(address: &NatsAddress, access: &NatsAccess) -> Result<ConnectOptions, InboxError> {
    let wrong = |why: String| InboxError::Access { place: address.servers.join(","), why };
    let get = |name| access.secrets.get(name);
    let text = |secret: &SecretString| secret.expose_secret().to_owned();
    let (user, password) = (get("NATS_USER"), get("NATS_PASSWORD"));
    let (token, credentials) = (get("NATS_TOKEN"), get("NATS_CREDS"));
    let ways = [credentials.is_some(), user.is_some() || password.is_some(), token.is_some()];
    if ways.iter().filter(|way| **way).count() > 1 {
        return Err(wrong(
            "more than one of NATS_CREDS, NATS_USER with NATS_PASSWORD, and NATS_TOKEN is set"
                .to_owned(),
        ));
    }
    if let Some(credentials) = &credentials {
        return ConnectOptions::new()
            .credentials(credentials.expose_secret())
            .map_err(|_| wrong("NATS_CREDS is not the content of a credentials file".to_owned()));
    }
    if let Some(token) = &token {
        return Ok(ConnectOptions::new().token(text(token)));
    }
    match (&user, &password) {
        (Some(user), Some(password)) => {
            Ok(ConnectOptions::new().user_and_password(text(user), text(password)))
        }
        (None, None) => Ok(ConnectOptions::new()),
        _ => Err(wrong("of NATS_USER and NATS_PASSWORD only one is set".to_owned())),
    }
}

fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("the connection to NATS is lost; it is made again"),
        Event::Draining | Event::Closed => tracing::debug!("NATS: {event}"),
        other => tracing::warn!("NATS: {other}"),
    }
}
