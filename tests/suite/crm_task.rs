//! `deliver.crm_task` through the real binary against each CRM: one task,
//! however often and wherever it is cut; what people do about it comes back.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::crm_binary::{CRMS, Fake, World};
use crate::hubspot::fake::Planned;
use crate::killed::killer::{At, Killer, Point, When};
use crate::sandbox::NOW;

/// A deal of the samples that has a company, and the company.
fn deal(crm: &str) -> (&'static str, &'static str) {
    match crm {
        "hubspot" => ("31874500101", "19900300201"),
        "salesforce" => ("006Hs00000aB1cDIAS", "001Hs00000aAcDeIAV"),
        _ => ("7001", "501"),
    }
}

/// Sam and Kim are users, and the task goes to the CRM.
fn world(crm: &'static str) -> World {
    let world = World::of(crm, "");
    world.edit("before_push: true", "before_push: true\n  crm_task: {}");
    match &world.fake {
        Fake::HubSpot(fake) => {
            let mut account = fake.state();
            for (id, first, last) in [("42", "Sam", "Lee"), ("43", "Kim", "Doe")] {
                let email = format!("{}@example.com", first.to_lowercase());
                let user: u64 = id.parse().unwrap();
                account.owners.insert(id.to_owned(), json!({"id": id, "userId": user + 100, "firstName": first, "lastName": last, "email": email, "archived": false}));
            }
        }
        Fake::Salesforce(fake) => {
            fake.state().people.entry("User").or_default().extend([
                json!({"Id": "005Sam", "Name": "Sam Lee", "Email": "sam@example.com", "UserType": "Standard"}),
                json!({"Id": "005Kim", "Name": "Kim Doe", "Email": "kim@example.com", "UserType": "Standard"}),
                json!({"Id": "005Api000000001", "Name": "Handoff", "Email": "api@example.com", "UserType": "Standard"}),
            ]);
        }
        Fake::Pipedrive(fake) => fake.state().users.extend([
            json!({"id": 42, "name": "Sam Lee", "email": "sam@example.com", "active_flag": true}),
            json!({"id": 43, "name": "Kim Doe", "email": "kim@example.com", "active_flag": true}),
        ]),
    }
    world
}

/// Kim joins the team once Sam has the handoff.
fn kim_joins(world: &World) {
    let kim = "csms:\n    - {name: Kim Doe, email: kim@example.com, github: kimdoe}";
    world.edit("csms:", kim);
}

/// The tasks that the CRM has, with the owner's first name.
fn tasks(world: &World) -> Vec<Value> {
    let name = |id: &Value| match id.to_string().trim_matches('"') {
        "42" | "005Sam" => "Sam",
        "43" | "005Kim" => "Kim",
        _ => "nobody",
    };
    match &world.fake {
        Fake::HubSpot(fake) => {
            let account = fake.state();
            let on = |kind: &str, id: &str, task: &Value| {
                let links = account.links.get(kind).and_then(|links| links.get(id));
                links.into_iter().flatten().any(|link| link["toObjectId"] == task["id"])
            };
            let (deal, company) = deal("hubspot");
            let tasks = account.objects.get("tasks").into_iter().flatten();
            tasks
                .map(|(_, task)| {
                    let of = &task["properties"];
                    json!({"subject": of["hs_task_subject"], "body": of["hs_task_body"],
                        "due": of["hs_timestamp"], "owner": name(&of["hubspot_owner_id"]),
                        "deal": on("tasks", deal, task), "company": on("companies/tasks", company, task)})
                })
                .collect()
        }
        Fake::Salesforce(fake) => {
            let org = fake.state();
            org.tasks
                .iter()
                .map(|task| {
                    json!({"subject": task["Subject"], "body": task["Description"],
                        "due": task["ActivityDate"], "owner": name(&task["OwnerId"]),
                        "deal": task["WhatId"] == deal("salesforce").0, "company": true})
                })
                .collect()
        }
        Fake::Pipedrive(fake) => {
            let company = fake.state();
            company
                .activities
                .iter()
                .map(|it| {
                    let due = format!(
                        "{} {}",
                        it["due_date"].as_str().unwrap(),
                        it["due_time"].as_str().unwrap()
                    );
                    json!({"subject": it["subject"], "body": it["note"], "due": due,
                        "owner": name(&it["owner_id"]), "deal": it["deal_id"] == 7001,
                        "company": it["org_id"] == 501})
                })
                .collect()
        }
    }
}

