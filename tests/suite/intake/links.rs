//! The page behind a link, asked over HTTP from a real `handoff serve`.

use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};
use handoff::link::{Grant, LINK_KEY, LinkKeys, LinkRole};
use handoff::model::{Key, Secrets};
use serde_json::{Value, json};

use super::server::{Answer, Running, send};
use crate::sandbox::{NOW, Sandbox, fixture};

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ORIGIN: &str = "https://handoff.example.com";

const SIGNED: &str = "2026-11-20T15:01:58Z";

/// What customers may try, in every name of a brief.
const HOSTILE: &str = "<script>alert(1)</script> \"onload=x' {{7*7}} @team";

/// A ledger with one signed handoff whose rep owes three answers.
pub(super) struct Page {
    pub(super) sandbox: Sandbox,
    pub(super) key: String,
    file: String,
}

/// A brief whose rep owes answers, with what customers may try in every name.
fn hostile(key: &str) -> Value {
    json!({
        "schema": "handoff/brief/v1", "key": key,
        "deal": {"name": HOSTILE, "owner": {"name": "Riley Ross", "email": "riley@example.com"}},
        "signature": {"provider": "pandadoc", "document_id": "d", "signed_at": SIGNED},
        "customer": {"name": format!("Acme {HOSTILE}{}", " long".repeat(80)), "industry": "Steel"},
        "contacts": {"signer": {"name": "Dana Wu", "email": "dana@acme.example"}},
        "commitments": [{"promise": format!("SSO {HOSTILE}"), "owner": "Platform team", "due": "2027-01-15"}],
        "success": {"primary_goal": "Cut onboarding time in half", "metric": {"unknown": {"why": "asked", "owner": "Riley", "resolve_by": "2026-12-05"}}},
        "first_action": {"instruction": "Introduce yourself", "due": "2026-11-21T15:01:58Z",
            "owner": {"name": "Sam Lee", "email": "sam@example.com", "github": "samlee"}},
    })
}

/// A brief as people make them, for the pictures in the docs.
fn usual(key: &str) -> Value {
    json!({
        "schema": "handoff/brief/v1", "key": key,
        "deal": {"name": "Acme Corp platform", "url": "https://crm.example.com/deals/42",
                 "owner": {"name": "Riley Ross", "email": "riley@example.com"}},
        "signature": {"provider": "pandadoc", "document_id": "d", "document_name": "Acme order form",
                      "signed_at": SIGNED, "url": "https://sign.example.com/d/7"},
        "customer": {"name": "Acme Corp", "size": 2822, "industry": "Manufacturing", "tier": "enterprise", "website": "https://acme.example"},
        "purchase": {
            "products": [{"name": "Platform", "plan": "Business", "quantity": 50, "billing": "yearly"}],
            "contract_value": {"amount": "48000.00", "currency": "USD"},
            "term": {"months": 12, "starts": "2026-12-01", "ends": "2027-11-30", "renewal": "auto"},
            "special_terms": "none",
        },
        "contacts": {"signer": {"name": "Dana Wu", "email": "dana@acme.example", "title": "VP Operations"},
                     "economic_buyer": {"name": "Lee Ortiz", "email": "lee@acme.example", "title": "CFO"}},
        "commitments": [
            {"promise": "Single sign-on with their Okta before go-live", "made_by": "Riley Ross", "owner": "Platform team", "due": "2027-01-15"},
            {"promise": "Import of five years of orders", "made_by": "Riley Ross", "owner": "Onboarding", "due": "2027-02-01"},
        ],
        "implementation": {"custom_configuration": "none"},
        "success": {"primary_goal": "Cut onboarding of new plants from nine weeks to four"},
        "first_action": {"instruction": "Introduce yourself to Dana Wu and agree on the date of the kick-off",
            "due": "2026-11-21T15:01:58Z", "owner": {"name": "Sam Lee", "email": "sam@example.com", "github": "samlee"}},
    })
}

impl Page {
    pub(super) fn new() -> Self {
        Self::of(hostile)
    }

    pub(super) fn fit_to_print() -> Self {
        Self::of(usual)
    }

