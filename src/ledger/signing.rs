//! Signed commits, where `commit.gpgsign` asks for them: git itself makes each,
//! so that its formats (OpenPGP, X.509, SSH), programs and agents work as they
//! are set up. Only what writes commits comes here.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use git2::{ObjectType, Oid, Signature};

use super::git_program::{run, run_with};
use super::handle::{ObjectSource, hold};
use super::{Ledger, LedgerError, loose};

/// Signing asks an agent or a card; it is not the network.
pub(super) const SIGNING: Duration = Duration::from_secs(120);

/// A commit as it is to be.
pub(super) struct Unsigned<'a> {
    pub(super) author: &'a Signature<'a>,
    pub(super) committer: &'a Signature<'a>,
    pub(super) message: &'a str,
    pub(super) tree: Oid,
    pub(super) parent: Option<Oid>,
}

/// Where a signed commit is made: beside the repository, which sees nothing of
/// it before it is whole.
pub(super) struct Signing<'a> {
    /// Where paths in the settings for signing begin.
    pub(super) root: &'a Path,
    pub(super) git_dir: &'a Path,
    /// The staging folder.
    pub(super) dir: &'a Path,
    /// Has the tree and the parent.
    pub(super) objects: &'a dyn ObjectSource,
}

impl Signing<'_> {
    /// Has git make and sign a commit; its bytes.
    pub(super) fn commit(&self, commit: &Unsigned<'_>) -> Result<Vec<u8>, LedgerError> {
        let folder = self.dir.join("signing");
        let made = self.commit_in(&folder, commit);
        let _ = fs::remove_dir_all(&folder);
        made
    }

    fn commit_in(&self, folder: &Path, commit: &Unsigned<'_>) -> Result<Vec<u8>, LedgerError> {
        // Git looks whether tree and parent are there, and no further.
        self.lay_down(folder, commit)
            .map_err(LedgerError::io("preparing a signed commit in", folder))?;
        let date = |who: &Signature<'_>| format!("{} +0000", who.when().seconds());
        let (authored, committed) = (date(commit.author), date(commit.committer));
        let objects = self.git_dir.join("objects");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let author = (text(commit.author.name_bytes()), text(commit.author.email_bytes()));
        let who = (text(commit.committer.name_bytes()), text(commit.committer.email_bytes()));
        let variables: [(&str, &OsStr); 8] = [
            ("GIT_OBJECT_DIRECTORY", folder.as_os_str()),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.as_os_str()),
            ("GIT_AUTHOR_NAME", author.0.as_ref()),
            ("GIT_AUTHOR_EMAIL", author.1.as_ref()),
            ("GIT_AUTHOR_DATE", authored.as_ref()),
            ("GIT_COMMITTER_NAME", who.0.as_ref()),
            ("GIT_COMMITTER_EMAIL", who.1.as_ref()),
            ("GIT_COMMITTER_DATE", committed.as_ref()),
        ];
        let tree = commit.tree.to_string();
        let parent = commit.parent.map(|id| id.to_string());
        let mut args = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S"];
        args.extend(parent.iter().flat_map(|parent| ["-p", parent.as_str()]));
        args.push(&tree);
        let message = commit.message.as_bytes();
        let ran = run_with(self.root, &args, message, SIGNING, &variables);
        let ran = ran.map_err(|error| LedgerError::NotSigned { why: error.to_string() })?;
        if !ran.status.success() {
            return Err(LedgerError::NotSigned { why: ran.stderr });
        }
        let id = ran.stdout.trim();
        let failed = || LedgerError::NotSigned { why: "git made no commit".to_owned() };
        let (start, rest) = id.split_at_checked(2).ok_or_else(failed)?;
        let file = folder.join(start).join(rest);
        let written = fs::read(&file).map_err(LedgerError::io("reading", &file))?;
        content(&written).ok_or_else(failed)
    }

    fn lay_down(&self, folder: &Path, commit: &Unsigned<'_>) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for id in [Some(commit.tree), commit.parent].into_iter().flatten() {
            let (kind, bytes) = self.objects.object(id).map_err(io::Error::other)?;
            let hex = id.to_string();
            let above = folder.join(&hex[..2]);
            fs::create_dir_all(&above)?;
            loose::write(&above.join(&hex[2..]), kind, &bytes)?;
        }
        Ok(())
    }
}

/// What stands behind the header of a commit's file as git writes it.
fn content(file: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = loose::inflate(file)?;
    let end = inflated.iter().position(|byte| *byte == 0)?;
    let is_commit = inflated.starts_with(ObjectType::Commit.str().as_bytes());
    is_commit.then(|| inflated.split_off(end + 1))
}

impl Ledger {
    /// Whether git's configuration asks for signed commits (`commit.gpgsign`),
    /// of whatever file or variable git takes it.
    #[must_use]
    pub fn signs_commits(&self) -> bool {
        *self.signing().get_or_init(|| {
            let args = ["config", "--type=bool", "--get", "commit.gpgsign"];
            match run(self.root(), &args, b"", Duration::from_secs(10)) {
                Ok(ran) if ran.status.success() => ran.stdout.trim() == "true",
                Ok(ran) if ran.status.code() == Some(1) => false,
                // A value that git cannot read: whoever set it meant something.
                Ok(_) => true,
                Err(_) => {
                    let config = hold(self.shared()).config();
                    config.is_ok_and(|it| it.get_bool("commit.gpgsign").unwrap_or(false))
                }
            }
        })
    }
}
