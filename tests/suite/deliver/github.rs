//! GitHub issues against a stateful fake with faults, and against the testkit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use handoff::deliver::{DeliveryError, Sink};
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{handoff, hostile, secrets, sinks};

const ISSUES: &str = "/repos/acme/handoffs/issues";
const LIMITS: &str = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";

/// What goes wrong with one POST of an issue.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    Refused422,
    Assignee422,
    Limited429,
    Secondary403,
    Exhausted403,
    Forbidden403,
    Broken502,
    StoredThenDropped,
    StoredThen502,
    DropsLabels,
}

#[derive(Default)]
pub(super) struct Github {
    pub(super) issues: Vec<Value>,
    pub(super) faults: VecDeque<Fault>,
}

impl Github {
    fn store(&mut self, asked: &Value, with_labels: bool) -> Value {
        let number = self.issues.len() + 1;
        let named = |list: &Value, name: &str| -> Vec<Value> {
            let list = list.as_array().cloned().unwrap_or_default();
            list.into_iter().map(|v| json!({name: v})).collect()
        };
        let labels = if with_labels { named(&asked["labels"], "name") } else { Vec::new() };
        let issue = json!({
            "number": number, "html_url": format!("https://github.example/acme/handoffs/issues/{number}"),
            "node_id": format!("I_{number}"), "created_at": "2026-11-20T15:11:00Z", "state": "open",
            "title": asked["title"], "body": asked["body"], "labels": labels,
            "assignees": named(&asked["assignees"], "login"), "milestone": null,
        });
        self.issues.push(issue.clone());
        issue
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if asked.is("GET", ISSUES) {
            return self.list(&asked.query);
        }
        if asked.is("POST", ISSUES) {
            let body = asked.json();
            if body["assignees"] == json!(["stranger"]) {
                return Reply::Json(422, error(2));
            }
            return match self.faults.pop_front() {
                None => Reply::Json(201, self.store(&body, true)),
                Some(Fault::DropsLabels) => Reply::Json(201, self.store(&body, false)),
                Some(Fault::Refused422) => Reply::Json(422, error(5)),
                Some(Fault::Assignee422) => Reply::Json(422, error(2)),
                Some(Fault::Limited429) => {
                    Reply::With(429, &[("retry-after", "0")], json!({"message": "slow down"}))
                }
                Some(Fault::Secondary403) => {
                    let words = "You have exceeded a secondary rate limit";
                    Reply::With(
                        403,
                        &[("retry-after", "0")],
                        json!({"message": words, "documentation_url": LIMITS}),
                    )
                }
                Some(Fault::Exhausted403) => Reply::With(
                    403,
                    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "0")],
                    json!({"message": "API rate limit exceeded"}),
                ),
                Some(Fault::Forbidden403) => {
                    Reply::Json(403, json!({"message": "Resource not accessible by integration"}))
                }
                Some(Fault::Broken502) => Reply::Text(502, "<html>bad gateway</html>"),
                Some(Fault::StoredThenDropped) => {
                    self.store(&body, true);
                    Reply::Drop
                }
                Some(Fault::StoredThen502) => {
                    self.store(&body, true);
                    Reply::Text(502, "<html>bad gateway</html>")
                }
            };
        }
        if asked.method == "PATCH" {
            let number: usize =
                asked.path.rsplit('/').next().and_then(|n| n.parse().ok()).expect("a number");
            let change = asked.json();
            if change["assignees"].as_array().is_some_and(|all| all.contains(&json!("stranger"))) {
                return Reply::Json(422, error(2));
            }
            for (name, value) in change.as_object().expect("an object") {
                let named = |key: &str| -> Value {
                    value.as_array().into_iter().flatten().map(|it| json!({key: it})).collect()
                };
                self.issues[number - 1][name] = match name.as_str() {
                    "labels" => named("name"),
                    "assignees" => named("login"),
                    _ => value.clone(),
                };
            }
            if self.faults.pop_front().is_some() {
                return Reply::Drop;
            }
            return Reply::Json(200, self.issues[number - 1].clone());
        }
        if asked.method == "GET" && asked.path.starts_with(ISSUES) {
            return Reply::Json(200, self.issues[0].clone());
        }
        Reply::Json(404, json!({"message": "Not Found"}))
    }

    /// Two to a page, with a pull request that carries the mark on each.
    fn list(&self, query: &str) -> Reply {
        let asked = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v)
        };
        let page: usize = asked("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        let label = asked("labels");
        let wanted: Vec<&Value> = self
            .issues
            .iter()
            .filter(|issue| {
                label.as_ref().is_none_or(|label| {
                    issue["labels"]
                        .as_array()
                        .is_some_and(|l| l.iter().any(|l| l["name"] == **label))
                })
            })
            .collect();
        let mut items: Vec<Value> =
            wanted.iter().skip((page - 1) * 2).take(2).map(|v| (*v).clone()).collect();
        if let Some(first) = items.first().cloned() {
            let mut pull = first;
            pull["pull_request"] = json!({"url": "x"});
            pull["number"] = json!(0);
            items.insert(0, pull);
        }
        if wanted.len() > page * 2 {
            return Reply::With(
                200,
                &[("link", "<https://x.example/?page=9>; rel=\"next\"")],
                json!(items),
            );
        }
        Reply::Json(200, json!(items))
    }
}

