//! A ledger that delivers to every vendor, and the servers behind it.

use std::fs;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use handoff::brief::Timeline;
use serde_json::{Value, json};

use super::killer::{At, Killer, Point, When};
use super::mail::{self, Mails, Take};
use super::vendors::Vendors;
use crate::deliver::fake::{Asked, Fake, Reply};
use crate::sandbox::{NOW, Ran, Sandbox, fixture};

pub(crate) const KEY: &str = "hubspot-18640329741";
/// Its clock is five weeks after the signature: nobody is reminded of the past.
pub(crate) const QUIET: &str = "reminders: off\n";
const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd\n";

/// What every delivery stands for in the timeline.
pub(crate) const DELIVERED: [&str; 6] = [
    "task_opened via github",
    "notified via slack",
    "emailed via email",
    "project_started via asana",
    "project_started via jira",
    "welcomed via welcome",
];

/// A ledger with servers of its own.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) killer: Killer,
    pub(crate) vendors: Arc<Mutex<Vendors>>,
    pub(crate) mails: Mails,
    pub(crate) secrets: Vec<(&'static str, String)>,
    pub(crate) fake: Fake,
}

/// A server that answers so, and what kills a program where it asks something
/// of it, or once that is done.
pub(crate) async fn killed_at(
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Killer, Fake) {
    let killer = Killer::new();
    let kills = killer.clone();
    let fake = Fake::serve(move |asked| {
        let request = format!("{} {}", asked.method, asked.path);
        if !kills.pass(When::Received, &request) {
            return Reply::Drop;
        }
        let reply = answer(asked);
        if !Vendors::reads(asked) {
            kills.pass(When::Done, &request);
        }
        reply
    })
    .await;
    (killer, fake)
}

impl World {
    /// With these settings of a mail beside the usual ones.
    pub(crate) async fn new(mail: &str) -> Self {
        let (vendors, mails) = (Arc::<Mutex<Vendors>>::default(), Mails::default());
        let (state, take) = (vendors.clone(), mails.take());
        let answer = move |asked: &Asked| state.lock().unwrap().answer(asked);
        Self::with((vendors, mails), mail, "acme/handoffs", answer, take).await
    }

    /// With other servers behind the same address: `answer` answers what is
    /// asked of all of them, `take` takes the mails.
    pub(crate) async fn with(
        (vendors, mails): (Arc<Mutex<Vendors>>, Mails),
        mail: &str,
        repository: &str,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
        take: Take,
    ) -> Self {
        let (killer, fake) = killed_at(answer).await;
        let url = &fake.url;
        let smtp = mail::serve(killer.clone(), take);
        let sandbox = ledger(&format!(
            "{QUIET}deliver:\n\
             \x20 github: {{repository: {repository}, base_url: \"{url}/github\", seconds_between_writes: 0}}\n\
             \x20 slack: {{channel: \"#cs-handoffs\", base_url: \"{url}/slack\"}}\n\
             \x20 email: {{from: handoff@example.com, list: [cs@example.test]{mail}}}\n\
             \x20 asana: {{template: \"1207\", workspace: \"5\", base_url: \"{url}/asana\"}}\n\
             \x20 jira: {{project: ONB, base_url: \"{url}/jira\"}}\n\
             \x20 welcome: {{url: \"{url}/welcome\", allow_private: true}}\n"
        ));
        let secrets = secrets(&smtp);
        Self { sandbox, killer, vendors, mails, secrets, fake }
    }

    /// Runs the binary, killed at the point of this number; whether it was
    /// killed, and the points it passed.
    pub(crate) async fn run(&self, arguments: &[&str], at: At) -> (bool, Vec<Point>) {
        run(&self.sandbox, &self.killer, &self.secrets, arguments, at).await
    }

