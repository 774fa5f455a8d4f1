//! Each way to forge a date, and the second clock that knows better: a log of
//! pushes, GitHub's record, and checkpoints.

use std::fs;

use serde_json::{Value, json};

use super::{Ledger, signing_key};
use crate::deliver::fake::{Asked, Fake, Reply};
use crate::sandbox::Ran;

/// A ledger whose server keeps a log: its remote has the hook.
struct Served {
    ledger: Ledger,
}

impl Served {
    fn new() -> Self {
        let ledger = Ledger::new();
        ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        let said = ledger.sandbox.handoff(".", &["init", "remote.git", "--server-hook"]).exits(0);
        assert!(
            said.stdout.contains("handoff audit --clock handoff-pushes.log"),
            "{}",
            said.stdout
        );
        ledger.sandbox.git("l", &["remote", "add", "origin", "../remote.git"]);
        let served = Self { ledger };
        served.push("2026-11-01T00:00:00Z");
        served
    }

    fn log(&self) -> String {
        fs::read_to_string(self.ledger.sandbox.join("remote.git/handoff-pushes.log")).unwrap()
    }

    fn write_log(&self, text: &str) {
        self.ledger.sandbox.write("remote.git/handoff-pushes.log", text);
    }

    /// Says when the last push was, as the server's own clock would have.
    fn pushed(&self, at: &str) {
        let log = self.log();
        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        let last = lines.last_mut().unwrap();
        let (_, rest) = last.split_once('\t').unwrap();
        *last = format!("{at}\t{rest}");
        self.write_log(&format!("{}\n", lines.join("\n")));
    }

    fn push(&self, at: &str) {
        self.ledger.git_at(at, &["push", "-q", "origin", "main"]);
        self.pushed(at);
    }

    /// Signs on a machine whose clock shows `claimed`, and pushes at `truly`.
    fn sign(&self, claimed: &str, truly: &str) {
        self.ledger.sign("1", "2026-11-02T10:00:00Z", claimed);
        self.pushed(truly);
    }

    fn audit(&self, more: &[&str]) -> Ran {
        let clock = ["--clock", "../remote.git/handoff-pushes.log"];
        self.ledger.audit(&[&clock[..], more].concat())
    }

    #[track_caller]
    fn is_found(&self, rule: &str, words: &str) -> Value {
        is_found(&self.audit(&[]).json(), rule, words)
    }
}

#[track_caller]
fn is_found(report: &Value, rule: &str, words: &str) -> Value {
    let findings = report["findings"].as_array().unwrap();
    let is = |finding: &&Value| {
        finding["rule"] == rule && finding["message"].as_str().unwrap().contains(words)
    };
    assert!(findings.iter().any(|f| is(&f)), "{rule} with {words:?} is not among {findings:#?}");
    report["deals"][0].clone()
}

const IN_TIME: &str = "2026-11-02T10:05:00Z";
const TOO_LATE: &str = "2026-11-02T13:00:00Z";

#[test]
fn a_machine_whose_clock_was_set_back_is_late_by_the_log_of_pushes() {
    let served = Served::new();
    served.sign(IN_TIME, TOO_LATE);
    assert_eq!(served.ledger.audited().0, "on_time", "nothing else knows");
    let deal = served.is_found("backdated-commit", "has it only since 2026-11-02 13:00 UTC");
    assert_eq!(deal["class"], "late", "{deal}");
    assert_eq!(deal["delivered_at"], TOO_LATE);
    assert_eq!(deal["committed_at"], IN_TIME);
    assert!(deal["clock"].as_str().unwrap().contains("handoff-pushes.log"), "{deal}");
    let report = served.audit(&[]).json();
    let clock = &report["ledger"]["clocks"][0];
    assert_eq!((&clock["pushes"], &clock["until"]), (&json!(2), &json!(TOO_LATE)), "{clock}");
    assert!(report["command"].as_str().unwrap().contains("--clock"), "{report}");
    let text = served.ledger.sandbox.handoff(
        "l",
        &["audit", "--deals", "../deals.csv", "--clock", "../remote.git/handoff-pushes.log"],
    );
    assert!(text.stdout.contains("2 pushes from 2026-11-01T00:00:00Z"), "{}", text.stdout);
}

