//! First touches: what each CRM shows of them, that a claim is not evidence,
//! and that what could not be read is said.

use std::time::Duration;

use chrono::{DateTime, Utc};
use handoff::crm::hubspot::{HubSpot, Pace};
use handoff::crm::pipedrive::Pipedrive;
use handoff::crm::salesforce::Salesforce;
use handoff::crm::{ActivitiesOf, Activity, Crm, CrmError};
use handoff::http::Schedule;
use handoff::model::{DealId, Person, Secrets};
use handoff::{settings, yaml};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::crm_binary::{CRMS, Fake, World};
use crate::crm_faults::faults;
use crate::{hubspot, pipedrive, salesforce};

/// The deal of the samples that has contacts, and one of them.
fn deal(crm: &str) -> (&'static str, &'static str) {
    match crm {
        "hubspot" => ("31874500101", "88120400301"),
        "salesforce" => ("006Hs00000aB1cD", "003Hs00000cDo01IAC"),
        _ => ("7001", "601"),
    }
}

const SIGNED: &str = "2026-11-02T15:00:00Z";
const NOW: &str = "2026-11-20T18:00:00Z";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// What the CRM has of Sam and others: how, what is odd about it, and when. The
/// call of 4 November is the first contact after the signature.
const HELD: [(&str, &str, &str); 11] = [
    ("call", "", "2026-11-01T09:00:00Z"),
    ("email", "bounced", "2026-11-02T16:00:00Z"),
    ("email", "incoming", "2026-11-02T17:00:00Z"),
    ("email", "of another", "2026-11-02T18:00:00Z"),
    ("call", "of another", "2026-11-03T09:00:00Z"),
    ("call", "not reached", "2026-11-03T10:00:00Z"),
    ("meeting", "cancelled", "2026-11-03T11:00:00Z"),
    ("call", "", "2026-11-04T10:00:00Z"),
    ("email", "", "2026-11-05T10:00:00Z"),
    ("meeting", "", "2026-11-06T10:00:00Z"),
    ("meeting", "planned", "2026-12-24T10:00:00Z"),
];

/// Sam is a user, and has written, called and met.
fn fill(fake: &Fake) {
    for (index, (kind, odd, at)) in HELD.iter().enumerate() {
        let id = 9_000 + u64::try_from(index).unwrap();
        match fake {
            Fake::HubSpot(fake) => in_hubspot(&mut fake.state(), id, kind, odd, at),
            Fake::Salesforce(fake) => in_salesforce(&mut fake.state(), id, kind, odd, at),
            Fake::Pipedrive(fake) => in_pipedrive(&mut fake.state(), id, kind, odd, at),
        }
    }
}

fn in_hubspot(account: &mut hubspot::fake::Account, id: u64, kind: &str, odd: &str, at: &str) {
    let owner = |id: &str, first: &str, email: &str| json!({"id": id, "firstName": first, "lastName": "Lee", "email": email, "archived": false});
    account.owners.insert("42".to_owned(), owner("42", "Sam", "Sam@example.com"));
    account.owners.insert("43".to_owned(), owner("43", "Kim", "kim@example.com"));
    let object = match kind {
        "call" => "calls",
        "email" => "emails",
        _ => "meetings",
    };
    let other = odd == "of another";
    let properties = match kind {
        "call" => json!({
            "hs_timestamp": at, "hs_createdate": at, "hs_call_status": "COMPLETED",
            "hs_call_disposition": (odd == "not reached").then_some("73a0d17f-1163-4015-bdd5-ec830791da20"),
            "hubspot_owner_id": if other { "43" } else { "42" },
        }),
        // The owner of an e-mail says nothing of who wrote it.
        "email" => json!({
            "hs_timestamp": time(at).timestamp_millis().to_string(), "hubspot_owner_id": "42",
            "hs_email_direction": if odd == "incoming" { "INCOMING_EMAIL" } else { "EMAIL" },
            "hs_email_status": if odd == "bounced" { "BOUNCED" } else { "SENT" },
            "hs_email_from_email": if other { "kim@example.com" } else { "sam@example.com" },
        }),
        _ => json!({
            "hs_timestamp": at, "hs_meeting_start_time": at, "hubspot_owner_id": "42",
            "hs_meeting_outcome": if odd == "cancelled" { "CANCELED" } else { "COMPLETED" },
        }),
    };
    account.add(object, json!({"id": id.to_string(), "properties": properties}));
    let links = account.links.entry(format!("contacts/{object}")).or_default();
    let link = json!({"toObjectId": id, "associationTypes": []});
    links.entry(deal("hubspot").1.to_owned()).or_default().push(link);
}

