//! GitHub, Slack, Asana, Jira and a welcome endpoint behind one address, each
//! with what it has stored.

use serde_json::{Value, json};

use crate::deliver::fake::{Asked, Reply};

/// What the vendors hold.
#[derive(Default)]
pub(crate) struct Vendors {
    pub(crate) issues: Vec<Value>,
    /// The comments on the first issue.
    pub(crate) comments: Vec<Value>,
    pub(crate) messages: Vec<Value>,
    pub(crate) projects: Vec<Value>,
    pub(crate) asana_tasks: Vec<Value>,
    pub(crate) jira: Vec<Value>,
    /// Jira's users: the account of each address.
    pub(crate) jira_users: Vec<(&'static str, &'static str)>,
    /// The `webhook-id` of each welcome.
    pub(crate) welcomes: Vec<String>,
}

impl Vendors {
    /// Whether a request only reads.
    pub(crate) fn reads(asked: &Asked) -> bool {
        let reading_posts = ["conversations.", "users.lookup", "/search/jql"];
        asked.method == "GET" || reading_posts.iter().any(|part| asked.path.contains(part))
    }

    pub(crate) fn answer(&mut self, asked: &Asked) -> Reply {
        let (vendor, path) =
            asked.path.trim_start_matches('/').split_once('/').unwrap_or((&asked.path, ""));
        match vendor.trim_start_matches('/') {
            "github" => self.github(asked, path),
            "slack" => self.slack(asked, path),
            "asana" => self.asana(asked, path),
            "jira" => self.jira(asked, path),
            "welcome" => {
                let id = asked.headers["webhook-id"].to_str().unwrap().to_owned();
                self.welcomes.push(id);
                Reply::Text(204, "")
            }
            other => panic!("unexpected {other}: {} {path}", asked.method),
        }
    }

    fn github(&mut self, asked: &Asked, path: &str) -> Reply {
        match (asked.method.as_str(), path) {
            ("GET", "repos/acme/handoffs/issues/1/comments") => {
                Reply::Json(200, json!(self.comments))
            }
            ("POST", "repos/acme/handoffs/issues/1/comments") => {
                let number = self.comments.len() + 1;
                let comment = json!({
                    "html_url": format!("https://github.example/acme/handoffs/issues/1#issuecomment-{number}"),
                    "created_at": "2026-11-20T17:00:01Z", "body": asked.json()["body"],
                });
                self.comments.push(comment.clone());
                Reply::Json(201, comment)
            }
            ("GET", "repos/acme/handoffs/issues/1") => Reply::Json(200, self.issues[0].clone()),
            ("PATCH", "repos/acme/handoffs/issues/1") => {
                for (name, value) in asked.json().as_object().unwrap() {
                    let named = |key: &str| -> Value {
                        value.as_array().unwrap().iter().map(|it| json!({key: it})).collect()
                    };
                    self.issues[0][name] = match name.as_str() {
                        "labels" => named("name"),
                        "assignees" => named("login"),
                        _ => value.clone(),
                    };
                }
                Reply::Json(200, self.issues[0].clone())
            }
            ("GET", "repos/acme/handoffs/issues") => Reply::Json(200, json!(self.issues)),
            ("POST", "repos/acme/handoffs/issues") => {
                let body = asked.json();
                let named = |list: &Value, name: &str| -> Vec<Value> {
                    list.as_array().unwrap().iter().map(|value| json!({name: value})).collect()
                };
                let number = self.issues.len() + 1;
                let issue = json!({
                    "number": number, "node_id": format!("I_{number}"), "state": "open",
                    "html_url": format!("https://github.example/acme/handoffs/issues/{number}"),
                    "created_at": "2026-11-20T17:00:01Z", "title": body["title"], "body": body["body"],
                    "labels": named(&body["labels"], "name"), "assignees": named(&body["assignees"], "login"),
                    "milestone": null,
                });
                self.issues.push(issue.clone());
                Reply::Json(201, issue)
            }
            ("GET", _) => Reply::Json(404, json!({"message": "Not Found"})),
            other => panic!("unexpected {other:?}"),
        }
    }

    fn slack(&mut self, asked: &Asked, path: &str) -> Reply {
        Reply::Json(
            200,
            match path {
                "conversations.list" => {
                    json!({"ok": true, "channels": [{"id": "C1", "name": "cs-handoffs"}]})
                }
                "conversations.history" | "conversations.replies" => {
                    json!({"ok": true, "messages": self.messages})
                }
                "users.lookupByEmail" => json!({"ok": true, "user": {"id": "U42"}}),
                "chat.postMessage" => {
                    let mut message = asked.json();
                    let ts = format!("179533142{}.000100", self.messages.len());
                    message["ts"] = json!(ts);
                    self.messages.push(message);
                    json!({"ok": true, "channel": "C1", "ts": ts})
                }
                other => panic!("unexpected {other}"),
            },
        )
    }

