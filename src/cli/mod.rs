//! The command line: one file per command, arguments in, text and exit code
//! out. The only room that reads the clock, the environment and the terminal.

mod args;
mod audit;
mod backfill;
mod catch_up;
mod coverage;
mod deliver;
mod demo;
mod doctor;
mod draft;
mod environment;
mod error;
mod exit;
mod explain;
mod form;
mod formats;
mod hand_over;
mod inbox;
mod inbox_argument;
mod init;
mod intake;
mod invocation;
mod open;
mod people;
mod preview;
mod progress;
mod promises;
mod reference;
mod refresh;
mod render;
mod run;
mod schema;
mod serve;
mod sign;
mod signatures;
mod status;
mod sync;
mod validate;
mod verify;
mod watch;
mod words;
mod work;

pub use args::Cli;
pub use environment::Environment;
pub use exit::Exit;
pub use run::{main, run};