/// How the due date of the first touch stands there.
fn due(crm: &str, day: &str) -> String {
    match crm {
        "hubspot" => format!("2026-11-{day}T15:01:58.000Z"),
        "salesforce" => format!("2026-11-{day}"),
        _ => format!("2026-11-{day} 15:01:58"),
    }
}

fn only(world: &World) -> Value {
    let tasks = tasks(world);
    assert_eq!(tasks.len(), 1, "{}: {tasks:#?}", world.crm);
    tasks[0].clone()
}

fn deliver(world: &World, key: &str, code: i32) -> Value {
    world.run(&["deliver", key, "--no-push", "--format", "json"]).exits(code).json()
}

#[test]
fn one_task_for_the_csm_and_five_more_runs_add_nothing() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deal(crm).0, 0);
        let key = signed["key"].as_str().unwrap();
        let task = only(&world);
        assert_eq!(task["owner"], "Sam", "{crm}: {task:#}");
        assert_eq!((&task["deal"], &task["company"]), (&json!(true), &json!(true)), "{crm}");
        assert_eq!(task["due"], due(crm, "21"), "{crm}");
        let (subject, body) = (task["subject"].as_str().unwrap(), task["body"].as_str().unwrap());
        assert!(
            subject.starts_with("First touch: ") && subject.ends_with(&format!("[{key}]")),
            "{subject}"
        );
        for words in ["Mark this task as completed", "github.com/acme/handoffs", "--- handoff "] {
            assert!(body.contains(words), "{crm}: {words} in {body}");
        }
        assert!(!body.contains("/touched"), "comments are not read there: {body}");
        let timeline = world.timeline(&signed);
        assert!(
            timeline.contains("event: task_opened") && timeline.contains("via: crm_task"),
            "{timeline}"
        );
        let writes = world.writes().len();
        for _ in 0..5 {
            deliver(&world, key, 0);
            world.sign(deal(crm).0, 0);
        }
        // As if the machine had gone down before it was recorded: it is found.
        world.sandbox.git("l", &["reset", "-q", "--hard", "HEAD~1"]);
        deliver(&world, key, 0);
        assert_eq!(world.writes().len(), writes, "{crm}: {:#?}", world.writes());
        assert!(world.timeline(&signed).contains("via: crm_task"));
        only(&world);
    }
}

#[test]
fn what_the_crm_refuses_is_said_and_what_it_lost_is_looked_for() {
    std::thread::scope(|scope| {
        for crm in CRMS {
            scope.spawn(move || refused_and_lost(crm));
        }
    });
}

fn refused_and_lost(crm: &'static str) {
    let (place, scope) = match crm {
        "hubspot" => (
            "2026-09/tasks",
            json!({"status": "error", "category": "MISSING_SCOPES",
            "message": "This app hasn't been granted all required scopes",
            "errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]}),
        ),
        "salesforce" => (
            "sobjects/Task",
            json!([{"errorCode": "INSUFFICIENT_ACCESS", "message": "insufficient access rights"}]),
        ),
        _ => (
            "POST /api/v2/activities",
            json!({"success": false, "error": "Scope and URL mismatch"}),
        ),
    };
    // A scope that is missing is a refusal, and a limit passes.
    let world = world(crm);
    world.fail(place, 2, 403, &scope);
    let signed = world.sign(deal(crm).0, 3);
    let key = signed["key"].as_str().unwrap().to_owned();
    let timeline = world.timeline(&signed);
    assert!(timeline.contains("ref: task_opened") && timeline.contains("refused: "), "{timeline}");
    assert_eq!(crm == "hubspot", timeline.contains("crm.objects.contacts.write"), "{timeline}");
    assert_eq!(tasks(&world), [] as [Value; 0], "{crm}");
    // Somebody who has left is no owner, and the task is there all the same.
    match &world.fake {
        Fake::HubSpot(fake) => fake.state().owners.get_mut("42").unwrap()["archived"] = json!(true),
        Fake::Salesforce(fake) => {
            fake.state().people.get_mut("User").unwrap()[0]["IsActive"] = json!(false)
        }
        Fake::Pipedrive(fake) => fake.state().users[0]["active_flag"] = json!(false),
    }
    deliver(&world, &key, 0);
    assert_eq!(only(&world)["owner"], "nobody", "{crm}");
    let timeline = world.timeline(&signed);
    assert!(
        timeline.contains("assigned to nobody") && timeline.contains("sam@example.com"),
        "{timeline}"
    );
    // Made, and the answer lost: looked for, and found.
    let world = self::world(crm);
    match &world.fake {
        Fake::HubSpot(fake) => fake.plan(
            "objects/2026-09/tasks",
            [Planned::Pass, Planned::ActAndFail(502)].into_iter().skip(1),
        ),
        Fake::Salesforce(fake) => fake.state().lost = 1,
        Fake::Pipedrive(fake) => fake.state().lost = 1,
    }
    let signed = world.sign(deal(crm).0, 0);
    only(&world);
    assert!(world.timeline(&signed).contains("via: crm_task"), "{crm}");
}

#[test]
fn another_csm_and_another_deadline_follow() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deal(crm).0, 0);
        let (key, path) = (signed["key"].as_str().unwrap(), signed["path"].as_str().unwrap());
        kim_joins(&world);
        world.run(&["assign", key, "kimdoe", "--by", "boss", "--no-push"]).exits(0);
        deliver(&world, key, 0);
        let task = only(&world);
        assert_eq!(task["owner"], "Kim", "{crm}");
        assert!(task["body"].as_str().unwrap().contains("Kim Doe"), "{crm}: {task:#}");
        let file = world.sandbox.join("l").join(path).join("brief.yaml");
        let brief = fs::read_to_string(&file).unwrap();
        assert!(brief.contains("2026-11-21T15:01:58Z"), "{brief}");
        fs::write(&file, brief.replace("2026-11-21T15:01:58Z", "2026-11-25T15:01:58Z")).unwrap();
        world.sandbox.git("l", &["commit", "-qam", "a later day"]);
        deliver(&world, key, 0);
        assert_eq!(only(&world)["due"], due(crm, "25"), "{crm}");
        let writes = world.writes().len();
        for _ in 0..3 {
            deliver(&world, key, 0);
        }
        assert_eq!(world.writes().len(), writes, "{crm}");
        // What handoff itself wrote is nobody's act.
        let read = sync(&world, key);
        assert_eq!(read["added"], json!([]), "{crm}");
    }
}

