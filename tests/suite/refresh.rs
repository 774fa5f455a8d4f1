//! `handoff refresh`: the deal is read again, and what people wrote stays.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, fixture};

pub(crate) const KEY: &str = "hubspot-18640329741";
pub(crate) const METRIC: &str = "Late deliveries under 1% by 2027-03-31";

pub(crate) fn deals(amount: &str, metric: &str, stage: &str) -> String {
    let is_won = stage == "Closed Won";
    format!(
        "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company,Handoff: success metric\n\
         18640329741,Brightwater - Growth 2026,{stage},2026-10-14 15:44,Marcus Oyelaran,{amount},USD,{is_won},Brightwater Logistics Ltd,{metric}\n\
         77,Other deal,Closed Won,2026-10-14 15:44,Marcus Oyelaran,1.00,USD,true,Other Ltd,none\n"
    )
}

/// A ledger whose deals are won, and nothing handed over.
pub(crate) fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    let init = ["init", "ledger", "--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"];
    sandbox.handoff(".", &init).exits(0);
    sandbox.write("ledger/deals.csv", deals("48000.00", METRIC, "Closed Won"));
    sandbox
}

/// A ledger with one signed handoff.
pub(crate) fn signed() -> Sandbox {
    let sandbox = ledger();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    sandbox
}

pub(crate) fn file(sandbox: &Sandbox, name: &str) -> String {
    let files = sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/{name}")]);
    fs::read_to_string(sandbox.join("ledger").join(files.trim())).unwrap()
}

fn refresh(sandbox: &Sandbox) -> Value {
    sandbox.handoff("ledger", &["refresh", KEY, "--format", "json"]).exits(0).json()["handoffs"][0]
        .clone()
}

fn commits(sandbox: &Sandbox) -> usize {
    sandbox.git("ledger", &["rev-list", "HEAD"]).lines().count()
}

/// A person changes the brief by hand and commits it.
fn edit(sandbox: &Sandbox, from: &str, to: &str) {
    let path = sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/brief.yaml")]);
    let path = sandbox.join("ledger").join(path.trim());
    let brief = fs::read_to_string(&path).unwrap();
    assert!(brief.contains(from), "{brief}");
    fs::write(&path, brief.replace(from, to)).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "a person's answer"]);
}

