//! From a remote's URL to the pages that people read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b'+');

/// Links to the files of one branch on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebLinks {
    project: String,
    folders: &'static str,
    files: &'static str,
    branch: String,
    /// The ledger's folder with a slash behind it, or nothing.
    above: String,
}

impl WebLinks {
    /// The same links for a ledger that is a folder of the project.
    #[must_use]
    pub fn within(self, prefix: &str) -> Self {
        let above = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { above, ..self }
    }

    /// The project's own page, without a slash at the end.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// A folder's page.
    #[must_use]
    pub fn folder(&self, path: &str) -> String {
        self.link(self.folders, path)
    }

    /// A file's page.
    #[must_use]
    pub fn file(&self, path: &str) -> String {
        self.link(self.files, path)
    }

    fn link(&self, kind: &str, path: &str) -> String {
        format!(
            "{}/{kind}/{}/{}",
            self.project,
            encode(&self.branch),
            encode(&format!("{}{}", self.above, path.trim_matches('/')))
        )
    }
}

fn encode(path: &str) -> String {
    path.split('/')
        .map(|part| utf8_percent_encode(part, SEGMENT).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

/// The links for a remote's URL (`https`, `ssh`, `git@host:path`). Credentials
/// in it are dropped. `None` for local paths and hosts of an unknown kind.
#[must_use]
pub fn web_links(remote: &str, branch: &str) -> Option<WebLinks> {
    let (host, path) = host_and_path(remote)?;
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.is_empty() || !path.contains('/') {
        return None;
    }
    // (in the host's name, folders, files), as each forge documents its URLs.
    let kinds = [
        ("github", "tree", "blob"),
        ("gitlab", "-/tree", "-/blob"),
        ("bitbucket.org", "src", "src"),
    ];
    let (_, folders, files) = kinds.into_iter().find(|(name, ..)| host.contains(name))?;
    Some(WebLinks {
        project: format!("https://{host}/{}", encode(path)),
        folders,
        files,
        branch: branch.to_owned(),
        above: String::new(),
    })
}

fn host_and_path(remote: &str) -> Option<(String, String)> {
    let (host, path) = if remote.contains("://") {
        let url = Url::parse(remote).ok()?;
        if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "git+ssh") {
            return None;
        }
        let host = url.host_str()?.to_ascii_lowercase();
        // A port of SSH says nothing about the pages; one of HTTP is theirs.
        let port = url.port().filter(|_| url.scheme().starts_with("http"));
        let path =
            percent_encoding::percent_decode_str(url.path()).decode_utf8().ok()?.into_owned();
        (port.map_or(host.clone(), |port| format!("{host}:{port}")), path)
    } else {
        // `user@host:path`; a colon behind a slash, or after one letter (a drive), is a local path.
        let (place, path) = remote.split_once(':')?;
        if place.contains('/') || place.len() < 2 {
            return None;
        }
        let host = place.rsplit('@').next()?.to_ascii_lowercase();
        (host, path.to_owned())
    };
    // SSH through the HTTPS port has names of its own.
    let host = match host.as_str() {
        "ssh.github.com" => "github.com".to_owned(),
        "altssh.gitlab.com" => "gitlab.com".to_owned(),
        "altssh.bitbucket.org" => "bitbucket.org".to_owned(),
        _ => host,
    };
    Some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_of_the_forges_give_links_without_credentials() {
        let folder = "briefs/2026/11/acme--hubspot-1";
        for (remote, link) in [
            ("https://github.com/acme/handoffs.git", "https://github.com/acme/handoffs/tree/main/"),
            (
                "https://bot:ghp_x@github.com/acme/handoffs",
                "https://github.com/acme/handoffs/tree/main/",
            ),
            ("git@github.com:acme/handoffs.git", "https://github.com/acme/handoffs/tree/main/"),
            (
                "ssh://git@ssh.github.com:443/acme/handoffs.git",
                "https://github.com/acme/handoffs/tree/main/",
            ),
            ("https://github.acme.com:8443/a/b/", "https://github.acme.com:8443/a/b/tree/main/"),
            (
                "git@gitlab.com:group/sub/handoffs.git",
                "https://gitlab.com/group/sub/handoffs/-/tree/main/",
            ),
            ("ssh://git@gitlab.acme.com:2222/g/h.git", "https://gitlab.acme.com/g/h/-/tree/main/"),
            (
                "https://u@bitbucket.org/acme/handoffs.git",
                "https://bitbucket.org/acme/handoffs/src/main/",
            ),
        ] {
            let links = web_links(remote, "main").unwrap_or_else(|| panic!("{remote} gives links"));
            assert_eq!(links.folder(folder), format!("{link}{folder}"), "{remote}");
        }
        for local in [
            "/srv/git/x.git",
            "../x",
            "C:\\x\\y",
            "file:///srv/github/x/y.git",
            "https://example.com/a/b",
            "github.com",
            "git@github.com:x",
        ] {
            assert_eq!(web_links(local, "main"), None, "{local}");
        }
        let links = web_links("git@github.com:a/b", "rel/1 x").expect("links");
        assert_eq!(
            links.file("a #1/é?.md"),
            "https://github.com/a/b/blob/rel/1%20x/a%20%231/%C3%A9%3F.md"
        );
    }
}
