//! `serve` and a remote of the ledger that hangs, refuses or is out of reach.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use super::server::{KEY, Running, briefs, document, eventually, get, ledger, pandadoc};
use crate::sandbox::Sandbox;

/// A ledger whose deliveries are files, with a remote beside it.
fn with_remote() -> Sandbox {
    let sandbox = ledger();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let end = text.find("deliver:\n").unwrap();
    // Longer than this test is allowed to take: who waits for the remote does not come back.
    let text =
        format!("{}deliver:\n  outbox: {{dir: outbox}}\nlimits: {{remote: 1h}}\n", &text[..end]);
    std::fs::write(&file, text).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "an outbox"]);
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    sandbox.git("ledger", &["remote", "add", "origin", "../remote.git"]);
    sandbox.git("ledger", &["push", "-q", "origin", "main"]);
    sandbox
}

fn told(sandbox: &Sandbox) -> usize {
    std::fs::read_dir(sandbox.join("ledger/outbox")).map_or(0, std::iter::Iterator::count)
}

fn on_remote(sandbox: &Sandbox) -> usize {
    let there = sandbox.git("remote.git", &["ls-tree", "-r", "--name-only", "main"]);
    there.matches("/brief.yaml").count()
}

/// What an operator sees of commits that only this clone has.
fn is_seen(server: &Running) {
    let at = server.address();
    let health = eventually("health is degraded", || {
        Some(get(at, "/healthz").json()).filter(|health| health["status"] == "degraded")
    });
    assert!(health["problems"].to_string().contains("not on the ledger's remote"), "{health}");
    let ready = get(at, "/readyz").json();
    assert_eq!(ready["status"], "ready", "events are still taken: {ready}");
    assert!(ready["problems"].to_string().contains("not on the ledger's remote"), "{ready}");
    let metrics = get(at, "/metrics").body;
    let unpushed = metrics.lines().find_map(|line| line.strip_prefix("handoff_unpushed_commits "));
    assert!(unpushed.is_some_and(|count| count != "0"), "{metrics}");
}

/// Everything that was signed is on the remote and told, and nobody complains.
fn is_all_there(sandbox: &Sandbox, server: &Running, handoffs: usize) {
    eventually("everything is on the remote and told", || {
        (on_remote(sandbox) == handoffs && told(sandbox) == handoffs).then_some(())
    });
    eventually("health is well again", || {
        Some(get(server.address(), "/healthz").json()).filter(|health| health["status"] == "ok")
    });
    // What was told is recorded in a commit of its own, which is pushed as well.
    server.wait_until_idle();
    eventually("nothing is left to push", || {
        let tip = |folder: &str| sandbox.git(folder, &["rev-parse", "main"]);
        let metrics = get(server.address(), "/metrics").body;
        (metrics.contains("\nhandoff_unpushed_commits 0\n") && tip("ledger") == tip("remote.git"))
            .then_some(())
    });
}

#[test]
fn a_hanging_remote_delays_no_commit_and_gets_everything_when_it_is_back() {
    let sandbox = with_remote();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let held: Arc<Mutex<Option<Vec<TcpStream>>>> = Arc::new(Mutex::new(Some(Vec::new())));
    let kept = Arc::clone(&held);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            match kept.lock().unwrap().as_mut() {
                Some(streams) => streams.push(stream),
                None => break,
            }
        }
    });
    let url = format!("git://{address}/x.git");
    sandbox.git("ledger", &["remote", "set-url", "origin", &url]);
    let server = Running::serve(&sandbox);
    for (count, id) in ["one", "two", "three"].into_iter().enumerate() {
        assert_eq!(pandadoc(server.address(), KEY, id, &document(id)).unwrap().status, 200);
        eventually("it is committed while the remote hangs", || {
            (briefs(&sandbox).len() == count + 1).then_some(())
        });
        assert_eq!(told(&sandbox), 0, "nothing is told before the remote has it");
    }
    assert!(!held.lock().unwrap().as_ref().unwrap().is_empty(), "git asked the silent server");
    is_seen(&server);
    sandbox.git("ledger", &["remote", "set-url", "origin", "../remote.git"]);
    *held.lock().unwrap() = None;
    let _ = TcpStream::connect(address);
    is_all_there(&sandbox, &server, 3);
}

