//! The list of e-sign providers.

use super::provider::ProviderRow;
use super::{adobe_sign, docusign, dropbox_sign, pandadoc, sender};

/// Every provider there is, in the order in which payloads are looked at. A new
/// one is its folder and a row here.
pub static PROVIDERS: &[ProviderRow] =
    &[pandadoc::ROW, docusign::ROW, dropbox_sign::ROW, adobe_sign::ROW, sender::STANDARD_WEBHOOKS];

/// The names of all secrets that any provider or known sender reads.
#[must_use]
pub fn secret_names() -> Vec<String> {
    let rows = PROVIDERS.iter().flat_map(|row| row.secrets).map(|name| (*name).to_owned());
    rows.chain(sender::known_names().map(sender::secret_name)).collect()
}
