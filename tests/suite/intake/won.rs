//! Deals that close without an e-signature: `serve` with a CRM on loopback.

use std::fs;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::server::{Answer, KEY, Running, briefs, document, eventually, get, pandadoc, send};
use crate::sandbox::{NOW, Sandbox, fixture};
use crate::triggers::samples::{self, CLIENT_SECRET, LOGIN, TOKEN, hubspot_proof};
use crate::{hubspot, pipedrive, salesforce};

const WON: &str = "31874500101";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A ledger with this `crm:` section and more lines.
fn ledger(map: &str, crm: &str, more: &str) -> Sandbox {
    let sandbox = super::server::ledger();
    let text = format!(
        "version: 1\nesign: {{pandadoc: {{}}}}\ncrm: {{{crm}}}\nmap: {map}\n\
         team: {{csms: [{{name: Sam Lee, email: sam@example.com, github: samlee}}], fallback: samlee}}\n{more}\n"
    );
    sandbox.write("ledger/handoff.yaml", text);
    sandbox
}

fn hubspot_ledger(fake: &hubspot::fake::Fake, more: &str) -> Sandbox {
    let url = samples::URL;
    let base = fake.base.as_str();
    let crm = format!("hubspot: {{base_url: '{base}', webhook: {{url: '{url}'}}}}");
    ledger("hubspot", &crm, more)
}

