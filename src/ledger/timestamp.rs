//! Timestamps of checkpoints (RFC 3161): somebody else's clock and key say that
//! a checkpoint was there. `openssl ts` writes requests and verifies tokens:
//! the Rust libraries that are kept up read tokens and verify none.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use git2::Oid;
use sha2::{Digest as _, Sha256};

use super::checkpoint::{PREFIX, TIMESTAMPS};
use super::git_program::{Ran, run_program};
use super::handle::{find_blob, hold, read_object};
use super::{Ledger, LedgerError};
use crate::model::ObjectId;
use crate::text::shorten;

const OPENSSL: Duration = Duration::from_secs(30);
/// A token is a few kilobytes with its certificates.
const MOST_BYTES: usize = 256 << 10;

impl Ledger {
    /// The request for a timestamp over a checkpoint, DER.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn timestamp_query(&self, checkpoint: ObjectId) -> Result<Vec<u8>, String> {
        let digest = hex::encode(self.imprint(checkpoint)?);
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("query");
        let out = file.display().to_string();
        let query =
            ["ts", "-query", "-digest", &digest, "-sha256", "-cert", "-no_nonce", "-out", &out];
        well(openssl(&query)?)?;
        std::fs::read(&file).map_err(|error| error.to_string())
    }

    /// Keeps what an authority answered beside its checkpoint; the ref's name.
    /// Whether the authority is one to be trusted is for who verifies it.
    ///
    /// # Errors
    /// When it is no granted timestamp of this checkpoint, or cannot be written.
    pub fn keep_timestamp(
        &self,
        name: &str,
        checkpoint: ObjectId,
        reply: &[u8],
    ) -> Result<String, String> {
        let imprint = self.imprint(checkpoint)?;
        told_time(reply)?;
        if !reply.windows(imprint.len()).any(|part| part == imprint) {
            return Err("the answer is a timestamp of something else".to_owned());
        }
        let kept = timestamp_name(name);
        let repo = hold(self.shared());
        let failed = |error: git2::Error| error.message().to_owned();
        let blob = repo.blob(reply).map_err(failed)?;
        repo.reference(&kept, blob, false, "handoff audit --timestamp").map_err(failed)?;
        Ok(kept)
    }

    /// What an authority answered about a checkpoint; `None` where nobody was asked.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn timestamp(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let repo = hold(self.shared());
        let Ok(id) = repo.refname_to_id(&timestamp_name(name)) else { return Ok(None) };
        let blob = find_blob(&repo, id).map_err(|error| error.message().to_owned())?;
        Ok(Some(blob.content().to_vec()))
    }

    /// When a checkpoint was there, by an authority whose certificate one of
    /// those in `trust` (PEM) has issued. Nothing is asked of the network.
    ///
    /// # Errors
    /// Why the timestamp does not count.
    pub fn verify_timestamp(
        &self,
        checkpoint: ObjectId,
        tip: ObjectId,
        reply: &[u8],
        trust: &Path,
    ) -> Result<DateTime<Utc>, String> {
        let at = told_time(reply)?;
        let digest = hex::encode(self.imprint(checkpoint)?);
        let reply = in_file(reply)?;
        let (file, trusted) = (reply.path().display().to_string(), trust.display().to_string());
        // An authority's certificate has to be valid at the time that it tells.
        let then = at.timestamp().to_string();
        let verify = [
            "ts", "-verify", "-digest", &digest, "-in", &file, "-CAfile", &trusted, "-attime",
            &then,
        ];
        well(openssl(&verify)?)?;
        let committed = self.commit_at(&tip.to_string()).map_err(|error| error.to_string())?;
        let (_, committed) = committed.ok_or("its commit is not here")?;
        if at < committed {
            return Err(format!(
                "it says {}, and the checkpoint's commit is of {}",
                shown(at),
                shown(committed)
            ));
        }
        Ok(at)
    }

    /// What is stamped: the SHA-256 of the checkpoint's whole tag object, with its signature.
    fn imprint(&self, checkpoint: ObjectId) -> Result<Vec<u8>, String> {
        let repo = hold(self.shared());
        let failed = |error: git2::Error| error.message().to_owned();
        let id = Oid::from_bytes(&checkpoint.0).map_err(failed)?;
        let (_, bytes) = read_object(&repo, repo.commondir(), id).map_err(failed)?;
        Ok(Sha256::digest(bytes).to_vec())
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The name of the ref that keeps a checkpoint's timestamp.
fn timestamp_name(checkpoint: &str) -> String {
    format!("{TIMESTAMPS}{}", checkpoint.strip_prefix(PREFIX).unwrap_or(checkpoint))
}

/// The time in a reply that an authority granted; nobody has verified it yet.
fn told_time(reply: &[u8]) -> Result<DateTime<Utc>, String> {
    if reply.len() > MOST_BYTES {
        return Err(format!("the answer has {} bytes", reply.len()));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (whole, token) = (path("reply"), path("token"));
    std::fs::write(&whole, reply).map_err(|error| error.to_string())?;
    let text = well(openssl(&["ts", "-reply", "-in", &whole, "-text"])?)
        .map_err(|why| format!("the answer is not a timestamp: {why}"))?;
    // What stands beside the token is signed by nobody: anything may be written there.
    let taken = openssl(&["ts", "-reply", "-in", &whole, "-token_out", "-out", &token])?;
    if !taken.status.success() {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let status = field("Status:").unwrap_or("no status");
        let why = field("Status description:").unwrap_or_default();
        return Err(format!("the authority refused: {status} {}", shorten(why, 200)));
    }
    let text = well(openssl(&["ts", "-reply", "-token_in", "-in", &token, "-text"])?)
        .map_err(|why| format!("the answer is not a timestamp: {why}"))?;
    // Before it there are numbers alone.
    let time = text.lines().find_map(|line| line.strip_prefix("Time stamp:")).map(str::trim);
    let time = time.ok_or("the authority refused: its token has no time")?;
    // `Nov 29 08:05:06 2026 GMT`, with a fraction of a second where the authority gives one.
    let whole: String = match time.split_once('.') {
        Some((before, after)) => {
            format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => time.to_owned(),
    };
    let read = NaiveDateTime::parse_from_str(&whole, "%b %e %H:%M:%S %Y GMT");
    read.map(|time| time.and_utc()).map_err(|_| format!("its time {time:?} is not valid"))
}

fn in_file(bytes: &[u8]) -> Result<tempfile::NamedTempFile, String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::io::Write::write_all(&mut file, bytes).map_err(|error| error.to_string())?;
    Ok(file)
}

/// Runs openssl; what it says is in one language, and no configuration of its own is read.
fn openssl(args: &[&str]) -> Result<Ran, String> {
    let mut command = Command::new("openssl");
    command.args(args).env("OPENSSL_CONF", if cfg!(windows) { "NUL" } else { "/dev/null" });
    match run_program(command, "openssl ts", b"", OPENSSL) {
        Ok(ran) => Ok(ran),
        Err(LedgerError::NoProgram { source }) => Err(format!(
            "the program openssl is needed for timestamps and cannot be run ({source}); install OpenSSL 3 and put it on the PATH"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// The output of a run that went well; else what openssl says went wrong.
fn well(ran: Ran) -> Result<String, String> {
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    // `…:error:17800067:time stamp routines:ts_check_imprints:message imprint mismatch:file:line:detail`
    let faults: Vec<String> = ran
        .stderr
        .split(" · ")
        .filter_map(|line| {
            let mut fields = line.split(":error:").nth(1)?.split(':').skip(3);
            let (what, detail) = (fields.next()?, fields.nth(2).unwrap_or_default());
            Some(format!("{what} {detail}").trim().to_owned())
        })
        .collect();
    let why = if faults.is_empty() { ran.stderr } else { faults.join("; ") };
    Err(shorten(&why, 300))
}
