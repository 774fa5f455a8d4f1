//! Clones and their remote: pushing, being outrun, and never forcing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use handoff::brief::{EventKind, Timeline};
use handoff::ledger::{Change, Identity, Ledger, LedgerError};

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::ledger_world::{World, at, brief, commit, folder, key, signed, timeline, writer};
use crate::sandbox::Sandbox;

/// A bare remote with one commit, and clones of it.
fn clones(world: &World, names: &[&str]) -> (PathBuf, Vec<Ledger>) {
    let first = world.ledger("first");
    let remote = world.path("remote.git");
    world.git(first.root(), &["clone", "-q", "--bare", ".", &remote.display().to_string()]);
    let ledgers = names
        .iter()
        .map(|name| {
            let dir = world.path(name);
            world.git(
                &world.path("home"),
                &["clone", "-q", "../remote.git", &dir.display().to_string()],
            );
            world.settle(&dir);
            Ledger::open(&dir)
                .expect("a clone")
                .signed_by(Identity { name: (*name).into(), email: format!("{name}@example.com") })
        })
        .collect();
    (remote, ledgers)
}

fn events(ledger: &Ledger, n: usize) -> Vec<EventKind> {
    let found = ledger.find(&key(n), None).expect("read").expect("found");
    let bytes = ledger.handoff(&found).expect("read").timeline.expect("there");
    Timeline::parse(&bytes).expect("a timeline").events.iter().map(|event| event.event).collect()
}

#[test]
fn two_clones_of_fifty_handoffs_each_meet_on_one_remote() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one", "two"]);
    thread::scope(|scope| {
        for (ledger, from) in ledgers.iter().zip([0, 50]) {
            scope.spawn(move || {
                for n in from..from + 50 {
                    commit(ledger, &signed(n));
                    ledger.push("origin", at(500)).expect("pushed");
                }
            });
        }
    });
    let bare = Ledger::open(&remote).expect("the remote");
    assert_eq!(bare.folders(None).expect("read").into_parts().0.len(), 100);
    assert_eq!(world.git(&remote, &["rev-list", "--count", "main"]).trim(), "101");
    assert_eq!(world.git(&remote, &["rev-list", "--merges", "--count", "main"]).trim(), "0");
    world.fsck(&remote);
    for ledger in &ledgers {
        ledger.catch_up("origin", at(600)).expect("caught up");
        assert_eq!(ledger.tip().expect("a tip"), bare.tip().expect("a tip"));
        assert_eq!(world.status(ledger.root()), "");
        world.fsck(ledger.root());
    }
}

#[test]
fn what_was_outrun_goes_on_top_with_a_new_committer_time() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1));
    assert_eq!(one.push("origin", at(100)).expect("pushed").tries, 1);
    assert_eq!(one.push("origin", at(100)).expect("nothing to do").tries, 0);
    commit(two, &signed(2));
    let pushed = two.push("origin", at(700)).expect("pushed");
    assert_eq!((pushed.tries, pushed.merged.len(), pushed.remarks.len()), (2, 0, 0));
    let log = world.git(&remote, &["log", "--format=%an %aI %cn %cI %s", "-2", "main"]);
    let lines: Vec<&str> = log.lines().collect();
    assert!(
        lines[0].starts_with("two 2026-11-20T15:01:00Z two 2026-11-20T15:11:4")
            || lines[0].starts_with("two 2026-11-20T15:01:00Z two 2026-11-20T15:11:5"),
        "{log}"
    );
    assert!(lines[1].starts_with("one 2026-11-20T15:01:00Z one 2026-11-20T15:01:00Z"), "{log}");
    assert_eq!(
        world
            .git(
                &remote,
                &["log", "-1", "--format=%(trailers:key=Handoff-Signature,valueonly)", "main"]
            )
            .trim(),
        "pandadoc/doc2"
    );
    assert_eq!(world.status(two.root()), "");
    assert!(
        two.root().join(folder(1)).join("brief.yaml").exists(),
        "the other's handoff is here now"
    );
}

#[test]
fn one_handoff_changed_on_both_sides_has_the_events_of_both() {
    let world = World::new();
    let (_, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1));
    one.push("origin", at(100)).expect("pushed");
    two.catch_up("origin", at(100)).expect("caught up");
    let event = |ledger: &Ledger, kind, via, time| {
        let rows = [(0, EventKind::Signed, "pandadoc"), (time, kind, via)];
        let change = Change::of_handoff(folder(1), "Customer 1", &key(1), at(200))
            .put("timeline.yaml", timeline(1, &rows))
            .put("README.md", format!("# {via}\n"));
        commit(ledger, &change);
    };
    event(one, EventKind::TaskOpened, "github", 50);
    event(two, EventKind::Notified, "slack", 40);
    one.push("origin", at(300)).expect("pushed");
    let pushed = two.push("origin", at(300)).expect("pushed");
    assert_eq!(pushed.merged, [folder(1)], "to be rendered again");
    let all = [EventKind::Signed, EventKind::Notified, EventKind::TaskOpened];
    assert_eq!(events(two, 1), all);
    one.catch_up("origin", at(400)).expect("caught up");
    assert_eq!(events(one, 1), all);
    assert_eq!(world.status(two.root()), "");
}

