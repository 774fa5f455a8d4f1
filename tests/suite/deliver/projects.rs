//! The onboarding project in Asana and in Jira.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use handoff::deliver::{DeliveryError, Handoff, Sink};
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{handoff, hostile, secrets, sinks};

/// What goes wrong with one creating request.
#[derive(Clone, Copy)]
enum Fault {
    None,
    Refused400,
    Limited429,
    MadeThenDropped,
    Dropped,
}

#[derive(Default)]
struct State {
    made: Vec<Value>,
    /// Asana's tasks, each with its project.
    tasks: Vec<Value>,
    looks_at_job: usize,
    faults: VecDeque<Fault>,
}

pub(crate) struct Setup {
    state: Arc<Mutex<State>>,
    pub(crate) fake: Fake,
    pub(crate) sinks: Vec<Box<dyn Sink>>,
    _folder: tempfile::TempDir,
}

async fn setup(
    faults: &[Fault],
    answer: fn(&mut State, &Asked) -> Reply,
    config: fn(&str) -> Value,
) -> Setup {
    let faults = faults.iter().copied().collect();
    let state = Arc::new(Mutex::new(State { faults, ..State::default() }));
    let shared = state.clone();
    let fake =
        Fake::serve(move |asked| answer(&mut shared.lock().expect("not poisoned"), asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let values = [("ASANA_TOKEN", "a"), ("JIRA_EMAIL", "bot@example.com"), ("JIRA_TOKEN", "j")];
    let sinks = sinks(config(&fake.url), &secrets(&values), folder.path());
    Setup { state, fake, sinks, _folder: folder }
}

impl Setup {
    fn made(&self) -> Vec<Value> {
        self.state.lock().expect("not poisoned").made.clone()
    }
}

const INSTANTIATE: &str = "/project_templates/1207/instantiateProject";

fn asana_answer(state: &mut State, asked: &Asked) -> Reply {
    let project = |index: usize, made: &Value| {
        json!({"gid": format!("9{index}"), "name": made["name"], "created_at": "2026-11-20T15:11:00.000Z",
               "permalink_url": format!("https://app.asana.com/0/9{index}")})
    };
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/projects") => {
            // One project to a page.
            let at: usize =
                asked.query.split("offset=").nth(1).map_or(0, |o| o.parse().expect("a number"));
            let page: Vec<Value> = state
                .made
                .iter()
                .enumerate()
                .skip(at)
                .take(1)
                .map(|(i, m)| project(i, m))
                .collect();
            let next = (at + 1 < state.made.len()).then(|| json!({"offset": (at + 1).to_string()}));
            Reply::Json(200, json!({"data": page, "next_page": next}))
        }
        ("GET", "/project_templates/1207") => Reply::Json(
            200,
            json!({"data": {"gid": "1207", "requested_dates": [{"gid": "1", "name": "Start Date"}],
                            "requested_roles": [{"gid": "7", "name": "CSM"}, {"gid": "8", "name": "Engineer"}]}}),
        ),
        ("POST", INSTANTIATE) => {
            let data = asked.json()["data"].clone();
            match state.faults.pop_front().unwrap_or(Fault::None) {
                Fault::Refused400 => {
                    return Reply::Json(
                        400,
                        json!({"errors": [{"message": "team: Not a recognized ID"}]}),
                    );
                }
                Fault::Limited429 => return Reply::With(429, &[("retry-after", "0")], json!({})),
                Fault::Dropped => return Reply::Drop,
                Fault::MadeThenDropped => {
                    state.made.push(data);
                    return Reply::Drop;
                }
                Fault::None => state.made.push(data),
            }
            Reply::Json(201, json!({"data": {"gid": "55", "status": "not_started"}}))
        }
        ("GET", "/jobs/55") => {
            state.looks_at_job += 1;
            let status = if state.looks_at_job < 3 { "in_progress" } else { "succeeded" };
            let gid = format!("9{}", state.made.len() - 1);
            Reply::Json(
                200,
                json!({"data": {"gid": "55", "status": status, "new_project": {"gid": gid}}}),
            )
        }
        ("GET", path) if path.starts_with("/projects/9") && path.ends_with("/tasks") => {
            let project = path.split('/').nth(2).expect("a project");
            let ours = state.tasks.iter().filter(|task| task["projects"][0] == project);
            Reply::Json(200, json!({"data": ours.collect::<Vec<_>>(), "next_page": null}))
        }
        ("POST", "/tasks") => {
            let task = asked.json()["data"].clone();
            if task["assignee"] == "stranger@example.test" {
                let errors = json!({"errors": [{"message": "assignee: Not a recognized ID"}]});
                return Reply::Json(400, errors);
            }
            state.tasks.push(task.clone());
            Reply::Json(201, json!({"data": {"gid": "70", "name": task["name"]}}))
        }
        ("PUT", path) if path.starts_with("/projects/9") => {
            let last = state.made.len() - 1;
            Reply::Json(200, json!({"data": project(last, &state.made[last])}))
        }
        other => panic!("unexpected {other:?}"),
    }
}

