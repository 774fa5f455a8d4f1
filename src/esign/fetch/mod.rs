//! The providers' APIs: one document's facts, and what was completed in a
//! time. One file per provider, over `http::Client`.

mod adobe_sign;
mod api;
mod docusign;
mod dropbox_sign;
mod pandadoc;
mod port;

pub use adobe_sign::{AdobeSignApi, TOKEN as ADOBE_SIGN_TOKEN};
pub use docusign::{DocuSignApi, TOKEN as DOCUSIGN_TOKEN};
pub use dropbox_sign::DropboxSignApi;
pub use pandadoc::{KEY as PANDADOC_KEY, PandaDocApi};
pub use port::{FetchError, Fetcher};
