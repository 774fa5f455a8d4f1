//! Invented deals and what their handoffs say. Long enough and different
//! enough that packs do not shrink them more than real ones.

use chrono::{DateTime, Utc};
use handoff::brief::{AnswerSource, BriefSources, SOURCES_SCHEMA, SourceKind, brief_answers};
use handoff::model::Key;
use handoff::{text, yaml};
use serde_json::{Value, json};

/// The ledger's configuration.
pub(crate) const CONFIGURATION: &str = "version: 1
esign: {pandadoc: {}}
crm:
  file: {deals: deals.csv}
map: csv
scope:
  exclude:
    - {when: \"deal.properties['Deal Type'] == 'Existing Business'\", reason: renewal}
team:
  csms: [{name: Sam Lee, email: sam@example.com, github: samlee}]
  assign: [{to: [samlee]}]
  fallback: samlee
first_touch: {within: 24h}
handoff_within: 1h
";

const FIRST: [&str; 16] = [
    "Northwind",
    "Brightwater",
    "Silverline",
    "Oakridge",
    "Bluepeak",
    "Harborview",
    "Redstone",
    "Clearfield",
    "Ironbridge",
    "Maplewood",
    "Sunspire",
    "Westgate",
    "Stonebrook",
    "Highland",
    "Riverbend",
    "Cobalt",
];
const SECOND: [&str; 12] = [
    "Robotics",
    "Freight",
    "Analytics",
    "Foods",
    "Energy",
    "Health",
    "Logistics",
    "Textiles",
    "Software",
    "Materials",
    "Aviation",
    "Insurance",
];
const INDUSTRIES: [&str; 6] =
    ["Manufacturing", "Logistics", "Healthcare", "Retail", "Financial services", "Software"];
const REPS: [&str; 8] = [
    "Riley Ross",
    "Priya Raman",
    "Jonas Weber",
    "Aisha Bello",
    "Tom Park",
    "Elena Costa",
    "Noor Haddad",
    "Kim Sato",
];
const PEOPLE: [&str; 10] = [
    "Dana Wu",
    "Luis Ferreira",
    "Mia Novak",
    "Omar Aziz",
    "Grace Kim",
    "Ivan Petrov",
    "Sara Lind",
    "Paul Okafor",
    "Nina Rossi",
    "Hugo Martin",
];
const PRODUCTS: [&str; 4] = ["Platform", "Insights", "Connect", "Automation"];
const SYSTEMS: [&str; 8] =
    ["Okta", "NetSuite", "SAP", "Workday", "Snowflake", "Salesforce", "Jira", "ServiceNow"];
const GOALS: [&str; 5] = [
    "cut pick errors below half a percent",
    "close the books in three days",
    "answer every customer within an hour",
    "see stock in all warehouses in one place",
    "bring new hires to full speed in two weeks",
];
const METRICS: [&str; 4] =
    ["pick error rate", "days to close", "median first response", "stock accuracy"];

/// A moment.
pub(crate) fn time(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).expect("a time of our own")
}

