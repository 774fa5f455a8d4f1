//! Remotes that refuse, hang, vanish or are replaced: nothing is told before
//! the remote has it, and all of it is there after the fault is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::Ledger;

/// The ledger with a bare remote beside it.
fn with_remote() -> Ledger {
    let ledger = Ledger::new();
    ledger.change("handoff.yaml", "deliver:\n  {}", "deliver:\n  outbox: {dir: outbox}");
    ledger.commit("2026-11-01T00:00:00Z", "an outbox");
    ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    ledger.sandbox.git("l", &["remote", "add", "origin", "../remote.git"]);
    ledger.sandbox.git("l", &["push", "-q", "origin", "main"]);
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger
}

/// Has the remote refuse each push, or take them again.
fn refuse(ledger: &Ledger, refuse: bool) {
    let hook = ledger.sandbox.join("remote.git/hooks/pre-receive");
    if !refuse {
        return fs::remove_file(hook).unwrap();
    }
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho the branch is protected >&2\nexit 1\n").unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
}

fn delivered(ledger: &Ledger) -> usize {
    let outbox = ledger.sandbox.join("l/outbox");
    fs::read_dir(outbox).map_or(0, std::iter::Iterator::count)
}

#[test]
fn a_bare_clone_that_never_asked_its_origin_does_not_say_what_it_lacks() {
    let ledger = with_remote();
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    ledger.sandbox.handoff("l", &["sign", &event]).exits(0);
    // Without a checkout the export of the settings is read from the commit.
    ledger.sandbox.git("l", &["add", "-f", "deals.csv"]);
    ledger.sandbox.git("l", &["commit", "-qm", "the export"]);
    ledger.sandbox.git("l", &["push", "-q", "origin", "main"]);
    ledger.sandbox.git(".", &["clone", "-q", "--bare", "remote.git", "clone.git"]);
    let said = ledger.sandbox.handoff("clone.git", &["status", "--all"]).exits(0).stderr;
    assert!(said.contains("here is not known") && !said.contains("not on origin"), "{said}");
    let doctor = ledger.sandbox.handoff("clone.git", &["doctor"]).stdout;
    assert!(doctor.contains("here is not known"), "{doctor}");
    // The remedy that both name.
    assert!(said.contains("`handoff deliver`") && doctor.contains("`handoff deliver`"), "{said}");
    ledger.sandbox.handoff("clone.git", &["deliver"]).exits(0);
    let said = ledger.sandbox.handoff("clone.git", &["status", "--all"]).exits(0).stderr;
    assert_eq!(said, "");
    let doctor = ledger.sandbox.handoff("clone.git", &["doctor"]).stdout;
    assert!(doctor.contains("what is written is pushed to origin"), "{doctor}");
}

#[test]
fn a_refused_push_is_exit_3_and_nothing_is_told_before_the_remote_has_it() {
    let ledger = with_remote();
    refuse(&ledger, true);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    let ran = ledger.sandbox.handoff("l", &["-q", "sign", &event, "--format", "json"]).exits(3);
    let json = ran.json();
    assert_eq!(json["pushed"], false, "{json}");
    assert!(json["not_pushed"].as_str().unwrap().contains("the branch is protected"), "{json}");
    assert!(ran.stderr.contains("is not on origin"), "quiet keeps the warning: {}", ran.stderr);
    assert_eq!(delivered(&ledger), 0);
    let doctor = ledger.sandbox.handoff("l", &["doctor"]).exits(3).stdout;
    assert!(doctor.contains("is not on origin since 2026-11-20 17:00 UTC"), "{doctor}");
    let ran = ledger.sandbox.handoff("l", &["deliver"]).exits(3);
    assert!(ran.stderr.contains("wait until the brief is on origin"), "{}", ran.stderr);
    assert_eq!(delivered(&ledger), 0);
    let accept = ["accept", "hubspot-1", "--by", "samlee"];
    ledger.sandbox.handoff("l", &accept).exits(3);
    // The fault is gone; no other event is needed.
    refuse(&ledger, false);
    ledger.sandbox.handoff("l", &["deliver"]).exits(0);
    assert!(delivered(&ledger) > 0);
    let tip = ledger.sandbox.git("l", &["rev-parse", "main"]);
    assert_eq!(ledger.sandbox.git("remote.git", &["rev-parse", "main"]), tip);
    ledger.sandbox.handoff("l", &["doctor", "--offline"]);
}

