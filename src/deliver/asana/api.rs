//! Asana's REST API and the settings of one's access to it: one question, and
//! lists page by page.
//! <https://developers.asana.com/docs/pagination>

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deliver::http_answer;
use crate::deliver::sink::{DeliveryError, Handoff};
use crate::http::{BaseUrl, Client, Schedule, Semantics};
use crate::model::Secrets;

/// `deliver.asana`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsanaSettings {
    /// The id of the project template.
    pub template: String,
    /// The id of the workspace, in which projects are looked up.
    pub workspace: String,
    /// The id of the team that gets the project; the template's when absent.
    #[serde(default)]
    pub team: Option<String>,
    /// Who takes each role of the template, by the role's name: an e-mail
    /// address or id. Roles that are not named go to the CSM.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// Whether the first-touch task is added to the project.
    #[serde(default = "yes")]
    pub first_touch_task: bool,
    /// Another place of the API, for tests.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
}

fn yes() -> bool {
    true
}

impl AsanaSettings {
    /// What is wrong with values that are of the right type.
    fn problems(&self) -> Vec<String> {
        let ids = [
            ("template", Some(&self.template)),
            ("workspace", Some(&self.workspace)),
            ("team", self.team.as_ref()),
        ];
        let is_none = |id: &String| id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit());
        ids.into_iter()
            .filter(|(_, id)| id.is_some_and(is_none))
            .map(|(field, _)| {
                format!("{field}: give the id from the project's address in Asana, in quotes")
            })
            .collect()
    }
}

pub(super) const HELP: &str = "check ASANA_TOKEN and the ids in deliver.asana";

/// The API, as one token sees it.
#[derive(Clone)]
pub(super) struct Api {
    client: Arc<Client>,
}

impl Api {
    /// With the token among the secrets.
    ///
    /// # Errors
    /// When the token is missing, or an id is none.
    pub(super) fn new(settings: &AsanaSettings, secrets: &Secrets) -> Result<Self, Vec<String>> {
        let mut problems = settings.problems();
        match Self::connect(settings, secrets) {
            Ok(api) if problems.is_empty() => return Ok(api),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
        Err(problems)
    }

    fn connect(settings: &AsanaSettings, secrets: &Secrets) -> Result<Self, String> {
        let token = secrets.get("ASANA_TOKEN").ok_or("set ASANA_TOKEN")?;
        let headers = http_answer::authorization("Bearer", &token, "ASANA_TOKEN")?;
        let base = settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://app.asana.com/api/1.0").expect("a constant URL is valid")
        });
        Ok(Self { client: Arc::new(Client::new(base, headers, Schedule::interactive())) })
    }

    pub(super) async fn ask(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        data: Option<Value>,
    ) -> Result<Value, DeliveryError> {
        let body = data.map(|data| json!({"data": data}));
        let response = self
            .client
            .send(semantics, method, path, body.as_ref())
            .await
            .map_err(|error| http_answer::no_answer(&error))?;
        http_answer::json("Asana", &response, HELP)
    }

    pub(super) async fn read(&self, path: &str) -> Result<Value, DeliveryError> {
        self.ask(Semantics::Idempotent, Method::GET, path, None).await
    }

    /// Reads what may not be there; `None` for 403 and 404.
    pub(super) async fn read_if_there(&self, path: &str) -> Result<Option<Value>, DeliveryError> {
        let response = self
            .client
            .send(Semantics::Idempotent, Method::GET, path, None)
            .await
            .map_err(|error| http_answer::no_answer(&error))?;
        if matches!(response.status.as_u16(), 403 | 404) {
            return Ok(None);
        }
        http_answer::json("Asana", &response, HELP).map(Some)
    }

    /// Hands over every item of a list, page by page, until `see` has enough.
    /// The path has a query already.
    async fn each(
        &self,
        path: &str,
        mut see: impl FnMut(Value) -> bool + Send,
    ) -> Result<(), DeliveryError> {
        let mut next = path.to_owned();
        loop {
            let mut page = self.read(&next).await?;
            let Some(items) = page["data"].as_array_mut().map(std::mem::take) else {
                return Err(DeliveryError::Transient {
                    message: "Asana's answer is not a list".to_owned(),
                    retry_after: None,
                });
            };
            if items.into_iter().any(&mut see) {
                return Ok(());
            }
            let Some(offset) = page["next_page"]["offset"].as_str() else { return Ok(()) };
            let offset =
                percent_encoding::utf8_percent_encode(offset, percent_encoding::NON_ALPHANUMERIC);
            let following = format!("{path}&offset={offset}");
            if following == next {
                return Err(DeliveryError::Transient {
                    message: "Asana's list breaks off".to_owned(),
                    retry_after: None,
                });
            }
            next = following;
        }
    }

    /// The first item of a list that is wanted.
    pub(super) async fn first(
        &self,
        path: &str,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Option<Value>, DeliveryError> {
        let mut found = None;
        self.each(path, |item| {
            let here = wanted(&item);
            if here {
                found = Some(item);
            }
            here
        })
        .await?;
        Ok(found)
    }

    /// Every item of a list.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, DeliveryError> {
        let mut all = Vec::new();
        self.each(path, |item| {
            all.push(item);
            false
        })
        .await?;
        Ok(all)
    }
}

/// The end of the names of everything that belongs to a handoff.
pub(super) fn ending(handoff: &Handoff) -> String {
    format!("[{}]", handoff.key)
}

/// Whether a project or task is a handoff's own.
pub(super) fn is_ours(named: &Value, handoff: &Handoff) -> bool {
    named["name"].as_str().is_some_and(|name| name.ends_with(&ending(handoff)))
}
