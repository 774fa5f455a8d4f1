//! Jira Cloud's REST API, version 3.
//! <https://developer.atlassian.com/cloud/jira/platform/rest/v3/>

use base64::Engine as _;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{HELP, JiraSettings};
use crate::deliver::{DeliveryError, answer};
use crate::http::{BaseUrl, Client, Schedule, Semantics};
use crate::model::Secrets;

/// The API, as one account sees it.
pub(super) struct Api {
    client: Client,
}

impl Api {
    /// With the account among the secrets; the error says what is wanted.
    pub(super) fn new(settings: &JiraSettings, secrets: &Secrets) -> Result<Self, String> {
        let (Some(email), Some(token)) = (secrets.get("JIRA_EMAIL"), secrets.get("JIRA_TOKEN"))
        else {
            return Err("set JIRA_EMAIL and JIRA_TOKEN".to_owned());
        };
        let pair = format!("{}:{}", email.expose_secret(), token.expose_secret());
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let headers = answer::authorization("Basic", &SecretString::from(basic), "JIRA_TOKEN")?;
        let base = settings.base_url.clone();
        Ok(Self { client: Client::new(base, headers, Schedule::interactive()) })
    }

    /// The site.
    pub(super) fn base(&self) -> &BaseUrl {
        self.client.base()
    }

    pub(super) async fn ask(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, DeliveryError> {
        let path = format!("/rest/api/3{path}");
        let response = self
            .client
            .send(semantics, method, &path, body)
            .await
            .map_err(|error| answer::no_answer(&error))?;
        answer::json("Jira", &response, HELP)
    }

    pub(super) async fn read(&self, path: &str) -> Result<Value, DeliveryError> {
        self.ask(Semantics::Idempotent, Method::GET, path, None).await
    }

    /// Reads what may not be there; `None` for 404, which Jira also says of
    /// what an account may not see.
    pub(super) async fn read_if_there(&self, path: &str) -> Result<Option<Value>, DeliveryError> {
        let path = format!("/rest/api/3{path}");
        let response = self
            .client
            .send(Semantics::Idempotent, Method::GET, &path, None)
            .await
            .map_err(|error| answer::no_answer(&error))?;
        if response.status.as_u16() == 404 {
            return Ok(None);
        }
        answer::json("Jira", &response, HELP).map(Some)
    }

    /// Every item of a list with `startAt` and `total`, named `items` in the answer.
    pub(super) async fn all(&self, path: &str, items: &str) -> Result<Vec<Value>, DeliveryError> {
        let mut all = Vec::new();
        loop {
            let start = all.len();
            let mut page = self.read(&format!("{path}?startAt={start}&maxResults=100")).await?;
            let Some(found) = page[items].as_array_mut().map(std::mem::take) else {
                return Err(DeliveryError::Transient {
                    message: format!("Jira's list of {items} is none"),
                    retry_after: None,
                });
            };
            let is_empty = found.is_empty();
            all.extend(found);
            let total = page["total"].as_u64().and_then(|total| usize::try_from(total).ok());
            let is_last = page["isLast"] == true || total.is_some_and(|total| all.len() >= total);
            if is_last || is_empty {
                return Ok(all);
            }
        }
    }

    /// The account of somebody, by the configured map or by an address that
    /// exactly one person has.
    pub(super) async fn account(
        &self,
        settings: &JiraSettings,
        email: &str,
    ) -> Result<Option<String>, DeliveryError> {
        if let Some(account) = settings.accounts.get(email) {
            return Ok(Some(account.clone()));
        }
        let query =
            percent_encoding::utf8_percent_encode(email, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/user/search?query={query}");
        let people = self.ask(Semantics::Idempotent, Method::GET, &path, None).await?;
        let mut matching = people.as_array().into_iter().flatten().filter(|person| {
            person["active"] == true
                && person["emailAddress"].as_str().is_none_or(|a| a.eq_ignore_ascii_case(email))
        });
        let first = matching.next().and_then(|person| person["accountId"].as_str());
        Ok(if matching.next().is_none() { first.map(str::to_owned) } else { None })
    }
}
