//! `handoff sync` from Asana and Jira, and deadlines that people moved: the
//! real binary and fakes that answer as the vendors do.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::killed::vendors::Vendors;
use crate::killed::world::{KEY, ledger, secrets};
use crate::sandbox::{Ran, Sandbox, fixture};

/// The contract was signed at 15:43:53 on 14 October; the first touch is due a
/// day later.
const SIGNED: &str = "2026-10-14T15:43:53Z";

/// What people did, as the vendors tell it.
#[derive(Default)]
struct People {
    /// Asana's stories of the first-touch task.
    stories: Vec<Value>,
    /// What differs in Asana's first-touch task.
    task: Value,
    comments: Vec<Value>,
    changes: Vec<Value>,
    /// Tasks of the epic that are done, with their changes.
    begun: Vec<(String, Value)>,
    /// As what they are done.
    resolution: &'static str,
    duedate: Option<&'static str>,
    gone: bool,
    /// The other tasks of the project, as its vendor tells them.
    onboarding: Vec<Value>,
    /// Statuses that answer the next requests instead.
    faults: Vec<u16>,
}

/// Two items to a page, after Asana's manner.
fn asana_page(query: &str, all: &[Value]) -> Reply {
    let at: usize = query.split("offset=").nth(1).map_or(0, |it| it.parse().unwrap());
    let next = (at + 2 < all.len()).then(|| json!({"offset": (at + 2).to_string()}));
    let page: Vec<&Value> = all.iter().skip(at).take(2).collect();
    Reply::Json(200, json!({"data": page, "next_page": next}))
}

/// Two items to a page, after Jira's manner.
fn jira_page(query: &str, name: &str, all: &[Value]) -> Reply {
    let at: usize =
        query.split(['?', '&']).find_map(|p| p.strip_prefix("startAt=")?.parse().ok()).unwrap();
    let page: Vec<&Value> = all.iter().skip(at).take(2).collect();
    Reply::Json(200, json!({"startAt": at, "maxResults": 2, "total": all.len(), name: page}))
}

impl People {
    /// The requests that only a reading makes.
    fn answer(&mut self, asked: &Asked, vendors: &Vendors) -> Option<Reply> {
        let path = asked.path.as_str();
        let reads =
            path.contains("/stories") || path.contains("/comment") || path.ends_with("/changelog");
        if reads && !self.faults.is_empty() {
            return Some(Reply::With(self.faults.remove(0), &[("retry-after", "0")], json!({})));
        }
        Some(match (asked.method.as_str(), path) {
            ("GET", "/asana/users/me") => {
                Reply::Json(200, json!({"data": {"gid": "900", "name": "Handoff Bot"}}))
            }
            ("GET", "/asana/users/sam%40example%2Ecom") => {
                Reply::Json(200, json!({"data": {"gid": "901"}}))
            }
            ("GET", path) if path.starts_with("/asana/users/") => {
                Reply::Json(404, json!({"errors": [{"message": "Not Found"}]}))
            }
            ("GET", "/asana/projects/90") if self.gone => {
                Reply::Json(404, json!({"errors": [{"message": "Not Found"}]}))
            }
            ("GET", "/asana/projects/90") => Reply::Json(200, json!({"data": {"gid": "90"}})),
            ("GET", "/asana/projects/90/tasks") if asked.query.contains("due_at") => {
                let mut tasks = vendors.asana_tasks.clone();
                for (name, value) in self.task.as_object().into_iter().flatten() {
                    tasks[0][name] = value.clone();
                }
                tasks.extend(self.onboarding.iter().cloned());
                asana_page(&asked.query, &tasks)
            }
            ("GET", "/asana/tasks/70/stories") => asana_page(&asked.query, &self.stories),
            ("GET", "/jira/rest/api/3/myself") => Reply::Json(200, json!({"accountId": "acc-bot"})),
            ("GET", "/jira/rest/api/3/user/search") if asked.query.contains("sam") => Reply::Json(
                200,
                json!([{"accountId": "acc-sam", "active": true, "emailAddress": "sam@example.com"}]),
            ),
            ("GET", "/jira/rest/api/3/issue/ONB-1") if self.gone => {
                Reply::Json(404, json!({"errorMessages": ["Issue does not exist"]}))
            }
            ("GET", "/jira/rest/api/3/issue/ONB-1") => {
                let set = vendors.jira[0]["fields"]["duedate"].clone();
                let due = self.duedate.map_or(set, Value::from);
                Reply::Json(200, json!({"key": "ONB-1", "fields": {"duedate": due}}))
            }
            ("GET", "/jira/rest/api/3/issue/ONB-1/comment") => {
                jira_page(&asked.query, "comments", &self.comments)
            }
            ("GET", "/jira/rest/api/3/issue/ONB-1/changelog") => {
                jira_page(&asked.query, "values", &self.changes)
            }
            ("GET", path) if path.ends_with("/changelog") => {
                let key = path.split('/').rev().nth(1).unwrap();
                let changes: Vec<Value> = self
                    .begun
                    .iter()
                    .filter(|(of, _)| of == key)
                    .map(|(_, change)| change.clone())
                    .collect();
                jira_page(&asked.query, "values", &changes)
            }
            ("POST", "/jira/rest/api/3/search/jql")
                if asked.json()["jql"].as_str().unwrap().contains("statusCategory") =>
            {
                let issues: Vec<Value> = self
                    .begun
                    .iter()
                    .map(|(key, _)| {
                        json!({"key": key, "fields": {"resolution": {"name": self.resolution}},
                               "properties": {"handoff": {"step": "task-1"}}})
                    })
                    .collect();
                Reply::Json(200, json!({"issues": issues}))
            }
            ("POST", "/jira/rest/api/3/search/jql")
                if asked.json()["fields"].to_string().contains("summary") =>
            {
                Reply::Json(200, json!({"issues": self.onboarding}))
            }
            _ => return None,
        })
    }
}

