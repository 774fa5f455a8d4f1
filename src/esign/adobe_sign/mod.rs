//! Adobe Acrobat Sign. Facts: AdobeDocs/acrobat-sign-developer-guide,
//! `src/pages/overview/acrobat_sign_events`.

mod api;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::deal_refs::{DealFinder, DealSettings};
use super::provider::{Provider, ProviderRow, ProviderSettings};
use crate::http::BaseUrl;
use crate::model::ReferenceRule;
use crate::settings::{DocumentRule, SettingsReader};

const TITLE: &str = "Adobe Acrobat Sign";
const CLIENT_ID: &str = "ADOBE_SIGN_CLIENT_ID";
const TOKEN: &str = "ADOBE_SIGN_ACCESS_TOKEN";

/// Adobe Acrobat Sign's row.
pub const ROW: ProviderRow = ProviderRow {
    name: "adobe_sign",
    title: TITLE,
    secrets: &[CLIENT_ID, TOKEN],
    settings: SettingsReader::<dyn ProviderSettings>::of::<AdobeSignSettings>(),
    events: &[
        "Agreement created",
        "Agreement workflow completed",
        "Agreement recalled",
        "Agreement rejected",
        "Agreement expired",
    ],
};

/// Adobe Acrobat Sign.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdobeSignSettings {
    /// The account's `apiAccessPoint`, such as `https://api.na1.adobesign.com`.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
    /// Whether an agreement that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides the agreement's external id.
    pub deal: DealSettings,
    /// Which documents are contracts, for this provider; these rules come before
    /// those under `documents`.
    pub documents: Vec<DocumentRule>,
}

impl ProviderSettings for AdobeSignSettings {
    fn documents(&self) -> &[DocumentRule] {
        &self.documents
    }

    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider> {
        let deals = DealFinder::new(self.deal.clone(), rules);
        Box::new(AdobeSign { settings: self.clone(), deals })
    }
}

/// Adobe Acrobat Sign with its settings.
#[derive(Debug, Clone)]
struct AdobeSign {
    settings: AdobeSignSettings,
    deals: DealFinder,
}
