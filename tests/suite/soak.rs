//! The whole service for a while: `serve` receives while it is killed, ended
//! and kept from writing, its targets fail and hang, its clock jumps, and people
//! correct, answer and audit. At the end there is one brief a deal, one of each
//! delivery, and an audit that git alone agrees with.
//!
//! `HANDOFF_SOAK_SECONDS=300` makes it long; without it one round is played.
//! `HANDOFF_SOAK_SEED` plays others.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use handoff::brief::Timeline;
use serde_json::{Value, json};

use crate::cheats::worlds::{Deal, Dice, class, stamp, tell};
use crate::deliver::fake::{Asked, Fake, Reply};
use crate::intake::server::{KEY, eventually, get, pandadoc};
use crate::killed::vendors::Vendors;
use crate::killed::world;
use crate::sandbox::{NOW, Ran, Sandbox, fixture};

/// So many rounds where no time is given.
const ROUNDS: usize = 1;
/// Never more deals than this.
const MOST_DEALS: u64 = 1_000;
/// So many senders at a time.
const SENDERS: usize = 4;
/// What the program may need more after many requests than before.
const MEMORY: u64 = 16 * 1024;
/// A size that files may not grow beyond, in blocks of 512 bytes: the inbox's
/// segment reaches it, and so does what git writes.
const SMALL: u32 = 32;

const HEADER: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n";

/// GitHub for many issues, and the other vendors.
#[derive(Default)]
struct Targets {
    vendors: Vendors,
    comments: BTreeMap<usize, Vec<Value>>,
}

impl Targets {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let issue = asked.path.strip_prefix("/github/repos/acme/handoffs/issues/");
        let Some((number, rest)) = issue.map(|it| it.split_once('/').unwrap_or((it, ""))) else {
            return self.vendors.answer(asked);
        };
        let Ok(number) = number.parse::<usize>() else { return self.vendors.answer(asked) };
        let issue = &mut self.vendors.issues[number - 1];
        match (asked.method.as_str(), rest) {
            ("GET", "") => Reply::Json(200, issue.clone()),
            ("PATCH", "") => {
                for (name, value) in asked.json().as_object().unwrap() {
                    let named = |key: &str| -> Value {
                        value.as_array().unwrap().iter().map(|it| json!({key: it})).collect()
                    };
                    issue[name] = match name.as_str() {
                        "labels" => named("name"),
                        "assignees" => named("login"),
                        _ => value.clone(),
                    };
                }
                Reply::Json(200, issue.clone())
            }
            ("GET", "comments") => {
                Reply::Json(200, json!(self.comments.entry(number).or_default()))
            }
            ("POST", "comments") => {
                let comments = self.comments.entry(number).or_default();
                let comment = json!({
                    "html_url": format!("https://github.example/acme/handoffs/issues/{number}#issuecomment-{}", comments.len() + 1),
                    "created_at": "2026-11-20T17:00:01Z", "body": asked.json()["body"],
                });
                comments.push(comment.clone());
                Reply::Json(201, comment)
            }
            _ => Reply::Json(404, json!({"message": "Not Found"})),
        }
    }
}

/// What happened, for the closing lines.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<String, usize>>);

impl Tally {
    fn count(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }
}

/// The moment that the programs take for now.
struct Clock(Mutex<(DateTime<Utc>, Instant)>);

impl Clock {
    fn now(&self) -> DateTime<Utc> {
        let (base, start) = *self.0.lock().unwrap();
        base + start.elapsed()
    }

    fn jump(&self, by: TimeDelta) {
        let now = self.now();
        *self.0.lock().unwrap() = (now + by, Instant::now());
    }
}

