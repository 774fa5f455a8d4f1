//! The workflows of each CRM with each e-sign provider and each form of a task,
//! run line by line: a first push, an idle hour, a signature as a relay passes it
//! on, a document that never arrived, a README alone, a force push, an audit.
//!
//! The table holds every pair of two choices: 35 of the 105 combinations. Of files
//! that a further choice does not change that is shown, and they are run once.
//! With `HANDOFF_MATRIX=all` all combinations are run, and all of their files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::held_to_its_rights;
use super::runner::{FOLDER, Runner, dispatch};
use super::signed::{Document, ESIGN, apis, believed, has_api, secrets, section};
use super::{ARTIFACT, DEALS, NO_COMMIT};
use crate::crm_binary::Fake;
use crate::pull_request::Tasks;
use crate::sandbox::Sandbox;

const CRMS: [&str; 5] = ["hubspot", "salesforce", "pipedrive", "file", "none"];
const FORMS: [&str; 3] = ["no tasks", "issue", "pull_request"];

/// The rows of one CRM: each provider, with the forms of a task in turn.
fn rows(crm: &str) -> Vec<(&'static str, &'static str)> {
    let at = CRMS.iter().position(|it| *it == crm).unwrap();
    let form = |index: usize| FORMS[(at + index) % FORMS.len()];
    let all = ESIGN.iter().enumerate().flat_map(|(index, esign)| {
        FORMS.iter().filter(move |it| is_all() || **it == form(index)).map(|it| (*esign, *it))
    });
    all.collect()
}

fn is_all() -> bool {
    std::env::var_os("HANDOFF_MATRIX").is_some_and(|it| it == "all")
}

#[test]
fn workflows_are_run_for_every_pair_of_choices() {
    let of_program = handoff::crm::CRMS.iter().map(|row| row.name).chain(["none"]);
    assert_eq!(of_program.collect::<Vec<_>>(), CRMS, "a CRM belongs into the table");
    let providers = handoff::esign::PROVIDERS.iter().map(|row| row.name.replace('_', "-"));
    let missing: Vec<String> = providers.filter(|it| !ESIGN.contains(&it.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?} belong into the table");
    let (mut with_esign, mut with_form, mut between) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for crm in CRMS {
        for (esign, form) in rows(crm) {
            with_esign.insert((crm, esign));
            with_form.insert((crm, form));
            between.insert((esign, form));
        }
    }
    assert_eq!(with_esign.len(), CRMS.len() * ESIGN.len());
    assert_eq!(with_form.len(), CRMS.len() * FORMS.len());
    assert_eq!(between.len(), ESIGN.len() * FORMS.len());
}

#[test]
fn workflows_of_hubspot_with_each_provider_and_form() {
    run_rows_of("hubspot");
}

#[test]
fn workflows_of_salesforce_with_each_provider_and_form() {
    run_rows_of("salesforce");
}

#[test]
fn workflows_of_pipedrive_with_each_provider_and_form() {
    run_rows_of("pipedrive");
}

#[test]
fn workflows_of_an_export_with_each_provider_and_form() {
    run_rows_of("file");
}

#[test]
fn workflows_without_a_crm_with_each_provider_and_form() {
    run_rows_of("none");
}

/// Two deals that are won, and the CRM that documents name for them.
fn documents(crm: &'static str) -> [Document; 2] {
    let (named, deals) = match crm {
        "hubspot" => (crm, ["31874500101", "31874500102"]),
        "salesforce" => (crm, ["006Hs00000aB1cD", "006Hs00000aB2cDIAS"]),
        "pipedrive" => (crm, ["7001", "7002"]),
        _ => ("hubspot", ["18640329741", "18640329742"]),
    };
    let [first, second] = deals;
    [
        Document { number: 1, crm: named, deal: first },
        Document { number: 2, crm: named, deal: second },
    ]
}

fn run_rows_of(crm: &'static str) {
    let mut seen: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (esign, form) in rows(crm) {
        let sandbox = Sandbox::new();
        let row = Row::new(&sandbox, crm, esign, form);
        // What is checked and audited does not depend on who signs.
        let files = row.files_of_no_provider();
        let is_first = !seen.contains_key(form);
        assert_eq!(*seen.entry(form).or_insert_with(|| files.clone()), files, "{}", row.case);
        // The rest of what a provider does is the same with each CRM.
        let is_whole = is_first || crm == "none" || is_all();
        if is_whole {
            row.first_push();
            row.idle_hour();
        }
        row.signature();
        if is_whole {
            row.signature_again_and_forged();
        }
        row.document_that_never_arrived(is_whole);
        if is_first || is_all() {
            row.form();
            row.pushes();
            row.audit();
        }
    }
}

/// One combination: its ledger, and what stands for the outside.
struct Row<'a> {
    case: String,
    crm: &'static str,
    esign: &'static str,
    form: &'static str,
    sandbox: &'a Sandbox,
    runner: Runner<'a>,
    tasks: Tasks,
    documents: [Document; 2],
    before: String,
    _crm: Option<Fake>,
    _apis: crate::deliver::fake::Fake,
    _runtime: Runtime,
}