#[test]
fn an_honest_push_is_on_time_by_the_log_and_accuses_nobody() {
    let served = Served::new();
    served.sign(IN_TIME, "2026-11-02T10:05:02Z");
    let report = served.audit(&[]).json();
    assert_eq!(report["deals"][0]["class"], "on_time", "{report}");
    assert_eq!(report["deals"][0]["delivered_at"], "2026-11-02T10:05:02Z");
    let findings = report["findings"].as_array().unwrap();
    let rules: Vec<&str> = findings.iter().map(|it| it["rule"].as_str().unwrap()).collect();
    assert_eq!(
        rules,
        ["first-touch-overdue", "incomplete-handoff", "never-accepted"],
        "{findings:#?}"
    );
}

#[test]
fn a_commit_that_was_dated_anew_before_its_push_is_late() {
    let served = Served::new();
    let ledger = &served.ledger;
    ledger.git_at(IN_TIME, &["remote", "rename", "origin", "later"]);
    ledger.git_at(IN_TIME, &["config", "--unset-all", "remote.later.url"]);
    ledger.sign("1", "2026-11-02T10:00:00Z", TOO_LATE);
    ledger.git_at(IN_TIME, &["commit", "-q", "--amend", "--no-edit", "--date", IN_TIME]);
    ledger.git_at(IN_TIME, &["remote", "rm", "later"]);
    ledger.git_at(IN_TIME, &["remote", "add", "origin", "../remote.git"]);
    served.push(TOO_LATE);
    let deal = served.is_found("backdated-commit", "dated 2026-11-02 10:05 UTC, in time");
    assert_eq!(deal["class"], "late");
}

#[test]
fn a_date_after_the_push_is_found_and_the_push_counts() {
    let served = Served::new();
    served.sign(TOO_LATE, IN_TIME);
    let deal = served.is_found("backdated-commit", "2 h 55 min after the push log");
    assert_eq!(deal["class"], "on_time", "{deal}");
}

#[test]
fn settings_that_were_dated_back_do_not_count_before_their_push() {
    let served = Served::new();
    served.ledger.change("handoff.yaml", "handoff_within: 1h", "handoff_within: 48h");
    served.ledger.commit("2026-11-01T08:00:00Z", "always so");
    served.push("2026-11-10T09:00:00Z");
    served.sign(TOO_LATE, "2026-11-10T09:01:00Z");
    assert_eq!(served.ledger.audited().0, "on_time", "by the dates alone");
    let deal = served.is_found("policy-loosened", "handoff_within went from 1h to 48h");
    assert_eq!(deal["class"], "late", "{deal}");
}

#[test]
fn a_history_that_was_forced_away_is_told_by_whose_push_it_was() {
    let served = Served::new();
    served.sign(TOO_LATE, TOO_LATE);
    let ledger = &served.ledger;
    let was = ledger.git_at(TOO_LATE, &["rev-parse", "HEAD"]);
    ledger.git_at(IN_TIME, &["commit", "-q", "--amend", "--no-edit", "--date", IN_TIME]);
    ledger.git_at(TOO_LATE, &["push", "-qf", "origin", "main"]);
    served.pushed("2026-11-03T09:00:00Z");
    let deal = served
        .is_found("history-rewritten", &format!("force-pushed the branch from {}", &was[..10]));
    assert_eq!(deal["class"], "late", "what was forced in came then: {deal}");
    served.is_found("history-rewritten", "on 2026-11-03 09:00 UTC, by the push log");
}

#[test]
fn a_log_that_was_tampered_with_makes_nobody_punctual() {
    let served = Served::new();
    served.sign(IN_TIME, TOO_LATE);
    served.ledger.sandbox.handoff("l", &["touch", "hubspot-1", "--by", "samlee"]).exits(0);
    served.pushed("2026-11-03T08:00:00Z");
    let whole = served.log();
    let lines: Vec<&str> = whole.lines().collect();
    // The line of the push is taken out: the next one had it at the latest.
    served.write_log(&format!("{}\n{}\n", lines[0], lines[2]));
    let deal = served.is_found("backdated-commit", "at the latest");
    assert_eq!(deal["class"], "late");
    // The end is cut off: nobody can tell any more, and that is no clean audit.
    served.write_log(&format!("{}\n", lines[0]));
    let ran = served.audit(&[]).exits(3);
    assert!(ran.stdout.contains("ends with the push of 2026-11-01"), "{}", ran.stdout);
    // A log of something else.
    let other = lines[0].replace("refs/heads/main", "refs/heads/other");
    served.write_log(&other);
    assert!(served.audit(&[]).exits(3).stdout.contains("holds no push of this history"));
    // A line that is none.
    served.write_log(&format!("{}\n2026-11-02\tyesterday\n", lines[0]));
    let ran = served.audit(&[]).exits(3);
    assert!(ran.stderr.contains("handoff-pushes.log:2:"), "{}", ran.stderr);
    // No log at all.
    fs::remove_file(served.ledger.sandbox.join("remote.git/handoff-pushes.log")).unwrap();
    assert!(served.audit(&[]).exits(3).stderr.contains("cannot be read"));
}

