//! `handoff.yaml` as it is written, and its JSON Schema. The doc comments are the
//! descriptions of the schema and of docs/configuration.md: write them for
//! operators.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::reminders::{Address, WrittenReminders};
use super::team::WrittenTeam;
use crate::crm::base_mappings;
use crate::settings::{DocumentRule, schema_generator};
use crate::time::{CalendarConfig, HumanDuration, ZoneName};
use crate::yaml::Located;

/// The JSON Schema of `handoff.yaml` (draft 2020-12).
pub static CONFIG_SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schema_generator().into_root_schema_for::<Written>();
    schema.insert("$id".to_owned(), "urn:handoff:schema:config:v1".into());
    schema.to_value()
});

/// The settings of a ledger: `handoff.yaml` in its root.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "handoff.yaml")]
pub(super) struct Written {
    /// The version of this format: `1`.
    #[expect(dead_code, reason = "that it is 1 is all there is to know")]
    #[schemars(required)]
    version: Option<FormatVersion>,
    /// The strftime pattern of the folders below `briefs/`. Default `%Y/%m`.
    pub layout: Option<Located<String>>,
    /// The ledger's branch. Absent: the branch that the repository's HEAD names.
    pub branch: Option<Located<String>>,
    /// The company's IANA time zone, such as `Europe/Berlin`: in it days begin
    /// and end for exports, audit windows and deadlines. Default: the
    /// calendar's, else `UTC`.
    pub timezone: Option<ZoneName>,
    /// Which e-signatures begin a handoff: a section for each provider in use.
    #[serde(default)]
    #[schemars(schema_with = "crate::esign::EsignConfig::schema")]
    #[expect(dead_code, reason = "read by the rows of the room, see Config::parse")]
    esign: Section,
    /// Where deals come from: one section at most.
    #[serde(default)]
    #[schemars(schema_with = "crate::crm::CrmConfig::schema")]
    #[expect(dead_code, reason = "read by the rows of the room, see Config::parse")]
    crm: Section,
    /// The default mapping from deal to brief. Absent: that of the CRM or
    /// export under `crm:`, else `none`, which reads the signed document. What
    /// a deal does not say, each of them takes from the document.
    #[serde(default)]
    #[schemars(schema_with = "map_names")]
    pub map: Option<Located<String>>,
    /// What differs from the default mapping: a field of the brief, dotted, and
    /// an expression over `signature`, `deal`, `company`, `contacts` and
    /// `line_items`.
    #[serde(default)]
    #[schemars(schema_with = "fields_and_expressions")]
    #[expect(dead_code, reason = "Config::parse reads it with the places of its keys")]
    brief: Section,
    /// Which completed documents are contracts, for every provider; the first
    /// rule that applies decides. A provider's own rules come first. What no
    /// rule decides is a contract if the deal is won already or the document
    /// has a total above zero, else it is held.
    pub documents: Option<Vec<DocumentRule>>,
    /// What happens with documents that a provider marks as tests. Default `ignore`.
    pub test_documents: Option<TestDocuments>,
    /// How long a document is held whose deal the CRM does not know yet.
    /// Default `2d`.
    pub wait_for_deal: Option<Located<HumanDuration>>,
    /// Who hears of documents that are held.
    #[serde(default)]
    pub held_documents: Option<WrittenHeld>,
    /// Which won deals need a handoff.
    pub scope: Option<WrittenScope>,
    /// Who takes handoffs.
    pub team: Option<WrittenTeam>,
    /// By when the CSM makes the first touch.
    pub first_touch: Option<WrittenFirstTouch>,
    /// How soon after the signature the brief must be there. Default `1h`.
    pub handoff_within: Option<Located<HumanDuration>>,
    /// What audits rest on.
    pub audit: Option<WrittenAudit>,
    /// Who is reminded of what is due: a list of reminders, or `off`. Absent:
    /// the shipped reminders.
    pub reminders: Option<WrittenReminders>,
    /// How long handoff waits for CRMs, e-sign providers and the ledger's remote.
    pub limits: Option<WrittenLimits>,
    /// What a signed brief sets off: a section for each target.
    #[serde(default)]
    #[schemars(schema_with = "crate::deliver::DeliverConfig::schema")]
    #[expect(dead_code, reason = "read by the rows of the room, see Config::parse")]
    deliver: Section,
}

