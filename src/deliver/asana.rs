//! Asana: the onboarding project, made from a project template. Its name ends
//! with the handoff's key in brackets, by which it is found again.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::letters::{answer, signed_at};
use super::{DeliveryError, Handoff, Letters, Mark, Medium, Sink, answer as http_answer};
use crate::brief::EventKind;
use crate::facts::{Check, Secrets};
use crate::net::{BaseUrl, Client, Schedule, Semantics};
use crate::text;

/// `deliver.asana`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// Another place of the API, for tests.
    #[serde(default)]
    pub base_url: Option<BaseUrl>,
}

/// Makes one project for each handoff.
struct Asana {
    client: Client,
    settings: AsanaSettings,
    letters: Letters,
}

/// The sink that starts the project.
///
/// # Errors
/// When the token is missing, or an id is none.
pub(super) fn sink(
    settings: &AsanaSettings,
    secrets: &Secrets,
    letters: Letters,
) -> Result<Box<dyn Sink>, Vec<String>> {
    let mut problems = Vec::new();
    let ids = [
        ("template", Some(&settings.template)),
        ("workspace", Some(&settings.workspace)),
        ("team", settings.team.as_ref()),
    ];
    for (field, id) in ids {
        if id.is_some_and(|id| id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit())) {
            problems
                .push(format!("{field}: give the id as it stands in Asana's addresses, in quotes"));
        }
    }
    let headers = match secrets.get("ASANA_TOKEN") {
        Some(token) => http_answer::authorization("Bearer", &token, "ASANA_TOKEN"),
        None => Err("set ASANA_TOKEN".to_owned()),
    };
    match headers {
        Ok(headers) if problems.is_empty() => {
            let base = settings.base_url.clone().unwrap_or_else(|| {
                BaseUrl::parse("https://app.asana.com/api/1.0").expect("a constant URL is valid")
            });
            let client = Client::new(base, headers, Schedule::interactive());
            Ok(Box::new(Asana { client, settings: settings.clone(), letters }))
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

const HELP: &str = "check ASANA_TOKEN and the ids in deliver.asana";

/// The waits between two looks at a job: two minutes in all.
fn job_waits() -> impl Iterator<Item = Duration> {
    [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000, 30_000]
        .into_iter()
        .map(Duration::from_millis)
}

impl Asana {
    async fn ask(
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

    async fn read(&self, path: &str) -> Result<Value, DeliveryError> {
        self.ask(Semantics::Idempotent, Method::GET, path, None).await
    }

    /// The dates and roles that the template asks for: every date is the day
    /// of the signature, every role the CSM's or as configured.
    fn wishes(&self, template: &Value, handoff: &Handoff) -> (Vec<Value>, Vec<Value>) {
        let day = signed_at(handoff).unwrap_or_else(|| (self.letters.site().clock)());
        let day = day.with_timezone(&self.letters.site().timezone).format("%Y-%m-%d").to_string();
        let list = |name: &str| template[name].as_array().cloned().unwrap_or_default();
        let dates = list("requested_dates")
            .iter()
            .map(|date| json!({"gid": date["gid"], "value": day}))
            .collect();
        let csm = answer(&handoff.brief, "first_action.owner.email");
        let roles = list("requested_roles")
            .iter()
            .filter_map(|role| {
                let named = role["name"].as_str().and_then(|name| self.settings.roles.get(name));
                let who = named.or(csm.as_ref())?;
                Some(json!({"gid": role["gid"], "value": who}))
            })
            .collect();
        (dates, roles)
    }

    /// Waits for the job that makes the project.
    async fn wait_for(&self, job: &str) -> Result<String, DeliveryError> {
        let path = format!("/jobs/{job}?opt_fields=status,new_project,new_project.name");
        for wait in job_waits() {
            tokio::time::sleep(wait).await;
            let answer = self.read(&path).await.map_err(|error| DeliveryError::Unclear {
                message: format!("Asana makes the project, and its job cannot be read: {error}"),
            })?;
            match answer["data"]["status"].as_str() {
                Some("succeeded") => {
                    let project = answer["data"]["new_project"]["gid"].as_str();
                    return project.map(str::to_owned).ok_or_else(|| DeliveryError::Unclear {
                        message: "Asana's job has succeeded and names no project".to_owned(),
                    });
                }
                Some("failed") => {
                    return Err(DeliveryError::Permanent {
                        message: "Asana could not make the project from the template".to_owned(),
                        help: "make a project from the template by hand to see why".to_owned(),
                    });
                }
                _ => {}
            }
        }
        Err(DeliveryError::Unclear {
            message: "Asana still makes the project after two minutes".to_owned(),
        })
    }
}

#[async_trait]
impl Sink for Asana {
    fn event(&self) -> EventKind {
        EventKind::ProjectStarted
    }

    fn via(&self) -> &'static str {
        "asana"
    }

    /// A project is there some seconds after it was asked for.
    fn look_lag(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("make an Asana project from template {}", self.settings.template)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let ending = format!("[{}]", handoff.key);
        let base = format!(
            "/projects?workspace={}&limit=100&opt_fields=name,created_at,permalink_url",
            self.settings.workspace
        );
        let mut path = base.clone();
        loop {
            let page = self.read(&path).await?;
            let mut projects = page["data"].as_array().into_iter().flatten();
            let ours = projects.find(|p| p["name"].as_str().is_some_and(|n| n.ends_with(&ending)));
            if let Some(project) = ours {
                return Ok(Some(mark(project)));
            }
            let Some(offset) = page["next_page"]["offset"].as_str() else { return Ok(None) };
            let offset =
                percent_encoding::utf8_percent_encode(offset, percent_encoding::NON_ALPHANUMERIC);
            let next = format!("{base}&offset={offset}");
            if next == path {
                return Err(DeliveryError::Transient {
                    message: "Asana's list of projects does not go on".to_owned(),
                    retry_after: None,
                });
            }
            path = next;
        }
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let letter = self.letters.project(handoff, Medium::Plain)?;
        let template = &self.settings.template;
        let wanted = format!(
            "/project_templates/{template}?opt_fields=requested_dates,requested_roles,requested_roles.name"
        );
        let found = self.read(&wanted).await?;
        let (dates, roles) = self.wishes(&found["data"], handoff);
        let name = format!("{} [{}]", text::shorten(&letter.title, 120), handoff.key);
        let mut data = json!({"name": name, "is_strict": false, "requested_dates": dates, "requested_roles": roles});
        if let Some(team) = &self.settings.team {
            data["team"] = json!(team);
        }
        let path = format!("/project_templates/{template}/instantiateProject");
        let job = self.ask(Semantics::Creates, Method::POST, &path, Some(data)).await?;
        let Some(job) = job["data"]["gid"].as_str() else {
            return Err(DeliveryError::Unclear {
                message: "Asana's answer names no job".to_owned(),
            });
        };
        let project = self.wait_for(job).await?;
        // The project is made; a description that cannot be set is a remark.
        let path = format!("/projects/{project}?opt_fields=name,created_at,permalink_url");
        let notes = json!({"notes": letter.body});
        match self.ask(Semantics::Idempotent, Method::PUT, &path, Some(notes)).await {
            Ok(answer) => {
                Ok(Mark { reference: link(&answer["data"], &project), ..mark(&answer["data"]) })
            }
            Err(error) => Ok(Mark {
                reference: link(&Value::Null, &project),
                at: None,
                remark: Some(format!("the project has no description: {error}")),
            }),
        }
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("asana: template {}", self.settings.template);
        if offline {
            return vec![Check::ok(what, "ASANA_TOKEN is set, Asana was not asked")];
        }
        let path = format!("/project_templates/{}?opt_fields=name", self.settings.template);
        vec![match self.read(&path).await {
            Ok(found) => {
                let name = found["data"]["name"].as_str().unwrap_or_default();
                Check::ok(what, format!("the template is {}", text::quoted(name)))
            }
            Err(error) => Check::failed(what, error.to_string(), HELP),
        }]
    }
}

fn link(project: &Value, gid: &str) -> String {
    let permalink = project["permalink_url"].as_str().and_then(super::templates::web_address);
    permalink.unwrap_or_else(|| format!("https://app.asana.com/0/{gid}"))
}

fn mark(project: &Value) -> Mark {
    let gid = project["gid"].as_str().unwrap_or_default();
    let at = project["created_at"].as_str().and_then(|at| at.parse().ok());
    Mark { reference: link(project, gid), at, remark: None }
}