fn serve(sandbox: &Sandbox) -> Running {
    let variables = [
        ("PANDADOC_WEBHOOK_KEY", KEY),
        ("HUBSPOT_TOKEN", hubspot::fake::TOKEN),
        ("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET),
        ("SALESFORCE_CLIENT_ID", salesforce::fake::CLIENT_ID),
        ("SALESFORCE_CLIENT_SECRET", salesforce::fake::CLIENT_SECRET),
        ("SALESFORCE_WEBHOOK_TOKEN", TOKEN),
        ("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN),
        ("PIPEDRIVE_WEBHOOK_LOGIN", LOGIN),
    ];
    Running::start(sandbox, &["serve", "--listen", "127.0.0.1:0"], &variables)
}

/// One HubSpot event about a deal, signed at the server's own time.
fn tell_hubspot(server: &Running, changes: &Value) -> Answer {
    let file = fs::read(fixture("hubspot/webhook-deal-events.raw.json")).unwrap();
    let events: Value = serde_json::from_slice(&file).unwrap();
    let mut event = events[0].clone();
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    let body = json!([event]).to_string().into_bytes();
    let now: chrono::DateTime<chrono::Utc> = NOW.parse().unwrap();
    // Each server of a test starts five minutes after the one before.
    let sent = (0..12).find_map(|start| {
        let stamp = (now + chrono::TimeDelta::minutes(5 * start)).timestamp_millis().to_string();
        let proof = hubspot_proof(samples::URL, &body, &stamp);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-HubSpot-Signature-v3", proof.as_str()),
            ("X-HubSpot-Request-Timestamp", stamp.as_str()),
        ];
        let answer = send(server.address(), "POST", "/webhooks/hubspot", &headers, &body).unwrap();
        (answer.status != 401).then_some(answer)
    });
    sent.unwrap_or_else(|| panic!("every time is stale:\n{}", server.log()))
}

fn tell(server: &Running, sample: &samples::Sample) -> Answer {
    let query = sample.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    let path = format!("/webhooks/{}{query}", sample.crm);
    let headers: Vec<(&str, &str)> = sample
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    send(server.address(), "POST", &path, &headers, &sample.body).unwrap()
}

/// The one brief of the ledger, as text.
#[track_caller]
fn the_brief(sandbox: &Sandbox, server: &Running) -> (String, String) {
    let briefs = briefs(sandbox);
    assert_eq!(briefs.len(), 1, "{briefs:?}\n{}", server.log());
    let text = sandbox.git("ledger", &["show", &format!("HEAD:{}/brief.yaml", briefs[0])]);
    (briefs[0].clone(), text)
}

fn commits(sandbox: &Sandbox) -> usize {
    sandbox.git("ledger", &["rev-list", "--count", "HEAD"]).trim().parse().unwrap()
}

#[test]
fn the_same_delivery_five_times_is_one_brief_whoever_tells_it() {
    let runtime = runtime();
    let (hub, force, drive) = runtime.block_on(async {
        let force = salesforce::fake::Fake::start().await;
        (hubspot::fake::Fake::start().await, force, pipedrive::fake::Fake::start().await)
    });
    let of_salesforce = format!(
        "salesforce: {{login_url: '{}', webhook: {{organization_id: 00DHs000002AbCd}}}}",
        force.base.as_str()
    );
    let of_pipedrive = format!("pipedrive: {{base_url: '{}'}}", drive.base.as_str());
    type Tell<'a> = &'a dyn Fn(&Running) -> Answer;
    let cases: [(&str, Sandbox, Tell<'_>, &str); 3] = [
        ("hubspot", hubspot_ledger(&hub, ""), &|server| tell_hubspot(server, &json!({})), WON),
        (
            "salesforce",
            ledger("salesforce", &of_salesforce, ""),
            &|server| tell(server, &samples::salesforce()),
            "006hs00000ab1cdias",
        ),
        (
            "pipedrive",
            ledger("pipedrive", &of_pipedrive, ""),
            &|server| tell(server, &samples::pipedrive()),
            "7001",
        ),
    ];
    for (crm, sandbox, tell, id) in cases {
        let server = serve(&sandbox);
        let answers: Vec<Answer> = (0..5).map(|_| tell(&server)).collect();
        for answer in &answers {
            assert_eq!(answer.status, 200, "{crm}: {}\n{}", answer.body, server.log());
        }
        if crm == "salesforce" {
            assert!(answers[0].body.contains("<Ack>true</Ack>"), "{}", answers[0].body);
            assert!(answers[0].head.to_lowercase().contains("content-type: text/xml"));
        }
        let health = server.wait_until_idle();
        assert_eq!(health["status"], "ok", "{crm}: {health}\n{}", server.log());
        let (path, brief) = the_brief(&sandbox, &server);
        assert!(path.ends_with(&format!("--{crm}-{id}")), "{path}");
        assert!(brief.contains(&format!("provider: {crm}")), "{brief}");
        assert!(!brief.contains("document_id"), "{brief}");
        let metrics = get(server.address(), "/metrics").body;
        for (what, count) in [("stored", 1), ("known", 4)] {
            let line = format!(
                "handoff_webhooks_accepted_total{{provider=\"{crm}\",as=\"{what}\"}} {count}"
            );
            assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        }
        let listed = sandbox.handoff("ledger", &["inbox", "list", "--all", "--format", "json"]);
        assert!(!listed.exits(0).stdout.contains("Northwind"), "{crm}: customers' data were kept");
        assert!(!server.log().contains(TOKEN) && !server.log().contains(CLIENT_SECRET));
    }
}

#[test]
fn a_deal_that_is_not_won_is_acknowledged_and_nothing_is_written() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let sandbox = hubspot_ledger(&fake, "");
    let before = commits(&sandbox);
    let server = serve(&sandbox);
    // It was won, and is in another stage again.
    assert_eq!(tell_hubspot(&server, &json!({"objectId": 31_874_500_107_u64})).status, 200);
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["done"], 1, "{health}\n{}", server.log());
    assert_eq!(health["status"], "ok");
    assert_eq!(commits(&sandbox), before, "{}", server.log());
    assert!(server.log().contains("it is not won"), "{}", server.log());
}

#[test]
fn a_deal_out_of_scope_or_of_a_pipeline_that_does_not_count_needs_no_handoff() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let scope = "scope: {exclude: [{when: \"deal.id == '31874500101'\", reason: a pilot}]}";
    let sandbox = hubspot_ledger(&fake, scope);
    let before = commits(&sandbox);
    let server = serve(&sandbox);
    assert_eq!(tell_hubspot(&server, &json!({})).status, 200);
    server.wait_until_idle();
    assert_eq!(commits(&sandbox), before, "{}", server.log());
    assert!(server.log().contains("it is out of scope: a pilot"), "{}", server.log());

    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(scope, "");
    let deal = &hubspot::fake::sample("deal-get")["properties"]["pipeline"];
    let pipeline = format!(
        "webhook: {{url: '{}'}}, pipelines: {{exclude: ['{}']}}",
        samples::URL,
        deal.as_str().unwrap()
    );
    let text = text.replace(&format!("webhook: {{url: '{}'}}", samples::URL), &pipeline);
    fs::write(&file, text).unwrap();
    assert_eq!(tell_hubspot(&server, &json!({"eventId": 2})).status, 200);
    server.wait_until_idle();
    assert_eq!(commits(&sandbox), before, "{}", server.log());
    assert!(server.log().contains("does not count"), "{}", server.log());
}

