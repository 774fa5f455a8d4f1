//! Checkpoints: what an audit saw, kept in the ledger as a ref, so that a
//! later audit can tell when history, population or result were changed.
//!
//! `refs/handoff/audit/<UTC stamp>` points at an annotated tag on the audited
//! tip, signed by git where a key is configured. The tag keeps the tip and all
//! behind it from being collected, whatever happens to the branch. Its message
//! holds the facts as JSON, and names the checkpoint before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{CheckpointDeal, ObjectId, Push};

use super::error::HistoryError;
use super::git_program::run;
use super::handle::{
    LOOKED_AT, check_history, check_whole, find_commit, find_tag, find_target, hold, object_id,
};
use super::history::{ScanAt, first_parents};
use super::scan::{self, ChosenParents, Repository};
use super::signing::SIGNING;
use super::{Ledger, LedgerError};

pub(super) const PREFIX: &str = "refs/handoff/audit/";
/// Their timestamps: one blob for each checkpoint, by the checkpoint's own name.
pub(super) const TIMESTAMPS: &str = "refs/handoff/timestamps/";
/// A checkpoint of a million deals has some 150 MiB.
const MOST_BYTES: usize = 512 << 20;
/// So many merges the wrong way round are followed.
const MOST_DISPLACED: usize = 64;
const ODD_NAME: &str = "handoff gives no such name";
const SCHEMA: &str = "handoff/checkpoint/v2";
/// Without chain, settings and deals.
const SCHEMA_V1: &str = "handoff/checkpoint/v1";

/// What a checkpoint is to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointFacts {
    /// The tip of the audited history.
    pub tip: ObjectId,
    /// The SHA-256 of the population, as the report prints it.
    pub population_sha256: String,
    /// The audit's result in short, as the audit gives it.
    pub summary: Value,
    /// The blob of the settings that counted.
    pub settings: Option<ObjectId>,
    /// The blob of the schema that counted.
    pub schema: Option<ObjectId>,
    /// The audited deals, sorted by key.
    pub deals: Vec<CheckpointDeal>,
    /// Whether the remote was asked for its branch right before, or there is
    /// none: then what is not behind the tip was not there yet.
    pub is_current: bool,
    /// The pushes that a server recorded since the checkpoint before.
    pub pushes: Vec<Push>,
}

/// What an audit saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The ref that holds it.
    pub name: String,
    /// The tag object.
    pub id: ObjectId,
    /// When the audit was made; to the second.
    pub at: DateTime<Utc>,
    /// The tag object of the checkpoint before it.
    pub previous: Option<ObjectId>,
    /// Whether it has a signature, of whomever.
    pub is_signed: bool,
    /// Whether it is of the kind before there was a chain.
    pub is_unchained: bool,
    /// Whether the list of deals is the one that its root stands for.
    pub is_whole: bool,
    /// What it keeps.
    pub facts: CheckpointFacts,
}

/// What a remote has below `refs/handoff/audit/` and `refs/handoff/timestamps/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteCheckpoints {
    /// Checkpoints and timestamps, by name.
    pub refs: BTreeMap<String, ObjectId>,
    /// The refs that cannot be any, by name, with the reason; they are not fetched.
    pub odd: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointMessage {
    schema: String,
    at: DateTime<Utc>,
    tip: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<ObjectId>,
    population_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<ObjectId>,
    #[serde(default, rename = "brief_schema", skip_serializing_if = "Option::is_none")]
    brief_schema: Option<ObjectId>,
    summary: Value,
    /// The root of a Merkle tree over the deals, SHA-256.
    #[serde(default)]
    root: String,
    #[serde(default)]
    deals: Vec<CheckpointDeal>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_current: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pushes: Vec<Push>,
}

