//! `handoff propose`: what a tool would answer is nobody's answer until a
//! person merges it.

use std::fs;

use serde_json::{Value, json};

use crate::draft;
use crate::refresh::{KEY, signed};
use crate::sandbox::Sandbox;

const CITE: &str = "kick-off call 2026-11-03, 14:20";

fn propose(sandbox: &Sandbox, answers: &str, more: &[&str], code: i32) -> (Value, String) {
    let file = sandbox.write("answers.yaml", answers).display().to_string();
    let line = ["propose", KEY, "--file", &file, "--by", "call-notes", "--format", "json"];
    let line: Vec<&str> = line.iter().chain(more).copied().collect();
    let ran = sandbox.handoff_with("ledger", &line, &[("GITHUB_TOKEN", "t")]).exits(code);
    (if code == 0 { ran.json() } else { Value::Null }, ran.stderr)
}

fn missing(sandbox: &Sandbox) -> String {
    let ran = sandbox.handoff("ledger", &["validate", "--format", "json"]);
    let found = ran.json();
    let findings = found["findings"].as_array().unwrap();
    findings.iter().map(|it| format!("{} {}\n", it["rule"], it["message"])).collect()
}

#[test]
fn a_proposal_is_a_branch_and_an_answer_only_when_somebody_merges_it() {
    let sandbox = signed();
    let head = sandbox.git("ledger", &["rev-parse", "main"]);
    assert!(missing(&sandbox).contains("complexity"), "{}", missing(&sandbox));
    let answers = format!(
        "implementation.complexity: medium\nsuccess.baseline: {{answer: Nine days, cite: \"{CITE}\"}}\n"
    );
    let (proposed, _) = propose(&sandbox, &answers, &["--cite", "page 3 of the order"], 0);
    let branch = proposed["branch"].as_str().unwrap().to_owned();
    assert!(branch.starts_with(&format!("proposal/{KEY}/")), "{proposed}");
    assert_eq!(sandbox.git("ledger", &["rev-parse", "main"]), head, "the ledger's branch stays");
    assert!(missing(&sandbox).contains("complexity"), "it counts as unanswered");
    sandbox.handoff("ledger", &["why", KEY, "implementation.complexity"]).exits(4);
    let (again, _) = propose(&sandbox, &answers, &["--cite", "page 3 of the order"], 0);
    assert_eq!((&again["commit"], &again["branch"]), (&Value::Null, &proposed["branch"]));

    // On the branch CI finds nothing wrong, until a citation is taken out.
    sandbox.git("ledger", &["checkout", "-q", &branch]);
    let found = missing(&sandbox);
    assert!(!found.contains("uncited-proposal") && !found.contains("stale-rendering"), "{found}");
    assert!(!found.contains("complexity"), "{found}");
    let file = sandbox.git("ledger", &["ls-files", "briefs/*/proposed.yaml"]);
    let file = sandbox.join("ledger").join(file.trim());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("proposed-by: call-notes") && text.contains(CITE), "{text}");
    let proposals = handoff::yaml::read(text.as_bytes()).unwrap().to_json();
    sandbox.assert_schema("proposed", &proposals);
    let without: String =
        text.lines().filter(|line| !line.contains(CITE)).map(|line| format!("{line}\n")).collect();
    assert_ne!(text, without);
    fs::write(&file, without).unwrap();
    let ran = sandbox.handoff("ledger", &["validate", "--format", "json"]).exits(1);
    assert!(
        ran.stdout.contains("uncited-proposal") && ran.stdout.contains("success.baseline"),
        "{}",
        ran.stdout
    );
    // What `propose` refuses as a citation, `validate` refuses, too.
    for no in ["none", "TBD", "-", "\u{200b}", "\u{3164}"] {
        fs::write(&file, text.replace(CITE, no)).unwrap();
        let found = missing(&sandbox);
        assert!(found.contains("uncited-proposal"), "{no}: {found}");
    }
    fs::write(&file, text).unwrap();
    sandbox.git("ledger", &["checkout", "-q", "main"]);

    // A person merges: it is answered, and both are told.
    let author = [("GIT_AUTHOR_NAME", "Dana Wu"), ("GIT_AUTHOR_EMAIL", "dana@example.com")];
    let merge = ["merge", "-q", "--no-ff", "-m", "checked", &branch];
    let mut git = sandbox.command("git", sandbox.join("ledger"));
    assert!(git.envs(author).args(merge).status().unwrap().success());
    assert!(!missing(&sandbox).contains("complexity"));
    let line = ["why", KEY, "success.baseline", "--format", "json"];
    let told = sandbox.handoff("ledger", &line).exits(0).json()["answers"][0].clone();
    assert_eq!(
        told["source"],
        json!({"from": "proposed", "name": "call-notes", "ref": CITE, "at": "2026-11-20T17:00:00Z"})
    );
    assert_eq!(told["confirmed_by"], "Dana Wu <dana@example.com>", "{told:#}");
    let text = sandbox.handoff("ledger", &["why", KEY, "success.baseline"]).exits(0).stdout;
    assert!(
        text.contains("proposed by call-notes") && text.contains("confirmed by Dana Wu"),
        "{text}"
    );
}

