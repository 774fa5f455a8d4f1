//! Asana: the onboarding project, made from a project template, with the
//! first-touch task in it. Both names end with the handoff's key in brackets,
//! by which they are found again.

mod project;
mod read_back;

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use project::{Asana, AsanaFollow};
use read_back::AsanaReader;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::follow::{Follow, ending};
use super::http_answer::{self, JsonApi, TargetPages};
use super::machine_part::{renewed_html, sealed_html};
use super::messages::Messages;
use super::read_back::Reader;
use super::row::{Made, ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds, made};
use super::sink::{DeliveryError, Handoff};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::{ApiRequest, BaseUrl, Page};
use crate::model::Secrets;
use crate::settings::SettingsReader;
use crate::text::Look;

pub(super) const ROW: SinkRow = SinkRow {
    name: "asana",
    title: "Asana",
    secrets: &["ASANA_TOKEN"],
    events: &[EventKind::ProjectStarted, EventKind::CsmTold],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<AsanaSettings>(),
};

impl SinkSettings for AsanaSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, messages) = (AsanaApi::new(self, secrets)?, messages.clone());
        let follow = Follow(AsanaFollow { api: api.clone(), messages: messages.clone() });
        Ok(vec![Box::new(Asana { api, messages }), Box::new(follow)])
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { reads_back: true, ..WorkflowNeeds::default() }
    }

    fn reader(&self, secrets: &Secrets, context: &ReaderContext) -> Made<dyn Reader> {
        Ok(Some(Box::new(AsanaReader::new(AsanaApi::new(self, secrets)?, context.days))))
    }
}

// Asana's REST API and the settings of one's access to it: one question, and
// lists page by page.
// <https://developers.asana.com/docs/pagination>

/// `deliver.asana`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AsanaSettings {
    /// The id of the project template.
    pub template: String,
    /// The id of the workspace, in which projects are looked up.
    pub workspace: String,
    /// The id of the team that gets the project; the template's when absent.
    pub team: Option<String>,
    /// Who takes each role of the template, by the role's name: an e-mail
    /// address or id. Roles that are not named go to the CSM.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// Whether the first-touch task is added to the project.
    #[serde(default = "crate::settings::yes")]
    pub first_touch_task: bool,
    /// Another place of the API, for tests.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
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

const HELP: &str = "check ASANA_TOKEN and the ids in deliver.asana";

/// The API, as one token sees it.
#[derive(Clone)]
struct AsanaApi {
    json: JsonApi,
    settings: AsanaSettings,
}

impl AsanaApi {
    /// With the token among the secrets.
    ///
    /// # Errors
    /// When the token is missing, or an id is none.
    fn new(settings: &AsanaSettings, secrets: &Secrets) -> Result<Self, Vec<String>> {
        made(Self::connect(settings, secrets), settings.problems())
    }

    fn connect(settings: &AsanaSettings, secrets: &Secrets) -> Result<Self, String> {
        let token = secrets.get("ASANA_TOKEN").ok_or("set ASANA_TOKEN")?;
        let headers = http_answer::authorization("Bearer", &token, "ASANA_TOKEN")?;
        let base = settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://app.asana.com/api/1.0").expect("a constant URL is valid")
        });
        let json = JsonApi::new(base, headers, "Asana", HELP);
        Ok(Self { json, settings: settings.clone() })
    }

    async fn create(&self, path: &str, data: &Value) -> Result<Value, DeliveryError> {
        self.json.ask(&ApiRequest::create(path, &json!({"data": data}))).await
    }

    async fn put(&self, path: &str, data: &Value) -> Result<Value, DeliveryError> {
        self.json.ask(&ApiRequest::put(path, &json!({"data": data}))).await
    }

    /// Hands over every item of a list, page by page, until `see` has enough.
    /// The path has a query already.
    async fn each(
        &self,
        path: &str,
        mut see: impl FnMut(Value) -> bool + Send,
    ) -> Result<(), DeliveryError> {
        let mut pages = TargetPages::of("Asana");
        while let Some(offset) = pages.next()? {
            let place = match offset.as_str() {
                "" => path.to_owned(),
                offset => {
                    format!("{path}&offset={}", utf8_percent_encode(offset, NON_ALPHANUMERIC))
                }
            };
            let mut answer = self.json.read(&place).await?;
            let records = pages.items(&mut answer, "data")?;
            let next = answer["next_page"]["offset"].as_str().map(str::to_owned);
            if answer["next_page"].is_object() && next.is_none() {
                return Err(pages.broken("its next page has no offset"));
            }
            let page = Page { records, next, ..Page::default() };
            if pages.take(page).into_iter().any(&mut see) {
                break;
            }
        }
        Ok(())
    }

    /// The first item of a list that is wanted.
    async fn first(
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
    async fn all(&self, path: &str) -> Result<Vec<Value>, DeliveryError> {
        let mut all = Vec::new();
        self.each(path, |item| {
            all.push(item);
            false
        })
        .await?;
        Ok(all)
    }
}

/// Whether a project or task is a handoff's own.
fn is_ours(named: &Value, handoff: &Handoff) -> bool {
    named["name"].as_str().is_some_and(|name| name.ends_with(&ending(handoff)))
}

// Descriptions in Asana's rich text, with the part that is kept in line with
// the brief.

/// A text in Markdown as `html_notes`, with the line that ends the machine's
/// part.
fn sealed(markdown: &str) -> String {
    format!("<body>{}</body>", sealed_html(markdown, Look::Asana))
}

/// `html_notes` with the machine's part replaced; `None` where people have
/// changed that part or taken the seal away.
fn renewed(old: &str, markdown: &str) -> Option<String> {
    let inner = old.trim().strip_prefix("<body>")?.strip_suffix("</body>")?;
    Some(format!("<body>{}</body>", renewed_html(inner, markdown, Look::Asana)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::machine_part;

    #[test]
    fn people_keep_what_they_write_and_what_they_changed() {
        let old = sealed(
            "**Call** [Dana & Co](https://a.example/x?a=1&b=2)\n\n- [ ] one\n- two\n\n### More\n",
        );
        assert!(old.starts_with("<body><strong>Call</strong> <a href="), "{old}");
        assert!(!old.contains("**") && !old.contains("class=") && !old.contains("<p"), "{old}");
        // As Asana gives it back.
        let given = old
            .replace("<a href", "<a data-asana-accessible=\"true\" href")
            .replace("</body>", "\nCalled Dana</body>");
        let new = renewed(&given, "Call *Kim*").expect("intact");
        assert!(new.starts_with("<body>Call <em>Kim</em>\n\n--- handoff "), "{new}");
        assert!(new.ends_with("---\nCalled Dana</body>"), "{new}");
        assert_eq!(renewed(&new, "Call *Kim*").as_deref(), Some(new.as_str()));
        assert_eq!(renewed(&given.replace("one", "three"), "x"), None, "a person's edit");
        assert_eq!(renewed("<body>no seal</body>", "x"), None);
        // What earlier versions wrote as plain text.
        let plain = format!(
            "<body>{}</body>",
            machine_part::sealed("- By: Friday & Co").replace('&', "&amp;")
        );
        assert!(renewed(&plain, "x").is_some(), "{plain}");
    }
}