fn sync(world: &World, key: &str) -> Value {
    let later = "2026-11-21T12:00:00Z";
    let ran = world.run(&["sync", key, "--no-push", "--format", "json", "--now", later]).exits(0);
    ran.json()["handoffs"][0].clone()
}

const DONE: &str = "2026-11-20T20:00:00Z";

/// Somebody completes the task: Sam, the rep or a machine.
fn complete(world: &World, who: &str) {
    match &world.fake {
        Fake::HubSpot(fake) => {
            let mut account = fake.state();
            account.owners.insert("7".to_owned(), json!({"id": "7", "userId": 107, "firstName": "Rep", "email": "rep@example.com", "archived": false}));
            let user = match who {
                "Sam" => 142,
                _ => 107,
            };
            let task = account.objects.get_mut("tasks").unwrap().values_mut().next().unwrap();
            task["properties"]["hs_task_status"] = json!("COMPLETED");
            let source = if who == "a machine" { "AUTOMATION_PLATFORM" } else { "CRM_UI" };
            task["propertiesWithHistory"]["hs_task_status"] = json!([
                {"value": "COMPLETED", "timestamp": DONE, "sourceType": source, "updatedByUserId": user},
                {"value": "NOT_STARTED", "timestamp": "2026-11-20T17:00:01Z", "sourceType": "INTEGRATION"}]);
        }
        Fake::Salesforce(fake) => {
            let mut org = fake.state();
            org.people.entry("User").or_default().extend([
                json!({"Id": "005Rep", "Name": "Rep", "Email": "rep@example.com", "UserType": "Standard"}),
                json!({"Id": "005Auto", "Name": "Automated Process", "UserType": "AutomatedProcess"}),
            ]);
            let user = match who {
                "Sam" => "005Sam",
                "a machine" => "005Auto",
                _ => "005Rep",
            };
            let at = DONE.replace('Z', ".000+0000");
            let task = &mut org.tasks[0];
            for (name, value) in [
                ("IsClosed", json!(true)),
                ("Status", json!("Completed")),
                ("CompletedDateTime", json!(at)),
                ("LastModifiedDate", json!(at)),
                ("LastModifiedById", json!(user)),
            ] {
                task[name] = value;
            }
        }
        Fake::Pipedrive(fake) => {
            let task = &mut fake.state().activities[0];
            task["done"] = json!(true);
            task["marked_as_done_time"] = json!(DONE);
            task["update_time"] = json!(DONE);
        }
    }
}

