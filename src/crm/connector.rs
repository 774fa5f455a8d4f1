//! What a CRM is to the rest of the house: its row, what its settings lead to,
//! and what it is connected with.

use std::path::Path;

use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

use super::export::{ExportRoot, FileSettings};
use super::{Crm, CrmError, RequestedProperties, Trigger};
use crate::brief::BaseMapping;
use crate::http::Limits;
use crate::model::{DealId, ReferenceRule, Secrets};
use crate::settings::SettingsReader;

/// One CRM.
pub struct CrmRow {
    /// The key under `crm:`, in keys of handoffs and in briefs.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Every secret it may read.
    pub secrets: &'static [&'static str],
    /// Those of them that a run outside of `serve` needs: the ones that
    /// `init` writes into workflows.
    pub workflow_secrets: &'static [&'static str],
    /// How its section is read and described.
    pub settings: SettingsReader<dyn CrmSettings>,
    /// Its default mapping.
    pub mapping: BaseMapping,
    /// How documents name its deals.
    pub references: Option<ReferenceRule>,
    /// The secret by which its webhook is believed, where it has one.
    pub webhook_secret: Option<&'static str>,
    /// The page of a company, from the address of a deal and the company's id.
    pub company_page: Option<CompanyPage>,
}

/// See [`CrmRow::company_page`]; `None` where the address is not of the CRM's form.
pub(super) type CompanyPage = fn(deal_url: &str, company: &str) -> Option<String>;

impl std::fmt::Debug for CrmRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrmRow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the settings of a CRM lead to.
pub trait CrmSettings: std::fmt::Debug + Send + Sync {
    /// Connects the CRM; nothing is sent yet.
    ///
    /// # Errors
    /// When settings or secrets do not do.
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError>;

    /// The CRM's webhook, where it has one.
    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        None
    }

    /// Whether a signature moves an open deal to Closed Won.
    fn updates_closed_won(&self) -> bool {
        false
    }

    /// The settings of an export file, if these are they.
    fn as_file(&self) -> Option<&FileSettings> {
        None
    }
}

impl<S: CrmSettings + 'static> From<S> for Box<dyn CrmSettings> {
    fn from(settings: S) -> Self {
        Box::new(settings)
    }
}

/// What a connector needs beside its settings.
pub struct Connection<'a> {
    /// The secrets of the run.
    pub secrets: &'a Secrets,
    /// Where relative paths start: the ledger.
    pub root: &'a ExportRoot,
    /// The properties that the configuration reads.
    pub requested: &'a RequestedProperties,
    /// How long the CRM is waited for.
    pub limits: Limits,
    /// The zone that the company's days are days of, where it is set.
    pub company_zone: Option<chrono_tz::Tz>,
    /// A folder outside of the ledger in which settings may name exports.
    pub exports: Option<&'a Path>,
}

impl Connection<'_> {
    /// The one secret that a CRM needs; `what` says what to set it to.
    pub(super) fn token(
        secrets: &Secrets,
        name: &str,
        what: &str,
    ) -> Result<SecretString, CrmError> {
        secrets.get(name).ok_or_else(|| CrmError::Denied {
            message: format!("{name} is not set."),
            help: format!("Set {name}, or {name}_FILE, to {what}."),
        })
    }
}

/// A setting that is one of the versions of an API, as it stands in paths.
pub(super) fn api_version<'de, D: Deserializer<'de>>(
    deserializer: D,
    fits: fn(&str) -> bool,
    example: &str,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if fits(&text) {
        Ok(text)
    } else {
        Err(D::Error::custom(format!("{text:?} is not a version such as {example}")))
    }
}

/// The number behind one of these parts of an https address's path: `42` of
/// `https://acme.pipedrive.com/deal/42`.
pub(super) fn number_behind(
    parts: &[&str],
    address: &str,
    fits: impl Fn(&str) -> bool,
) -> Option<DealId> {
    let path = path_of(address, fits)?;
    let at = path.iter().position(|part| parts.contains(part))?;
    path.get(at + 1).filter(|id| is_number(id)).map(|id| DealId::new(*id))
}

/// What one of these parameters of an address says: `42` of
/// `…/list?recordId=42`.
pub(super) fn parameter<'a>(address: &'a str, names: &[&str]) -> Option<&'a str> {
    let query = address.split_once('?')?.1.split('#').next()?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find_map(|(name, value)| {
        names.iter().any(|it| it.eq_ignore_ascii_case(name)).then_some(value)
    })
}

/// Whether a text is digits and nothing else, as the ids of most CRMs are.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The parts of an https address's path, when its host fits.
pub(super) fn path_of(address: &str, fits: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
    let rest = address.trim().strip_prefix("https://")?;
    // A page behind `#` is one, too: `…/one/one.app#/sObject/006…/view`.
    let mut parts = rest.split('?').next().unwrap_or_default().split(['/', '#']);
    let host = parts.next()?.to_ascii_lowercase();
    fits(&host).then(|| parts.collect())
}
