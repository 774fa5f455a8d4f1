//! What GitHub says of a repository as a git server: who pushed what and when,
//! and what a branch asks of a push. Delivers nothing.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use super::api::{FULL_PAGE, GithubApi};
use super::settings::{GithubSettings, RepositoryName};
use crate::deliver::sink::DeliveryError;
use crate::http::{BaseUrl, Page, PageWalk};
use crate::model::{Push, PushRecord, Secrets, push_of_activity};

/// A repository on GitHub, asked about itself.
pub struct Forge {
    api: Arc<GithubApi>,
    repository: RepositoryName,
}

impl std::fmt::Debug for Forge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.repository, self.api.base())
    }
}

impl Forge {
    /// The repository behind a project's page, `https://github.com/acme/handoffs`.
    /// `base_url` is the API that `deliver.github` names.
    ///
    /// # Errors
    /// When that is no repository of GitHub, or no credentials are there.
    pub(in crate::deliver) fn new(
        project: &str,
        base_url: Option<&BaseUrl>,
        secrets: &Secrets,
    ) -> Result<Self, String> {
        let no = || format!("{project} is not a repository on GitHub");
        let url = Url::parse(project).map_err(|_| no())?;
        let host = url.host_str().filter(|host| host.contains("github")).ok_or_else(no)?;
        let repository = RepositoryName::parse(url.path().trim_matches('/')).map_err(|_| no())?;
        let base_url = match base_url {
            Some(base) => Some(base.clone()),
            None if host == "github.com" => None,
            // <https://docs.github.com/en/enterprise-server/rest/overview/resources-in-the-rest-api>
            None => Some(BaseUrl::parse(&format!("https://{host}/api/v3")).map_err(|_| no())?),
        };
        let settings = GithubSettings { base_url, ..GithubSettings::of(repository.clone()) };
        Ok(Self { api: Arc::new(GithubApi::new(&settings, secrets)?), repository })
    }

    /// The pushes to a branch, oldest first, as far back as GitHub keeps them.
    ///
    /// # Errors
    /// When GitHub does not answer, or its list is not whole.
    pub async fn pushes(&self, branch: &str) -> Result<PushRecord, DeliveryError> {
        let refname =
            utf8_percent_encode(&format!("refs/heads/{branch}"), NON_ALPHANUMERIC).to_string();
        let path = |size: usize, cursor: &str| {
            let after = match cursor {
                "" => String::new(),
                cursor => format!("&after={}", utf8_percent_encode(cursor, NON_ALPHANUMERIC)),
            };
            self.repository.path(&format!("/activity?ref={refname}&per_page={size}{after}"))
        };
        let mut pushes: Vec<Push> = Vec::new();
        let mut walk = PageWalk::new(String::new());
        while let Some(cursor) = walk.next() {
            let answer = self.api.get(&path(FULL_PAGE, &cursor)).await?.ok()?;
            let next = answer.next_cursor();
            if next.is_none() && answer.has_next_page() {
                return Err(self.odd("its next page is named in a way that is not known"));
            }
            // Of one item less there is a next page, and the link to it.
            if answer.may_go_on()
                && !self.api.get(&path(FULL_PAGE - 1, &cursor)).await?.ok()?.has_next_page()
            {
                return Err(self.odd(
                    "it goes on, and the header `Link` to its next page is missing; something between here and GitHub takes it away",
                ));
            }
            let records = answer.read::<Vec<Value>>()?;
            for record in &records {
                let push = push_of_activity(record, branch).map_err(|why| self.odd(&why))?;
                pushes.extend(push);
            }
            let page = Page { records, next, ..Page::default() };
            walk.take(&page).map_err(|fault| self.odd(&fault.to_string()))?;
        }
        pushes.sort_by_key(|push| push.at);
        pushes.dedup();
        let source = match self.api.is_public() {
            true => format!("GitHub's record of {}", self.repository),
            false => format!("GitHub's record of {} ({})", self.repository, self.api.base()),
        };
        Ok(PushRecord { source, pushes })
    }

    /// Whether a branch takes signed commits only.
    ///
    /// # Errors
    /// When GitHub does not answer.
    pub async fn requires_signatures(&self, branch: &str) -> Result<bool, DeliveryError> {
        let branch = utf8_percent_encode(branch, NON_ALPHANUMERIC);
        let path = self.repository.path(&format!("/rules/branches/{branch}"));
        let rules: Vec<Value> = self.api.list(&path).await?;
        // <https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch>
        Ok(rules.iter().any(|rule| rule["type"] == "required_signatures"))
    }

    fn odd(&self, why: &str) -> DeliveryError {
        DeliveryError::permanent(
            format!("GitHub's record of {}: {why}", self.repository),
            "audit again; if it stays so, give --clock a saved record",
        )
    }
}