    fn of(brief: fn(&str) -> Value) -> Self {
        let sandbox = Sandbox::new();
        let init =
            ["init", "ledger", "--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"];
        let other = ["--csm", "Kim Park <kim@example.com> @kimpark"];
        sandbox.handoff(".", &[&init[..], &other].concat()).exits(0);
        // What is told of in the background makes no commits between two looks.
        let settings = sandbox.join("ledger/handoff.yaml");
        let text = std::fs::read_to_string(&settings).unwrap();
        let text = text.replace("outbox: {dir: outbox}", "before_push: false");
        std::fs::write(&settings, text).unwrap();
        sandbox.write(
            "ledger/deals.csv",
            "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n",
        );
        let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
        sandbox.handoff("ledger", &["sign", &event, "--as", "contract"]).exits(0);
        let file = sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]).trim().to_owned();
        let folder = file.rsplit('/').nth(1).expect("a folder");
        let key = folder.split_once("--").expect("a key").1.to_owned();
        let brief = brief(&key);
        sandbox.write(&format!("ledger/{file}"), brief.to_string());
        sandbox.git("ledger", &["commit", "-qam", "the brief as the test wants it"]);
        Self { sandbox, key, file }
    }

    pub(super) fn serve(&self) -> Running {
        self.serve_at("127.0.0.1:0", ORIGIN)
    }

    pub(super) fn serve_at(&self, listen: &str, origin: &str) -> Running {
        let arguments =
            ["serve", "--listen", listen, "--public-url", origin, "--trusted-proxy", "127.0.0.1"];
        Running::start(&self.sandbox, &arguments, &[(LINK_KEY, SECRET)])
    }

    /// The token of a new link, as the command makes it.
    pub(super) fn token(&self, role: &str, more: &[&str]) -> String {
        let settings = self.sandbox.join("ledger/handoff.yaml");
        let text = std::fs::read_to_string(&settings).unwrap();
        if !text.contains("public_url") {
            let links = format!("deliver:\n  links: {{public_url: \"{ORIGIN}\"}}\n");
            std::fs::write(&settings, text.replace("deliver:\n", &links)).unwrap();
        }
        let make = ["links", "make", &self.key, "--as", role];
        let made =
            self.sandbox.handoff_with("ledger", &[&make[..], more].concat(), &[(LINK_KEY, SECRET)]);
        let url = made.exits(0).stdout;
        url.trim().strip_prefix(&format!("{ORIGIN}/h/")).expect("a link").to_owned()
    }

    pub(super) fn file(&self, name: &str) -> String {
        let folder = self.file.strip_suffix("brief.yaml").expect("a folder");
        self.sandbox.git("ledger", &["show", &format!("HEAD:{folder}{name}")])
    }

    fn head(&self) -> String {
        self.sandbox.git("ledger", &["rev-parse", "HEAD"])
    }
}

fn ask(
    address: SocketAddr,
    method: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    send(address, method, &format!("/h/{token}"), headers, body.as_bytes()).unwrap()
}

fn get(address: SocketAddr, token: &str) -> Answer {
    ask(address, "GET", token, &[], "")
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn post(address: SocketAddr, token: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    ask(address, "POST", token, &[FORM, ("origin", ORIGIN)], &body)
}

/// The blob that the page's forms name.
fn seen(page: &Answer) -> String {
    let rest = page.body.split("name=\"seen\" value=\"").nth(1).expect("a form");
    rest.split('"').next().expect("a value").to_owned()
}

fn assert_harmless(page: &Answer) {
    for bad in ["<script", "\"onload=x' ", "href=\"javascript"] {
        assert!(!page.body.contains(bad), "{bad} is in {}", page.body);
    }
    assert!(page.body.contains("&lt;script&gt;alert"), "{}", page.body);
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
    ] {
        assert!(page.head.to_lowercase().contains(header), "{header} is not in {}", page.head);
    }
}

