//! The thin binary: everything is in the library.

use std::process::ExitCode;

/// An audit makes millions of small texts on all threads; the system's
/// allocator would spend a fifth of its time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    handoff::cli::main()
}
