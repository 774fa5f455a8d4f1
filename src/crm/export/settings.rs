//! The `crm.file` section of the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

pub use crate::model::{DateOrder, DecimalSign};
use crate::time::ZoneName;

/// Deals from an export file: CSV, JSON or a workbook, plain or compressed.
/// Only `deals` is needed for the exports that are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The CRM's name in keys and briefs; without it the recognised vendor, else `csv`.
    #[serde(default)]
    pub name: Option<String>,
    /// The file with the deals, in the ledger or in the folder that
    /// `HANDOFF_EXPORTS` names; a relative path starts at the ledger.
    pub deals: PathBuf,
    /// Which column holds what, by header; the rest is found by its usual names.
    #[serde(default)]
    #[schemars(schema_with = "columns_by_key")]
    pub columns: BTreeMap<Column, String>,
    /// An expression over `deal` that says whether a row is won, such as
    /// `deal.stage == 'Signed'`; `true` for a file of won deals alone that has
    /// no column with their stage or status.
    #[serde(default, deserialize_with = "won")]
    #[schemars(with = "Option<WonWritten>")]
    pub won: Option<String>,
    /// More files, joined to each deal.
    #[serde(default)]
    pub join: Vec<JoinSettings>,
    /// How dates are written.
    #[serde(default)]
    pub dates: DateSettings,
    /// How numbers are written.
    #[serde(default)]
    pub numbers: NumberSettings,
    /// The ISO 4217 code of amounts that have none of their own.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The company's time zone, which days are days of; not written here.
    #[serde(skip)]
    pub company_zone: Option<Tz>,
    /// Whether `deals` was named by the person who runs this and may lie
    /// anywhere; what settings name has to lie in the ledger.
    #[serde(skip)]
    pub named: bool,
    /// A folder outside of the ledger in which settings may name files.
    #[serde(skip)]
    pub exports: Option<PathBuf>,
    /// Whether handoff.yaml holds these settings.
    #[serde(skip, default = "written")]
    pub written: bool,
    /// Whether there is a handoff.yaml, with or without these settings.
    #[serde(skip, default = "written")]
    pub has_config: bool,
}

fn written() -> bool {
    true
}

/// What messages call a deals file that came on standard input.
pub const STANDARD_INPUT: &str = "standard input";

impl FileSettings {
    /// The settings of `--deals FILE`: nothing but a path.
    #[must_use]
    pub fn of(deals: impl Into<PathBuf>) -> Self {
        Self {
            name: None,
            deals: deals.into(),
            columns: BTreeMap::new(),
            won: None,
            join: Vec::new(),
            dates: DateSettings::default(),
            numbers: NumberSettings::default(),
            currency: None,
            company_zone: None,
            named: true,
            exports: None,
            written: false,
            has_config: false,
        }
    }

    /// A line of these settings as it can be pasted, and where: in the section that
    /// is there, as a section, or as a whole file.
    pub(super) fn line(&self, line: &str) -> String {
        if self.written {
            return format!("`{line}` under `crm: file:` in handoff.yaml");
        }
        let (deals, lies_there) = self.in_ledger();
        let file = format!("{{file: {{deals: {}, {line}}}}}", serde_json::json!(deals));
        let text = match self.has_config {
            true => {
                format!("`crm: {file}` into handoff.yaml, in place of its `crm:` where it has one")
            }
            false => format!("`{{version: 1, crm: {file}}}` into handoff.yaml"),
        };
        match lies_there {
            true => text,
            false => format!(
                "{text} (and copy the export there as {deals}, or name it with --deals each time)"
            ),
        }
    }

    /// The deals file as settings may name it, and whether it lies there: they name
    /// none outside of the ledger and of the folder for exports.
    fn in_ledger(&self) -> (String, bool) {
        let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if self.deals == Path::new(STANDARD_INPUT) {
            return ("deals.csv".to_owned(), false);
        }
        if self.deals.components().all(is_inside) || self.may_lie_at(&self.deals) {
            return (self.deals.display().to_string(), true);
        }
        let name = self.deals.file_name().unwrap_or_default();
        (name.to_string_lossy().into_owned(), false)
    }

    /// Whether a file lies in the folder for exports outside of the ledger.
    pub(super) fn may_lie_at(&self, full: &Path) -> bool {
        let folder = self.exports.as_deref().and_then(|folder| folder.canonicalize().ok());
        // One that is not there yet may lie where its folder does.
        let place = full.canonicalize().or_else(|_| full.parent().unwrap_or(full).canonicalize());
        folder.is_some_and(|folder| place.is_ok_and(|place| place.starts_with(folder)))
    }

