//! The way to a mail or NATS server where a proxy stands in between: a port on
//! loopback whose connections go on through the proxy by HTTP CONNECT. The proxy
//! is the one that HTTPS goes through.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The longest head of an answer that is read.
const LONGEST_HEAD: usize = 16 * 1024;

/// Why a proxy makes no connection. The words hold its address, and never the
/// user or password of its URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the proxy {proxy} made no connection to {server}: {why}; HTTPS_PROXY or ALL_PROXY names it, and a host in NO_PROXY is reached without it"
)]
pub struct ProxyFault {
    proxy: String,
    server: String,
    why: String,
}

/// The proxy that stands before one server.
struct Proxy {
    uri: Uri,
    credentials: Option<HeaderValue>,
    server: String,
}

/// A port on loopback behind which a server is, through its proxy. It is closed
/// with its connections when this is dropped.
pub struct Forwarder {
    address: SocketAddr,
    proxy: Arc<Proxy>,
    fault: Arc<Mutex<Option<ProxyFault>>>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Listens for connections to this server, where a proxy counts for it.
    /// `patience` is how long the proxy may take for one connection. None counts
    /// for this machine itself, whatever the variables say.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn to(host: &str, port: u16, patience: Duration) -> io::Result<Option<Self>> {
        let Some(proxy) = Proxy::before(host, port) else { return Ok(None) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, proxy, fault) = (listener.local_addr()?, Arc::new(proxy), Arc::default());
        let task = tokio::spawn(forward(listener, proxy.clone(), patience, Arc::clone(&fault)));
        Ok(Some(Self { address, proxy, fault, task }))
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The proxy's address, for messages.
    #[must_use]
    pub fn proxy(&self) -> String {
        self.proxy.address()
    }

    /// Why the last connection was not made; nothing where it was.
    #[must_use]
    pub fn fault(&self) -> Option<ProxyFault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections for as long as it is driven, and drops all of them with it.
async fn forward(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    patience: Duration,
    fault: Arc<Mutex<Option<ProxyFault>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut local, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (proxy, fault) = (proxy.clone(), fault.clone());
        connections.spawn(async move {
            let opened = proxy.open(patience).await;
            *fault.lock().unwrap_or_else(PoisonError::into_inner) = opened.as_ref().err().cloned();
            // Dropped only now: whoever sees the end of this connection finds the fault.
            if let Ok(tunnel) = opened {
                // Either end may close; both clients see it as they would without a proxy.
                let _ = copy_bidirectional(&mut local, &mut TokioIo::new(tunnel)).await;
            }
        });
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Proxy {
    fn before(host: &str, port: u16) -> Option<Self> {
        let host = host.trim_matches(['[', ']']);
        let ip = host.parse::<std::net::IpAddr>().ok();
        let is_here = host.eq_ignore_ascii_case("localhost");
        if is_here || ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
            return None;
        }
        let server = match ip {
            Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            _ => format!("{host}:{port}"),
        };
        let wanted =
            Uri::builder().scheme("https").authority(server.as_str()).path_and_query("/").build();
        // As reqwest does it, so that one rule holds for all.
        let found = Matcher::from_system().intercept(&wanted.ok()?)?;
        let credentials = found.basic_auth().cloned();
        Some(Self { uri: found.uri().clone(), credentials, server })
    }

    fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    fn port(&self) -> u16 {
        let standard = if self.uri.scheme_str() == Some("https") { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(standard)
    }

    /// Of host and port alone: what stands before them may be a part of a password.
    fn address(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    fn fault(&self, why: impl Into<String>) -> ProxyFault {
        ProxyFault { proxy: self.address(), server: self.server.clone(), why: why.into() }
    }

    async fn open(&self, patience: Duration) -> Result<Upgraded, ProxyFault> {
        match tokio::time::timeout(patience, self.connect()).await {
            Ok(opened) => opened.map_err(|why| self.fault(why)),
            Err(_) => Err(self.fault(format!("no answer within {} s", patience.as_secs()))),
        }
    }

    async fn connect(&self) -> Result<Upgraded, String> {
        let is_tls = match self.uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            other => {
                let scheme = other.unwrap_or_default();
                return Err(format!("{scheme}:// is not supported, only http:// and https://"));
            }
        };
        let reached = TcpStream::connect((self.host().trim_matches(['[', ']']), self.port())).await;
        let stream = reached.map_err(|error| format!("it was not reached: {error}"))?;
        // The tunnel works without it, a little slower.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match is_tls {
            true => Box::new(self.encrypted(stream).await?),
            false => Box::new(stream),
        };
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LONGEST_HEAD)
            .handshake::<_, String>(TokioIo::new(stream))
            .await
            .map_err(|error| words(&error))?;
        // Ends with this function, or with what became of the connection.
        let mut driver = JoinSet::new();
        driver.spawn(connection.with_upgrades());
        let mut request = Request::connect(self.server.as_str())
            .header(HOST, self.server.as_str())
            .header(USER_AGENT, concat!("handoff/", env!("CARGO_PKG_VERSION")));
        if let Some(credentials) = &self.credentials {
            request = request.header(PROXY_AUTHORIZATION, credentials.clone());
        }
        let request = request.body(String::new()).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| words(&error))?;
        match answer.status() {
            status if status.is_success() => {
                hyper::upgrade::on(answer).await.map_err(|error| words(&error))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.credentials.is_some() => {
                Err("it does not accept the user and password of its URL (407)".to_owned())
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err("it wants a user and a password in its URL (407)".to_owned())
            }
            status => Err(format!("it answered {status}")),
        }
    }

    async fn encrypted(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        super::use_ring();
        let roots = system_authorities()?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = self.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| format!("the TLS connection to it failed: {error}"))
    }
}

/// What the client says, in words that hold nothing of the answer itself.
fn words(error: &hyper::Error) -> String {
    let why = if error.is_parse_too_large() {
        "the head of its answer is too long"
    } else if error.is_parse() {
        "its answer is not HTTP"
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "it ended the connection without an answer"
    } else {
        return format!("it broke off: {error}");
    };
    why.to_owned()
}

/// The system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR in their place.
///
/// # Errors
/// When none of them can be read.
pub fn system_authorities() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match (roots.is_empty(), found.errors.first()) {
        (false, _) => Ok(roots),
        (true, Some(error)) => Err(format!("the system's certificates cannot be read: {error}")),
        (true, None) => Err("the system has no certificates".to_owned()),
    }
}
