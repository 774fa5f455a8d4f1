//! Export files through the real program: what it does not know of them, where
//! days begin, standard input, and briefs in the words of three countries.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox, fixture, ran};

const NOON: &str = "2026-11-28T12:00:00Z";

/// A ledger with this file, and these lines in its configuration.
fn ledger(file: &str, text: &[u8], file_settings: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["--now", "2026-01-01T00:00:00Z", "init", "l", "--crm", "file"]).exits(0);
    sandbox.write(&format!("l/{file}"), text);
    let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("    deals:")).unwrap();
    let config = config
        .replace(line, &format!("    deals: {file}\n{file_settings}"))
        .replace("outbox: {dir: outbox}", "{}");
    sandbox.write("l/handoff.yaml", format!("{config}{more}"));
    // An audit reads the settings that are committed.
    let early = "2026-01-02T00:00:00Z";
    let mut commit = sandbox.command("git", sandbox.join("l"));
    commit.env("GIT_COMMITTER_DATE", early).env("GIT_AUTHOR_DATE", early);
    assert!(commit.args(["commit", "-qam", "the settings"]).status().unwrap().success());
    sandbox
}

fn case(file: &str, file_settings: &str, more: &str) -> Sandbox {
    let text = fs::read(fixture("deals/cases").join(file)).unwrap();
    ledger(file, &text, file_settings, more)
}

fn audit(sandbox: &Sandbox, file: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["--now", NOON, "audit", "--deals", file, "--format", "json"];
    arguments.extend(more);
    sandbox.handoff("l", &arguments)
}

fn classes(report: &Value) -> Vec<(String, String)> {
    let rows = report["deals"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["deal_id"]), text(&row["class"]))).collect()
}

#[test]
fn an_audit_that_does_not_know_who_won_or_saw_one_page_of_many_ends_with_3() {
    for (file, words) in [
        ("c01_all_open_custom_stages.csv", "Angebot verschickt"),
        ("c02_one_won_custom_open.csv", "crm.file.won"),
        ("c08_status_against_stage.csv", "contradicts"),
        ("stage_empty.csv", "an empty cell in column"),
        ("no-outcome-column.csv", "the file has no column that says so"),
        ("pd_v1_more_items.json", "more_items_in_collection"),
        ("hs_search_total.json", "total: 250"),
        ("sf_totalsize_bigger.json", "totalSize: 5000"),
        ("close_has_more_dated.json", "has_more"),
        ("zoho_more_dated.json", "more_records"),
        ("odata_nextlink.json", "@odata.nextLink"),
    ] {
        let ran = audit(&case(file, "", ""), file, &[]).exits(3);
        let report = ran.json();
        assert_eq!(report["complete"], false, "{file}");
        assert!(report["gaps"].to_string().contains(words), "{file}: {}", report["gaps"]);
    }
}

#[test]
fn exports_are_audited_as_their_vendors_hand_them_out() {
    for (file, won) in [
        ("salesforce-excel.xls", &["0065g00000ABCd1AAH"][..]),
        ("salesforce-formatted-groups.xlsx", &["0065g00000ABCd1AAH", "0065g00000ABCd2AAH"]),
        ("netsuite-workbook.xls", &["101"]),
        ("addresses-and-no-ids.csv", &["98765", "98766"]),
        ("pipedrive-portuguese.csv", &["47947"]),
    ] {
        let report = audit(&case(file, "", ""), file, &[]).json();
        assert_eq!(report["complete"], true, "{file}: {}", report["gaps"]);
        let mut ids: Vec<String> = classes(&report).into_iter().map(|(id, _)| id).collect();
        ids.sort();
        assert_eq!(ids, won, "{file}");
    }
}

#[test]
fn the_line_that_the_help_proposes_settles_what_was_not_known() {
    let file = "c02_one_won_custom_open.csv";
    let won = "    won: \"deal.stage == 'Negotiation'\"\n";
    let report = audit(&case(file, won, ""), file, &[]).json();
    assert_eq!(report["complete"], true, "{}", report["gaps"]);
    let file = "unknown-headers.csv";
    let refused = audit(&case(file, "", ""), file, &[]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("columns: {id: \"Ref No\"}"), "{}", refused.stderr);
    let columns = "    columns: {id: \"Ref No\"}\n";
    let report = audit(&case(file, columns, ""), file, &[]).json();
    assert_eq!(report["population"]["closed_won"], 1);
}

#[test]
fn a_won_deal_dated_ahead_counts_now_and_not_as_of_a_moment() {
    let file = "c04_won_future_date.csv";
    let sandbox = case(file, "", "");
    let now = audit(&sandbox, file, &[]).json();
    assert_eq!(now["population"]["closed_won"], 2);
    assert!(now["population"]["source"]["remarks"].to_string().contains("in the future"));
    let then = audit(&sandbox, file, &["--as-of", "2026-11-28T11:00:00Z"]).json();
    assert_eq!(then["population"]["closed_won"], 1);
}

