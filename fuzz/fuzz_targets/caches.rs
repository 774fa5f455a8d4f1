#![no_main]

use std::sync::LazyLock;

use handoff::ledger::{Change, Identity, Ledger};

#[allow(dead_code, reason = "each target runs one of them")]
#[path = "../targets.rs"]
mod targets;

static LEDGER: LazyLock<(tempfile::TempDir, Ledger)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = Ledger::init(dir.path()).expect("a ledger");
    let name = Identity { name: "Fuzz".into(), email: "fuzz@example.com".into() };
    let ledger = ledger.signed_by(name);
    let change = Change::new("briefs/2026/11/acme--csv-1", "a brief", chrono::DateTime::UNIX_EPOCH)
        .put("brief.yaml", "schema: handoff/brief/v1\nkey: csv-1\n");
    let mut writer = ledger.lock(std::time::Duration::from_secs(60)).expect("the lock");
    writer.commit(&change).expect("committed");
    drop(writer);
    (dir, ledger)
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::caches(LEDGER.1.git_dir(), input));
