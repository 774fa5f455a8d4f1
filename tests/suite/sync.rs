//! `handoff sync`: what people did on GitHub comes back into the timeline,
//! through the real binary and a fake that answers as GitHub does.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::sandbox::{Ran, Sandbox, fixture};

const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd\n";
const KEY: &str = "hubspot-18640329741";
const TASK: &str = "https://github.example/acme/handoffs/issues/1";
const REPOSITORY: &str = "/repos/acme/handoffs";

/// GitHub with one repository, as far as the tests need it.
struct Github {
    task: Value,
    gone: Option<u16>,
    comments: Vec<Value>,
    reviews: Vec<Value>,
    own_login: Option<&'static str>,
    events: Vec<Value>,
    /// The date field of the task's part in the project.
    day: Value,
    /// Where the repository is now, by its id, below this address.
    renamed: Option<String>,
}

impl Github {
    fn project_answer(&self, asked: &Asked) -> Value {
        let query = asked.json()["query"].as_str().unwrap().to_owned();
        if query.contains("projectItems") {
            let item = json!({"project": {"number": 5, "owner": {"login": "acme"}}, "fieldValueByName": self.day});
            let other = json!({"project": {"number": 6, "owner": {"login": "acme"}},
                               "fieldValueByName": {"date": "2030-01-01", "createdAt": "2026-11-19T09:00:00Z", "updatedAt": "2026-11-20T09:00:00Z"}});
            return json!({"node": {"projectItems": {"nodes": [other, item]}}});
        }
        json!({"repositoryOwner": {"projectV2": {"id": "P5", "field": {"id": "F1"}}},
               "addProjectV2ItemById": {"item": {"id": "I9"}}})
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if let (Some(base), Some(rest)) = (&self.renamed, asked.path.strip_prefix(REPOSITORY)) {
            let query =
                if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
            let to = format!("{base}/repositories/7{rest}{query}");
            let status = if asked.method == "GET" { 301 } else { 307 };
            return Reply::To(status, to, json!({"message": "Moved Permanently"}));
        }
        let path = asked.path.strip_prefix(REPOSITORY).unwrap_or(&asked.path);
        let path = path.strip_prefix("/repositories/7").unwrap_or(path).to_owned();
        match (asked.method.as_str(), path.as_str()) {
            ("GET", "") if self.renamed.is_some() => {
                Reply::Json(200, json!({"id": 7, "full_name": "acme/renamed"}))
            }
            ("GET", "/user") => match self.own_login {
                Some(login) => Reply::Json(200, json!({"login": login, "type": "User"})),
                None => {
                    Reply::Json(403, json!({"message": "Resource not accessible by integration"}))
                }
            },
            ("POST", "/issues") => {
                let body = asked.json();
                self.task = json!({
                    "number": 1, "html_url": TASK, "node_id": "I_1", "state": "open",
                    "created_at": "2026-11-19T09:00:00Z", "closed_at": null, "closed_by": null,
                    "state_reason": null, "title": body["title"], "body": body["body"],
                    "labels": [{"name": "handoff"}],
                    "assignees": [{"login": "samlee", "type": "User"}],
                });
                Reply::Json(201, self.task.clone())
            }
            ("GET", "/issues") => {
                let tasks: Vec<&Value> =
                    Some(&self.task).filter(|t| t.is_object()).into_iter().collect();
                Reply::Json(200, json!(tasks))
            }
            ("GET", "/issues/1" | "/pulls/1") => match self.gone {
                Some(status) => Reply::Json(status, json!({"message": "This issue was deleted"})),
                None => Reply::Json(200, self.task.clone()),
            },
            ("GET", "/issues/1/comments") => page(&asked.query, &self.comments),
            ("GET", "/issues/1/events") => page(&asked.query, &self.events),
            ("POST", "/graphql") => Reply::Json(200, json!({"data": self.project_answer(asked)})),
            ("GET", "/pulls/1/reviews") => page(&asked.query, &self.reviews),
            _ => Reply::Json(404, json!({"message": format!("no {path}")})),
        }
    }
}

/// Two to a page, so that more than one is read.
fn page(query: &str, all: &[Value]) -> Reply {
    let number =
        query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse::<usize>().ok());
    let start = (number.unwrap_or(1) - 1) * 2;
    let items: Vec<&Value> = all.iter().skip(start).take(2).collect();
    if all.len() > start + 2 {
        Reply::With(200, &[("link", "<https://x/next>; rel=\"next\"")], json!(items))
    } else {
        Reply::Json(200, json!(items))
    }
}

