//! Adobe Acrobat Sign. Facts: AdobeDocs/acrobat-sign-developer-guide,
//! `src/pages/overview/acrobat_sign_events`.

mod agreement;
mod settings;
mod webhook;

pub(in crate::esign) use agreement::{is_final, signature};
pub use settings::Settings;
pub use webhook::AdobeSign;