#[test]
fn a_deal_that_is_not_visible_yet_is_looked_for_again() {
    let runtime = runtime();
    let fake = runtime.block_on(pipedrive::fake::Fake::start());
    let missing = pipedrive::fake::sample("error-404");
    fake.plan("deals/7001", [Some((404, Vec::new(), missing))]);
    let crm = format!("pipedrive: {{base_url: '{}'}}", fake.base.as_str());
    let sandbox = ledger("pipedrive", &crm, "");
    let server = serve(&sandbox);
    assert_eq!(tell(&server, &samples::pipedrive()).status, 200);
    let waiting = eventually("the first try", || {
        let ran = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0).json();
        let event = ran["events"][0].clone();
        (event["attempts"] == 1).then_some(event)
    });
    assert_eq!(waiting["state"], "new", "{waiting}");
    assert!(waiting.to_string().contains("has no deal 7001"), "{waiting}");
    assert!(briefs(&sandbox).is_empty());
    let id = waiting["id"].as_str().unwrap_or_default();
    sandbox.handoff("ledger", &["inbox", "retry", id]).exits(0);
    let (path, _) = eventually("the brief", || {
        (!briefs(&sandbox).is_empty()).then(|| the_brief(&sandbox, &server))
    });
    assert!(path.ends_with("--pipedrive-7001"), "{path}");
}

/// PandaDoc's sample, linked to the deal that HubSpot tells of.
fn signed_document() -> Vec<u8> {
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event[0]["data"]["linked_objects"] =
        json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": WON}]);
    // Its metadata name another deal.
    event[0]["data"]["metadata"] = json!({});
    event.to_string().into_bytes()
}

#[test]
fn a_deal_that_was_signed_is_one_handoff_in_either_order() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    for signed_first in [true, false] {
        let sandbox = hubspot_ledger(&fake, "");
        let server = serve(&sandbox);
        let sign = || {
            let told = pandadoc(server.address(), KEY, "e1", &signed_document()).unwrap();
            assert_eq!(told.status, 200);
            server.wait_until_idle();
        };
        let win = || {
            assert_eq!(tell_hubspot(&server, &json!({})).status, 200);
            server.wait_until_idle();
        };
        if signed_first {
            sign();
            let (before, written) = (commits(&sandbox), the_brief(&sandbox, &server));
            win();
            assert_eq!(commits(&sandbox), before, "{}", server.log());
            assert_eq!(the_brief(&sandbox, &server), written);
            let note = "its deal was read again: nothing new";
            let log = server.log();
            let line =
                log.lines().find(|line| line.contains(note)).unwrap_or_else(|| panic!("{log}"));
            assert!(
                line.contains(&format!("hubspot-{WON}")),
                "a remark says of which handoff: {line}"
            );
        } else {
            win();
            sign();
        }
        let (path, brief) = the_brief(&sandbox, &server);
        assert!(path.ends_with(&format!("--hubspot-{WON}")), "{path}");
        assert!(brief.contains("provider: pandadoc") && brief.contains("document_id"), "{brief}");
    }
}

