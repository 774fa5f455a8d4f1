//! One handoff from the signature to the logged call, through the real binary,
//! HubSpot and every target: after each step what the CSM sees, exactly once. The
//! targets are our fakes, and once more the servers of `shared/testkit`.

use std::fs;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use crate::deliver::testkit::{ask, replay, wanted};
use crate::hubspot;
use crate::killed::killer::At;
use crate::killed::mail::Mails;
use crate::killed::testkit::{forward_now, pass_on};
use crate::killed::vendors::Vendors;
use crate::killed::world::{World, timeline};
use crate::sandbox::{Ran, fixture};

/// The deal that the document names.
const NAMED: u64 = 18_640_329_741;
/// The deal of the samples that the story's is made from.
const SAMPLE: u64 = 31_874_500_101;
/// The login of the second CSM: the other user that the testkit's GitHub has.
const NOOR: &str = "handoff-bot";
const GOAL: &str = "under 0.5%";

/// Where the CSM's issue, messages and mails are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Targets {
    Fakes,
    /// GitHub, Slack and the mail server of the testkit; Asana and Jira are
    /// fakes whose requests its servers check, since those store nothing.
    Servers,
}

const GITHUB: &str = "http://127.0.0.1:4601";
const SLACK: &str = "http://127.0.0.1:4603/api";
const REPOSITORY: &str = "/repos/handoff-bot/briefs";
const TOKEN: &str = "ghp_handoff_test";

struct Story {
    world: World,
    crm: hubspot::fake::Fake,
    targets: Targets,
    deal: u64,
    key: String,
    minute: u32,
}

/// What the CSM sees.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    issues: Vec<Value>,
    comments: Vec<String>,
    slack: Vec<Value>,
    mails: Vec<String>,
    asana: (Vec<Value>, Vec<Value>),
    jira: Vec<Value>,
    page: String,
}