#[test]
fn both_sides_signed_the_same_deal_and_the_remotes_brief_stays() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1).put("brief.yaml", brief(1, "note: one\n")));
    commit(two, &signed(1).put("brief.yaml", brief(1, "note: two\n")));
    one.push("origin", at(100)).expect("pushed");
    two.push("origin", at(100)).expect("pushed");
    let file = format!("{}/brief.yaml", folder(1));
    assert_eq!(two.read(&file).expect("read"), Some(brief(1, "note: one\n").into_bytes()));
    assert_eq!(
        world.git(&remote, &["rev-list", "--count", "main"]).trim(),
        "2",
        "ours said nothing new"
    );
    assert_eq!(two.tip().expect("a tip"), one.tip().expect("a tip"));
    assert_eq!(world.status(two.root()), "");
}

#[test]
fn one_key_in_two_folders_becomes_the_remotes_folder_with_all_events() {
    let world = World::new();
    let (_, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1));
    let mut other =
        signed(1).put("timeline.yaml", timeline(1, &[(5, EventKind::Received, "pandadoc")]));
    other.folder = "briefs/2026/11/customer-one--hubspot-1".into();
    commit(two, &other);
    let rows = [(5, EventKind::Received, "pandadoc"), (9, EventKind::TaskOpened, "github")];
    let more = Change::of_handoff(&other.folder, "Customer One", &key(1), at(90))
        .put("timeline.yaml", timeline(1, &rows))
        .put("brief.yaml", brief(1, "later: 1\n"));
    commit(two, &more);
    one.push("origin", at(100)).expect("pushed");
    let pushed = two.push("origin", at(100)).expect("pushed");
    assert_eq!(pushed.merged, [folder(1)]);
    let (folders, _) = two.folders(None).expect("read").into_parts();
    assert_eq!(folders.into_iter().map(|f| f.path).collect::<Vec<_>>(), [folder(1)]);
    assert_eq!(events(two, 1), [EventKind::Signed, EventKind::Received, EventKind::TaskOpened]);
    assert!(!two.root().join(&other.folder).exists());
    assert_eq!(world.status(two.root()), "");
    world.fsck(two.root());
}

#[test]
fn a_contradiction_names_the_file_and_keeps_both_sides() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1));
    one.push("origin", at(100)).expect("pushed");
    two.catch_up("origin", at(100)).expect("caught up");
    for (ledger, answer) in [(one, "answer: one\n"), (two, "answer: two\n")] {
        let change = Change::of_handoff(folder(1), "Customer 1", &key(1), at(200))
            .put("brief.yaml", brief(1, answer));
        commit(ledger, &change);
    }
    one.push("origin", at(300)).expect("pushed");
    let (ours, theirs) = (two.tip().expect("a tip"), world.git(&remote, &["rev-parse", "main"]));
    let error = two.push("origin", at(300)).expect_err("a contradiction");
    let file = format!("{}/brief.yaml", folder(1));
    assert!(matches!(&error, LedgerError::Conflict { file: f, .. } if *f == file), "{error}");
    assert!(
        error.help().contains("git pull --rebase") && error.help().contains(&file),
        "{}",
        error.help()
    );
    assert_eq!(two.tip().expect("a tip"), ours);
    assert_eq!(world.git(&remote, &["rev-parse", "main"]), theirs);
    assert_eq!(world.status(two.root()), "");
}