/// The root of the Merkle tree over deals: each leaf is the SHA-256 of a deal's
/// JSON, each node that of its two children; an odd one moves up as it is.
#[must_use]
pub fn merkle_root(deals: &[CheckpointDeal]) -> String {
    let leaf = |deal: &CheckpointDeal| -> [u8; 32] {
        let text = serde_json::to_vec(deal).expect("a deal is plain data");
        Sha256::digest([b"\0".as_slice(), &text].concat()).into()
    };
    let mut level: Vec<[u8; 32]> = deals.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => Sha256::digest([b"\x01".as_slice(), a, b].concat()).into(),
                [one] => *one,
                _ => unreachable!("chunks of two hold one or two"),
            })
            .collect();
    }
    level.first().map_or_else(String::new, hex::encode)
}

/// Leaves a checkpoint of an audit made at `now`, without a signature; two in
/// one second get names of their own.
///
/// # Errors
/// When the repository cannot be opened or written, or does not hold the tip.
pub fn write_checkpoint(
    git_dir: &Path,
    facts: &CheckpointFacts,
    now: DateTime<Utc>,
) -> Result<Checkpoint, HistoryError> {
    leave(git_dir, facts, now, false, |git, tag, message| {
        let target =
            find_target(git, oid(facts.tip)).map_err(|error| error.message().to_owned())?;
        let tagger = git2::Signature::new(
            "handoff",
            "handoff@localhost",
            &git2::Time::new(now.timestamp(), 0),
        )
        .map_err(|error| error.message().to_owned())?;
        git.tag_annotation_create(tag, &target, &tagger, message)
            .map_err(|error| error.message().to_owned())
    })
}

fn leave(
    git_dir: &Path,
    facts: &CheckpointFacts,
    now: DateTime<Utc>,
    signs: bool,
    make: impl FnOnce(&git2::Repository, &str, &str) -> Result<git2::Oid, String>,
) -> Result<Checkpoint, HistoryError> {
    // One without a signature, or of a time to come, may be anybody's: a chain that is signed
    // does not hang on it.
    let listed = list_checkpoints(git_dir)?.found;
    let may_precede = |it: &&Checkpoint| it.at <= now && (it.is_signed || !signs);
    let previous = listed.iter().rfind(may_precede).map(|checkpoint| checkpoint.id);
    let repository = open(git_dir)?;
    let at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let stamp = at.format("%Y%m%dT%H%M%SZ").to_string();
    let fail = |why: String| HistoryError::Checkpoint {
        name: format!("{PREFIX}{stamp}"),
        why: format!("cannot be written: {why}"),
        is_written: true,
    };
    let facts = facts.clone();
    let message = CheckpointMessage {
        schema: SCHEMA.to_owned(),
        at,
        tip: facts.tip,
        previous,
        population_sha256: facts.population_sha256.clone(),
        settings: facts.settings,
        brief_schema: facts.schema,
        summary: facts.summary.clone(),
        root: merkle_root(&facts.deals),
        deals: facts.deals.clone(),
        is_current: facts.is_current,
        pushes: facts.pushes.clone(),
    };
    let text = serde_json::to_string_pretty(&message).map_err(|error| fail(error.to_string()))?;
    let git = &repository.git;
    let tag = make(git, &format!("handoff-audit-{stamp}"), &format!("{text}\n")).map_err(&fail)?;
    let is_signed = signature_at(find_tag(git, tag).ok().as_ref()).is_some();
    for number in 0u32.. {
        let name = match number {
            0 => format!("{PREFIX}{stamp}"),
            _ => format!("{PREFIX}{stamp}-{number}"),
        };
        match git.reference(&name, tag, false, "handoff audit --checkpoint") {
            Ok(_) => {
                let id = ObjectId(tag.as_bytes().try_into().expect("twenty bytes"));
                return Ok(Checkpoint {
                    name,
                    id,
                    at,
                    previous,
                    is_signed,
                    is_unchained: false,
                    is_whole: true,
                    facts,
                });
            }
            Err(error) if error.code() == git2::ErrorCode::Exists => {}
            Err(error) => return Err(fail(error.message().to_owned())),
        }
    }
    unreachable!("four thousand million checkpoints within one second")
}

/// Where the signature begins in a tag's message.
fn signature_at(tag: Option<&git2::Tag<'_>>) -> Option<usize> {
    let text = tag?.message_bytes()?;
    let begins = |marker: &[u8]| text.windows(marker.len()).position(|part| part == marker);
    begins(b"\n-----BEGIN ").map(|at| at + 1)
}

