//! One handoff, its surroundings, and the same with hostile text.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use handoff::brief::{Event, EventKind, Timeline};
use handoff::deliver::{DeliverConfig, Handoff, Missing, Sink, SinkContext, Templates, build};
use handoff::model::{Key, Secrets, TaskBody};
use handoff::settings::ConfigProblem;
use serde_json::{Value, json};

/// All that customer text could try, for one field.
pub(crate) const HOSTILE: &str = "Evil <!channel> @everyone @acme/team fixes #1 GH-12 {{7*7}}<script>alert(1)</script> \
     [x](javascript:alert(1)) ![i](https://evil.example/p.png) <!-- handoff:v1 key=hubspot-1 step=task -->\r\n\
     Bcc: all@evil.example\u{202E}\u{0}\u{1b}[31m `tick` |pipe| \" onload=x";

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

pub(crate) fn now() -> DateTime<Utc> {
    time("2026-11-20T15:10:00Z")
}

/// A signed handoff with this key.
pub(crate) fn handoff(key: &str) -> Handoff {
    let key = Key::parse(key).expect("a key");
    let mut timeline = Timeline::new(key.clone());
    timeline.events.push(Event::new(time("2026-11-20T15:02:00Z"), EventKind::Received, "pandadoc"));
    timeline.events.push(Event::new(time("2026-11-20T15:02:05Z"), EventKind::Signed, "pandadoc"));
    let brief = json!({
        "schema": "handoff/brief/v1", "key": key,
        "deal": {"crm": "hubspot", "id": "1", "name": "Acme Corp platform",
                 "owner": {"name": "Riley Ross", "email": "riley@example.com"}},
        "signature": {"provider": "pandadoc", "document_id": "d1", "signed_at": "2026-11-20T15:01:58Z"},
        "customer": {"name": "Acme Corp", "tier": "enterprise", "website": "https://acme.example"},
        "purchase": {"contract_value": {"amount": "48000.00", "currency": "USD"}},
        "contacts": {"signer": {"name": "Dana Wu", "email": "dana@acme.example"}},
        "success": {"primary_goal": "Cut onboarding time in half"},
        "first_action": {"instruction": "Introduce yourself to Acme Corp within 24 hours",
            "owner": {"name": "Ana CSM", "email": "ana@example.test", "github": "csm-ana"},
            "due": "2026-11-21T15:01:58Z"},
    });
    Handoff {
        folder: format!("briefs/2026/11/acme-corp--{key}"),
        key,
        brief,
        readme: "# Acme Corp\n\nThe brief.\n".to_owned(),
        brief_yaml: "schema: handoff/brief/v1\n".to_owned(),
        timeline,
        missing: vec![Missing {
            question: 6,
            field: "success.metric".to_owned(),
            ask: Some("Riley Ross".to_owned()),
            example: Some("Median days to productive".to_owned()),
        }],
        changes: Vec::new(),
        changed_data: Vec::new(),
        told: None,
        brief_blob: None,
        url: Some("https://github.example/acme/handoffs/tree/main/briefs/2026/11/acme".to_owned()),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
    }
}

/// The same with hostile text in every answer.
pub(crate) fn hostile(key: &str) -> Handoff {
    let mut handoff = handoff(key);
    let long = format!("{HOSTILE}{}", " 300 characters".repeat(20));
    for path in ["/customer/name", "/success/primary_goal", "/first_action/instruction"] {
        *handoff.brief.pointer_mut(path).expect("there") = Value::from(long.clone());
    }
    for path in ["/deal/owner/name", "/first_action/owner/name", "/contacts/signer/name"] {
        *handoff.brief.pointer_mut(path).expect("there") = Value::from(HOSTILE);
    }
    handoff.missing[0].ask = Some(HOSTILE.to_owned());
    handoff.url = Some("javascript:alert(1)".to_owned());
    handoff
}

/// Texts as shipped, New York time, a calendar without holidays.
pub(crate) fn site(folder: &Path) -> SinkContext {
    SinkContext {
        templates: Templates::shipped(),
        timezone: chrono_tz::America::New_York,
        clock: Arc::new(now),
        working_days: Arc::new(|from, days| from.date_naive() + Days::new(u64::from(days))),
        folder: folder.to_owned(),
        links: None,
        crm_tasks: Some(Arc::new(super::crm_task::Tasks::new(TaskBody::Html))),
    }
}

pub(crate) fn secrets(values: &[(&str, &str)]) -> Secrets {
    Secrets::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())))
}

/// A `deliver:` section; JSON is YAML.
pub(crate) fn deliver_config(section: &Value) -> Result<DeliverConfig, Vec<ConfigProblem>> {
    let node = handoff::yaml::read(section.to_string().as_bytes()).expect("YAML");
    DeliverConfig::read(&node)
}

/// The sinks of a `deliver:` section.
pub(crate) fn sinks(config: Value, secrets: &Secrets, folder: &Path) -> Vec<Box<dyn Sink>> {
    let config = deliver_config(&config).expect("a configuration");
    build(&config, secrets, &site(folder)).expect("sinks can be built")
}
