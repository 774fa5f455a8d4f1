//! The task on GitHub follows a brief that changed, against the same fake.

use handoff::brief::{Event, EventKind};
use handoff::deliver::{DeliveryError, Handoff};
use serde_json::json;

use super::github::{Fault, Setup, setup};
use super::sample::{handoff, now};

/// The handoff after its task was opened, with another owner than then.
async fn reassigned(setup: &Setup, login: &str) -> Handoff {
    let mut changed = handoff("hubspot-1");
    let made = setup.sinks[0].act(&changed).await.expect("made");
    let mut event = Event::new(now(), EventKind::TaskOpened, "github");
    event.reference = Some(made.reference);
    changed.timeline.events.push(event);
    changed.told = Some(changed.brief.clone());
    changed.brief["first_action"]["owner"] = json!({"name": "Noor Hassan", "github": login});
    changed
}

#[tokio::test]
async fn a_task_follows_another_owner_and_a_broken_answer_doubles_nothing() {
    let setup = setup(&[]).await;
    let changed = reassigned(&setup, "noorh").await;
    setup.github.lock().expect("not poisoned").issues[0]["assignees"] =
        json!([{"login": "csm-ana"}, {"login": "helper"}]);
    setup.github.lock().expect("not poisoned").faults.push_back(Fault::StoredThenDropped);
    let follow = &setup.sinks[1];
    let error = follow.act(&changed).await.expect_err("the answer broke off");
    assert!(matches!(error, DeliveryError::Unclear { .. }), "{error}");
    let writes =
        |setup: &Setup| setup.fake.asked().iter().filter(|it| it.method == "PATCH").count();
    assert_eq!(writes(&setup), 1);
    // Everything was set: the second try reads and writes nothing.
    let mark = follow.act(&changed).await.expect("in line");
    assert_eq!(mark.remark, None);
    assert_eq!(writes(&setup), 1);
    let issue = setup.github.lock().expect("not poisoned").issues[0].clone();
    assert_eq!(issue["assignees"], json!([{"login": "helper"}, {"login": "noorh"}]));
    assert!(issue["body"].as_str().expect("a body").contains("Noor Hassan"), "{issue}");
}

#[tokio::test]
async fn who_may_not_be_assigned_is_a_remark_and_the_rest_follows() {
    let setup = setup(&[]).await;
    let changed = reassigned(&setup, "stranger").await;
    let mark = setup.sinks[1].act(&changed).await.expect("in line");
    assert!(mark.remark.expect("a remark").contains("may not be assigned"));
    let issue = setup.github.lock().expect("not poisoned").issues[0].clone();
    assert!(issue["body"].as_str().expect("a body").contains("Noor Hassan"), "{issue}");
    // A body that people have made their own is left alone.
    setup.github.lock().expect("not poisoned").issues[0]["body"] = json!("all mine");
    let mark = setup.sinks[1].act(&changed).await.expect("in line");
    assert!(mark.remark.expect("a remark").contains("left alone"));
    assert_eq!(setup.github.lock().expect("not poisoned").issues[0]["body"], "all mine");
}