#[test]
fn a_csm_accepts_touches_keeps_a_promise_and_opening_changes_nothing() {
    let page = Page::new();
    // The link first: it writes settings, which the server reads as it starts.
    let token = page.token("csm", &[]);
    let serve = page.serve();
    let address = serve.address();
    let before = page.head();
    let shown = get(address, &token);
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_harmless(&shown);
    assert!(shown.body.contains("dana@acme.example") && !shown.body.contains('\u{200B}'));
    assert_eq!(page.head(), before, "opening changes nothing");
    // A form of another page, and one that no browser vouches for.
    for from in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[],
        &[("sec-fetch-site", "cross-site")],
    ] {
        let refused = ask(address, "POST", &token, &[&[FORM][..], from].concat(), "do=accept");
        assert_eq!(refused.status, 403, "{from:?}");
    }
    assert_eq!(page.head(), before);
    let fields = [("do", "touch"), ("how", "Call"), ("whom", "Dana Wu")];
    assert_eq!(post(address, &token, &fields).status, 200);
    let words = page.body_promise(&get(address, &token));
    let keep = [("do", "keep"), ("number", "1"), ("promise", words.as_str())];
    assert_eq!(post(address, &token, &keep).status, 200);
    assert_eq!(
        post(address, &token, &[("do", "keep"), ("number", "1"), ("promise", "x")]).status,
        409
    );
    let accept = [("do", "accept"), ("seen", &seen(&get(address, &token)))];
    assert_eq!(post(address, &token, &accept).status, 200);
    // A browser says with `Sec-Fetch-Site` what it keeps from the origin.
    let same = [FORM, ("origin", "null"), ("sec-fetch-site", "same-origin")];
    let again = ask(address, "POST", &token, &same, "do=accept");
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(again.body.contains("nothing new"), "{}", again.body);
    let timeline = page.file("timeline.yaml");
    for event in ["touched", "promise_kept", "accepted"] {
        assert_eq!(timeline.matches(&format!("event: {event}")).count(), 1, "{timeline}");
    }
    assert_eq!(timeline.matches("via: link").count(), 3, "{timeline}");
    assert_eq!(timeline.matches("by: sam@example.com").count(), 3, "{timeline}");
    assert!(timeline.contains("Call with Dana Wu"), "{timeline}");
    let log = serve.log();
    assert!(!log.contains(&token[..20]) && !log.contains(&token[token.len() - 20..]), "{log}");
}

impl Page {
    fn body_promise(&self, shown: &Answer) -> String {
        let rest = shown.body.split("name=\"promise\" value=\"").nth(1).expect("a promise");
        let words = rest.split('"').next().expect("a value");
        words
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&#x2f;", "/")
            .replace("&amp;", "&")
    }
}

#[test]
fn a_return_needs_its_reason_and_another_csm_takes_over() {
    let page = Page::new();
    // The link first: it writes settings, which the server reads as it starts.
    let token = page.token("csm", &[]);
    let serve = page.serve();
    let address = serve.address();
    assert_eq!(post(address, &token, &[("do", "return"), ("reason", " ")]).status, 422);
    let reason = format!("no target {HOSTILE}");
    let returned = post(address, &token, &[("do", "return"), ("reason", &reason)]);
    assert_eq!(returned.status, 200, "{}", returned.body);
    let rep = get(address, &page.token("rep", &[]));
    assert!(
        rep.body.contains("The CSM returned it") && rep.body.contains("no target"),
        "{}",
        rep.body
    );
    assert_harmless(&rep);
    let shown = get(address, &token).body;
    let offered = |who: &str| shown.contains(&format!("<option value=\"{who}\">"));
    assert!(offered("Kim Park") && !offered("Sam Lee"), "whoever has it is no choice");
    let given = post(address, &token, &[("do", "assign"), ("to", "Kim Park")]);
    assert_eq!(given.status, 200, "{}", given.body);
    // The link of somebody whom the handoff was taken from reads, and does no more.
    let read = get(address, &token);
    assert!(read.status == 200 && read.body.contains("Read only"), "{}", read.body);
    assert_eq!(post(address, &token, &[("do", "accept")]).status, 403);
    // The rep's link does not accept.
    let rep = post(address, &page.token("rep", &[]), &[("do", "accept")]);
    assert_eq!(rep.status, 400, "{}", rep.body);
    let timeline = page.file("timeline.yaml");
    assert!(
        timeline.contains("event: returned") && timeline.contains("event: assigned"),
        "{timeline}"
    );
    assert!(!timeline.contains("event: accepted"), "{timeline}");
}