#[test]
fn what_may_not_be_proposed_is_refused_and_nothing_is_written() {
    let sandbox = signed();
    for (answers, cite, words) in [
        ("success.baseline: Nine days\n", "", "has no citation"),
        ("success.baseline: {answer: Nine days, cite: \"  \"}\n", "", "has no citation"),
        ("success.baseline: Nine days\n", "none", "has no citation"),
        ("success.baseline: Nine days\n", " None. ", "has no citation"),
        ("success.baseline: Nine days\n", "TBD", "has no citation"),
        ("success.baseline: Nine days\n", "n/a", "has no citation"),
        ("success.baseline: Nine days\n", "-", "has no citation"),
        ("success.baseline: Nine days\n", ".", "has no citation"),
        ("success.baseline: Nine days\n", "\u{1f642}", "has no citation"),
        ("success.baseline: Nine days\n", "\u{200b}", "has no citation"),
        ("success.baseline: Nine days\n", "\u{feff}T\u{200b}BD", "has no citation"),
        ("success.baseline: Nine days\n", "\u{3164}", "has no citation"),
        ("success.baseline: \"\u{3164}\"\n", CITE, "answers nothing"),
        ("success.metric: Other\n", CITE, "is answered already"),
        ("success.baselin: Nine\n", CITE, "asks for no answer"),
        ("signature.document_id: x\n", CITE, "asks for no answer"),
        ("first_action.owner: {name: Eve}\n", CITE, "cannot be proposed"),
        ("success.baseline: TBD\n", CITE, "answers nothing"),
        ("implementation.complexity: huge\n", CITE, "implementation.complexity"),
        ("[]\n", CITE, "holds no answers"),
        ("{}\n", CITE, "1 to 100 answers"),
        ("\n", CITE, "give a file of answers"),
        ("a: [\n", CITE, "answers.yaml:"),
    ] {
        let more: &[&str] = if cite.is_empty() { &[] } else { &["--cite", cite] };
        let file = sandbox.write("answers.yaml", answers).display().to_string();
        let line = ["propose", KEY, "--file", &file, "--by", "call-notes"];
        let line: Vec<&str> = line.iter().chain(more).copied().collect();
        let ran = sandbox.handoff("ledger", &line);
        assert_eq!(ran.code, 2, "{answers}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{answers}: {}", ran.stderr);
        assert!(!ran.stderr.contains("what has happened so far"), "{answers}: {}", ran.stderr);
    }
    assert_eq!(sandbox.git("ledger", &["branch", "--list", "proposal/*"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pull_request_has_one_citation_an_answer_and_is_opened_once() {
    let (fake, pulls) = draft::github().await;
    let sandbox = draft::ledger(Some(&fake.url));
    sandbox.write("ledger/deals.csv", draft::deals("Closed Won", "48000.00"));
    let sign = ["sign", &draft::event(), "--no-deliver"];
    sandbox.handoff_with("ledger", &sign, &[("GITHUB_TOKEN", "t")]).exits(0);
    let answers = format!(
        "success.primary_goal: {{answer: \"Ask @team <b>now</b>\", cite: \"{CITE}\"}}\nsuccess.metric: Days\n"
    );
    let (proposed, _) = propose(&sandbox, &answers, &["--cite", "page 3"], 0);
    assert_eq!(proposed["request"], draft::PULL, "{proposed}");
    assert_eq!(proposed["pushed"], true);
    let pull = pulls.lock().unwrap()[0].clone();
    assert_eq!((&pull["head"], &pull["base"]), (&proposed["branch"], &json!("main")));
    let body = pull["body"].as_str().unwrap();
    assert_eq!(body.matches("taken from:").count(), 2, "{body}");
    assert!(body.contains("14:20") && body.contains("page 3"), "{body}");
    assert!(!body.contains("<b>") && !body.contains(" @team"), "customer text is harmless: {body}");
    propose(&sandbox, &answers, &["--cite", "page 3"], 0);
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 1, "once");
    let heads =
        sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert!(heads.lines().any(|head| head == proposed["branch"]), "{heads}");
}
