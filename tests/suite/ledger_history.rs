//! The history scan beside `git log`, and what makes it say "not whole".

mod cache;
mod checkpoint;
mod generated;
mod not_whole;
mod oracle;
mod repo;
mod shapes;
