//! A runner of GitHub, as far as the laid-down workflows need one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::sandbox::{NOW, Sandbox, fixture, ran};

pub(crate) const FOLDER: &str = ".github/workflows";

pub(super) fn read(file: &Path) -> Value {
    let text = fs::read(file).unwrap();
    handoff::yaml::read(&text)
        .unwrap_or_else(|error| panic!("{} is no YAML: {error:?}", file.display()))
        .to_json()
}

/// A runner of GitHub with the ledger's remote, as far as the workflows need it.
pub(crate) struct Runner<'a> {
    sandbox: &'a Sandbox,
    remote: std::path::PathBuf,
    secrets: Mutex<BTreeMap<String, String>>,
    count: Mutex<usize>,
    /// Whether each step has a clone of its own: the machine is lost after each.
    forgetful: bool,
}

/// The steps of a job that ran: name, exit code, what was printed.
pub(super) type Steps = Vec<(String, i32, String)>;

impl<'a> Runner<'a> {
    /// Gives a ledger a remote and pushes it there.
    pub(crate) fn on(sandbox: &'a Sandbox, ledger: &str) -> Self {
        sandbox.git(".", &["clone", "-q", "--bare", ledger, "remote.git"]);
        let remote = sandbox.join("remote.git");
        let runner = Self {
            sandbox,
            remote,
            secrets: Mutex::default(),
            count: Mutex::default(),
            forgetful: false,
        };
        let binary = env!("CARGO_BIN_EXE_handoff");
        runner.program("handoff", &format!("exec '{binary}' --now {NOW} \"$@\""));
        // Nobody has uploaded an artifact.
        runner.program("gh", "exit 1");
        runner
    }

    /// The same, where each step has a clone of its own.
    pub(super) fn forgetful(mut self) -> Self {
        self.forgetful = true;
        self
    }

    /// A program on the runner's path.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let file =
            self.sandbox.write(&format!("runner/bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn secret(&self, name: &str, value: &str) {
        self.secrets.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    fn clone_it(&self) -> std::path::PathBuf {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let folder = format!("runner/work-{count}");
        self.sandbox.git(".", &["clone", "-q", self.remote.to_str().unwrap(), &folder]);
        self.sandbox.join(folder)
    }

    /// An expression of a workflow: one value, or the first that is there.
    fn value(&self, expression: &str, event: &Value) -> String {
        for part in expression.split("||").map(str::trim) {
            let value = if let Some(name) = part.strip_prefix("secrets.") {
                self.secrets.lock().unwrap().get(name).cloned().unwrap_or_default()
            } else if let Some(path) = part.strip_prefix("github.event.") {
                let found = event.pointer(&format!("/{}", path.replace('.', "/")));
                found
                    .map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
                    .unwrap_or_default()
            } else {
                match part {
                    "github.token" => "a-token-of-the-workflow".to_owned(),
                    "github.server_url" => "https://github.com".to_owned(),
                    "vars.HANDOFF_CHECKPOINT_SIGNERS" | "inputs.first_checkpoint" => {
                        self.secrets.lock().unwrap().get(part).cloned().unwrap_or_default()
                    }
                    other => panic!("the runner does not know {other}"),
                }
            };
            if !value.is_empty() {
                return value;
            }
        }
        String::new()
    }

    fn expand(&self, text: &str, event: &Value) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap();
            out.push_str(before);
            out.push_str(&self.value(expression, event));
            rest = after;
        }
        out + rest
    }