#[test]
fn the_hook_lets_another_hook_live_and_says_what_is_missing() {
    let ledger = Ledger::new();
    ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    let hook = ledger.sandbox.write("remote.git/hooks/post-receive", "#!/bin/sh\ncat >>seen\n");
    let said = ledger.sandbox.handoff(".", &["init", "remote.git", "--server-hook"]).exits(3);
    assert_eq!(fs::read_to_string(&hook).unwrap(), "#!/bin/sh\ncat >>seen\n");
    assert!(said.stderr.contains("git runs another hooks/post-receive"), "{}", said.stderr);
    // What the help says, done.
    let lines =
        "lines=$(cat)\nprintf '%s\\n' \"$lines\" | \"$(dirname \"$0\")/post-receive-handoff\"\n";
    for part in
        ["lines=$(cat)", "printf '%s\\n' \"$lines\" | \"$(dirname \"$0\")/post-receive-handoff\""]
    {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    fs::write(&hook, format!("#!/bin/sh\n{lines}printf '%s\\n' \"$lines\" >>seen\n")).unwrap();
    executable(&hook);
    ledger.sandbox.git("l", &["push", "-q", "../remote.git", "main"]);
    let read =
        |name: &str| fs::read_to_string(ledger.sandbox.join("remote.git").join(name)).unwrap();
    assert_eq!(read("seen").lines().count(), 1);
    assert!(read("handoff-pushes.log").contains("branch_creation"));
    ledger.sandbox.handoff(".", &["init", "remote.git", "--server-hook"]).exits(0);
}

fn executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_checkpoint_knows_what_was_not_there_yet() {
    let ledger = Ledger::new();
    let audit =
        ["--now", "2026-11-02T12:00:00Z", "audit", "--deals", "../deals.csv", "--checkpoint"];
    ledger.sandbox.handoff("l", &audit).exits(1);
    // The machine's clock was set back afterwards.
    ledger.sign("1", "2026-11-02T10:00:00Z", IN_TIME);
    let report = ledger.audit(&[]).json();
    let deal = is_found(
        &report,
        "backdated-commit",
        "the checkpoint of 2026-11-02 12:00 UTC did not have it",
    );
    assert_eq!(deal["class"], "late", "{deal}");
    // A checkpoint that could not look at the remote knows nothing of what came later.
    let ledger = Ledger::new();
    ledger.sandbox.git("l", &["remote", "add", "origin", "../nowhere.git"]);
    let ran = ledger.sandbox.handoff("l", &audit).exits(3);
    assert!(ran.stderr.contains("says nothing of what came later"), "{}", ran.stderr);
    ledger.sandbox.git("l", &["remote", "rm", "origin"]);
    ledger.sign("1", "2026-11-02T10:00:00Z", IN_TIME);
    assert_eq!(ledger.audited().0, "on_time");
}

#[test]
fn a_log_that_contradicts_a_checkpoint_is_found() {
    let served = Served::new();
    let audit =
        ["--now", "2026-11-02T12:00:00Z", "audit", "--deals", "../deals.csv", "--checkpoint"];
    served.ledger.sandbox.handoff("l", &audit).exits(1);
    // The server's own log was bent, too.
    served.sign(IN_TIME, "2026-11-02T10:05:02Z");
    let deal = served.is_found(
        "checkpoint-contradicted",
        "and the checkpoint of 2026-11-02 12:00 UTC did not see it",
    );
    assert_eq!(deal["class"], "late");
}

#[test]
fn what_a_signed_checkpoint_keeps_of_a_record_counts_when_the_record_is_gone() {
    let served = Served::new();
    let ledger = &served.ledger;
    if !signing_key(ledger) {
        return;
    }
    served.sign(IN_TIME, TOO_LATE);
    let now = ["--now", "2026-11-03T06:00:00Z"];
    let audit = [
        "audit",
        "--deals",
        "../deals.csv",
        "--clock",
        "../remote.git/handoff-pushes.log",
        "--checkpoint",
    ];
    ledger.sandbox.handoff("l", &[&now[..], &audit[..]].concat()).exits(0);
    assert_eq!(ledger.audited().0, "on_time", "nobody is trusted yet");
    let report = ledger.audit(&["--trust", "../trust"]).json();
    let deal = is_found(&report, "backdated-commit", "the record that signed checkpoints keep");
    assert_eq!(deal["class"], "late", "{deal}");
    // The next one keeps what is new.
    let again = ["--now", "2026-11-04T06:00:00Z"];
    ledger.sandbox.handoff("l", &[&again[..], &audit[..]].concat()).exits(1);
    let kept = ledger.git_at(TOO_LATE, &["cat-file", "tag", "refs/handoff/audit/20261104T060000Z"]);
    assert!(!kept.contains("\"pushes\""), "{kept}");
}

#[test]
fn an_audit_of_a_moment_is_the_same_when_the_record_has_grown() {
    let served = Served::new();
    served.sign(IN_TIME, TOO_LATE);
    let clock = ["--clock", "../remote.git/handoff-pushes.log"];
    let at = |moment: &str| served.ledger.audit(&[&clock[..], &["--as-of", moment]].concat());
    // By the log it was not there at noon, whatever its date says.
    let noon = at("2026-11-02T12:00:00Z").exits(1);
    assert_eq!(noon.json()["deals"][0]["class"], "missing", "{}", noon.stdout);
    let evening = at("2026-11-02T20:00:00Z");
    assert_eq!(evening.json()["deals"][0]["class"], "late");
    served.ledger.sandbox.handoff("l", &["touch", "hubspot-1", "--by", "samlee"]).exits(0);
    served.pushed("2026-11-03T08:00:00Z");
    assert_eq!(at("2026-11-02T12:00:00Z").stdout, noon.stdout);
    assert_eq!(at("2026-11-02T20:00:00Z").stdout, evening.stdout);
    // A revision has the time of its commit, and was pushed later.
    let revision = served.ledger.git_at(TOO_LATE, &["rev-parse", "HEAD~1"]);
    let report = at(revision.trim()).json();
    assert_eq!(report["complete"], true, "{report}");
    assert_eq!(report["deals"][0]["class"], "late");
}

/// All that GitHub has of the pushes, newest first.
fn activities(log: &str) -> Vec<Value> {
    let mut all: Vec<Value> = log
        .lines()
        .zip(1..)
        .map(|(line, id)| {
            let part: Vec<&str> = line.split('\t').collect();
            json!({"id": id, "node_id": "x", "timestamp": part[0], "before": part[1], "after": part[2],
                "ref": part[3], "activity_type": part[4], "actor": {"login": "riley-ross", "id": 7}})
        })
        .collect();
    // Another branch's push does not count.
    all.push(json!({"id": 99, "node_id": "x", "timestamp": "2026-11-01T00:00:00Z",
        "before": "0".repeat(40), "after": all[0]["after"], "ref": "refs/heads/x", "activity_type": "branch_creation",
        "actor": null}));
    all.reverse();
    all
}

/// GitHub's answer: two a page, the next one by a cursor.
fn activity(log: &str, asked: &Asked) -> Reply {
    let all = activities(log);
    let from = asked.query.split("after=c").nth(1).map_or(0, |n| n.parse::<usize>().unwrap());
    let page: Vec<Value> = all.iter().skip(from).take(2).cloned().collect();
    if from + 2 >= all.len() {
        return Reply::Json(200, json!(page));
    }
    let link: &'static str = format!(
        "<https://api.github.com/repositories/1/activity?per_page=2&after=c{}>; rel=\"next\"",
        from + 2
    )
    .leak();
    let headers: &'static [(&str, &str)] = Vec::leak(vec![("link", link)]);
    Reply::With(200, headers, json!(page))
}