impl Ledger {
    /// Leaves a checkpoint, signed by git as tags are (`user.signingkey`,
    /// `gpg.format`) where a key is configured.
    ///
    /// # Errors
    /// When the repository cannot be written, or git cannot sign.
    pub fn leave_checkpoint(
        &self,
        facts: &CheckpointFacts,
        now: DateTime<Utc>,
    ) -> Result<Checkpoint, HistoryError> {
        if !self.has_signing_key() {
            return write_checkpoint(self.git_dir(), facts, now);
        }
        let tip = facts.tip.to_string();
        leave(self.git_dir(), facts, now, true, |git, tag, message| {
            let args = ["tag", "--sign", "--cleanup=verbatim", "-F", "-", "--", tag, &tip];
            let ran = run(self.root(), &args, message.as_bytes(), SIGNING)
                .map_err(|error| error.to_string())?;
            if !ran.status.success() {
                return Err(format!("git could not sign it: {}", ran.stderr));
            }
            let name = format!("refs/tags/{tag}");
            let mut made = git.find_reference(&name).map_err(|e| e.message().to_owned())?;
            let id = made.target().ok_or("the tag has no target")?;
            made.delete().map_err(|e| e.message().to_owned())?;
            Ok(id)
        })
    }

    /// Whether git has a key to sign with.
    #[must_use]
    pub fn has_signing_key(&self) -> bool {
        let config = hold(self.shared()).config();
        config.is_ok_and(|config| config.get_string("user.signingkey").is_ok())
    }