/// An invented deal.
pub(crate) struct Deal {
    pub(crate) id: i64,
    pub(crate) company: String,
    pub(crate) product: &'static str,
    pub(crate) rep: &'static str,
    pub(crate) amount: u32,
    pub(crate) signed_at: i64,
    pub(crate) goal: String,
    industry: &'static str,
    size: u32,
    people: [&'static str; 3],
    systems: Vec<&'static str>,
    metric: &'static str,
    seats: u32,
    pub(crate) document: String,
}

fn pick<T: Copy>(random: &mut fastrand::Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

impl Deal {
    /// The deal of this number, signed at this moment.
    pub(crate) fn invent(random: &mut fastrand::Rng, number: i64, signed_at: i64) -> Self {
        let (first, second) = (pick(random, &FIRST), pick(random, &SECOND));
        Self {
            id: 31_000_000_000 + number * 7 + 3,
            company: format!("{first} {second} {}", random.u32(10..9_999)),
            product: pick(random, &PRODUCTS),
            rep: pick(random, &REPS),
            amount: random.u32(20..4_000) * 100,
            signed_at,
            goal: format!("{} by {:02}/2027", pick(random, &GOALS), random.u32(1..13)),
            industry: pick(random, &INDUSTRIES),
            size: random.u32(20..20_000),
            people: [pick(random, &PEOPLE), pick(random, &PEOPLE), pick(random, &PEOPLE)],
            systems: (0..random.usize(1..4)).map(|_| pick(random, &SYSTEMS)).collect(),
            metric: pick(random, &METRICS),
            seats: random.u32(5..2_000),
            document: (0..22).map(|_| random.alphanumeric()).collect(),
        }
    }

    /// The handoff's key.
    pub(crate) fn key(&self) -> Key {
        Key::parse(&format!("hubspot-{}", self.id)).expect("digits make a key")
    }

    /// The handoff's folder.
    pub(crate) fn folder(&self) -> String {
        let month = time(self.signed_at).format("%Y/%m");
        format!("briefs/{month}/{}--hubspot-{}", text::slug(&self.company, 40), self.id)
    }

    /// A file of the handoff.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder())
    }

    /// A commit's message.
    pub(crate) fn subject(&self, event: &str) -> String {
        let (company, id) = (&self.company, self.id);
        format!(
            "handoff: {company} (hubspot-{id})\n\nHandoff-Key: hubspot-{id}\nHandoff-Event: {event}\n"
        )
    }

    fn mail(&self, name: &str) -> String {
        let local = text::slug(name, 40).replace('-', ".");
        format!("{local}@{}.example", text::slug(&self.company, 40))
    }

    /// The `brief.yaml`.
    pub(crate) fn brief(&self) -> String {
        format!(
            "# yaml-language-server: $schema=../../../../schema/brief.schema.json\n{}",
            yaml::write(&self.answers())
        )
    }

    /// The `sources.yaml` that is written with a brief of this blob.
    pub(crate) fn sources(&self, brief: String) -> String {
        let read = AnswerSource::of(SourceKind::Crm).named("hubspot");
        let read = read.referring_to(self.id.to_string()).at(time(self.signed_at + 12));
        let answers = self.answers();
        let answers = brief_answers(&answers).into_iter().map(|answer| {
            let property = answer.field.replace('.', "_");
            let expression = Some(format!("deal.properties.{property}"));
            let reads = [(format!("deal.properties.{property}"), answer.value.clone())].into();
            let line = Some(format!("brief.{}", answer.field));
            (answer.pointer, AnswerSource { reads, line, expression, ..read.clone() })
        });
        let answers = answers.collect();
        BriefSources { schema: SOURCES_SCHEMA.to_owned(), key: self.key(), brief, answers }
            .to_yaml()
    }

    fn answers(&self) -> Value {
        let person = |at: usize, title: &str| {
            let name = self.people[at];
            json!({"name": name, "email": self.mail(name), "title": title})
        };
        let day = |days: i64| time(self.signed_at + days * 86_400).format("%Y-%m-%d").to_string();
        let moment = |seconds: i64| {
            time(self.signed_at + seconds).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        };
        let rep_mail = format!("{}@vendor.example", text::slug(self.rep, 40).replace('-', "."));
        json!({
            "schema": "handoff/brief/v1",
            "key": format!("hubspot-{}", self.id),
            "deal": {"crm": "hubspot", "id": self.id.to_string(), "name": format!("{} - {}", self.company, self.product),
                "url": format!("https://app.hubspot.com/contacts/24681012/record/0-3/{}", self.id),
                "owner": {"name": self.rep, "email": rep_mail}, "closed_won_at": moment(60)},
            "signature": {"provider": "pandadoc", "document_id": self.document,
                "document_name": format!("{} order form", self.company), "signed_at": moment(0)},
            "customer": {"name": self.company, "size": self.size, "industry": self.industry,
                "tier": if self.amount > 100_000 { "enterprise" } else { "growth" },
                "website": format!("https://{}.example", text::slug(&self.company, 40))},
            "purchase": {"products": [{"name": self.product, "plan": "Business", "quantity": self.seats}],
                "contract_value": {"amount": format!("{}.00", self.amount), "currency": "USD"},
                "term": {"months": 12, "starts": day(10)}, "special_terms": "none"},
            "contacts": {"signer": person(0, "VP Operations"), "day_to_day": person(1, "Operations manager"),
                "economic_buyer": person(2, "CFO")},
            "commitments": [{"promise": format!("{} is connected before go-live", self.systems[0]), "made_by": self.rep,
                "made_to": self.people[1], "on": day(-17), "due": day(55), "owner": "Platform team", "stretch": false}],
            "implementation": {"complexity": if self.systems.len() > 2 { "high" } else { "medium" },
                "requirements": [format!("{} seats in two waves", self.seats), "Data stays in the region"],
                "integrations": self.systems, "custom_configuration": "none"},
            "success": {"primary_goal": self.goal, "metric": self.metric,
                "target": format!("better by {} percent", 5 + self.seats % 60), "by": day(120)},
            "first_action": {"instruction": format!("Introduce yourself to {} within 24 hours and reference their primary goal: {}", self.company, self.goal),
                "owner": {"name": "Sam Lee", "email": "sam@example.com", "github": "samlee"}, "due": moment(86_400)},
        })
    }

    /// The `README.md`.
    pub(crate) fn readme(&self) -> String {
        let Self {
            company,
            product,
            rep,
            amount,
            goal,
            industry,
            size,
            people,
            metric,
            seats,
            id,
            ..
        } = self;
        let systems = self.systems.join(", ");
        let [signer, daily, buyer] = people;
        let (m1, m2, m3) = (self.mail(signer), self.mail(daily), self.mail(buyer));
        let signed = time(self.signed_at);
        let due = time(self.signed_at + 86_400);
        format!(
            "# {company}\n\n> **Do first:** Introduce yourself to {company} within 24 hours and reference their primary goal: {goal}.\n> Sam Lee (@samlee), by {due}\n\n\
             | | |\n|---|---|\n| Signed | {signed} |\n| Deal | [hubspot-{id}](https://app.hubspot.com/contacts/24681012/record/0-3/{id}) |\n| Rep | {rep} |\n| Value | USD {amount}.00 |\n\n\
             ## Who is this customer?\n\n{company}: {industry}, {size} employees.\n\n## What did they buy?\n\n{seats} x {product} (Business), 12 months. Special terms: none.\n\n\
             ## Who are we talking to?\n\n| Role | Name | Mail |\n|---|---|---|\n| Signer | {signer} | {m1} |\n| Day to day | {daily} | {m2} |\n| Economic buyer | {buyer} | {m3} |\n\n\
             ## What did the rep promise?\n\n- The first integration ({systems}) is connected before go-live. Promised by {rep} to {daily}; owner: Platform team.\n\n\
             ## How complex is implementation?\n\nIntegrations: {systems}. {seats} seats in two waves. Data stays in the region.\n\n\
             ## What does success look like to them?\n\n{goal}. Measured by {metric}.\n\n## What should CS do first, and by when?\n\nIntroduce yourself to {company}; due {due}.\n"
        )
    }
}