struct Soak {
    sandbox: Sandbox,
    secrets: Vec<(&'static str, String)>,
    targets: Arc<Mutex<Targets>>,
    faults: Arc<AtomicBool>,
    clock: Clock,
    tally: Arc<Tally>,
    address: RwLock<Option<SocketAddr>>,
    /// Deals with their amounts.
    deals: Mutex<Vec<(Deal, u64)>>,
    /// What is sent and not accepted yet.
    open: AtomicUsize,
    _fake: Fake,
}

impl Soak {
    async fn new(seed: u64) -> Self {
        let targets = Arc::new(Mutex::new(Targets::default()));
        let faults = Arc::new(AtomicBool::new(true));
        let tally = Arc::new(Tally::default());
        let dice = Mutex::new(Dice(seed ^ 0x5eed | 1));
        let (state, failing, counts) = (targets.clone(), faults.clone(), tally.clone());
        let fake = Fake::serve(move |asked| {
            let is_on = failing.load(Ordering::SeqCst);
            let roll = if is_on { dice.lock().unwrap().roll(100) } else { 100 };
            match roll {
                0..=4 => {
                    counts.count("fault: 503");
                    return Reply::Json(503, json!({"message": "try later"}));
                }
                5..=6 => {
                    counts.count("fault: too many requests");
                    return Reply::With(429, &[("retry-after", "1")], json!({"ok": false}));
                }
                7..=8 => {
                    counts.count("fault: hung up before acting");
                    return Reply::Drop;
                }
                9..=10 => {
                    counts.count("fault: hung for a while");
                    std::thread::sleep(Duration::from_millis(1_500));
                }
                _ => {}
            }
            let reply = state.lock().unwrap().answer(asked);
            if (11..=14).contains(&roll) {
                counts.count("fault: half a page, or hung up after acting");
                return Reply::Drop;
            }
            reply
        })
        .await;
        let url = &fake.url;
        let sandbox = world::ledger(&format!(
            "{}deliver:\n\
             \x20 github: {{repository: acme/handoffs, base_url: \"{url}/github\", seconds_between_writes: 0}}\n\
             \x20 slack: {{channel: \"#cs-handoffs\", base_url: \"{url}/slack\"}}\n\
             \x20 welcome: {{url: \"{url}/welcome\", allow_private: true}}\n",
            world::QUIET
        ));
        sandbox.git("ledger", &["commit", "-qam", "the settings"]);
        let mut secrets = world::secrets("smtp://127.0.0.1:1");
        secrets.push(("PANDADOC_WEBHOOK_KEY", KEY.to_owned()));
        // Settings are committed by git's own clock.
        let base = Utc::now().max(NOW.parse().unwrap()).trunc_subsecs(0) + TimeDelta::minutes(2);
        let clock = Clock(Mutex::new((base, Instant::now())));
        let soak = Self {
            sandbox,
            secrets,
            targets,
            faults,
            clock,
            tally,
            address: RwLock::default(),
            deals: Mutex::default(),
            open: AtomicUsize::new(0),
            _fake: fake,
        };
        soak.write_deals();
        soak
    }

    fn write_deals(&self) {
        let row = |(deal, amount): &(Deal, u64)| {
            let (id, won) = (deal.id, deal.won.format("%Y-%m-%d %H:%M"));
            format!(
                "{id},Deal {id},Closed Won,{won},Riley Ross,{amount}.00,USD,true,Company {id}\n"
            )
        };
        let rows: String = self.deals.lock().unwrap().iter().map(row).collect();
        let next = self.sandbox.write("ledger/next.csv", format!("{HEADER}{rows}"));
        fs::rename(next, self.sandbox.join("ledger/deals.csv")).unwrap();
    }

    /// Starts `serve`; one that is kept small cannot write files beyond [`SMALL`].
    fn serve(&self, is_kept_small: bool) -> Server {
        let binary = env!("CARGO_BIN_EXE_handoff");
        let folder = self.sandbox.join("ledger");
        let mut command = match is_kept_small {
            true => {
                let mut command = self.sandbox.command("sh", folder);
                let script = format!("trap '' XFSZ; ulimit -f {SMALL}; exec \"$0\" \"$@\"");
                command.args(["-c", &script, binary]).stderr(Stdio::null());
                command
            }
            false => {
                let log = self.sandbox.join("log.txt");
                let mut command = self.sandbox.command(binary, folder);
                command.stderr(File::options().create(true).append(true).open(log).unwrap());
                command
            }
        };
        command.args(["--now", &stamp(self.clock.now()), "serve", "--listen", "127.0.0.1:0"]);
        command.envs(self.secrets.iter().map(|(name, value)| (*name, value)));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let server = Server(child);
        let address = first.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("no server: {first}\n{}", self.log()));
        *self.address.write().unwrap() = Some(address.parse().unwrap());
        server
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.sandbox.join("log.txt")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Runs a command, which may fail and must not break off.
    fn run(&self, arguments: &[&str]) -> Ran {
        let now = stamp(self.clock.now());
        let secrets: Vec<(&str, &str)> =
            self.secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let arguments = [&["--now", now.as_str()], arguments].concat();
        let ran = self.sandbox.handoff_with("ledger", &arguments, &secrets);
        assert!((0..=4).contains(&ran.code), "{}: {}\n{}", ran.line, ran.code, ran.stderr);
        ran
    }