fn story(number: u32, who: (&str, &str), at: &str, text: &str) -> Value {
    json!({"gid": format!("5{number}"), "type": "comment", "resource_subtype": "comment_added",
           "created_at": at, "created_by": {"gid": who.0, "name": who.1}, "text": text})
}

fn moved_story(who: (&str, &str), at: &str) -> Value {
    json!({"gid": "599", "type": "system", "resource_subtype": "due_date_changed",
           "created_at": at, "created_by": {"gid": who.0, "name": who.1}, "text": "changed the due date"})
}

fn comment(number: u32, who: Value, at: &str, lines: &[&str]) -> Value {
    let content: Vec<Value> = lines
        .iter()
        .map(|line| json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}))
        .collect();
    json!({"id": number.to_string(), "author": who, "created": at, "body": {"type": "doc", "version": 1, "content": content}})
}

fn change(number: u32, who: Value, at: &str, field: &str, to: &str) -> Value {
    json!({"id": number.to_string(), "author": who, "created": at, "items": [{"field": field, "to": to, "toString": to}]})
}

fn account(id: &str, name: &str, kind: &str) -> Value {
    json!({"accountId": id, "displayName": name, "accountType": kind})
}

fn sam() -> Value {
    account("acc-sam", "Sam Lee", "atlassian")
}

const SAM: (&str, &str) = ("901", "Sam Lee");
const BOT: (&str, &str) = ("900", "Handoff Bot");

struct Setup {
    sandbox: Sandbox,
    people: Arc<Mutex<People>>,
    fake: Fake,
}