    fn run(&self, step: &Value, work: &Path, kind: &str, event: &Value) -> (i32, String) {
        let sandbox = self.sandbox;
        let script = sandbox.write("runner/script.sh", step["run"].as_str().unwrap());
        let path =
            format!("{}:{}", sandbox.join("runner/bin").display(), std::env::var("PATH").unwrap());
        fs::create_dir_all(sandbox.join("runner/temp")).unwrap();
        let mut command = sandbox.command("bash", work);
        command
            .arg("-e")
            .arg(script)
            .env("PATH", path)
            .env("ARCHIVE", sandbox.join("h.tar.gz"))
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", kind)
            .env("GITHUB_REPOSITORY", "acme/handoffs")
            .env("GITHUB_EVENT_PATH", sandbox.write("runner/event.json", event.to_string()))
            .env("GITHUB_STEP_SUMMARY", sandbox.join("runner/summary.md"))
            .env("GITHUB_PATH", sandbox.join("runner/path"))
            .env("RUNNER_TEMP", sandbox.join("runner/temp"));
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            command.env(name, self.expand(&value, event));
        }
        let ran = ran(&command.output().unwrap(), "bash -e".to_owned());
        (ran.code, format!("{}{}", ran.stdout, ran.stderr))
    }

    pub(super) fn install(&self, work: &Path) -> (i32, String) {
        let action = read(&work.join(".github/actions/handoff/action.yml"));
        let steps = action["runs"]["steps"].as_array().unwrap();
        self.run(steps.last().unwrap(), work, "push", &json!({}))
    }

    /// Runs a workflow's job up to the step that fails.
    pub(super) fn job(&self, name: &str, kind: &str, event: &Value) -> Steps {
        let mut work = self.clone_it();
        let workflow = read(&work.join(format!("{FOLDER}/handoff-{name}.yml")));
        assert!(workflow["on"].get(kind).is_some(), "{name} does not run on {kind}");
        let job = workflow["jobs"].as_object().unwrap().values().next().unwrap();
        if let Some(head) = event.pointer("/pull_request/head/ref").and_then(Value::as_str) {
            let mut checkout = self.sandbox.command("git", &work);
            checkout.args(["checkout", "-q", "--detach", &format!("origin/{head}")]);
            ran(&checkout.output().unwrap(), "git checkout".to_owned()).exits(0);
        }
        let mut steps = Steps::new();
        for step in job["steps"].as_array().unwrap() {
            let wanted = match step["if"].as_str() {
                None | Some("always()") => true,
                Some("github.event_name == 'repository_dispatch'") => kind == "repository_dispatch",
                Some("github.event_name != 'repository_dispatch'") => kind != "repository_dispatch",
                Some("github.event.pull_request.head.repo.full_name == github.repository") => {
                    event.pointer("/pull_request/head/repo/full_name")
                        == Some(&json!("acme/handoffs"))
                }
                Some(other) => panic!("the runner does not know {other}"),
            };
            if !wanted {
                continue;
            }
            if self.forgetful {
                work = self.clone_it();
            }
            let ran = match step["uses"].as_str() {
                Some("$/.github/actions/handoff") => self.install(&work),
                Some(_) => continue,
                None => self.run(step, &work, kind, event),
            };
            let failed = ran.0 != 0;
            steps.push((step["name"].as_str().unwrap().to_owned(), ran.0, ran.1));
            if failed {
                break;
            }
        }
        steps
    }

    #[track_caller]
    pub(crate) fn green(&self, name: &str, kind: &str, event: &Value) -> String {
        let steps = self.job(name, kind, event);
        assert!(steps.len() > 1, "{name} has run: {steps:?}");
        assert!(steps.iter().all(|(_, code, _)| *code == 0), "{name} on {kind}: {steps:#?}");
        steps.iter().map(|(_, _, said)| said.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn red(&self, name: &str, kind: &str, event: &Value) -> (i32, String) {
        let steps = self.job(name, kind, event);
        let (_, code, said) = steps.last().unwrap().clone();
        assert_ne!(code, 0, "{name} on {kind}: {steps:#?}");
        (code, said)
    }

    pub(super) fn head(&self) -> String {
        self.sandbox.git("remote.git", &["rev-parse", "main"]).trim().to_owned()
    }

    pub(super) fn push(&self, before: &str) -> Value {
        json!({"before": before, "after": self.head()})
    }
}

pub(super) fn dispatch(payload: Value) -> Value {
    json!({
        "action": "contract-signed", "branch": "main", "client_payload": payload,
        "repository": {"full_name": "acme/handoffs"}, "sender": {"login": "relay"},
    })
}

pub(super) fn signed_body() -> Vec<u8> {
    fs::read(fixture("esign/pandadoc-completed-full.body.json")).unwrap()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