    /// A deal that was won and signed just now; its event's id and body.
    fn sell(&self, dice: &mut Dice) -> (String, Vec<u8>) {
        let now = self.clock.now();
        let mut deals = self.deals.lock().unwrap();
        let id = 700_000 + deals.len() as u64;
        let won = now - TimeDelta::seconds(i64::from(chrono::Timelike::second(&now)));
        let won = won.trunc_subsecs(0);
        deals.push((Deal { id, won, is_renewal: false }, 1_000 + dice.roll(9_000)));
        drop(deals);
        self.write_deals();
        self.tally.count("deals");
        (format!("event-{id}"), document(id, now))
    }

    /// Sends until it is heard, and what was heard again sometimes.
    fn send(&self, jobs: &Mutex<mpsc::Receiver<(String, Vec<u8>)>>) {
        let next = || jobs.lock().unwrap().recv();
        while let Ok((event, body)) = next() {
            eventually("a webhook is accepted", || {
                let address = (*self.address.read().unwrap())?;
                let status = pandadoc(address, KEY, &event, &body).map(|answer| answer.status);
                let heard = matches!(status, Ok(200));
                self.tally.count(match status {
                    Ok(status) => format!("webhooks answered with {status}"),
                    Err(_) => "webhooks without an answer".to_owned(),
                });
                if !heard {
                    std::thread::sleep(Duration::from_millis(100));
                }
                heard.then_some(())
            });
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn queue(&self, jobs: &mpsc::Sender<(String, Vec<u8>)>, job: &(String, Vec<u8>), times: u64) {
        for _ in 0..times {
            self.open.fetch_add(1, Ordering::SeqCst);
            jobs.send(job.clone()).unwrap();
        }
    }

    /// The key of some deal.
    fn any_key(&self, dice: &mut Dice) -> Option<String> {
        let deals = self.deals.lock().unwrap();
        let index = dice.roll(deals.len().max(1) as u64);
        deals.get(usize::try_from(index).unwrap()).map(|(deal, _)| format!("hubspot-{}", deal.id))
    }

    /// What a person, a provider or a CRM does next.
    fn act(&self, dice: &mut Dice, jobs: &mpsc::Sender<(String, Vec<u8>)>) {
        let roll = dice.roll(12);
        let key = self.any_key(dice);
        match (roll, key) {
            (0..=5, _) | (_, None) => {
                let job = self.sell(dice);
                self.queue(jobs, &job, 1 + dice.roll(3));
            }
            (6, Some(key)) => {
                let id: u64 = key.trim_start_matches("hubspot-").parse().unwrap();
                for (deal, amount) in self.deals.lock().unwrap().iter_mut() {
                    if deal.id == id {
                        *amount += 1 + dice.roll(500);
                    }
                }
                self.write_deals();
                let ran = self.run(&["refresh", &key]);
                self.tally.count(format!("corrections that ended with {}", ran.code));
            }
            (7..=8, Some(key)) => {
                let ran = match dice.roll(3) {
                    0 => self.run(&["accept", &key, "--by", "csm-ana"]),
                    1 => self.run(&["return", &key, "--by", "csm-ana", "--reason", "wrong"]),
                    _ => self.run(&["resubmit", &key, "--by", "Riley Ross"]),
                };
                self.tally.count(format!("answers that ended with {}", ran.code));
            }
            (9, _) => {
                let ran = self.run(&["audit", "--deals", "deals.csv", "--format", "json"]);
                self.tally.count(format!("audits that ended with {}", ran.code));
                if ran.code <= 1 {
                    self.foots(&ran.json());
                }
            }
            (10, _) => {
                let ran = self.run(&["inbox", "retry", "--failed"]);
                self.tally.count(format!("`inbox retry` that ended with {}", ran.code));
            }
            _ => {
                let ran = self.run(&["deliver"]);
                self.tally.count(format!("`deliver` that ended with {}", ran.code));
            }
        }
    }

    /// Each deal is in the audit exactly once.
    fn foots(&self, report: &Value) {
        let rows = report["deals"].as_array().unwrap();
        let keys: BTreeSet<&str> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
        let deals = self.deals.lock().unwrap().len();
        assert_eq!((rows.len(), keys.len()), (deals, deals), "{report}");
    }

    /// Works everything off, now that nothing fails any more.
    fn settle(&self) {
        eventually("everything is accepted", || {
            (self.open.load(Ordering::SeqCst) == 0).then_some(())
        });
        eventually("everything is processed", || {
            let listed = self.run(&["inbox", "list", "--format", "json"]).json();
            let events = listed["events"].as_array().unwrap();
            let waiting: Vec<&str> = events
                .iter()
                .filter(|it| it["state"] == "failed" || it["state"] == "new")
                .filter_map(|it| it["event"].as_str())
                .collect();
            if !waiting.is_empty() {
                self.run(&[&["inbox", "retry"], &waiting[..]].concat());
                std::thread::sleep(Duration::from_millis(500));
            }
            events.is_empty().then_some(())
        });
        for _ in 0..10 {
            if self.run(&["deliver"]).code == 0 && self.unclear().is_empty() {
                return;
            }
            for key in self.unclear() {
                self.run(&["deliver", &key]);
            }
        }
    }

    /// Every handoff's events, as they are committed.
    fn timelines(&self) -> BTreeMap<String, Vec<String>> {
        let files = self.sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD", "briefs"]);
        let mut timelines = BTreeMap::new();
        for path in files.lines().filter(|path| path.ends_with("/timeline.yaml")) {
            let text = self.sandbox.git("ledger", &["show", &format!("HEAD:{path}")]);
            let timeline = Timeline::parse(text.as_bytes()).unwrap();
            let events = timeline
                .events
                .iter()
                .map(|event| format!("{} via {}", json!(event.event).as_str().unwrap(), event.via));
            let key = timeline.key.to_string();
            let before = timelines.insert(key.clone(), events.collect());
            assert!(before.is_none(), "{key} has two handoffs");
        }
        timelines
    }

    /// The handoffs that wait for a person, as their delivery may have been made.
    fn unclear(&self) -> Vec<String> {
        let lacks = |events: &Vec<String>| {
            ["task_opened via github", "notified via slack", "welcomed via welcome"]
                .iter()
                .any(|wanted| !events.iter().any(|event| event == wanted))
        };
        let all = self.timelines().into_iter();
        all.filter(|(_, events)| lacks(events)).map(|(key, _)| key).collect()
    }

    /// One brief a deal, and one of each delivery.
    fn check(&self) {
        let timelines = self.timelines();
        let deals = self.deals.lock().unwrap();
        let mut wrong = Vec::new();
        for (deal, _) in deals.iter() {
            let key = format!("hubspot-{}", deal.id);
            let events = timelines.get(&key).cloned().unwrap_or_default();
            for wanted in
                ["signed", "task_opened via github", "notified via slack", "welcomed via welcome"]
            {
                let count = events.iter().filter(|event| event.starts_with(wanted)).count();
                if count != 1 {
                    wrong.push(format!("{key}: {count} times {wanted}: {events:?}"));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{}", self.log());
        assert_eq!(timelines.len(), deals.len());
        let targets = self.targets.lock().unwrap();
        assert_eq!(targets.vendors.issues.len(), deals.len(), "one issue a deal");
        let mut messages = BTreeMap::<(String, String), usize>::new();
        for message in &targets.vendors.messages {
            let payload = &message["metadata"]["event_payload"];
            let mark = (payload["id"].to_string(), payload["step"].to_string());
            *messages.entry(mark).or_default() += 1;
        }
        messages.retain(|_, count| *count > 1);
        assert_eq!(messages, BTreeMap::new(), "nobody is told the same twice in Slack");
        let mut bodies = BTreeSet::new();
        for (number, comments) in &targets.comments {
            for comment in comments {
                assert!(bodies.insert((number, comment["body"].to_string())), "twice: {comment}");
            }
        }
        let welcomed: BTreeSet<&String> = targets.vendors.welcomes.iter().collect();
        assert_eq!(welcomed.len(), deals.len(), "each customer is welcomed under one id");
        self.sandbox.git("ledger", &["fsck", "--strict"]);
    }

    /// The audit says of each deal what git and the list of deals say.
    fn audit(&self) {
        let at = self.clock.now().trunc_subsecs(0);
        let ran =
            self.run(&["audit", "--deals", "deals.csv", "--as-of", &stamp(at), "--format", "json"]);
        assert!(ran.code <= 1, "{}{}", ran.stdout, ran.stderr);
        let report = ran.json();
        self.foots(&report);
        let story = tell(&self.sandbox, "ledger", at);
        for (deal, _) in self.deals.lock().unwrap().iter() {
            let key = format!("hubspot-{}", deal.id);
            let rows = report["deals"].as_array().unwrap();
            let row = rows.iter().find(|row| row["key"] == *key).unwrap();
            let expected = class(deal, &story, at);
            assert_eq!(row["class"], expected, "{row}");
            self.tally.count(format!("at the end {expected}"));
        }
    }
}

/// PandaDoc's sample for another deal, completed now.
fn document(deal: u64, now: DateTime<Utc>) -> Vec<u8> {
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    let data = &mut event[0]["data"];
    data["id"] = json!(format!("document-{deal}"));
    data["date_completed"] = json!(stamp(now));
    data["date_modified"] = json!(stamp(now));
    data["linked_objects"] =
        json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": deal.to_string()}]);
    data["metadata"] = json!({});
    event.to_string().into_bytes()
}

struct Server(Child);

impl Server {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn terminate(&mut self) {
        let pid = self.0.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
        assert!(sent.success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0), "it ends well when told");
    }

    /// Memory of its own in KiB, and open descriptors.
    fn needs(&self) -> (u64, usize) {
        let folder = format!("/proc/{}", self.0.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
        (memory, fs::read_dir(format!("{folder}/fd")).unwrap().count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn after_a_while_of_everything_going_wrong_there_is_one_of_each() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("HANDOFF_SOAK_SEED").unwrap_or(20_261_120);
    let seconds = number("HANDOFF_SOAK_SECONDS");
    eprintln!("soak: seed {seed}");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let soak = runtime.block_on(Soak::new(seed));
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (jobs, waiting) = mpsc::channel();
    let waiting = Mutex::new(waiting);
    let (start, mut round) = (Instant::now(), 0);
    std::thread::scope(|scope| {
        // Dropped at the end, also when something is wrong, so that the senders end.
        let jobs = jobs;
        for _ in 0..SENDERS {
            scope.spawn(|| soak.send(&waiting));
        }
        loop {
            let deals = soak.deals.lock().unwrap().len() as u64;
            let goes_on = match seconds {
                Some(seconds) => start.elapsed() < Duration::from_secs(seconds),
                None => round < ROUNDS,
            };
            if !goes_on || deals >= MOST_DEALS {
                break;
            }
            let is_kept_small = round % 3 == 1;
            let mut server = soak.serve(is_kept_small);
            soak.tally.count(if is_kept_small {
                "starts without room on the disk"
            } else {
                "starts"
            });
            for _ in 0..6 + dice.roll(8) {
                soak.act(&mut dice, &jobs);
                // So that the kill finds the server at something else each time.
                std::thread::sleep(Duration::from_millis(dice.roll(400)));
            }
            *soak.address.write().unwrap() = None;
            if dice.roll(3) == 0 {
                server.terminate();
                soak.tally.count("ended");
            } else {
                server.kill();
                soak.tally.count("killed");
            }
            let jump = match dice.roll(4) {
                0 => TimeDelta::seconds(-2),
                1 => TimeDelta::hours(3),
                _ => TimeDelta::minutes(i64::try_from(dice.roll(30)).unwrap()),
            };
            soak.clock.jump(jump);
            round += 1;
        }
        soak.faults.store(false, Ordering::SeqCst);
        let server = soak.serve(false);
        soak.settle();
        soak.check();
        soak.audit();

        // Now many more, known ones and new ones: the program needs no more than before.
        let more = |times: usize, dice: &mut Dice| {
            for _ in 0..times {
                let job = soak.sell(dice);
                soak.queue(&jobs, &job, 20);
                soak.settle();
            }
            get(soak.address.read().unwrap().unwrap(), "/metrics");
        };
        more(2, &mut dice);
        let before = server.needs();
        more(if seconds.is_some() { 20 } else { 3 }, &mut dice);
        let after = server.needs();
        soak.check();
        assert!(after.0 <= before.0 + MEMORY, "{} KiB before, {} KiB after", before.0, after.0);
        assert!(after.1 <= before.1 + 4, "{} descriptors before, {} after", before.1, after.1);
        drop(jobs);
        eprintln!("soak: seed {seed}, {round} rounds, {} s", start.elapsed().as_secs());
        for (what, count) in soak.tally.0.lock().unwrap().iter() {
            eprintln!("soak: {count:6} {what}");
        }
        eprintln!(
            "soak: RssAnon {} KiB, then {} KiB; descriptors {}, then {}",
            before.0, after.0, before.1, after.1
        );
    });
}
