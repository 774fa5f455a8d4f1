//! The task as a pull request, and a draft that becomes it.

use std::sync::{Arc, Mutex};

use handoff::deliver::{DeliveryError, Messages, Sink, build};
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{deliver_config, handoff, hostile, secrets, site};

const PULLS: &str = "/repos/acme/handoffs/pulls";

#[derive(Default)]
pub(crate) struct Github {
    pub(crate) pulls: Vec<Value>,
    no_branch: bool,
    no_drafts: bool,
    refuse_reviewers: bool,
    cut_after_create: bool,
}

fn refused(field: &str, message: &str) -> Reply {
    Reply::Json(
        422,
        json!({"message": "Validation Failed", "errors": [{"resource": "PullRequest", "field": field, "message": message}]}),
    )
}

impl Github {
    pub(crate) fn answer(&mut self, asked: &Asked) -> Reply {
        let body = asked.json();
        if asked.is("GET", "/repos/acme/handoffs") {
            return Reply::Json(200, json!({"default_branch": "trunk"}));
        }
        if asked.is("GET", PULLS) {
            let head = url::form_urlencoded::parse(asked.query.as_bytes())
                .find(|(name, _)| name == "head")
                .map(|(_, head)| head.into_owned())
                .expect("a head");
            let branch = head.strip_prefix("acme:").expect("the owner");
            let found: Vec<&Value> = self.pulls.iter().filter(|p| p["head"] == branch).collect();
            return Reply::Json(200, json!(found));
        }
        if asked.is("POST", PULLS) {
            if self.no_branch {
                return refused("head", "invalid");
            }
            if self.no_drafts && body["draft"] == true {
                return refused("", "Draft pull requests are not supported in this repository.");
            }
            if self.pulls.iter().any(|p| p["head"] == body["head"] && p["state"] == "open") {
                return refused("", "A pull request already exists for acme:handoff.");
            }
            let number = self.pulls.len() + 1;
            let mut pull = body;
            for (name, value) in [
                ("number", json!(number)),
                ("html_url", json!(format!("https://github.example/acme/handoffs/pull/{number}"))),
                ("node_id", json!(format!("PR_{number}"))),
                ("created_at", json!("2026-11-20T15:11:00Z")),
                ("state", json!("open")),
                ("labels", json!([])),
            ] {
                pull[name] = value;
            }
            self.pulls.push(pull.clone());
            return if self.cut_after_create { Reply::Drop } else { Reply::Json(201, pull) };
        }
        if asked.is("POST", "/graphql") {
            for pull in &mut self.pulls {
                if pull["node_id"] == body["variables"]["id"] {
                    pull["draft"] = json!(false);
                }
            }
            return Reply::Json(200, json!({"data": {}}));
        }
        let number: usize =
            asked.path.split('/').find_map(|part| part.parse().ok()).expect("a number");
        let pull = &mut self.pulls[number - 1];
        match asked.path.rsplit('/').next().unwrap_or_default() {
            "requested_reviewers" if self.refuse_reviewers => {
                return refused("", "Reviews may only be requested from collaborators.");
            }
            "requested_reviewers" => pull["reviewers"] = body["reviewers"].clone(),
            "labels" => pull["labels"] = json!([{"name": body["labels"][0]}]),
            _ => {
                for (name, value) in body.as_object().expect("an object") {
                    pull[name] = value.clone();
                }
            }
        }
        Reply::Json(200, pull.clone())
    }
}

struct Setup {
    github: Arc<Mutex<Github>>,
    fake: Fake,
    sinks: Vec<Box<dyn Sink>>,
    draft: Box<dyn Sink>,
    _folder: tempfile::TempDir,
}

