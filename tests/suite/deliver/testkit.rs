//! Against the servers of `shared/testkit`, which check requests against the
//! vendors' own specifications. Only with `HANDOFF_TESTKIT=1`.

use handoff::net::{BaseUrl, Client, Schedule, Semantics};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::sample::{handoff, hostile, secrets, sinks};

/// Whether the servers are there; says so where they are not.
#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
#[expect(clippy::print_stdout, reason = "a skipped test must say so")]
fn wanted(test: &str) -> bool {
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

async fn ask(base: &str, token: &str, method: Method, path: &str, body: Option<Value>) -> Value {
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
    headers.insert(header::AUTHORIZATION, bearer);
    let client = Client::new(BaseUrl::parse(base).expect("a URL"), headers, Schedule::once());
    let answer =
        client.send(Semantics::Idempotent, method, path, body.as_ref()).await.expect("an answer");
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