#[test]
fn a_correction_is_one_event_and_one_commit_that_names_the_answers() {
    let sandbox = signed();
    assert_eq!(refresh(&sandbox)["result"]["outcome"], "unchanged");
    let before = commits(&sandbox);
    sandbox.write("ledger/deals.csv", deals("52000.00", METRIC, "Closed Won"));

    let planned = sandbox.handoff("ledger", &["refresh", "--dry-run"]).exits(0);
    assert!(planned.stdout.contains("1 would be corrected"), "{}", planned.stdout);
    assert_eq!(commits(&sandbox), before, "a dry run writes nothing");

    let corrected = sandbox.handoff("ledger", &["refresh", "--no-deliver"]).exits(0);
    assert!(
        corrected.stdout.contains("USD 48,000.00") && corrected.stdout.contains("USD 52,000.00"),
        "before and after: {}",
        corrected.stdout
    );
    assert_eq!(commits(&sandbox), before + 1);
    let trailers = sandbox.git("ledger", &["log", "-1", "--format=%(trailers)"]);
    assert!(trailers.contains("Handoff-Event: corrected"), "{trailers}");
    assert!(trailers.contains("Handoff-Fields: purchase.contract_value"), "{trailers}");
    assert!(file(&sandbox, "brief.yaml").contains("52000.00"));
    assert!(file(&sandbox, "README.md").contains("52,000"), "the page follows");
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: corrected").count(), 1);
    assert_eq!(refresh(&sandbox)["result"]["outcome"], "unchanged");
    assert_eq!(commits(&sandbox), before + 1, "nothing new makes nothing");
    sandbox.handoff("ledger", &["validate"]);
    assert_eq!(sandbox.git("ledger", &["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_list_that_changed_says_how_much_of_it_stays() {
    let sandbox = ledger();
    sandbox.write("ledger/deals.csv", with_terms("SSO; A named engineer; Data import", "12", ""));
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    sandbox.write("ledger/deals.csv", with_terms("SSO; Data import; Training", "24", ""));
    let changed = refresh(&sandbox)["result"]["changed"].clone();
    let of = |field: &str| {
        let mut changed = changed.as_array().unwrap().iter();
        changed.find(|it| it["field"] == field).unwrap_or_else(|| panic!("{field}: {changed:?}"))
    };
    assert_eq!(of("commitments")["kept"], 2, "{changed:#}");
    assert_eq!(of("purchase.term.months").get("kept"), None, "{changed:#}");
}

#[test]
fn what_a_person_wrote_outlasts_every_later_correction() {
    let sandbox = signed();
    edit(&sandbox, METRIC, "Two days to the first order");
    for amount in ["52000.00", "53000.00", "54000.00"] {
        sandbox.write("ledger/deals.csv", deals(amount, METRIC, "Closed Won"));
        assert_eq!(refresh(&sandbox)["result"]["outcome"], "corrected");
        let brief = file(&sandbox, "brief.yaml");
        assert!(brief.contains("Two days to the first order"), "after {amount}: {brief}");
        assert!(brief.contains(amount), "{brief}");
    }
    // The signature that comes once more, after a correction, keeps it too.
    sandbox.write("ledger/deals.csv", deals("55000.00", METRIC, "Closed Won"));
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    let brief = file(&sandbox, "brief.yaml");
    assert!(brief.contains("Two days to the first order") && brief.contains("55000.00"), "{brief}");
    // Both sides agree again, and from then on the CRM's answer is followed.
    edit(&sandbox, "Two days to the first order", METRIC);
    sandbox.write("ledger/deals.csv", deals("56000.00", METRIC, "Closed Won"));
    refresh(&sandbox);
    sandbox.write("ledger/deals.csv", deals("56000.00", "Under 0.5%", "Closed Won"));
    refresh(&sandbox);
    assert!(file(&sandbox, "brief.yaml").contains("Under 0.5%"));
}

#[test]
fn an_answer_that_the_correction_empties_stays() {
    let sandbox = signed();
    sandbox.write("ledger/deals.csv", deals("48000.00", "", "Closed Won"));
    refresh(&sandbox);
    assert!(file(&sandbox, "brief.yaml").contains(METRIC));
    let before = commits(&sandbox);
    assert_eq!(refresh(&sandbox)["result"]["outcome"], "unchanged");
    assert_eq!(commits(&sandbox), before);
}

#[test]
fn a_deal_lost_or_deleted_afterwards_is_said_once_and_nothing_goes() {
    let sandbox = signed();
    let brief = file(&sandbox, "brief.yaml");
    sandbox.write("ledger/deals.csv", deals("1.00", METRIC, "Closed Lost"));
    for _ in 0..3 {
        let read = refresh(&sandbox);
        assert_eq!(read["result"]["outcome"], "no_longer_won", "{read}");
        assert!(read["result"]["why"].as_str().unwrap().contains("is lost"), "{read}");
    }
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: corrected").count(), 1);
    let all = deals("1.00", METRIC, "Closed Won");
    let without: Vec<&str> = all.lines().filter(|line| !line.contains("1864032974")).collect();
    sandbox.write("ledger/deals.csv", without.join("\n"));
    for _ in 0..2 {
        let read = refresh(&sandbox);
        assert!(read["result"]["why"].as_str().unwrap().contains("any more"), "{read}");
    }
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: corrected").count(), 2);
    assert_eq!(file(&sandbox, "brief.yaml"), brief, "nothing is removed");
}

#[test]
fn the_remedy_for_drift_corrects_and_the_csm_accepts_again() {
    let sandbox = signed();
    let accept = ["accept", KEY, "--by", "samlee"];
    sandbox.handoff("ledger", &accept).exits(0);
    sandbox.handoff("ledger", &accept).exits(0);
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: accepted").count(), 1);
    sandbox.write("ledger/deals.csv", deals("60000.00", METRIC, "Closed Won"));
    sandbox.handoff("ledger", &["sign", "--deal", "18640329741"]).exits(0);
    let timeline = file(&sandbox, "timeline.yaml");
    assert_eq!(timeline.matches("event: corrected").count(), 1, "{timeline}");
    assert_eq!(timeline.matches("event: signed").count(), 1, "one signature: {timeline}");
    assert!(file(&sandbox, "brief.yaml").contains("60000.00"));
    assert!(file(&sandbox, "brief.yaml").contains("document_id"), "the document stays");
    for _ in 0..2 {
        let later = [&["--now", "2026-11-20T18:00:00Z"][..], &accept].concat();
        sandbox.handoff("ledger", &later).exits(0);
    }
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: accepted").count(), 2);
}

#[test]
fn a_correction_after_the_acceptance_asks_the_csm_to_accept_again() {
    let sandbox = ledger();
    let settings = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replacen("within: 24h", "within: 90d", 1)).unwrap();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    sandbox.handoff("ledger", &["accept", KEY, "--by", "samlee"]).exits(0);
    sandbox.write("ledger/deals.csv", deals("60000.00", METRIC, "Closed Won"));
    refresh(&sandbox);
    sandbox.handoff("ledger", &["deliver", KEY]).exits(0);
    let told = fs::read_to_string(sandbox.join(format!("ledger/outbox/{KEY}/07-changed-1.md")));
    let told = told.expect("the CSM is told");
    assert!(told.contains("please accept it again"), "{told}");
    // Also before the first touch.
    let status = sandbox.handoff("ledger", &["status", KEY]).exits(0).stdout;
    assert!(status.contains("not accepted again yet"), "{status}");
    let later = ["--now", "2026-11-20T18:00:00Z", "accept", KEY, "--by", "samlee"];
    sandbox.handoff("ledger", &later).exits(0);
    let status = sandbox.handoff("ledger", &["status", KEY]).exits(0).stdout;
    assert!(!status.contains("not accepted again yet"), "{status}");
}

#[test]
fn what_a_person_wrote_is_named_by_the_remedy_for_drift() {
    let sandbox = signed();
    edit(&sandbox, "48000.00", "50000.00");
    sandbox.write("ledger/deals.csv", deals("60000.00", METRIC, "Closed Won"));
    let ran = sandbox.handoff("ledger", &["sign", "--deal", "18640329741"]).exits(0);
    assert!(ran.stderr.contains("what a person wrote stays"), "{}", ran.stderr);
    assert!(ran.stderr.contains("change it in brief.yaml"), "{}", ran.stderr);
    // A handoff on the CRM's word goes another way and says the same.
    let sandbox = ledger();
    let sign = ["sign", "--deal", "18640329741"];
    sandbox.handoff("ledger", &sign).exits(0);
    edit(&sandbox, "48000.00", "50000.00");
    sandbox.write("ledger/deals.csv", deals("60000.00", METRIC, "Closed Won"));
    let ran = sandbox.handoff("ledger", &sign).exits(0);
    assert!(ran.stderr.contains("what a person wrote stays"), "{}", ran.stderr);
}

#[test]
fn another_owner_of_the_deal_is_named_and_promises_stay_with_who_made_them() {
    let sandbox = ledger();
    let promises = with_terms("SSO with Okta; A named engineer", "12", "none");
    sandbox.write("ledger/deals.csv", &promises);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    sandbox.handoff("ledger", &["deliver", KEY]).exits(0);
    assert_eq!(file(&sandbox, "brief.yaml").matches("made_by: Marcus Oyelaran").count(), 2);
    let now = promises
        .replace("Marcus Oyelaran", "Nina New")
        .replace("SSO with", "Data import; SSO with");
    sandbox.write("ledger/deals.csv", now);
    let text = sandbox.handoff("ledger", &["refresh", KEY, "--dry-run"]).exits(0).stdout;
    assert!(text.contains("deal.owner.name: Marcus Oyelaran → Nina New"), "{text}");
    let read = refresh(&sandbox);
    let data = &read["result"]["data"];
    assert_eq!(data[0]["field"], "deal.owner.name", "{read:#}");
    let brief = file(&sandbox, "brief.yaml");
    assert_eq!(brief.matches("made_by: Marcus Oyelaran").count(), 2, "{brief}");
    assert_eq!(brief.matches("made_by: Nina New").count(), 1, "the new promise: {brief}");
    // Read again, nothing is new, and the promises stay.
    assert_eq!(refresh(&sandbox)["result"]["outcome"], "unchanged");
    assert_eq!(file(&sandbox, "brief.yaml"), brief);
    let commits = sandbox.git("ledger", &["log", "-2", "--format=%B"]);
    assert!(commits.contains("deal.owner.name"), "{commits}");
    let told = fs::read_to_string(sandbox.join(format!("ledger/outbox/{KEY}/07-changed-1.md")));
    let told = told.expect("the CSM is told");
    assert!(told.contains("Sold by: Marcus Oyelaran → Nina New"), "{told}");
}

#[test]
fn whom_the_team_does_not_have_takes_a_handoff_from_nobody() {
    let sandbox = ledger();
    let csms = |who: &str| {
        let deals = deals("48000.00", METRIC, "Closed Won");
        let mut lines = deals.lines();
        let (header, ours) = (lines.next().unwrap(), lines.next().unwrap());
        sandbox.write("ledger/deals.csv", format!("{header},CSM\n{ours},{who}\n"));
    };
    let settings = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&settings).unwrap();
    let team = "  csms:\n    - {name: Kim Park, email: kim@example.com}\n";
    let text = text.replacen("  csms:\n", team, 1);
    assert!(text.contains(team), "{text}");
    let mapping = "\nbrief: {first_action.owner: 'deal | property(\"CSM\")'}\n";
    fs::write(&settings, text.replace("\nbrief: {}\n", mapping)).unwrap();
    csms("stranger@example.com");
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let ran = sandbox.handoff("ledger", &["sign", &event]).exits(0);
    assert!(ran.stderr.contains("not listed under team.csms"), "{}", ran.stderr);
    let owner = || {
        let brief = file(&sandbox, "brief.yaml");
        let at = brief.find("first_action:").expect("an action");
        brief[at..].to_owned()
    };
    assert!(owner().contains("kim@example.com"), "by the rules of the team: {}", owner());
    csms("Sam Lee");
    refresh(&sandbox);
    assert!(owner().contains("sam@example.com"), "{}", owner());
    csms("stranger@example.com");
    let read = refresh(&sandbox);
    assert!(read["remarks"].to_string().contains("not listed under team.csms"), "{read:#}");
    assert!(owner().contains("sam@example.com"), "{}", owner());
}

/// The export with what was promised and agreed.
fn with_terms(promises: &str, months: &str, special: &str) -> String {
    let deals = deals("48000.00", METRIC, "Closed Won");
    let mut lines = deals.lines();
    let (header, ours) = (lines.next().unwrap(), lines.next().unwrap());
    format!(
        "{header},Handoff promises,Term months,Special terms\n{ours},\"{promises}\",{months},\"{special}\"\n"
    )
}

fn drift(sandbox: &Sandbox, now: &str) -> Vec<String> {
    let told = sandbox.handoff("ledger", &["audit", "--format", "json", "--now", now]).json();
    let findings = told["findings"].as_array().unwrap().iter();
    let drift = findings.filter(|it| it["rule"] == "deal-drift");
    drift.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn promises_and_terms_that_differ_are_drift_until_the_brief_follows() {
    let sandbox = ledger();
    let promises = "SSO with Okta [due: 2027-01-15]; A named engineer";
    sandbox.write("ledger/deals.csv", with_terms(promises, "12", "none"));
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    assert!(
        file(&sandbox, "brief.yaml").contains("months: 12"),
        "{}",
        file(&sandbox, "brief.yaml")
    );
    assert_eq!(drift(&sandbox, "2026-11-20T18:00:00Z"), Vec::<String>::new());
    // Capitals and spaces are no drift, nor is what the deal does not say.
    let same = "sso with  OKTA [due: 2027-01-15]; A named engineer";
    sandbox.write("ledger/deals.csv", with_terms(same, "", ""));
    assert_eq!(drift(&sandbox, "2026-11-20T18:10:00Z"), Vec::<String>::new());

    let now = "SSO with Okta [due: 2027-03-01]; Data import";
    sandbox.write("ledger/deals.csv", with_terms(now, "24", "Price lock"));
    let told = drift(&sandbox, "2026-11-20T18:20:00Z");
    let [message] = &told[..] else { panic!("one finding: {told:?}") };
    for words in [
        "the deal has the promise \"Data import\", which the brief does not",
        "the brief has the promise \"A named engineer\", which the deal does not",
        "\"SSO with Okta\" is promised by 2027-03-01, in the brief by 2027-01-15",
        "the term in months is \"24\", in the brief \"12\"",
        "the deal has the special term \"Price lock\", which the brief does not",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let sign = ["sign", "--deal", "18640329741", "--now", "2026-11-20T18:30:00Z"];
    sandbox.handoff("ledger", &sign).exits(0);
    assert_eq!(drift(&sandbox, "2026-11-20T18:40:00Z"), Vec::<String>::new());
    // Of the past with the brief of the past: the deals are those of now.
    let past = ["audit", "--format", "json", "--as-of", "2026-11-20T18:05:00Z"];
    let past = sandbox.handoff("ledger", &past).json();
    assert!(past["findings"].to_string().contains("Data import"), "{past:#}");
}

#[test]
fn a_returned_handoff_whose_deal_is_corrected_comes_again() {
    let sandbox = signed();
    let reason = ["--by", "samlee", "--reason", "wrong"];
    sandbox.handoff("ledger", &[&["return", KEY][..], &reason].concat()).exits(0);
    sandbox.write("ledger/deals.csv", deals("61000.00", METRIC, "Closed Won"));
    refresh(&sandbox);
    let timeline = file(&sandbox, "timeline.yaml");
    assert_eq!(timeline.matches("event: resubmitted").count(), 1, "{timeline}");
}

#[test]
fn what_a_rep_gives_back_comes_with_the_deal_as_it_is_now() {
    let sandbox = signed();
    let reason = ["--by", "samlee", "--reason", "wrong"];
    sandbox.handoff("ledger", &[&["return", KEY][..], &reason].concat()).exits(0);
    sandbox.write("ledger/deals.csv", deals("61000.00", METRIC, "Closed Won"));
    let resubmit = ["resubmit", KEY, "--by", "Marcus Oyelaran"];
    let ran = sandbox.handoff("ledger", &resubmit).exits(0);
    assert!(ran.stderr.contains("read from the CRM again, 1 answer changed"), "{}", ran.stderr);
    assert!(file(&sandbox, "brief.yaml").contains("61000.00"));
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: resubmitted").count(), 1);
    // Nothing changed: the word alone is recorded.
    sandbox.handoff("ledger", &[&["return", KEY][..], &reason].concat()).exits(0);
    sandbox.handoff("ledger", &resubmit).exits(0);
    assert_eq!(file(&sandbox, "timeline.yaml").matches("event: resubmitted").count(), 2);
    // A deal that cannot be read leaves it returned.
    sandbox.handoff("ledger", &[&["return", KEY][..], &reason].concat()).exits(0);
    fs::remove_file(sandbox.join("ledger/deals.csv")).unwrap();
    sandbox.handoff("ledger", &resubmit);
    let row = sandbox.handoff("ledger", &["status", KEY]).exits(0);
    assert!(row.stdout.contains("what happened") || row.stdout.contains("What happened"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let sandbox = signed();
    let unknown = sandbox.handoff("ledger", &["refresh", "hubspot-2"]);
    assert_ne!(unknown.code, 0, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("hubspot-2"), "{}", unknown.stderr);
    fs::remove_file(sandbox.join("ledger/deals.csv")).unwrap();
    sandbox.handoff("ledger", &["refresh", KEY]).exits(2);
    sandbox.write("ledger/handoff.yaml", "version: 1\n");
    let none = sandbox.handoff("ledger", &["refresh"]);
    assert_ne!(none.code, 0, "{}", none.stderr);
    assert!(none.stderr.contains("crm:"), "{}", none.stderr);
}

#[test]
fn two_clones_that_refresh_at_once_make_one_correction() {
    let sandbox = signed();
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    sandbox.git("ledger", &["remote", "add", "origin", "../remote.git"]);
    sandbox.git("ledger", &["push", "-q", "-u", "origin", "main"]);
    sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    for clone in ["ledger", "other"] {
        sandbox.write(&format!("{clone}/deals.csv"), deals("52000.00", METRIC, "Closed Won"));
    }
    let runs = [("ledger", "2026-11-20T18:00:00Z"), ("other", "2026-11-20T18:00:31Z")];
    std::thread::scope(|scope| {
        let runs = runs.map(|(clone, now)| {
            let run = ["refresh", KEY, "--no-deliver", "--now", now];
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.handoff(clone, &run).exits(0))
        });
        for run in runs {
            run.join().unwrap();
        }
    });
    for clone in ["ledger", "other"] {
        sandbox.handoff(clone, &["refresh", KEY, "--no-deliver"]).exits(0);
        sandbox.git(clone, &["pull", "-q", "--ff-only"]);
    }
    let heads = ["ledger", "other"].map(|clone| sandbox.git(clone, &["rev-parse", "HEAD"]));
    assert_eq!(heads[0], heads[1]);
    assert!(file(&sandbox, "brief.yaml").contains("52000.00"));
    let timeline = file(&sandbox, "timeline.yaml");
    assert_eq!(timeline.matches("event: corrected").count(), 1, "{timeline}");
    assert_eq!(sandbox.git("other", &["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn the_first_action_follows_a_goal_that_only_a_person_gave() {
    let sandbox = signed();
    let before = file(&sandbox, "brief.yaml");
    assert!(
        before.contains("reference their primary goal") || before.contains("ask what success"),
        "{before}"
    );
    edit(&sandbox, "success:\n", "success:\n  baseline: Nine weeks\n");
    let metric = "primary_goal: ";
    if before.contains(metric) {
        edit(&sandbox, &format!("primary_goal: {METRIC}"), "primary_goal: Ship faster");
    } else {
        edit(&sandbox, "success:\n", "success:\n  primary_goal: Ship faster\n");
    }
    let read = refresh(&sandbox);
    let brief = file(&sandbox, "brief.yaml");
    assert!(brief.contains("reference their primary goal: Ship faster"), "{brief}");
    assert!(file(&sandbox, "README.md").contains("primary goal: Ship faster"));
    // Where the CRM has no answer, it does not say something else.
    assert!(!read["remarks"].to_string().contains("baseline"), "{read}");
    assert_eq!(refresh(&sandbox)["result"]["outcome"], "unchanged");
}

#[test]
fn what_a_person_wrote_and_the_deal_says_otherwise_is_remarked() {
    let sandbox = signed();
    edit(&sandbox, METRIC, "Two days to the first order");
    sandbox.write("ledger/deals.csv", deals("48000.00", "Under 0.5%", "Closed Won"));
    let read = refresh(&sandbox);
    let remark = "what a person wrote stays; the CRM says something else";
    assert!(read["remarks"].to_string().contains(remark), "{read}");
    assert!(file(&sandbox, "brief.yaml").contains("Two days to the first order"));
}
