//! A running `handoff serve` (or `watch`), and a sender of webhooks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::sandbox::{NOW, Sandbox, fixture};

pub(crate) const KEY: &str = "handoff-test-shared-key";

/// A ledger with a file of deals and nothing to deliver to.
pub(crate) fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .handoff(
            ".",
            &["init", "ledger", "--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"],
        )
        .exits(0);
    sandbox.write(
        "ledger/deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n",
    );
    let file = sandbox.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("outbox: {dir: outbox}", "{}")).unwrap();
    sandbox
}

/// PandaDoc's sample as another document, without a deal.
pub(crate) fn document(id: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    let data = &mut event[0]["data"];
    data["id"] = json!(id);
    data["linked_objects"] = json!([]);
    data["metadata"] = json!({});
    event.to_string().into_bytes()
}

/// PandaDoc's proof over a body.
pub(crate) fn proof(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A program that runs on; killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    /// What it said first.
    pub(crate) first: String,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts it and waits for its first line.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in("ledger", sandbox, arguments, variables)
    }

    /// As [`Running::start`], in another clone.
    pub(crate) fn start_in(
        folder: &str,
        sandbox: &Sandbox,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join(folder));
        Self::run(command, sandbox, arguments, variables)
    }

    /// As [`Running::start`], where no file may be longer than so many blocks.
    #[cfg(unix)]
    pub(crate) fn start_small(
        sandbox: &Sandbox,
        blocks: u32,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = sandbox.command("sh", sandbox.join("ledger"));
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_handoff")]);
        Self::run(command, sandbox, arguments, variables)
    }

    fn run(
        mut command: Command,
        sandbox: &Sandbox,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let log = sandbox.join("log.txt");
        let errors = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command
            .args(["--now", &next_now(sandbox)])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let running = Self { child, first, log };
        assert!(
            !running.first.is_empty(),
            "`handoff {}` ended at once:\n{}",
            arguments.join(" "),
            running.log()
        );
        running
    }

    /// Starts `serve` on a free port, with PandaDoc's key.
    pub(crate) fn serve(sandbox: &Sandbox) -> Self {
        Self::start(
            sandbox,
            &["serve", "--listen", "127.0.0.1:0"],
            &[("PANDADOC_WEBHOOK_KEY", KEY)],
        )
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let text = self.first.trim().strip_prefix("listening on http://");
        text.unwrap_or_else(|| panic!("no address: {}", self.first)).parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The processor time it has taken, its own and the system's, in ticks of
    /// a hundredth of a second.
    #[cfg(target_os = "linux")]
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Its name, which stands second, may hold blanks.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum()
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to end and gives its exit code.
    #[cfg(unix)]
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// Waits until the inbox has nothing left to do, for as long as it gets on.
    pub(crate) fn wait_until_idle(&self) -> Value {
        let (mut start, mut inbox) = (Instant::now(), Value::Null);
        loop {
            let health = get(self.address(), "/healthz").json();
            if health["inbox"] != inbox {
                (start, inbox) = (Instant::now(), health["inbox"].clone());
            }
            if health["inbox"]["new"] == 0 && health["inbox"]["work"] == 0 {
                return health;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the inbox is not processed: {health}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every start in a sandbox is five minutes after the one before, so that what
/// one process stored is due for the next. Other tests of the same process do
/// not count: proofs are valid for a few minutes only.
pub(crate) fn next_now(sandbox: &Sandbox) -> String {
    static STARTS: Mutex<BTreeMap<PathBuf, i32>> = Mutex::new(BTreeMap::new());
    let mut starts = STARTS.lock().unwrap();
    let count = starts.entry(sandbox.join("")).or_default();
    let first: DateTime<Utc> = NOW.parse().unwrap();
    let now = first + TimeDelta::minutes(5) * *count;
    *count += 1;
    now.to_rfc3339()
}

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Waits for something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }
}

/// Sends one request over a connection of its own.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut off");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(cut)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], b"").unwrap()
}

/// Sends a body as PandaDoc does, under this event id and with this key.
pub(crate) fn pandadoc(
    address: SocketAddr,
    key: &str,
    event: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let path = format!("/webhooks/pandadoc?signature={}", proof(key, body));
    send(
        address,
        "POST",
        &path,
        &[("Content-Type", "application/json"), ("X-PandaDoc-Webhook-Event-Id", event)],
        body,
    )
}

/// The folders of the briefs at the ledger's tip.
pub(crate) fn briefs(sandbox: &Sandbox) -> Vec<String> {
    briefs_in("ledger", sandbox)
}

/// As [`briefs`], of another clone.
pub(crate) fn briefs_in(folder: &str, sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.git(folder, &["ls-tree", "-r", "--name-only", "HEAD", "briefs"]);
    listed.lines().filter_map(|line| line.strip_suffix("/brief.yaml")).map(str::to_owned).collect()
}
