//! The audit, through its public face: small worlds of deals and a ledger's
//! history are built in memory, digested, joined and judged.

mod classes;
mod clock;
mod coverage;
mod digest;
mod join;
mod oracle;
mod properties;
mod report;
mod rules;
mod rules_after;
mod scale;
mod signatures;
mod world;