fn comment(number: u32, who: &str, at: &str, body: &str) -> Value {
    let kind = if who.ends_with("[bot]") { "Bot" } else { "User" };
    json!({
        "html_url": format!("{TASK}#issuecomment-{number}"), "created_at": at, "body": body,
        "user": {"login": who, "type": kind}, "author_association": "MEMBER",
    })
}

struct Setup {
    sandbox: Sandbox,
    github: Arc<Mutex<Github>>,
    fake: Fake,
}

impl Setup {
    /// A ledger with one signed handoff whose task is an issue of the fake.
    async fn new() -> Self {
        let github = Arc::new(Mutex::new(Github {
            task: Value::Null,
            gone: None,
            comments: Vec::new(),
            reviews: Vec::new(),
            own_login: Some("handoff-machine"),
            events: Vec::new(),
            day: Value::Null,
            renamed: None,
        }));
        let state = github.clone();
        let fake = Fake::serve(move |asked| state.lock().unwrap().answer(asked)).await;
        let sandbox = Sandbox::new();
        let init = [
            "init",
            "ledger",
            "--crm",
            "file",
            "--github",
            "acme/handoffs",
            "--csm",
            "Sam Lee <sam@example.com> @samlee",
        ];
        sandbox.handoff(".", &init).exits(0);
        sandbox.write("ledger/deals.csv", DEALS);
        let config = std::fs::read_to_string(sandbox.join("ledger/handoff.yaml")).unwrap();
        let there = format!(
            "as: issue, base_url: \"{}\", seconds_between_writes: 0, milestone: 3, project: {{owner: acme, number: 5, due_field: Due}}",
            fake.url
        );
        let with_fake = config.replacen("as: issue", &there, 1);
        assert_ne!(config, with_fake, "the configuration names the task's form");
        sandbox.write("ledger/handoff.yaml", with_fake);
        let setup = Self { sandbox, github, fake };
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        let signed = setup.run(&["sign", &event, "--format", "json"]).exits(0).json();
        assert_eq!(signed["deliveries"][0]["ref"], TASK, "{signed}");
        setup
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.handoff_with("ledger", arguments, &[("GITHUB_TOKEN", "secret-token")])
    }

    fn with(&self, change: impl FnOnce(&mut Github)) {
        change(&mut self.github.lock().unwrap());
    }

    /// The events that were read back, as the ledger has them.
    fn events(&self) -> Vec<Value> {
        let status = self.run(&["status", KEY, "--format", "json"]).exits(0).json();
        let events = status["handoffs"][0]["events"].as_array().unwrap().clone();
        let read = |event: &Value| {
            ["touched", "accepted", "returned"].iter().any(|kind| event["event"] == *kind)
        };
        events.into_iter().filter(read).collect()
    }