fn error(number: usize) -> Value {
    let errors: Value =
        serde_json::from_str(include_str!("../../fixtures/deliver/github-errors.json"))
            .expect("JSON");
    // The fixture's order: 0 body, 1 title, 2 assignee, 3 label, 4 label, 5 pull request.
    errors[number]["body"].clone()
}

pub(super) struct Setup {
    pub(super) fake: Fake,
    pub(super) github: Arc<Mutex<Github>>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    _folder: tempfile::TempDir,
}

pub(super) async fn setup(faults: &[Fault]) -> Setup {
    let github = Arc::new(Mutex::new(Github {
        issues: Vec::new(),
        faults: faults.iter().copied().collect(),
    }));
    let state = github.clone();
    let fake = Fake::serve(move |asked| state.lock().expect("not poisoned").answer(asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let sinks = sinks_at(&fake.url, folder.path());
    Setup { fake, github, sinks, _folder: folder }
}

fn sinks_at(url: &str, folder: &std::path::Path) -> Vec<Box<dyn Sink>> {
    let config = json!({"github": {"repository": "acme/handoffs", "base_url": url, "seconds_between_writes": 0}});
    sinks(config, &secrets(&[("GITHUB_TOKEN", "ghp_secret")]), folder)
}

impl Setup {
    fn posts(&self) -> usize {
        self.fake.count("POST", ISSUES)
    }
    fn stored(&self) -> usize {
        self.github.lock().expect("not poisoned").issues.len()
    }
}

#[tokio::test]
async fn one_issue_with_mark_label_and_assignee_and_again_nothing_new() {
    let setup = setup(&[]).await;
    let result = deliver(&setup.sinks, &handoff("hubspot-1")).await;
    let mark = result.outcome.expect("made");
    assert_eq!(mark.reference, "https://github.example/acme/handoffs/issues/1");
    assert_eq!(mark.at, Some(super::sample::time("2026-11-20T15:11:00Z")), "GitHub's clock");
    assert_eq!(mark.remark, None);
    let posted = setup.fake.asked().into_iter().find(|a| a.method == "POST").expect("posted");
    assert_eq!(posted.headers["authorization"], "Bearer ghp_secret");
    assert_eq!(posted.headers["x-github-api-version"], "2022-11-28");
    let body = posted.json();
    assert_eq!(body["title"], "First touch: Acme Corp (by Sat 21 Nov 10:01 EST)");
    assert_eq!(body["labels"], json!(["handoff"]));
    assert_eq!(body["assignees"], json!(["csm-ana"]));
    insta::assert_snapshot!("github_issue_body", body["body"].as_str().expect("a body"));
    for _ in 0..5 {
        let again = deliver(&setup.sinks, &handoff("hubspot-1")).await;
        assert!(again.found);
    }
    assert_eq!((setup.posts(), setup.stored()), (1, 1));
}

#[tokio::test]
async fn each_handoff_has_its_own_issue_however_many_pages_there_are() {
    let setup = setup(&[]).await;
    for n in 1..=7 {
        assert!(!deliver(&setup.sinks, &handoff(&format!("hubspot-{n}"))).await.found);
    }
    for n in 1..=7 {
        let found = deliver(&setup.sinks, &handoff(&format!("hubspot-{n}"))).await;
        let reference = found.outcome.expect("found").reference;
        assert!(found.found && reference.ends_with(&format!("/{n}")), "{reference}");
    }
    assert_eq!(setup.stored(), 7);
}

#[tokio::test]
async fn faults_never_make_a_second_issue() {
    use Fault::*;
    // fault, POSTs, issues in the end, whether the run succeeds
    for (fault, posts, stored, succeeds) in [
        (Refused422, 1, 0, false),
        (Assignee422, 2, 1, true),
        (Limited429, 2, 1, true),
        (Secondary403, 2, 1, true),
        (Exhausted403, 2, 1, true),
        (Forbidden403, 1, 0, false),
        (Broken502, 2, 1, true),
        (StoredThenDropped, 1, 1, true),
        (StoredThen502, 1, 1, true),
        (DropsLabels, 1, 1, true),
    ] {
        let setup = setup(&[fault]).await;
        let result = deliver(&setup.sinks, &handoff("hubspot-1")).await;
        let name = result.outcome.as_ref().map_or_else(ToString::to_string, |m| format!("{m:?}"));
        assert_eq!(setup.posts(), posts, "POSTs: {name}");
        assert_eq!(setup.stored(), stored, "issues: {name}");
        assert_eq!(result.outcome.is_ok(), succeeds, "{name}");
        if succeeds {
            let again = deliver(&setup.sinks, &handoff("hubspot-1")).await;
            assert!(again.found, "found again: {name}");
            assert_eq!(setup.stored(), 1);
        }
    }
}

#[tokio::test]
async fn what_github_refuses_is_said_with_its_words_and_a_remedy() {
    let setup = setup(&[Fault::Forbidden403]).await;
    let outcome = deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome;
    let Err(DeliveryError::Permanent { message, help }) = outcome else {
        panic!("a plain 403 is for good: {outcome:?}");
    };
    assert_eq!(
        message,
        "POST /repos/acme/handoffs/issues: GitHub answered 403: Resource not accessible by integration"
    );
    assert!(help.contains("issues: write"), "{help}");
    assert!(!message.contains("ghp_secret"));
}

#[tokio::test]
async fn labels_dropped_in_silence_and_people_who_may_not_be_assigned_are_remarks() {
    let setup = setup(&[Fault::DropsLabels]).await;
    let mut stranger = handoff("hubspot-1");
    stranger.brief["first_action"]["owner"]["github"] = json!("stranger");
    let mark = deliver(&setup.sinks, &stranger).await.outcome.expect("made");
    let remark = mark.remark.expect("a remark");
    assert!(remark.contains("stranger may not be assigned in acme/handoffs"), "{remark}");
    assert!(remark.contains("did not set the labels handoff"), "{remark}");
    let posted = setup.fake.asked().into_iter().rfind(|a| a.method == "POST").expect("posted");
    assert_eq!(posted.json()["assignees"], json!([]));
}

#[tokio::test]
async fn two_machines_at_once_leave_one_issue_open() {
    let setup = setup(&[]).await;
    let handoff = handoff("hubspot-1");
    // Both have looked and seen nothing; now both act.
    let (first, second) = tokio::join!(setup.sinks[0].act(&handoff), setup.sinks[0].act(&handoff));
    let references: Vec<String> =
        [first, second].into_iter().map(|m| m.expect("made").reference).collect();
    assert!(references.iter().all(|r| r.ends_with("/issues/1")), "{references:?}");
    let github = setup.github.lock().expect("not poisoned");
    let open: Vec<&Value> = github.issues.iter().filter(|i| i["state"] == "open").collect();
    assert_eq!(open.len(), 1);
    assert_eq!(github.issues[1]["state_reason"], "not_planned");
    assert!(!github.issues[1]["body"].as_str().expect("a body").contains("handoff:v1"));
}

#[tokio::test]
async fn a_github_that_is_away_is_unavailable_and_nothing_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    // A port that no other test is given, as one that a server has left may be.
    let sinks = sinks_at("http://127.0.0.1:1", folder.path());
    let error = sinks[0].look_up(&handoff("hubspot-1")).await.expect_err("nobody is there");
    assert!(matches!(error, DeliveryError::Transient { .. }), "{error:?}");
}

#[tokio::test]
async fn hostile_text_mentions_links_and_closes_nothing() {
    let setup = setup(&[]).await;
    deliver(&setup.sinks, &hostile("hubspot-2")).await.outcome.expect("made");
    let posted = setup.fake.asked().into_iter().find(|a| a.method == "POST").expect("posted");
    let body = posted.json();
    let title = body["title"].as_str().expect("a title");
    assert!(title.chars().count() <= 200 && !title.contains(['\n', '\r', '\u{202E}']), "{title:?}");
    let text = body["body"].as_str().expect("a body");
    for bad in ["@everyone", "@acme", "#1"] {
        assert!(!title.contains(bad), "the title holds {bad:?}: {title}");
    }
    // The contact's own address is a link to copy, in which GitHub mentions nobody.
    let address = "[dana@acme.example](mailto:dana@acme.example)";
    assert!(text.contains(address), "{text}");
    let text = &text.replace(address, "");
    for bad in [
        "@everyone",
        "@acme",
        "#1",
        "GH-12",
        "<script",
        "{{7*7}}",
        "![i](",
        "](javascript",
        "<!-- handoff:v1 key=hubspot-1 ",
    ] {
        assert!(!text.contains(bad), "the body holds {bad:?}:\n{text}");
    }
    // As GitHub would show it, with its own links for bare addresses.
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(text, &options);
    let html = html.replace("<!-- handoff:v1 key=hubspot-2 step=task -->", "");
    let html = html.replace("<!-- handoff:v1 begin -->", "");
    for bad in ["<a ", "<img", "<script", "<!--", "<table", "<em>", "<del>"] {
        assert!(!html.contains(bad), "{bad:?} comes of the body:\n{html}");
    }
    // The forged mark of another handoff is not taken for one.
    assert!(setup.sinks[0].look_up(&handoff("hubspot-1")).await.expect("listed").is_none());
}

#[tokio::test]
async fn doctor_names_what_is_wrong_with_the_repository() {
    let fake = Fake::serve(|asked| {
        if asked.is("GET", "/repos/acme/handoffs") {
            Reply::Json(
                200,
                json!({"archived": false, "has_issues": false, "permissions": {"push": false}}),
            )
        } else {
            Reply::Json(404, json!({"message": "Not Found"}))
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let checks = sinks_at(&fake.url, folder.path())[0].checks(false).await;
    let told: Vec<String> = checks.iter().map(|c| format!("{:?} {}", c.level, c.detail)).collect();
    assert_eq!(
        told,
        [
            "Ok the repository can be read",
            "Failed issues are turned off",
            "Warning the token may not push: labels, assignees and milestones will be dropped in silence",
            "Warning the label handoff does not exist"
        ]
    );
}

#[tokio::test]
async fn an_app_finds_its_installation_and_writes_with_its_token() {
    let setup = setup(&[]).await;
    let github = setup.github.clone();
    let fake = Fake::serve(move |asked| match asked.path.as_str() {
        "/repos/acme/handoffs/installation" => Reply::Json(200, json!({"id": 7})),
        "/app/installations/7/access_tokens" => Reply::Json(
            201,
            json!({"token": "ghs_installation", "expires_at": "2099-01-01T00:00:00Z", "permissions": {"issues": "write"}}),
        ),
        _ => github.lock().expect("not poisoned").answer(asked),
    })
    .await;
    let config = json!({"github": {"repository": "acme/handoffs", "base_url": fake.url, "seconds_between_writes": 0}});
    let key = include_str!("../../fixtures/deliver/test-only-app-key.pem").replace('\n', "\\n");
    let secrets = secrets(&[("GITHUB_APP_ID", "12"), ("GITHUB_APP_PRIVATE_KEY", &key)]);
    let sinks = sinks(config, &secrets, std::path::Path::new("."));
    deliver(&sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    let asked = fake.asked();
    let header = |path: &str, method: &str| {
        let found = asked.iter().find(|a| a.is(method, path)).expect("asked");
        found.headers["authorization"].to_str().expect("text").to_owned()
    };
    assert!(header("/repos/acme/handoffs/installation", "GET").starts_with("Bearer ey"), "a JWT");
    assert_eq!(header(ISSUES, "GET"), "Bearer ghs_installation");
    assert_eq!(header(ISSUES, "POST"), "Bearer ghs_installation");
}

#[tokio::test]
async fn a_task_is_put_on_the_project_with_its_deadline() {
    let github = Arc::new(Mutex::new(Github::default()));
    let state = github.clone();
    let fake = Fake::serve(move |asked| {
        if !asked.is("POST", "/api/graphql") {
            let mut asked = asked.clone();
            asked.path = asked.path.trim_start_matches("/api/v3").to_owned();
            return state.lock().expect("not poisoned").answer(&asked);
        }
        let query = asked.json()["query"].as_str().expect("a query").to_owned();
        let data = if query.starts_with("query") {
            json!({"repositoryOwner": {"projectV2": {"id": "P1", "field": {"id": "F1"}}}})
        } else {
            json!({"addProjectV2ItemById": {"item": {"id": "IT1"}}})
        };
        Reply::Json(200, json!({"data": data}))
    })
    .await;
    // As GitHub Enterprise has it: REST below /api/v3, GraphQL beside it.
    let config = json!({"github": {
        "repository": "acme/handoffs", "base_url": format!("{}/api/v3", fake.url), "seconds_between_writes": 0,
        "milestone": 3, "project": {"owner": "acme", "number": 5, "due_field": "Due"}
    }});
    let sinks = sinks(config, &secrets(&[("GITHUB_TOKEN", "t")]), std::path::Path::new("."));
    let mark = deliver(&sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    assert_eq!(
        mark.remark.as_deref(),
        Some("GitHub did not set the milestone; the token may lack the right to")
    );
    let asked: Vec<Value> = fake
        .asked()
        .iter()
        .filter(|a| a.path == "/api/graphql")
        .map(|a| a.json()["variables"].clone())
        .collect();
    assert_eq!(
        asked,
        [
            json!({"owner": "acme", "number": 5, "field": "Due"}),
            json!({"project": "P1", "content": "I_1"}),
            json!({"project": "P1", "item": "IT1", "field": "F1", "day": "2026-11-21"})
        ]
    );
}
