//! The connection to the servers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::{Forwarder, system_authorities};
use crate::intake::inbox::address::NatsAccess;
use crate::intake::inbox::address::NatsAddress;
use crate::intake::inbox::error::InboxError;

/// How long a server may take to answer the first time.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long a proxy may take; less, so that the client still waits for the reason.
const PROXY_TIME: Duration = Duration::from_secs(4);

/// Connects; the client connects again by itself for as long as it lives.
pub(super) async fn connect(
    address: &NatsAddress,
    access: &NatsAccess,
) -> Result<Client, InboxError> {
    crate::http::use_ring();
    let server = |why: String| InboxError::Server {
        doing: "connecting to",
        place: address.servers.join(","),
        why,
    };
    let (mut servers, mut forwarders, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for named in &address.servers {
        let parsed =
            |text: &str| text.parse::<ServerAddr>().map_err(|error| server(error.to_string()));
        let named = parsed(named)?;
        let forwarder = Forwarder::to(named.host(), named.port(), PROXY_TIME).await;
        let Some(forwarder) = forwarder.map_err(|error| server(error.to_string()))? else {
            servers.push(named);
            continue;
        };
        let here = format!("{}://{}", named.scheme(), forwarder.address());
        servers.push(parsed(&here)?);
        names.push(named.host().to_owned());
        forwarders.push(forwarder);
    }
    let mut options = signed_in(address, access)?
        .name("handoff")
        .connection_timeout(CONNECT_TIME)
        .require_tls(address.tls);
    if forwarders.is_empty() {
        if let Some(authority) = &access.authority {
            options = options.add_root_certificates(authority.clone());
        }
        if let Some((certificate, key)) = &access.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
    } else {
        // A server tells of others by addresses that the proxy would not stand before.
        options = options.ignore_discovered_servers();
        let insists = address.tls || access.authority.is_some() || access.certificate.is_some();
        match behind_proxy(&names, access) {
            Ok(config) => options = options.tls_client_config(config),
            Err(why) if insists => return Err(server(why)),
            // Without a config of its own the client refuses any certificate here.
            Err(why) => tracing::debug!(why, "TLS cannot be used"),
        }
    }
    // The client keeps them for as long as it lives.
    let forwarders = Arc::new(forwarders);
    let kept = forwarders.clone();
    options = options.event_callback(move |event| {
        let fault = kept.iter().find_map(Forwarder::fault).map(|fault| fault.to_string());
        async move { tell(&event, fault.as_deref()) }
    });
    // The limit above is for one try at one server.
    let count = servers.len();
    let patience = CONNECT_TIME * u32::try_from(count.max(1)).unwrap_or(1);
    let connected = tokio::time::timeout(patience, options.connect(servers)).await;
    let error = match connected {
        Ok(Ok(client)) => return Ok(client),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", patience.as_secs()),
    };
    Err(server(match forwarders.iter().find_map(Forwarder::fault) {
        Some(fault) if count == 1 => fault.to_string(),
        // Another of them may have answered, and refused.
        Some(fault) => format!("{error}; {fault}"),
        None => error,
    }))
}

/// How TLS is used with servers behind a proxy. The client sees loopback, and the
/// certificates are made for the servers' own names.
fn behind_proxy(names: &[String], access: &NatsAccess) -> Result<ClientConfig, String> {
    let read = |path: &std::path::Path| {
        CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let roots = match &access.authority {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(read(path)?);
            roots
        }
        None => system_authorities()?,
    };
    let names = names
        .iter()
        .map(|name| ServerName::try_from(name.clone()))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let web = WebPkiServerVerifier::builder(Arc::new(roots)).build();
    let web = web.map_err(|error| format!("the authorities cannot be used: {error}"))?;
    let builder = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamedServers { names, web }));
    let Some((certificate, key)) = &access.certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("{} cannot be read: {error}", key.display()))?;
    builder.with_client_auth_cert(read(certificate)?, secret).map_err(|error| error.to_string())
}

/// Looks for the names of the servers in a certificate, in the place of the
/// loopback address that the client connects to.
#[derive(Debug)]
struct NamedServers {
    names: Vec<ServerName<'static>>,
    web: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for NamedServers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        given: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judge = |name: &ServerName<'_>| {
            self.web.verify_server_cert(certificate, intermediates, name, ocsp, now)
        };
        if *given != ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST)) {
            return judge(given);
        }
        let mut judged = self.names.iter().map(judge);
        let first = judged.next().unwrap_or_else(|| judge(given));
        judged.fold(first, Result::or)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
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

/// `fault` is why the proxy makes no connection.
fn tell(event: &Event, fault: Option<&str>) {
    match (event, fault) {
        (Event::Connected, _) => tracing::info!("connected to NATS"),
        (Event::Disconnected, _) => {
            tracing::warn!("the connection to NATS is lost; it is made again");
        }
        (Event::Draining | Event::Closed, _) => tracing::debug!("NATS: {event}"),
        (_, Some(fault)) => tracing::warn!("NATS: {fault}"),
        (other, None) => tracing::warn!("NATS: {other}"),
    }
}