    /// Who signed a checkpoint, if it is one of those whom `trust` names: a file
    /// of git's allowed signers (`name ssh-ed25519 AAAA…`), in which a line
    /// `openpgp FINGERPRINT` names an OpenPGP or X.509 key.
    ///
    /// # Errors
    /// Why the signature does not count.
    pub fn verify_checkpoint(&self, id: ObjectId, trust: &Path) -> Result<String, String> {
        let read = std::fs::read_to_string(trust);
        let text = read.map_err(|error| format!("{} cannot be read: {error}", trust.display()))?;
        let (keys, ssh): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.trim_start().starts_with("openpgp "));
        let mut signers = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        std::io::Write::write_all(&mut signers, format!("{}\n", ssh.join("\n")).as_bytes())
            .map_err(|error| error.to_string())?;
        let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.path().display());
        // What the repository's own configuration names is not run.
        let args = [
            "-c",
            &allowed,
            "-c",
            "gpg.program=gpg",
            "-c",
            "gpg.openpgp.program=gpg",
            "-c",
            "gpg.x509.program=gpgsm",
            "-c",
            "gpg.ssh.program=ssh-keygen",
            "verify-tag",
            "--raw",
            &id.to_string(),
        ];
        let ran = run(self.root(), &args, b"", SIGNING).map_err(|error| error.to_string())?;
        if !ran.status.success() {
            return Err(format!("no trusted signer has signed it: {}", ran.stderr));
        }
        match self.signature_format(id)? {
            SignatureFormat::Ssh => ssh_signer(&ran.raw_stderr)
                .ok_or_else(|| "git does not say whose signature it is".to_owned()),
            SignatureFormat::Gpg => gpg_signer(&ran.raw_stderr, &keys),
        }
    }

    /// How a checkpoint is signed. Git, too, takes the last signature in a tag.
    fn signature_format(&self, id: ObjectId) -> Result<SignatureFormat, String> {
        let repo = hold(self.shared());
        let tag = find_tag(&repo, oid(id)).map_err(|error| error.message().to_owned())?;
        let text = String::from_utf8_lossy(tag.message_bytes().unwrap_or_default()).into_owned();
        let begins = text.lines().rev().filter_map(|line| line.strip_prefix("-----BEGIN "));
        let mut formats = begins.filter_map(|kind| match kind {
            "SSH SIGNATURE-----" => Some(SignatureFormat::Ssh),
            "PGP SIGNATURE-----" | "PGP MESSAGE-----" | "SIGNED MESSAGE-----" => {
                Some(SignatureFormat::Gpg)
            }
            _ => None,
        });
        formats.next().ok_or_else(|| "it has no signature".to_owned())
    }

    /// The timestamps that this clone has, by name.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn own_timestamps(&self) -> Result<BTreeMap<String, ObjectId>, LedgerError> {
        let repo = hold(self.shared());
        let failed = |error| LedgerError::git("listing timestamps", self.root())(error);
        let mut found = BTreeMap::new();
        for reference in repo.references_glob(&format!("{TIMESTAMPS}*")).map_err(failed)? {
            let reference = reference.map_err(failed)?;
            if let (Ok(name), Some(id)) = (reference.name(), reference.target()) {
                let id = ObjectId(id.as_bytes().try_into().expect("twenty bytes are an id"));
                found.insert(name.to_owned(), id);
            }
        }
        Ok(found)
    }

    /// The checkpoints that a remote has, and their timestamps.
    ///
    /// # Errors
    /// When the remote does not answer.
    pub fn remote_checkpoints(&self, remote: &str) -> Result<RemoteCheckpoints, LedgerError> {
        let (checkpoints, stamps) = (format!("{PREFIX}*"), format!("{TIMESTAMPS}*"));
        let said = self.git_well(&["ls-remote", "--", remote, &checkpoints, &stamps])?;
        let lines = || said.lines().filter_map(|line| line.split_once('\t'));
        // `^{}` names what an annotated tag points at, and no other ref has it.
        let tags: BTreeSet<&str> =
            lines().filter_map(|(_, name)| name.strip_suffix("^{}")).collect();
        let mut there = RemoteCheckpoints::default();
        for (id, name) in lines().filter(|(_, name)| !name.ends_with("^{}")) {
            let why = match id.parse() {
                _ if !is_own_name(name) => ODD_NAME,
                _ if name.starts_with(PREFIX) && !tags.contains(name) => {
                    "it is not an annotated tag"
                }
                Err(_) => "it has no id of SHA-1",
                Ok(id) => {
                    there.refs.insert(name.to_owned(), id);
                    continue;
                }
            };
            there.odd.insert(name.to_owned(), why.to_owned());
        }
        Ok(there)
    }

    /// Fetches checkpoints and timestamps by their names; those that the remote
    /// does not give, while it gives others, and why.
    ///
    /// # Errors
    /// When the remote does not answer or gives none of them.
    pub fn fetch_checkpoints(
        &self,
        remote: &str,
        names: &[String],
    ) -> Result<BTreeMap<String, String>, LedgerError> {
        let mut refused = BTreeMap::new();
        match self.fetch_refs(remote, names) {
            Ok(()) => return Ok(refused),
            Err(error @ LedgerError::TimedOut { .. }) => return Err(error),
            Err(error) if names.len() == 1 => return Err(error),
            Err(_) => {}
        }
        let mut last = None;
        for name in names {
            if let Err(error) = self.fetch_refs(remote, std::slice::from_ref(name)) {
                refused.insert(name.clone(), error.to_string());
                last = Some(error);
            }
        }
        match last {
            Some(error) if refused.len() == names.len() => Err(error),
            _ => Ok(refused),
        }
    }

    fn fetch_refs(&self, remote: &str, names: &[String]) -> Result<(), LedgerError> {
        let specs: Vec<String> = names.iter().map(|name| format!("{name}:{name}")).collect();
        let mut args = vec!["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--", remote];
        args.extend(specs.iter().map(String::as_str));
        self.git_well(&args).map(drop)
    }

    /// Pushes a checkpoint or a timestamp.
    ///
    /// # Errors
    /// When the remote does not answer or refuses it.
    pub fn push_checkpoint(&self, remote: &str, name: &str) -> Result<(), LedgerError> {
        self.git_well(&["push", "--quiet", "--", remote, &format!("{name}:{name}")]).map(drop)
    }
}

/// Which program verifies a signature, and so whose words git repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureFormat {
    /// `ssh-keygen`: one line, which holds a name of the allowed signers.
    Ssh,
    /// `gpg` and `gpgsm`: status lines, some of which hold names that a signer chose.
    Gpg,
}