#[test]
fn only_the_connected_crm_is_listened_to() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let sandbox = hubspot_ledger(&fake, "");
    let server = serve(&sandbox);
    for sample in [samples::salesforce(), samples::pipedrive()] {
        assert_eq!(tell(&server, &sample).status, 404, "{}", sample.crm);
    }
    let tampered = samples::hubspot().with_body("[]");
    assert_eq!(tell(&server, &tampered).status, 401);
    let metrics = get(server.address(), "/metrics").body;
    for (crm, reason) in [
        ("salesforce", "not_connected"),
        ("pipedrive", "not_connected"),
        ("hubspot", "bad_signature"),
    ] {
        let line =
            format!("handoff_webhooks_rejected_total{{provider=\"{crm}\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    let log = server.log();
    assert!(log.contains("HubSpot: won deals accepted at /webhooks/hubspot"), "{log}");
    assert!(!log.contains("accepted at /webhooks/salesforce"), "{log}");
}

#[test]
fn what_a_webhook_lacks_is_named_before_it_is_missed() {
    let sandbox =
        ledger("hubspot", "hubspot: {webhook: {url: 'https://x.example/webhooks/hubspot'}}", "");
    let doctor = |variables: &[(&str, &str)]| {
        let ran =
            sandbox.handoff_with("ledger", &["doctor", "--offline", "--format", "json"], variables);
        let checks = ran.json()["checks"].as_array().unwrap().clone();
        let check = checks.iter().find(|check| check["what"] == "crm hubspot webhook").cloned();
        check.unwrap_or_else(|| panic!("no check of the webhook: {checks:?}"))
    };
    let check = doctor(&[]);
    assert_eq!(check["level"], "warning");
    assert!(check["detail"].as_str().unwrap().contains("HUBSPOT_CLIENT_SECRET is not set"));
    let check = doctor(&[("HUBSPOT_CLIENT_SECRET", "older-secret,newer-secret")]);
    assert_eq!((&check["level"], &check["detail"]), (&json!("ok"), &json!("2 keys set")));
    sandbox.write("ledger/handoff.yaml", "version: 1\ncrm: {hubspot: {}}\nmap: hubspot\n");
    assert!(doctor(&[])["detail"].as_str().unwrap().starts_with("not set up"));
    let check = doctor(&[("HUBSPOT_CLIENT_SECRET", "any-secret")]);
    assert!(check["detail"].as_str().unwrap().contains("crm.hubspot.webhook.url is not set"));
}

/// What the CRM says the deal is worth from now on.
fn worth(fake: &hubspot::fake::Fake, amount: &str) {
    let mut account = fake.state();
    let mut deal = account.objects["deals"][&31_874_500_101].clone();
    deal["properties"]["amount"] = json!(amount);
    deal["properties"]["hs_lastmodifieddate"] = json!(NOW);
    account.add("deals", deal);
}

fn timeline(sandbox: &Sandbox, path: &str) -> String {
    sandbox.git("ledger", &["show", &format!("HEAD:{path}/timeline.yaml")])
}

#[test]
fn a_changed_property_corrects_the_brief_of_a_deal_that_was_handed_over() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let sandbox = hubspot_ledger(&fake, "");
    let server = serve(&sandbox);
    let change = |event: u64, deal: &str| {
        let told = json!({"eventId": event, "propertyName": "amount", "propertyValue": "1", "objectId": deal});
        assert_eq!(tell_hubspot(&server, &told).status, 200);
        server.wait_until_idle();
    };
    // Nobody has a handoff of it, and HubSpot is not asked.
    let asked =
        || fake.state().calls.iter().filter(|it| it.path.contains("deals/batch/read")).count();
    let before = (commits(&sandbox), asked());
    change(901, WON);
    assert_eq!((commits(&sandbox), asked()), before, "{}", server.log());

    assert_eq!(tell_hubspot(&server, &json!({})).status, 200);
    server.wait_until_idle();
    let (path, _) = the_brief(&sandbox, &server);
    worth(&fake, "52000.00");
    change(902, WON);
    let (_, brief) = the_brief(&sandbox, &server);
    assert!(brief.contains("52000.00"), "{brief}\n{}", server.log());
    assert_eq!(timeline(&sandbox, &path).matches("event: corrected").count(), 1);
    let after = commits(&sandbox);
    change(903, WON);
    assert_eq!(commits(&sandbox), after, "nothing new makes nothing: {}", server.log());
}

#[test]
fn what_no_webhook_told_is_found_by_asking_what_has_changed() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let sandbox = hubspot_ledger(&fake, "");
    let ran = sandbox.handoff_with(
        "ledger",
        &["sign", "--deal", WON, "--format", "json"],
        &[("HUBSPOT_TOKEN", hubspot::fake::TOKEN)],
    );
    let path = ran.exits(0).json()["path"].as_str().unwrap().to_owned();
    worth(&fake, "53000.00");
    let server = serve(&sandbox);
    eventually("the correction", || {
        timeline(&sandbox, &path).contains("event: corrected").then_some(())
    });
    let (_, brief) = the_brief(&sandbox, &server);
    assert!(brief.contains("53000.00"), "{brief}");
    let file = sandbox.join("ledger/.git/handoff/refreshed");
    eventually("the moment", || {
        fs::read_to_string(&file).ok().filter(|text| text.contains("\"left\":[]"))
    });
    // A list that fails is asked for again, and nothing is passed over.
    drop(server);
    let kept = fs::read_to_string(sandbox.join("ledger/.git/handoff/refreshed")).unwrap();
    let answer = hubspot::fake::Planned::Answer(403, vec![], json!({"message": "no"}));
    fake.plan("deals/search", [answer]);
    let server = serve(&sandbox);
    eventually("the refusal", || {
        server.log().contains("the CRM does not say which deals have changed").then_some(())
    });
    let now = fs::read_to_string(sandbox.join("ledger/.git/handoff/refreshed")).unwrap();
    assert_eq!(now, kept, "{}", server.log());
    assert!(kept.contains("\"left\":[]") && kept.contains("\"since\":\"2026"), "{kept}");
}