#[test]
fn days_are_the_company_s_days() {
    let file = "window_day_ny_calendar.csv";
    let sandbox = case(file, "", "\ntimezone: America/New_York\n");
    let report = audit(&sandbox, file, &["--from", "2026-11", "--to", "2026-11"]).json();
    let ids: Vec<String> = classes(&report).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["101", "103"], "the first of November is in November");
    let file = "today_tokyo_zone.csv";
    let sandbox = case(file, "    dates: {timezone: America/Los_Angeles}\n", "");
    let report = audit(&sandbox, file, &[]).json();
    let today = classes(&report).into_iter().find(|(id, _)| id == "103").unwrap();
    assert_eq!(today.1, "pending", "the day is not over in Los Angeles");
}

#[test]
fn deals_come_on_standard_input() {
    let sandbox = case("c04_won_future_date.csv", "", "");
    let by_name = audit(&sandbox, "c04_won_future_date.csv", &[]).json();
    let piped = |bytes: &[u8], arguments: &[&str]| {
        let path = sandbox.write("stdin", bytes);
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("l"));
        command.args(["--now", NOON]).args(arguments);
        command.stdin(Stdio::from(fs::File::open(path).unwrap()));
        ran(&command.output().unwrap(), format!("handoff {}", arguments.join(" ")))
    };
    let audit = ["audit", "--deals", "-", "--format", "json"];
    let text = fs::read(fixture("deals/cases/c04_won_future_date.csv")).unwrap();
    let report = piped(&text, &audit).exits(1).json();
    assert_eq!(report["deals"], by_name["deals"]);
    assert_eq!(report["population"]["source"]["location"], "standard input");
    // Packed, too, and refused in the same words.
    let packed = fs::read(fixture("deals/cases/gzip.csv")).unwrap();
    assert_eq!(piped(&packed, &audit).exits(1).json()["population"]["closed_won"], 1);
    let page = piped(b"<!doctype html><title>Login</title>", &audit);
    assert_ne!(page.code, 0);
    assert!(
        page.stderr.contains("standard input: This is a web page (\"Login\")"),
        "{}",
        page.stderr
    );
}

#[test]
fn an_export_in_german_french_or_american_gives_the_same_brief() {
    let german = "Datensatz-ID;Deal-Name;Deal-Phase;Betrag;Währung;Abschlussdatum;Contract start date;Contract end date;Contract term;Number of employees\n\
        101;Lagerautomation;Geschlossen/Gewonnen;48.000,50;EUR;25.02.2026;01.03.2026;28.02.2027;12 Monate;1.200\n";
    let french = "ID de fiche d'information;Nom de la transaction;Phase de la transaction;Montant;Devise;Date de fermeture;Contract start date;Contract end date;Contract term;Number of employees\n\
        101;Lagerautomation;Fermé gagné;48 000,50;EUR;25/02/2026;01/03/2026;28/02/2027;12 mois;1 200\n";
    let american = "Record ID,Deal Name,Deal Stage,Amount,Currency,Close Date,Contract start date,Contract end date,Contract term,Number of employees\n\
        101,Lagerautomation,Closed Won,\"48,000.50\",EUR,02/25/2026,03/01/2026,02/28/2027,12 months,\"1,200\"\n";
    for (country, text) in [("German", german), ("French", french), ("American", american)] {
        let sandbox = ledger("deals.csv", text.as_bytes(), "", "");
        let event = json!({"type": "contract.signed", "timestamp": "2026-02-25T10:00:00Z", "data": {
            "id": "doc-1", "name": "Contract", "signed_at": "2026-02-25T10:00:00Z", "signers": [],
            "crm": {"provider": "hubspot", "entity_type": "deal", "entity_id": "101"}}});
        let path = sandbox.write("event.json", event.to_string()).display().to_string();
        let sign = ["--now", "2026-02-25T10:05:00Z", "sign", &path, "--format", "json"];
        let folder =
            sandbox.handoff("l", &sign).exits(0).json()["path"].as_str().unwrap().to_owned();
        let brief = fs::read_to_string(sandbox.join(format!("l/{folder}/brief.yaml"))).unwrap();
        for line in [
            "  closed_won_at: \"2026-02-25T00:00:00Z\"",
            "  size: 1200",
            "    amount: \"48000.50\"",
            "    currency: EUR",
            "    months: 12",
            "    starts: \"2026-03-01\"",
            "    ends: \"2027-02-28\"",
        ] {
            assert!(brief.lines().any(|it| it == line), "{country}: no {line:?} in\n{brief}");
        }
    }
}