impl Seen {
    /// What stands: each place with its text.
    fn standing(&self) -> [(&'static str, String); 5] {
        let text = |value: &Value| plain(value.as_str().unwrap_or_default());
        let (projects, tasks) = &self.asana;
        [
            ("the issue", text(&self.issues[0]["body"])),
            ("Asana's task", text(&tasks[0]["html_notes"])),
            ("Asana's project", text(&projects[0]["html_notes"])),
            ("Jira's epic", self.jira[0]["fields"]["description"].to_string()),
            ("the page", plain(&self.page)),
        ]
    }

    #[track_caller]
    fn says(&self, words: &str, places: &[&str]) {
        for (place, text) in self.standing().iter().filter(|(place, _)| places.contains(place)) {
            assert!(text.contains(words), "{place} says {words}: {text}");
        }
    }

    #[track_caller]
    fn says_everywhere(&self, words: &str, no_more: &str) {
        for (place, text) in self.standing() {
            assert!(text.contains(words), "{place} says {words}: {text}");
            assert!(!text.contains(no_more), "{place} says {no_more} no more: {text}");
        }
    }

    fn count(&self) -> (usize, usize, usize) {
        (self.slack.len(), self.mails.len(), self.comments.len())
    }
}

/// Without the marks of Markdown, HTML and mail that keep words harmless.
fn plain(text: &str) -> String {
    text.replace("=\r\n", "").replace('\\', "").replace("&lt;", "<").replace("&amp;", "&")
}

impl Story {
    async fn new(targets: Targets) -> Self {
        let (vendors, mails) = (Arc::<Mutex<Vendors>>::default(), Mails::default());
        vendors.lock().unwrap().jira_users =
            vec![("sam@example.com", "acc-sam"), ("noor@example.com", "acc-noor")];
        let (state, kept) = (vendors.clone(), mails.take());
        let repository =
            if targets == Targets::Fakes { "acme/handoffs" } else { "handoff-bot/briefs" };
        let world = World::with(
            (vendors, mails),
            "",
            repository,
            move |asked| match targets {
                Targets::Servers
                    if ["/github", "/slack"].iter().any(|it| asked.path.starts_with(it)) =>
                {
                    forward_now(asked)
                }
                _ => state.lock().unwrap().answer(asked),
            },
            Arc::new(move |mail| {
                kept(mail);
                if targets == Targets::Servers {
                    pass_on(mail);
                }
            }),
        )
        .await;
        // The servers keep what earlier runs have made.
        let deal = match targets {
            Targets::Fakes => NAMED,
            Targets::Servers => fastrand::u64(10_000_000_000..99_999_999_999),
        };
        let crm = hubspot::fake::Fake::start().await;
        {
            let mut account = crm.state();
            let mut record = account.objects["deals"][&SAMPLE].clone();
            record["id"] = json!(deal.to_string());
            account.add("deals", record);
            for kind in ["contacts", "companies", "line_items"] {
                let links = account.links.entry(kind.to_owned()).or_default();
                if let Some(of_sample) = links.get(&SAMPLE.to_string()).cloned() {
                    links.insert(deal.to_string(), of_sample);
                }
            }
        }
        let file = world.sandbox.join("ledger/handoff.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let (start, end) = (text.find("\ncrm:\n").unwrap(), text.find("\n# From deal to").unwrap());
        let base = crm.base.as_str();
        let section = format!("\ncrm:\n  hubspot: {{base_url: '{base}'}}\n");
        let text = format!("{}{section}{}", &text[..start], &text[end..]);
        let noor =
            format!("csms:\n    - {{name: Noor Hassan, email: noor@example.com, github: {NOOR}}}");
        let text = text.replacen("csms:", &noor, 1).replace("map: csv", "map: hubspot");
        // Sam has it first.
        let text = text.replace("- {to: same_customer}\n", "- {to: [csm-ana]}\n");
        fs::write(&file, text.replace("    - {to: least_open}\n", "")).unwrap();
        Self { world, crm, targets, deal, key: format!("hubspot-{deal}"), minute: 0 }
    }

    /// Runs a command a minute later than the one before.
    #[track_caller]
    fn run(&mut self, arguments: &[&str]) -> Ran {
        self.minute += 1;
        let now = format!("2026-11-20T17:{:02}:00Z", self.minute);
        self.world.ok(&[&["--now", now.as_str()], arguments].concat())
    }

    /// A command about this handoff.
    #[track_caller]
    fn about(&mut self, verb: &str, more: &[&str]) -> Ran {
        let key = self.key.clone();
        self.run(&[&[verb, &key], more].concat())
    }

    /// A payload of PandaDoc about the story's deal, as a file.
    fn payload(&self, change: impl FnOnce(&mut Value)) -> String {
        let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
        let text = text.replace(&NAMED.to_string(), &self.deal.to_string());
        let mut event: Value = serde_json::from_str(&text).unwrap();
        change(&mut event[0]["data"]);
        self.world.sandbox.write("event.json", event.to_string()).display().to_string()
    }

    async fn look(&self) -> Seen {
        let (issues, comments, slack) = match self.targets {
            Targets::Fakes => {
                let vendors = self.world.vendors.lock().unwrap();
                (vendors.issues.clone(), vendors.comments.clone(), vendors.messages.clone())
            }
            Targets::Servers => self.look_at_servers().await,
        };
        let body = |comment: &Value| plain(comment["body"].as_str().unwrap());
        let vendors = self.world.vendors.lock().unwrap();
        Seen {
            issues,
            comments: comments.iter().map(body).collect(),
            slack,
            mails: self.world.mails.all(),
            asana: (vendors.projects.clone(), vendors.asana_tasks.clone()),
            jira: vendors.jira.clone(),
            page: self.file("README.md"),
        }
    }

    /// What GitHub, Slack and the mail server have of this handoff.
    async fn look_at_servers(&self) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let path = format!("{REPOSITORY}/issues?state=all&per_page=100&labels=handoff");
        let mut issues = list(&ask(GITHUB, TOKEN, Method::GET, &path, None).await);
        let mark = format!("key={} step=task", self.key);
        issues.retain(|it| it["body"].as_str().is_some_and(|body| body.contains(&mark)));
        let mut comments = Vec::new();
        for issue in &issues {
            let path = format!("{REPOSITORY}/issues/{}/comments?per_page=100", issue["number"]);
            comments.extend(list(&ask(GITHUB, TOKEN, Method::GET, &path, None).await));
        }
        let channels = ask(SLACK, TOKEN, Method::POST, "/conversations.list", None).await;
        let channels = list(&channels["channels"]);
        let channel = channels.iter().find(|it| it["name"] == "cs-handoffs").unwrap()["id"].clone();
        let wish = json!({"channel": channel, "include_all_metadata": true, "limit": 200});
        let history = ask(SLACK, TOKEN, Method::POST, "/conversations.history", Some(wish)).await;
        let ours = |it: &Value| it["metadata"]["event_payload"]["id"] == self.key.as_str();
        let mut slack = Vec::new();
        for first in list(&history["messages"]).iter().filter(|it| ours(it)) {
            let wish = json!({"channel": channel, "ts": first["ts"], "include_all_metadata": true, "limit": 200});
            let thread =
                ask(SLACK, TOKEN, Method::POST, "/conversations.replies", Some(wish)).await;
            for message in std::iter::once(first).chain(&list(&thread["messages"])) {
                let is_new = slack.iter().all(|it: &Value| it["ts"] != message["ts"]);
                if ours(message) && is_new {
                    slack.push(message.clone());
                }
            }
        }
        slack.sort_by_key(|it| it["ts"].as_str().unwrap().to_owned());
        // What a server counts about a message, and when it was read, tells nobody anything.
        for message in &mut slack {
            for name in ["reply_count", "reply_users", "reply_users_count", "latest_reply"] {
                message.as_object_mut().unwrap().remove(name);
            }
        }
        // The mail server took each of them, too.
        let mails = list(&ask("http://127.0.0.1:4626", "x", Method::GET, "/email", None).await);
        let id = |it: &&Value| it["messageId"].as_str().is_some_and(|id| id.contains(&self.key));
        assert_eq!(mails.iter().filter(id).count(), self.world.mails.all().len());
        (issues, comments, slack)
    }