pub(crate) async fn asana() -> Setup {
    asana_with(&[]).await
}

async fn asana_with(faults: &[Fault]) -> Setup {
    setup(faults, asana_answer, |url| {
        json!({"asana": {"template": "1207", "workspace": "5", "team": "6", "base_url": url,
                         "roles": {"Engineer": "eng@example.com"}}})
    })
    .await
}

#[tokio::test]
async fn asana_makes_one_project_from_the_template_and_finds_it_by_its_name() {
    let setup = asana().await;
    for n in 1..=3 {
        let made = deliver(&setup.sinks, &handoff(&format!("hubspot-{n}"))).await;
        let mark = made.outcome.expect("made");
        assert_eq!(mark.reference, format!("https://app.asana.com/0/9{}", n - 1));
        assert_eq!(mark.at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-11-20T15:11:00+00:00"));
    }
    for n in 1..=3 {
        let found = deliver(&setup.sinks, &handoff(&format!("hubspot-{n}"))).await;
        assert!(found.found, "hubspot-{n}");
    }
    let made = setup.made();
    assert_eq!(made.len(), 3);
    assert_eq!(
        made[0],
        json!({"name": "Onboarding: Acme Corp [hubspot-1]", "is_strict": false, "team": "6",
               "requested_dates": [{"gid": "1", "value": "2026-11-20"}],
               "requested_roles": [{"gid": "7", "value": "ana@example.test"}, {"gid": "8", "value": "eng@example.com"}]})
    );
    let tasks = setup.state.lock().expect("not poisoned").tasks.clone();
    assert_eq!(tasks.len(), 3, "each project has its first-touch task");
    assert_eq!(
        (&tasks[0]["assignee"], &tasks[0]["due_at"]),
        (&json!("ana@example.test"), &json!("2026-11-21T15:01:58.000Z"))
    );
    let name = tasks[0]["name"].as_str().expect("a name");
    assert!(name.starts_with("First touch: Acme Corp") && name.ends_with(" [hubspot-1]"), "{name}");
    // A key that ends like another is another.
    assert!(setup.sinks[0].look_up(&handoff("x-hubspot-1")).await.expect("listed").is_none());
}

#[tokio::test]
async fn asana_refusals_and_limits() {
    let refused = asana_with(&[Fault::Refused400]).await;
    let error = deliver(&refused.sinks, &handoff("hubspot-1")).await.outcome.expect_err("refused");
    assert_eq!(error.to_string(), "Asana answered 400: team: Not a recognized ID");
    assert!(matches!(error, DeliveryError::Permanent { .. }));
    let limited = asana_with(&[Fault::Limited429]).await;
    deliver(&limited.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    assert_eq!(limited.fake.count("POST", INSTANTIATE), 2);
    assert_eq!(limited.made().len(), 1);
}

#[tokio::test]
async fn asana_finishes_a_project_that_was_cut_short_and_gives_nobody_a_task_of_a_stranger() {
    let setup = asana().await;
    let mut handoff = handoff("hubspot-1");
    handoff.brief["first_action"]["owner"]["email"] = json!("stranger@example.test");
    setup.state.lock().expect("not poisoned").made =
        vec![json!({"name": "Onboarding: Acme Corp [hubspot-1]"})];
    assert!(setup.sinks[0].look_up(&handoff).await.expect("listed").is_none(), "no task yet");
    let mark = deliver(&setup.sinks, &handoff).await.outcome.expect("finished");
    let remark = mark.remark.expect("a remark");
    assert!(remark.contains("assigned to nobody: Asana answered 400: assignee"), "{remark}");
    assert_eq!(setup.made().len(), 1, "one project");
    assert!(setup.sinks[0].look_up(&handoff).await.expect("listed").is_some());
}

#[tokio::test]
async fn asana_looks_again_after_an_answer_that_broke_off() {
    let setup = asana_with(&[Fault::MadeThenDropped]).await;
    let result = deliver(&setup.sinks, &handoff("hubspot-1")).await;
    assert!(result.outcome.is_ok(), "{:?}", result.outcome);
    assert_eq!((setup.fake.count("POST", INSTANTIATE), setup.made().len()), (1, 1));
}

fn jira_answer(state: &mut State, asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/rest/api/3/search/jql") => {
            let jql = asked.json()["jql"].as_str().expect("a query").to_owned();
            let issues: Vec<Value> = state
                .made
                .iter()
                .enumerate()
                .filter(|(_, issue)| {
                    let label = issue["fields"]["labels"][0].as_str().expect("a label");
                    jql.contains(&format!("labels = \"{label}\""))
                })
                .map(|(index, issue)| {
                    json!({"key": format!("ONB-{}", index + 1), "fields": {"created": "2026-11-20T10:11:00.000-0500"},
                           "properties": {"handoff": issue["properties"][0]["value"]}})
                })
                .collect();
            // Two to a page.
            let at: usize =
                asked.json()["nextPageToken"].as_str().map_or(0, |t| t.parse().expect("a number"));
            let mut page = json!({"issues": issues.iter().skip(at).take(2).collect::<Vec<_>>()});
            if at + 2 < issues.len() {
                page["nextPageToken"] = json!((at + 2).to_string());
            }
            Reply::Json(200, page)
        }
        ("GET", "/rest/api/3/user/search") => Reply::Json(
            200,
            json!([{"accountId": "acc-1", "active": true, "emailAddress": "ana@example.test"},
                   {"accountId": "acc-2", "active": false}]),
        ),
        ("POST", "/rest/api/3/issue") => {
            match state.faults.pop_front().unwrap_or(Fault::None) {
                Fault::Refused400 => {
                    let errors = json!({"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}});
                    return Reply::Json(400, errors);
                }
                Fault::Limited429 => return Reply::With(429, &[("retry-after", "0")], json!({})),
                Fault::Dropped => return Reply::Drop,
                Fault::MadeThenDropped => {
                    state.made.push(asked.json());
                    return Reply::Drop;
                }
                Fault::None => state.made.push(asked.json()),
            }
            let key = format!("ONB-{}", state.made.len());
            Reply::Json(201, json!({"id": "1", "key": key, "self": "https://api.example/1"}))
        }
        other => panic!("unexpected {other:?}"),
    }
}

pub(crate) async fn jira() -> Setup {
    jira_with(&[]).await
}

async fn jira_with(faults: &[Fault]) -> Setup {
    setup(faults, jira_answer, |url| json!({"jira": {"project": "ONB", "base_url": url}})).await
}

fn steps(made: &[Value]) -> Vec<String> {
    made.iter()
        .map(|issue| issue["properties"][0]["value"]["step"].as_str().expect("a step").to_owned())
        .collect()
}

const ALL: [&str; 7] = ["epic", "task-1", "task-2", "task-3", "task-4", "task-5", "task-6"];

#[tokio::test]
async fn jira_makes_one_epic_with_its_tasks() {
    let setup = jira().await;
    let mark = deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    assert_eq!(mark.reference, format!("{}/browse/ONB-1", setup.fake.url));
    let made = setup.made();
    assert_eq!(steps(&made), ALL);
    assert_eq!(made[0]["fields"]["issuetype"]["name"], "Epic");
    assert_eq!(made[1]["fields"]["parent"]["key"], "ONB-1");
    assert_eq!(made[1]["fields"]["assignee"]["id"], "acc-1");
    assert_eq!(made[1]["fields"]["duedate"], "2026-11-21");
    assert_eq!(made[1]["fields"]["labels"], json!(["handoff-hubspot-1"]));
    let found = deliver(&setup.sinks, &handoff("hubspot-1")).await;
    assert!(found.found);
    let at = found.outcome.expect("found").at.expect("Jira's clock");
    assert_eq!(at.to_rfc3339(), "2026-11-20T15:11:00+00:00");
    assert_eq!(setup.made().len(), 7);
}

#[tokio::test]
async fn jira_goes_on_where_a_run_was_cut() {
    // The third issue is refused: the run ends with an epic and one task.
    let setup = jira_with(&[Fault::None, Fault::None, Fault::Refused400]).await;
    let error = deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect_err("refused");
    assert_eq!(error.to_string(), "Jira answered 400: issuetype: Specify a valid issue type");
    assert!(setup.sinks[0].look_up(&handoff("hubspot-1")).await.expect("searched").is_none());
    deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    assert_eq!(steps(&setup.made()), ALL);
}

#[tokio::test]
async fn jira_waits_for_its_index_after_an_answer_that_broke_off() {
    let broken_off = async |fault| {
        let setup = jira_with(&[fault]).await;
        deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
        assert_eq!(steps(&setup.made()), ALL);
    };
    tokio::join!(broken_off(Fault::MadeThenDropped), broken_off(Fault::Dropped));
}

pub(crate) fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, see)),
        _ => {}
    }
}