#[test]
fn of_many_open_handoffs_only_those_that_changed_are_read_again() {
    const MANY: u64 = 150;
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let first = 40_000_000_000_u64;
    let record = |id: u64, amount: &str, modified: &str| {
        let mut deal = fake.state().objects["deals"][&WON.parse::<u64>().unwrap()].clone();
        deal["id"] = json!(id.to_string());
        deal["properties"]["amount"] = json!(amount);
        deal["properties"]["hs_lastmodifieddate"] = json!(modified);
        fake.state().add("deals", deal);
    };
    for id in first..first + MANY {
        record(id, "48000", "2026-10-30T16:42:12.880Z");
    }
    let sandbox = hubspot_ledger(&fake, "");
    let token = [("HUBSPOT_TOKEN", hubspot::fake::TOKEN)];
    let from = ["backfill", "--from", "2026-10-01", "--no-push"];
    sandbox.handoff_with("ledger", &from, &token);
    assert!(briefs(&sandbox).len() >= usize::try_from(MANY).unwrap(), "{:?}", briefs(&sandbox));
    let changed: Vec<u64> = (0..3).map(|at| first + at * 40).collect();
    for id in &changed {
        record(*id, "53000", "2026-11-20T16:30:00Z");
    }
    let before = fake.state().calls.len();
    let refresh =
        ["refresh", "--changed-since", "2026-11-20T16:00:00Z", "--no-deliver", "--format", "json"];
    let read = sandbox.handoff_with("ledger", &refresh, &token).exits(0).json();
    let read: Vec<&str> =
        read["handoffs"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
    let expected: Vec<String> = changed.iter().map(|id| format!("hubspot-{id}")).collect();
    assert_eq!(read, expected);
    let asked = fake.state().calls.len() - before;
    assert!(asked < 60, "{asked} requests for three deals of {MANY}");
}

#[test]
fn a_deal_that_goes_on_in_another_one_is_said_once_and_keeps_its_handoff() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let sandbox = hubspot_ledger(&fake, "");
    let token = [("HUBSPOT_TOKEN", hubspot::fake::TOKEN)];
    let run = |arguments: &[&str]| sandbox.handoff_with("ledger", arguments, &token).exits(0);
    let path = run(&["sign", "--deal", WON, "--format", "json"]).json()["path"].clone();
    let path = path.as_str().unwrap().to_owned();
    {
        let mut account = fake.state();
        let deals = account.objects.get_mut("deals").unwrap();
        let mut survivor = deals[&WON.parse::<u64>().unwrap()].clone();
        survivor["id"] = json!("31874500199");
        survivor["properties"]["hs_merged_object_ids"] = json!(WON);
        deals.insert(WON.parse().unwrap(), survivor);
    }
    let key = format!("hubspot-{WON}");
    for _ in 0..3 {
        run(&["refresh", &key, "--no-deliver"]);
    }
    let told = timeline(&sandbox, &path);
    let words = format!("hubspot says deal {WON} was merged into 31874500199");
    assert_eq!(told.matches(&words).count(), 1, "{told}");
    let brief = sandbox.git("ledger", &["show", &format!("HEAD:{path}/brief.yaml")]);
    assert!(brief.contains(&format!("id: \"{WON}\"")), "{brief}");
}

/// PandaDoc's sample without a deal, signed by this person, with this total.
fn loose(id: &str, email: &str, amount: &str) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&document(id)).unwrap();
    let data = &mut event[0]["data"];
    data["grand_total"] = json!({"amount": amount, "currency": "USD"});
    data.as_object_mut().unwrap().remove("pricing");
    let recipients = data["recipients"].as_array_mut().unwrap();
    recipients.truncate(1);
    recipients[0]["email"] = json!(email);
    event.to_string().into_bytes()
}

