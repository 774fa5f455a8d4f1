//! Each CRM through the real binary: a fake in this process, a ledger that is
//! connected to it, and what people see.

mod closed_won;
mod documents;
mod faults;
mod pages;
mod secrets;
mod stories;

use std::fs;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::crm_faults::Plan;
use crate::sandbox::{Ran, Sandbox};
use crate::{hubspot, pipedrive, salesforce};

pub(crate) const CRMS: [&str; 3] = ["hubspot", "salesforce", "pipedrive"];

/// The deals of [`World::large`]: past HubSpot's cap of 10,000, and past the
/// number from which Salesforce's come by the Bulk API.
pub(crate) const DEALS: u64 = 12_000;

/// Where the ledger seems to be on a forge.
const LEDGER: &str = "https://github.com/acme/handoffs";

pub(crate) enum Fake {
    HubSpot(hubspot::fake::Fake),
    Salesforce(salesforce::fake::Fake),
    Pipedrive(pipedrive::fake::Fake),
}

impl Fake {
    /// The CRM of the samples.
    pub(crate) async fn start(crm: &str) -> Self {
        match crm {
            "hubspot" => Self::HubSpot(hubspot::fake::Fake::start().await),
            "salesforce" => Self::Salesforce(salesforce::fake::Fake::start().await),
            _ => Self::Pipedrive(pipedrive::fake::Fake::start().await),
        }
    }

    /// Where it listens.
    pub(crate) fn base(&self) -> &str {
        match self {
            Self::HubSpot(fake) => fake.base.as_str(),
            Self::Salesforce(fake) => fake.base.as_str(),
            Self::Pipedrive(fake) => fake.base.as_str(),
        }
    }

    /// What it lets itself be asked with.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::HubSpot(_) => vec![("HUBSPOT_TOKEN", hubspot::fake::TOKEN.to_owned())],
            Self::Salesforce(_) => vec![
                ("SALESFORCE_CLIENT_ID", salesforce::fake::CLIENT_ID.to_owned()),
                ("SALESFORCE_CLIENT_SECRET", salesforce::fake::CLIENT_SECRET.to_owned()),
            ],
            Self::Pipedrive(_) => vec![("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN.to_owned())],
        }
    }

    /// Gives these answers from now on, and no others that were planned.
    pub(crate) fn plan(&self, &Plan { part, pass, answers }: &Plan<'_>) {
        match self {
            Self::HubSpot(fake) => {
                let answer = |(status, body): &(u16, Value)| {
                    hubspot::fake::Planned::Answer(*status, vec![], body.clone())
                };
                let before = std::iter::repeat_n(hubspot::fake::Planned::Pass, pass);
                fake.state().planned.clear();
                fake.plan(part, before.chain(answers.iter().map(answer)));
            }
            Self::Salesforce(fake) => {
                let before = std::iter::repeat_n((0, Value::Null), pass);
                fake.state().planned.clear();
                fake.plan(part, before.chain(answers.iter().cloned()));
            }
            Self::Pipedrive(fake) => {
                let answer = |(status, body): &(u16, Value)| Some((*status, vec![], body.clone()));
                let before = std::iter::repeat_n(None, pass);
                fake.state().planned.clear();
                fake.plan(part, before.chain(answers.iter().map(answer)));
            }
        }
    }

    /// The same with these answers.
    pub(crate) fn planned(self, plan: Option<&Plan<'_>>) -> Self {
        if let Some(plan) = plan {
            self.plan(plan);
        }
        self
    }
}

pub(crate) struct World {
    pub(crate) crm: &'static str,
    pub(crate) fake: Fake,
    pub(crate) sandbox: Sandbox,
    pub(crate) secrets: Vec<(&'static str, String)>,
    /// What the fake lives in.
    pub(crate) runtime: Runtime,
}

impl World {
    /// The CRM of the samples, and an empty ledger connected to it.
    pub(crate) fn of(crm: &'static str, settings: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let fake = runtime.block_on(Fake::start(crm));
        Self::with(crm, settings, runtime, fake)
    }