    /// What is told once is not told again, and nothing changes by itself.
    async fn settle(&mut self) -> Seen {
        let before = self.look().await;
        for _ in 0..3 {
            self.run(&["deliver"]);
        }
        assert_eq!(self.look().await, before, "{}", timeline(&self.world.sandbox));
        before
    }

    /// What came since: one reply in Slack's thread, one mail in the thread of
    /// the first, one comment; each has these words.
    async fn told_once(&mut self, before: &Seen, words: &[&str]) -> Seen {
        let now = self.settle().await;
        let told = (before.slack.len(), before.mails.len(), before.comments.len());
        // Whom a handoff was taken from has a mail of their own.
        let mails = if words.contains(&"you take over the handoff") { 2 } else { 1 };
        let each_once = (told.0 + 1, told.1 + mails, told.2 + 1);
        assert_eq!(now.count(), each_once, "{words:?}: {}", timeline(&self.world.sandbox));
        let (message, mail) = (&now.slack[told.0], &now.mails[told.1]);
        assert_eq!(message["thread_ts"], now.slack[0]["ts"], "below the first message");
        assert!(mail.contains("In-Reply-To: <handoff."), "{mail}");
        let texts = [plain(&message.to_string()), plain(mail), now.comments[told.2].clone()];
        for (text, word) in texts.iter().flat_map(|text| words.iter().map(move |it| (text, it))) {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(now.issues.len(), 1, "one issue for all of it");
        assert_eq!((now.asana.0.len(), now.asana.1.len(), now.jira.len()), (1, 1, 7));
        now
    }

    fn set(&self, properties: &[(&str, &str)]) {
        let mut account = self.crm.state();
        let mut deal = account.objects["deals"][&self.deal].clone();
        for (property, value) in properties {
            deal["properties"][property] = json!(value);
        }
        deal["properties"]["hs_lastmodifieddate"] = json!("2026-11-20T17:00:00Z");
        account.add("deals", deal);
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        let path = format!("briefs/*{}/{name}", self.key);
        let path = self.world.sandbox.git("ledger", &["ls-files", &path]);
        self.world.sandbox.join("ledger").join(path.trim())
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn count(&self, event: &str) -> usize {
        timeline(&self.world.sandbox).matches(&format!("event: {event}\n")).count()
    }

    fn row(&mut self) -> Value {
        self.about("status", &["--format", "json"]).json()["handoffs"][0].clone()
    }

    /// Noor has called, and the CRM has it.
    fn log_call(&self) {
        let mut account = self.crm.state();
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
        let contact =
            account.links["contacts"][&self.deal.to_string()][0]["toObjectId"].to_string();
        let links = account.links.entry("contacts/calls".to_owned()).or_default();
        links.insert(contact.trim_matches('"').to_owned(), vec![json!({"toObjectId": 9900})]);
    }
}

/// Whom Jira's issues of the CSM belong to.
fn jira_accounts(seen: &Seen) -> Vec<&str> {
    let mut accounts: Vec<&str> = seen.jira.iter().filter_map(Vendors::account_of).collect();
    accounts.dedup();
    accounts
}

async fn tell(targets: Targets) -> Story {
    let mut story = Story::new(targets).await;
    // Signed.
    let signed = story.payload(|_| {});
    assert!(!story.world.run(&["sign", &signed], At::Never).await.0);
    let seen = story.settle().await;
    assert_eq!(seen.count(), (1, 1, 0), "one message, one mail");
    assert_eq!(seen.issues.len(), 1);
    assert_eq!(seen.issues[0]["assignees"][0]["login"], "csm-ana");
    assert_eq!(seen.asana.1[0]["assignee"], "sam@example.com");
    assert_eq!(jira_accounts(&seen), ["acc-sam"]);
    seen.says_everywhere(GOAL, "under 0.3%");
    seen.says("48,000.00", &["the issue", "Asana's task", "the page"]);
    for text in [plain(&seen.slack[0].to_string()), plain(&seen.mails[0])] {
        assert!(text.contains(GOAL), "{text}");
    }

    // Corrected in the CRM.
    story.set(&[
        ("amount", "52000.00"),
        ("handoff_success_metric", "Cut pick errors to under 0.3%"),
    ]);
    story.run(&["refresh", "--changed-since", "2026-11-20T16:00:00Z"]);
    assert_eq!(story.count("corrected"), 1);
    let before = seen;
    let seen = story.told_once(&before, &["has changed", "52,000.00", "under 0.3%"]).await;
    seen.says_everywhere("under 0.3%", GOAL);
    seen.says("52,000.00", &["the issue", "Asana's task", "the page"]);

    // Amended.
    let amendment = story.payload(|document| {
        document["id"] = json!("an-amendment-1");
        document["name"] = json!("Amendment one");
    });
    story.run(&["sign", &amendment, "--as", "amendment"]);
    assert_eq!(story.count("amended"), 1);
    let before = seen;
    let seen = story.told_once(&before, &["Amendment one"]).await;
    seen.says_everywhere("Amendment one", GOAL);

    // Given to another CSM.
    story.about("assign", &[NOOR, "--by", "boss"]);
    story.run(&["deliver"]);
    let before = seen;
    let seen = story.told_once(&before, &["you take over the handoff"]).await;
    let comment = seen.comments.last().unwrap();
    assert!(!comment.contains("Amendment"), "what was told is not told again: {comment}");
    assert_eq!(seen.issues[0]["assignees"][0]["login"], NOOR);
    assert_eq!(seen.asana.1[0]["assignee"], "noor@example.com");
    assert_eq!(jira_accounts(&seen), ["acc-noor"]);
    let [.., new, former] = &seen.mails[..] else { panic!("{:?}", seen.mails) };
    assert!(new.contains("noor@example.com") && former.contains("sam@example.com"), "{former}");
    seen.says_everywhere("Noor Hassan", "Sam Lee");

    // Accepted, and changed after that.
    story.about("accept", &["--by", NOOR]);
    story.set(&[("amount", "53000.00")]);
    story.about("refresh", &[]);
    let before = seen;
    let seen = story.told_once(&before, &["53,000.00"]).await;
    seen.says("53,000.00", &["the issue", "Asana's task", "the page"]);

    // Returned: the rep is told, and nobody else.
    story.about("return", &["--by", NOOR, "--reason", "wrong: the amount"]);
    story.run(&["deliver"]);
    let before = seen;
    let seen = story.settle().await;
    assert_eq!(story.count("rep_told"), 2, "in Slack and by mail");
    let (slack, mails, comments) = before.count();
    assert_eq!(seen.count(), (slack + 1, mails + 1, comments), "the rep, each channel once");
    for text in [plain(&seen.slack[slack].to_string()), plain(&seen.mails[mails])] {
        assert!(
            text.contains("returned the handoff") && text.contains("wrong: the amount"),
            "{text}"
        );
    }

    // Answered: in the CRM, and what it has no place for in the brief.
    story.set(&[("amount", "54000.00")]);
    let brief =
        story.file("brief.yaml").replace("success:\n", "success:\n  target: Three in a thousand\n");
    fs::write(story.path("brief.yaml"), brief).unwrap();
    story.world.sandbox.git("ledger", &["commit", "-qam", "the target"]);
    story.about("resubmit", &["--by", "Priya Raman"]);
    assert_eq!(story.count("resubmitted"), 1);
    story.run(&["deliver"]);
    let before = seen;
    let words = ["was resubmitted", "54,000.00", "Three in a thousand"];
    let seen = story.told_once(&before, &words).await;
    seen.says("54,000.00", &["the issue", "Asana's task", "the page"]);
    seen.says("Three in a thousand", &["the page"]);
    seen.says("Amendment one", &["the page"]);

    // Accepted once more.
    story.about("accept", &["--by", NOOR]);
    story.about("accept", &["--by", NOOR]);
    assert_eq!(story.count("accepted"), 2, "the second acceptance counts, and a third is none");
    assert_eq!(story.row()["standing"], "overdue", "the customer was not contacted yet");
    assert_eq!(story.settle().await.count(), seen.count(), "who accepts is told nothing");

    // Called, and the CRM has it.
    story.log_call();
    for _ in 0..3 {
        story.minute += 1;
        let now = format!("2026-11-20T17:{:02}:00Z", story.minute);
        // Not every target of this test has something to read back.
        story.world.any(&["--now", &now, "sync", &story.key.clone()]);
    }
    assert_eq!(story.count("touched"), 1);
    let events = timeline(&story.world.sandbox);
    assert!(events.contains("evidence: crm") && events.contains("calls/9900"), "{events}");
    assert_eq!(story.row()["standing"], "done");
    let last = story.settle().await;
    assert_eq!(last.count(), seen.count(), "nobody is told of it");
    assert_eq!((last.issues.len(), last.asana.0.len(), last.jira.len()), (1, 1, 7));
    story
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_signature_to_the_logged_call_the_csm_sees_each_step_once() {
    tell(Targets::Fakes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn testkit_from_the_signature_to_the_logged_call_the_csm_sees_each_step_once() {
    if !wanted("testkit_from_the_signature_to_the_logged_call_the_csm_sees_each_step_once") {
        return;
    }
    let collaborator = format!("{REPOSITORY}/collaborators/csm-ana");
    ask(GITHUB, TOKEN, Method::PUT, &collaborator, Some(json!({}))).await;
    let story = tell(Targets::Servers).await;
    for (vendor, mock) in [("/asana", "http://127.0.0.1:4612"), ("/jira", "http://127.0.0.1:4613")]
    {
        replay(&story.world.fake, vendor, mock).await;
    }
}