#[test]
fn a_remote_that_refuses_or_is_gone_gets_everything_without_another_event() {
    let sandbox = with_remote();
    let hook =
        sandbox.write("remote.git/hooks/pre-receive", "#!/bin/sh\necho protected >&2\nexit 1\n");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut server = Running::serve(&sandbox);
    assert_eq!(
        pandadoc(server.address(), KEY, "refused", &document("refused")).unwrap().status,
        200
    );
    eventually("it is committed", || (briefs(&sandbox).len() == 1).then_some(()));
    server.wait_until_idle();
    is_seen(&server);
    assert_eq!(told(&sandbox), 0);
    assert!(server.log().contains("protected"), "{}", server.log());
    // It is out of reach altogether.
    std::fs::remove_file(&hook).unwrap();
    std::fs::rename(sandbox.join("remote.git"), sandbox.join("away.git")).unwrap();
    assert_eq!(pandadoc(server.address(), KEY, "gone", &document("gone")).unwrap().status, 200);
    eventually("it is committed", || (briefs(&sandbox).len() == 2).then_some(()));
    server.wait_until_idle();
    assert_eq!(told(&sandbox), 0);
    // Somebody else pushed meanwhile; the next start finds all of it, and no event tells it to look.
    std::fs::rename(sandbox.join("away.git"), sandbox.join("remote.git")).unwrap();
    sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    sandbox.git("other", &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    sandbox.git("other", &["push", "-q"]);
    server.terminate();
    drop(server);
    let server = Running::serve(&sandbox);
    is_all_there(&sandbox, &server, 2);
    let log = sandbox.git("remote.git", &["log", "--format=%s", "main"]);
    assert!(log.contains("theirs"), "{log}");
}

#[test]
fn a_remote_that_lost_what_was_pushed_gets_nothing_until_it_is_back() {
    let sandbox = with_remote();
    let mut server = Running::serve(&sandbox);
    assert_eq!(pandadoc(server.address(), KEY, "first", &document("first")).unwrap().status, 200);
    is_all_there(&sandbox, &server, 1);
    // Somebody force-pushes another history, in which it never was.
    let whole = sandbox.git("remote.git", &["rev-parse", "main"]);
    sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    sandbox.git("other", &["reset", "-q", "--hard", "HEAD~2"]);
    sandbox.git("other", &["commit", "-q", "--allow-empty", "-m", "another story"]);
    sandbox.git("other", &["push", "-qf", "origin", "main"]);
    let replaced = sandbox.git("remote.git", &["rev-parse", "main"]);
    assert_eq!(pandadoc(server.address(), KEY, "second", &document("second")).unwrap().status, 200);
    eventually("it is committed here", || (briefs(&sandbox).len() == 2).then_some(()));
    server.wait_until_idle();
    is_seen(&server);
    assert_eq!(told(&sandbox), 1, "nothing more is told");
    assert!(server.log().contains("no longer holds what was pushed"), "{}", server.log());
    assert!(server.log().contains("commits"), "what is missing: {}", server.log());
    assert_eq!(sandbox.git("remote.git", &["rev-parse", "main"]), replaced, "nothing is replayed");
    // What was removed comes back; the next start looks, as the timer does after five minutes,
    // and no event tells it to.
    sandbox.git("remote.git", &["update-ref", "refs/heads/main", whole.trim()]);
    server.terminate();
    drop(server);
    let server = Running::serve(&sandbox);
    is_all_there(&sandbox, &server, 2);
}

#[test]
fn a_branch_that_was_renamed_gets_nothing_under_its_old_name_until_it_is_back() {
    let sandbox = with_remote();
    let mut server = Running::serve(&sandbox);
    assert_eq!(pandadoc(server.address(), KEY, "first", &document("first")).unwrap().status, 200);
    is_all_there(&sandbox, &server, 1);
    sandbox.git("remote.git", &["branch", "-m", "main", "trunk"]);
    assert_eq!(pandadoc(server.address(), KEY, "second", &document("second")).unwrap().status, 200);
    eventually("it is committed here", || (briefs(&sandbox).len() == 2).then_some(()));
    server.wait_until_idle();
    is_seen(&server);
    assert_eq!(told(&sandbox), 1, "nothing more is told");
    assert!(server.log().contains("no longer has the branch main"), "{}", server.log());
    assert_eq!(
        sandbox.git("remote.git", &["branch", "--list", "main"]),
        "",
        "it is not made again"
    );
    sandbox.git("remote.git", &["branch", "-m", "trunk", "main"]);
    server.terminate();
    drop(server);
    let server = Running::serve(&sandbox);
    is_all_there(&sandbox, &server, 2);
}
