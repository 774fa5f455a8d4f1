//! PandaDoc. Facts: `developers.pandadoc.com/docs/webhooks`, `…/docs/webhook-verification.md`.

mod document;
mod settings;
mod webhook;

pub(in crate::esign) use document::{event, signature};
pub use settings::Settings;
pub use webhook::PandaDoc;
