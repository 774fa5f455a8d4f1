//! Paths inside the ledger: what may be written, and how a folder is named.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::LedgerError;
use crate::model::Key;
use crate::text::slug;

/// The folder below which the handoffs lie.
pub const BRIEFS: &str = "briefs";

const LONGEST_PART: usize = 255;
/// The longest readable part of a folder's name.
pub const LONGEST_SLUG: usize = 60;

/// The folder of a handoff, such as `briefs/2026/11/acme-corp--hubspot-9876543210`.
///
/// # Errors
/// When the layout is no strftime pattern or gives no folder.
pub fn folder_for(
    layout: &str,
    when: DateTime<Utc>,
    customer_name: &str,
    key: &Key,
) -> Result<String, LedgerError> {
    let bad = || LedgerError::BadLayout { layout: layout.to_owned() };
    let mut folder = format!("{BRIEFS}/");
    // chrono reports a pattern it does not know only while it formats.
    write!(folder, "{}", when.format(layout)).map_err(|_| bad())?;
    if !folder.ends_with('/') {
        folder.push('/');
    }
    let _ = write!(folder, "{}--{key}", slug(customer_name, LONGEST_SLUG));
    check_path(&folder).map_err(|_| bad())?;
    Ok(folder)
}

/// The layout's part of a folder: `2026/11`; the hint for a search.
///
/// # Errors
/// As for [`folder_for`].
pub fn month_for(layout: &str, when: DateTime<Utc>) -> Result<String, LedgerError> {
    let mut month = String::new();
    write!(month, "{}", when.format(layout))
        .map_err(|_| LedgerError::BadLayout { layout: layout.to_owned() })?;
    Ok(month.trim_matches('/').to_owned())
}

/// A handoff's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// Its path, such as `briefs/2026/11/acme-corp--hubspot-9876543210`.
    pub path: String,
    /// The key in its name; `None` if the name holds none.
    pub key: Option<Key>,
}

/// The key in a folder's name: what stands behind the last `--`.
#[must_use]
pub fn key_of(folder: &str) -> Option<Key> {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    Key::parse(key_text(name)?).ok()
}

/// What stands behind the last `--` of a folder's name, where its key belongs.
#[must_use]
pub fn key_text(name: &str) -> Option<&str> {
    let at = name.as_bytes().windows(2).rposition(|pair| pair == b"--")?;
    Some(&name[at + 2..])
}

/// The layout's part of a handoff folder's path: `2026/11`.
#[must_use]
pub fn month_of(folder: &str) -> &str {
    let below = folder.split_once('/').and_then(|(_, path)| path.rsplit_once('/'));
    below.map_or("", |(month, _)| month)
}

/// Refuses a path that would leave the ledger, hide, or not exist on every system.
pub(super) fn check_path(path: &str) -> Result<(), LedgerError> {
    let refuse = |why| Err(LedgerError::BadPath { path: path.to_owned(), why });
    if path.is_empty() {
        return refuse("it is empty");
    }
    for part in path.split('/') {
        let bare = part.trim_end_matches([' ', '.']);
        if bare.is_empty() {
            return refuse("a part of it is empty, '.' or '..'");
        }
        if part.len() > LONGEST_PART {
            return refuse("a part of it is longer than 255 bytes");
        }
        if part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':')) {
            return refuse("it holds a control character, a backslash or a colon");
        }
        // Unseen characters are dropped by some file systems, and short names are aliases on others.
        let plain: String = part.chars().filter(char::is_ascii).collect();
        let plain = plain.trim_end_matches([' ', '.']).to_ascii_lowercase();
        if plain == ".git" || plain.starts_with("git~") {
            return refuse("it names git's own folder");
        }
    }
    Ok(())
}

/// The handoff folder that a file's path lies in: the first part that names a
/// key, else the folder of a `brief.yaml` or `timeline.yaml`.
pub(super) fn folder_of_file(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(BRIEFS)?.strip_prefix('/')?;
    let mut end = path.len() - rest.len();
    for part in rest.split_inclusive('/') {
        let name = part.strip_suffix('/')?;
        end += part.len();
        if key_of(name).is_some() {
            return Some(&path[..end - 1]);
        }
        let file = &path[end..];
        if matches!(file, "brief.yaml" | "timeline.yaml") {
            return Some(&path[..end - 1]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_or_hide_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "a//b",
            "..",
            "a/../b",
            "a/.",
            "a/..",
            ".git/config",
            "a/.GIT/x",
            "a/.git ",
            "a/.git./x",
            "git~1/x",
            ".g\u{200c}it/x",
            "a\\b",
            "C:x",
            "a\nb",
            "a\0b",
            "a/... /b",
        ] {
            assert!(check_path(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(check_path(&"x".repeat(256)).is_err());
        for good in [
            "briefs/2026/11/a--b-1/brief.yaml",
            "handoff.yaml",
            ".github/workflows/x.yml",
            ".gitattributes",
            "é/株",
        ] {
            assert!(check_path(good).is_ok(), "{good:?} must be allowed");
        }
    }

    #[test]
    fn a_file_belongs_to_the_folder_that_names_a_key() {
        let folder = "briefs/2026/11/acme--hubspot-1";
        for file in ["brief.yaml", "README.md", "notes/more/x.txt"] {
            assert_eq!(folder_of_file(&format!("{folder}/{file}")), Some(folder));
        }
        assert_eq!(folder_of_file("briefs/odd/brief.yaml"), Some("briefs/odd"));
        assert_eq!(folder_of_file("briefs/README.md"), None);
        assert_eq!(folder_of_file("docs/a--b/brief.yaml"), None);
    }
}