impl Setup {
    /// One signed handoff with its project in this vendor.
    async fn new(vendor: &str) -> Self {
        let people = Arc::new(Mutex::new(People::default()));
        let (state, vendors) = (people.clone(), Mutex::new(Vendors::default()));
        let fake = Fake::serve(move |asked| {
            let vendors = &mut *vendors.lock().unwrap();
            let read = state.lock().unwrap().answer(asked, vendors);
            read.unwrap_or_else(|| vendors.answer(asked))
        })
        .await;
        let url = &fake.url;
        let deliver = match vendor {
            "asana" => format!(
                "asana: {{template: \"1207\", workspace: \"5\", base_url: \"{url}/asana\"}}"
            ),
            _ => format!("jira: {{project: ONB, base_url: \"{url}/jira\"}}"),
        };
        let sandbox =
            ledger(&format!("deliver:\n  outbox: {{events: [task_opened]}}\n  {deliver}\n"));
        let setup = Self { sandbox, people, fake };
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        setup.run(&["sign", &event]).exits(0);
        setup
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        let secrets = secrets("smtp://127.0.0.1:1");
        let secrets: Vec<(&str, &str)> =
            secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.sandbox.handoff_with("ledger", arguments, &secrets)
    }

    fn with(&self, change: impl FnOnce(&mut People)) {
        change(&mut self.people.lock().unwrap());
    }

    fn row(&self) -> Value {
        self.run(&["status", KEY, "--format", "json"]).exits(0).json()["handoffs"][0].clone()
    }

    /// What was read back, as `event by at`.
    fn read_back(&self) -> Vec<String> {
        let row = self.row();
        let events = row["events"].as_array().unwrap().iter();
        let kinds = ["touched", "accepted", "returned", "deadline_moved"];
        events
            .filter(|event| kinds.iter().any(|kind| event["event"] == *kind))
            .map(|event| {
                let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
                format!("{} by {} {}", text("event"), text("by"), text("at"))
            })
            .collect()
    }

