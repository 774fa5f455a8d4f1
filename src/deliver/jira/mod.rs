//! Jira Cloud: the onboarding as one epic with its tasks. Each carries the
//! label `handoff-<key>` and a property that names its step.

mod adf;
mod epic;
mod read_back;

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use chrono::{DateTime, Utc};
use epic::{Jira, JiraFollow};
use read_back::JiraReader;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::follow::Follow;
use super::http_answer::{self, JsonApi, TargetPages};
use super::messages::Messages;
use super::read_back::Reader;
use super::row::{Made, ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds, made};
use super::sink::{DeliveryError, Handoff};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::{ApiRequest, BaseUrl, Page};
use crate::model::Secrets;
use crate::settings::SettingsReader;

pub(super) const ROW: SinkRow = SinkRow {
    name: "jira",
    title: "Jira",
    secrets: &["JIRA_EMAIL", "JIRA_TOKEN"],
    events: &[EventKind::ProjectStarted, EventKind::CsmTold],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<JiraSettings>(),
};

impl SinkSettings for JiraSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, messages) = (JiraApi::new(self, secrets)?, messages.clone());
        let follow = Follow(JiraFollow { api: api.clone(), messages: messages.clone() });
        Ok(vec![Box::new(Jira { api, messages, made: Mutex::default() }), Box::new(follow)])
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { reads_back: true, ..WorkflowNeeds::default() }
    }

    fn reader(&self, secrets: &Secrets, context: &ReaderContext) -> Made<dyn Reader> {
        Ok(Some(Box::new(JiraReader::new(JiraApi::new(self, secrets)?, context.days))))
    }
}

// Jira Cloud's REST API, version 3, and the settings of one's access to it.
// <https://developer.atlassian.com/cloud/jira/platform/rest/v3/>

/// `deliver.jira`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JiraSettings {
    /// The site, `https://acme.atlassian.net`.
    #[schemars(with = "String")]
    pub base_url: BaseUrl,
    /// The key of the project that holds the epics.
    pub project: String,
    /// The name of the issue type of an epic.
    #[serde(default = "epic")]
    pub epic_type: String,
    /// The name of the issue type of a task.
    #[serde(default = "task")]
    pub task_type: String,
    /// Account ids by e-mail address, for people whose address Jira hides.
    #[serde(default)]
    pub accounts: BTreeMap<String, String>,
}

fn epic() -> String {
    "Epic".to_owned()
}

fn task() -> String {
    "Task".to_owned()
}

const HELP: &str = "check JIRA_EMAIL, JIRA_TOKEN and deliver.jira: project, epic_type, task_type";

/// The API, as one account sees it.
#[derive(Clone)]
struct JiraApi {
    json: JsonApi,
    settings: JiraSettings,
}

