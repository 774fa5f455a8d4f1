//! Times the history scan alone: `scan_ledger GIT_DIR cold|warm|blobs`.
//! `blobs` reads every version of every brief and timeline after the scan.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use handoff::ledger::blobs::Blobs;
use handoff::ledger::history::{ScanAt, scan, scan_cold};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [git_dir, how] = &arguments[..] else {
        return Err("usage: scan_ledger GIT_DIR cold|warm|blobs".into());
    };
    let git_dir = Path::new(git_dir);
    let branch = ScanAt::Branch("main".to_owned());
    let start = Instant::now();
    let scanned = if how == "warm" {
        scan(git_dir, &branch, &|_| {})?
    } else {
        scan_cold(git_dir, &branch, &|_| {})?
    };
    let took = start.elapsed();
    let history = &scanned.history;
    let versions: usize = history.folders.iter().map(|folder| folder.versions.len()).sum();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{how}: {:.3} s, {} commits, {} folders, {versions} versions, {} gaps",
        took.as_secs_f64(),
        history.walked,
        history.folders.len(),
        scanned.gaps.len()
    )?;
    if how == "blobs" {
        let mut ids = Vec::new();
        for version in history.folders.iter().flat_map(|folder| &folder.versions) {
            ids.extend(version.brief);
            ids.extend(version.timeline);
        }
        ids.sort_unstable();
        ids.dedup();
        let start = Instant::now();
        let blobs = Blobs::open(git_dir)?;
        let sizes = blobs.read_many(&ids, |_, bytes| bytes.map_or(0, <[u8]>::len));
        let bytes: usize = sizes.iter().sum();
        let took = start.elapsed().as_secs_f64();
        writeln!(out, "{} blobs, {bytes} bytes: {took:.3} s", ids.len())?;
    }
    Ok(())
}
