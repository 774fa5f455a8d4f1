//! The `crm.file` section of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::model::{DateOrder, DecimalSign};

/// Deals from an export file: `crm.file` in `handoff.yaml`. Only `deals` is
/// needed for the exports that are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The CRM's name in keys and briefs; without it the recognised vendor, else `csv`.
    #[serde(default)]
    pub name: Option<String>,
    /// The file with the deals; a relative path starts at the ledger.
    pub deals: PathBuf,
    /// Which column holds what, by header; the rest is found by its usual names.
    #[serde(default)]
    pub columns: BTreeMap<Column, String>,
    /// An expression over `deal` that says whether a row is won.
    #[serde(default)]
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
}

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
        }
    }
}

/// What a column of the deals file can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// The deal's id.
    Id,
    /// The deal's name.
    Name,
    /// What it is worth.
    Amount,
    /// The amount's ISO 4217 code.
    Currency,
    /// The stage's label.
    Stage,
    /// The pipeline's label.
    Pipeline,
    /// Won, lost or open, in one word.
    Status,
    /// Whether it is won, true or false.
    IsWon,
    /// Whether it is closed, true or false.
    IsClosed,
    /// The probability in per cent.
    Probability,
    /// When it was won, else the close date.
    ClosedWonAt,
    /// The rep's name.
    Owner,
    /// The rep's e-mail address.
    OwnerEmail,
    /// The company's name.
    Company,
    /// The company's id.
    CompanyId,
    /// The company's website.
    Website,
    /// The company's industry.
    Industry,
    /// The company's number of employees.
    Employees,
    /// The people, as `Name (e-mail);Name (e-mail)`.
    Contacts,
    /// The people's ids, in the same order.
    ContactIds,
    /// The e-mail address of the one person.
    ContactEmail,
    /// A link to the deal.
    Url,
    /// New business, renewal, …; the same as `deal.properties.type`.
    Type,
}

impl Column {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 23] = [
        Self::Id,
        Self::Name,
        Self::Amount,
        Self::Currency,
        Self::Stage,
        Self::Pipeline,
        Self::Status,
        Self::IsWon,
        Self::IsClosed,
        Self::Probability,
        Self::ClosedWonAt,
        Self::Owner,
        Self::OwnerEmail,
        Self::Company,
        Self::CompanyId,
        Self::Website,
        Self::Industry,
        Self::Employees,
        Self::Contacts,
        Self::ContactIds,
        Self::ContactEmail,
        Self::Url,
        Self::Type,
    ];

    /// The name in the configuration.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Stage => "stage",
            Self::Pipeline => "pipeline",
            Self::Status => "status",
            Self::IsWon => "is_won",
            Self::IsClosed => "is_closed",
            Self::Probability => "probability",
            Self::ClosedWonAt => "closed_won_at",
            Self::Owner => "owner",
            Self::OwnerEmail => "owner_email",
            Self::Company => "company",
            Self::CompanyId => "company_id",
            Self::Website => "website",
            Self::Industry => "industry",
            Self::Employees => "employees",
            Self::Contacts => "contacts",
            Self::ContactIds => "contact_ids",
            Self::ContactEmail => "contact_email",
            Self::Url => "url",
            Self::Type => "type",
        }
    }
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
    /// The order of day, month and year; without it the column must prove it.
    #[serde(default)]
    pub order: Option<DateOrder>,
    /// The time zone of times without an offset; UTC without it.
    #[serde(default)]
    pub timezone: Option<ZoneName>,
}

/// How numbers are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberSettings {
    /// The decimal sign, `.` or `,`; without it the column must prove it.
    #[serde(default)]
    pub decimal: Option<DecimalSign>,
}

/// An IANA time zone such as `America/New_York`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ZoneName(pub Tz);

impl TryFrom<String> for ZoneName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.trim()
            .parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is not a time zone such as America/New_York or UTC"))
    }
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
