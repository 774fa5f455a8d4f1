//! The `deliver:` section: every problem at once.

use handoff::deliver::{DeliverConfig, TemplateError, Templates, build};
use serde_json::json;

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
