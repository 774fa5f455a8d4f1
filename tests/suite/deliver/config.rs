//! The `deliver:` section: every problem at once.

use handoff::brief::EventKind;
use handoff::deliver::{DeliverConfig, TemplateError, Templates, build};
use handoff::model::CheckLevel;
use serde_json::json;

use super::fake::{Fake, Reply};
use super::sample::{secrets, site};

#[test]
fn every_missing_secret_and_bad_value_is_named_at_once() {
    let config: DeliverConfig = serde_json::from_value(json!({
        "github": {"repository": "acme/handoffs", "labels": ["a,b"]},
        "slack": {},
        "email": {"from": "nobody"},
        "asana": {"template": "x", "workspace": "1"},
        "jira": {"project": "A B", "base_url": "https://acme.atlassian.net"},
        "welcome": {"url": "http://hooks.example.com"},
        "outbox": {"events": ["accepted"]},
    }))
    .expect("a configuration");
    let folder = tempfile::tempdir().expect("a folder");
    let problems = build(&config, &secrets(&[]), &site(folder.path())).err().expect("problems");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("config_problems", told.join("\n"));
}

#[test]
fn an_unknown_setting_is_refused() {
    for config in [
        json!({"github": {"repository": "acme/handoffs", "lables": []}}),
        json!({"github": {"repository": "acme"}}),
        json!({"github": {"repository": "acme/../x"}}),
        json!({"slak": {}}),
        json!({"jira": {"project": "ONB", "base_url": "http://jira.example.com"}}),
    ] {
        assert!(serde_json::from_value::<DeliverConfig>(config.clone()).is_err(), "{config}");
    }
}

#[test]
fn a_ledgers_own_text_wins_and_a_broken_one_is_named_with_its_line() {
    let own = "Welcome {{ customer }}\n\n{{ customer }} by {{ due }}\n{{ brief.custom.field }}\n";
    let templates = Templates::shipped().with("task.md.j2", own.to_owned()).expect("valid");
    let context = minijinja::context! { customer => "A*c*me <b>", brief => minijinja::context!{} };
    let letter = templates
        .letter("task.md.j2", handoff::deliver::Medium::Markdown, context)
        .expect("filled in");
    assert_eq!(letter.title, "Welcome A*c*me <b>");
    assert_eq!(letter.body, "A\\*c\\*me &lt;b&gt; by");
    let broken = Templates::shipped().with("mail.md.j2", "Subject\n\n{% if %}".to_owned());
    let Err(TemplateError::Template { name, line, .. }) = broken else { panic!("{broken:?}") };
    assert_eq!((name.as_str(), line), ("mail.md.j2", 3));
    let unknown = Templates::shipped().with("tusk.md.j2", String::new());
    assert!(matches!(unknown, Err(TemplateError::Unknown { .. })), "{unknown:?}");
}

#[tokio::test]
async fn every_sink_has_a_check_that_asks_nobody_when_offline() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens at these addresses: asking would fail the check.
    let nobody = "http://127.0.0.1:1";
    let config: DeliverConfig = serde_json::from_value(json!({
        "github": {"repository": "acme/handoffs", "base_url": nobody},
        "slack": {"channel": "C1", "base_url": nobody},
        "email": {"from": "handoff@example.com"},
        "asana": {"template": "1", "workspace": "1", "base_url": nobody},
        "jira": {"project": "ONB", "base_url": nobody},
        "welcome": {"url": "https://hooks.example.com"},
        "outbox": {"events": ["task_opened"]},
    }))
    .expect("a configuration");
    let values = [
        ("GITHUB_TOKEN", "t"),
        ("SLACK_BOT_TOKEN", "t"),
        ("SMTP_URL", "smtp://127.0.0.1:1"),
        ("ASANA_TOKEN", "t"),
        ("JIRA_EMAIL", "e"),
        ("JIRA_TOKEN", "t"),
        ("WELCOME_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let sinks = build(&config, &secrets(&values), &site(folder.path())).expect("sinks");
    // Three occasions for Slack and e-mail, and the comment on GitHub.
    assert_eq!(sinks.len(), 7 + 2 + 2 + 1);
    for sink in &sinks {
        let checks = sink.checks(true).await;
        // One check for each target, however many occasions it tells of.
        let tells_again = matches!(sink.event(), EventKind::RepTold | EventKind::CsmTold);
        assert_eq!(checks.is_empty(), tells_again, "{} {:?}", sink.via(), sink.event());
        for check in checks {
            assert_eq!(check.level, CheckLevel::Ok, "{check:?}");
        }
    }
    assert!(!folder.path().join("outbox").exists(), "a check makes nothing");
}

#[tokio::test]
async fn online_checks_name_the_remedy() {
    let fake = Fake::serve(|asked| match asked.path.as_str() {
        "/conversations.history" => {
            Reply::Json(200, json!({"ok": false, "error": "missing_scope"}))
        }
        "/rest/api/3/issue/createmeta/ONB/issuetypes" => {
            Reply::Json(200, json!({"issueTypes": [{"name": "Story"}, {"name": "Task"}]}))
        }
        _ => Reply::Json(401, json!({"errors": [{"message": "Not Authorized"}]})),
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let config: DeliverConfig = serde_json::from_value(json!({
        "slack": {"channel": "C1", "base_url": fake.url},
        "asana": {"template": "1", "workspace": "1", "base_url": fake.url},
        "jira": {"project": "ONB", "base_url": fake.url},
    }))
    .expect("a configuration");
    let values =
        [("SLACK_BOT_TOKEN", "t"), ("ASANA_TOKEN", "t"), ("JIRA_EMAIL", "e"), ("JIRA_TOKEN", "t")];
    let sinks = build(&config, &secrets(&values), &site(folder.path())).expect("sinks");
    let mut told = Vec::new();
    for sink in &sinks {
        for check in sink.checks(false).await {
            let remedy = check.remedy.unwrap_or_default();
            told.push(format!("{:?} {}: {} -> {remedy}", check.level, check.what, check.detail));
        }
    }
    insta::assert_snapshot!("online_checks", told.join("\n"));
}