#[test]
fn a_rep_answers_once_in_one_commit_and_overwrites_nobody() {
    let page = Page::new();
    // The link first: it writes settings, which the server reads as it starts.
    let token = page.token("rep", &[]);
    let serve = page.serve();
    let address = serve.address();
    let shown = get(address, &token);
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_harmless(&shown);
    let seen_first = seen(&shown);
    assert!(shown.body.contains("not known yet; Riley finds out by 2026-12-05"), "{}", shown.body);
    assert!(
        !shown.body.contains("a:/first_action"),
        "what the CSM answers is not asked of the rep"
    );
    let before = page.head();
    let answers = [
        ("do", "answer"),
        ("seen", &*seen_first),
        ("a:/implementation/complexity", "medium"),
        ("a:/implementation/integrations", "Okta\nNetSuite <b>"),
        ("none:/implementation/requirements", "none"),
        ("who:/customer/tier", "Riley"),
        ("until:/customer/tier", "2026-12-09"),
        ("a:/success/metric", "Days to productive"),
        ("a:/implementation/custom_configuration", "TBD"),
        ("a:/customer/size", "many"),
        // Not missing, so not to be changed here.
        ("a:/customer/industry", "Fishing"),
    ];
    let saved = post(address, &token, &answers);
    assert_eq!(saved.status, 422, "two could not be read: {}", saved.body);
    assert!(
        saved.body.contains("5 answers are saved") && saved.body.contains("this answers nothing"),
        "{}",
        saved.body
    );
    assert!(saved.body.contains("value=\"many\""), "what was written stays: {}", saved.body);
    let count =
        page.sandbox.git("ledger", &["rev-list", "--count", &format!("{}..HEAD", before.trim())]);
    assert_eq!(count.trim(), "1", "one commit");
    let brief = page.file("brief.yaml");
    for words in [
        "complexity: medium",
        "- NetSuite <b>",
        "requirements: none",
        "metric: Days to productive",
        "owner: Riley",
        "industry: Steel",
    ] {
        assert!(brief.contains(words), "{words} is not in\n{brief}");
    }
    assert!(!brief.contains("TBD") && !brief.contains("many"), "{brief}");
    let timeline = page.file("timeline.yaml");
    assert!(
        timeline.contains("event: corrected") && timeline.contains("by: riley@example.com"),
        "{timeline}"
    );
    let readme = page.file("README.md");
    for words in ["**Metric:** Days to productive ✓", "**Complexity:** medium ✓"] {
        assert!(readme.contains(words), "the page is rendered again and marks it: {readme}");
    }
    assert!(readme.contains("NetSuite"), "{readme}");
    // Sent twice: once.
    let head = page.head();
    let why = ["why", &page.key, "--format", "json"];
    let told = page.sandbox.handoff("ledger", &why).exits(0).json();
    let of = |field: &str| {
        let answers = told["answers"].as_array().unwrap().iter();
        answers.filter(|it| it["field"] == field).map(|it| it["source"].clone()).next().unwrap()
    };
    for field in ["implementation.complexity", "implementation.integrations", "success.metric"] {
        let source = of(field);
        assert_eq!(
            (&source["from"], &source["name"]),
            (&json!("link"), &json!("riley@example.com"))
        );
    }
    assert_eq!(of("customer.industry")["from"], "person", "{told:#}");
    // The page marks what people said: behind the link, and by hand before.
    let marked = get(address, &token);
    assert_harmless(&marked);
    let confirmed = marked.body.split("Confirmed by people").nth(1).expect("a section");
    let line = |who: &str| {
        let lines = confirmed.lines().filter(|line| line.contains(&format!("<strong>{who}<")));
        lines.collect::<String>()
    };
    assert!(line("riley@example.com").contains("Metric"), "{confirmed}");
    assert!(!line("riley@example.com").contains("Industry"), "{confirmed}");
    assert!(line("in the ledger").contains("Industry"), "{confirmed}");
    assert!(!confirmed.contains("Contract value"), "that is the document's: {confirmed}");
    let twice = post(address, &token, &answers[..7]);
    assert!(twice.status == 200 && twice.body.contains("saved already"), "{}", twice.body);
    assert_eq!(page.head(), head);
    // Opened before and sent after somebody else's answer: both are shown, nothing is lost.
    let other =
        [("do", "answer"), ("seen", &*seen_first), ("a:/implementation/complexity", "high")];
    let conflict = post(address, &token, &other);
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert!(conflict.body.contains("<strong>medium</strong>"), "{}", conflict.body);
    assert!(conflict.body.contains("<option value=\"high\" selected>"), "{}", conflict.body);
    assert_eq!(page.head(), head);
    assert!(page.file("brief.yaml").contains("complexity: medium"));
    // Sent again with theirs before their eyes: both are in the history.
    let hidden = |page: &Answer, name: &str| {
        let rest = page.body.split(&format!("name=\"{name}\" value=\"")).nth(1).expect("a field");
        rest.split('"').next().expect("a value").to_owned()
    };
    let (now, first) = (seen(&conflict), hidden(&conflict, "first"));
    let again = [
        ("do", "answer"),
        ("seen", &now),
        ("first", &first),
        ("a:/implementation/complexity", "high"),
    ];
    let saved = post(address, &token, &again);
    assert_eq!(saved.status, 200, "{}", saved.body);
    assert!(page.file("brief.yaml").contains("complexity: high"));
    let history = page.sandbox.git("ledger", &["log", "-p", "--format=%H", "--", &page.file]);
    assert!(history.contains("complexity: medium") && history.contains("complexity: high"));
}