#[test]
fn its_completion_is_a_claimed_touch_once_and_only_of_those_who_count() {
    for crm in CRMS {
        for who in ["Sam", "the rep", "a machine"] {
            // Pipedrive does not say who did it.
            if crm == "pipedrive" && who != "Sam" {
                continue;
            }
            let world = world(crm);
            let signed = world.sign(deal(crm).0, 0);
            let (key, path) = (signed["key"].as_str().unwrap(), signed["path"].as_str().unwrap());
            let file = world.sandbox.join("l").join(path).join("brief.yaml");
            let brief: String = fs::read_to_string(&file).unwrap();
            let owner = brief.find("\n  owner:").map(|at| at + 1).expect("the deal's owner");
            let end = brief[owner..].find("\n  closed").map_or(owner, |at| owner + at + 1);
            let rep = "  owner:\n    name: Rep\n    email: rep@example.com\n";
            fs::write(&file, format!("{}{rep}{}", &brief[..owner], &brief[end..])).unwrap();
            world.sandbox.git("l", &["commit", "-qam", "the rep"]);
            assert_eq!(sync(&world, key)["added"], json!([]), "{crm}: nothing was done");
            complete(&world, who);
            let read = sync(&world, key);
            if who != "Sam" {
                assert_eq!(read["added"], json!([]), "{crm} by {who}: {read:#}");
                continue;
            }
            let added = &read["added"][0];
            assert_eq!(
                (&added["event"], &added["via"], &added["by"], &added["at"], &added["evidence"]),
                (
                    &json!("touched"),
                    &json!("crm_task"),
                    &json!("Sam Lee"),
                    &json!(DONE),
                    &json!("claimed")
                ),
                "{crm}: {read:#}"
            );
            assert_eq!(added["reason"].is_string(), crm == "pipedrive", "{added}");
            assert_eq!(sync(&world, key)["added"], json!([]), "{crm}: read once");
        }
    }
}

#[test]
fn another_day_and_another_owner_there_are_read_back() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deal(crm).0, 0);
        let key = signed["key"].as_str().unwrap();
        kim_joins(&world);
        match &world.fake {
            Fake::HubSpot(fake) => {
                let mut account = fake.state();
                let task = account.objects.get_mut("tasks").unwrap().values_mut().next().unwrap();
                for (name, value) in
                    [("hs_timestamp", "2026-11-23T09:00:00Z"), ("hubspot_owner_id", "43")]
                {
                    task["properties"][name] = json!(value);
                    task["propertiesWithHistory"][name] = json!([{"value": value, "timestamp": DONE, "sourceType": "CRM_UI", "updatedByUserId": 142}]);
                }
            }
            Fake::Salesforce(fake) => {
                let task = &mut fake.state().tasks[0];
                task["ActivityDate"] = json!("2026-11-23");
                task["OwnerId"] = json!("005Kim");
                task["LastModifiedById"] = json!("005Sam");
                task["LastModifiedDate"] = json!(DONE.replace('Z', ".000+0000"));
            }
            Fake::Pipedrive(fake) => {
                let task = &mut fake.state().activities[0];
                task["due_date"] = json!("2026-11-23");
                task["due_time"] = json!("09:00");
                task["owner_id"] = json!(43);
                task["update_time"] = json!(DONE);
            }
        }
        let added = sync(&world, key)["added"].clone();
        let of =
            |event: &str| added.as_array().unwrap().iter().find(|it| it["event"] == event).cloned();
        let moved = of("deadline_moved").unwrap_or_else(|| panic!("{crm}: {added:#}"));
        let end = if crm == "salesforce" { "2026-11-23T23:59:59Z" } else { "2026-11-23T09:00:00Z" };
        assert_eq!(moved["due"], end, "{crm}");
        let given = of("assigned").unwrap_or_else(|| panic!("{crm}: {added:#}"));
        assert_eq!(given["via"], "crm_task", "{crm}");
        let row = world.run(&["status", key, "--format", "json"]).exits(0).json();
        assert_eq!(row["handoffs"][0]["csm"], "Kim Doe", "{crm}");
        deliver(&world, key, 0);
        assert_eq!(sync(&world, key)["added"], json!([]), "{crm}: read once");
        assert_eq!(only(&world)["owner"], "Kim", "{crm}");
    }
}

#[test]
fn a_task_that_is_gone_is_unknown_and_never_no_touch() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deal(crm).0, 0);
        match &world.fake {
            Fake::HubSpot(fake) => drop(fake.state().objects.remove("tasks")),
            Fake::Salesforce(fake) => fake.state().tasks[0]["IsDeleted"] = json!(true),
            Fake::Pipedrive(fake) => fake.state().activities[0]["is_deleted"] = json!(true),
        }
        let key = signed["key"].as_str().unwrap();
        let ran = world.run(&["sync", key, "--no-push"]).exits(3);
        assert!(ran.stderr.contains("any more"), "{crm}: {}", ran.stderr);
    }
}