    /// Runs the binary to its end, which must be a good one.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Ran {
        let secrets: Vec<(&str, &str)> =
            self.secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.sandbox.handoff_with("ledger", arguments, &secrets).exits(0)
    }

    /// Runs the binary, however it ends.
    pub(crate) fn any(&self, arguments: &[&str]) -> Ran {
        let secrets: Vec<(&str, &str)> =
            self.secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.sandbox.handoff_with("ledger", arguments, &secrets)
    }

    /// The whole of it: brief and deliveries.
    pub(crate) async fn sign(&self, at: At) -> (bool, Vec<Point>) {
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        self.run(&["sign", &event], at).await
    }

    /// What is not as it should be after everything has come to its end.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = faults(&self.sandbox, &DELIVERED);
        let vendors = self.vendors.lock().unwrap();
        let mut once = |what: &str, count: usize| {
            if count != 1 {
                faults.push(format!("{count} times {what}"));
            }
        };
        once("an issue on GitHub", vendors.issues.len());
        once("a message in Slack", vendors.messages.len());
        once("a project in Asana", vendors.projects.len());
        once("a first-touch task in Asana", vendors.asana_tasks.len());
        once(
            "described in Asana",
            vendors.projects.iter().filter(|it| it["html_notes"] != "").count(),
        );
        let mut steps: Vec<&str> = vendors.jira.iter().map(step).collect();
        steps.sort_unstable();
        once("no more than an epic and six tasks in Jira", steps.len() / 7);
        if steps != ["epic", "task-1", "task-2", "task-3", "task-4", "task-5", "task-6"] {
            faults.push(format!("in Jira {steps:?}"));
        }
        faults
    }

    /// How often mail and welcome went out, each always under one id.
    pub(crate) fn repeats(&self) -> (usize, usize) {
        let (mails, welcomes) = (self.mails.ids(), self.vendors.lock().unwrap().welcomes.clone());
        for ids in [&mails, &welcomes] {
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
        (mails.len(), welcomes.len())
    }
}

fn step(issue: &Value) -> &str {
    issue["properties"][0]["value"]["step"].as_str().unwrap()
}

/// A ledger with one deal that was won, and these deliveries.
pub(crate) fn ledger(deliver: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let csm = "Sam Lee <sam@example.com> @csm-ana";
    sandbox.handoff(".", &["init", "ledger", "--crm", "file", "--csm", csm]).exits(0);
    sandbox.write("ledger/deals.csv", DEALS);
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let (before, _) = config.split_once("deliver:\n").expect("the section stands at the end");
    fs::write(&file, format!("{before}{deliver}")).unwrap();
    sandbox
}

pub(crate) fn secrets(smtp: &str) -> Vec<(&'static str, String)> {
    [
        ("GITHUB_TOKEN", "ghp_handoff_test"),
        ("SLACK_BOT_TOKEN", "ghp_handoff_test"),
        ("SMTP_URL", smtp),
        ("HUBSPOT_TOKEN", crate::hubspot::fake::TOKEN),
        ("ASANA_TOKEN", "a"),
        ("JIRA_EMAIL", "bot@example.com"),
        ("JIRA_TOKEN", "j"),
        ("WELCOME_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

pub(crate) async fn run(
    sandbox: &Sandbox,
    killer: &Killer,
    secrets: &[(&'static str, String)],
    arguments: &[&str],
    at: At,
) -> (bool, Vec<Point>) {
    killer.arm(at);
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("ledger"));
    if !arguments.contains(&"--now") {
        command.args(["--now", NOW]);
    }
    command.args(arguments).envs(secrets.iter().map(|(name, value)| (*name, value)));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    killer.follow(command.spawn().unwrap());
    let killer = killer.clone();
    tokio::task::spawn_blocking(move || killer.outcome()).await.unwrap()
}

/// What of a ledger is not sound: git, the timeline's form, each delivery once.
pub(crate) fn faults(sandbox: &Sandbox, delivered: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let output = sandbox
        .command("git", sandbox.join("ledger"))
        .args(["fsck", "--strict", "--no-dangling"])
        .output()
        .unwrap();
    if !output.status.success() || !output.stdout.is_empty() || !output.stderr.is_empty() {
        faults.push(format!("git fsck: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let status = sandbox.git("ledger", &["status", "--porcelain", "--", "briefs"]);
    if !status.is_empty() {
        faults.push(format!("the checkout is behind: {status}"));
    }
    let timeline = timeline(sandbox);
    let parsed = handoff::yaml::read(timeline.as_bytes()).unwrap().to_json();
    let schema: Value = serde_json::from_str(handoff::brief::TIMELINE_JSON_SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    faults.extend(schema.iter_errors(&parsed).map(|error| format!("the timeline: {error}")));
    let events: Vec<String> = Timeline::parse(timeline.as_bytes())
        .unwrap()
        .events
        .iter()
        .map(|event| format!("{} via {}", json!(event.event).as_str().unwrap(), event.via))
        .collect();
    for wanted in delivered {
        let count = events.iter().filter(|event| event == wanted).count();
        if count != 1 {
            faults.push(format!("the timeline has {count} times {wanted}: {events:?}"));
        }
    }
    faults
}

/// The one timeline, as it is committed.
pub(crate) fn timeline(sandbox: &Sandbox) -> String {
    let files = sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD", "briefs"]);
    let timelines: Vec<&str> =
        files.lines().filter(|path| path.ends_with("timeline.yaml")).collect();
    let [path] = timelines[..] else { panic!("not one handoff: {files}") };
    sandbox.git("ledger", &["show", &format!("HEAD:{path}")])
}
