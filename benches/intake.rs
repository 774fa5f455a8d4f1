//! Durable answers: signed webhooks over real HTTP on loopback, stored before
//! they are answered. The inbox as it is, beside one that waits for no disk and
//! one that waits once for each request; see docs/benchmarks.md.
//!
//! `cargo bench --bench intake [-- FOLDER]`: the folder decides which disk is measured.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement stops where it fails, prints its figures and takes the time"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use handoff::crm::{CrmConfig, Triggers};
use handoff::esign::{EsignConfig, Providers};
use handoff::intake::{
    Claimed, Connections, Counts, Envelope, EventName, FolderInbox, Inbox, InboxError, Listed,
    Metrics, Put, Senders, Service, State, router, serve,
};
use handoff::model::{DocumentKind, Secrets};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::sync::Notify;

const CONNECTIONS: usize = 32;
const EACH: usize = 150;
const ROUNDS: usize = 3;
const KEY: &str = "bench-key";
const SAMPLE: &str = include_str!("../tests/fixtures/esign/pandadoc-completed-full.body.json");

/// How an event is stored by what people would write first.
enum Plain {
    /// A file of its own, and no waiting for the disk.
    Unsynced(PathBuf),
    /// Appended to one file, and the disk waited for, one request after another.
    SyncedEach(Mutex<File>),
}

impl Plain {
    fn store(&self, envelope: &Envelope) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(envelope).unwrap();
        match self {
            Self::Unsynced(folder) => {
                let path = folder.join(envelope.name().file());
                fs::write(path.with_extension("tmp"), &bytes)?;
                fs::rename(path.with_extension("tmp"), path)
            }
            Self::SyncedEach(file) => {
                let mut file = file.lock().unwrap();
                file.write_all(&bytes)?;
                file.sync_data()
            }
        }
    }
}

/// Only what the measurement needs of an inbox.
struct PlainInbox(Arc<Plain>);

#[async_trait]
impl Inbox for PlainInbox {
    fn location(&self) -> String {
        "a measurement".to_owned()
    }
    fn stored(&self) -> Arc<Notify> {
        Arc::default()
    }
    async fn put(&self, envelope: Envelope) -> Result<Put, InboxError> {
        let plain = Arc::clone(&self.0);
        let stored = tokio::task::spawn_blocking(move || plain.store(&envelope)).await;
        stored.unwrap().map(|()| Put::Stored).map_err(|_| InboxError::Closed)
    }
    async fn check_writable(&self) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
    async fn tidy(&self, _: DateTime<Utc>) -> Result<usize, InboxError> {
        Err(InboxError::Closed)
    }
    async fn claim(&self, _: DateTime<Utc>, _: usize) -> Result<Vec<Claimed>, InboxError> {
        Err(InboxError::Closed)
    }
    async fn give_back(&self, _: &Claimed) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
    async fn give_all_back(&self) -> Result<usize, InboxError> {
        Err(InboxError::Closed)
    }
    async fn settle(&self, _: &Claimed, _: State) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
    async fn counts(&self, _: DateTime<Utc>) -> Result<Counts, InboxError> {
        Err(InboxError::Closed)
    }
    async fn list(&self, _: &[State], _: DateTime<Utc>) -> Result<Vec<Listed>, InboxError> {
        Err(InboxError::Closed)
    }
    async fn find(&self, _: &str, _: DateTime<Utc>) -> Result<Listed, InboxError> {
        Err(InboxError::Closed)
    }
    async fn retry(
        &self,
        _: &EventName,
        _: DateTime<Utc>,
        _: Option<DocumentKind>,
    ) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
    async fn discard(&self, _: &EventName, _: DateTime<Utc>) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
}

fn main() {
    // Cargo adds `--bench`.
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
    let mut rates: Vec<(&str, Vec<f64>, Vec<Duration>)> = Vec::new();
    for round in 0..ROUNDS {
        for (index, (name, open)) in WAYS.iter().enumerate() {
            let place = tempfile::tempdir_in(&folder).unwrap();
            let (rate, times) = measure(open(place.path()), round);
            if round == 0 {
                rates.push((*name, Vec::new(), Vec::new()));
            }
            rates[index].1.push(rate);
            rates[index].2.extend(times);
        }
    }
    println!(
        "{CONNECTIONS} connections, {} webhooks of {} bytes a round, medians of {ROUNDS}",
        CONNECTIONS * EACH,
        SAMPLE.len()
    );
    let reference = median(&mut rates[2].1);
    for (name, rates, times) in &mut rates {
        times.sort();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        let rate = median(rates);
        println!(
            "{name:34} {rate:8.0}/s  p50 {:7.2} ms  p99 {:7.2} ms  {:5.1} times",
            at(0.5).as_secs_f64() * 1e3,
            at(0.99).as_secs_f64() * 1e3,
            rate / reference
        );
    }
}

type Open = fn(&Path) -> Arc<dyn Inbox>;

const WAYS: [(&str, Open); 3] = [
    ("the inbox, durable", |folder| Arc::new(FolderInbox::open(folder).unwrap())),
    ("a file each, not durable", |folder| {
        Arc::new(PlainInbox(Arc::new(Plain::Unsynced(folder.to_path_buf()))))
    }),
    ("one file, one fdatasync a request", |folder| {
        let file =
            OpenOptions::new().create(true).append(true).open(folder.join("journal")).unwrap();
        Arc::new(PlainInbox(Arc::new(Plain::SyncedEach(Mutex::new(file)))))
    }),
];

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Requests a second, and how long each took.
fn measure(inbox: Arc<dyn Inbox>, round: usize) -> (f64, Vec<Duration>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let secret = ("PANDADOC_WEBHOOK_KEY".to_owned(), secrecy::SecretString::from(KEY));
    let connections = Connections {
        providers: Arc::new(Providers::new(&EsignConfig::default(), &[])),
        triggers: Arc::new(Triggers::new(&CrmConfig::default())),
        secrets: Secrets::new([secret]),
    };
    let service = Service {
        senders: Arc::new(Senders::new(
            connections.clone(),
            Arc::new(move || Ok(connections.clone())),
        )),
        inbox,
        metrics: Arc::new(Metrics::default()),
        clock: Arc::new(Utc::now),
        ledger: Arc::new(|| Ok(0)),
        links: None,
        trusted_proxies: Vec::new(),
    };
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    runtime.spawn(async move { serve(listener, router(Arc::new(service)), stopped).await });
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(SAMPLE.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());

    let start = Instant::now();
    let times = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| {
                let signature = &signature;
                scope.spawn(move || send(address, signature, &format!("r{round}-c{sender}")))
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    runtime.shutdown_timeout(Duration::from_secs(5));
    (rate, times)
}

/// Sends one webhook after another over one connection.
fn send(address: SocketAddr, signature: &str, name: &str) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut times = Vec::with_capacity(EACH);
    for number in 0..EACH {
        let request = format!(
            "POST /webhooks/pandadoc?signature={signature} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-PandaDoc-Webhook-Event-Id: {name}-{number}\r\nContent-Length: {}\r\n\r\n{SAMPLE}",
            SAMPLE.len()
        );
        let start = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        answers.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            answers.read_line(&mut line).unwrap();
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
        times.push(start.elapsed());
    }
    times
}
