//! Links to the page of one person, for the texts that leave.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::http::BaseUrl;
use crate::link::{Grant, LinkKeys, LinkRole};
use crate::model::Key;
use crate::text;
use crate::time::HumanDuration;

/// `deliver.links`: the page behind a link, which `handoff serve` offers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkSettings {
    /// Where people reach `handoff serve`, such as
    /// `https://handoff.example.com`; links to `/h/…` below it go into what is
    /// sent. Needs the secret `HANDOFF_LINK_KEY`.
    pub public_url: BaseUrl,
    /// How long a link counts. Default `90d`.
    pub valid_for: Option<HumanDuration>,
    /// Whether messages in channels (Slack, Teams) hold the link, too. Whoever
    /// reads the channel can then answer in the person's name. Default: false.
    #[serde(default)]
    pub in_channels: bool,
}

impl LinkSettings {
    /// As they are where nothing but the address is said.
    #[must_use]
    pub fn at(public_url: BaseUrl) -> Self {
        Self { public_url, valid_for: None, in_channels: false }
    }
}

/// Makes links.
#[derive(Debug, Clone)]
pub struct Links {
    /// The page's place.
    pub public_url: BaseUrl,
    /// What signs them.
    pub keys: LinkKeys,
    /// How long they count.
    pub valid_for: TimeDelta,
    /// Whether channels get them.
    pub in_channels: bool,
}

impl Links {
    /// As configured.
    #[must_use]
    pub fn new(settings: &LinkSettings, keys: LinkKeys) -> Self {
        let valid = settings.valid_for.unwrap_or(HumanDuration::days(90));
        Self {
            public_url: settings.public_url.clone(),
            keys,
            valid_for: valid.plain(),
            in_channels: settings.in_channels,
        }
    }

    /// What the link of a handoff's CSM or rep says; `None` where the brief
    /// names no address of theirs.
    #[must_use]
    pub fn grant(
        &self,
        key: &Key,
        brief: &Value,
        role: LinkRole,
        now: DateTime<Utc>,
    ) -> Option<Grant> {
        let person = person(brief, role)?;
        let expires = now.checked_add_signed(self.valid_for)?;
        Some(Grant { key: key.clone(), person, role, issued: now, expires })
    }

    /// The link of a grant.
    #[must_use]
    pub fn url(&self, grant: &Grant) -> String {
        self.public_url.join(&format!("/h/{}", self.keys.token(grant)))
    }
}

/// The address by which the brief names the person of a role, lower-case.
#[must_use]
pub fn person(brief: &Value, role: LinkRole) -> Option<String> {
    let address = brief.pointer(role.pointer())?.get("email")?.as_str()?.trim();
    text::is_address(address).then(|| address.to_lowercase())
}
