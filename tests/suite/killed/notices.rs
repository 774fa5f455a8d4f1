//! Teams and the event webhook, which cannot be looked up: killed at each step,
//! a card is never there twice unless that is allowed, and every event of the
//! timeline arrives, a repeat under the id it had.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::killer::{At, Killer, Point, When};
use super::world::{QUIET, ledger, run, secrets, timeline};
use crate::deliver::fake::{Fake, Reply};
use crate::sandbox::{Sandbox, fixture};

struct World {
    sandbox: Sandbox,
    killer: Killer,
    secrets: Vec<(&'static str, String)>,
    /// How many cards there are in the channel.
    cards: Arc<Mutex<usize>>,
    /// The type of each event that came, by its id.
    events: Arc<Mutex<BTreeMap<String, String>>>,
    _fake: Fake,
}

impl World {
    async fn new(repeat: bool) -> Self {
        let killer = Killer::new();
        let cards = Arc::<Mutex<usize>>::default();
        let events = Arc::<Mutex<BTreeMap<String, String>>>::default();
        let (kills, shown, told) = (killer.clone(), cards.clone(), Arc::clone(&events));
        let fake = Fake::serve(move |asked| {
            let request = format!("{} {}", asked.method, asked.path);
            if !kills.pass(When::Received, &request) {
                return Reply::Drop;
            }
            if asked.path == "/teams" {
                *shown.lock().unwrap() += 1;
            } else {
                let id = asked.headers["webhook-id"].to_str().unwrap().to_owned();
                let kind = asked.json()["type"].as_str().unwrap().to_owned();
                let before: Option<String> = told.lock().unwrap().insert(id, kind.clone());
                assert!(before.is_none_or(|before| before == kind), "an id is one event's");
            }
            kills.pass(When::Done, &request);
            Reply::Text(202, "")
        })
        .await;
        let sandbox = ledger(&format!(
            "{QUIET}deliver:\n  teams: {{repeat: {repeat}}}\n  events: {{url: \"{}/events\", allow_private: true}}\n",
            fake.url
        ));
        let mut secrets = secrets("smtp://127.0.0.1:1");
        secrets.push(("TEAMS_WEBHOOK_URL", format!("{}/teams", fake.url)));
        secrets.push(("EVENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()));
        Self { sandbox, killer, secrets, cards, events, _fake: fake }
    }

    async fn run(&self, arguments: &[&str], at: At) -> (bool, Vec<Point>) {
        run(&self.sandbox, &self.killer, &self.secrets, arguments, at).await
    }

    async fn sign(&self, at: At) -> (bool, Vec<Point>) {
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        self.run(&["sign", &event], at).await
    }

    fn cards(&self) -> usize {
        *self.cards.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_no_card_is_doubled_and_every_event_arrives() {
    let (killed, points) = World::new(false).await.sign(At::Never).await;
    assert!(!killed && points.iter().any(|point| point.request == "POST /teams"), "{points:?}");
    for repeat in [false, true] {
        for (at, point) in points.iter().enumerate() {
            let world = World::new(repeat).await;
            assert!(world.sign(At::Number(at)).await.0, "{point:?}");
            for _ in 0..3 {
                world.run(&["deliver"], At::Never).await;
            }
            let timeline = timeline(&world.sandbox);
            let is_behind = point.request == "POST /teams" && point.when == When::Done;
            let cards = if is_behind && repeat { 2 } else { 1 };
            // Whether a request that was cut off had been acted upon nobody knows.
            let may_be_none = !repeat && point.request == "POST /teams" && !is_behind;
            let fits = world.cards() == cards || (may_be_none && world.cards() == 0);
            assert!(fits, "{repeat} {point:?}: {} cards\n{timeline}", world.cards());
            let is_told = timeline.contains("event: notified") || timeline.contains("unclear: ");
            assert!(is_told, "{repeat} {point:?}: {timeline}");
            let events = world.events.lock().unwrap().clone();
            let signed = events.values().filter(|kind| *kind == "handoff.signed").count();
            assert_eq!(signed, 1, "{repeat} {point:?}: {events:?}");
            assert!(timeline.contains("event: events_sent"), "{repeat} {point:?}: {timeline}");
        }
    }
}
