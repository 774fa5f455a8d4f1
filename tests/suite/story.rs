//! One handoff from the signature to the logged call, through the real binary,
//! HubSpot and every target: after each step what the CSM sees, exactly once.

use std::fs;

use serde_json::{Value, json};

use crate::hubspot;
use crate::killed::killer::At;
use crate::killed::world::{KEY, World, timeline};
use crate::sandbox::{Ran, fixture};

const DEAL: u64 = 18_640_329_741;
/// The deal of the samples that the story's is made from.
const SAMPLE: u64 = 31_874_500_101;

struct Story {
    world: World,
    crm: hubspot::fake::Fake,
    minute: u32,
}

/// How much everybody has been told: messages in Slack, mails, comments.
type Told = (usize, usize, usize);

impl Story {
    async fn new() -> Self {
        let world = World::new("").await;
        let crm = hubspot::fake::Fake::start().await;
        {
            let mut account = crm.state();
            let mut deal = account.objects["deals"][&SAMPLE].clone();
            deal["id"] = json!(DEAL.to_string());
            account.add("deals", deal);
            for kind in ["contacts", "companies", "line_items"] {
                let links = account.links.entry(kind.to_owned()).or_default();
                if let Some(of_sample) = links.get(&SAMPLE.to_string()).cloned() {
                    links.insert(DEAL.to_string(), of_sample);
                }
            }
        }
        let file = world.sandbox.join("ledger/handoff.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let (start, end) = (text.find("\ncrm:\n").unwrap(), text.find("\n# From deal to").unwrap());
        let base = crm.base.as_str();
        let section = format!("\ncrm:\n  hubspot: {{base_url: '{base}'}}\n");
        let text = format!("{}{section}{}", &text[..start], &text[end..]);
        let noor = "csms:\n    - {name: Noor Hassan, email: noor@example.com, github: noorh}";
        let text = text.replacen("csms:", noor, 1).replace("map: csv", "map: hubspot");
        // Sam has it first.
        let text = text.replace("- {to: same_customer}\n", "- {to: [csm-ana]}\n");
        fs::write(&file, text.replace("    - {to: least_open}\n", "")).unwrap();
        Self { world, crm, minute: 0 }
    }

    /// Runs a command a minute later than the one before.
    #[track_caller]
    fn run(&mut self, arguments: &[&str]) -> Ran {
        self.minute += 1;
        let now = format!("2026-11-20T17:{:02}:00Z", self.minute);
        self.world.ok(&[&["--now", now.as_str()], arguments].concat())
    }

    fn told(&self) -> Told {
        let vendors = self.world.vendors.lock().unwrap();
        (vendors.messages.len(), self.world.mails.all().len(), vendors.comments.len())
    }

    /// What is delivered once is not delivered again.
    fn settle(&mut self) {
        let before = self.told();
        for _ in 0..3 {
            self.run(&["deliver"]);
        }
        assert_eq!(self.told(), before, "nobody is told twice: {}", timeline(&self.world.sandbox));
    }

    fn set(&self, property: &str, value: &str) {
        let mut account = self.crm.state();
        let mut deal = account.objects["deals"][&DEAL].clone();
        deal["properties"][property] = json!(value);
        deal["properties"]["hs_lastmodifieddate"] = json!("2026-11-20T17:00:00Z");
        account.add("deals", deal);
    }

    fn issue(&self) -> Value {
        self.world.vendors.lock().unwrap().issues[0].clone()
    }

    fn file(&self, name: &str) -> String {
        let path =
            self.world.sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/{name}")]);
        fs::read_to_string(self.world.sandbox.join("ledger").join(path.trim())).unwrap()
    }

    fn count(&self, event: &str) -> usize {
        timeline(&self.world.sandbox).matches(&format!("event: {event}\n")).count()
    }

    fn row(&mut self) -> Value {
        self.run(&["status", KEY, "--format", "json"]).json()["handoffs"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_signature_to_the_logged_call_the_csm_sees_each_step_once() {
    let mut story = Story::new().await;
    // Signed.
    story.world.sign(At::Never).await;
    let (slack, mail, comments) = story.told();
    assert_eq!((slack, mail, comments), (1, 1, 0), "one message, one mail");
    assert_eq!(story.issue()["assignees"], json!([{"login": "csm-ana"}]));
    assert!(story.file("brief.yaml").contains("48000.00"));
    story.settle();

    // Corrected in the CRM.
    story.set("amount", "52000.00");
    story.run(&["refresh", "--changed-since", "2026-11-20T16:00:00Z"]);
    assert!(story.file("brief.yaml").contains("52000.00"));
    assert!(story.file("README.md").contains("52,000"), "the page follows");
    assert_eq!(story.count("corrected"), 1);
    assert_eq!(story.told(), (slack + 1, mail + 1, comments + 1), "each channel once");
    let message = story.world.vendors.lock().unwrap().messages.last().unwrap().to_string();
    assert!(message.contains("52"), "what changed: {message}");
    story.settle();

    // Amended.
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event[0]["data"]["id"] = json!("an-amendment-1");
    event[0]["data"]["name"] = json!("Amendment 1");
    let path = story.world.sandbox.write("amendment.json", event.to_string()).display().to_string();
    story.run(&["sign", &path, "--as", "amendment"]);
    assert_eq!(story.count("amended"), 1);
    assert!(story.file("brief.yaml").contains("an-amendment-1"));
    assert_eq!(story.told(), (slack + 2, mail + 2, comments + 2), "each channel once");
    story.settle();

    // Given to another CSM.
    story.run(&["assign", KEY, "noorh", "--by", "boss"]);
    story.run(&["deliver"]);
    assert_eq!(story.issue()["assignees"], json!([{"login": "noorh"}]));
    assert_eq!(story.world.vendors.lock().unwrap().asana_tasks[0]["assignee"], "noor@example.com");
    assert_eq!(story.told(), (slack + 3, mail + 3, comments + 3), "each channel once");
    story.settle();

    // Accepted, and changed after that.
    story.run(&["accept", KEY, "--by", "noorh"]);
    story.set("amount", "53000.00");
    story.run(&["refresh", KEY]);
    assert_eq!(story.told(), (slack + 4, mail + 4, comments + 4), "each channel once");
    story.settle();

    // Returned, answered in the CRM, and accepted once more.
    story.run(&["return", KEY, "--by", "noorh", "--reason", "wrong: the amount"]);
    story.run(&["deliver"]);
    assert_eq!(
        story.count("rep_told"),
        2,
        "in Slack and by mail: {}",
        timeline(&story.world.sandbox)
    );
    let before = story.told();
    story.settle();
    story.set("amount", "54000.00");
    story.run(&["resubmit", KEY, "--by", "Priya Raman"]);
    assert_eq!(story.count("resubmitted"), 1);
    story.run(&["deliver"]);
    let after = story.told();
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "the CSM hears it once");
    let message = story.world.vendors.lock().unwrap().messages.last().unwrap().to_string();
    assert!(message.contains("54"), "what changed: {message}");
    story.settle();
    story.run(&["accept", KEY, "--by", "noorh"]);
    story.run(&["accept", KEY, "--by", "noorh"]);
    assert_eq!(story.count("accepted"), 2, "the second acceptance counts, and a third is none");
    assert_eq!(story.row()["standing"], "overdue", "the customer was not contacted yet");

    // Called, and the CRM has it.
    {
        let mut account = story.crm.state();
        let noor = json!({"id": "44", "firstName": "Noor", "lastName": "Hassan",
                          "email": "noor@example.com", "archived": false});
        account.owners.insert("44".to_owned(), noor);
        account.add(
            "calls",
            json!({"id": "9900", "properties": {
                "hs_timestamp": "2026-11-20T17:01:00Z", "hs_call_status": "COMPLETED",
                "hubspot_owner_id": "44",
            }}),
        );
        let contact = account.links["contacts"][&DEAL.to_string()][0]["toObjectId"].to_string();
        let links = account.links.entry("contacts/calls".to_owned()).or_default();
        links.insert(contact.trim_matches('"').to_owned(), vec![json!({"toObjectId": 9900})]);
    }
    for _ in 0..3 {
        story.minute += 1;
        let now = format!("2026-11-20T17:{:02}:00Z", story.minute);
        // The targets of this test have nothing to read back.
        story.world.any(&["--now", &now, "sync", KEY]);
    }
    assert_eq!(story.count("touched"), 1);
    let events = timeline(&story.world.sandbox);
    assert!(events.contains("evidence: crm") && events.contains("calls/9900"), "{events}");
    assert_eq!(story.row()["standing"], "done");
    story.settle();
    assert_eq!(story.world.vendors.lock().unwrap().issues.len(), 1, "one issue for all of it");
}
