//! The hook by which a server of one's own keeps a log of pushes; its lines are
//! read by [`crate::model::read_push_log`].

use std::path::{Path, PathBuf};

use super::LedgerError;
use crate::disk::{Access, write};

/// What the hook writes in the server's repository.
pub const PUSH_LOG: &str = "handoff-pushes.log";

/// The hook's own file; git runs it through `hooks/post-receive`.
pub const HOOK: &str = "post-receive-handoff";

const SCRIPT: &str = r#"#!/bin/sh
# Written by `handoff init --server-hook`. Keeps who pushed what and when, by
# this server's clock: `handoff audit --clock FILE` reads it. Reads the lines
# that git gives to post-receive, and lets every push through.
log="$(git rev-parse --absolute-git-dir)/handoff-pushes.log"
none=0000000000000000000000000000000000000000
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
who=${GL_USERNAME:-${GL_USER:-${GITEA_PUSHER_NAME:-${REMOTE_USER:-$(id -un)}}}}
while read -r before after ref; do
  kind=push
  if [ "$before" = "$none" ]; then kind=branch_creation
  elif [ "$after" = "$none" ]; then kind=branch_deletion
  elif ! git merge-base --is-ancestor "$before" "$after" 2>/dev/null; then kind=force_push
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$now" "$before" "$after" "$ref" "$kind" "$who" >>"$log"
done
"#;

const CALLER: &str = r#"#!/bin/sh
exec "$(dirname "$0")/post-receive-handoff"
"#;

/// What came of laying the hook down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookLaid {
    /// The repository that keeps the log.
    pub repository: PathBuf,
    /// Whether git runs it; another hook is there already where it does not.
    pub is_run: bool,
}

/// Lays the hook down in a repository of a server, and has git run it where no
/// other hook is there.
///
/// # Errors
/// When the folder is no repository, or cannot be written.
pub fn lay_hook(dir: &Path) -> Result<HookLaid, LedgerError> {
    let repository = git2::Repository::open(dir).map_err(|error| match error.code() {
        git2::ErrorCode::NotFound => LedgerError::NotFound { start: dir.to_path_buf() },
        _ => LedgerError::git("opening the server's repository", dir)(error),
    })?;
    let hooks = repository.commondir().join("hooks");
    std::fs::create_dir_all(&hooks).map_err(LedgerError::io("making", &hooks))?;
    write_script(&hooks.join(HOOK), SCRIPT)?;
    let caller = hooks.join("post-receive");
    let is_run = match std::fs::read_to_string(&caller) {
        Ok(text) => text.contains(HOOK),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_script(&caller, CALLER)?;
            true
        }
        Err(error) => return Err(LedgerError::io("reading", &caller)(error)),
    };
    let repository = repository.commondir().to_path_buf();
    Ok(HookLaid { repository: repository.canonicalize().unwrap_or(repository), is_run })
}

fn write_script(path: &Path, text: &str) -> Result<(), LedgerError> {
    let written = write(path, text.as_bytes(), Access::Shared);
    written.map_err(LedgerError::io("writing", path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).map_err(LedgerError::io("marking", path))?;
    }
    Ok(())
}