#[tokio::test]
async fn the_epics_description_is_valid_adf_and_hostile_text_in_it_is_text() {
    let schema: Value =
        serde_json::from_str(include_str!("../../fixtures/deliver/adf-full.schema.json"))
            .expect("JSON");
    let adf = jsonschema::validator_for(&schema).expect("a schema");
    let long = |mut handoff: Handoff| {
        handoff.brief["customer"]["name"] = json!("x".repeat(300));
        handoff
    };
    for handoff in [handoff("hubspot-1"), hostile("hubspot-1"), long(handoff("hubspot-1"))] {
        let setup = jira().await;
        deliver(&setup.sinks, &handoff).await.outcome.expect("made");
        for issue in setup.made() {
            let fields = &issue["fields"];
            let summary = fields["summary"].as_str().expect("a summary");
            assert!(
                summary.chars().count() <= 255 && !summary.contains(['\n', '\r']),
                "{summary:?}"
            );
            if fields["description"].is_null() {
                continue;
            }
            let errors: Vec<String> =
                adf.iter_errors(&fields["description"]).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}\n{:#}", fields["description"]);
            let text = fields["description"].to_string();
            assert!(!text.contains("\"href\":\"javascript"), "{text}");
            assert!(!text.contains("\"mention\""), "{text}");
        }
    }
}