#[test]
fn a_document_without_a_deal_and_the_deals_own_webhook_are_one_handoff() {
    let runtime = runtime();
    let fake = runtime.block_on(hubspot::fake::Fake::start());
    let (signer, amount) = {
        let state = fake.state();
        let deal: u64 = WON.parse().unwrap();
        let contact = state.links["contacts"][WON][0]["toObjectId"].as_u64().unwrap();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        (
            text(&state.objects["contacts"][&contact]["properties"]["email"]).to_uppercase(),
            text(&state.objects["deals"][&deal]["properties"]["amount"]),
        )
    };
    // Signer and total are the deal's; then a signer alone, which proves nothing.
    for (total, handoffs, deal_first) in [
        (amount.as_str(), 1, false),
        (amount.as_str(), 1, true),
        ("17.00", 2, false),
        ("17.00", 2, true),
    ] {
        let sandbox = hubspot_ledger(&fake, "");
        let mut server = serve(&sandbox);
        let body = loose("looseDocument1", &signer, total);
        let tell_document = |event: &str| {
            assert_eq!(pandadoc(server.address(), KEY, event, &body).unwrap().status, 200);
            server.wait_until_idle();
        };
        let tell_deal = || {
            assert_eq!(tell_hubspot(&server, &json!({})).status, 200);
            server.wait_until_idle();
        };
        if deal_first {
            tell_deal();
        } else {
            tell_document("e1");
        }
        assert_eq!(briefs(&sandbox).len(), 1, "{}", server.log());
        if deal_first {
            tell_document("e1");
        }
        // Whatever is told again is nothing new.
        tell_deal();
        tell_document("e2");
        tell_deal();
        assert_eq!(server.terminate(), Some(0));
        let all = briefs(&sandbox);
        assert_eq!(all.len(), handoffs, "{total}: {all:?}\n{}", server.log());
        if handoffs == 2 {
            assert!(server.log().contains("is not certain"), "{}", server.log());
            continue;
        }
        let brief = sandbox.git("ledger", &["show", &format!("HEAD:{}/brief.yaml", all[0])]);
        assert!(brief.contains("document_id: looseDocument1"), "{brief}");
        assert!(brief.contains(WON), "the deal is in it: {brief}");
        let timeline = sandbox.git("ledger", &["show", &format!("HEAD:{}/timeline.yaml", all[0])]);
        let signed = timeline.matches("event: signed").count();
        assert_eq!(signed, if deal_first { 2 } else { 1 }, "{timeline}");
        let secrets = [("HUBSPOT_TOKEN", hubspot::fake::TOKEN)];
        if deal_first {
            // Another provider's document of the same id is another document.
            let other = json!({"event": "envelope-completed", "apiVersion": "v2.1",
                "generatedDateTime": "2026-11-20T17:00:00Z",
                "data": {"envelopeId": "looseDocument1", "envelopeSummary": {
                    "status": "completed", "completedDateTime": "2026-11-20T17:00:00Z",
                    "emailSubject": "Statement of work",
                    "recipients": {"signers": [{"name": "Pat Doe", "email": "pat@other.example",
                        "status": "completed"}]}}}});
            let file = sandbox.write("other.json", other.to_string()).display().to_string();
            let line = ["sign", &file, "--as", "contract", "--no-deliver"];
            sandbox.handoff_with("ledger", &line, &secrets).exits(0);
            assert_eq!(briefs(&sandbox).len(), 2, "{:?}", briefs(&sandbox));
            continue;
        }
        // The audit reads the settings that are committed.
        sandbox.git("ledger", &["commit", "-qam", "the settings"]);
        let line = ["audit", "--format", "json", "--from", "2026-01-01"];
        let report = sandbox.handoff_with("ledger", &line, &secrets).json();
        let deals = report["deals"].as_array().unwrap();
        let deal = deals.iter().find(|deal| deal.to_string().contains(WON));
        let deal = deal.unwrap_or_else(|| panic!("{report}"));
        assert_ne!(deal["class"], "missing", "{deal}");
        assert_eq!(report["orphans"], json!([]), "{report}");
    }
}