#[test]
fn deliver_pushes_what_waits_also_where_nothing_is_delivered_to() {
    for settings in ["deliver: {}\n", ""] {
        let ledger = with_remote();
        let file = ledger.sandbox.join("l/handoff.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let (before, _) = text.split_once("\ndeliver:").unwrap();
        fs::write(&file, format!("{before}\n{settings}")).unwrap();
        ledger.commit("2026-11-01T01:00:00Z", "nothing to deliver to");
        ledger.sandbox.git("l", &["push", "-q", "origin", "main"]);
        refuse(&ledger, true);
        let event = ledger.event("1", "2026-11-02T10:00:00Z");
        let ran = ledger.sandbox.handoff("l", &["sign", &event]).exits(3);
        let remedy =
            "`handoff deliver`, `handoff serve` and every later command that writes try it";
        assert!(ran.stderr.contains(remedy), "{}", ran.stderr);
        let said = ledger.audit(&[]).stderr;
        let remedy = "1 commit of this clone is not on origin/main and does not count; `handoff deliver` pushes it";
        assert!(said.contains(remedy), "{said}");
        ledger.sandbox.handoff("l", &["deliver"]).exits(3);
        refuse(&ledger, false);
        let ran = ledger.sandbox.handoff("l", &["deliver"]).exits(0);
        assert!(
            ran.stderr.contains("1 commit pushed; `deliver:` in handoff.yaml names nothing"),
            "{}",
            ran.stderr
        );
        let tip = ledger.sandbox.git("l", &["rev-parse", "main"]);
        assert_eq!(ledger.sandbox.git("remote.git", &["rev-parse", "main"]), tip);
        // With nothing to push either, it is a mistake of the settings.
        let ran = ledger.sandbox.handoff("l", &["deliver"]).exits(2);
        assert!(ran.stderr.contains("names nothing to deliver to"), "{}", ran.stderr);
    }
}

#[test]
fn deliveries_before_the_push_are_for_those_who_ask_for_them() {
    let ledger = with_remote();
    ledger.change(
        "handoff.yaml",
        "outbox: {dir: outbox}",
        "before_push: true\n  outbox: {dir: outbox}",
    );
    refuse(&ledger, true);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    ledger.sandbox.handoff("l", &["sign", &event]).exits(3);
    assert!(delivered(&ledger) > 0);
}

#[test]
fn what_only_this_clone_has_does_not_count() {
    let ledger = with_remote();
    refuse(&ledger, true);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    ledger.sandbox.handoff("l", &["--now", "2026-11-02T10:05:00Z", "sign", &event]).exits(3);
    let ran = ledger.audit(&[]);
    let report = ran.json();
    assert_eq!(report["deals"][0]["class"], "missing", "{report}");
    assert_eq!(report["ledger"]["branch"], "origin/main");
    assert_eq!(report["ledger"]["unpushed"], 1);
    assert!(ran.stderr.contains("does not count"), "{}", ran.stderr);
}

#[test]
fn nothing_is_replayed_onto_a_remote_that_lost_what_was_pushed() {
    let ledger = with_remote();
    ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger.sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    ledger.sandbox.git("other", &["reset", "-q", "--hard", "HEAD~2"]);
    ledger.sandbox.git("other", &["commit", "-q", "--allow-empty", "-m", "another story"]);
    ledger.sandbox.git("other", &["push", "-qf", "origin", "main"]);
    let replaced = ledger.sandbox.git("remote.git", &["rev-parse", "main"]);
    let ran = ledger.sandbox.handoff("l", &["touch", "hubspot-1", "--by", "samlee"]).exits(3);
    assert!(ran.stderr.contains("no longer holds what was pushed"), "{}", ran.stderr);
    assert_eq!(ledger.sandbox.git("remote.git", &["rev-parse", "main"]), replaced);
    // The help works: what is gone comes back under a name of its own.
    let was = ledger.sandbox.git("l", &["rev-parse", "refs/handoff/pushed/main"]);
    let rescue = format!("{}:refs/heads/lost-main", was.trim());
    assert!(ran.stderr.contains(&format!("git push origin {rescue}")), "{}", ran.stderr);
    ledger.sandbox.git("l", &["push", "-q", "origin", &rescue]);
}

#[test]
fn a_branch_that_was_renamed_on_the_remote_is_not_made_again() {
    let ledger = with_remote();
    ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    ledger.sandbox.git("remote.git", &["branch", "-m", "main", "trunk"]);
    ledger.sandbox.git("remote.git", &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let ran = ledger.sandbox.handoff("l", &["touch", "hubspot-1", "--by", "samlee"]).exits(3);
    assert!(ran.stderr.contains("no longer has the branch main"), "{}", ran.stderr);
    assert!(ran.stderr.contains("branch: trunk"), "{}", ran.stderr);
    assert_eq!(ledger.sandbox.git("remote.git", &["branch", "--list", "main"]), "");
}

#[test]
fn another_branch_and_a_detached_head_are_not_written_in_silence() {
    let ledger = Ledger::late();
    let before = ledger.sandbox.git("l", &["rev-parse", "main"]);
    ledger.sandbox.git("l", &["checkout", "-q", "-b", "side"]);
    let touch = ["touch", "hubspot-1", "--by", "samlee"];
    ledger.sandbox.handoff("l", &touch).exits(0);
    assert_ne!(ledger.sandbox.git("l", &["rev-parse", "main"]), before, "the setting counts");
    assert_eq!(ledger.sandbox.git("l", &["rev-parse", "side"]), before);
    // Without the setting nothing says which of the two it is.
    ledger.change("handoff.yaml", "branch: \"main\"\n", "");
    let accept = ["accept", "hubspot-1", "--by", "samlee"];
    let ran = ledger.sandbox.handoff("l", &accept).exits(3);
    assert!(
        ran.stderr.contains("side is checked out, and there is a branch main"),
        "{}",
        ran.stderr
    );
    ledger.sandbox.git("l", &["checkout", "-q", "--detach"]);
    let ran = ledger.sandbox.handoff("l", &accept).exits(3);
    assert!(ran.stderr.contains("HEAD is detached"), "{}", ran.stderr);
}

/// A server that takes connections and never answers; it lets go of them when
/// it is dropped.
struct Silent {
    address: std::net::SocketAddr,
    held: std::sync::Arc<std::sync::Mutex<Option<Vec<std::net::TcpStream>>>>,
}

impl Silent {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = std::sync::Arc::new(std::sync::Mutex::new(Some(Vec::new())));
        let kept = std::sync::Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                match kept.lock().unwrap().as_mut() {
                    Some(streams) => streams.push(stream),
                    None => break,
                }
            }
        });
        Self { address, held }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        *self.held.lock().unwrap() = None;
        // Wakes the thread, so that it ends.
        let _ = std::net::TcpStream::connect(self.address);
    }
}

