//! The first-touch task as a GitHub issue, the hidden mark by which it is found
//! again, and how a task follows a brief that changed.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::Method;
use serde_json::{Map, Value, json};

use super::api::{Comment, GithubApi, Issue};
use super::settings::{GithubSettings, TaskUrl, assignee, login};
use super::{checks, project};
use crate::brief::EventKind;
use crate::deliver::follow::Follows;
use crate::deliver::message_kind::{MessageKind, is_to_be_told};
use crate::deliver::messages::{Audience, Messages, TaskForm, signed_at};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::Medium;
use crate::model::{Check, Key, Remarks};

/// Opens one issue for each handoff.
pub(super) struct GithubIssue {
    api: Arc<GithubApi>,
    settings: GithubSettings,
    messages: Messages,
}

impl GithubIssue {
    pub(super) fn new(api: Arc<GithubApi>, settings: GithubSettings, messages: Messages) -> Self {
        Self { api, settings, messages }
    }

    /// All issues with this handoff's mark, oldest first. Lists with the label
    /// first; where that finds nothing, without it, since GitHub drops labels
    /// in silence when the token may not set them.
    async fn find(&self, handoff: &Handoff) -> Result<Vec<Issue>, DeliveryError> {
        let label = self.settings.labels.first().map(String::as_str);
        for label in [label, None] {
            let found = self.list(handoff, label).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn list(
        &self,
        handoff: &Handoff,
        label: Option<&str>,
    ) -> Result<Vec<Issue>, DeliveryError> {
        let mark = marker(&handoff.key, STEP);
        let path = self.api.repository().path(&format!("/issues?{}", query(handoff, label)));
        let mut found: Vec<Issue> = self.api.list(&path).await?;
        found.retain(|issue| {
            issue.pull_request.is_none() && holds(issue.body.as_deref().unwrap_or(""), &mark)
        });
        found.sort_by_key(|issue| issue.number);
        Ok(found)
    }

    /// Sends the issue; a second time without assignee if GitHub refuses the
    /// first because of it.
    async fn create(
        &self,
        request: &mut Value,
        remarks: &mut Remarks,
    ) -> Result<Issue, DeliveryError> {
        let path = self.api.repository().path("/issues");
        let mut result = self.api.write(Method::POST, &path, request).await;
        if let Err(fault) = &result
            && fault.refuses_field("assignees")
        {
            remarks.push(format!(
                "assigned to nobody: {} may not be assigned in {}; give them access to it",
                request["assignees"][0].as_str().unwrap_or_default(),
                self.settings.repository
            ));
            request["assignees"] = json!([]);
            result = self.api.write(Method::POST, &path, request).await;
        }
        result?.read()
    }

    /// Another machine may have opened the same task at the same moment. The
    /// lower number stays; the one made here is closed and loses its mark.
    async fn yield_to_older(
        &self,
        handoff: &Handoff,
        made: &Issue,
    ) -> Result<Option<Mark>, DeliveryError> {
        let older = self.find(handoff).await?.into_iter().find(|i| i.number < made.number);
        let Some(older) = older else { return Ok(None) };
        let path = self.api.repository().path(&format!("/issues/{}", made.number));
        let body = format!("Opened twice at the same moment; the task is #{}.", older.number);
        let close = json!({"state": "closed", "state_reason": "not_planned", "body": body, "assignees": []});
        let remark = match self.api.write(Method::PATCH, &path, &close).await {
            Ok(_) => format!("opened twice at the same moment; #{} is closed", made.number),
            Err(fault) => {
                format!("opened twice at the same moment; close #{}: {}", made.number, fault.error)
            }
        };
        Ok(Some(Mark::new(older.html_url, Some(older.created_at), &[remark])))
    }
}

#[async_trait]
impl Sink for GithubIssue {
    fn event(&self) -> EventKind {
        EventKind::TaskOpened
    }

    fn via(&self) -> &'static str {
        "github"
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let title = self
            .messages
            .task(handoff, TaskForm::Issue, Medium::Markdown)
            .map(|message| message.title);
        format!("open an issue in {}: {}", self.settings.repository, title.unwrap_or_default())
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let mut found = self.find(handoff).await?.into_iter();
        let Some(issue) = found.next() else { return Ok(None) };
        let others: Vec<String> = found.map(|other| format!("#{}", other.number)).collect();
        let remark = (!others.is_empty()).then(|| {
            format!("{} carry the mark of this handoff too; close them", others.join(", "))
        });
        Ok(Some(Mark { reference: issue.html_url, at: Some(issue.created_at), remark }))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let message = self.messages.task(handoff, TaskForm::Issue, Medium::Markdown)?;
        let mut remarks = Remarks::default();
        let assignee = assignee(handoff)
            .map_err(|why| remarks.push(format!("assigned to nobody: {why}")))
            .ok();
        let mark = marker(&handoff.key, STEP);
        let mut request = json!({
            "title": message.title,
            "body": sealed(&message.body, &mark, handoff.url.as_deref()),
            "labels": self.settings.labels,
            "assignees": assignee.iter().collect::<Vec<_>>(),
        });
        if let Some(milestone) = self.settings.milestone {
            request["milestone"] = json!(milestone);
        }
        let issue = self.create(&mut request, &mut remarks).await?;
        if let Some(older) = self.yield_to_older(handoff, &issue).await? {
            return Ok(older);
        }
        remarks.take_over(dropped(&request, &issue));
        if let (Some(project), Some(node)) = (&self.settings.project, &issue.node_id)
            && let Err(error) =
                project::add(&self.api, project, node, self.messages.due_day(handoff)).await
        {
            remarks.push(format!("not put on the project: {error}"));
        }
        Ok(Mark::new(issue.html_url, Some(issue.created_at), &remarks))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        checks(&self.api, &self.settings, offline).await
    }
}

/// The query of the list, but for the page.
fn query(handoff: &Handoff, label: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", "all").append_pair("sort", "created");
    query.append_pair("direction", "asc");
    if let Some(since) = earliest(handoff) {
        query.append_pair("since", &since.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    if let Some(label) = label {
        query.append_pair("labels", label);
    }
    query.finish()
}

/// No issue of this handoff can have been touched before this moment; a day
/// allows for clocks that disagree.
fn earliest(handoff: &Handoff) -> Option<DateTime<Utc>> {
    let first = handoff.timeline.events.iter().map(|event| event.at).min();
    let earliest = [first, signed_at(handoff)].into_iter().flatten().min()?;
    earliest.checked_sub_signed(TimeDelta::days(1))
}

/// What GitHub left out in silence, as it does when a token may not set it.
fn dropped(asked: &Value, issue: &Issue) -> Remarks {
    let mut remarks = Remarks::default();
    let labels: Vec<&str> = issue.labels.iter().map(|label| label.name.as_str()).collect();
    let assignees: Vec<&str> = issue.assignees.iter().map(|it| it.login.as_str()).collect();
    for (what, got) in [("labels", labels), ("assignees", assignees)] {
        let missing: Vec<&str> = asked[what]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|asked| !got.iter().any(|got| got.eq_ignore_ascii_case(asked)))
            .collect();
        if !missing.is_empty() {
            remarks.push(format!(
                "GitHub did not set the {what} {}; the token may lack the right to",
                missing.join(", ")
            ));
        }
    }
    if asked.get("milestone").is_some() && issue.milestone.is_none() {
        remarks.push("GitHub did not set the milestone; the token may lack the right to");
    }
    remarks
}

// The task follows a brief that changed: the machine's part of the body,
// title, labels, assignee and deadline are set again, and a comment tells the
// CSM what changed where they must know.

/// Keeps the task of each handoff in line with its brief.
pub(super) struct GithubFollow {
    pub(super) api: Arc<GithubApi>,
    pub(super) settings: GithubSettings,
    pub(super) messages: Messages,
}

impl GithubFollow {
    fn mark(handoff: &Handoff) -> String {
        marker(&handoff.key, &MessageKind::Changed.step(&handoff.timeline, "comment"))
    }

    /// Sets what differs; each remark is something that could not be set.
    async fn set(
        &self,
        handoff: &Handoff,
        task: &TaskUrl,
    ) -> Result<(Issue, Remarks), DeliveryError> {
        let path = task.api("issues", "");
        let issue: Issue = self.api.get(&path).await?.ok()?.read()?;
        let form = if task.is_pull_request() { TaskForm::PullRequest } else { TaskForm::Issue };
        let message = self.messages.task(handoff, form, Medium::Markdown)?;
        let (mut change, mut remarks) = (Map::new(), Remarks::default());
        if issue.title != message.title {
            change.insert("title".to_owned(), json!(message.title));
        }
        let body = issue.body.as_deref().unwrap_or_default().replace("\r\n", "\n");
        let mark = marker(&handoff.key, STEP);
        match renewed(&body, &message.body, &mark, handoff.url.as_deref()) {
            Some(new) if new.trim_end() == body.trim_end() => {}
            Some(new) => drop(change.insert("body".to_owned(), json!(new))),
            None => remarks.push("the task's text has lost its mark and is left alone".to_owned()),
        }
        let there: Vec<&str> = issue.labels.iter().map(|label| label.name.as_str()).collect();
        let missing = |label: &&String| !there.iter().any(|it| it.eq_ignore_ascii_case(label));
        if self.settings.labels.iter().any(|label| missing(&label)) {
            let labels = there.iter().copied().map(str::to_owned);
            let new = self.settings.labels.iter().filter(missing).cloned();
            change.insert("labels".to_owned(), labels.chain(new).collect());
        }
        if let Some(assignees) = assignees(handoff, &issue) {
            change.insert("assignees".to_owned(), json!(assignees));
        }
        if !change.is_empty() {
            self.write(&path, change, &mut remarks).await?;
        }
        if task.is_pull_request() && handoff.previous_owner().is_some() {
            let path = task.api("pulls", "/requested_reviewers");
            ask_to_review(&self.api, handoff, &path, &mut remarks).await;
        }
        if let (Some(project), Some(node)) = (&self.settings.project, &issue.node_id)
            && handoff.due_changed()
            && let Err(error) =
                project::add(&self.api, project, node, self.messages.due_day(handoff)).await
        {
            remarks.push(format!("the deadline on the project was not set: {error}"));
        }
        Ok((issue, remarks))
    }

    /// Without the assignee where GitHub refuses the person.
    async fn write(
        &self,
        path: &str,
        mut change: Map<String, Value>,
        remarks: &mut Remarks,
    ) -> Result<(), DeliveryError> {
        let sent = self.api.write(Method::PATCH, path, &Value::Object(change.clone())).await;
        match sent {
            Err(fault) if fault.refuses_field("assignees") => {
                let assignees = change.remove("assignees").unwrap_or_default();
                remarks.push(format!(
                    "not assigned: {assignees} may not be assigned in {}; give them access to it",
                    self.settings.repository
                ));
                if !change.is_empty() {
                    self.api.write(Method::PATCH, path, &Value::Object(change)).await?;
                }
                Ok(())
            }
            sent => Ok(sent.map(drop)?),
        }
    }
}

/// Asks the CSM to review a pull request; a refusal is a remark.
pub(super) async fn ask_to_review(
    api: &GithubApi,
    handoff: &Handoff,
    path: &str,
    remarks: &mut Remarks,
) {
    let asked = match assignee(handoff) {
        Ok(login) => {
            let wish = json!({"reviewers": [login]});
            api.write(Method::POST, path, &wish).await.err().map(|fault| fault.error.to_string())
        }
        Err(why) => Some(why),
    };
    remarks.extend(asked.map(|why| format!("nobody is asked to review: {why}")));
}

/// Who should have the task, where that is not so: the new CSM in place of the
/// one before; others that people have added stay.
fn assignees(handoff: &Handoff, issue: &Issue) -> Option<Vec<String>> {
    let before = handoff.previous_owner()?.get("github").and_then(Value::as_str).map(login);
    let is_before = |it: &String| before.as_ref().is_some_and(|old| it.eq_ignore_ascii_case(old));
    let there: Vec<String> = issue.assignees.iter().map(|it| it.login.clone()).collect();
    let mut wanted: Vec<String> = there.iter().filter(|it| !is_before(it)).cloned().collect();
    if let Ok(new) = assignee(handoff)
        && !wanted.iter().any(|it| it.eq_ignore_ascii_case(&new))
    {
        wanted.push(new);
    }
    (wanted != there).then_some(wanted)
}

#[async_trait]
impl Follows for GithubFollow {
    const VIA: &'static str = "github";
    const OPENED: EventKind = EventKind::TaskOpened;

    fn what(&self) -> String {
        format!("the task in {}", self.api.repository())
    }

    fn nothing_yet(&self) -> String {
        "there is no task on GitHub yet".to_owned()
    }

    /// The comment is made last. Without one, setting the same again changes nothing.
    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        if !is_to_be_told(&handoff.timeline, "github") {
            return Ok(None);
        }
        let Some(task) = Self::opened(handoff).and_then(TaskUrl::parse) else { return Ok(None) };
        let mark = Self::mark(handoff);
        let comments: Vec<Comment> = self.api.list(&task.api("issues", "/comments")).await?;
        let ours = comments
            .into_iter()
            .find(|comment| holds(comment.body.as_deref().unwrap_or_default(), &mark));
        Ok(ours.map(|comment| Mark::new(comment.html_url, Some(comment.created_at), &[])))
    }

    async fn renew(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<Option<Mark>, DeliveryError> {
        let Some(task) = TaskUrl::parse(reference) else { return Ok(None) };
        let (issue, remarks) = self.set(handoff, &task).await?;
        if !is_to_be_told(&handoff.timeline, "github") {
            return Ok(Some(Mark::new(issue.html_url, None, &remarks)));
        }
        let (kind, medium) = (&MessageKind::Changed, Medium::Markdown);
        let message = self.messages.again(handoff, kind, medium, Audience::Public, None)?;
        let body = sealed(&message.body, &Self::mark(handoff), handoff.url.as_deref());
        let path = task.api("issues", "/comments");
        let made = self.api.write(Method::POST, &path, &json!({"body": body})).await?;
        let made: Comment = made.read()?;
        Ok(Some(Mark::new(made.html_url, Some(made.created_at), &remarks)))
    }
}

// The hidden mark in a body, and how a body is made to fit.

/// The step that the mark of the first-touch task names.
pub(super) const STEP: &str = "task";

/// GitHub's limit for a body, in characters.
const LIMIT: usize = 65_536;

/// The mark of one step of one handoff. Keys hold nothing that could end a comment.
pub(super) fn marker(key: &Key, step: &str) -> String {
    format!("<!-- handoff:v1 key={key} step={step} -->")
}

/// Whether a body holds exactly this mark on a line of its own. Customer text
/// cannot: its `<` is escaped.
pub(super) fn holds(body: &str, marker: &str) -> bool {
    body.lines().any(|line| line.trim() == marker)
}

/// What people write above it stays theirs.
const BEGIN: &str = "<!-- handoff:v1 begin -->";

/// The body with the part between our marks replaced; people's text around
/// it stays, and so do the ticks in the checklist. `None` where the mark was
/// taken out: then the body is people's.
pub(super) fn renewed(old: &str, new: &str, mark: &str, whole: Option<&str>) -> Option<String> {
    let lines: Vec<&str> = old.lines().collect();
    let end = lines.iter().position(|line| line.trim() == mark)?;
    let begin = lines[..end].iter().position(|line| line.trim() == BEGIN).unwrap_or(0);
    let (above, machine) = (&lines[..begin], &lines[begin..end]);
    let below = lines.get(end + 1..).unwrap_or_default();
    let ticked: Vec<String> = machine
        .iter()
        .filter_map(|line| {
            let task = line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "))?;
            Some(format!("- [ ] {task}"))
        })
        .collect();
    let new: Vec<String> = new
        .lines()
        .map(|line| match ticked.iter().any(|task| task == line) {
            true => line.replacen("- [ ]", "- [x]", 1),
            false => line.to_owned(),
        })
        .collect();
    let mut text = above.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(sealed(&new.join("\n"), mark, whole).trim_end());
    if !below.is_empty() {
        text.push('\n');
        text.push_str(&below.join("\n"));
    }
    Some(text)
}

/// The body with its mark, cut at a line where it would be too long; then it
/// says so and points to the whole.
pub(super) fn sealed(body: &str, marker: &str, whole: Option<&str>) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let body = &format!("{BEGIN}\n{body}");
    let end = format!("\n\n{marker}\n");
    if length(body) + length(&end) <= LIMIT {
        return format!("{body}{end}");
    }
    let note = match whole {
        Some(link) => {
            format!("\n\n**This text was too long for GitHub and is cut here.** The whole brief: <{link}>")
        }
        None => "\n\n**This text was too long for GitHub and is cut here.** The whole is in the brief's folder."
            .to_owned(),
    };
    // Room for a fence that must be closed.
    let room = LIMIT - length(&end) - length(&note) - 16;
    let mut kept = String::new();
    let (mut used, mut fenced) = (0, false);
    for line in body.split_inclusive('\n') {
        used += length(line);
        if used > room {
            break;
        }
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        kept.push_str(line);
    }
    let fence = if fenced { "\n```" } else { "" };
    format!("{}{fence}{note}{end}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_at_a_line_says_so_and_keeps_its_mark() {
        let key = Key::parse("hubspot-1").expect("a key");
        let mark = marker(&key, "task");
        let body = format!("```\n{}", "line of text 🎉\n".repeat(10_000));
        let sealed = sealed(&body, &mark, Some("https://github.example/brief"));
        assert!(sealed.encode_utf16().count() <= LIMIT);
        assert!(holds(&sealed, &mark));
        assert!(sealed.contains("cut here.** The whole brief: <https://github.example/brief>"));
        assert!(sealed.contains("line of text 🎉\n```\n\n**This"), "the fence must be closed");
    }

    #[test]
    fn a_renewed_body_keeps_what_people_wrote_and_ticked() {
        let mark = marker(&Key::parse("hubspot-1").expect("a key"), "task");
        let old = sealed("by Friday\n- [ ] Read the brief\n- [ ] Call", &mark, None);
        let edited = old.replace("- [ ] Read", "- [x] Read");
        let edited = format!("My notes\r\n\r\n{edited}\nSpoke with Dana");
        let new = renewed(&edited, "by Monday\n- [ ] Read the brief\n- [ ] Ask", &mark, None);
        let new = new.expect("the mark is there");
        assert!(new.starts_with("My notes\n\n<!-- handoff:v1 begin -->\nby Monday\n"), "{new}");
        assert!(new.contains("- [x] Read the brief\n- [ ] Ask"), "{new}");
        assert!(!new.contains("Friday") && !new.contains("Call"), "{new}");
        assert!(new.ends_with("\nSpoke with Dana"), "{new}");
        let again = renewed(&new, "by Monday\n- [ ] Read the brief\n- [ ] Ask", &mark, None);
        assert_eq!(again.as_deref(), Some(new.as_str()), "renewing twice changes nothing");
        assert_eq!(renewed("all mine", "x", &mark, None), None);
        // Bodies of earlier versions begin with the machine's part.
        let old = format!("Old text\n\n{mark}\n");
        assert!(!renewed(&old, "x", &mark, None).expect("marked").contains("Old text"));
    }

    #[test]
    fn only_the_exact_mark_on_its_own_line_counts() {
        let key = |text| Key::parse(text).expect("a key");
        let body = format!("text\r\n{}\r\n", marker(&key("hubspot-12"), "task"));
        assert!(holds(&body, &marker(&key("hubspot-12"), "task")));
        assert!(!holds(&body, &marker(&key("hubspot-1"), "task")));
        assert!(!holds(&body, &marker(&key("hubspot-12"), "draft")));
    }
}