/// Who signed, by the line of `ssh-keygen`. The name comes from the file of
/// allowed signers, and may hold ` with ` itself.
fn ssh_signer(said: &str) -> Option<String> {
    let line = said.lines().find_map(|line| line.strip_prefix("Good \"git\" signature for "))?;
    let (signer, key) = line.rsplit_once(" with ")?;
    key.contains(" key ").then(|| signer.to_owned())
}

/// Whose key signed, by the status lines that `gpg` and `gpgsm` write for
/// programs (<https://git.gnupg.org/cgi-bin/gitweb.cgi?p=gnupg.git;f=doc/DETAILS>):
/// `VALIDSIG` has the fingerprint of the key first and of its primary key last.
fn gpg_signer(said: &str, trusted: &[&str]) -> Result<String, String> {
    let mut valid = said.lines().filter_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "));
    let (Some(fields), None) = (valid.next(), valid.next()) else {
        return Err("git does not say whose signature it is".to_owned());
    };
    let mut fields = fields.split(' ');
    let fingerprint = fields.next().unwrap_or_default();
    let primary = fields.next_back().filter(|last| last.len() == fingerprint.len());
    let is_trusted = trusted.iter().any(|line| {
        let key = line.trim_start().trim_start_matches("openpgp ").trim();
        let named = |it: &str| !key.is_empty() && key.eq_ignore_ascii_case(it);
        named(fingerprint) || primary.is_some_and(named)
    });
    if is_trusted {
        Ok(fingerprint.to_owned())
    } else {
        Err(format!("{fingerprint} signed it, and is not trusted"))
    }
}

/// The refs below `refs/handoff/audit/`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoints {
    /// The checkpoints, oldest first.
    pub found: Vec<Checkpoint>,
    /// The refs that hold none, by name, with the reason.
    pub odd: BTreeMap<String, String>,
}

/// All checkpoints, and what stands in their place and is none: anybody who may
/// push can put such a ref there, so it is told and stops nothing.
///
/// # Errors
/// When the repository cannot be opened, or its refs cannot be listed.
pub fn list_checkpoints(git_dir: &Path) -> Result<Checkpoints, HistoryError> {
    let repository = open(git_dir)?;
    let fail = |error: git2::Error| HistoryError::Checkpoint {
        name: PREFIX.to_owned(),
        why: format!("cannot be read: {}", error.message()),
        is_written: false,
    };
    let mut listed = Checkpoints::default();
    for reference in repository.git.references_glob(&format!("{PREFIX}*")).map_err(fail)? {
        let reference = reference.map_err(fail)?;
        let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
        let read = match reference.target() {
            _ if !is_own_name(&name) => Err(ODD_NAME.to_owned()),
            None => Err("it is a symbolic ref".to_owned()),
            Some(id) => read_checkpoint(&repository.git, &name, id),
        };
        match read {
            Ok(checkpoint) => listed.found.push(checkpoint),
            Err(why) => drop(listed.odd.insert(name, why)),
        }
    }
    // Names carry the number of those within one second.
    listed.found.sort_by(|a, b| (a.at, a.name.len(), &a.name).cmp(&(b.at, b.name.len(), &b.name)));
    Ok(listed)
}

