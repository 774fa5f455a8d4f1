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

fn audit_in(sandbox: &Sandbox, folder: &str, file: &str) -> Ran {
    sandbox.handoff(folder, &["--now", NOON, "audit", "--deals", file, "--format", "json"])
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
        ("c02_one_won_custom_open.csv", "won: \\\"deal.stage"),
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

/// The lines that a refusal, or the gap of a report, gives to be pasted.
#[track_caller]
fn line_of(told: &Ran, what: &str) -> Vec<String> {
    let told = match told.stdout.is_empty() {
        true => told.stderr.clone(),
        false => told.json()["gaps"][0]["help"].as_str().unwrap().to_owned(),
    };
    let lines = pasted(&told);
    assert!(!lines.is_empty(), "{what}: no line in {told}");
    lines
}

/// The settings lines that a text gives in backquotes to be pasted.
fn pasted(text: &str) -> Vec<String> {
    let lines = text.split('`').skip(1).step_by(2);
    let is_one = |line: &&str| {
        let keys = [
            "won: ",
            "columns: ",
            "numbers: ",
            "dates: ",
            "currency: ",
            "{version: 1",
            "crm: {file",
        ];
        keys.iter().any(|key| line.starts_with(key))
    };
    lines.filter(is_one).map(str::to_owned).collect()
}

/// Every line that is told is pasted where it says: as a whole file where there is
/// none, and into the section that is there.
#[test]
fn the_lines_that_are_told_can_be_pasted() {
    let unknown = "id,name,owner,stage,value,currency,company,closed_at\n\
        10,Acme,Sam,Live,1.00,USD,Acme,2026-11-03\n12,Ceta,Sam,Live,1.00,USD,Acme,2026-11-04\n";
    let status = "ID,Name,Status,Amount,Currency,Close Date\n1,A,Live,1,EUR,2026-11-03\n";
    let no_outcome = "ID,Name,Amount,Currency,Close Date\n1,A,1,EUR,2026-11-03\n";
    let no_id = "Nr.;Bezeichnung;Status;Abschlussdatum;Betrag\n1;A;Gewonnen;03.11.2026;1\n";
    let amount = "ID;Name;Stage;Close Date;Amount;Currency\n1;A;Won;2026-11-03;\"1,200\";EUR\n";
    let sign = "ID,Name,Stage,Close Date,Amount,Currency\n1,A,Won,2026-11-03,5,$\n";
    let order = "ID,Name,Stage,Close Date,Amount\n1,A,Won,03/04/2026,5\n";
    let zone = "ID,Name,Stage,Close Date,Amount\n1,A,Won,2026-11-03 10:00 CST,5\n";
    let eastern = zone.replace("CST", "EST");
    let indian = zone.replace("CST", "IST");
    let id = "Opp ID (long),Opportunity Name,Stage,Close Date,Account Name\n\
        0065g00000AbCdEAAV,A,Closed Won,2026-11-03,Acme\n";
    let contradiction =
        "ID,Name,Stage,Status,Amount,Currency,Close Date\n1,A,Closed Won,Open,1,EUR,2026-11-03\n";
    for (what, text) in [
        ("unknown stages", unknown),
        ("unknown status", status),
        ("no outcome", no_outcome),
        ("no id", no_id),
        ("an amount", amount),
        ("a sign", sign),
        ("an order", order),
        ("a zone", zone),
        ("another zone", &eastern),
        ("a third zone", &indian),
        ("an id", id),
        ("a contradiction", contradiction),
    ] {
        // No ledger: the line is a whole file.
        let sandbox = Sandbox::new();
        sandbox.write("e/deals.csv", text);
        let arguments = ["--now", NOON, "audit", "--deals", "deals.csv", "--format", "json"];
        let told = sandbox.handoff("e", &arguments).exits(3);
        let lines = line_of(&told, what);
        sandbox.write("e/handoff.yaml", &lines[0]);
        let ran = sandbox.handoff("e", &arguments);
        assert_eq!(ran.code, 1, "{what}: {}\n{}\n{}", lines[0], ran.stderr, ran.stdout);
        assert_eq!(ran.json()["complete"], true, "{what}: {}", ran.json()["gaps"]);

        // In a ledger without a CRM: it is the section.
        let sandbox = Sandbox::new();
        let early = ["--now", "2026-01-01T00:00:00Z", "init", "l", "--yes", "--crm", "none"];
        sandbox.handoff(".", &early).exits(0);
        sandbox.write("l/deals.csv", text);
        let told = audit(&sandbox, "deals.csv", &[]).exits(3);
        let lines = line_of(&told, what);
        let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        sandbox.write("l/handoff.yaml", format!("{config}\n{}\n", lines[0]));
        sandbox.git("l", &["commit", "-qam", "the line"]);
        let ran = audit(&sandbox, "deals.csv", &[]);
        assert_eq!(ran.code, 1, "{what}: {}\n{}", lines[0], ran.stderr);
        assert_eq!(ran.json()["complete"], true, "{what}: {}", ran.json()["gaps"]);

        // In a ledger with an export: it goes below the section.
        let sandbox = ledger("deals.csv", text.as_bytes(), "", "");
        let told = audit(&sandbox, "deals.csv", &[]).exits(3);
        let lines = line_of(&told, what);
        let sandbox = ledger("deals.csv", text.as_bytes(), &format!("    {}\n", lines[0]), "");
        let ran = audit(&sandbox, "deals.csv", &[]);
        assert_eq!(ran.code, 1, "{what}: {}\n{}", lines[0], ran.stderr);
        assert_eq!(ran.json()["complete"], true, "{what}: {}", ran.json()["gaps"]);
    }
}

/// The line of an export elsewhere names a file that settings may name: pasted, it
/// works with --deals as before, and without where the export is put.
#[test]
fn the_line_of_an_export_outside_of_the_ledger_can_be_pasted() {
    let text = "ID,Name,Stage,Amount,Currency,Close Date\n1,A,Live,1,EUR,2026-11-03\n";
    let told = |ran: &Ran| line_of(ran, "an export elsewhere").remove(0);
    let complete = |ran: Ran, line: &str| {
        assert_eq!(ran.code, 1, "{line}: {}", ran.stderr);
        assert_eq!(ran.json()["complete"], true, "{line}: {}", ran.json()["gaps"]);
    };
    for is_ledger in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.write("elsewhere/won.csv", text);
        sandbox.write("l/note", "a folder");
        if is_ledger {
            let early = ["--now", "2026-01-01T00:00:00Z", "init", "l", "--yes", "--crm", "none"];
            sandbox.handoff(".", &early).exits(0);
        }
        let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap_or_default();
        let paste = |line: &str| {
            sandbox.write("l/handoff.yaml", format!("{config}\n{line}\n"));
            if is_ledger {
                sandbox.git("l", &["commit", "-qam", "the line"]);
            }
        };
        let absolute = sandbox.join("elsewhere/won.csv").display().to_string();
        for given in ["../elsewhere/won.csv", &absolute] {
            sandbox.write("l/handoff.yaml", &config);
            if config.is_empty() {
                fs::remove_file(sandbox.join("l/handoff.yaml")).unwrap();
            } else {
                sandbox.git("l", &["commit", "--allow-empty", "-qam", "as it was"]);
            }
            let ran = audit(&sandbox, given, &[]).exits(3);
            let line = told(&ran);
            assert!(line.contains("deals: \"won.csv\""), "{line}");
            assert!(ran.stdout.contains("copy the export there as won.csv"), "{}", ran.stdout);
            paste(&line);
            complete(audit(&sandbox, given, &[]), &line);
        }
        // Without --deals the settings' own export is read, where there is one.
        if is_ledger {
            let own = ["--now", NOON, "audit", "--format", "json"];
            let refused = sandbox.handoff("l", &own).exits(2);
            assert!(refused.stderr.contains("won.csv"), "{}", refused.stderr);
            sandbox.write("l/won.csv", text);
            complete(sandbox.handoff("l", &own), "won.csv");
            // An address that settings may not name is refused whether or not it is there.
            for file in ["../elsewhere/won.csv", "../elsewhere/none.csv", "/nowhere/won.csv"] {
                paste(&format!("crm: {{file: {{deals: {file}}}}}"));
                let refused = sandbox.handoff("l", &["coverage"]).exits(2);
                assert!(refused.stderr.contains("is outside of the ledger"), "{}", refused.stderr);
                assert!(!refused.stderr.contains("Put the export there"), "{}", refused.stderr);
                let exports = sandbox.join("elsewhere").display().to_string();
                let variables = [("HANDOFF_EXPORTS", exports.as_str())];
                let ran = sandbox.handoff_with("l", &["coverage"], &variables);
                let is_absent = file.ends_with("none.csv");
                assert_eq!(
                    ran.stderr.contains("the file cannot be read"),
                    is_absent,
                    "{}",
                    ran.stderr
                );
            }
        }
    }
    // Of standard input, too.
    let sandbox = Sandbox::new();
    sandbox.write("e/won.csv", text);
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("e"));
    command.args(["--now", NOON, "audit", "--deals", "-", "--format", "json"]);
    command.stdin(Stdio::from(fs::File::open(sandbox.join("e/won.csv")).unwrap()));
    let line = told(&ran(&command.output().unwrap(), "handoff audit --deals -".to_owned()));
    sandbox.write("e/handoff.yaml", &line);
    complete(audit_in(&sandbox, "e", "won.csv"), &line);
    // What `--write` makes names no such file either.
    let sandbox = Sandbox::new();
    sandbox.write(
        "x/won.csv",
        "ID,Name,Stage,Close Date,Deal promises made\n1,A,Won,2026-11-03,SSO\n",
    );
    sandbox.write("e/note", "a folder");
    let write = ["--now", NOON, "coverage", "--deals", "../x/won.csv", "--write"];
    sandbox.handoff("e", &write).exits(0);
    let written = fs::read_to_string(sandbox.join("e/handoff.yaml")).unwrap();
    assert!(written.contains("commitments") && !written.contains("won.csv"), "{written}");
    assert_eq!(audit_in(&sandbox, "e", "../x/won.csv").code, 1);
}