#[test]
fn a_rep_changes_what_they_answered_themselves_and_nothing_else() {
    let page = Page::new();
    let token = page.token("rep", &[]);
    let serve = page.serve();
    let address = serve.address();
    let send = |seen: &str, pointer: &str, words: &str| {
        post(address, &token, &[("do", "answer"), ("seen", seen), (&format!("a:{pointer}"), words)])
    };
    let metric = "/success/metric";
    let saved = send(&seen(&get(address, &token)), metric, "Days to productve");
    assert_eq!(saved.status, 200, "{}", saved.body);
    let shown = get(address, &token);
    assert!(shown.body.contains("Change what you answered"), "{}", shown.body);
    assert!(shown.body.contains("So far: Days to productve."), "{}", shown.body);
    // Left as it is, nothing changes.
    let head = page.head();
    assert_eq!(send(&seen(&shown), metric, "").status, 422);
    assert_eq!(send(&seen(&shown), metric, "Days to productve").status, 200);
    assert_eq!(page.head(), head);
    let changed = send(&seen(&shown), metric, "Days to productive");
    assert_eq!(changed.status, 200, "{}", changed.body);
    let brief = page.file("brief.yaml");
    assert!(brief.contains("metric: Days to productive"), "{brief}");
    assert_eq!(page.file("timeline.yaml").matches("event: corrected").count(), 2);
    // What they did not answer stays as it is: no form of theirs asks for it.
    let head = page.head();
    assert_eq!(send(&seen(&changed), "/customer/industry", "Fishing").status, 422);
    assert_eq!(page.head(), head);
    // Somebody else corrects the same meanwhile: theirs is shown, nothing is lost.
    let opened = seen(&changed);
    let theirs = brief.replace("Days to productive", "Weeks to productive");
    page.sandbox.write(&format!("ledger/{}", page.file), theirs);
    page.sandbox.git("ledger", &["commit", "-qam", "the CSM knows better"]);
    let conflict = send(&opened, metric, "Hours to productive");
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert!(conflict.body.contains("<strong>Weeks to productive</strong>"), "{}", conflict.body);
    assert!(conflict.body.contains("Hours to productive"), "{}", conflict.body);
    assert!(page.file("brief.yaml").contains("Weeks to productive"));
}

