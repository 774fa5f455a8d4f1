//! Durable answers: signed webhooks over real HTTP on loopback, stored before
//! they are answered. The inbox as it is, beside the same server with storing
//! removed, and beside one that waits for the disk once for each request; see
//! docs/benchmarks.md.
//!
//! `cargo bench --bench intake [-- FOLDER [CONNECTIONS]]`: the folder decides which
//! disk is measured.

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
    Claimed, Connections, Envelope, EventName, EventState, FolderInbox, Inbox, InboxCounts,
    InboxError, ListedEvent, Put, Senders, Service, ServiceMetrics, router, serve,
};
use handoff::model::{DocumentKind, Secrets};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::sync::Notify;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many connections, and how many webhooks each of them sends.
const CONNECTIONS: [(usize, usize); 4] = [(1, 500), (8, 200), (32, 100), (128, 40)];
const ROUNDS: usize = 5;
const KEY: &str = "bench-key";
const SAMPLE: &str = include_str!("../tests/fixtures/esign/pandadoc-completed-full.body.json");

/// What the inbox is compared with.
enum Plain {
    /// Answered without storing anything.
    Nothing,
    /// Appended to one file, and the disk waited for, one request after another.
    SyncedEach(Mutex<File>),
}

impl Plain {
    fn store(&self, envelope: &Envelope) -> std::io::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::SyncedEach(file) => {
                let bytes = serde_json::to_vec(envelope).unwrap();
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
        if matches!(*self.0, Plain::Nothing) {
            return Ok(Put::Stored);
        }
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
    async fn settle(&self, _: &Claimed, _: EventState) -> Result<(), InboxError> {
        Err(InboxError::Closed)
    }
    async fn counts(&self, _: DateTime<Utc>) -> Result<InboxCounts, InboxError> {
        Err(InboxError::Closed)
    }
    async fn list(
        &self,
        _: &[EventState],
        _: DateTime<Utc>,
    ) -> Result<Vec<ListedEvent>, InboxError> {
        Err(InboxError::Closed)
    }
    async fn find(&self, _: &str, _: DateTime<Utc>) -> Result<ListedEvent, InboxError> {
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

/// What one way came to with so many connections.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    times: Vec<Duration>,
    /// Of each round, in milliseconds.
    slowest_percent: Vec<f64>,
}

impl Figures {
    fn add(&mut self, mut times: Vec<Duration>, whole: Duration) {
        times.sort();
        self.rates.push(times.len() as f64 / whole.as_secs_f64());
        self.slowest_percent.push(at(&times, 0.99));
        self.times.extend(times);
    }
}

fn at(sorted: &[Duration], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3
}

/// Median, lowest and highest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let only: Option<usize> = arguments.next().map(|connections| connections.parse().unwrap());
    // Nothing is removed before the end: that would slow down what is measured next.
    let mut places = Vec::new();
    let sizes = CONNECTIONS.map(|(connections, each)| format!("{connections} x {each}"));
    println!(
        "signed webhooks of {} bytes, connections x webhooks each: {}; medians of {ROUNDS} rounds (lowest to highest)\n",
        SAMPLE.len(),
        sizes.join(", ")
    );
    println!("| connections | way | a second | p50 | p99 | beside storing removed |");
    println!("|---|---|---|---|---|---|");
    let mut made = Vec::new();
    let is_asked = |(connections, _): &(usize, usize)| only.is_none_or(|it| it == *connections);
    for (connections, each) in CONNECTIONS.into_iter().filter(is_asked) {
        let mut figures = WAYS.map(|_| Figures::default());
        for round in 0..ROUNDS {
            for turn in 0..WAYS.len() {
                // Each way is first, second and last in turn.
                let way = (turn + round) % WAYS.len();
                let place = tempfile::tempdir_in(&folder).unwrap();
                let inbox = WAYS[way].1(place.path());
                let (times, whole) = measure(Arc::clone(&inbox), connections, each);
                figures[way].add(times, whole);
                if way == 0 {
                    let start = Instant::now();
                    // Its end makes the files that are missing.
                    drop(inbox);
                    let files = fs::read_dir(place.path().join("new")).unwrap().count();
                    assert_eq!(files, connections * each, "every event has its file");
                    let whole = whole + start.elapsed();
                    made.push(files as f64 / whole.as_secs_f64());
                }
                places.push(place);
            }
        }
        let reference = spread(&figures[1].rates).0;
        for (figures, (name, _)) in figures.iter_mut().zip(WAYS) {
            figures.times.sort();
            let (rate, lowest, highest) = spread(&figures.rates);
            let (p99, p99_lowest, p99_highest) = spread(&figures.slowest_percent);
            println!(
                "| {connections} | {name} | {rate:.0} ({lowest:.0} to {highest:.0}) | {:.2} ms | {p99:.2} ms ({p99_lowest:.2} to {p99_highest:.2}) | {:.2} |",
                at(&figures.times, 0.5),
                rate / reference
            );
        }
    }
    let (made, lowest, highest) = spread(&made);
    println!(
        "\nfrom the first webhook until every event has its file: {made:.0} events a second ({lowest:.0} to {highest:.0})"
    );
    drop(places);
}

type Open = fn(&Path) -> Arc<dyn Inbox>;

const WAYS: [(&str, Open); 3] = [
    ("**the inbox, durable**", |folder| Arc::new(FolderInbox::open(folder).unwrap())),
    ("storing removed", |_| Arc::new(PlainInbox(Arc::new(Plain::Nothing)))),
    ("one file, one fdatasync a request", |folder| {
        let file =
            OpenOptions::new().create(true).append(true).open(folder.join("journal")).unwrap();
        Arc::new(PlainInbox(Arc::new(Plain::SyncedEach(Mutex::new(file)))))
    }),
];

/// How long each request took, and all of them together.
fn measure(inbox: Arc<dyn Inbox>, connections: usize, each: usize) -> (Vec<Duration>, Duration) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let secret = ("PANDADOC_WEBHOOK_KEY".to_owned(), secrecy::SecretString::from(KEY));
    let settings = Connections {
        providers: Arc::new(Providers::new(&EsignConfig::default(), &[])),
        triggers: Arc::new(Triggers::new(&CrmConfig::default())),
        secrets: Secrets::new([secret]),
        limits: handoff::http::Limits::default(),
    };
    let service = Service {
        senders: Arc::new(Senders::new(settings.clone(), Arc::new(move || Ok(settings.clone())))),
        inbox,
        metrics: Arc::new(ServiceMetrics::default()),
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
        let senders: Vec<_> = (0..connections)
            .map(|sender| {
                let signature = &signature;
                scope.spawn(move || send(address, signature, sender, each))
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    let whole = start.elapsed();
    runtime.shutdown_timeout(Duration::from_secs(5));
    (times, whole)
}

/// Sends one webhook after another over one connection.
fn send(address: SocketAddr, signature: &str, sender: usize, each: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut times = Vec::with_capacity(each);
    for number in 0..each {
        let request = format!(
            "POST /webhooks/pandadoc?signature={signature} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-PandaDoc-Webhook-Event-Id: c{sender}-{number}\r\nContent-Length: {}\r\n\r\n{SAMPLE}",
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