    fn head(&self) -> String {
        self.sandbox.git("ledger", &["rev-parse", "HEAD"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_csm_claims_is_the_first_touch_and_five_runs_add_nothing() {
    let setup = Setup::new().await;
    setup.with(|github| {
        github.comments = vec![
            comment(1, "dependabot[bot]", "2026-11-19T10:00:00Z", "hello"),
            comment(2, "handoff-machine", "2026-11-19T10:30:00Z", "/accept"),
            comment(6, "samlee", "2026-11-19T11:00:00Z", "who is this? give it to somebody else"),
            comment(3, "samlee", "2026-11-19T12:00:00Z", "/touched, kick-off on Monday"),
            comment(4, "samlee", "2026-11-19T13:00:00Z", "/accept"),
            comment(5, "samlee", "2026-11-19T14:00:00Z", "minutes are in the folder"),
        ];
    });
    let dry = setup.run(&["sync", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(dry["handoffs"][0]["added"].as_array().unwrap().len(), 2, "{dry}");
    assert_eq!(setup.events(), Vec::<Value>::new(), "a dry run records nothing");
    let ran = setup.run(&["sync"]).exits(0);
    assert!(ran.stdout.contains("touched   by samlee, 2026-11-19 12:00 UTC"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("handoff-machine"),
        "the token's own login is named: {}",
        ran.stderr
    );
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("secret-token"));
    let events = setup.events();
    let mut told = events.clone();
    let brief = told[1].as_object_mut().unwrap().remove("brief");
    assert!(brief.is_some(), "an acceptance names the brief that it is of");
    assert_eq!(
        told,
        vec![
            json!({"at": "2026-11-19T12:00:00Z", "event": "touched", "via": "github", "ref": format!("{TASK}#issuecomment-3"), "by": "samlee", "evidence": "claimed"}),
            json!({"at": "2026-11-19T13:00:00Z", "event": "accepted", "via": "github", "ref": format!("{TASK}#issuecomment-4"), "by": "samlee"}),
        ]
    );
    let head = setup.head();
    for _ in 0..5 {
        setup.run(&["sync", KEY]).exits(0);
    }
    assert_eq!(setup.head(), head, "five more runs add nothing");
    assert_eq!(setup.events(), events);
    assert!(
        setup.fake.count("GET", "/repos/acme/handoffs/issues/1/comments") > 6,
        "all pages are read"
    );
    setup.run(&["validate"]).exits(1);
    let asked = setup.fake.asked().len();
    setup.run(&["sync"]).exits(0);
    assert_eq!(setup.fake.asked().len(), asked, "what is done is not asked about again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_keeps_its_reason_as_text_and_a_command_alone_is_no_touch() {
    let setup = Setup::new().await;
    let hostile = "/return wrong: <script>alert(1)</script> @team \u{202E}{{7*7}}\nmore below";
    setup.with(|github| {
        github.comments = vec![comment(1, "samlee", "2026-11-19T12:00:00Z", hostile)];
        github.comments[0]["author_association"] = json!("NONE");
        let mut outsider = comment(2, "passer-by", "2026-11-19T12:30:00Z", "/accept");
        outsider["author_association"] = json!("NONE");
        github.comments.push(outsider);
    });
    let ran = setup.run(&["sync", "--task", TASK]).exits(0);
    assert!(ran.stderr.contains("passer-by"), "who is not counted is named: {}", ran.stderr);
    let events = setup.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["event"], "returned");
    assert_eq!(events[0]["reason"], "wrong: <script>alert(1)</script> @team {{7*7}}");
    // A second return for another reason is news; an edited comment is not.
    setup.with(|github| {
        github.comments[0]["body"] = json!("/accept");
        github.comments.push(comment(3, "samlee", "2026-11-20T09:00:00Z", "/return still wrong"));
    });
    setup.run(&["sync"]).exits(0);
    let events = setup.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[1]["reason"], "still wrong");
    setup.run(&["sync", "--task", "https://github.example/acme/handoffs/issues/99"]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_word_does_not_overturn_a_later_one() {
    let setup = Setup::new().await;
    let at = ["--at", "2026-11-20T10:00:00Z"];
    setup.run(&[&["accept", KEY, "--by", "samlee"][..], &at].concat()).exits(0);
    setup.with(|github| {
        github.comments = vec![comment(1, "samlee", "2026-11-19T12:00:00Z", "/return too early")];
    });
    let ran = setup.run(&["sync"]).exits(0);
    assert!(ran.stderr.contains("came before"), "{}", ran.stderr);
    let events = setup.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["via"], "cli");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_counts_by_its_reason_and_by_whom() {
    let setup = Setup::new().await;
    let close = |who: Value, reason: Value| {
        setup.with(|github| {
            github.task["closed_at"] = json!("2026-11-20T08:00:00Z");
            github.task["closed_by"] = who;
            github.task["state_reason"] = reason;
        });
        setup.run(&["sync"]).exits(0)
    };
    let sam = json!({"login": "samlee", "type": "User"});
    close(sam.clone(), json!("not_planned"));
    close(sam.clone(), json!("duplicate"));
    close(json!({"login": "stale[bot]", "type": "Bot"}), json!("completed"));
    let nobody = close(Value::Null, json!("completed"));
    assert!(nobody.stderr.contains("does not say by whom"), "{}", nobody.stderr);
    assert_eq!(setup.events(), Vec::<Value>::new(), "none of these is a touch");
    close(sam, json!("completed"));
    let events = setup.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["event"], &events[0]["at"]),
        (&json!("touched"), &json!("2026-11-20T08:00:00Z"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_gone_is_unknown_and_never_no_touch() {
    let setup = Setup::new().await;
    let sync = |more: &[&str], code: i32, is_gone: bool, is_told: bool| {
        let ran = setup.run(&[&["sync", "--format", "json"], more].concat()).exits(code);
        let task = ran.json()["handoffs"][0]["unknown"][0].clone();
        assert_eq!((&task["ref"], &task["gone"]), (&json!(TASK), &json!(is_gone)), "{task}");
        for words in ["not known what people did", "handoff touch"] {
            assert_eq!(ran.stderr.contains(words), is_told, "{more:?}: {}", ran.stderr);
        }
    };
    let head = setup.head();
    // A 404 may be the token's lack of access: no run passes that over.
    setup.with(|github| github.gone = Some(404));
    for _ in 0..3 {
        sync(&[], 3, false, true);
    }
    // 410 is for good: one run says so and records it, and none is red.
    setup.with(|github| github.gone = Some(410));
    sync(&["--dry-run"], 0, true, true);
    assert_eq!(setup.head(), head, "nothing of it is recorded yet");
    for is_first in [true, false, false] {
        sync(&[], 0, true, is_first);
    }
    let recorded = setup.head();
    let ran = setup.run(&["sync"]).exits(0);
    assert!(
        ran.stdout.contains("0 events recorded, 0 unknown, 1 known to be gone"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains(KEY), "{}", ran.stdout);
    // Who asks for this handoff hears it again.
    sync(&[KEY], 3, true, true);
    assert_eq!(setup.head(), recorded, "recorded once");
    let status = setup.run(&["status", KEY, "--format", "json"]).exits(0).json();
    let events = status["handoffs"][0]["events"].as_array().unwrap();
    let gone: Vec<&Value> = events.iter().filter(|it| it["event"] == "task_gone").collect();
    assert_eq!(gone.len(), 1, "{events:?}");
    assert_eq!((&gone[0]["ref"], &gone[0]["via"]), (&json!(TASK), &json!("github")));
    assert!(gone[0]["reason"].as_str().unwrap().contains("was deleted"), "{gone:?}");
    setup.with(|github| {
        github.gone = None;
        github.task["html_url"] = json!("https://github.example/acme/elsewhere/issues/7");
    });
    let moved = setup.run(&["sync"]).exits(3);
    assert!(moved.stdout.contains("was moved to"), "{}", moved.stdout);
    setup.with(|github| github.gone = Some(401));
    setup.run(&["sync"]).exits(3);
    assert_eq!(setup.events(), Vec::<Value>::new());
}

/// GitHub whose repository has another name now: it sends every request on.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_followed_for_reading_and_for_writing() {
    let setup = Setup::new().await;
    let url = setup.fake.url.clone();
    setup.with(|github| {
        github.renamed = Some(url);
        github.task["html_url"] = json!("https://github.example/acme/renamed/issues/1");
        github.comments.push(comment(1, "samlee", "2026-11-20T16:00:00Z", "/touched"));
    });
    setup.run(&["sync"]).exits(0);
    assert!(setup.events().iter().any(|event| event["event"] == "touched"));
    // The same answer from a repository of its own is a task that was moved.
    setup.with(|github| github.renamed = None);
    let moved = setup.run(&["sync", KEY]).exits(3);
    assert!(moved.stdout.contains("was moved to"), "{}", moved.stdout);
    // A write is sent on with its body.
    setup.with(|github| {
        github.renamed = Some(setup.fake.url.clone());
        github.task = Value::Null;
    });
    let other =
        std::fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let other =
        other.replace("18640329741", "18640329742").replace("f9CbJKS4ZAs6nU629cuowb", "another");
    let event = setup.sandbox.write("other.json", other).display().to_string();
    setup.sandbox.write("ledger/deals.csv", DEALS.replace("18640329741", "18640329742"));
    setup.run(&["sign", &event]);
    setup.with(|github| assert!(github.task["body"].is_string(), "the issue is opened there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_and_merges_of_a_pull_request_count() {
    let setup = Setup::new().await;
    let pull = "https://github.example/acme/handoffs/pull/1";
    // The task of this handoff as a pull request, as `as: pull_request` records it.
    let path = setup.sandbox.git("ledger", &["ls-files", "briefs/*timeline.yaml"]);
    let file = setup.sandbox.join("ledger").join(path.trim());
    let text = std::fs::read_to_string(&file).unwrap().replace(TASK, pull);
    std::fs::write(&file, text).unwrap();
    setup.sandbox.git("ledger", &["commit", "-qam", "as a pull request"]);
    let review = |id: u32, at: &str, state: &str, body: &str| {
        json!({"html_url": format!("{pull}#pullrequestreview-{id}"), "submitted_at": at, "state": state, "body": body,
               "user": {"login": "samlee", "type": "User"}, "author_association": "COLLABORATOR"})
    };
    setup.with(|github| {
        github.own_login = None;
        github.task["html_url"] = json!(pull);
        github.task["merged_at"] = Value::Null;
        github.task["closed_at"] = json!("2026-11-20T08:00:00Z");
        github.reviews = vec![
            json!({"html_url": format!("{pull}#r0"), "state": "PENDING", "user": {"login": "samlee"}}),
            review(1, "2026-11-20T09:00:00Z", "CHANGES_REQUESTED", "the metric has\nno target"),
            review(2, "2026-11-20T10:00:00Z", "COMMENTED", "/touched: spoke with Dana"),
            review(3, "2026-11-20T10:30:00Z", "COMMENTED", "looks fine"),
        ];
    });
    setup.run(&["sync"]).exits(0);
    let kinds = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };
    let events = setup.events();
    assert_eq!(kinds(&events), ["returned", "touched"]);
    assert_eq!(events[0]["reason"], "the metric has no target");
    setup.with(|github| {
        github.task["merged_at"] = json!("2026-11-20T11:00:00Z");
        github.task["merged_by"] = json!({"login": "samlee", "type": "User"});
    });
    setup.run(&["sync"]).exits(0);
    let events = setup.events();
    assert_eq!(kinds(&events), ["returned", "touched", "accepted"]);
    assert_eq!(events[2]["ref"], pull);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_touches_before_the_signature_nor_after_the_reading() {
    let setup = Setup::new().await;
    setup.with(|github| {
        github.comments = vec![
            comment(1, "samlee", "2026-10-14T15:00:00Z", "/touched"),
            comment(2, "samlee", "2030-01-01T12:00:00Z", "/touched"),
        ];
    });
    // The first touch of two that cannot be is not counted either.
    let early = setup.run(&["sync"]).exits(0);
    assert!(
        early.stderr.contains("before the signature of 2026-10-14 15:43 UTC"),
        "{}",
        early.stderr
    );
    setup.with(|github| drop(github.comments.remove(0)));
    let late = setup.run(&["sync"]).exits(0);
    assert!(late.stderr.contains("after this reading"), "{}", late.stderr);
    assert_eq!(setup.events(), Vec::<Value>::new());
    let early = ["touch", KEY, "--by", "samlee", "--at", "2026-10-14T15:00:00Z"];
    let ran = setup.run(&early).exits(3);
    assert!(ran.stderr.contains("is before the signature"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_issue_is_given_to_has_the_handoff() {
    let setup = Setup::new().await;
    setup.with(|github| {
        github.task["assignees"] = json!([{"login": "noorh", "type": "User"}]);
        let given = |at: &str, actor: &str, to: &str| {
            json!({"event": "assigned", "created_at": at, "actor": {"login": actor, "type": "User"},
                   "assignee": {"login": to, "type": "User"}})
        };
        github.events = vec![
            given("2026-11-19T09:00:00Z", "handoff-machine", "samlee"),
            given("2026-11-19T12:00:00Z", "boss", "noorh"),
        ];
    });
    let stays = setup.run(&["sync"]).exits(0);
    assert!(stays.stderr.contains("not listed under team.csms"), "{}", stays.stderr);
    let file = setup.sandbox.join("ledger/handoff.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let noor = "csms:\n    - {name: Noor Hassan, email: noor@example.com, github: noorh}";
    std::fs::write(&file, config.replacen("csms:", noor, 1)).unwrap();
    let ran = setup.run(&["sync", "--format", "json"]).exits(0).json();
    let added = &ran["handoffs"][0]["added"][0];
    assert_eq!(
        (&added["event"], &added["ref"], &added["by"]),
        (&json!("assigned"), &json!("noorh"), &json!("boss"))
    );
    let row = setup.run(&["status", KEY, "--format", "json"]).exits(0).json();
    assert_eq!(row["handoffs"][0]["csm"], "Noor Hassan");
    let head = setup.head();
    for _ in 0..5 {
        setup.run(&["sync", KEY]).exits(0);
    }
    assert_eq!(setup.head(), head, "five more runs add nothing");
    // Given back at the command line: the issue, which does not follow before
    // the next delivery, does not overturn it.
    setup.run(&["assign", KEY, "samlee", "--by", "boss"]).exits(0);
    setup.run(&["sync", KEY]).exits(0);
    let row = setup.run(&["status", KEY, "--format", "json"]).exits(0).json();
    assert_eq!(row["handoffs"][0]["csm"], "Sam Lee");
    setup.run(&["assign", KEY, "Sam Lee", "--by", "boss"]).exits(0);
    let ran = setup.run(&["assign", KEY, "samle", "--by", "boss"]).exits(2);
    assert!(ran.stderr.contains("did you mean `samlee`?"), "{}", ran.stderr);
}

#[test]
fn without_a_target_to_read_the_command_says_what_to_configure() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let ran = sandbox.handoff("ledger", &["sync"]).exits(2);
    assert!(ran.stderr.contains("deliver: {github"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_open_handoffs_are_read_in_one_run() {
    let setup = Setup::new().await;
    let text = std::fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event[0]["data"]["linked_objects"][0]["entity_id"] = json!("18640329742");
    event[0]["data"]["metadata"] = json!({});
    event[0]["data"]["id"] = json!("another-document");
    let path = setup.sandbox.write("second.json", event.to_string()).display().to_string();
    setup.run(&["sign", &path, "--as", "contract"]).exits(0);
    setup.with(|github| {
        github.comments = vec![comment(1, "samlee", "2026-11-19T12:00:00Z", "/touched")];
    });
    let ran = setup.run(&["sync", "--format", "json"]).exits(0).json();
    let handoffs = ran["handoffs"].as_array().unwrap();
    assert_eq!(handoffs.len(), 2, "{ran}");
    for handoff in handoffs {
        assert_eq!(handoff["added"][0]["event"], "touched", "{ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_moved_in_the_project_or_by_another_milestone_is_read() {
    let setup = Setup::new().await;
    let due = |setup: &Setup| {
        let row = setup.run(&["status", KEY, "--format", "json"]).exits(0).json();
        row["handoffs"][0]["due"].as_str().unwrap().to_owned()
    };
    // Signed on 14 October at 15:43:53; due a day later.
    let told = "2026-10-15T15:43:53Z";
    assert_eq!(due(&setup), told);
    let day = |date: &str, made: &str, updated: &str| json!({"date": date, "createdAt": made, "updatedAt": updated});
    let (made, later) = ("2026-10-14T16:00:00Z", "2026-10-15T09:00:00Z");
    setup.with(|github| {
        github.day = day("2026-10-15", made, made);
        github.task["milestone"] = json!({"number": 3, "due_on": "2026-12-31T08:00:00Z"});
    });
    setup.run(&["sync"]).exits(0);
    assert_eq!(due(&setup), told, "nothing was moved, and every task is in the milestone 3");
    setup.with(|github| github.day = day("2026-10-16", made, later));
    let ran = setup.run(&["sync"]).exits(0);
    assert!(ran.stdout.contains("deadline moved to 2026-10-16 23:59 UTC"), "{}", ran.stdout);
    assert_eq!(due(&setup), "2026-10-16T23:59:59Z");
    // The later word counts: a milestone with a day of its own.
    setup.with(|github| {
        github.task["milestone"] = json!({"number": 4, "due_on": "2026-10-20T07:00:00Z"});
        github.events = vec![
            json!({"event": "labeled", "created_at": made, "actor": {"login": "samlee"}}),
            json!({"event": "milestoned", "created_at": made, "actor": {"login": "handoff-machine"}}),
            json!({"event": "milestoned", "created_at": "2026-10-16T08:00:00Z", "actor": {"login": "samlee"}}),
        ];
    });
    setup.run(&["sync"]).exits(0);
    assert_eq!(due(&setup), "2026-10-20T23:59:59Z");
    let head = setup.head();
    for _ in 0..5 {
        setup.run(&["sync", KEY]).exits(0);
    }
    assert_eq!(setup.head(), head, "five more runs add nothing");
}