const SCORES: &str = "ID,Name,Phase,Closed At,Amount,Currency,Company,Score,Signed\n\
    1,A,Signed,2026-11-03,5,EUR,Acme,n/a,yes\n2,B,Live,2026-11-03,5,EUR,Beta,,\n\
    3,C,Live,2026-11-03,5,EUR,Ceta,9,true\n4,D,Closed Lost,2026-11-03,5,EUR,Dune,,\n";

#[test]
fn a_misspelt_column_in_won_is_refused_by_every_command() {
    for won in
        ["deal.properties.Phas == 'Signed'", "deal.stage == 'Live' or deal.properties.Phas == 'x'"]
    {
        let settings = format!("    won: \"{won}\"\n");
        let sandbox = ledger("deals.csv", SCORES.as_bytes(), &settings, "");
        for command in [
            &["audit"][..],
            &["audit", "--deals", "deals.csv"],
            &["backfill", "--dry-run"],
            &["backfill", "--deals", "deals.csv", "--dry-run"],
            &["coverage"],
            &["coverage", "--deals", "deals.csv"],
            &["sign", "--deal", "1"],
            &["validate"],
            &["doctor", "--offline"],
        ] {
            let ran = sandbox.handoff("l", &[&["--now", NOON], command].concat()).exits(2);
            for words in
                ["`deal.properties.Phas`: the export has no such column", "did you mean `Phase`?"]
            {
                assert!(ran.stderr.contains(words), "{command:?}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn a_row_that_won_cannot_decide_is_unknown() {
    for (won, unknown, words) in [
        ("deal.properties.score > 5", 2, "`deal.properties.score` has no value (row 3)"),
        (
            "deal.properties.signed == true",
            2,
            "cannot compare the text \\\"yes\\\" with true or false",
        ),
    ] {
        let sandbox = ledger("deals.csv", SCORES.as_bytes(), &format!("    won: \"{won}\"\n"), "");
        let report = audit(&sandbox, "deals.csv", &[]).exits(3).json();
        assert_eq!(report["complete"], false);
        assert_eq!(report["population"]["closed_won"], 1, "{won}");
        let gaps = report["gaps"].to_string();
        assert!(gaps.contains(&format!("the outcome of {unknown} deals of 4")), "{gaps}");
        assert!(gaps.contains(words), "{words}: {gaps}");
        let ran = sandbox.handoff("l", &["--now", NOON, "backfill"]).exits(3);
        assert!(ran.stderr.contains("nothing was written"), "{}", ran.stderr);
        assert!(ran.stderr.contains("crm.file.won has no answer"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("when the source answers"), "{}", ran.stderr);
        let ran = sandbox.handoff("l", &["--now", NOON, "doctor", "--offline"]);
        assert!(ran.stdout.contains("crm.file.won has no answer"), "{}", ran.stdout);
    }
    // What an empty cell means, the expression can say.
    let won = "    won: \"deal.properties.signed | default('no') in ['yes', 'true']\"\n";
    let sandbox = ledger("deals.csv", SCORES.as_bytes(), won, "");
    let report = audit(&sandbox, "deals.csv", &[]).exits(1).json();
    assert_eq!(report["population"]["closed_won"], 2, "{}", report["gaps"]);
}

#[test]
fn deals_with_briefs_under_another_crm_s_name_are_not_called_missing() {
    let known = "Record ID,Deal Name,Deal Stage,Close Date,Amount,Currency\n31874500101,A,Closed Won,2026-11-03 10:00,5,EUR\n";
    let bare =
        "id,name,stage,closed_at,amount,currency\n31874500101,A,Closed Won,2026-11-03,5,EUR\n";
    let sandbox = ledger("deals.csv", known.as_bytes(), "", "");
    let backfill = ["--now", NOON, "backfill", "--deals"];
    sandbox.handoff("l", &[&backfill[..], &["deals.csv"]].concat()).exits(0);
    sandbox.write("l/bare.csv", bare);
    let briefs = || names_below(&sandbox, "l/briefs");
    let before = briefs();
    for command in [&["--now", NOON, "audit", "--deals"][..], &backfill] {
        let ran = sandbox.handoff("l", &[command, &["bare.csv"]].concat()).exits(3);
        for words in ["have briefs as deals of hubspot", "hubspot-31874500101", "name: hubspot"] {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        }
    }
    assert_eq!(briefs(), before, "no second brief is made");
    let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    sandbox.write("l/handoff.yaml", config.replace("    deals:", "    name: hubspot\n    deals:"));
    assert!(
        sandbox
            .command("git", sandbox.join("l"))
            .args(["commit", "-qam", "the name"])
            .status()
            .unwrap()
            .success()
    );
    let report = audit(&sandbox, "bare.csv", &[]).json();
    assert_eq!(report["complete"], true, "{}", report["gaps"]);
    assert!(!report["findings"].to_string().contains("missing-handoff"), "{}", report["findings"]);
}

#[test]
fn a_deal_of_zoho_is_one_deal_by_its_export_and_by_its_api() {
    let export = "Record Id,Deal Name,Stage,Closing Date,Amount,Account Name\nzcrm_4876876000000123456,A,Closed Won,2026-11-27,5,Acme\n";
    let answer = json!({"data": [{"id": "4876876000000123456", "Deal_Name": "A", "Stage": "Closed Won",
        "Closing_Date": "2026-11-27", "Amount": 5, "Account_Name": {"name": "Acme", "id": "7"}}],
        "info": {"more_records": false}});
    let sandbox = ledger("deals.csv", export.as_bytes(), "", "");
    sandbox.write("l/deals.json", answer.to_string());
    let backfill = ["--now", NOON, "backfill", "--deals"];
    sandbox.handoff("l", &[&backfill[..], &["deals.csv"]].concat()).exits(0);
    let briefs = names_below(&sandbox, "l/briefs");
    assert_eq!(briefs.len(), 1, "{briefs:?}");
    assert!(briefs[0].ends_with("--zoho-4876876000000123456"), "{briefs:?}");
    sandbox.handoff("l", &[&backfill[..], &["deals.json"]].concat());
    assert_eq!(names_below(&sandbox, "l/briefs"), briefs, "no second brief is made");
    for file in ["deals.csv", "deals.json"] {
        let report = audit(&sandbox, file, &[]).json();
        let key = report["deals"][0]["key"].as_str();
        assert_eq!(key, Some("zoho-4876876000000123456"), "{file}: {report}");
        assert_eq!(report["summary"]["missing"], 0, "{file}: {}", report["summary"]);
    }
}

/// The names of all folders two below the year's.
fn names_below(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let mut folders = vec![sandbox.join(folder)];
    for _ in 0..3 {
        folders = folders
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
    }
    let mut names: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn lines_that_answer_more_take_no_answer_away() {
    let mut text = "Record ID,Deal Name,Deal Stage,Close Date,Amount,Currency,Associated Company,Success criteria,Customer goals\n".to_owned();
    for deal in 0..10 {
        let criteria = if deal < 4 { "CSAT up" } else { "" };
        let goals = if deal >= 5 { "Cut tickets" } else { "" };
        text.push_str(&format!(
            "{},D{deal},Closed Won,2026-11-0{} 10:00,100,USD,Acme {deal},{criteria},{goals}\n",
            100 + deal,
            1 + deal % 9
        ));
    }
    let sandbox = ledger("deals.csv", text.as_bytes(), "", "");
    let answered = || {
        let arguments = ["--now", NOON, "coverage", "--format", "json"];
        let report = sandbox.handoff("l", &arguments).exits(0).json();
        let questions = report["questions"].as_array().unwrap().clone();
        let mut fields = questions.iter().flat_map(|it| it["fields"].as_array().unwrap());
        let goal = fields.find(|it| it["field"] == "success.primary_goal").unwrap();
        goal["answered"]["count"].as_u64().unwrap()
    };
    assert_eq!(answered(), 4);
    let ran = sandbox.handoff("l", &["--now", NOON, "coverage", "--write"]).exits(0);
    assert!(ran.stderr.contains("wrote 1 line into"), "{}", ran.stderr);
    let text = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let line =
        "success.primary_goal: 'deal | property(\"Success Criteria\", \"Customer goals\") | plain'";
    assert!(text.contains(line), "{text}");
    assert_eq!(answered(), 9, "the four that the shipped line answers are still answered");
    let ran = sandbox.handoff("l", &["--now", NOON, "coverage", "--write"]).exits(0);
    assert!(ran.stderr.contains("no unused column answers a question"), "{}", ran.stderr);
}

#[test]
fn write_without_an_export_says_what_it_looks_through() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["--now", NOON, "init", "l", "--crm", "hubspot"]).exits(0);
    let ran = sandbox.handoff("l", &["--now", NOON, "coverage", "--write"]).exits(2);
    assert!(ran.stderr.contains("give --deals FILE"), "{}", ran.stderr);
}

#[test]
fn none_is_none_in_any_language_and_a_blank_is_no_answer() {
    let words = [
        "none", "keine", "Aucune.", "なし", "ninguno", "nessuno", "Geen", "No", "нет", "n/a", "-",
        "(blank)", "TBD",
    ];
    let mut text =
        "ID,Name,Stage,Close Date,Amount,Currency,Company,Promises,Integrations\n".to_owned();
    for (at, word) in words.iter().enumerate() {
        text.push_str(&format!("{at},D{at},Won,2026-11-03,1,EUR,Acme {at},{word},{word}\n"));
    }
    text.push_str("90,D90,Won,2026-11-03,1,EUR,Acme 90,No more than two days; n/a,SSO\n");
    let sandbox = ledger("deals.csv", text.as_bytes(), "", "");
    sandbox.handoff("l", &["--now", NOON, "backfill", "--deals", "deals.csv"]).exits(0);
    let brief = |id: &str| {
        let folders = names_below(&sandbox, "l/briefs");
        let folder = folders.iter().find(|it| it.ends_with(&format!("--csv-{id}"))).unwrap();
        fs::read_to_string(format!("{folder}/brief.yaml")).unwrap()
    };
    for (at, word) in words.iter().enumerate() {
        let brief = brief(&at.to_string());
        let is_none = brief.contains("\ncommitments: none") && brief.contains("integrations: none");
        assert_eq!(is_none, at < 9, "{word}:\n{brief}");
        assert_eq!(brief.contains("\ncommitments:"), at < 9 || *word == "TBD", "{word}:\n{brief}");
    }
    let several = brief("90");
    assert!(several.contains("No more than two days"), "{several}");
    assert!(!several.contains("n/a"), "{several}");
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
    assert!(!then["command"].to_string().contains("exported-at"), "{}", then["command"]);
    // The command that the report names gives it again, also when those deals are long won.
    let command = now["command"].as_str().unwrap();
    assert!(command.contains("--exported-at 2026-11-28T12:00:00Z"), "{command}");
    for later in ["2026-11-28T12:00:01Z", "2028-11-28T12:00:00Z"] {
        let mut again = vec!["--now", later];
        again.extend(command.split(' ').skip(1).chain(["--format", "json"]));
        assert_eq!(sandbox.handoff("l", &again).json(), now, "at {later}");
    }
    // Exported later, it says nothing of that moment.
    let more = ["--as-of", "2026-11-20", "--exported-at", "2026-11-28"];
    assert_eq!(audit(&sandbox, file, &more).json()["population"]["closed_won"], 1);
    for wrong in
        [&["--exported-at", "2026-11-28"][..], &["--as-of", "2026-11-20", "--exported-at", "soon"]]
    {
        let refused = audit(&sandbox, file, wrong).exits(2);
        assert!(
            refused.stderr.contains("--exported-at") || refused.stderr.contains("--as-of"),
            "{}",
            refused.stderr
        );
    }
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