async fn setup(github: Github) -> Setup {
    let github = Arc::new(Mutex::new(github));
    let state = github.clone();
    let fake = Fake::serve(move |asked| state.lock().expect("not poisoned").answer(asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = deliver_config(&json!({"github": {
        "repository": "acme/handoffs", "as": "pull_request", "base_url": fake.url, "seconds_between_writes": 0
    }})).expect("a configuration");
    let (secrets, site) = (secrets(&[("GITHUB_TOKEN", "t")]), site(folder.path()));
    let sinks = build(&config, &secrets, &site).expect("sinks");
    let draft = config.draft_request(&secrets, &Messages::new(site)).expect("a sink");
    let draft = draft.expect("GitHub opens drafts");
    Setup { github, fake, sinks, draft, _folder: folder }
}

impl Setup {
    fn pulls(&self) -> Vec<Value> {
        self.github.lock().expect("not poisoned").pulls.clone()
    }
}

#[tokio::test]
async fn one_pull_request_with_reviewer_label_and_mark_and_again_nothing_new() {
    let setup = setup(Github::default()).await;
    let mark = deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    assert_eq!(
        (mark.reference.as_str(), mark.remark),
        ("https://github.example/acme/handoffs/pull/1", None)
    );
    let pull = &setup.pulls()[0];
    assert_eq!(pull["head"], "handoff/hubspot-1");
    assert_eq!(pull["base"], "trunk");
    assert_eq!(pull["draft"], true, "an answer is missing");
    assert_eq!(pull["reviewers"], json!(["csm-ana"]));
    assert!(pull["body"].as_str().expect("a body").contains("Merging this pull request accepts"));
    assert!(deliver(&setup.sinks, &handoff("hubspot-1")).await.found);
    assert_eq!(setup.fake.count("POST", PULLS), 1);
}

#[tokio::test]
async fn a_drafts_request_becomes_the_task_when_the_brief_is_signed_and_complete() {
    let setup = setup(Github::default()).await;
    let mut handoff = handoff("hubspot-1");
    assert!(setup.draft.look_up(&handoff).await.expect("listed").is_none());
    setup.draft.act(&handoff).await.expect("made");
    assert!(setup.draft.look_up(&handoff).await.expect("listed").is_some());
    let title = setup.pulls()[0]["title"].clone();
    assert_eq!(title, "Handoff draft: Acme Corp");

    handoff.missing.clear();
    let result = deliver(&setup.sinks, &handoff).await;
    assert!(!result.found, "a draft is not the task");
    result.outcome.expect("made");
    let pulls = setup.pulls();
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0]["draft"], false);
    assert!(pulls[0]["title"].as_str().expect("a title").starts_with("First touch: Acme Corp"));
}

#[tokio::test]
async fn what_was_cut_after_the_request_was_opened_is_finished() {
    let setup = setup(Github { cut_after_create: true, ..Github::default() }).await;
    deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    let pulls = setup.pulls();
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0]["reviewers"], json!(["csm-ana"]));
    assert_eq!(pulls[0]["labels"][0]["name"], "handoff");
}

#[tokio::test]
async fn what_github_refuses_around_a_request_is_a_remark_and_a_missing_branch_an_error() {
    let setup_remarks =
        setup(Github { no_drafts: true, refuse_reviewers: true, ..Github::default() }).await;
    let mark = deliver(&setup_remarks.sinks, &handoff("hubspot-1")).await.outcome.expect("made");
    let remark = mark.remark.expect("remarks");
    assert!(remark.contains("no draft pull requests"), "{remark}");
    assert!(remark.contains("nobody is asked to review"), "{remark}");
    let setup = setup(Github { no_branch: true, ..Github::default() }).await;
    let outcome = deliver(&setup.sinks, &handoff("hubspot-1")).await.outcome;
    let Err(DeliveryError::Permanent { help, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(help.contains("handoff/hubspot-1 is not on GitHub"), "{help}");
}

#[tokio::test]
async fn a_title_closes_nothing_when_it_becomes_a_squash_commit() {
    let setup = setup(Github::default()).await;
    deliver(&setup.sinks, &hostile("hubspot-1")).await.outcome.expect("made");
    let title = setup.pulls()[0]["title"].as_str().expect("a title").to_owned();
    assert!(!title.contains("#1") && !title.contains("@everyone"), "{title}");
}
