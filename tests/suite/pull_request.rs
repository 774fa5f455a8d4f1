//! `as: pull_request` without a draft first: the brief waits on its own branch
//! until the CSM merges it; with a real remote and a fake of GitHub.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::deliver::pulls::Github;
use crate::sandbox::{Ran, Sandbox, fixture};

const KEY: &str = "hubspot-18640329741";
const BRANCH: &str = "handoff/hubspot-18640329741";
const PULL: &str = "https://github.example/acme/handoffs/pull/1";
const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd\n";

struct Setup {
    sandbox: Sandbox,
    github: Arc<Mutex<Github>>,
    fake: Fake,
}

/// What a merge needs beside the requests of the sink.
pub(crate) fn answer(github: &mut Github, asked: &Asked) -> Reply {
    let path = asked.path.strip_prefix("/repos/acme/handoffs").unwrap_or(&asked.path).to_owned();
    match (asked.method.as_str(), path.as_str()) {
        ("GET", "/user") => Reply::Json(200, json!({"login": "handoff-machine", "type": "User"})),
        ("GET", path) => match task_of(path) {
            Some((number, "")) => Reply::Json(200, github.pulls[number - 1].clone()),
            Some((_, "reviews" | "comments")) => Reply::Json(200, json!([])),
            _ => github.answer(asked),
        },
        _ => github.answer(asked),
    }
}

/// The number of a task in a path, and what of it is meant: `/issues/1/comments`.
fn task_of(path: &str) -> Option<(usize, &str)> {
    let path = path.strip_prefix("/issues/").or_else(|| path.strip_prefix("/pulls/"))?;
    let (number, of_it) = path.split_once('/').unwrap_or((path, ""));
    Some((number.parse().ok()?, of_it))
}

impl Setup {
    async fn new() -> Self {
        let github = Arc::new(Mutex::new(Github::default()));
        let state = github.clone();
        let fake = Fake::serve(move |asked| answer(&mut state.lock().unwrap(), asked)).await;
        let sandbox = Sandbox::new();
        let csm = "Sam Lee <sam@example.com> @samlee";
        let init = ["init", "ledger", "--crm", "file", "--github", "acme/handoffs", "--csm", csm];
        sandbox.handoff(".", &init).exits(0);
        let file = sandbox.join("ledger/handoff.yaml");
        let config = fs::read_to_string(&file).unwrap();
        let there =
            format!("as: pull_request, base_url: \"{}\", seconds_between_writes: 0", fake.url);
        fs::write(&file, config.replacen("as: issue", &there, 1)).unwrap();
        sandbox.git("ledger", &["commit", "-qam", "the fake"]);
        sandbox.write("ledger/deals.csv", DEALS);
        sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        sandbox.git("ledger", &["remote", "add", "origin", "../remote.git"]);
        sandbox.git("ledger", &["push", "-q", "-u", "origin", "main"]);
        Self { sandbox, github, fake }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.handoff_with("ledger", arguments, &[("GITHUB_TOKEN", "t")])
    }

    fn pull(&self) -> Value {
        let pulls = self.github.lock().unwrap().pulls.clone();
        assert_eq!(pulls.len(), 1, "{pulls:?}");
        pulls[0].clone()
    }

    fn posts(&self) -> usize {
        self.fake.count("POST", "/repos/acme/handoffs/pulls")
    }

    /// The folders of briefs that a branch of the remote has.
    fn folders(&self, branch: &str) -> Vec<String> {
        let arguments = ["ls-tree", "-r", "-d", "--name-only", branch, "briefs"];
        let all = self.sandbox.git("remote.git", &arguments);
        all.lines().filter(|line| line.contains("--")).map(str::to_owned).collect()
    }

    /// Somebody writes in a clone of a branch and pushes it.
    fn in_clone(&self, branch: &str, work: impl FnOnce(&Sandbox)) {
        self.sandbox.git(".", &["clone", "-q", "-b", branch, "remote.git", "person"]);
        work(&self.sandbox);
        self.sandbox.git("person", &["push", "-q", "origin", branch]);
        fs::remove_dir_all(self.sandbox.join("person")).unwrap();
    }