#[tokio::test]
async fn hostile_names_stay_in_asanas_name() {
    let setup = asana().await;
    deliver(&setup.sinks, &hostile("hubspot-1")).await.outcome.expect("made");
    let name = setup.made()[0]["name"].as_str().expect("a name").to_owned();
    assert!(name.ends_with(" [hubspot-1]") && name.chars().count() < 200, "{name:?}");
    each_text(&setup.made()[0], &mut |text| {
        assert!(!text.contains(['\n', '\r', '\u{202E}', '\u{1b}']), "{text:?}");
    });
    let task = setup.state.lock().expect("not poisoned").tasks[0].clone();
    assert!(task["name"].as_str().expect("a name").ends_with(" [hubspot-1]"), "{task}");
    // Asana's rich text: well-formed XML of the elements that it knows, or it answers 400.
    let notes = task["html_notes"].as_str().expect("rich text");
    let mut reader = quick_xml::Reader::from_str(notes);
    let mut seen = std::collections::BTreeSet::new();
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Start(tag) => {
                seen.insert(String::from_utf8(tag.name().as_ref().to_vec()).expect("UTF-8"));
            }
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    let known =
        ["body", "strong", "em", "s", "code", "a", "ul", "ol", "li", "h2", "pre", "blockquote"];
    assert!(seen.iter().all(|tag| known.contains(&tag.as_str())), "{seen:?}");
    assert!(!notes.contains("**") && !notes.contains("data-asana"), "{notes}");
    assert!(notes.contains("dana@acme.example") && notes.contains("&lt;script&gt;"), "{notes}");
    each_text(&task, &mut |text| assert!(!text.contains(['\u{202E}', '\u{1b}']), "{text:?}"));
}