#[test]
fn answers_of_both_sides_in_different_lines_are_both_kept() {
    let world = World::new();
    let (_, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    let middle = "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n";
    commit(one, &signed(1).put("brief.yaml", brief(1, middle)));
    one.push("origin", at(100)).expect("pushed");
    two.catch_up("origin", at(100)).expect("caught up");
    for (ledger, from, to) in [(one, "a: 1", "a: one"), (two, "f: 1", "f: two")] {
        let change = Change::of_handoff(folder(1), "Customer 1", &key(1), at(200))
            .put("brief.yaml", brief(1, &middle.replace(from, to)));
        commit(ledger, &change);
        ledger.push("origin", at(300)).expect("pushed");
    }
    let both = brief(1, &middle.replace("a: 1", "a: one").replace("f: 1", "f: two"));
    let file = format!("{}/brief.yaml", folder(1));
    assert_eq!(two.read(&file).expect("read"), Some(both.into_bytes()));
}

#[test]
fn commits_of_a_person_are_pushed_but_never_rewritten() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    let own = |ledger: &Ledger| {
        let name = format!("{}.txt", ledger.identity().name);
        fs::write(ledger.root().join(&name), "mine\n").expect("written");
        world.git(ledger.root(), &["add", &name]);
        world.git(ledger.root(), &["commit", "-q", "-m", "my note"]);
    };
    own(one);
    commit(one, &signed(1));
    one.push("origin", at(100)).expect("a fast-forward takes all");
    own(two);
    commit(two, &signed(2));
    let tip = two.tip().expect("a tip");
    let error = two.push("origin", at(100)).expect_err("not ours to rewrite");
    assert!(
        matches!(&error, LedgerError::ForeignCommit { subject, .. } if subject == "my note"),
        "{error}"
    );
    assert_eq!(two.tip().expect("a tip"), tip);
    world.git(two.root(), &["pull", "-q", "--rebase"]);
    two.push("origin", at(200)).expect("pushed");
    assert_eq!(
        world.git(&remote, &["rev-parse", "main"]).trim(),
        two.tip().expect("a tip").expect("one").to_string()
    );
}

#[test]
fn a_remote_that_refuses_is_quoted_and_nothing_is_lost() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one"]);
    let one = &ledgers[0];
    let hook = remote.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    fs::write(&hook, "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n").expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    commit(one, &signed(1));
    let error = one.push("origin", at(100)).expect_err("refused");
    assert!(matches!(error, LedgerError::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("main is protected"), "{error}");
    assert!(one.read(&format!("{}/brief.yaml", folder(1))).expect("read").is_some());
    fs::remove_file(&hook).expect("removed");
    one.push("origin", at(200)).expect("now");
}

#[test]
fn remotes_that_are_not_there_are_clear_errors_without_secrets() {
    let world = World::new();
    let (remote, ledgers) = clones(&world, &["one"]);
    let one = &ledgers[0];
    commit(one, &signed(1));
    let error = one.push("upstream", at(0)).expect_err("unknown");
    assert!(error.to_string().contains("there are origin"), "{error}");
    assert!(matches!(one.push("--force", at(0)), Err(LedgerError::UnknownRemote { .. })));
    let url = "http://bot:s3cr3t@127.0.0.1:9/acme/x.git";
    world.git(one.root(), &["remote", "set-url", "origin", url]);
    for error in [
        one.push("origin", at(0)).expect_err("nobody there"),
        one.fetch("origin").expect_err("nobody there"),
    ] {
        assert!(matches!(error, LedgerError::Program { .. }), "{error}");
        let said = format!("{error} {error:?} {}", error.help());
        assert!(!said.contains("s3cr3t"), "{said}");
    }
    assert_eq!(one.remote_url("origin").as_deref(), Some("http://127.0.0.1:9/acme/x.git"));
    fs::rename(&remote, world.path("gone.git")).expect("moved");
    world.git(one.root(), &["remote", "set-url", "origin", &remote.display().to_string()]);
    assert!(matches!(one.push("origin", at(0)), Err(LedgerError::Program { .. })));
}

#[test]
fn the_remote_is_origin_or_the_only_one() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    assert_eq!((ledger.remote(), ledger.web_url("briefs")), (None, None));
    world.git(&root, &["remote", "add", "github", "git@github.com:acme/handoffs.git"]);
    assert_eq!(ledger.remote().as_deref(), Some("github"));
    assert_eq!(
        ledger.web_url(&folder(1)),
        Some(format!("https://github.com/acme/handoffs/tree/main/{}", folder(1)))
    );
    assert_eq!(
        ledger.web_file_url("handoff.yaml").as_deref(),
        Some("https://github.com/acme/handoffs/blob/main/handoff.yaml")
    );
    world.git(&root, &["remote", "add", "other", "../x"]);
    assert_eq!(ledger.remote(), None);
    world.git(&root, &["remote", "add", "origin", "../y"]);
    assert_eq!(ledger.remote().as_deref(), Some("origin"));
}

#[test]
fn an_empty_remote_takes_the_first_push() {
    let world = World::new();
    let ledger = world.ledger("clone");
    world.git(&world.path("home"), &["init", "-q", "--bare", "-b", "main", "../empty.git"]);
    world.git(ledger.root(), &["remote", "add", "origin", "../empty.git"]);
    commit(&ledger, &signed(1));
    let pushed = ledger.push("origin", at(0)).expect("pushed");
    assert_eq!(pushed.tip, ledger.tip().expect("a tip"));
    assert_eq!(
        Ledger::open(&world.path("empty.git")).expect("bare").tip().expect("a tip"),
        pushed.tip
    );
    drop(writer(&ledger));
}

