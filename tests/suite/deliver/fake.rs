//! An in-process server: a closure answers, every request is kept.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::Value;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

/// What the server does about it.
pub(crate) enum Reply {
    Json(u16, Value),
    With(u16, &'static [(&'static str, &'static str)], Value),
    /// A redirect to an address.
    To(u16, String, Value),
    Text(u16, &'static str),
    /// A body of any type, which is named.
    Bytes(u16, &'static str, Vec<u8>),
    /// The connection ends in the middle of the answer.
    Drop,
    /// An answer that never ends.
    Endless,
}

pub(crate) struct Fake {
    pub(crate) url: String,
    log: Arc<Mutex<Vec<Asked>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Fake {
    /// Serves on a free port of loopback until it is dropped.
    pub(crate) async fn serve(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (log.clone(), Arc::new(answer));
        let app = Router::new().fallback(move |request: Request| {
            let (kept, answer) = (kept.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: parts.headers,
                    bytes,
                };
                kept.lock().expect("not poisoned").push(asked.clone());
                respond(answer(&asked))
            }
        });
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("the server runs");
        });
        Self { url, log, server }
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().expect("not poisoned").clone()
    }

    /// How many requests of this method and path came.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(method, path)).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn respond(reply: Reply) -> Response {
    let build = |status: u16, headers: &[(&str, &str)], body: Body| {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(body).expect("a response")
    };
    match reply {
        Reply::Json(status, json) => {
            build(status, &[("content-type", "application/json")], json.to_string().into())
        }
        Reply::With(status, headers, json) => build(status, headers, json.to_string().into()),
        Reply::To(status, to, json) => build(status, &[("location", &to)], json.to_string().into()),
        Reply::Text(status, text) => build(status, &[], text.into()),
        Reply::Bytes(status, kind, bytes) => build(status, &[("content-type", kind)], bytes.into()),
        Reply::Drop => {
            let broken = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{")),
                Err(std::io::Error::other("dropped")),
            ]);
            build(201, &[("content-length", "9999")], Body::from_stream(broken))
        }
        Reply::Endless => {
            let blank = Bytes::from_static(&[b' '; 1 << 16]);
            let blanks = futures_util::stream::repeat(blank).map(Ok::<_, std::io::Error>);
            build(200, &[("content-type", "application/json")], Body::from_stream(blanks))
        }
    }
}
