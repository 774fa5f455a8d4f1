//! Against the servers of `shared/testkit`, which check requests against the
//! vendors' own specifications. Only with `HANDOFF_TESTKIT=1`.

use handoff::http::{ApiRequest, BaseUrl, Client, Schedule, Semantics};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::sample::{handoff, hostile, secrets, sinks};

/// Whether the servers are there; says so where they are not.
#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
#[expect(clippy::print_stdout, reason = "a skipped test must say so")]
pub(crate) fn wanted(test: &str) -> bool {
    let wanted = std::env::var("HANDOFF_TESTKIT").is_ok_and(|value| value == "1");
    if !wanted {
        println!("skipped: {test} needs the testkit's servers and HANDOFF_TESTKIT=1");
    }
    wanted
}

/// A key that no earlier run has used.
fn fresh_key() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().file_name().expect("a name").to_string_lossy().to_lowercase();
    format!("hubspot-{}", name.trim_start_matches(".tmp"))
}

pub(crate) async fn ask(
    base: &str,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Value {
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
    headers.insert(header::AUTHORIZATION, bearer);
    let client = Client::new(BaseUrl::parse(base).expect("a URL"), headers, Schedule::once());
    let mut request = ApiRequest::new(Semantics::Idempotent, method, path);
    if let Some(body) = &body {
        request = request.with_json(body);
    }
    let answer = client.send(&request).await.expect("an answer");
    assert!(answer.status.as_u16() < 400, "{path}: {} {:?}", answer.status, answer.body);
    answer.json().unwrap_or(Value::Null)
}

#[tokio::test]
async fn github_issue_passes_the_vendors_specification_and_stays_one() {
    if !wanted("github_issue_passes_the_vendors_specification_and_stays_one") {
        return;
    }
    let direct = "http://127.0.0.1:4601";
    let collaborator = "/repos/handoff-bot/briefs/collaborators/csm-ana";
    ask(direct, "ghp_handoff_test", Method::PUT, collaborator, Some(json!({}))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = json!({"github": {"repository": "handoff-bot/briefs", "base_url": "http://127.0.0.1:4611",
                                   "labels": ["handoff", "first-touch"], "seconds_between_writes": 0}});
    let sinks = sinks(config, &secrets(&[("GITHUB_TOKEN", "ghp_handoff_test")]), folder.path());
    for handoff in [handoff(&fresh_key()), hostile(&fresh_key())] {
        assert_eq!(sinks[0].look_up(&handoff).await.expect("listed"), None);
        let made = sinks[0].act(&handoff).await.expect("made");
        assert_eq!(made.remark, None, "labels and assignee are set");
        for _ in 0..5 {
            let found = sinks[0].look_up(&handoff).await.expect("listed").expect("found");
            assert_eq!(found.reference, made.reference);
        }
        let list = ask(
            direct,
            "ghp_handoff_test",
            Method::GET,
            "/repos/handoff-bot/briefs/issues?state=all&per_page=100&labels=handoff",
            None,
        )
        .await;
        let mark = format!("key={} step=task", handoff.key);
        let marked = list.as_array().expect("a list").iter();
        let marked = marked.filter(|i| i["body"].as_str().is_some_and(|b| b.contains(&mark)));
        assert_eq!(marked.count(), 1);
    }
}

#[tokio::test]
async fn github_pull_request_passes_the_vendors_specification_and_stays_one() {
    if !wanted("github_pull_request_passes_the_vendors_specification_and_stays_one") {
        return;
    }
    let (direct, token) = ("http://127.0.0.1:4601", "ghp_handoff_test");
    let repository = "/repos/handoff-bot/briefs";
    let head = format!("{repository}/git/ref/heads/main");
    let main = ask(direct, token, Method::GET, &head, None).await["object"]["sha"].clone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = json!({"github": {"repository": "handoff-bot/briefs", "base_url": "http://127.0.0.1:4611",
                                   "as": "pull_request", "seconds_between_writes": 0}});
    let sinks = sinks(config, &secrets(&[("GITHUB_TOKEN", token)]), folder.path());
    for handoff in [handoff(&fresh_key()), hostile(&fresh_key())] {
        let branch = format!("handoff/{}", handoff.key);
        let new = json!({"ref": format!("refs/heads/{branch}"), "sha": main});
        ask(direct, token, Method::POST, &format!("{repository}/git/refs"), Some(new)).await;
        let made = sinks[0].act(&handoff).await.expect("made");
        for _ in 0..5 {
            // This server does not know a pull request's labels, the mark of a finished one.
            let again = sinks[0].act(&handoff).await.expect("found");
            assert_eq!(again.reference, made.reference);
        }
        let list = format!("{repository}/pulls?state=all&per_page=100&head=handoff-bot:{branch}");
        let list = ask(direct, token, Method::GET, &list, None).await;
        let ours = list.as_array().expect("a list").iter();
        let ours: Vec<&Value> =
            ours.filter(|pull| pull["head"]["ref"] == branch.as_str()).collect();
        assert_eq!(ours.len(), 1, "{list}");
        assert_eq!(ours[0]["draft"], true, "an answer is missing");
    }
}

#[tokio::test]
async fn slack_bot_posts_once_and_finds_its_message() {
    if !wanted("slack_bot_posts_once_and_finds_its_message") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config =
        json!({"slack": {"channel": "#cs-handoffs", "base_url": "http://127.0.0.1:4603/api"}});
    let sinks = sinks(config, &secrets(&[("SLACK_BOT_TOKEN", "ghp_handoff_test")]), folder.path());
    for mut handoff in [handoff(&fresh_key()), hostile(&fresh_key())] {
        handoff.brief["first_action"]["owner"]["email"] = json!("ana@example.test");
        assert_eq!(sinks[0].look_up(&handoff).await.expect("read"), None);
        let made = sinks[0].act(&handoff).await.expect("posted");
        for _ in 0..5 {
            assert_eq!(sinks[0].look_up(&handoff).await.expect("read"), Some(made.clone()));
        }
    }
}

#[tokio::test]
async fn mail_goes_through_a_real_smtp_server() {
    if !wanted("mail_goes_through_a_real_smtp_server") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = json!({"email": {"from": "Handoff <handoff@example.com>"}});
    let sinks = sinks(config, &secrets(&[("SMTP_URL", "smtp://127.0.0.1:4625")]), folder.path());
    for handoff in [handoff(&fresh_key()), hostile(&fresh_key())] {
        let mark = sinks[0].act(&handoff).await.expect("sent");
        let mails = ask("http://127.0.0.1:4626", "x", Method::GET, "/email", None).await;
        let id = mark.reference.trim_matches(['<', '>']).to_owned();
        let ours: Vec<&Value> = mails
            .as_array()
            .expect("a list")
            .iter()
            .filter(|mail| mail["messageId"].as_str().is_some_and(|found| found.contains(&id)))
            .collect();
        assert_eq!(ours.len(), 1, "{id}");
        let subject = ours[0]["subject"].as_str().expect("a subject");
        assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        let attached = ours[0]["attachments"].as_array().expect("attachments");
        let names: Vec<&Value> = attached.iter().map(|file| &file["fileName"]).collect();
        assert_eq!(names, ["first-touch.ics"]);
        assert!(!ours[0]["html"].as_str().expect("HTML").contains("<script"));
    }
}

/// Sends what a sink asked of our stateful fake below this path to the mock
/// that checks requests against the vendor's specification.
pub(crate) async fn replay(fake: &super::fake::Fake, below: &str, mock: &str) {
    let client =
        Client::new(BaseUrl::parse(mock).expect("a URL"), HeaderMap::new(), Schedule::once());
    let asked = fake.asked();
    // Asana gives every field of a user within a task; its specification lists some.
    let is_listed = |asked: &&super::fake::Asked| !asked.query.contains("assignee.email");
    let ours = asked.iter().filter(|asked| asked.path.starts_with(below)).filter(is_listed);
    let ours: Vec<_> = ours.collect();
    assert!(!ours.is_empty());
    for asked in ours {
        let path = format!("{}?{}", &asked.path[below.len()..], asked.query);
        let method: Method = asked.method.parse().expect("a method");
        let authorization = asked.headers[header::AUTHORIZATION].clone();
        let client = client.clone().with_header(header::AUTHORIZATION, authorization);
        let mut request = ApiRequest::new(Semantics::Idempotent, method, &path);
        if !asked.bytes.is_empty() {
            request = request.with_body("application/json", asked.bytes.clone());
        }
        let answer = client.send(&request).await.expect("an answer");
        let words = String::from_utf8_lossy(&answer.body);
        assert!(answer.status.is_success(), "{} {path}: {} {words}", asked.method, answer.status);
    }
}

#[tokio::test]
async fn asana_and_jira_requests_pass_the_vendors_specifications() {
    if !wanted("asana_and_jira_requests_pass_the_vendors_specifications") {
        return;
    }
    for setup in [super::projects::asana().await, super::projects::jira().await] {
        let handoff = handoff("hubspot-1");
        assert_eq!(setup.sinks[0].look_up(&handoff).await.expect("listed"), None);
        setup.sinks[0].act(&handoff).await.expect("made");
        let asana = setup.sinks[0].via() == "asana";
        let mock = if asana { "http://127.0.0.1:4612" } else { "http://127.0.0.1:4613" };
        replay(&setup.fake, "", mock).await;
    }
}
