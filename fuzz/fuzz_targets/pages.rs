#![no_main]

use std::sync::LazyLock;

#[allow(dead_code, reason = "each target runs one of them")]
#[path = "../targets.rs"]
mod targets;

static PAGES: LazyLock<targets::Pages> = LazyLock::new(targets::Pages::new);

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    PAGES.read(input);
});