    /// The zone of times without an offset: the file's own, else the company's.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        self.dates.timezone.map(|zone| zone.0).or(self.company_zone)
    }

    /// The zone that days are days of: the company's, else the file's.
    #[must_use]
    pub fn day_zone(&self) -> Option<Tz> {
        self.company_zone.or_else(|| self.zone())
    }
}

/// An expression, or `true`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the schema of `won` alone")]
enum WonWritten {
    Expression(String),
    Every(bool),
}

fn won<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Won;
    impl Visitor<'_> for Won {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an expression such as deal.stage == 'Signed', or true")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
            Ok(Some(flag.to_string()))
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Won)
}

fn columns_by_key(_: &mut SchemaGenerator) -> Schema {
    let keys: Vec<&str> = Column::ALL.iter().map(|column| column.key()).collect();
    json_schema!({
        "type": "object",
        "propertyNames": {"enum": keys},
        "additionalProperties": {"type": "string"},
    })
}

macro_rules! columns {
    ($($(#[doc = $doc:literal])* $name:ident $key:literal;)*) => {
        /// What a column of the deals file can be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        pub enum Column {
            $($(#[doc = $doc])* #[serde(rename = $key)] $name,)*
        }

        impl Column {
            /// All of them, in their order.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the configuration.
            pub(super) fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }
    };
}

columns! {
    /// The deal's id.
    Id "id";
    /// The deal's name.
    Name "name";
    /// What it is worth.
    Amount "amount";
    /// The amount's ISO 4217 code.
    Currency "currency";
    /// The stage's label.
    Stage "stage";
    /// The pipeline's label.
    Pipeline "pipeline";
    /// Won, lost or open, in one word.
    Status "status";
    /// Whether it is won, true or false.
    IsWon "is_won";
    /// Whether it is lost, true or false.
    IsLost "is_lost";
    /// Whether it is closed, true or false.
    IsClosed "is_closed";
    /// Whether it is deleted or archived, true or false; a date there is when it was.
    Deleted "deleted";
    /// Whether it is still there, true or false; the opposite of `deleted`.
    Active "active";
    /// The probability in per cent, or as a part of one.
    Probability "probability";
    /// When it was won, else the close date.
    ClosedWonAt "closed_won_at";
    /// The rep's name.
    Owner "owner";
    /// The rep's e-mail address.
    OwnerEmail "owner_email";
    /// The company's name.
    Company "company";
    /// The company's id.
    CompanyId "company_id";
    /// The company's website.
    Website "website";
    /// The company's industry.
    Industry "industry";
    /// The company's number of employees.
    Employees "employees";
    /// The people, as `Name (e-mail);Name (e-mail)`.
    Contacts "contacts";
    /// The people's ids, in the same order.
    ContactIds "contact_ids";
    /// The e-mail address of the one person.
    ContactEmail "contact_email";
    /// A link to the deal.
    Url "url";
    /// New business, renewal, …; the same as `deal.properties.type`.
    Type "type";
}

/// One more file, joined to each deal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinSettings {
    /// The file; a relative path starts at the ledger.
    pub file: PathBuf,
    /// The column of the deals file, by header or by its name under `columns`.
    pub on: String,
    /// The column of this file; without it, the same header as `on`.
    #[serde(default)]
    pub key: Option<String>,
    /// What its rows are.
    #[serde(rename = "as")]
    pub role: JoinRole,
}

/// What the rows of a joined file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinRole {
    /// The company of the deal; at most one row.
    Company,
    /// The people of the deal.
    Contacts,
    /// What was bought.
    LineItems,
}

/// How dates are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DateSettings {
    /// The order of day, month and year; without it the file must prove it.
    #[serde(default)]
    pub order: Option<DateOrder>,
    /// The time zone of times without an offset; without it the company's, else UTC.
    #[serde(default)]
    pub timezone: Option<ZoneName>,
}

/// How numbers are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberSettings {
    /// The decimal sign, `.` or `,`; without it the file must prove it.
    #[serde(default)]
    pub decimal: Option<DecimalSign>,
}

/// An ISO 4217 code, three capital letters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Currency(pub String);

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        crate::model::currency_code(&text)
            .map(|code| Self(code.to_owned()))
            .ok_or_else(|| format!("{text:?} is not an ISO 4217 currency code such as USD"))
    }
}
