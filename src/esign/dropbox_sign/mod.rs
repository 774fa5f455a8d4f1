//! Dropbox Sign (HelloSign). Facts: `developers.hellosign.com/docs/events/overview/`.

mod form;
mod settings;
mod signature_request;
mod webhook;

pub use settings::Settings;
pub(in crate::esign) use signature_request::event;
pub use webhook::DropboxSign;