impl JiraApi {
    /// With the account among the secrets.
    ///
    /// # Errors
    /// When a secret is missing, or the project's key is none.
    fn new(settings: &JiraSettings, secrets: &Secrets) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let plain = settings.project.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if settings.project.is_empty() || !plain {
            problems.push("project: give the project's key, such as ONB".to_owned());
        }
        made(Self::connect(settings, secrets), problems)
    }

    fn connect(settings: &JiraSettings, secrets: &Secrets) -> Result<Self, String> {
        let (Some(email), Some(token)) = (secrets.get("JIRA_EMAIL"), secrets.get("JIRA_TOKEN"))
        else {
            return Err("set JIRA_EMAIL and JIRA_TOKEN".to_owned());
        };
        let pair = format!("{}:{}", email.expose_secret(), token.expose_secret());
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let headers =
            http_answer::authorization("Basic", &SecretString::from(basic), "JIRA_TOKEN")?;
        let base = BaseUrl::parse(&settings.base_url.join("/rest/api/3"))
            .expect("a path below a base URL is one");
        let json = JsonApi::new(base, headers, "Jira", HELP);
        Ok(Self { json, settings: settings.clone() })
    }

    /// The page of an issue.
    fn page(&self, issue: &str) -> String {
        self.settings.base_url.join(&format!("/browse/{issue}"))
    }

    /// Every item of a list with `startAt` and `total`, named `items` in the answer.
    async fn all(&self, path: &str, items: &str) -> Result<Vec<Value>, DeliveryError> {
        let mut all = Vec::new();
        let mut pages = TargetPages::of("Jira");
        while pages.next()?.is_some() {
            let start = all.len();
            let mut answer =
                self.json.read(&format!("{path}?startAt={start}&maxResults=100")).await?;
            let records = pages.items(&mut answer, items)?;
            let total = answer["total"].as_u64().and_then(|total| usize::try_from(total).ok());
            let end = start + records.len();
            let is_last = records.is_empty()
                || answer["isLast"] == true
                || total.is_some_and(|total| end >= total);
            let next = (!is_last).then(|| end.to_string());
            all.extend(pages.take(Page { records, total, next, ..Page::default() }));
        }
        Ok(all)
    }

    /// The issues with a handoff's label, oldest first, with its property;
    /// `further` is more JQL.
    async fn of_handoff(
        &self,
        handoff: &Handoff,
        further: &str,
        fields: &[&str],
    ) -> Result<Vec<Value>, DeliveryError> {
        let jql = format!(
            "project = \"{}\" AND labels = \"{}\"{further} ORDER BY created ASC",
            self.settings.project,
            label(handoff)
        );
        let mut issues = Vec::new();
        let mut pages = TargetPages::of("Jira");
        while let Some(token) = pages.next()? {
            let mut body =
                json!({"jql": jql, "fields": fields, "properties": ["handoff"], "maxResults": 100});
            if !token.is_empty() {
                body["nextPageToken"] = json!(token);
            }
            let mut answer = self.json.ask(&ApiRequest::ask("/search/jql", &body)).await?;
            let records = pages.items(&mut answer, "issues")?;
            // The last page may give the token back that it was asked with.
            let is_last = answer["isLast"] == true;
            let next = answer["nextPageToken"].as_str().filter(|it| !is_last || *it != token);
            if next.is_none() && answer["isLast"] == false {
                return Err(pages.broken("there is more, and no token for it"));
            }
            let next = next.map(str::to_owned);
            issues.extend(pages.take(Page { records, next, ..Page::default() }));
        }
        Ok(issues)
    }

    /// The account of somebody, by the configured map or by an address that
    /// exactly one person has.
    async fn account(&self, email: &str) -> Result<Option<String>, DeliveryError> {
        if let Some(account) = self.settings.accounts.get(email) {
            return Ok(Some(account.clone()));
        }
        let query =
            percent_encoding::utf8_percent_encode(email, percent_encoding::NON_ALPHANUMERIC);
        let people = self.json.read(&format!("/user/search?query={query}")).await?;
        let mut matching = people.as_array().into_iter().flatten().filter(|person| {
            person["active"] == true
                && person["emailAddress"].as_str().is_none_or(|a| a.eq_ignore_ascii_case(email))
        });
        let first = matching.next().and_then(|person| person["accountId"].as_str());
        Ok(if matching.next().is_none() { first.map(str::to_owned) } else { None })
    }
}

/// The label of every issue of a handoff.
fn label(handoff: &Handoff) -> String {
    format!("handoff-{}", handoff.key)
}

/// Jira's times have an offset without a colon.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_str(value.as_str()?, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(parsed.to_utc())
}

/// `ONB-12`; nothing else may stand in a path.
fn is_key(key: &str) -> bool {
    key.split_once('-').is_some_and(|(project, number)| {
        !project.is_empty()
            && project.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The issue's key in its address.
fn key_of(reference: &str) -> Option<String> {
    let url = Url::parse(reference).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let [.., "browse", key] = parts.as_slice() else { return None };
    is_key(key).then(|| (*key).to_owned())
}

#[cfg(test)]
mod tests {
    use super::key_of;

    #[test]
    fn an_address_names_an_issue_or_nothing() {
        assert_eq!(key_of("https://acme.atlassian.net/browse/ONB-12").as_deref(), Some("ONB-12"));
        for nothing in [
            "",
            "ONB-12",
            "https://acme.atlassian.net/browse/",
            "https://x.example/browse/../a-1?x",
        ] {
            assert_eq!(key_of(nothing), None, "{nothing}");
        }
    }
}