#[test]
fn a_page_that_never_was_this_briefs_asks_for_nothing() {
    let page = Page::new();
    let token = page.token("rep", &[]);
    let serve = page.serve();
    let address = serve.address();
    let now = seen(&get(address, &token));
    let head = page.head();
    let path = page.sandbox.join("ledger").join(&page.file);
    let brief = std::fs::read_to_string(&path).unwrap();
    let without = brief.replace(",\"industry\":\"Steel\"", "");
    assert_ne!(brief, without);
    let store = |text: &str| {
        let file = page.sandbox.write("foreign.yaml", text).display().to_string();
        page.sandbox.git("ledger", &["hash-object", "-w", &file]).trim().to_owned()
    };
    // Stored in the repository: another handoff's brief, and one of this key that
    // no commit of its history has.
    for foreign in [without.replace(&page.key, "hubspot-1"), without] {
        let blob = store(&foreign);
        let industry = ("a:/customer/industry", "Fishing");
        let first = [("do", "answer"), ("seen", &*now), ("first", &*blob), industry];
        let answer = post(address, &token, &first);
        assert_eq!(answer.status, 422, "{}", answer.body);
        let opened = [("do", "answer"), ("seen", &*blob), industry];
        let answer = post(address, &token, &opened);
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(
            answer.body.contains("not known here; check what you wrote below"),
            "{}",
            answer.body
        );
        assert_eq!(page.head(), head);
    }
    // What somebody committed by hand and changed again was this brief's.
    let path = format!("ledger/{}", page.file);
    for industry in ["Iron", "Copper"] {
        let text = brief.replace("\"Steel\"", &format!("\"{industry}\""));
        page.sandbox.write(&path, text);
        page.sandbox.git("ledger", &["commit", "-qam", industry]);
    }
    let metric = [("do", "answer"), ("seen", &*now), ("a:/success/metric", "Days to productive")];
    let answer = post(address, &token, &metric);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(page.file("brief.yaml").contains("Copper"));
}

#[test]
fn what_contradicts_itself_is_asked_about_and_lists_are_words() {
    let page = Page::new();
    let token = page.token("rep", &[]);
    let serve = page.serve();
    let address = serve.address();
    let head = page.head();
    let at = "/implementation/integrations";
    let both = |more: &[(&str, &str)]| {
        let now = seen(&get(address, &token));
        let given = format!("a:{at}");
        let fields = [&[("do", "answer"), ("seen", &*now), (&*given, "Okta\nNetSuite")], more];
        post(address, &token, &fields.concat())
    };
    let (none, who, until) = (format!("none:{at}"), format!("who:{at}"), format!("until:{at}"));
    let open = [(&*who, "Ann"), (&*until, "2026-12-09")];
    for more in [&[(&*none, "none")][..], &open] {
        let answer = both(more);
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains("keep one") && answer.body.contains("NetSuite</textarea>"));
        assert_eq!(page.head(), head, "nothing of it is saved");
    }
    assert_eq!(both(&[]).status, 200);
    let shown = get(address, &token);
    assert!(shown.body.contains("So far: Okta; NetSuite."), "no JSON: {}", shown.body);
    // A second touch is not the first, and nobody is told that it was recorded.
    let csm = page.token("csm", &[]);
    let touch = |how: &str, whom: &str| {
        post(address, &csm, &[("do", "touch"), ("how", how), ("whom", whom)])
    };
    assert!(touch("Call", "Dana Wu").body.contains("Your first touch is recorded."));
    let second = touch("Meeting", "Lee Ortiz");
    assert!(second.body.contains("a later one is not added"), "{}", second.body);
}

#[test]
fn two_who_answer_the_same_at_once_are_both_heard() {
    let page = Page::new();
    let token = page.token("rep", &[]);
    let serve = page.serve();
    let address = serve.address();
    let opened = seen(&get(address, &token));
    let answers = ["low", "medium", "high"].map(|words| {
        let (token, opened) = (token.clone(), opened.clone());
        std::thread::spawn(move || {
            let fields =
                [("do", "answer"), ("seen", &*opened), ("a:/implementation/complexity", words)];
            (words, post(address, &token, &fields))
        })
    });
    let answers = answers.map(|it| it.join().expect("an answer"));
    let (saved, others): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, it)| it.status == 200);
    let [(first, _)] = saved[..] else { panic!("one is first: {}", saved.len()) };
    assert!(page.file("brief.yaml").contains(&format!("complexity: {first}")));
    for (words, answer) in others {
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(answer.body.contains(&format!("<strong>{first}</strong>")), "{}", answer.body);
        let kept = format!("<option value=\"{words}\" selected>");
        assert!(answer.body.contains(&kept), "{}", answer.body);
    }
    assert_eq!(page.file("timeline.yaml").matches("event: corrected").count(), 1);
}

