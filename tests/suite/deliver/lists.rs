//! Lists of targets that are not whole: what was made is looked for there, and a
//! list that breaks off is no proof that nothing was made.

use handoff::deliver::DeliveryError;
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{handoff, secrets, sinks};

/// A target in whose list what was made is looked for.
struct Target {
    /// Its `deliver:` section with this server.
    section: fn(&str) -> Value,
    /// Whether a request asks for the list.
    list: fn(&Asked) -> bool,
}

const GITHUB: Target = Target {
    section: |url| json!({"github": {"repository": "acme/handoffs", "base_url": url}}),
    list: |asked| asked.is("GET", "/repos/acme/handoffs/issues"),
};
const SLACK: Target = Target {
    section: |url| json!({"slack": {"channel": "C1", "base_url": url}}),
    list: |asked| asked.path == "/conversations.history",
};
const SLACK_BY_NAME: Target = Target {
    section: |url| json!({"slack": {"channel": "#handoffs", "base_url": url}}),
    list: |asked| asked.path == "/conversations.list",
};
const ASANA: Target = Target {
    section: |url| json!({"asana": {"template": "1207", "workspace": "5", "base_url": url}}),
    list: |asked| asked.is("GET", "/projects"),
};
const JIRA: Target = Target {
    section: |url| json!({"jira": {"project": "ONB", "base_url": url}}),
    list: |asked| asked.path == "/rest/api/3/search/jql",
};

