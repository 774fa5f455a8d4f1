//! The providers' APIs: one document's facts, and what was completed in a
//! time. One file per provider, over `net::Client`.

mod port;

pub use port::{FetchError, Fetcher};
