//! Asana's REST API: one question, and lists page by page.
//! <https://developers.asana.com/docs/pagination>

use http::Method;
use serde_json::{Value, json};

use super::{AsanaSettings, HELP};
use crate::deliver::{DeliveryError, answer};
use crate::http::{BaseUrl, Client, Schedule, Semantics};
use crate::model::Secrets;

/// The API, as one token sees it.
pub(super) struct Api {
    client: Client,
}

impl Api {
    /// With the token among the secrets; the error says what is wanted.
    pub(super) fn new(settings: &AsanaSettings, secrets: &Secrets) -> Result<Self, String> {
        let token = secrets.get("ASANA_TOKEN").ok_or("set ASANA_TOKEN")?;
        let headers = answer::authorization("Bearer", &token, "ASANA_TOKEN")?;
        let base = settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://app.asana.com/api/1.0").expect("a constant URL is valid")
        });
        Ok(Self { client: Client::new(base, headers, Schedule::interactive()) })
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
            .map_err(|error| answer::no_answer(&error))?;
        answer::json("Asana", &response, HELP)
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
            .map_err(|error| answer::no_answer(&error))?;
        if matches!(response.status.as_u16(), 403 | 404) {
            return Ok(None);
        }
        answer::json("Asana", &response, HELP).map(Some)
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
                    message: "Asana's list is none".to_owned(),
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
                    message: "Asana's list does not go on".to_owned(),
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