/// `held_documents:`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHeld {
    /// The addresses that get a message, once for each document that is held.
    /// It goes out by `deliver.email`, else to the outbox.
    #[serde(default)]
    pub tell: Vec<Address>,
    /// The chats under `deliver:` in which it is posted, once for each document.
    #[serde(default)]
    pub post: Vec<Chat>,
}

/// A chat that messages are posted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Chat {
    /// The channel of `deliver.slack`.
    Slack,
    /// The workflow of `deliver.teams`.
    Teams,
}

impl Chat {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }
}

/// The format's version; other versions are refused by the schema.
#[derive(Debug, Deserialize)]
struct FormatVersion(#[expect(dead_code, reason = "always 1")] u8);

impl JsonSchema for FormatVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": 1})
    }
}

/// A section that is read from the file's nodes, for its rows or its keys.
#[derive(Debug, Default)]
struct Section;

impl<'de> Deserialize<'de> for Section {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

fn map_names(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = base_mappings().map(|base| base.name).collect();
    json_schema!({"anyOf": [{"type": "string", "enum": names}, {"type": "null"}]})
}

fn fields_and_expressions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["object", "null"], "additionalProperties": {"type": "string"}})
}

/// Which won deals need a handoff.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenScope {
    /// Deals that need none; the first rule that applies gives the reason.
    #[serde(default)]
    pub exclude: Vec<WrittenExclusion>,
}

/// One reason for a won deal to need no handoff.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "when": "deal.properties.dealtype == 'renewal'", "reason": "renewal"
}))]
pub(super) struct WrittenExclusion {
    /// When it applies: an expression over `deal`, `company`, `contacts` and `line_items`.
    pub when: Located<String>,
    /// Why, for reports.
    pub reason: String,
}

/// By when the CSM makes the first touch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"within": "24h"}))]
pub(super) struct WrittenFirstTouch {
    /// How long after the signature; with a calendar in its hours. Default `24h`.
    pub within: Option<Located<HumanDuration>>,
    /// In which hours that time runs. Absent: day and night.
    pub calendar: Option<Located<CalendarConfig>>,
    /// What ends the wait: the CSM's word, or evidence of it. Default `claimed`.
    #[serde(default)]
    pub proof: TouchProof,
}

/// What counts as a first touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TouchProof {
    /// The CSM says so: `/touched`, the button, closing the task as completed.
    #[default]
    Claimed,
    /// The CRM shows it: an e-mail, call or meeting of the CSM with a contact of the deal.
    Evidenced,
}

/// What happens with documents that a provider marks as tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestDocuments {
    /// They are recorded and set nothing off.
    #[default]
    Ignore,
    /// They count like any other document.
    Accept,
}

/// What audits rest on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"clock": "github"}))]
pub(super) struct WrittenAudit {
    /// Whose clock decides when a brief reached the ledger's remote, instead of
    /// the dates in the commits. Absent: none but those of `handoff audit --clock`.
    pub clock: Option<AuditClock>,
}

/// A clock that every audit asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditClock {
    /// GitHub's record of who pushed what to the ledger's remote, and when.
    Github,
}

/// How long handoff waits for CRMs, e-sign providers and the ledger's remote.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"request": "30s", "run": "20m"}))]
pub(super) struct WrittenLimits {
    /// How long one request may take. Default `30s`.
    pub request: Option<Located<HumanDuration>>,
    /// How long a command may wait for the answers of a CRM or e-sign provider
    /// in all, such as an audit that reads many pages. A service counts each batch of
    /// events by itself. Default `2h`.
    pub run: Option<Located<HumanDuration>>,
    /// How long one fetch or push of the ledger may take. Default `30s`.
    pub remote: Option<Located<HumanDuration>>,
}