impl<'a> Row<'a> {
    fn new(
        sandbox: &'a Sandbox,
        crm: &'static str,
        esign: &'static str,
        form: &'static str,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let documents = documents(crm);
        let connected = !["file", "none"].contains(&crm);
        let (fake, tasks, apis) = runtime.block_on(async {
            let fake = if connected { Some(Fake::start(crm).await) } else { None };
            (fake, Tasks::serve(form).await, apis(documents).await)
        });
        let of_init = if super::signed::is_sender(esign) { "none" } else { esign };
        let mut init = vec!["init", "l", "--crm", crm, "--esign", of_init];
        init.extend(["--contract", "order form", "--csm", "Sam Lee <sam@example.com> @samlee"]);
        if form != "no tasks" {
            init.extend(["--github", "acme/handoffs"]);
        }
        sandbox.handoff(".", &init).exits(0);
        let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        let esign_section = section(esign, &apis.url);
        let mut settings =
            replaced(&settings, "\nesign:\n", "\n\n", &format!("\nesign:\n  {esign_section}"));
        if let Some(fake) = &fake {
            let section = format!("\ncrm:\n  {crm}: {{base_url: '{}'}}", fake.base());
            settings = replaced(&settings, "\ncrm:\n", "\n# ", &section);
        }
        let there =
            format!("as: {form}, base_url: \"{}\", seconds_between_writes: 0", tasks.fake.url);
        settings = settings.replace("as: issue", &there);
        sandbox.write("l/handoff.yaml", settings);
        sandbox.handoff("l", &["init", "--workflows"]).exits(0);
        if crm == "file" {
            let second = DEALS.lines().nth(1).unwrap().replace("18640329741", "18640329742");
            sandbox.write("l/deals.csv", format!("{DEALS}{second}\n"));
        }
        sandbox.git("l", &["add", "-A"]);
        sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "connected"]);
        let runner = Runner::on(sandbox, "l");
        for (name, value) in fake.iter().flat_map(Fake::secrets) {
            runner.secret(name, &value);
        }
        // What a run says about the day does not depend on when the test runs.
        runner.program(
            "date",
            "[ \"$*\" = '-u -d 3 days ago +%Y-%m-%dT%H:%M:%SZ' ] && echo 2026-11-17T17:00:00Z",
        );
        let before = runner.head();
        let case = format!("{crm}, {esign}, {form}");
        for entry in fs::read_dir(sandbox.join("l").join(FOLDER)).unwrap() {
            held_to_its_rights(&entry.unwrap().path());
        }
        Self {
            case,
            crm,
            esign,
            form,
            sandbox,
            runner,
            tasks,
            documents,
            before,
            _crm: fake,
            _apis: apis,
            _runtime: runtime,
        }
    }

    fn has(&self, workflow: &str) -> bool {
        self.sandbox.join("l").join(FOLDER).join(format!("handoff-{workflow}.yml")).is_file()
    }

    fn first_push(&self) {
        let said = self.runner.green("validate", "push", &self.runner.push(NO_COMMIT));
        assert!(said.contains("no commit before this one"), "{}: {said}", self.case);
    }

    /// The hourly run. Without an API and without tasks it only installs.
    fn hour(&self) -> String {
        let steps = self.runner.job("sign", "schedule", &json!({}));
        assert!(steps.iter().all(|(_, code, _)| *code == 0), "{}: {steps:#?}", self.case);
        let only_installs = !has_api(self.esign) && self.form == "no tasks";
        assert_eq!(steps.len() == 1, only_installs, "{}: {steps:#?}", self.case);
        steps.into_iter().map(|(_, _, said)| said).collect()
    }

    /// Nothing happens, and nobody has set the secrets of the provider yet.
    fn idle_hour(&self) {
        let said = self.hour();
        let asks = said.contains("is not set, so ");
        assert_eq!(asks, has_api(self.esign), "{}: {said}", self.case);
        assert_eq!(self.has("sync"), self.crm_is_connected() || self.form != "no tasks");
        if self.has("sync") {
            self.runner.green("sync", "schedule", &json!({}));
        }
        assert_eq!(self.runner.head(), self.before, "{}", self.case);
        assert_eq!(self.tasks.count(), 0, "{}", self.case);
    }

    fn crm_is_connected(&self) -> bool {
        !["file", "none"].contains(&self.crm)
    }

    /// A signature as it is passed on, twice; one that was changed on the way.
    fn signature(&self) {
        for (name, value) in secrets(self.esign) {
            self.runner.secret(name, value);
        }
        let event = dispatch(self.documents[0].passed_on(self.esign));
        let said = self.runner.green("sign", "repository_dispatch", &event);
        assert!(said.contains("handed over"), "{}: {said}", self.case);
        assert!(said.contains(believed(self.esign)), "{}: {said}", self.case);
        let signed = self.runner.head();
        assert_eq!(signed == self.before, self.form == "pull_request", "{}", self.case);
    }

    /// The same once more, and another document under its proof.
    fn signature_again_and_forged(&self) {
        let passed_on = self.documents[0].passed_on(self.esign);
        let event = dispatch(passed_on.clone());
        let signed = self.runner.head();
        let said = self.runner.green("sign", "repository_dispatch", &event);
        assert!(said.contains("already handed over"), "{}: {said}", self.case);
        assert_eq!(self.runner.head(), signed, "{}: once", self.case);
        if self.esign != "none" {
            let (code, said) = self.runner.red(
                "sign",
                "repository_dispatch",
                &dispatch(forged(passed_on, self.esign)),
            );
            assert_eq!(code, 3, "{}: {said}", self.case);
            assert_eq!(self.runner.head(), signed, "{}: {said}", self.case);
        }
    }

    /// Where the provider has an API, the hourly run finds what never arrived.
    fn document_that_never_arrived(&self, is_whole: bool) {
        let said = self.hour();
        let count = if has_api(self.esign) { 2 } else { 1 };
        let found = said.contains("2 documents completed")
            && said.contains("1 not in the ledger; 1 processed");
        assert_eq!(found, has_api(self.esign), "{}: {said}", self.case);
        if is_whole {
            let said = self.hour();
            let all_there = said.contains("each one is in the ledger");
            assert_eq!(all_there, has_api(self.esign), "{}: {said}", self.case);
            if self.has("sync") {
                self.runner.green("sync", "schedule", &json!({}));
            }
        }
        let tasks = if self.form == "no tasks" { 0 } else { count };
        assert_eq!(self.tasks.count(), tasks, "{}: one task each", self.case);
        let briefs =
            self.sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)", "refs/heads"]);
        let of_branch = |branch: &str| {
            let listed = self
                .sandbox
                .git("remote.git", &["ls-tree", "-r", "--name-only", branch, "briefs/"]);
            listed.lines().filter(|path| path.ends_with("/brief.yaml")).count()
        };
        let all: usize = briefs.lines().map(of_branch).sum();
        assert_eq!(all, count, "{}: {briefs}", self.case);
    }

    /// The push of a brief, one that touches none, one after a force push; settings
    /// that a pull request proposes.
    fn pushes(&self) {
        let signed = self.runner.head();
        let lacks = |said: &str| said.contains("unanswered-question");
        if self.form == "pull_request" {
            let branch =
                self.tasks.pulls.lock().unwrap().pulls[0]["head"].as_str().unwrap().to_owned();
            let event =
                json!({"pull_request": {"base": {"sha": self.before}, "head": {"ref": branch}}});
            let (code, said) = self.runner.red("validate", "pull_request", &event);
            assert!(code == 1 && lacks(&said), "{}: {said}", self.case);
        } else {
            let (code, said) = self.runner.red("validate", "push", &self.runner.push(&self.before));
            assert!(code == 1 && lacks(&said), "{}: {said}", self.case);
        }
        self.sandbox.git("l", &["pull", "-q", "--rebase", "../remote.git", "main"]);
        self.sandbox.write("l/README.md", "ours\n");
        self.sandbox.git("l", &["add", "-A"]);
        self.sandbox.git("l", &["commit", "-qm", "the page of the ledger"]);
        self.sandbox.git("l", &["push", "-q", "../remote.git", "HEAD:main"]);
        let said = self.runner.green("validate", "push", &self.runner.push(&signed));
        assert!(said.contains("no brief changed"), "{}: {said}", self.case);
        let gone = self.runner.push("5b825dc652cb6eb9a060e55bf8d69288fbee5905");
        let steps = self.runner.job("validate", "push", &gone);
        let (_, code, said) = steps.last().unwrap();
        assert!(said.contains("force push"), "{}: {said}", self.case);
        assert_eq!(
            (*code == 1, lacks(said)),
            (self.form != "pull_request", self.form != "pull_request"),
            "{}: {said}",
            self.case
        );
        // A change of the settings, explained where it is proposed.
        self.sandbox.git("l", &["checkout", "-qb", "change"]);
        let settings = fs::read_to_string(self.sandbox.join("l/handoff.yaml")).unwrap();
        let changed = settings.replace("version: 1", "version: 1\nreminders: off");
        self.sandbox.write("l/handoff.yaml", changed);
        self.sandbox.git("l", &["commit", "-qam", "no reminders"]);
        self.sandbox.git("l", &["push", "-q", "../remote.git", "HEAD:change"]);
        self.sandbox.git("l", &["checkout", "-q", "main"]);
        let event = json!({"pull_request": {"number": 5, "base": {"ref": "main"}, "head": {"ref": "change"}}});
        self.runner.green("plan", "pull_request", &event);
        let plan = fs::read_to_string(self.sandbox.join("runner/temp/plan.md")).unwrap();
        assert!(plan.contains("reminders"), "{}: {plan}", self.case);
    }

    /// An audit, whose findings are the only reason to be red.
    fn audit(&self) {
        if self.crm == "none" {
            self.runner.program("gh", ARTIFACT);
            self.sandbox.write("h.tar.gz", DEALS);
        }
        let steps = self.runner.job("audit", "workflow_dispatch", &json!({}));
        let (name, code, said) = steps.last().unwrap();
        assert!(name.starts_with("Audit") && [0, 1].contains(code), "{}: {steps:#?}", self.case);
        assert!(said.contains("wrote audit.html"), "{}: {said}", self.case);
        let refs = self.sandbox.git("remote.git", &["for-each-ref", "refs/handoff/audit"]);
        assert_eq!(refs.lines().count(), 1, "{}: a checkpoint: {refs}", self.case);
    }

    /// The issue form, where nothing else reports every deal.
    fn form(&self) {
        assert_eq!(
            self.has("form"),
            !self.crm_is_connected() || self.esign == "none",
            "{}",
            self.case
        );
        if !self.has("form") {
            return;
        }
        let event = json!({"action": "opened", "issue": {
            "number": 12, "title": "Handoff: Acme Corp", "created_at": "2026-11-20T16:00:00Z",
            "body": "### Customer\n\nAcme Corp\n\n### Contract value\n\n48000.00 USD",
        }});
        let said = self.runner.green("form", "issues", &event);
        assert!(said.contains("github-12: handed over"), "{}: {said}", self.case);
    }

    /// The workflows that a provider changes nothing in.
    fn files_of_no_provider(&self) -> BTreeMap<String, String> {
        let folder = self.sandbox.join("l").join(FOLDER);
        let names = ["validate", "plan", "audit", "sync"].map(|it| format!("handoff-{it}.yml"));
        let there = names.into_iter().filter(|name| folder.join(name).is_file());
        there.map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap())).collect()
    }
}

/// The settings with everything from one mark up to another replaced.
#[track_caller]
fn replaced(settings: &str, from: &str, to: &str, by: &str) -> String {
    let start = settings.find(from).unwrap_or_else(|| panic!("{from} stands in\n{settings}"));
    let end = start + 1 + settings[start + 1..].find(to).unwrap();
    format!("{}{by}{}", &settings[..start], &settings[end..])
}

/// The same event with another document in it: its proof does not hold, and an API
/// does not know it.
fn forged(mut event: Value, esign: &str) -> Value {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let body = engine.decode(event["body_base64"].as_str().unwrap()).unwrap();
    let body = String::from_utf8(body).unwrap();
    let (id, other) = match esign {
        "docusign" => ("dce421", "dce499"),
        "dropbox-sign" => ("c111e961", "c111e999"),
        "docuseal" => ("\"id\":1,", "\"id\":99,"),
        _ => ("document-1", "document-99"),
    };
    assert!(body.contains(id), "{esign}: {body}");
    event["body_base64"] = json!(engine.encode(body.replace(id, other)));
    event
}
