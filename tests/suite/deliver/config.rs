//! The `deliver:` section: every problem at once.

use std::collections::BTreeSet;

use handoff::brief::EventKind;
use handoff::deliver::{DeliverConfig, SINKS, TemplateError, Templates, build, secret_names};
use handoff::model::CheckLevel;
use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::sample::{deliver_config, secrets, site};

const SECRETS: &[(&str, &str)] = &[
    ("GITHUB_TOKEN", "t"),
    ("SLACK_BOT_TOKEN", "t"),
    ("SMTP_URL", "smtp://127.0.0.1:1"),
    ("ASANA_TOKEN", "t"),
    ("JIRA_EMAIL", "e"),
    ("JIRA_TOKEN", "t"),
    ("WELCOME_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("EVENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("TEAMS_WEBHOOK_URL", "https://teams.example.com/workflows/1?sig=x"),
];

/// A section with every sink there is.
fn everything(base_url: &str) -> Value {
    json!({
        "github": {"repository": "acme/handoffs", "base_url": base_url},
        "slack": {"channel": "C1", "base_url": base_url},
        "email": {"from": "handoff@example.com"},
        "asana": {"template": "1", "workspace": "1", "base_url": base_url},
        "jira": {"project": "ONB", "base_url": base_url},
        "welcome": {"url": "https://hooks.example.com"},
        "teams": {},
        "events": {"url": "https://events.example.com"},
        "crm_task": {},
        "outbox": {"events": ["task_opened"]},
    })
}

#[test]
fn every_missing_secret_and_bad_value_is_named_at_once() {
    let config = deliver_config(&json!({
        "github": {"repository": "acme/handoffs", "labels": ["a,b"]},
        "slack": {},
        "email": {"from": "nobody"},
        "asana": {"template": "x", "workspace": "1"},
        "jira": {"project": "A B", "base_url": "https://acme.atlassian.net"},
        "welcome": {"url": "http://hooks.example.com"},
        "teams": {},
        "events": {"url": "http://events.example.com"},
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
        json!({"slack": null}),
        json!({"outbox": {"events": ["accepted"]}}),
        json!({"jira": {"project": "ONB", "base_url": "http://jira.example.com"}}),
    ] {
        assert!(deliver_config(&config).is_err(), "{config}");
    }
}

#[test]
fn every_problem_of_the_section_is_told_with_its_line() {
    let yaml = "slak: {}\ngithub: {repository: acme}\nemail: {from: a@b.example, repeat: [1]}\nsince: soon\n";
    let node = handoff::yaml::read(yaml.as_bytes()).expect("YAML");
    let problems = DeliverConfig::read(&node).expect_err("problems");
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(BTreeSet::from_iter(lines), BTreeSet::from([1, 2, 3, 4]), "{problems:?}");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `slack`?"));
}

#[test]
fn every_row_is_complete_and_its_sinks_make_no_other_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = deliver_config(&everything("http://127.0.0.1:1")).expect("a configuration");
    let sinks = build(&config, &secrets(SECRETS), &site(folder.path())).expect("sinks");
    for row in SINKS {
        assert!(config.rows().any(|it| it.name == row.name), "{}: not in this test", row.name);
        let made: Vec<EventKind> =
            sinks.iter().filter(|sink| sink.via() == row.name).map(|sink| sink.event()).collect();
        if row.name == "outbox" {
            assert_eq!(made, [EventKind::TaskOpened]);
        } else {
            assert_eq!(made, row.events, "{}", row.name);
        }
    }
    let named: Vec<&str> = secret_names().collect();
    for (secret, _) in SECRETS {
        assert!(named.contains(secret), "{secret} is read by no row");
    }
    let schema = DeliverConfig::schema(&mut schemars::SchemaGenerator::default());
    let properties = schema.as_value()["properties"].as_object().expect("properties").clone();
    // Beside the sinks: `since`, `before_push` and `links`.
    assert_eq!(properties.len(), SINKS.len() + 3);
}

#[test]
fn a_ledgers_own_text_wins_and_a_broken_one_is_named_with_its_line() {
    let own = "Welcome {{ customer }}\n\n{{ customer }} by {{ due }}\n{{ brief.custom.field }}\n";
    let templates = Templates::shipped().with("task.md.j2", own.to_owned()).expect("valid");
    let context = minijinja::context! { customer => "A*c*me <b>", brief => minijinja::context!{} };
    let message = templates
        .message("task.md.j2", handoff::deliver::Medium::Markdown, context)
        .expect("filled in");
    assert_eq!(message.title, "Welcome A*c*me <b>");
    assert_eq!(message.body, "A\\*c\\*me &lt;b&gt; by");
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
    let config = deliver_config(&everything(nobody)).expect("a configuration");
    let sinks = build(&config, &secrets(SECRETS), &site(folder.path())).expect("sinks");
    // Three kinds of message for Slack, Teams and e-mail; GitHub, the CRM's task,
    // Asana and Jira follow the brief.
    assert_eq!(sinks.len(), 10 + 2 + 2 + 2 + 4);
    for sink in &sinks {
        let checks = sink.checks(true).await;
        // One check for each target, however many kinds of message it tells of.
        let tells_again = matches!(sink.event(), EventKind::RepTold | EventKind::CsmTold);
        assert_eq!(checks.is_empty(), tells_again, "{} {:?}", sink.via(), sink.event());
        for check in checks {
            // A Teams webhook can only be tried by posting.
            let level = if sink.via() == "teams" { CheckLevel::Warning } else { CheckLevel::Ok };
            assert_eq!(check.level, level, "{check:?}");
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
    let config = deliver_config(&json!({
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