    fn asana(&mut self, asked: &Asked, path: &str) -> Reply {
        let told = |project: &Value| json!({"data": project});
        match (asked.method.as_str(), path) {
            ("GET", "projects") => Reply::Json(200, json!({"data": self.projects})),
            ("GET", "project_templates/1207") => Reply::Json(
                200,
                json!({"data": {"gid": "1207", "requested_dates": [], "requested_roles": []}}),
            ),
            ("POST", "project_templates/1207/instantiateProject") => {
                let gid = format!("9{}", self.projects.len());
                self.projects.push(json!({
                    "gid": gid, "name": asked.json()["data"]["name"], "html_notes": "",
                    "created_at": "2026-11-20T17:00:01.000Z", "permalink_url": format!("https://app.asana.com/0/{gid}"),
                }));
                Reply::Json(201, json!({"data": {"gid": "55", "status": "not_started"}}))
            }
            ("GET", "jobs/55") => {
                let gid = self.projects.last().map(|project| project["gid"].clone());
                let job = json!({"gid": "55", "status": "succeeded", "new_project": {"gid": gid}});
                Reply::Json(200, told(&job))
            }
            ("PUT", path) if path.starts_with("projects/9") => {
                let project = self.projects.last_mut().unwrap();
                project["html_notes"] = asked.json()["data"]["html_notes"].clone();
                Reply::Json(200, told(project))
            }
            ("GET", "projects/90") => Reply::Json(200, told(&self.projects[0])),
            ("PUT", "tasks/70") => {
                for (name, value) in asked.json()["data"].as_object().unwrap() {
                    self.asana_tasks[0][name] = value.clone();
                }
                Reply::Json(200, told(&self.asana_tasks[0]))
            }
            ("GET", path) if path.starts_with("projects/9") && path.ends_with("/tasks") => {
                Reply::Json(200, json!({"data": self.asana_tasks}))
            }
            ("POST", "tasks") => {
                let mut task = asked.json()["data"].clone();
                task["gid"] = json!(format!("7{}", self.asana_tasks.len()));
                self.asana_tasks.push(task.clone());
                Reply::Json(201, told(&task))
            }
            ("GET", _) => Reply::Json(404, json!({"errors": [{"message": "Not found"}]})),
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Who has an issue: it is made with an `id`, and read and changed by `accountId`.
    pub(crate) fn account_of(issue: &Value) -> Option<&str> {
        let assignee = &issue["fields"]["assignee"];
        assignee["accountId"].as_str().or_else(|| assignee["id"].as_str())
    }

    /// The place of `…/issue/ONB-1`.
    fn index(path: &str) -> usize {
        path.rsplit('-').next().unwrap().parse::<usize>().unwrap() - 1
    }

    fn jira(&mut self, asked: &Asked, path: &str) -> Reply {
        match (asked.method.as_str(), path) {
            ("POST", "rest/api/3/search/jql") => {
                let open_only = asked.json()["jql"].as_str().unwrap().contains("!= Done");
                let issues: Vec<Value> = (1..)
                    .zip(&self.jira)
                    .filter(|(_, issue)| !open_only || issue["fields"]["status"] != "Done")
                    .map(|(number, issue)| {
                        let fields = json!({"created": "2026-11-20T12:00:01.000-0500",
                            "assignee": Self::account_of(issue).map(|id| json!({"accountId": id}))});
                        json!({"key": format!("ONB-{number}"), "fields": fields,
                               "properties": {"handoff": issue["properties"][0]["value"]}})
                    })
                    .collect();
                Reply::Json(200, json!({"issues": issues}))
            }
            ("GET", "rest/api/3/user/search") => {
                let is_asked = |(email, _): &&(&str, &str)| {
                    asked
                        .query
                        .to_lowercase()
                        .contains(&email.split('@').next().unwrap().to_owned())
                };
                let user = |(email, id): &(&str, &str)| json!({"accountId": id, "emailAddress": email, "active": true});
                let users = self.jira_users.iter().filter(is_asked).map(user);
                Reply::Json(200, users.collect())
            }
            ("GET", path) if path.starts_with("rest/api/3/issue/ONB-") => {
                Reply::Json(200, self.jira[Self::index(path)].clone())
            }
            ("PUT", path) if path.starts_with("rest/api/3/issue/ONB-") => {
                for (name, value) in asked.json()["fields"].as_object().unwrap() {
                    self.jira[Self::index(path)]["fields"][name] = value.clone();
                }
                Reply::Text(204, "")
            }
            ("POST", "rest/api/3/issue") => {
                self.jira.push(asked.json());
                let key = format!("ONB-{}", self.jira.len());
                Reply::Json(201, json!({"id": "1", "key": key}))
            }
            ("GET", _) => Reply::Json(404, json!({"errorMessages": ["Not found"]})),
            other => panic!("unexpected {other:?}"),
        }
    }
}
