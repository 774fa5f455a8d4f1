//! The report room through its public face.

mod audit;
mod audits;
mod browser;
mod figures;
mod findings;
mod format;
mod hostile;
pub(crate) mod picture;
mod samples;
mod table;