#[test]
fn no_fault_of_a_link_tells_whether_there_is_a_handoff() {
    let page = Page::new();
    page.token("csm", &[]);
    let serve = page.serve();
    let address = serve.address();
    let token = page.token("csm", &[]);
    let keys = |secret: &str| {
        let secrets = Secrets::new([(LINK_KEY.to_owned(), secret.into())]);
        LinkKeys::of(&secrets).unwrap().unwrap()
    };
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let grant = |key: &str, days: i64| Grant {
        key: Key::parse(key).unwrap(),
        person: "sam@example.com".to_owned(),
        role: LinkRole::Csm,
        issued: now - TimeDelta::days(1),
        expires: now + TimeDelta::days(days),
    };
    let ours = keys(SECRET);
    let there = &page.key;
    let [one, other, foreign, none] = [
        format!("{token}x"),
        "not-a-token".to_owned(),
        keys(&"f".repeat(32)).token(&grant(there, 9)),
        ours.token(&grant("hubspot-404", 9)),
    ]
    .map(|token| get(address, &token));
    for answer in [&one, &other, &foreign, &none] {
        assert_eq!((answer.status, &answer.body), (403, &none.body));
    }
    let expired = [there, "hubspot-404"].map(|key| get(address, &ours.token(&grant(key, -1))));
    assert!(expired[0].body.contains("has expired"), "{}", expired[0].body);
    assert_eq!((expired[0].status, &expired[0].body), (403, &expired[1].body));
    // Withdrawn, by handoff and by person: links that were made before, and no later ones.
    let revoke = ["links", "revoke", "SAM@example.com", "--by", "revops", "--reason", "left"];
    page.sandbox.handoff("ledger", &revoke).exits(0);
    let gone = get(address, &token);
    assert!(gone.status == 403 && gone.body.contains("was withdrawn"), "{}", gone.body);
    assert_eq!(post(address, &token, &[("do", "accept")]).status, 403, "no replay");
    let later = page.token("csm", &["--now", "2026-11-20T17:00:01Z"]);
    assert_eq!(get(address, &later).status, 200);
    page.sandbox
        .handoff(
            "ledger",
            &["links", "revoke", there, "--by", "revops", "--now", "2026-11-20T17:00:02Z"],
        )
        .exits(0);
    // Ten that do not count: then the address waits, whatever it brings.
    for _ in 0..3 {
        get(address, "x");
    }
    assert_eq!(get(address, &later).status, 429);
    let elsewhere = ask(address, "GET", &later, &[("x-forwarded-for", "203.0.113.9")], "");
    assert_eq!(elsewhere.status, 403);
    assert!(elsewhere.body.contains("was withdrawn"), "{}", elsewhere.body);
    let wrong = page.sandbox.handoff("ledger", &["links", "revoke", "nobody at all", "--by", "x"]);
    assert!(wrong.exits(2).stderr.contains("or a person's e-mail address"));
    let unknown = page.sandbox.handoff("ledger", &["links", "revoke", "zoho-777777", "--by", "x"]);
    assert!(unknown.exits(4).stderr.contains("neither a handoff nor an e-mail address"));
}

#[test]
fn without_the_secret_or_the_address_there_are_no_links() {
    let page = Page::new();
    let none = page.sandbox.handoff("ledger", &["links", "show", &page.key]);
    assert!(none.exits(2).stderr.contains("deliver: {links: {public_url"));
    page.token("csm", &[]);
    let unset = page.sandbox.handoff("ledger", &["links", "show", &page.key]);
    assert!(unset.exits(2).stderr.contains(LINK_KEY));
    let short =
        page.sandbox.handoff_with("ledger", &["links", "show", &page.key], &[(LINK_KEY, "short")]);
    assert!(short.exits(2).stderr.contains("openssl rand"));
    let both = page.sandbox.handoff_with(
        "ledger",
        &["links", "show", &page.key, "--format", "json"],
        &[(LINK_KEY, SECRET)],
    );
    let both = both.exits(0).json();
    let people: Vec<&str> =
        both["links"].as_array().unwrap().iter().map(|it| it["person"].as_str().unwrap()).collect();
    assert_eq!(people, ["sam@example.com", "riley@example.com"]);
}