/// Delivers once to a target whose list is answered so, page 0 first; the outcome, what else than
/// the list was asked for, and how often the list was.
async fn outcome(
    target: &Target,
    page: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> (Result<String, DeliveryError>, Vec<String>, usize) {
    let is_list = target.list;
    let asked_for = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::serve(move |asked| match is_list(asked) {
        true => page(asked_for.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        false => Reply::Json(404, json!({"message": "Not Found"})),
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = secrets(&[
        ("GITHUB_TOKEN", "g"),
        ("SLACK_BOT_TOKEN", "xoxb-s"),
        ("ASANA_TOKEN", "a"),
        ("JIRA_EMAIL", "bot@example.com"),
        ("JIRA_TOKEN", "j"),
    ]);
    let sinks = sinks((target.section)(&fake.url), &secrets, folder.path());
    let made = deliver(&sinks, &handoff("hubspot-1")).await.outcome;
    let (lists, others): (Vec<Asked>, Vec<Asked>) = fake.asked().into_iter().partition(is_list);
    let others = others.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    (made.map(|mark| mark.reference), others, lists.len())
}

fn ok(answer: Value) -> Reply {
    Reply::Json(200, answer)
}

fn slack(field: &str, cursor: Value, has_more: bool) -> Reply {
    ok(json!({"ok": true, field: [{"id": "C9", "name": "x", "ts": "1.2"}], "has_more": has_more,
              "response_metadata": {"next_cursor": cursor}}))
}

fn asana(next: Value) -> Reply {
    ok(json!({"data": [{"gid": "9", "name": "Another"}], "next_page": next}))
}

fn jira(next: Value) -> Reply {
    let mut answer = json!({"issues": [{"id": "7", "key": "ONB-7", "fields": {}}]});
    answer.as_object_mut().expect("an object").extend(next.as_object().expect("one").clone());
    ok(answer)
}

fn issue() -> Value {
    json!({"id": 3, "number": 3, "node_id": "I_3", "html_url": "https://github.example/acme/handoffs/issues/3",
           "created_at": "2026-11-20T15:11:00Z", "state": "open", "title": "Another", "body": "",
           "labels": [], "assignees": [], "milestone": null})
}

const CIRCLE: &str = "the pages repeat";
const NOTHING_NEW: &str = "pages in a row held nothing new";

#[tokio::test]
async fn what_a_list_that_breaks_off_may_hold_is_not_made_again() {
    type Rows =
        Vec<(&'static str, Target, Box<dyn Fn(usize) -> Reply + Send + Sync>, &'static str)>;
    let forever = &[("link", "<https://api.github.com/x?page=9>; rel=\"next\"")];
    let rows: Rows = vec![
        (
            "one page of issues for ever",
            GITHUB,
            Box::new(move |_| Reply::With(200, forever, json!([issue()]))),
            NOTHING_NEW,
        ),
        (
            "the first cursor again",
            SLACK,
            Box::new(|_| slack("messages", json!("a"), true)),
            CIRCLE,
        ),
        (
            "a new cursor, and the same message",
            SLACK,
            Box::new(|at| slack("messages", json!(format!("c{at}")), true)),
            NOTHING_NEW,
        ),
        (
            "more, and no cursor",
            SLACK,
            Box::new(|_| slack("messages", json!(""), true)),
            "no cursor for it",
        ),
        (
            "no messages",
            SLACK,
            Box::new(|_| ok(json!({"ok": true}))),
            "an answer has no `messages`",
        ),
        (
            "channels in a circle",
            SLACK_BY_NAME,
            Box::new(|at| slack("channels", json!(["a", "b"][at % 2]), false)),
            CIRCLE,
        ),
        ("the first offset again", ASANA, Box::new(|_| asana(json!({"offset": "a"}))), CIRCLE),
        (
            "a new offset, and the same project",
            ASANA,
            Box::new(|at| asana(json!({"offset": format!("o{at}")}))),
            NOTHING_NEW,
        ),
        (
            "a next page that is nowhere",
            ASANA,
            Box::new(|_| asana(json!({"uri": "https://app.asana.com/x"}))),
            "no offset",
        ),
        ("no data", ASANA, Box::new(|_| ok(json!({"data": null}))), "an answer has no `data`"),
        ("the first token again", JIRA, Box::new(|_| jira(json!({"nextPageToken": "a"}))), CIRCLE),
        (
            "a new token, and the same issue",
            JIRA,
            Box::new(|at| jira(json!({"nextPageToken": format!("t{at}"), "isLast": false}))),
            NOTHING_NEW,
        ),
        (
            "more, and no token",
            JIRA,
            Box::new(|_| jira(json!({"isLast": false}))),
            "no token for it",
        ),
        (
            "no issues",
            JIRA,
            Box::new(|_| ok(json!({"isLast": true, "warningMessages": ["slow"]}))),
            "an answer has no `issues`",
        ),
    ];
    for (what, target, page, says) in rows {
        let (outcome, others, lists) = outcome(&target, page).await;
        let error = outcome.expect_err(what);
        assert!(error.to_string().contains(says), "{what}: {error}");
        assert!(error.to_string().contains("is not whole"), "{what}: {error}");
        assert!(matches!(error, DeliveryError::Transient { .. }), "{what}: {error:?}");
        assert!(others.is_empty(), "{what}: {others:?}");
        // Three tries, each of which ends by itself.
        assert!(lists <= 3 * 51, "{what}: asked {lists} times");
    }
}

#[tokio::test]
async fn a_last_page_that_gives_its_own_token_back_is_the_last() {
    let page = |at: usize| match at {
        0 => jira(json!({"nextPageToken": "a", "isLast": false})),
        _ => ok(json!({"issues": [], "nextPageToken": "a", "isLast": true})),
    };
    let (outcome, others, lists) = outcome(&JIRA, page).await;
    // The list was whole, so it goes on with the epic; this Jira knows nobody.
    outcome.expect_err("a 404");
    assert!(others.iter().any(|it| it == "GET /rest/api/3/user/search"), "{others:?}");
    assert!(lists <= 4, "asked {lists} times, two pages each time");
}

/// A proxy that takes the header `Link` away; GitHub has none where one page holds all.
#[tokio::test]
async fn behind_a_full_page_without_links_there_may_be_more() {
    let full = |from: usize| -> Vec<Value> {
        let numbered = |id: usize| {
            let mut issue = issue();
            issue["id"] = json!(id);
            issue
        };
        (from..from + 100).map(numbered).collect()
    };
    let mark = "<!-- handoff:v1 key=hubspot-1 step=task -->";
    let page = move |at: usize| {
        let mut issues = full(100 * at);
        if at == 1 {
            issues.truncate(50);
            issues[49]["body"] = json!(format!("The task.\n\n{mark}"));
        }
        ok(json!(issues))
    };
    let (outcome, others, lists) = outcome(&GITHUB, page).await;
    assert_eq!(outcome.expect("it is there"), issue()["html_url"]);
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(lists, 2);
}

/// Both clients: GitHub's own, and the one for every other API.
#[tokio::test]
async fn an_answer_without_an_end_is_cut() {
    for target in [GITHUB, SLACK] {
        let (outcome, others, lists) = outcome(&target, |_| Reply::Endless).await;
        let error = outcome.expect_err("no answer");
        assert!(error.to_string().contains("larger than 64 MiB"), "{error}");
        assert!(others.is_empty(), "{others:?}");
        // Once each of three tries: what has no end has none a moment later.
        assert!(lists <= 3, "asked {lists} times");
    }
}