fn read_checkpoint(
    git: &git2::Repository,
    name: &str,
    id: git2::Oid,
) -> Result<Checkpoint, String> {
    let words = |error: git2::Error| error.message().to_owned();
    check_whole(git.commondir(), id).map_err(words)?;
    let odb = git.odb().map_err(words)?;
    let (size, kind) = odb.read_header(id).map_err(words)?;
    if kind != git2::ObjectType::Tag {
        return Err(format!("it is a {kind} and not an annotated tag"));
    }
    if size > MOST_BYTES {
        return Err(format!("it has {size} bytes, and {MOST_BYTES} are the most"));
    }
    let tag = find_tag(git, id).map_err(words)?;
    let text = tag.message_bytes().unwrap_or_default();
    let signature = signature_at(Some(&tag));
    #[expect(
        clippy::disallowed_methods,
        reason = "its fields are typed: one that stands twice is refused"
    )]
    let message: CheckpointMessage =
        serde_json::from_slice(&text[..signature.unwrap_or(text.len())])
            .map_err(|error| error.to_string())?;
    if message.schema != SCHEMA && message.schema != SCHEMA_V1 {
        return Err("it is of a kind that this version does not know".to_owned());
    }
    if oid(message.tip) != tag.target_id() {
        return Err("its tag and its text name different commits".to_owned());
    }
    if odb.read_header(tag.target_id()).is_ok_and(|(_, kind)| kind != git2::ObjectType::Commit) {
        return Err("what it names is not a commit".to_owned());
    }
    Ok(Checkpoint {
        name: name.to_owned(),
        id: object_id(id),
        at: message.at,
        previous: message.previous,
        is_signed: signature.is_some(),
        is_unchained: message.schema == SCHEMA_V1,
        is_whole: message.root == merkle_root(&message.deals),
        facts: CheckpointFacts {
            tip: message.tip,
            population_sha256: message.population_sha256,
            summary: message.summary,
            settings: message.settings,
            schema: message.brief_schema,
            deals: message.deals,
            is_current: message.is_current,
            pushes: message.pushes,
        },
    })
}

/// Whether a ref of a checkpoint or timestamp has a name that handoff gives:
/// `20261102T060000Z`, with a number where there are several in one second.
fn is_own_name(name: &str) -> bool {
    let stamp = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(TIMESTAMPS));
    let Some((stamp, more)) = stamp.and_then(|stamp| stamp.split_at_checked(16)) else {
        return false;
    };
    let (date, rest) = stamp.split_at(8);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(date)
        && rest.starts_with('T')
        && rest.ends_with('Z')
        && is_digits(&rest[1..7])
        && (more.is_empty() || more.strip_prefix('-').is_some_and(is_digits))
}

/// Where a checkpoint's tip stands in a later history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// It is the head, or stands in the first-parent history that is read: what
    /// the earlier audit read is still there, in its place.
    InPlace,
    /// The head descends from it through another parent of this merge alone: no
    /// commit is lost, but the history that audits read is another.
    BehindMerge(ObjectId),
    /// The head does not descend from it: the branch was rewritten or replaced.
    Gone,
}

/// Says where `tip` stands in the history of `head` along a line.
///
/// # Errors
/// When the repository or the history of `head` cannot be read to the end
/// without meeting `tip`.
pub fn find_containment(
    git_dir: &Path,
    line: &ChosenParents,
    tip: ObjectId,
    head: ObjectId,
) -> Result<Containment, HistoryError> {
    let repository = open(git_dir)?.along(line);
    let mut reader = repository.objects.reader(1 << 20);
    let object = |why: String| HistoryError::Object { what: format!("commit {head}"), why };
    let chain = scan::walk(&repository, &mut reader, head.0, Some(tip.0))
        .map_err(|fault| object(fault.to_string()))?;
    if chain.base.is_some() {
        return Ok(Containment::InPlace);
    }
    if let Some(gap) = chain.gaps.first() {
        return Err(object(format!("{}: {}", gap.what, gap.why)));
    }
    // A tip that is not in this clone cannot be behind its head.
    if !reader.has(&tip.0) {
        return Ok(Containment::Gone);
    }
    let ids: Vec<ObjectId> = chain.links.iter().map(|link| ObjectId(link.id)).collect();
    let merge = bringing_merge(&repository.git, &ids, tip)
        .map_err(|error| object(error.message().to_owned()))?;
    Ok(merge.map_or(Containment::Gone, |place| Containment::BehindMerge(ids[place])))
}

/// The place of the first commit of a chain, oldest first, that descends from
/// a commit which is not in it.
fn bringing_merge(
    git: &git2::Repository,
    chain: &[ObjectId],
    tip: ObjectId,
) -> Result<Option<usize>, git2::Error> {
    let Some(head) = chain.last() else { return Ok(None) };
    check_history(git, [oid(*head), oid(tip)], LOOKED_AT)?;
    let descends = |id: ObjectId| git.graph_descendant_of(oid(id), oid(tip));
    if !descends(*head)? {
        return Ok(None);
    }
    // What descends from it does so for good: the last always does.
    let (mut without, mut with) = (0, chain.len() - 1);
    while without < with {
        let middle = usize::midpoint(without, with);
        if descends(chain[middle])? {
            with = middle;
        } else {
            without = middle + 1;
        }
    }
    Ok(Some(with))
}

