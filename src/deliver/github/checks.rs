//! What `doctor` asks GitHub.

use super::api::Api;
use super::settings::GithubSettings;
use crate::deliver::messages::TaskForm;
use crate::deliver::sink::DeliveryError;
use crate::model::Check;
use crate::text;

/// Repository, issues, rights and labels.
pub(super) async fn of(api: &Api, settings: &GithubSettings, offline: bool) -> Vec<Check> {
    let what = format!("github: {}", settings.repository);
    if offline {
        return vec![Check::ok(what, format!("credentials are set, {} was not asked", api.base()))];
    }
    let answer = match api.get(&settings.repository.path("")).await.and_then(super::api::Answer::ok)
    {
        Ok(answer) => answer,
        Err(error) => {
            let help = match &error {
                DeliveryError::Permanent { help, .. } => help.clone(),
                _ => "check the network and try again".to_owned(),
            };
            return vec![Check::failed(what, error.to_string(), help)];
        }
    };
    let repository = &answer.body;
    let mut checks = vec![Check::ok(what.clone(), "the repository can be read")];
    if let Some(now) = repository["full_name"].as_str()
        && !now.eq_ignore_ascii_case(&settings.repository.to_string())
    {
        checks.push(Check::warning(
            what.clone(),
            format!(
                "the repository is called {} now; requests are sent on to it",
                text::quoted(now)
            ),
            "write the new name under deliver.github.repository",
        ));
    }
    if repository["archived"] == true {
        checks.push(Check::failed(
            what.clone(),
            "the repository is archived",
            "unarchive it, or configure another",
        ));
    }
    if settings.form == TaskForm::Issue && repository["has_issues"] == false {
        checks.push(Check::failed(
            what.clone(),
            "issues are turned off",
            "turn them on in the repository's settings, or use as: pull_request",
        ));
    }
    // An app's answer has no permissions of a person; then nothing is said.
    if repository["permissions"]["push"] == false {
        checks.push(Check::warning(
            what.clone(),
            "the token may not push: labels, assignees and milestones will be dropped in silence",
            "give the token write access to the repository",
        ));
    }
    for label in &settings.labels {
        let name = percent_encoding::utf8_percent_encode(label, percent_encoding::NON_ALPHANUMERIC);
        let path = settings.repository.path(&format!("/labels/{name}"));
        if let Ok(answer) = api.get(&path).await
            && answer.status.as_u16() == 404
        {
            checks.push(Check::warning(
                what.clone(),
                format!("the label {label} does not exist"),
                "make it, so that it has a colour and a description; otherwise the first task makes it",
            ));
        }
    }
    checks
}