    fn kinds(&self) -> Vec<String> {
        let status = self.run(&["status", KEY, "--format", "json"]).exits(0).json();
        let events = status["handoffs"][0]["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Signs the document; gives the folder.
    fn sign(&self) -> String {
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        let signed = self.run(&["sign", &event, "--format", "json"]).exits(0).json();
        assert_eq!(signed["deliveries"][0]["ref"], PULL, "{signed}");
        signed["path"].as_str().unwrap().to_owned()
    }

    /// Merges as GitHub's button does.
    fn merge(&self, squash: bool) {
        self.in_clone("main", |sandbox| {
            let remote = format!("origin/{BRANCH}");
            if squash {
                sandbox.git("person", &["merge", "-q", "--squash", &remote]);
                sandbox.git("person", &["commit", "-qm", "First touch (#1)"]);
            } else {
                sandbox.git("person", &["merge", "-q", "--no-ff", "-m", "Merge #1", &remote]);
            }
        });
        let pull = &mut self.github.lock().unwrap().pulls[0];
        pull["state"] = json!("closed");
        pull["merged_at"] = json!("2026-11-20T16:00:00Z");
        pull["merged_by"] = json!({"login": "samlee", "type": "User"});
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_brief_waits_on_its_branch_and_merging_it_accepts() {
    for squash in [false, true] {
        let setup = Setup::new().await;
        let main = setup.sandbox.git("ledger", &["rev-parse", "main"]);
        let path = setup.sign();
        assert_eq!(setup.sandbox.git("ledger", &["rev-parse", "main"]), main, "main has not moved");
        assert_eq!(setup.folders("main"), Vec::<String>::new());
        assert_eq!(setup.folders(BRANCH).concat(), path);
        let pull = setup.pull();
        assert_eq!((&pull["head"], &pull["draft"]), (&json!(BRANCH), &json!(true)), "{pull}");
        assert_eq!(pull["reviewers"], json!(["samlee"]));
        assert_eq!(setup.kinds(), ["received", "signed", "task_opened"]);
        // The timeline on the remote's branch tells the same.
        let timeline =
            setup.sandbox.git("remote.git", &["show", &format!("{BRANCH}:{path}/timeline.yaml")]);
        assert!(timeline.contains(PULL), "{timeline}");
        assert_eq!(setup.sandbox.git("ledger", &["branch", "--list", "handoff/*"]), "");

        // Again and again: the event, the reconciler, the list of open handoffs.
        setup.sign();
        setup.run(&["deliver"]).exits(0);
        setup.run(&["deliver", KEY]).exits(0);
        assert_eq!(setup.posts(), 1, "one pull request");
        let open = setup.run(&["status"]).exits(0);
        assert!(open.stdout.contains(KEY), "what waits is open: {}", open.stdout);
        setup.run(&["sync"]).exits(0);
        assert_eq!(setup.kinds(), ["received", "signed", "task_opened"]);

        setup.merge(squash);
        setup.run(&["sync"]).exits(0);
        let done = ["received", "signed", "task_opened", "accepted"];
        assert_eq!(setup.kinds(), done);
        assert_eq!(setup.folders("main"), [path], "it is on main now, and only there it goes on");
        let head = setup.sandbox.git("ledger", &["rev-parse", "main"]);
        assert_eq!(setup.sandbox.git("remote.git", &["rev-parse", "main"]), head);
        for arguments in [&["sync"][..], &["deliver"], &["sync", KEY], &["deliver", KEY]] {
            setup.run(arguments).exits(0);
        }
        setup.sign();
        assert_eq!(setup.sandbox.git("ledger", &["rev-parse", "main"]), head, "nothing is new");
        assert_eq!(setup.posts(), 1);
        assert_eq!(setup.sandbox.git("ledger", &["fsck", "--strict", "--no-dangling"]), "");
        // The audit counts it from the merge on.
        let audit = setup.run(&["audit", "--format", "json"]);
        assert!(audit.stdout.contains(KEY), "{}\n{}", audit.stdout, audit.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_pull_request_is_ready_when_every_answer_is_there() {
    let setup = Setup::new().await;
    let path = setup.sign();
    let brief = setup.run(&["status", KEY, "--format", "json"]).exits(0).json();
    assert!(!brief["handoffs"][0]["missing"].as_array().unwrap().is_empty());
    // The rep answers everything in the pull request's editor.
    let complete = fs::read_to_string(complete_brief()).unwrap();
    setup.in_clone(BRANCH, |sandbox| {
        let file = sandbox.join("person").join(&path).join("brief.yaml");
        let mine: Value = handoff::yaml::read(&fs::read(&file).unwrap()).unwrap().to_json();
        let mut all: Value = handoff::yaml::read(complete.as_bytes()).unwrap().to_json();
        for name in ["key", "deal", "signature", "first_action"] {
            all[name] = mine[name].clone();
        }
        fs::write(&file, handoff::yaml::write(&all)).unwrap();
        sandbox.git("person", &["commit", "-qam", "every answer"]);
    });
    let ran = setup.run(&["deliver"]).exits(0);
    assert!(ran.stderr.contains("is complete and ready for review"), "{}", ran.stderr);
    let pull = setup.pull();
    assert_eq!(pull["draft"], false);
    assert!(!pull["body"].as_str().unwrap().contains("What is missing"), "its text follows");
    let asked = setup.fake.asked().len();
    setup.run(&["deliver"]).exits(0);
    let writes = setup.fake.asked()[asked..].iter().filter(|asked| asked.method != "GET").count();
    assert_eq!(writes, 0, "and again nothing is written");
}

/// A complete brief of the example company.
fn complete_brief() -> std::path::PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("briefs");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("brief.yaml") {
                return path;
            }
        }
    }
    panic!("the example company has a brief")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_before_the_merge_is_kept_on_the_branch_and_lands_with_it() {
    let setup = Setup::new().await;
    let path = setup.sign();
    let told = ["--reason", "the metric has no target", "--at", "2026-11-20T15:00:00Z"];
    setup.run(&[&["return", KEY, "--by", "samlee"][..], &told].concat()).exits(0);
    assert_eq!(setup.kinds(), ["received", "signed", "task_opened", "returned"]);
    let timeline =
        setup.sandbox.git("remote.git", &["show", &format!("{BRANCH}:{path}/timeline.yaml")]);
    assert!(timeline.contains("the metric has no target"), "{timeline}");
    let refused = setup.run(&["draft", "--deal", "18640329741"]).exits(3);
    assert!(refused.stderr.contains("waits on handoff/"), "{}", refused.stderr);
    setup.merge(false);
    setup.run(&["sync"]).exits(0);
    assert_eq!(setup.kinds(), ["received", "signed", "task_opened", "returned", "accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_void_of_a_document_reaches_a_brief_that_waits_for_its_merge() {
    let setup = Setup::new().await;
    setup.sign();
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event[0]["data"]["status"] = json!("document.voided");
    event[0]["data"]["linked_objects"] = json!([]);
    event[0]["data"]["metadata"] = json!({});
    let voided = setup.sandbox.write("voided.json", event.to_string()).display().to_string();
    let said = setup.run(&["sign", &voided]);
    assert!(said.stdout.contains("its document was voided"), "{}{}", said.stdout, said.stderr);
    assert_eq!(setup.kinds().iter().filter(|kind| *kind == "voided").count(), 1);
    setup.run(&["sign", &voided]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_remote_the_brief_is_safe_here_and_the_next_run_goes_on() {
    let setup = Setup::new().await;
    setup.sandbox.git("ledger", &["remote", "set-url", "origin", "../nowhere.git"]);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let signed = setup.run(&["sign", &event, "--no-deliver"]).exits(3);
    assert!(signed.stderr.contains("is not on origin"), "{}", signed.stderr);
    assert!(setup.sandbox.git("ledger", &["branch", "--list", "handoff/*"]).contains(BRANCH));
    setup.sandbox.git("ledger", &["remote", "set-url", "origin", "../remote.git"]);
    setup.run(&["deliver"]).exits(0);
    assert_eq!(setup.posts(), 1);
    assert_eq!(setup.folders(BRANCH).len(), 1);
}

/// GitHub with the tasks of one repository.
fn github(tasks: &Mutex<Vec<Value>>, asked: &Asked) -> Reply {
    let mut tasks = tasks.lock().unwrap();
    let path = asked.path.strip_prefix("/repos/acme/handoffs").unwrap_or(&asked.path);
    match (asked.method.as_str(), path) {
        ("GET", "/user") => Reply::Json(200, json!({"login": "handoff-machine", "type": "User"})),
        ("POST", "/issues") => {
            let (body, number) = (asked.json(), tasks.len() + 1);
            tasks.push(json!({
                "number": number, "html_url": format!("https://github.example/acme/handoffs/issues/{number}"),
                "node_id": "I_1", "state": "open", "created_at": "2026-11-20T17:00:00Z", "closed_at": null,
                "closed_by": null, "state_reason": null, "title": body["title"], "body": body["body"],
                "labels": [{"name": "handoff"}], "assignees": [],
            }));
            Reply::Json(201, tasks[number - 1].clone())
        }
        ("GET", "/issues") => Reply::Json(200, json!(*tasks)),
        ("GET", path) => match task_of(path) {
            Some((number, "")) if number <= tasks.len() => {
                Reply::Json(200, tasks[number - 1].clone())
            }
            Some((_, "comments" | "events")) => Reply::Json(200, json!([])),
            _ => Reply::Json(404, json!({"message": "Not Found"})),
        },
        _ => Reply::Json(404, json!({"message": "Not Found"})),
    }
}

/// A fake of GitHub with the tasks of a ledger in one of its two forms.
pub(crate) struct Tasks {
    pub(crate) issues: Arc<Mutex<Vec<Value>>>,
    pub(crate) pulls: Arc<Mutex<Github>>,
    pub(crate) fake: Fake,
}

impl Tasks {
    pub(crate) async fn serve(form: &str) -> Self {
        let issues = Arc::new(Mutex::new(Vec::new()));
        let pulls = Arc::new(Mutex::new(Github::default()));
        let (of_issues, of_pulls) = (issues.clone(), pulls.clone());
        let has_pulls = form == "pull_request";
        let fake = Fake::serve(move |asked| match has_pulls {
            true => answer(&mut of_pulls.lock().unwrap(), asked),
            false => github(&of_issues, asked),
        })
        .await;
        Self { issues, pulls, fake }
    }

    pub(crate) fn count(&self) -> usize {
        self.issues.lock().unwrap().len() + self.pulls.lock().unwrap().pulls.len()
    }
}
