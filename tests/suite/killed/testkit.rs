//! The same against the stateful GitHub, Slack and mail server of
//! `shared/testkit`, through a proxy that kills. Only with `HANDOFF_TESTKIT=1`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use handoff::http::{ApiRequest, BaseUrl, Client, Schedule, Semantics};
use http::{HeaderMap, HeaderName, Method, header};
use serde_json::{Value, json};

use super::killer::{At, Killer};
use super::world::{KEY, faults, killed_at, ledger, run, secrets};
use crate::deliver::fake::{Asked, Fake, Reply};
use crate::deliver::testkit::{ask, wanted};
use crate::sandbox::{Sandbox, fixture};

const DELIVERED: [&str; 3] = ["task_opened via github", "notified via slack", "emailed via email"];
const REPOSITORY: &str = "/repos/handoff-bot/briefs";

/// Passes a request on to the server that stands for the vendor.
async fn forward(asked: &Asked) -> Reply {
    let (base, path) = match asked.path.strip_prefix("/github") {
        Some(path) => ("http://127.0.0.1:4611", path),
        None => ("http://127.0.0.1:4603/api", asked.path.trim_start_matches("/slack")),
    };
    let mut headers = HeaderMap::new();
    for name in
        [header::AUTHORIZATION, header::ACCEPT, HeaderName::from_static("x-github-api-version")]
    {
        if let Some(value) = asked.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let client = Client::new(BaseUrl::parse(base).unwrap(), headers, Schedule::once());
    let method: Method = asked.method.parse().unwrap();
    let kind = asked.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
    let path = format!("{path}?{}", asked.query);
    let mut request = ApiRequest::new(Semantics::Creates, method, &path);
    if let Some(kind) = kind {
        request = request.with_body(kind, asked.bytes.clone());
    }
    let answer = client.send(&request).await.unwrap();
    Reply::Json(answer.status.as_u16(), answer.json().unwrap_or(Value::Null))
}

/// Passes on what is asked of one of these servers.
pub(crate) fn forward_now(asked: &Asked) -> Reply {
    let forwarded = || tokio::runtime::Handle::current().block_on(forward(asked));
    tokio::task::block_in_place(forwarded)
}

/// Gives a mail to the real server.
pub(crate) fn pass_on(mail: &str) {
    let stream = TcpStream::connect("127.0.0.1:4625").unwrap();
    let mut read = BufReader::new(&stream);
    let mut write = &stream;
    let mut hear = |wanted: char| {
        let mut line = "   -".to_owned();
        while line.as_bytes().get(3) == Some(&b'-') {
            line.clear();
            read.read_line(&mut line).unwrap();
        }
        assert!(line.starts_with(wanted), "{line}");
    };
    hear('2');
    for command in
        ["EHLO test\r\n", "MAIL FROM:<handoff@example.com>\r\n", "RCPT TO:<cs@example.test>\r\n"]
    {
        write.write_all(command.as_bytes()).unwrap();
        hear('2');
    }
    write.write_all(b"DATA\r\n").unwrap();
    hear('3');
    write.write_all(mail.as_bytes()).unwrap();
    hear('2');
    write.write_all(b"QUIT\r\n").unwrap();
}

struct Servers {
    sandbox: Sandbox,
    killer: Killer,
    secrets: Vec<(&'static str, String)>,
    key: String,
    _fake: Fake,
}

/// A ledger whose deal no earlier trial has used.
async fn servers() -> Servers {
    let (killer, fake) = killed_at(forward_now).await;
    let url = &fake.url;
    let sandbox = ledger(&format!(
        "deliver:\n\
         \x20 github: {{repository: handoff-bot/briefs, base_url: \"{url}/github\", seconds_between_writes: 0}}\n\
         \x20 slack: {{channel: \"#cs-handoffs\", base_url: \"{url}/slack\"}}\n\
         \x20 email: {{from: handoff@example.com, list: [cs@example.test]}}\n"
    ));
    let deal = fastrand::u64(10_000_000_000..99_999_999_999).to_string();
    let known = KEY.trim_start_matches("hubspot-");
    let deals = std::fs::read_to_string(sandbox.join("ledger/deals.csv")).unwrap();
    sandbox.write("ledger/deals.csv", deals.replace(known, &deal));
    let event =
        std::fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    assert!(event.contains(known), "the document names the deal");
    sandbox.write("ledger/event.json", event.replace(known, &deal));
    let smtp = super::mail::serve(killer.clone(), Arc::new(pass_on));
    Servers {
        sandbox,
        killer,
        secrets: secrets(&smtp),
        key: format!("hubspot-{deal}"),
        _fake: fake,
    }
}

impl Servers {
    async fn sign(&self, at: At) -> usize {
        let arguments = ["sign", "event.json"];
        run(&self.sandbox, &self.killer, &self.secrets, &arguments, at).await.1.len()
    }

    /// What the servers hold of this handoff, beside what is wrong in the ledger.
    async fn faults(&self, most_mails: usize) -> Vec<String> {
        let mut faults = faults(&self.sandbox, &DELIVERED);
        let token = "ghp_handoff_test";
        let path = format!(
            "{REPOSITORY}/issues?state=all&per_page=100&labels=handoff&sort=created&direction=desc"
        );
        let issues = ask("http://127.0.0.1:4601", token, Method::GET, &path, None).await;
        let mark = format!("key={} step=task", self.key);
        let marked = |issue: &&Value| issue["body"].as_str().is_some_and(|b| b.contains(&mark));
        let issues = issues.as_array().unwrap().iter().filter(marked).count();
        let slack = "http://127.0.0.1:4603/api";
        let channels = ask(slack, token, Method::POST, "/conversations.list", None).await;
        let channel =
            channels["channels"].as_array().unwrap().iter().find(|c| c["name"] == "cs-handoffs");
        let wish =
            json!({"channel": channel.unwrap()["id"], "include_all_metadata": true, "limit": 200});
        let history = ask(slack, token, Method::POST, "/conversations.history", Some(wish)).await;
        let ours =
            |message: &&Value| message["metadata"]["event_payload"]["id"] == self.key.as_str();
        let messages = history["messages"].as_array().unwrap().iter().filter(ours).count();
        let mails = ask("http://127.0.0.1:4626", "x", Method::GET, "/email", None).await;
        let ours = |mail: &&Value| {
            mail["messageId"]
                .as_str()
                .is_some_and(|id| id.contains(&format!("{}.brief@", self.key)))
        };
        let mails = mails.as_array().unwrap().iter().filter(ours).count();
        if (issues, messages) != (1, 1) || !(1..=most_mails).contains(&mails) {
            faults.push(format!("{issues} issues, {messages} messages, {mails} mails"));
        }
        faults
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn testkit_killed_after_every_step_there_is_exactly_one_of_each() {
    if !wanted("testkit_killed_after_every_step_there_is_exactly_one_of_each") {
        return;
    }
    let collaborator = format!("{REPOSITORY}/collaborators/csm-ana");
    ask("http://127.0.0.1:4601", "ghp_handoff_test", Method::PUT, &collaborator, Some(json!({})))
        .await;
    let whole = servers().await;
    let points = whole.sign(At::Never).await;
    assert!(points >= 8, "{points} points");
    assert_eq!(whole.faults(1).await, Vec::<String>::new());
    for _ in 0..5 {
        let again = run(&whole.sandbox, &whole.killer, &whole.secrets, &["deliver"], At::Never);
        assert_eq!(again.await.1, [], "five more runs ask for nothing");
    }
    // Twice through all of them: 20 points and more.
    for at in (0..points).chain(0..points) {
        let trial = servers().await;
        trial.sign(At::Number(at)).await;
        run(&trial.sandbox, &trial.killer, &trial.secrets, &["deliver"], At::Never).await;
        assert_eq!(trial.faults(2).await, Vec::<String>::new(), "killed at {at}");
    }
}