fn in_salesforce(org: &mut salesforce::fake::Org, id: u64, kind: &str, odd: &str, at: &str) {
    let at = at.replace('Z', ".000+0000");
    let other = odd == "of another";
    let users = org.people.entry("User").or_default();
    if users.is_empty() {
        users.push(json!({"Id": "005Sam", "Email": "sam@example.com"}));
    }
    let contact = deal("salesforce").1;
    let (object, record) = match kind {
        "call" => (
            "Task",
            json!({
                "Id": format!("00T{id}"), "TaskSubtype": "Call", "Type": null, "WhoId": contact,
                "OwnerId": if other { "005Kim" } else { "005Sam" }, "SystemModstamp": at,
                "IsClosed": odd != "not reached", "CompletedDateTime": at, "CreatedDate": at,
            }),
        ),
        // A meeting that was cancelled is taken out of the calendar.
        "meeting" => (
            "Event",
            json!({
                "Id": format!("00U{id}"), "WhoId": contact, "StartDateTime": at, "EndDateTime": at,
                "OwnerId": if odd == "cancelled" { "005Kim" } else { "005Sam" },
                "SystemModstamp": at, "CreatedDate": at,
            }),
        ),
        _ => (
            "EmailMessageRelation",
            json!({
                "EmailMessageId": format!("02s{id}"), "RelationId": contact,
                "RelationType": "ToAddress", "EmailMessage": {
                    "MessageDate": at, "CreatedDate": at, "CreatedById": "005Sam",
                    "Status": if odd == "bounced" { "5" } else { "3" },
                    "Incoming": odd == "incoming",
                    "FromAddress": if other { "kim@example.com" } else { "sam@example.com" },
                },
            }),
        ),
    };
    org.people.entry(object).or_default().push(record);
}

fn in_pipedrive(company: &mut pipedrive::fake::Company, id: u64, kind: &str, odd: &str, at: &str) {
    let other = odd == "of another";
    if company.users.is_empty() {
        company.users.push(json!({"id": 42, "name": "Sam Lee", "email": "sam@example.com"}));
    }
    if kind == "email" {
        let from = if other { "kim@example.com" } else { "sam@example.com" };
        let sent = i32::from(odd != "incoming");
        let mail = json!({
            "id": id, "user_id": 42, "sent_flag": sent, "draft_flag": i32::from(odd == "bounced"),
            "deleted_flag": 0, "message_time": at.replace('T', " ").replace('Z', ""),
            "from": [{"email_address": from}], "to": [{"linked_person_id": 601}], "cc": [],
        });
        company.mails.push((7001, mail));
        return;
    }
    // The call of a person is not on the deal.
    company.activities.push(json!({
        "id": id, "type": kind, "owner_id": if other { 43 } else { 42 }, "person_id": 601,
        "deal_id": (kind == "meeting").then_some(7001), "participants": [], "is_deleted": false,
        "done": !matches!(odd, "not reached" | "cancelled" | "planned"),
        "marked_as_done_time": at, "add_time": at, "update_time": at,
    }));
}

fn of<T: DeserializeOwned + schemars::JsonSchema>(text: &str) -> T {
    settings::read(&yaml::read(text.as_bytes()).expect("yaml")).expect("settings")
}

