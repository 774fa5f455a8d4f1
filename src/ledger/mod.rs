//! The ledger in git: what its history says, its blobs, its checkpoints.
//! Depends on `facts` only.

pub mod blobs;
pub mod cache;
pub mod checkpoint;
pub mod history;
mod scan;