/// A merge whose first parent is not what the branch ended with before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Displaced {
    /// The merge.
    pub merge: ObjectId,
    /// What the branch ended with at some moment before.
    pub tip: ObjectId,
    /// The parent of the merge that has it.
    pub parent: ObjectId,
}

/// A branch's history along the line that it was seen to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// The line.
    pub line: ChosenParents,
    /// Its merges whose first parent is another one.
    pub displaced: Vec<Displaced>,
    /// Its commits with their committer times, oldest first.
    pub commits: Vec<(ObjectId, i64)>,
}

/// The line of the branch by what is known of where it ended: a merge goes on
/// to the parent that has what was seen. `seen` are those ends; what is not
/// behind the head says nothing. A merge that has an end behind each of its
/// parents since they parted stays as it is.
///
/// # Errors
/// When the history cannot be read.
pub fn find_line(git_dir: &Path, at: &ScanAt, seen: &[ObjectId]) -> Result<Followed, HistoryError> {
    let git = &open(git_dir)?.git;
    let mut followed = Followed::default();
    loop {
        followed.commits = first_parents(git_dir, &followed.line, at)?;
        if followed.displaced.len() == MOST_DISPLACED {
            return Ok(followed);
        }
        let found = find_displaced(git, &followed.commits, seen).map_err(|error| {
            let what = "the merges of the branch".to_owned();
            HistoryError::Object { what, why: error.message().to_owned() }
        })?;
        let Some(found) = found else { return Ok(followed) };
        followed.line.0.insert(found.merge.0, found.parent.0);
        followed.displaced.push(found);
    }
}

/// The first merge that leaves aside what the branch was seen to end with.
fn find_displaced(
    git: &git2::Repository,
    chain: &[(ObjectId, i64)],
    seen: &[ObjectId],
) -> Result<Option<Displaced>, git2::Error> {
    let ids: Vec<ObjectId> = chain.iter().map(|(id, _)| *id).collect();
    let places: HashMap<ObjectId, usize> =
        ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    for tip in seen.iter().filter(|tip| !places.contains_key(tip)) {
        if find_commit(git, oid(*tip)).is_err() {
            continue;
        }
        let Some(place) = bringing_merge(git, &ids, *tip)? else { continue };
        let Some(first) = place.checked_sub(1).map(|before| ids[before]) else { continue };
        let commit = find_commit(git, oid(ids[place]))?;
        let has = |parent: &git2::Oid| {
            *parent == oid(*tip) || git.graph_descendant_of(*parent, oid(*tip)).unwrap_or_default()
        };
        let Some(parent) = commit.parent_ids().skip(1).find(has) else { continue };
        // Where the two parted, in the chain.
        let base = git.merge_base(parent, oid(first)).ok().map(object_id);
        let base = base.and_then(|base| places.get(&base).copied());
        let own = base.map_or(0, |base| base + 1)..place;
        if seen.iter().filter_map(|it| places.get(it)).any(|it| own.contains(it)) {
            continue;
        }
        let (merge, parent) = (ids[place], object_id(parent));
        return Ok(Some(Displaced { merge, tip: *tip, parent }));
    }
    Ok(None)
}

/// Whether `tip` still stands in place in the history of `head`, see
/// [`Containment::InPlace`].
///
/// # Errors
/// As for [`find_containment`].
pub fn is_contained(git_dir: &Path, tip: ObjectId, head: ObjectId) -> Result<bool, HistoryError> {
    Ok(find_containment(git_dir, &ChosenParents::default(), tip, head)? == Containment::InPlace)
}

fn open(git_dir: &Path) -> Result<Repository, HistoryError> {
    Repository::open(git_dir).map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })
}

fn oid(id: ObjectId) -> git2::Oid {
    git2::Oid::from_bytes(&id.0).expect("twenty bytes are an id")
}
