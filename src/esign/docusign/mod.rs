//! DocuSign Connect, JSON SIM. Facts: `developers.docusign.com/platform/webhooks/connect/json-sim-event-model`.

mod envelope;
mod settings;
mod webhook;

pub(in crate::esign) use envelope::{event, signature};
pub use settings::Settings;
pub use webhook::DocuSign;