    /// Reads five times more, and fails if anything is added.
    fn five_times_more(&self) {
        let head = self.sandbox.git("ledger", &["rev-parse", "HEAD"]);
        for _ in 0..5 {
            self.run(&["sync", KEY]).exits(0);
        }
        assert_eq!(self.sandbox.git("ledger", &["rev-parse", "HEAD"]), head, "nothing is added");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asana_tells_the_first_touch_the_verdict_and_not_what_handoff_itself_did() {
    let setup = Setup::new("asana").await;
    setup.with(|people| {
        people.stories = vec![
            story(1, BOT, "2026-10-14T16:00:00.000Z", "/accept"),
            json!({"gid": "52", "type": "system", "resource_subtype": "assigned", "created_at": "2026-10-14T16:01:00.000Z", "created_by": null}),
            story(3, SAM, "2026-10-15T09:00:00.000Z", "/return wrong: <b>x</b> @team\nmore"),
            story(2, SAM, "2026-10-15T09:30:00.000Z", "who is this?"),
            story(4, SAM, "2026-10-15T10:00:00.000Z", "/touched, called Dana"),
            story(5, SAM, "2026-10-15T11:00:00.000Z", "/accept"),
        ];
        people.faults = vec![429, 503];
    });
    let ran = setup.run(&["sync"]).exits(0);
    assert!(ran.stderr.contains("\"Handoff Bot\""), "its own acts are named: {}", ran.stderr);
    assert_eq!(
        setup.read_back(),
        [
            "returned by Sam Lee 2026-10-15T09:00:00Z",
            "touched by Sam Lee 2026-10-15T10:00:00Z",
            "accepted by Sam Lee 2026-10-15T11:00:00Z",
        ]
    );
    let row = setup.row();
    let returned =
        row["events"].as_array().unwrap().iter().find(|e| e["event"] == "returned").unwrap();
    assert_eq!(returned["reason"], "wrong: <b>x</b> @team");
    assert_eq!(returned["ref"], "https://app.asana.com/0/90/70/53");
    assert_eq!(returned["via"], "asana");
    setup.five_times_more();
    assert!(setup.fake.count("GET", "/asana/tasks/70/stories") > 6, "all pages are read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_task_is_a_touch_and_a_project_that_is_gone_is_unknown() {
    let setup = Setup::new("asana").await;
    setup.with(|people| {
        people.task = json!({"completed": true, "completed_at": "2026-10-15T12:00:00.000Z",
                             "completed_by": {"gid": "901", "name": "Sam Lee"}});
    });
    setup.with(|people| people.gone = true);
    let gone = setup.run(&["sync"]).exits(3);
    assert!(gone.stderr.contains("not known what people did"), "{}", gone.stderr);
    assert_eq!(setup.read_back(), Vec::<String>::new(), "and never no touch");
    setup.with(|people| people.gone = false);
    setup.run(&["sync"]).exits(0);
    assert_eq!(setup.read_back(), ["touched by Sam Lee 2026-10-15T12:00:00Z"]);
    setup.five_times_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn jira_tells_comments_and_the_first_task_done() {
    let setup = Setup::new("jira").await;
    let bot = || account("acc-bot", "Handoff", "atlassian");
    setup.with(|people| {
        people.comments = vec![
            comment(1, bot(), "2026-10-14T16:00:00.000+0000", &["made by handoff"]),
            comment(
                2,
                account("acc-app", "Automation", "app"),
                "2026-10-14T16:30:00.000+0000",
                &["hello"],
            ),
            comment(
                3,
                sam(),
                "2026-10-15T12:00:00.000+0200",
                &["/return", "the metric has", "no target"],
            ),
            comment(4, sam(), "2026-10-15T13:00:00.000+0000", &["/accept"]),
        ];
        people.changes = vec![
            change(11, bot(), "2026-10-14T16:00:00.000+0000", "status", "3"),
            change(
                12,
                account("acc-app", "Automation", "app"),
                "2026-10-14T17:00:00.000+0000",
                "status",
                "3",
            ),
            change(13, sam(), "2026-10-15T12:30:00.000+0000", "status", "3"),
        ];
        people.begun = vec![(
            "ONB-2".to_owned(),
            change(21, sam(), "2026-10-15T11:30:00.000+0000", "status", "3"),
        )];
        people.faults = vec![503, 429];
        people.resolution = "Won't Do";
    });
    setup.run(&["sync", "--dry-run"]).exits(0);
    let dropped = setup.run(&["sync", "--dry-run", "--format", "json"]).exits(0).json();
    assert!(!dropped.to_string().contains("touched"), "a task that was dropped is none: {dropped}");
    setup.with(|people| people.resolution = "Done");
    setup.run(&["sync"]).exits(0);
    assert_eq!(
        setup.read_back(),
        [
            "returned by Sam Lee 2026-10-15T10:00:00Z",
            "touched by Sam Lee 2026-10-15T11:30:00Z",
            "accepted by Sam Lee 2026-10-15T13:00:00Z",
        ]
    );
    let row = setup.row();
    let events = row["events"].as_array().unwrap();
    let find = |kind: &str| events.iter().find(|event| event["event"] == kind).unwrap();
    assert_eq!(find("returned")["reason"], "the metric has no target");
    let reference = |kind: &str| find(kind)["ref"].as_str().unwrap().replace(&setup.fake.url, "");
    assert_eq!(reference("returned"), "/jira/browse/ONB-1?focusedCommentId=3");
    assert_eq!(reference("touched"), "/jira/browse/ONB-2#history-21");
    setup.five_times_more();
    setup.with(|people| people.gone = true);
    setup.run(&["sync", KEY]).exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_was_moved_in_time_counts_and_one_moved_too_late_does_not() {
    // (vendor, moved at, who; the deadline that counts then)
    let end_of_day = "2026-10-20T23:59:59Z";
    for (vendor, at, is_own, in_force) in [
        ("jira", "2026-10-15T09:00:00.000+0000", false, end_of_day),
        ("jira", "2026-10-15T16:00:00.000+0000", false, "2026-10-15T15:43:53Z"),
        ("jira", "2026-10-15T09:00:00.000+0000", true, "2026-10-15T15:43:53Z"),
        ("asana", "2026-10-15T09:00:00.000Z", false, "2026-10-20T12:00:00Z"),
        ("asana", "2026-10-15T16:00:00.000Z", false, "2026-10-15T15:43:53Z"),
        ("asana", "2026-10-15T09:00:00.000Z", true, "2026-10-15T15:43:53Z"),
    ] {
        let setup = Setup::new(vendor).await;
        assert_eq!(setup.row()["due"], "2026-10-15T15:43:53Z", "a day after {SIGNED}");
        setup.run(&["sync"]).exits(0);
        assert_eq!(setup.read_back(), Vec::<String>::new(), "what handoff set was not moved");
        setup.with(|people| {
            people.duedate = Some("2026-10-20");
            let who = if is_own { account("acc-bot", "Handoff", "atlassian") } else { sam() };
            people.changes = vec![change(12, who, at, "duedate", "2026-10-20")];
            people.task = json!({"due_at": "2026-10-20T12:00:00.000Z"});
            people.stories = vec![moved_story(if is_own { BOT } else { SAM }, at)];
        });
        let ran = setup.run(&["sync"]).exits(0);
        assert_eq!(setup.row()["due"], in_force, "{vendor} {at} {is_own}");
        let late = at.contains("T16");
        assert_eq!(ran.stderr.contains("when it had passed already"), late, "{}", ran.stderr);
        // Brief, instruction and page say the one that counts.
        let counts = !late && !is_own;
        for (name, words) in [
            ("brief.yaml", in_force),
            ("brief.yaml", if counts { "by Tue 20 Oct 2026" } else { "by Thu 15 Oct 2026" }),
            ("README.md", if counts { "2026-10-20" } else { "2026-10-15" }),
        ] {
            let path = setup.sandbox.git("ledger", &["ls-files", &format!("briefs/*{name}")]);
            let text = setup.sandbox.git("ledger", &["show", &format!("HEAD:{}", path.trim())]);
            assert!(text.contains(words), "{vendor} {at} {is_own}: {words} in {text}");
        }
        setup.run(&["deliver"]).exits(0);
        assert_eq!(setup.read_back().len(), usize::from(!is_own), "{:?}", setup.read_back());
        setup.five_times_more();
    }
}

/// The rules that an audit of the one deal finds.
fn audit_rules(setup: &Setup) -> Vec<String> {
    let audit = setup.run(&["audit", "--format", "json"]).json();
    let findings = audit["findings"].as_array().unwrap_or_else(|| panic!("{audit}")).clone();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_before_at_and_after_the_deadline_is_read_right() {
    for (at, late) in [
        ("2026-10-15T15:43:52.000Z", false),
        ("2026-10-15T15:43:53.000Z", false),
        ("2026-10-15T15:43:54.000Z", true),
    ] {
        let setup = Setup::new("asana").await;
        assert!(audit_rules(&setup).contains(&"first-touch-overdue".to_owned()), "nobody has yet");
        setup.with(|people| people.stories = vec![story(1, SAM, at, "/touched")]);
        setup.run(&["sync"]).exits(0);
        let rules = audit_rules(&setup);
        assert_eq!(rules.contains(&"first-touch-late".to_owned()), late, "{at}: {rules:?}");
        assert!(!rules.contains(&"first-touch-overdue".to_owned()), "{rules:?}");
    }
    // A deadline that was moved in time moves the audit's clock, too.
    let setup = Setup::new("asana").await;
    setup.with(|people| {
        people.task = json!({"due_at": "2026-10-20T12:00:00.000Z"});
        people.stories = vec![
            moved_story(SAM, "2026-10-15T09:00:00.000Z"),
            story(1, SAM, "2026-10-19T09:00:00.000Z", "/touched"),
        ];
    });
    setup.run(&["sync"]).exits(0);
    assert!(!audit_rules(&setup).contains(&"first-touch-late".to_owned()));
}

/// A task of the onboarding project, as a vendor tells it.
fn task(vendor: &str, name: &str, due: &str, is_done: bool) -> Value {
    match vendor {
        "asana" => {
            json!({"gid": "81", "name": name, "due_on": due, "due_at": null, "completed": is_done})
        }
        _ => json!({"key": "ONB-9", "properties": {"handoff": {"step": "task-3"}}, "fields": {
            "summary": name, "duedate": due,
            "status": {"statusCategory": {"key": if is_done { "done" } else { "new" }}},
        }}),
    }
}

impl Setup {
    fn is_overdue(&self, now: &str) -> bool {
        let report = self.run(&["audit", "--format", "json", "--now", now]).json();
        let deals = report["deals"].as_array().unwrap();
        let deal = deals.iter().find(|deal| deal["key"] == KEY).unwrap();
        deal["findings"].as_array().unwrap().iter().any(|rule| rule == "onboarding-overdue")
    }

    /// What a reading of every handoff adds about the project, with its reason.
    fn onboarding(&self, now: &str) -> Vec<String> {
        let read = self.run(&["sync", "--format", "json", "--now", now]).exits(0).json();
        let handoffs = read["handoffs"].as_array().unwrap().iter();
        let added = handoffs.flat_map(|it| it["added"].as_array().unwrap());
        added
            .filter(|it| it["event"].as_str().unwrap().starts_with("onboarding"))
            .map(|it| {
                format!("{}: {}", it["event"].as_str().unwrap(), it["reason"].as_str().unwrap())
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_onboarding_tasks_past_their_day_are_found_until_they_are_done() {
    for vendor in ["asana", "jira"] {
        let setup = Setup::new(vendor).await;
        let of = |tasks: [(&str, &str, bool); 3]| {
            let told = tasks.map(|(name, due, is_done)| task(vendor, name, due, is_done));
            setup.with(|people| people.onboarding = told.to_vec());
        };
        of([
            ("Kickoff", "2026-11-21", false),
            ("Import", "2026-11-30", false),
            ("SSO", "2026-11-01", true),
        ]);
        assert_eq!(setup.onboarding("2026-11-20T18:00:00Z"), Vec::<String>::new(), "{vendor}");
        assert!(!setup.is_overdue("2026-11-25T09:00:00Z"), "{vendor}: nothing is proven yet");
        let late = "onboarding_seen: 1 of 3 tasks open past their day: \"Kickoff\" (2026-11-21)";
        assert_eq!(setup.onboarding("2026-11-25T10:00:00Z"), [late], "{vendor}");
        assert_eq!(setup.onboarding("2026-11-25T10:30:00Z"), Vec::<String>::new(), "said once");
        assert!(setup.is_overdue("2026-11-25T11:00:00Z"), "{vendor}");

        // Another day: `sync KEY`, as the help says.
        of([
            ("Kickoff", "2026-12-01", false),
            ("Import", "2026-11-30", false),
            ("SSO", "2026-11-01", true),
        ]);
        setup.run(&["sync", KEY, "--now", "2026-11-25T12:00:00Z"]).exits(0);
        assert!(!setup.is_overdue("2026-11-25T13:00:00Z"), "{vendor}");

        // The CSM is done, and the project goes on.
        for act in ["touch", "accept"] {
            let line = [act, KEY, "--by", "samlee", "--now", "2026-11-25T14:00:00Z"];
            setup.run(&line).exits(0);
        }
        let late = "onboarding_seen: 2 of 3 tasks open past their day: \"Import\" (2026-11-30), \"Kickoff\" (2026-12-01)";
        assert_eq!(setup.onboarding("2026-12-03T10:00:00Z"), [late], "{vendor}");
        assert!(setup.is_overdue("2026-12-03T11:00:00Z"), "{vendor}");
        of([
            ("Kickoff", "2026-12-01", true),
            ("Import", "2026-11-30", true),
            ("SSO", "2026-11-01", true),
        ]);
        assert_eq!(
            setup.onboarding("2026-12-03T12:00:00Z"),
            ["onboarding_done: all 3 tasks are done"],
            "{vendor}"
        );
        assert!(!setup.is_overdue("2026-12-03T13:00:00Z"), "{vendor}");
        let asked = |setup: &Setup| {
            setup.fake.count("GET", "/asana/projects/90/tasks")
                + setup.fake.count("POST", "/jira/rest/api/3/search/jql")
        };
        let before = asked(&setup);
        assert_eq!(setup.onboarding("2026-12-04T12:00:00Z"), Vec::<String>::new(), "{vendor}");
        assert_eq!(asked(&setup), before, "{vendor}: what is done is not asked about any more");
    }
}
