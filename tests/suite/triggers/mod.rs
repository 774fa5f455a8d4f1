//! CRM webhooks as triggers: who may speak, what is read, and what comes of it.

mod hubspot;
mod panics;
mod pipedrive;
mod refuse;
mod salesforce;
pub(crate) mod samples;