/// The ledger's remote is one on GitHub, by an ssh that never leaves the machine.
fn on_github(served: &Served, api: &str) {
    let ledger = &served.ledger;
    let root = ledger.sandbox.join(".").display().to_string();
    let script = format!(
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\ncd '{root}' && exec ${{1%% *}} remote.git\n"
    );
    let ssh = ledger.sandbox.write("ssh", script);
    executable(&ssh);
    let config = |name: &str, value: &str| ledger.sandbox.git("l", &["config", name, value]);
    config("core.sshCommand", &ssh.display().to_string());
    config("ssh.variant", "simple");
    config("remote.origin.url", "git@github.com:acme/handoffs.git");
    let github = format!("deliver:\n  github: {{repository: acme/handoffs, base_url: \"{api}\"}}");
    ledger.change("handoff.yaml", "deliver:\n  {}", &github);
    ledger.change(
        "handoff.yaml",
        "handoff_within: 1h",
        "handoff_within: 1h\naudit: {clock: github}",
    );
    ledger.commit("2026-11-01T01:00:00Z", "github");
    served.push("2026-11-01T01:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_record_decides_page_by_page_and_its_absence_is_never_clean() {
    let served = std::sync::Arc::new(Served::new());
    let fault = std::sync::Arc::new(std::sync::Mutex::new(""));
    let (answers, broken) = (served.clone(), fault.clone());
    let fake = Fake::serve(move |asked: &Asked| match (*broken.lock().unwrap(), &*asked.path) {
        ("404", _) => Reply::Json(404, json!({"message": "Not Found"})),
        ("circle", "/repos/acme/handoffs/activity") => {
            Reply::With(200, &[("link", "<https://x/?after=c2>; rel=\"next\"")], json!([]))
        }
        ("cursor", _) => {
            Reply::With(200, &[("link", "<https://x/?page=2>; rel=\"next\"")], json!([]))
        }
        // A hundred at once and no link: the last page, or a proxy takes the links away.
        (full @ ("unlinked" | "full"), "/repos/acme/handoffs/activity") => {
            let mut all = activities(&answers.log());
            let of_another = all.last().expect("one").clone();
            all.resize(100, of_another);
            let next: &'static [_] = &[("link", "<https://x/?after=c99>; rel=\"next\"")];
            let has_less = full == "full" && asked.query.contains("per_page=99");
            Reply::With(200, if has_less { next } else { &[] }, json!(all))
        }
        ("shape", _) => Reply::Json(200, json!([{"timestamp": "yesterday"}])),
        (_, "/repos/acme/handoffs/activity") => {
            assert!(asked.query.contains("ref=refs%2Fheads%2Fmain"), "{}", asked.query);
            activity(&answers.log(), asked)
        }
        (_, other) => Reply::Json(404, json!({"message": format!("no {other}")})),
    })
    .await;
    on_github(&served, &fake.url);
    let deals = served.ledger.sandbox.join("deals.csv");
    fs::copy(&deals, served.ledger.sandbox.join("l/deals.csv")).unwrap();
    let event = served.ledger.event("1", "2026-11-02T10:00:00Z");
    let token = [("GITHUB_TOKEN", "ghp_secret")];
    let sign = ["--now", IN_TIME, "sign", &event, "--no-deliver"];
    served.ledger.sandbox.handoff_with("l", &sign, &token).exits(0);
    served.pushed(TOO_LATE);
    let audit = |more: &[&str]| {
        let audit = ["audit", "--deals", "../deals.csv", "--format", "json"];
        served.ledger.sandbox.handoff_with("l", &[&audit[..], more].concat(), &token)
    };
    let report = audit(&[]).json();
    let deal = is_found(
        &report,
        "backdated-commit",
        "has it only since 2026-11-02 13:00 UTC, pushed by \"riley-ross\"",
    );
    assert_eq!(deal["class"], "late", "{deal}");
    assert!(
        deal["clock"].as_str().unwrap().starts_with("GitHub's record of acme/handoffs"),
        "{deal}"
    );
    assert_eq!(report["complete"], true, "{report}");
    assert!(fake.count("GET", "/repos/acme/handoffs/activity") >= 2, "page by page");
    // The same, saved: what GitHub answers can be given as a file, too.
    let saved: Vec<Value> = match activity(&served.log(), &fake.asked()[0]) {
        Reply::With(_, _, page) | Reply::Json(_, page) => vec![page],
        _ => unreachable!("an answer"),
    };
    served.ledger.sandbox.write("saved.json", json!(saved).to_string());
    assert_eq!(audit(&["--clock", "../saved.json"]).json()["deals"][0]["class"], "late");
    *fault.lock().unwrap() = "full";
    assert_eq!(audit(&[]).json()["complete"], true);
    for broken in ["404", "circle", "cursor", "unlinked", "shape"] {
        *fault.lock().unwrap() = broken;
        let ran = audit(&[]).exits(3);
        let gaps = ran.json()["gaps"].to_string();
        assert!(gaps.contains("by GitHub's record of pushes"), "{broken}: {gaps}");
        assert!(!ran.stdout.contains("ghp_secret") && !ran.stderr.contains("ghp_secret"));
    }
    *fault.lock().unwrap() = "";
    let ran = served.ledger.audit(&["--clock", "github"]).exits(3);
    assert!(ran.json()["gaps"].to_string().contains("GITHUB_TOKEN"), "{}", ran.stdout);
    // Who turns the clock off is named.
    served.ledger.change("handoff.yaml", "audit: {clock: github}\n", "");
    served.ledger.commit("2026-11-10T09:00:00Z", "no clock");
    served.push("2026-11-10T09:00:00Z");
    is_found(&audit(&[]).json(), "policy-loosened", "no second clock is asked any more");
}