#[test]
fn doctor_says_what_may_not_be_written_and_writes_nothing() {
    for crm in CRMS {
        let world = world(crm);
        let check = |world: &World| {
            let ran = world.run(&["doctor", "--format", "json"]);
            let all: Value = serde_json::from_str(&ran.stdout).unwrap();
            let mut checks = all["checks"].as_array().unwrap().iter();
            let of = |it: &&Value| it["what"].as_str().unwrap().starts_with("crm_task: ");
            checks.find(of).cloned().unwrap_or_else(|| panic!("{crm}: {all:#}"))
        };
        assert_eq!(check(&world)["level"], "ok", "{crm}: {}", check(&world));
        match &world.fake {
            Fake::HubSpot(fake) => {
                let refusal = json!({"status": "error", "category": "MISSING_SCOPES", "message": "no",
                    "errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]});
                fake.plan("tasks/0", [Planned::Answer(403, vec![], refusal)]);
            }
            Fake::Salesforce(fake) => fake.state().no_tasks = true,
            Fake::Pipedrive(fake) => {
                fake.plan("PATCH /api/v2/activities", [Some((403, vec![], json!({"error": "no"})))])
            }
        }
        let told = check(&world);
        assert_eq!(told["level"], "failed", "{crm}: {told}");
        assert!(told["remedy"].as_str().unwrap().len() > 10, "{told}");
        assert_eq!(tasks(&world), [] as [Value; 0], "{crm}");
    }
}

#[test]
fn without_a_crm_that_has_tasks_it_is_refused() {
    let sandbox = crate::sandbox::Sandbox::new();
    sandbox
        .handoff(".", &["init", "l", "--crm", "file", "--csm", "Sam <sam@example.com> @sam"])
        .exits(0);
    let columns = "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n";
    sandbox.write("l/deals.csv", columns);
    let file = sandbox.join("l/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("outbox: {dir: outbox}", "crm_task: {}")).unwrap();
    let ran = sandbox.handoff("l", &["deliver"]).exits(2);
    assert!(ran.stderr.contains("`crm:` names none that has tasks"), "{}", ran.stderr);
}

/// Signs, and is killed at a point; whether it was, and the points passed.
fn killed(world: &World, at: At) -> (bool, Vec<Point>) {
    let killer = Killer::new();
    match &world.fake {
        Fake::HubSpot(fake) => fake.state().killer = Some(killer.clone()),
        Fake::Salesforce(fake) => fake.state().killer = Some(killer.clone()),
        Fake::Pipedrive(fake) => fake.state().killer = Some(killer.clone()),
    }
    killer.arm(at);
    let contract = world.contract(deal(world.crm).0, "2026-11-20T15:01:58Z");
    let mut command = world.sandbox.command(env!("CARGO_BIN_EXE_handoff"), world.sandbox.join("l"));
    command.args(["--now", NOW, "sign", &contract, "--no-push"]);
    command.envs(world.secrets.iter().map(|(name, value)| (*name, value.as_str())));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    killer.follow(command.spawn().unwrap());
    killer.outcome()
}

#[test]
fn killed_at_each_step_there_is_one_task_when_it_is_run_again() {
    for crm in CRMS {
        let (was_killed, points) = killed(&world(crm), At::Never);
        assert!(!was_killed);
        let makes = |point: &Point| {
            point.when == When::Done
                && ["/tasks", "/Task", "/activities"].iter().any(|end| point.request.ends_with(end))
        };
        let made = points.iter().position(makes).unwrap_or_else(|| panic!("{crm}: {points:?}"));
        // Behind the brief, every request is one of the task.
        for (at, point) in points.iter().enumerate().skip(made.saturating_sub(6)) {
            let world = world(crm);
            assert!(killed(&world, At::Number(at)).0, "{crm}: {point:?}");
            let (was_killed, _) = killed(&world, At::Never);
            assert!(!was_killed);
            only(&world);
            let count = |text: &str| {
                let files = world.sandbox.git("l", &["ls-files", "briefs/*timeline.yaml"]);
                let file = files.lines().next().expect("a timeline");
                fs::read_to_string(world.sandbox.join("l").join(file))
                    .unwrap()
                    .matches(text)
                    .count()
            };
            assert_eq!(count("event: task_opened"), 1, "{crm} at {point:?}");
        }
    }
}