#[test]
fn a_push_while_somebody_edits_leaves_the_edit_alone() {
    let world = World::new();
    let (_, ledgers) = clones(&world, &["one", "two"]);
    let [one, two] = &ledgers[..] else { panic!("two clones") };
    commit(one, &signed(1));
    one.push("origin", at(100)).expect("pushed");
    fs::write(two.root().join("handoff.yaml"), "version: 1 # mine\n").expect("written");
    commit(two, &signed(2));
    let pushed = two.push("origin", at(100)).expect("pushed");
    assert_eq!(pushed.remarks, []);
    assert_eq!(world.status(two.root()), " M handoff.yaml\n");
    assert!(two.root().join(folder(1)).join("README.md").exists());
}

/// A git server that answers 401 until somebody signs in as the workflows of a
/// forge do: with a token as the password.
fn signed_in_only(root: PathBuf, token: &'static str) -> impl Fn(&Asked) -> Reply {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    let expected = format!("Basic {basic}");
    let environment = Sandbox::new();
    move |asked| {
        let header = |name: &str| {
            asked.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned()
        };
        if header("authorization") != expected {
            let challenge = &[("www-authenticate", "Basic realm=\"git\"")];
            return Reply::With(401, challenge, serde_json::Value::Null);
        }
        let mut backend = environment.command("git", &root);
        let mut child = backend
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REMOTE_USER", "handoff")
            .env("REQUEST_METHOD", &asked.method)
            .env("PATH_INFO", &asked.path)
            .env("QUERY_STRING", &asked.query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", asked.bytes.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git");
        let (mut stdin, bytes) = (child.stdin.take().expect("a pipe"), asked.bytes.clone());
        let writer = thread::spawn(move || stdin.write_all(&bytes));
        let said = child.wait_with_output().expect("git ends").stdout;
        writer.join().expect("written").expect("taken");
        let end = said.windows(4).position(|it| it == b"\r\n\r\n").expect("headers");
        let head = String::from_utf8_lossy(&said[..end]).to_lowercase();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        let known = [
            "application/x-git-upload-pack-advertisement",
            "application/x-git-receive-pack-advertisement",
            "application/x-git-upload-pack-result",
            "application/x-git-receive-pack-result",
        ];
        let kind = known.into_iter().find(|known| kind == Some(known)).unwrap_or("text/plain");
        let status = if head.contains("status: ") { 404 } else { 200 };
        Reply::Bytes(status, kind, said[end + 4..].to_vec())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn git_signs_in_as_the_page_for_operators_says() {
    const TOKEN: &str = "github_pat_of_the_service";
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    sandbox.git(".", &["clone", "-q", "--bare", "l", "remote.git"]);
    let server = Fake::serve(signed_in_only(sandbox.join("."), TOKEN)).await;
    sandbox.git("l", &["remote", "add", "origin", &format!("{}/remote.git", server.url)]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md");
    let page = fs::read_to_string(page).expect("the page");
    let start = "git -C /var/lib/handoff/ledger config credential.https://github.com.helper ";
    let line = page.lines().find(|line| line.starts_with(start)).expect("how git signs in");
    let line = line
        .replace("/var/lib/handoff/ledger", &sandbox.join("l").display().to_string())
        .replace("https://github.com", &server.url);
    let sample = crate::sandbox::fixture("esign/pandadoc-completed-full.body.json");
    let event = sample.display().to_string();
    let sign = ["sign", event.as_str(), "--as", "contract", "--no-deliver"];
    let file = sandbox.write("github-token", format!("{TOKEN}\n")).display().to_string();
    // Without it the remote is not reached, and that is said.
    let ran = sandbox.handoff_with("l", &sign, &[("GITHUB_TOKEN", TOKEN)]).exits(3);
    assert!(ran.stderr.contains("warning: "), "{}", ran.stderr);
    let mut shell = sandbox.command("sh", sandbox.join("."));
    assert!(shell.args(["-c", &line]).status().expect("sh").success(), "{line}");
    for (name, value) in [("GITHUB_TOKEN", TOKEN), ("GITHUB_TOKEN_FILE", file.as_str())] {
        sandbox.write("l/NOTES.md", name);
        sandbox.git("l", &["add", "NOTES.md"]);
        sandbox.git("l", &["commit", "-qm", name]);
        sandbox.handoff_with("l", &sign, &[(name, value)]).exits(0);
        let (here, there) = ("l", "remote.git");
        let tip = |folder| sandbox.git(folder, &["rev-parse", "main"]);
        assert_eq!(tip(here), tip(there), "{name}: pushed");
    }
    let config = fs::read_to_string(sandbox.join("l/.git/config")).expect("the configuration");
    assert!(!config.contains(TOKEN), "the token is written nowhere: {config}");
    // Another token is refused, and what was committed waits here.
    sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "more"]);
    sandbox.handoff_with("l", &sign, &[("GITHUB_TOKEN", "another")]).exits(3);
}
