//! Connections: how many, how long a sender may take, where it speaks from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower_service::Service as _;

/// How long a sender may take to send the headers of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// So many connections are served at a time; the rest are told to come again.
const CONNECTIONS: usize = 512;
/// How long a refusal may take to be sent.
const REFUSAL_TIME: Duration = Duration::from_secs(2);
/// How long to wait before the next try when the system gives no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a request came from, as the connection shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(SocketAddr);

/// Serves until `stop` says so, and then finishes what is being answered.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let ending = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error means that whoever could say so is gone, which is the end as well.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!(remote = %peer.ip(), limit = CONNECTIONS, "too many connections: asked to try again later");
            tokio::spawn(refuse(stream));
            continue;
        };
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .serve_connection(TokioIo::new(stream), service);
        let connection = ending.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(remote = %peer.ip(), %error, "a connection was lost");
            }
            drop(place);
        });
    }
    drop(listener);
    ending.shutdown().await;
}

async fn refuse(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 60\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let refused = async {
        stream.write_all(answer).await?;
        stream.shutdown().await
    };
    // Whoever has hung up needs no answer.
    let _ = tokio::time::timeout(REFUSAL_TIME, refused).await;
}

/// The address a request came from: the connection's, or, behind proxies that
/// are trusted, the last one of `X-Forwarded-For` that is none of theirs; where there is
/// no such header, of `Forwarded`.
pub(super) fn remote<B>(request: &Request<B>, trusted: &[IpAddr]) -> String {
    let Some(Peer(peer)) = request.extensions().get::<Peer>() else { return String::new() };
    let mut remote = peer.ip().to_canonical();
    let values = |name: &str| {
        let values = request.headers().get_all(name).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>()
    };
    let mut hops: Vec<IpAddr> =
        values("x-forwarded-for").into_iter().filter_map(|hop| hop.parse().ok()).collect();
    if hops.is_empty() {
        hops = values("forwarded").into_iter().filter_map(forwarded_for).collect();
    }
    for hop in hops.into_iter().rev() {
        if !trusted.contains(&remote) {
            break;
        }
        remote = hop.to_canonical();
    }
    remote.to_string()
}

/// The address in one hop of `Forwarded` (RFC 7239): `for=192.0.2.60;proto=https`,
/// `for="[2001:db8::1]:4711"`.
fn forwarded_for(hop: &str) -> Option<IpAddr> {
    let node = hop.split(';').find_map(|pair| {
        let (name, node) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node.trim().trim_matches('"'))
    })?;
    let address = match node.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => node.split(':').next()?,
    };
    address.parse().ok()
}