/// The CRM of the samples with what [`fill`] adds, and a connector to it.
pub(crate) async fn connected(crm: &str) -> (Fake, Box<dyn Crm>) {
    let secrets = |pairs: &[(&str, &str)]| {
        Secrets::new(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())),
        )
    };
    let at_once = || Schedule { waits: vec![Duration::ZERO; 3], longest: Duration::from_secs(1) };
    let (fake, connector): (Fake, Box<dyn Crm>) = match crm {
        "hubspot" => {
            let fake = hubspot::fake::Fake::start().await;
            let secrets = secrets(&[("HUBSPOT_TOKEN", hubspot::fake::TOKEN)]);
            let crm = HubSpot::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_pace(Pace::without_waits());
            (Fake::HubSpot(fake), Box::new(crm))
        }
        "salesforce" => {
            let fake = salesforce::fake::Fake::start().await;
            let secrets = secrets(&[
                ("SALESFORCE_CLIENT_ID", salesforce::fake::CLIENT_ID),
                ("SALESFORCE_CLIENT_SECRET", salesforce::fake::CLIENT_SECRET),
            ]);
            let text = format!("login_url: {}", fake.base.as_str());
            let crm = Salesforce::new(of(&text), &secrets).expect("connected");
            (Fake::Salesforce(fake), Box::new(crm.with_schedule(at_once())))
        }
        _ => {
            let fake = pipedrive::fake::Fake::start().await;
            let secrets = secrets(&[("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN)]);
            let crm = Pipedrive::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_schedule(at_once()).expect("the same");
            (Fake::Pipedrive(fake), Box::new(crm))
        }
    };
    fill(&fake);
    (fake, connector)
}

fn plan(fake: &Fake, pass: usize, status: u16, body: &Value, times: usize) {
    match fake {
        Fake::HubSpot(fake) => {
            let answer = hubspot::fake::Planned::Answer(status, vec![], body.clone());
            let pass = std::iter::repeat_n(hubspot::fake::Planned::Pass, pass);
            fake.plan("", pass.chain(std::iter::repeat_n(answer, times)));
        }
        Fake::Salesforce(fake) => {
            let pass = std::iter::repeat_n((0, Value::Null), pass);
            fake.plan("", pass.chain(std::iter::repeat_n((status, body.clone()), times)));
        }
        Fake::Pipedrive(fake) => {
            let pass = std::iter::repeat_n(None, pass);
            let answer = Some((status, vec![], body.clone()));
            fake.plan("", pass.chain(std::iter::repeat_n(answer, times)));
        }
    }
}

pub(crate) fn requests(fake: &Fake) -> usize {
    match fake {
        Fake::HubSpot(fake) => fake.state().calls.len(),
        Fake::Salesforce(fake) => fake.state().calls.len(),
        Fake::Pipedrive(fake) => fake.state().calls.len(),
    }
}

/// What the CRM shows of Sam, and how many gaps there are.
async fn shown(crm: &str, connector: &dyn Crm) -> Result<(Vec<Activity>, usize), CrmError> {
    let id = DealId::new(deal(crm).0);
    let by = Person { name: Some("Sam Lee".to_owned()), email: Some("sam@example.com".to_owned()) };
    let asked = ActivitiesOf { deal: &id, by: &by, since: time(SIGNED), until: time(NOW) };
    let mut found = connector.activities(&[asked]).await.expect("a CRM has activities");
    let found = found.remove(0)?;
    let (activities, gaps) = found.into_parts();
    Ok((activities, gaps.len()))
}

#[test]
fn each_crm_shows_contacts_after_the_signature_and_nothing_else() {
    for crm in CRMS {
        Runtime::new().unwrap().block_on(async {
            let (_fake, connector) = connected(crm).await;
            let (activities, gaps) = shown(crm, connector.as_ref()).await.expect("readable");
            let told: Vec<(&str, DateTime<Utc>)> =
                activities.iter().map(|it| (it.kind.words(), it.at)).collect();
            let expected = [
                ("call", time("2026-11-04T10:00:00Z")),
                ("e-mail", time("2026-11-05T10:00:00Z")),
                ("meeting", time("2026-11-06T10:00:00Z")),
            ];
            assert_eq!((told.as_slice(), gaps), (&expected[..], 0), "{crm}");
            assert!(activities[0].reference.contains("9007"), "{crm}: {activities:?}");
        });
    }
}

#[test]
fn a_fault_at_any_request_is_said_and_never_a_shorter_list() {
    for crm in CRMS {
        let runtime = Runtime::new().unwrap();
        let (whole, count) = runtime.block_on(async {
            let (fake, connector) = connected(crm).await;
            let (whole, _) = shown(crm, connector.as_ref()).await.expect("readable");
            (whole, requests(&fake))
        });
        let times = |list: &[Activity]| list.iter().map(|it| it.at).collect::<Vec<_>>();
        for at in 0..count {
            for (status, body, repeats) in faults() {
                // Version 1 of Pipedrive's API writes a list without entries so.
                if crm == "pipedrive" && body["success"] == true && body["data"].is_null() {
                    continue;
                }
                runtime.block_on(async {
                    let (fake, connector) = connected(crm).await;
                    plan(&fake, at, status, &body, repeats);
                    if let Ok((found, gaps)) = shown(crm, connector.as_ref()).await {
                        assert!(
                            gaps > 0 || times(&found) == times(&whole),
                            "{crm}: request {at} answered {status} {body}: {found:?}"
                        );
                    }
                });
            }
        }
    }
}

#[test]
fn each_crm_names_the_deals_that_changed_and_says_what_it_could_not_list() {
    for crm in CRMS {
        let runtime = Runtime::new().unwrap();
        let since = time("2026-10-20T00:00:00Z");
        let (whole, count) = runtime.block_on(async {
            let (fake, connector) = connected(crm).await;
            let all = connector.changed_since(DateTime::UNIX_EPOCH).await.expect("readable");
            let (all, _) = all.expect("a list").into_parts();
            let before = requests(&fake);
            let some = connector.changed_since(since).await.expect("readable").expect("a list");
            let (some, gaps) = some.into_parts();
            assert!(gaps.is_empty(), "{crm}: {gaps:?}");
            assert!(!some.is_empty() && some.len() < all.len(), "{crm}: {some:?} of {all:?}");
            assert!(some.iter().any(|id| id.as_str().starts_with(deal(crm).0)), "{crm}: {some:?}");
            (some, requests(&fake) - before)
        });
        for at in 0..count {
            for (status, body, repeats) in faults() {
                runtime.block_on(async {
                    let (fake, connector) = connected(crm).await;
                    plan(&fake, at, status, &body, repeats);
                    if let Ok(Some(found)) = connector.changed_since(since).await {
                        let (found, gaps) = found.into_parts();
                        assert!(
                            !gaps.is_empty() || found == whole,
                            "{crm}: request {at} answered {status} {body}: {found:?}"
                        );
                    }
                });
            }
        }
    }
}

/// A world whose first deal is signed on 2 November, with Sam as its CSM.
fn signed(crm: &'static str, proof: &str) -> (World, String) {
    let world = World::of(crm, "");
    world.edit("first_touch:\n", &format!("first_touch:\n  proof: {proof}\n"));
    fill(&world.fake);
    let contract = world.contract(deal(crm).0, SIGNED);
    let arguments = ["sign", &contract, "--no-push", "--format", "json", "--now", SIGNED];
    let signed = world.run(&arguments).exits(0).json();
    (world, signed["key"].as_str().unwrap().to_owned())
}

fn story(world: &World, key: &str) -> Value {
    let ran = world.run(&["status", key, "--format", "json", "--now", NOW]).exits(0).json();
    ran["handoffs"][0].clone()
}

#[test]
fn sync_brings_the_touch_that_the_crm_shows_once_with_its_reference() {
    for crm in CRMS {
        let (world, key) = signed(crm, "claimed");
        let claim = ["touch", &key, "--by", "samlee", "--at", "2026-11-03T08:00:00Z", "--no-push"];
        world.run(&claim).exits(0);
        let row = story(&world, &key);
        assert_eq!(
            (&row["touched_at"], &row["touch_evidence"]),
            (&json!("2026-11-03T08:00:00Z"), &json!("claimed")),
            "{crm}"
        );
        let sync = ["sync", key.as_str(), "--no-push", "--format", "json", "--now", NOW];
        let ran = world.run(&sync).exits(0).json();
        let added = &ran["handoffs"][0]["added"][0];
        assert_eq!(
            (&added["event"], &added["via"], &added["evidence"], &added["at"], &added["by"]),
            (
                &json!("touched"),
                &json!(crm),
                &json!("crm"),
                &json!("2026-11-04T10:00:00Z"),
                &json!("Sam Lee")
            ),
            "{crm}: {ran}"
        );
        assert!(added["ref"].as_str().unwrap().contains("9007"), "{crm}: {added}");
        let again = world.run(&sync).exits(0).json();
        assert_eq!(again["handoffs"][0]["added"], json!([]), "{crm}");
        let told = world.run(&["status", &key, "--now", NOW]).exits(0).stdout;
        assert!(
            told.contains("touched, claimed") && told.contains("touched, shown by the CRM"),
            "{told}"
        );
        let report = world.run(&["audit", "--format", "json", "--now", NOW]);
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        assert_eq!(report["metrics"]["first_touch_evidenced"]["count"], 1, "{crm}");
        for groups in ["by_csm", "by_rep"] {
            let all = report["metrics"][groups].as_array().unwrap();
            let of_key =
                all.iter().find(|it| it["deals"].as_array().unwrap().contains(&json!(key)));
            let group = of_key.unwrap_or_else(|| panic!("{crm}: {key} is in no group of {groups}"));
            assert_eq!(group["first_touch_evidenced"]["count"], 1, "{crm}: {group}");
            assert_eq!(group["first_touch_on_time"]["of"], 1, "{crm}: {group}");
        }
    }
}

#[test]
fn the_touch_of_who_had_the_handoff_counts_once_somebody_else_has_it() {
    for crm in CRMS {
        let (world, key) = signed(crm, "claimed");
        world.edit("  csms:\n", "  csms:\n    - {name: Rosa Diaz, email: rosa@example.com}\n");
        let assign = ["assign", &key, "rosa@example.com", "--by", "samlee", "--no-push"];
        let at = ["--at", "2026-11-05T08:00:00Z", "--now", NOW];
        world.run(&[&assign[..], &at].concat()).exits(0);
        let sync = ["sync", key.as_str(), "--no-push", "--format", "json", "--now", NOW];
        let ran = world.run(&sync).exits(0).json();
        let added = &ran["handoffs"][0]["added"][0];
        assert_eq!(
            (&added["event"], &added["at"], &added["by"]),
            (&json!("touched"), &json!("2026-11-04T10:00:00Z"), &json!("Sam Lee")),
            "{crm}: {ran}"
        );
    }
}

#[test]
fn where_evidence_is_needed_a_claim_leaves_the_deadline_running() {
    for crm in CRMS {
        let (world, key) = signed(crm, "evidenced");
        let claim = ["touch", &key, "--by", "samlee", "--at", "2026-11-03T08:00:00Z", "--no-push"];
        world.run(&claim).exits(0);
        let row = story(&world, &key);
        assert_eq!(
            (&row["standing"], &row["touched_at"]),
            (&json!("overdue"), &Value::Null),
            "{crm}"
        );
        let overdue = |world: &World| {
            let ran = world.run(&["audit", "--format", "json", "--now", NOW]);
            let report: Value = serde_json::from_str(&ran.stdout).unwrap();
            let findings = report["findings"].as_array().unwrap().clone();
            let of = |rule: &str| {
                let found = findings.iter().find(|it| it["rule"] == rule);
                found.map(|it| it["message"].as_str().unwrap().to_owned())
            };
            (of("first-touch-overdue"), of("first-touch-late"))
        };
        let (open, _) = overdue(&world);
        let open = open.expect("it is overdue");
        assert!(
            open.contains("no first touch that the CRM shows (one was claimed by samlee"),
            "{open}"
        );
        // A CRM that does not answer leaves it unknown.
        let part = match crm {
            "hubspot" => "calls/batch/read",
            "salesforce" => "FROM Task",
            _ => "v2/activities",
        };
        world.fail(part, 1, 403, &json!({"message": "no", "error": "no"}));
        let quiet = match crm {
            "hubspot" => ["emails/batch/read", "meetings/batch/read"],
            "salesforce" => ["FROM Event", "FROM EmailMessageRelation"],
            _ => ["mailMessages", "nothing else"],
        };
        for part in quiet {
            world.fail(part, 1, 403, &json!({"message": "no", "error": "no"}));
        }
        let sync = ["sync", key.as_str(), "--no-push", "--now", NOW];
        let ran = world.run(&sync).exits(3);
        assert!(ran.stderr.contains("could not be read"), "{crm}: {}", ran.stderr);
        world.run(&sync).exits(0);
        let (open, late) = overdue(&world);
        assert_eq!(open, None, "{crm}");
        let late = late.expect("it came late");
        assert!(late.contains("shown by the CRM"), "{late}");
    }
}

#[test]
fn doctor_says_what_may_not_be_read_of_first_touches() {
    for crm in CRMS {
        let (world, _) = signed(crm, "evidenced");
        let (objects, part): (&[&str], &str) = match crm {
            "hubspot" => (&["calls", "meetings", "emails"], "emails?limit=1"),
            "salesforce" => (&["Task", "Event", "EmailMessage"], "FROM EmailMessageRelation"),
            _ => (&["activities", "mails of deals"], "mailMessages"),
        };
        let check = |object: &str| {
            let ran = world.run(&["doctor", "--format", "json", "--now", NOW]);
            let what = format!("{crm}: read {object}");
            let mut checks = ran.json()["checks"].as_array().unwrap().clone();
            checks.retain(|check| check["what"] == what.as_str());
            checks
        };
        for object in objects {
            assert_eq!(check(object)[0]["level"], "ok", "{crm}: {object}");
        }
        let refused = objects.last().unwrap();
        world.fail(part, 1, 403, &json!({"message": "no", "error": "no"}));
        let told = &check(refused)[0];
        assert_eq!(told["level"], "failed", "{crm}: {told}");
        assert!(told["remedy"].as_str().unwrap().len() > 20, "{crm}: {told}");
        // Where claims count and nothing is read back, nobody needs to be told.
        world.edit("proof: evidenced", "proof: claimed");
        assert_eq!(check(refused), [] as [Value; 0], "{crm}");
    }
}

#[test]
fn doctor_asks_no_crm_where_it_is_told_to_stay_offline() {
    for crm in CRMS {
        let (world, _) = signed(crm, "claimed");
        let before = requests(&world.fake);
        let ran = world.run(&["doctor", "--offline", "--format", "json", "--now", NOW]);
        assert_eq!(requests(&world.fake), before, "{crm}");
        let mut told = ran.json()["checks"].as_array().unwrap().clone();
        told.retain(|check| check["what"] == crm);
        assert_eq!(told.len(), 1, "{crm}: {}", ran.stdout);
        assert!(told[0]["detail"].as_str().unwrap().contains("not tried"), "{crm}: {told:?}");
    }
}

/// The remedy for a touch that the CRM has and the timeline lacks.
pub(crate) fn sync_takes_the_finding_away() {
    let (world, key) = signed("hubspot", "evidenced");
    let overdue = || {
        let ran = world.run(&["audit", "--format", "json", "--now", NOW]);
        ran.json()["findings"].to_string().contains("first-touch-overdue")
    };
    assert!(overdue());
    world.run(&["sync", &key, "--now", NOW]);
    assert!(!overdue(), "the CRM shows a touch");
}

#[test]
fn a_csm_whom_the_crm_does_not_know_is_named() {
    let (world, key) = signed("hubspot", "evidenced");
    let Fake::HubSpot(fake) = &world.fake else { unreachable!() };
    fake.state().owners.remove("42");
    let ran = world.run(&["sync", &key, "--no-push", "--now", NOW]).exits(3);
    assert!(ran.stderr.contains("HubSpot has no such user"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sam@example.com"), "{}", ran.stderr);
}
