//! Deals from export files, through the `Crm` face. Each folder below
//! `tests/fixtures/deals/read` is a file that must be read, each below
//! `refused` one that must not; `expected.snap` holds what comes of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use handoff::brief::{Decision, Expression};
use handoff::crm::export::{Counted, Detail, FileCrm, FileSettings, WonTest};
use handoff::crm::{ClosedWonUpdate, Crm as _, CrmError, Signed};
use handoff::model::{Deal, DealId, Key, Outcome, Population, Signature, Window};
use handoff::yaml;
use serde_json::json;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/deals").join(kind);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no fixtures in {}", root.display());
    folders
}

fn settings(folder: &Path) -> FileSettings {
    let deals = ["deals.csv", "deals.json", "deals.jsonl"]
        .into_iter()
        .find(|name| folder.join(name).exists())
        .unwrap_or_else(|| panic!("{} has no deals file", folder.display()));
    let more = std::fs::read_to_string(folder.join("settings.yaml")).unwrap_or_default();
    let text = format!("deals: {deals}\n{more}");
    let node = yaml::read(text.as_bytes()).expect("settings");
    yaml::from_node(&node).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The one expression that the fixtures use; expressions belong to another room.
fn won_test(settings: &FileSettings) -> Option<WonTest> {
    let expression = settings.won.as_deref()?;
    assert_eq!(expression, "deal.properties.status == 'signed'");
    Some(Box::new(|deal| {
        Ok(match deal.properties.get("status").is_some_and(|s| s == "signed") {
            true => Decision::Holds,
            false => Decision::DoesNot,
        })
    }))
}

fn open(folder: &Path) -> Result<FileCrm, CrmError> {
    let settings = settings(folder);
    let won = won_test(&settings);
    FileCrm::open(settings, folder, won)
}

async fn population(folder: &Path) -> Result<Population, CrmError> {
    open(folder)?.population(Window::default(), &()).await
}

fn told(population: &Population) -> String {
    let mut out = String::new();
    let source = &population.source;
    let _ = writeln!(out, "rows {}, sha256 {}…", source.rows, &source.sha256[..12]);
    for remark in &source.remarks {
        let _ = writeln!(out, "remark: {remark}");
    }
    let (deals, gaps) = population.deals.parts();
    for gap in gaps {
        let _ = writeln!(out, "gap: {}: {}", gap.what, gap.why);
    }
    for deal in deals {
        let _ = writeln!(out, "{}", serde_json::to_string_pretty(deal).expect("json"));
    }
    out
}

fn failed(error: &CrmError) -> String {
    match error {
        CrmError::BadData { help, .. }
        | CrmError::Settings { help, .. }
        | CrmError::NotFound { help, .. } => format!("{error}\nhelp: {help}"),
        other => format!("{other:?}"),
    }
}

fn assert_expected(folder: &Path, text: &str) {
    let shown = folder.display().to_string();
    assert!(!text.contains(&shown), "{shown}: messages must be the same on every machine");

    insta::with_settings!({
        snapshot_path => folder,
        prepend_module_to_snapshot => false,
        omit_expression => true,
        description => shown.rsplit('/').next().unwrap_or_default().to_owned(),
    }, { insta::assert_snapshot!("expected", text) });
}

#[tokio::test]
async fn files_that_must_be_read() {
    for folder in fixtures("read") {
        match population(&folder).await {
            Ok(population) => assert_expected(&folder, &told(&population)),
            Err(error) => panic!("{}:\n{}", folder.display(), failed(&error)),
        }
    }
}

#[tokio::test]
async fn files_that_must_be_refused() {
    for folder in fixtures("refused") {
        match population(&folder).await {
            Ok(population) => {
                panic!("{} was read:\n{}", folder.display(), told(&population));
            }
            Err(error) => assert_expected(&folder, &failed(&error)),
        }
    }
}

/// Each file in `cases` with what should come of it in `cases/snapshots`: the
/// state of each deal, what is not known, or why the file is refused. The first
/// ones stand for faults that people met; see the names.
#[tokio::test]
async fn each_case_is_read_or_refused_as_it_should_be() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/deals/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("cases")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() > 70, "{} cases", files.len());
    for file in files {
        let name = file.file_name().expect("name").to_str().expect("UTF-8").to_owned();
        let mut settings = FileSettings::of(&name);
        if name.starts_with("stagename_lost_prob0") {
            let text = "deals: x\ncolumns: {id: Ext_Id__c}";
            let columns: FileSettings =
                yaml::from_node(&yaml::read(text.as_bytes()).expect("yaml")).expect("settings");
            settings.columns = columns.columns;
        }
        settings.company_zone = match name.as_str() {
            "window_day_ny_calendar.csv" => "America/New_York".parse().ok(),
            "today_tokyo_zone.csv"
            | "utc-in-pipedrive-v1.json"
            | "utc-in-odoo-rpc.json"
            | "zone-of-the-company-in-a-list.csv" => "America/Los_Angeles".parse().ok(),
            _ => None,
        };
        let zone = settings.company_zone;
        let read = match FileCrm::open(settings, &folder, None) {
            Ok(crm) => {
                crm.population(Window::default(), &()).await.map(|all| (crm.name().clone(), all))
            }
            Err(error) => Err(error),
        };
        if let Ok((_, population)) = &read {
            the_proposals_work(&name, population, &folder, zone).await;
        }
        let text = match read {
            Ok((crm, population)) => in_short(crm.as_str(), &population),
            Err(error) => failed(&error),
        };
        insta::with_settings!({
            snapshot_path => folder.join("snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name.as_str(), text) });
    }
}

/// Each line for `won` that a help proposes is written as it stands: it takes no
/// deal away that was won without it, or it decides between columns and then names
/// one at least.
async fn the_proposals_work(
    name: &str,
    population: &Population,
    folder: &Path,
    zone: Option<chrono_tz::Tz>,
) {
    let won = |population: &Population| -> BTreeSet<String> {
        let deals = population.deals.parts().0.iter();
        let won = deals.filter(|deal| deal.outcome == Outcome::Won);
        won.map(|deal| deal.id.to_string()).collect()
    };
    let before = won(population);
    for help in population.deals.parts().1.iter().filter_map(|gap| gap.help.as_deref()) {
        for line in help.split('`').filter(|part| part.starts_with("{version: 1, crm: {file: ")) {
            let node =
                yaml::read(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            let json: serde_json::Value = yaml::from_node(&node).expect("plain data");
            let file = &json["crm"]["file"];
            if file.get("won").is_none() {
                continue;
            }
            let node = yaml::read(file.to_string().as_bytes()).expect("JSON is YAML");
            let mut settings: FileSettings = yaml::from_node(&node).expect("settings");
            settings.company_zone = zone;
            let expression = Expression::compile(settings.won.as_deref().expect("an expression"));
            let expression = expression.unwrap_or_else(|error| panic!("{name}: {line}: {error}"));
            let test: WonTest = Box::new(move |deal| {
                expression.decide(json!({"deal": deal})).map_err(|error| error.message)
            });
            let crm = FileCrm::open(settings, folder, Some(test));
            let crm = crm.unwrap_or_else(|error| panic!("{name}: {line}: {error}"));
            let after = won(&crm.population(Window::default(), &()).await.expect("a population"));
            assert!(!after.is_empty(), "{name}: {line} names no deal");
            let decides = help.contains("which column counts");
            assert!(
                decides || before.is_subset(&after),
                "{name}: {line}: {before:?}, then {after:?}"
            );
        }
    }
}

fn in_short(crm: &str, population: &Population) -> String {
    let mut out = format!("{crm}, {} rows\n", population.source.rows);
    for remark in &population.source.remarks {
        let _ = writeln!(out, "remark: {remark}");
    }
    let (deals, gaps) = population.deals.parts();
    for gap in gaps {
        let help = gap.help.as_deref().unwrap_or("none");
        let _ = writeln!(out, "gap: {}: {}\n  help: {help}", gap.what, gap.why);
    }
    for deal in deals {
        let won = deal.closed_won_at.map(|at| at.to_rfc3339()).unwrap_or_default();
        let amount = deal.amount.as_ref().map(handoff::model::Money::shown).unwrap_or_default();
        let company = deal.company.as_ref().and_then(|company| company.name.as_deref());
        let _ = writeln!(
            out,
            "{} {:?} | {} | {amount} | {won} | {}",
            deal.id,
            deal.outcome,
            deal.name.as_deref().unwrap_or("-"),
            company.unwrap_or("-")
        );
    }
    out
}

fn vendor(name: &str) -> FileCrm {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/deals/read").join(name);
    open(&folder).expect("a vendor's export needs nothing but its path")
}

#[test]
fn the_vendor_names_the_crm() {
    for (folder, crm) in [
        ("hubspot-export", "hubspot"),
        ("salesforce-report", "salesforce"),
        ("salesforce-report-latin1", "salesforce"),
        ("salesforce-data-loader", "salesforce"),
        ("pipedrive-list-view", "pipedrive"),
        ("pipedrive-import-vocabulary", "pipedrive"),
        ("configured-columns", "zoho"),
        ("likely-thousands", "csv"),
    ] {
        assert_eq!(vendor(folder).name().as_str(), crm, "{folder}");
    }
}

#[tokio::test]
async fn the_same_deal_is_told_the_same_way_by_every_vendor() {
    let mut told = Vec::new();
    for (folder, id) in [
        ("hubspot-export", "31874500101"),
        ("salesforce-report", "006Hs00000aB1cD"),
        ("salesforce-data-loader", "006Hs00000aB1cDIAS"),
        ("pipedrive-list-view", "7001"),
        ("pipedrive-import-vocabulary", "7001"),
    ] {
        let deal = vendor(folder).deal(&DealId::new(id), None).await.expect("deal");
        assert_eq!(deal.outcome, Outcome::Won, "{folder}");
        let company = deal.company.and_then(|company| company.name);
        told.push((deal.name, deal.amount, company));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
}

#[tokio::test]
async fn a_mapping_written_for_the_api_reads_an_export() {
    let deal =
        vendor("hubspot-export").deal(&DealId::new("31874500101"), None).await.expect("deal");
    for (name, value) in [
        ("Handoff: success metric", "Cut pick errors from 2.1% to under 0.5% by 2027-03-31"),
        ("handoff_success_metric", "Cut pick errors from 2.1% to under 0.5% by 2027-03-31"),
        ("dealtype", "newbusiness"),
        ("deal_type", "New Business"),
        ("hs_is_closed_won", "true"),
        ("deal_currency_code", "USD"),
    ] {
        assert_eq!(deal.properties.get(name).and_then(|v| v.as_str()), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_signer_is_told_apart_among_the_contacts() {
    let signature: Signature = serde_json::from_value(serde_json::json!({
        "provider": "pandadoc", "document_id": "d", "deal_refs": [], "metadata": {},
        "signers": [{"name": "D. Okafor", "email": "Dana.Okafor@northwind-robotics.example", "signed": true}],
    }))
    .expect("signature");
    let id = DealId::new("31874500101");
    let deal = vendor("hubspot-export").deal(&id, Some(&signature)).await.expect("deal");
    let roles: Vec<_> =
        deal.contacts.iter().map(|c| (c.name.as_deref(), c.roles.clone())).collect();
    assert_eq!(
        roles,
        [(Some("Dana Okafor"), vec!["signer".to_owned()]), (Some("Luis Ferreira"), vec![])]
    );
}

#[tokio::test]
async fn an_id_that_is_not_there_gets_its_near_misses() {
    let crm = vendor("hubspot-export");
    for (id, wanted) in
        [("31874500110", "Did you mean"), ("3187-4500-101", "31874500101"), ("99", "has 8 deals")]
    {
        let error = crm.deal(&DealId::new(id), None).await.expect_err(id);
        let CrmError::NotFound { help, .. } = &error else { panic!("{error:?}") };
        assert!(help.contains(wanted), "{id}: {help}");
    }
    let error = vendor("salesforce-report-latin1").deal(&DealId::new("006"), None).await;
    assert!(failed(&error.expect_err("no ids")).contains("no column with ids"));
}

#[tokio::test]
async fn one_bad_row_does_not_keep_another_deal_from_being_signed() {
    let folder = tempfile::tempdir().expect("folder");
    let text = "Id,Name,Won,Amount\n1,A,true,5\n2,B,true,a lot\n3,C\n4,D,true,5\n4,E,true,5\n";
    std::fs::write(folder.path().join("deals.csv"), text).expect("file");
    let crm = FileCrm::open(FileSettings::of("deals.csv"), folder.path(), None).expect("open");
    assert!(crm.deal(&DealId::new("1"), None).await.is_ok());
    for (id, wanted) in [
        ("2", "row 3, column \"Amount\": \"a lot\" is not an amount such as 48000.00."),
        ("4", "row 6, column \"Id\": The id \"4\" is that of row 5 too."),
    ] {
        let error = crm.deal(&DealId::new(id), None).await.expect_err(id);
        assert!(error.to_string().ends_with(wanted), "{error}");
    }
    let error = crm.deal(&DealId::new("3"), None).await.expect_err("a ragged row");
    assert!(failed(&error).contains("Rows that cannot be read may hold it, the first is row 4."));
    let error = crm.population(Window::default(), &()).await.expect_err("an audit needs all");
    assert!(error.to_string().contains("3 problems:"), "{error}");
}

#[tokio::test]
async fn a_file_that_changes_is_read_again() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("deals.csv");
    std::fs::write(&path, "Id,Name\n1,A\n").expect("file");
    let crm = FileCrm::open(FileSettings::of("deals.csv"), folder.path(), None).expect("open");
    assert!(crm.deal(&DealId::new("2"), None).await.is_err());
    std::fs::write(&path, "Id,Name\n1,A\n2,Bolt\n").expect("file");
    let deal = crm.deal(&DealId::new("2"), None).await.expect("the new deal");
    assert_eq!(deal.name.as_deref(), Some("Bolt"));
    std::fs::write(&path, "Opportunity ID,Opportunity Name\n0065g00000ABCd1,A\n").expect("file");
    let error = crm.deal(&DealId::new("1"), None).await.expect_err("another vendor");
    assert!(failed(&error).contains("is one of salesforce now"), "{}", failed(&error));
}

#[tokio::test]
async fn an_export_is_never_written() {
    let at = "2026-11-20T15:00:00Z".parse().expect("time");
    let crm = vendor("hubspot-export");
    let update = crm
        .mark_closed_won(&Signed {
            id: &DealId::new("31874500101"),
            signed_at: at,
            brief_url: Some("x"),
            is_contract: true,
        })
        .await;
    assert_eq!(update.expect("no error"), ClosedWonUpdate::NotSupported);
}

#[tokio::test]
async fn an_audit_may_ask_for_less_of_each_deal() {
    let properties = ["dealtype".to_owned()].into_iter().collect();
    let counted = Counted { properties, ..Counted::default() };
    let crm = vendor("hubspot-export").with_detail(Detail::Counted(counted));
    let population = crm.population(Window::default(), &()).await.expect("population");
    let (deals, _) = population.deals.into_parts();
    let keys: Vec<_> = deals[0].properties.keys().collect();
    assert_eq!(keys, ["dealtype"]);
    assert!(deals.iter().all(|deal: &Deal| deal.amount.is_some() && deal.closed_won_at.is_some()));
    let whole = crm.deal(&DealId::new("31874500101"), None).await.expect("deal");
    assert_eq!(whole.contacts.len(), 2, "one deal is always whole");
}

/// What is told of a file must not depend on the window, which is why each fixture
/// is read: with joins, several companies, JSON, no dates, and so on.
#[tokio::test]
async fn a_deal_outside_of_the_window_is_counted_and_not_given() {
    let day = |day: &str| Some(format!("{day}T00:00:00Z").parse().expect("a day"));
    let window = Window { from: day("2026-10-10"), to: day("2026-11-01") };
    let (mut inside, mut outside) = (0, 0);
    for folder in fixtures("read") {
        let whole = open(&folder).expect("opens").population(Window::default(), &()).await;
        let whole = whole.expect("population");
        let mut judged = Vec::new();
        for properties in [vec![], vec!["dealname".to_owned(), "Deal Name".to_owned()]] {
            let properties = properties.into_iter().collect();
            let detail = Detail::Counted(Counted { properties, ..Counted::default() });
            let crm = open(&folder).expect("opens").with_detail(detail);
            let all = crm.population(Window::default(), &()).await.expect("population");
            let some = crm.population(window, &()).await.expect("population");
            assert_eq!(some.source, all.source, "{}", folder.display());
            // What was taken for won is said however little is kept of a deal.
            let taken = |of: &Population| -> Vec<String> {
                let all = of.source.remarks.iter();
                all.filter(|remark| remark.contains("taken as won")).cloned().collect()
            };
            assert_eq!(taken(&all), taken(&whole), "{}", folder.display());
            let ((all, gaps), (some, same)) = (all.deals.into_parts(), some.deals.into_parts());
            assert_eq!(same, gaps, "{}", folder.display());
            let is_given = |deal: &Deal| {
                deal.outcome != Outcome::Won
                    || !deal.merged_ids.is_empty()
                    || deal.closed_won_at.is_none_or(|at| window.contains(at))
            };
            let before = all.len();
            let wanted: Vec<Deal> = all.into_iter().filter(is_given).collect();
            assert_eq!(some, wanted, "{}", folder.display());
            judged.push(some.into_iter().map(judged_by).collect::<Vec<_>>());
            (inside, outside) = (inside + wanted.len(), outside + before - wanted.len());
        }
        // Without texts, a deal that is not given is not even made.
        assert_eq!(judged[0], judged[1], "{}", folder.display());
    }
    assert!(inside > 20 && outside > 20, "{inside} given, {outside} not");
}

/// What a deal is judged by, whatever else is kept of it.
fn judged_by(deal: Deal) -> impl PartialEq + std::fmt::Debug {
    let closing = (deal.closed_won_at, deal.closed_won_evidence);
    (deal.id, deal.outcome, deal.amount, closing, deal.merged_ids)
}

/// The deals of an export that this detail asks for, by id; or what is wrong.
async fn deals_asked_for(rows: &str, counted: Counted) -> Result<Vec<String>, String> {
    let home = tempfile::tempdir().expect("folder");
    let path = home.path().join("deals.csv");
    std::fs::write(&path, rows).expect("file");
    let crm = FileCrm::open(FileSettings::of(&path), home.path(), None)
        .expect("opens")
        .with_detail(Detail::Counted(counted));
    let population = crm.population(Window::default(), &()).await;
    let population = population.map_err(|error| error.to_string())?;
    assert_eq!(population.source.rows, rows.lines().count() - 1, "each row counts as read");
    let (deals, _) = population.deals.into_parts();
    Ok(deals.iter().map(|deal| deal.id.to_string()).collect())
}

#[tokio::test]
async fn an_audit_is_given_what_is_won_or_may_be_and_what_it_names() {
    let rows = "Id,Name,Stage\n1,A,Closed Won\n2,B,Closed Lost\n3,C,Open\n4,D,Who knows\nX-5,E,Closed Lost\n";
    let given = deals_asked_for(rows, Counted::default()).await;
    assert_eq!(given.expect("deals"), ["1", "4"]);
    let named = ["csv-3", "csv-x-5"].map(|key| Key::parse(key).expect("key"));
    let counted = Counted { named: named.into_iter().collect(), ..Counted::default() };
    assert_eq!(deals_asked_for(rows, counted).await.expect("deals"), ["1", "3", "4", "X-5"]);
}

#[tokio::test]
async fn a_deal_that_is_named_is_given_in_any_window() {
    let rows = "Id,Name,Won,Close Date\n1,A,true,2026-10-01\n2,B,true,2025-10-01\n3,C,true,2025-10-01\n4,D,true,\n";
    let home = tempfile::tempdir().expect("folder");
    let path = home.path().join("deals.csv");
    std::fs::write(&path, rows).expect("file");
    let named = [Key::parse("csv-3").expect("key")].into_iter().collect();
    let detail = Detail::Counted(Counted { named, ..Counted::default() });
    let crm = FileCrm::open(FileSettings::of(&path), home.path(), None).expect("opens");
    let from = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
    let window = Window { from, to: None };
    let population = crm.with_detail(detail).population(window, &()).await.expect("population");
    let (deals, _) = population.deals.into_parts();
    assert_eq!(deals.iter().map(|deal| deal.id.as_str()).collect::<Vec<_>>(), ["1", "3", "4"]);
}

#[tokio::test]
async fn the_newest_won_deals_are_given_and_the_others_are_checked() {
    let newest = |count| Counted { newest: Some(count), ..Counted::default() };
    // More than one piece, the newest in the first and the last.
    let mut rows = "Id,Name,Won,Amount,Close Date\n".to_owned();
    for id in 0..20_000 {
        let date = if id == 7 || id == 19_999 { "2026-10-01" } else { "2025-03-02" };
        rows.push_str(&format!("{id},A,{},10.00,{date}\n", id != 8));
    }
    rows.push_str("20000,A,true,10.00,\n");
    assert_eq!(deals_asked_for(&rows, newest(4)).await.expect("deals"), ["19999", "7", "0", "1"]);
    let all = deals_asked_for(&rows, newest(30_000)).await.expect("deals");
    assert_eq!((all.len(), all.last().map(String::as_str)), (20_000, Some("20000")));
    assert!(deals_asked_for(&rows, newest(0)).await.expect("deals").is_empty());
    let broken = rows.replace("19000,A,true,10.00", "19000,A,true,ten");
    let said = deals_asked_for(&broken, newest(2)).await.expect_err("an amount that is none");
    assert!(said.contains("row 19002"), "{said}");
}

#[tokio::test]
async fn rows_with_the_same_letters_in_other_columns_are_told_apart() {
    // `won` beside nothing, and nothing beside `won`.
    let rows =
        "Id,Name,Stage,Status\n1,A,won,\n2,B,,won\n3,C,lost,\n4,D,,lost\n5,E,lo,st\n6,F,won,\n";
    assert_eq!(
        deals_asked_for(rows, Counted::default()).await.expect("deals"),
        ["1", "2", "5", "6"]
    );
}

#[tokio::test]
async fn an_audit_finds_the_documents_it_knows_in_any_column() {
    let home = tempfile::tempdir().expect("folder");
    let path = home.path().join("deals.csv");
    let rows = "Id,Name,Remark,Won\n1,A, doc-12345678 ,true\n2,B,doc-99999999,true\n";
    std::fs::write(&path, rows).expect("file");
    let documents = ["doc-12345678".to_owned()].into_iter().collect();
    let counted = Counted { documents, ..Counted::default() };
    let crm = FileCrm::open(FileSettings::of(&path), home.path(), None)
        .expect("opens")
        .with_detail(Detail::Counted(counted));
    let population = crm.population(Window::default(), &()).await.expect("population");
    let (deals, _) = population.deals.into_parts();
    // Under each name of its column.
    assert!(!deals[0].properties.is_empty());
    assert!(deals[0].properties.values().all(|text| *text == "doc-12345678"), "{:?}", deals[0]);
    assert!(deals[1].properties.is_empty(), "{:?}", deals[1]);
}

#[tokio::test]
async fn the_columns_are_known_by_each_of_their_names_and_doctor_counts_the_deals() {
    let crm = vendor("hubspot-export");
    let columns = crm.columns().expect("an export has columns");
    // As the file calls it, and as a mapping does.
    for name in ["Deal Name", "deal_name", "handoff_success_metric"] {
        assert!(columns.iter().any(|column| column == name), "{name}: {columns:?}");
    }
    assert!(!columns.iter().any(|column| column == "handoff_risks"), "{columns:?}");
    let checks = crm.checks(&handoff::model::Properties::default()).await;
    assert!(checks[0].detail.contains("8 deals, 8 of them won"), "{checks:#?}");
}

/// Cells that are hard on a reader of delimited text.
fn cell() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,8}",
        proptest::collection::vec(
            prop_oneof![
                Just('"'),
                Just(','),
                Just(';'),
                Just('\t'),
                Just('|'),
                Just('\n'),
                Just('\r'),
                Just('='),
                Just('é'),
                Just('株'),
                Just('a'),
                Just(' '),
                Just('{'),
                Just('[')
            ],
            0..8
        )
        .prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn read_text(bytes: &[u8]) -> Result<Vec<Deal>, CrmError> {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("deals.csv"), bytes).expect("file");
    let crm = FileCrm::open(FileSettings::of("deals.csv"), folder.path(), None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let population = runtime.block_on(crm.population(Window::default(), &()))?;
    Ok(population.deals.into_parts().0)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// What another program writes by the rules is read back cell by cell,
    /// whatever is in the cells.
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        rows in proptest::collection::vec((cell(), cell()), 1..12),
        delimiter in proptest::sample::select(vec![b',', b';', b'\t', b'|']),
        always in proptest::prelude::any::<bool>(),
    ) {
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(style)
            .from_writer(Vec::new());
        writer.write_record(["Id", "Note", "Won", "Other"]).expect("written");
        for (at, (note, other)) in rows.iter().enumerate() {
            writer.write_record([&at.to_string(), note, "true", other]).expect("written");
        }
        let deals = read_text(&writer.into_inner().expect("bytes")).map_err(|error| {
            let said = failed(&error);
            // A cell of which each line has as many delimiters as a row is refused: nobody
            // can tell it from rows between two stray quotes.
            match said.contains("holds what looks like whole rows") {
                true => proptest::test_runner::TestCaseError::reject(said),
                false => proptest::test_runner::TestCaseError::fail(said),
            }
        })?;
        proptest::prop_assert_eq!(deals.len(), rows.len());
        for (at, (note, other)) in rows.iter().enumerate() {
            proptest::prop_assert_eq!(deals[at].id.as_str(), at.to_string());
            for (name, wanted) in [("Note", note), ("Other", other)] {
                let read = deals[at].properties.get(name).and_then(|v| v.as_str()).unwrap_or("");
                // A carriage return inside a cell is a control character.
                proptest::prop_assert_eq!(read, wanted.trim().replace('\r', ""));
            }
        }
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        headers in proptest::prelude::any::<bool>(),
    ) {
        let mut text = if headers { b"Id,Name,Amount,Won,Close Date\n".to_vec() } else { Vec::new() };
        text.extend(bytes);
        let _ = read_text(&text);
    }
}