    /// Twelve thousand deals that were won, in seven pages and more.
    pub(crate) fn large(crm: &'static str, settings: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let fake = runtime.block_on(async {
            match crm {
                "hubspot" => {
                    let account = hubspot::many(DEALS);
                    Fake::HubSpot(hubspot::fake::Fake::with(account).await)
                }
                "salesforce" => {
                    let mut org = salesforce::bulk::many(usize::try_from(DEALS).unwrap());
                    (org.page, org.bulk_page) = (1_500, 1_500);
                    Fake::Salesforce(salesforce::fake::Fake::with(org).await)
                }
                _ => {
                    let company = pipedrive::many(DEALS);
                    Fake::Pipedrive(pipedrive::fake::Fake::with(company).await)
                }
            }
        });
        Self::with(crm, settings, runtime, fake)
    }

    pub(crate) fn with(crm: &'static str, settings: &str, runtime: Runtime, fake: Fake) -> Self {
        let sandbox = Sandbox::new();
        let csm = "Sam Lee <sam@example.com> @samlee";
        sandbox.handoff(".", &["init", "l", "--crm", crm, "--csm", csm]).exits(0);
        sandbox.git("l", &["remote", "add", "origin", &format!("{LEDGER}.git")]);
        let secrets = fake.secrets();
        let world = Self { crm, fake, sandbox, secrets, runtime };
        world.connect(world.base(), settings);
        world.sandbox.git("l", &["commit", "-qam", "connected"]);
        world
    }

    /// Writes the section `crm:` and no deliveries but those to the CRM.
    pub(crate) fn connect(&self, base: &str, settings: &str) {
        let path = self.sandbox.join("l/handoff.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let (start, end) = (text.find("\ncrm:\n").unwrap(), text.find("\n# From deal to").unwrap());
        let section = format!(
            "\ndocuments:\n  - {{when: \"'Contract' in signature.document_name\", is: contract}}\ncrm:\n  {}: {{base_url: '{base}'{settings}}}\n",
            self.crm
        );
        let text = format!("{}{section}{}", &text[..start], &text[end..]);
        // Its remote is a name alone: nothing is ever pushed.
        fs::write(path, text.replace("outbox: {dir: outbox}", "before_push: true")).unwrap();
    }

    /// Where the CRM listens.
    pub(crate) fn base(&self) -> &str {
        self.fake.base()
    }

    /// Connects to a port on which nobody listens.
    pub(crate) fn connect_to_nothing(&self) {
        let path = self.sandbox.join("l/handoff.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find("http://127.0.0.1:").unwrap();
        let end = start + text[start..].find('\'').unwrap();
        fs::write(path, format!("{}http://127.0.0.1:1{}", &text[..start], &text[end..])).unwrap();
        self.commit_settings();
    }

    /// An audit reads the settings that are committed.
    fn commit_settings(&self) {
        self.sandbox.git("l", &["commit", "-qam", "the settings"]);
    }

    /// Changes handoff.yaml.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.sandbox.join("l/handoff.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} stands in\n{text}");
        fs::write(path, text.replace(from, to)).unwrap();
        self.commit_settings();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let secrets: Vec<(&str, &str)> =
            self.secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.sandbox.handoff_with("l", arguments, &secrets)
    }

    /// The file of a signed contract for a deal.
    pub(crate) fn contract(&self, id: &str, signed_at: &str) -> String {
        let event = json!({"type": "contract.signed", "timestamp": signed_at, "data": {
            "id": format!("doc-{id}"), "name": format!("Contract {id}"), "signed_at": signed_at,
            "signers": [], "crm": {"provider": self.crm, "entity_id": id},
        }});
        self.sandbox.write(&format!("{id}.json"), event.to_string()).display().to_string()
    }

    /// Hands over a signed contract for a deal; the result as JSON.
    pub(crate) fn sign(&self, id: &str, code: i32) -> Value {
        let contract = self.contract(id, "2026-11-20T15:01:58Z");
        self.run(&["sign", &contract, "--no-push", "--format", "json"]).exits(code).json()
    }

    /// The timeline of a handoff, as its file says.
    pub(crate) fn timeline(&self, signed: &Value) -> String {
        let path = signed["path"].as_str().unwrap();
        fs::read_to_string(self.sandbox.join("l").join(path).join("timeline.yaml")).unwrap()
    }

    /// What was written to the CRM: where, and what.
    pub(crate) fn writes(&self) -> Vec<String> {
        let told = |path: &str, body: &Value| format!("{path} {body}");
        match &self.fake {
            Fake::HubSpot(fake) => {
                fake.writes().iter().map(|call| told(&call.path, &call.body)).collect()
            }
            Fake::Salesforce(fake) => fake.writes().iter().map(|(p, body)| told(p, body)).collect(),
            Fake::Pipedrive(fake) => fake.writes().iter().map(|(p, body)| told(p, body)).collect(),
        }
    }

    /// Answers so often with a failure where a request contains the text.
    pub(crate) fn fail(&self, part: &str, times: usize, status: u16, body: &Value) {
        match &self.fake {
            Fake::HubSpot(fake) => {
                let answer = hubspot::fake::Planned::Answer(status, vec![], body.clone());
                fake.plan(part, vec![answer; times]);
            }
            Fake::Salesforce(fake) => fake.plan(part, vec![(status, body.clone()); times]),
            Fake::Pipedrive(fake) => {
                fake.plan(part, vec![Some((status, vec![], body.clone())); times]);
            }
        }
    }
}