#[test]
fn a_remote_that_does_not_answer_is_not_waited_for_longer_than_the_limit() {
    let silent = Silent::start();
    let ledger = with_remote();
    let row = |id: u32| {
        format!("{id},Deal {id},Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New")
    };
    let rows: Vec<String> = (1..=6).map(row).collect();
    ledger.deals(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger.change("handoff.yaml", "version: 1\n", "version: 1\nlimits: {remote: 1s}\n");
    ledger.commit("2026-11-01T00:00:00Z", "a limit");
    ledger.sandbox.git("l", &["push", "-q", "origin", "main"]);
    // A program for SSH that waits until git is gone.
    let ssh = ledger.sandbox.write("ssh", "#!/bin/sh\ncat >/dev/null\n");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    ledger.sandbox.git("l", &["config", "core.sshCommand", &ssh.display().to_string()]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (hangs, is_gone) = ("origin does not answer", "origin cannot be reached at");
    for (number, (url, why, diagnosis)) in [
        (format!("http://{}/x.git", silent.address), "was stopped after 1.0 s", hangs),
        (format!("git://{}/x.git", silent.address), "was stopped after 1.0 s", hangs),
        ("ssh://git@ledger.example/x.git".to_owned(), "was stopped after 1.0 s", hangs),
        (format!("http://{closed}/x.git"), "unable to access", is_gone),
        (format!("git://{closed}/x.git"), "onnection refused", is_gone),
        ("../nothing.git".to_owned(), "does not appear to be a git repository", is_gone),
    ]
    .into_iter()
    .enumerate()
    {
        ledger.sandbox.git("l", &["remote", "set-url", "origin", &url]);
        let id = (number + 1).to_string();
        let event = ledger.event(&id, "2026-11-02T10:00:00Z");
        let ran = ledger.sandbox.handoff("l", &["sign", &event, "--format", "json"]).exits(3);
        let json = ran.json();
        assert_eq!(json["pushed"], false, "{url}: {json}");
        assert!(json["not_pushed"].as_str().unwrap().contains(why), "{url}: {json}");
        assert!(json["commit"].is_string(), "{url}: the handoff is committed here: {json}");
        let ran = ledger.sandbox.handoff("l", &["deliver"]).exits(3);
        assert!(ran.stderr.contains("wait until the brief is on origin"), "{url}: {}", ran.stderr);
        let doctor = ledger.sandbox.handoff("l", &["doctor"]).exits(3).stdout;
        assert!(doctor.contains(diagnosis), "{url}: {doctor}");
        assert!(doctor.contains("git ls-remote origin"), "{url}: {doctor}");
        assert!(doctor.contains("not on origin since"), "{url}: {doctor}");
        assert_eq!(delivered(&ledger), 0, "{url}: nothing is told");
    }
    // The fault is gone: all of it is there, without another event.
    ledger.sandbox.git("l", &["remote", "set-url", "origin", "../remote.git"]);
    ledger.sandbox.handoff("l", &["deliver"]).exits(0);
    assert_eq!(delivered(&ledger), 6);
    let there = ledger.sandbox.git("remote.git", &["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(there.matches("/brief.yaml").count(), 6, "{there}");
}

#[test]
fn doctor_tells_a_remote_that_may_be_read_only_from_one_that_is_gone() {
    let ledger = with_remote();
    // Over this transport pushes are answered with a refusal, and reading goes on.
    let program = "#!/bin/sh\necho write access denied >&2\nexit 1\n";
    let program = ledger.sandbox.write("receive-pack", program);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.display().to_string();
    ledger.sandbox.git("l", &["config", "remote.origin.receivepack", &program]);
    let doctor = ledger.sandbox.handoff("l", &["doctor"]).exits(3).stdout;
    assert!(doctor.contains("origin refuses a push to main: "), "{doctor}");
    assert!(doctor.contains("a token or key that may write"), "{doctor}");
    ledger.sandbox.git("l", &["config", "--unset", "remote.origin.receivepack"]);
    let doctor = ledger.sandbox.handoff("l", &["doctor"]);
    assert!(doctor.stdout.contains("what is written is pushed to origin"), "{}", doctor.stdout);
}

#[test]
fn a_branch_that_was_renamed_before_the_first_push_is_not_made_again_either() {
    let ledger = with_remote();
    ledger.sandbox.git(".", &["clone", "-q", "remote.git", "clone"]);
    ledger.sandbox.git("remote.git", &["branch", "-m", "main", "trunk"]);
    ledger.sandbox.git("remote.git", &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    // What the one knows by its last fetch, and the other, which has forgotten it, by its settings.
    ledger.sandbox.git("clone", &["fetch", "-q", "--prune"]);
    for clone in ["l", "clone"] {
        fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join(clone).join("deals.csv"))
            .unwrap();
        let sign = ["--now", "2026-11-02T10:05:00Z", "sign", &event];
        for command in [&sign[..], &["deliver"]] {
            let ran = ledger.sandbox.handoff(clone, command).exits(3);
            assert!(ran.stderr.contains("no longer has the branch main"), "{}", ran.stderr);
        }
        assert_eq!(ledger.sandbox.git("remote.git", &["branch", "--list", "main"]), "");
        // What only this clone has is not handed over.
        let audit = ["audit", "--deals", "../deals.csv", "--format", "json"];
        let ran = ledger.sandbox.handoff(clone, &audit).exits(3);
        let report = ran.json();
        let findings = report["findings"].to_string();
        assert!(findings.contains("which handoffs origin has"), "{findings}");
        if clone == "l" {
            assert_eq!(report["deals"][0]["class"], "missing", "{findings}");
        }
    }
}

#[test]
fn a_remote_that_is_pushed_elsewhere_is_not_called_a_matter_of_permissions() {
    let ledger = with_remote();
    ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "other.git"]);
    let other = ledger.sandbox.join("other.git").display().to_string();
    ledger.sandbox.git("l", &["config", "remote.origin.pushurl", &other]);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    let said = ledger.sandbox.handoff("l", &["sign", &event]).exits(3).stderr;
    assert!(said.contains("is fetched from one repository and pushed to another"), "{said}");
    assert!(said.contains("other.git") && !said.contains("branch protection"), "{said}");
}

#[test]
fn a_partial_clone_is_told_how_to_become_whole() {
    let ledger = Ledger::late();
    ledger.sandbox.git("l", &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", ledger.sandbox.join("l").display());
    for filter in ["blob:none", "tree:0"] {
        let clone = ["clone", "-q", "--no-checkout", "--filter", filter, &url, "partial"];
        ledger.sandbox.git(".", &clone);
        let audit = ["audit", "--deals", "../deals.csv"];
        let said = ledger.sandbox.handoff("partial", &audit).exits(3).stderr;
        assert!(said.contains("git fetch --refetch --no-filter"), "{filter}: {said}");
        ledger.sandbox.git("partial", &["fetch", "-q", "--refetch", "--no-filter"]);
        ledger.sandbox.git("partial", &["checkout", "-q", "main"]);
        ledger.sandbox.handoff("partial", &audit).exits(1);
        fs::remove_dir_all(ledger.sandbox.join("partial")).unwrap();
    }
}
