//! The page behind a link in Chromium: a rep answers on a narrow screen, the
//! CSM accepts, without a script of the page. Runs only where
//! `HANDOFF_BROWSER=1` asks for it, and says so where it does not.
//! `HANDOFF_AXE` names an axe.min.js to judge the pages with, and
//! `HANDOFF_UPDATE_PICTURES=1` draws those in docs/images anew.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use base64::Engine as _;
use serde_json::{Value, json};

use super::links::Page;

fn wanted(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Chromium, driven over a pair of pipes.
struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    next: u64,
    _folder: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// A narrow screen, and no script of a page runs.
    fn start(dark: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mkfifo").args(["in", "out"]).current_dir(folder.path()).status();
        assert!(made.unwrap().success());
        let command = "exec chromium --headless --no-sandbox --disable-gpu --disable-background-networking \
             --hide-scrollbars --remote-debugging-pipe --user-data-dir=profile 3<in 4>out 2>log";
        let child =
            Command::new("sh").args(["-c", command]).current_dir(folder.path()).spawn().unwrap();
        let to = File::options().write(true).open(folder.path().join("in")).unwrap();
        let from = BufReader::new(File::open(folder.path().join("out")).unwrap());
        let mut browser = Self { child, to, from, session: None, next: 0, _folder: folder };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser
            .ask("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.ask("Page.enable", json!({}));
        let screen = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        browser.ask("Emulation.setDeviceMetricsOverride", screen);
        let scheme =
            json!([{"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }}]);
        browser.ask("Emulation.setEmulatedMedia", json!({"features": scheme}));
        browser.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        browser
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        bytes.pop();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Does something and waits until the page that it leads to is there.
    fn loads(&mut self, act: impl FnOnce(&mut Self)) {
        act(self);
        loop {
            if self.read()["method"] == "Page.loadEventFired" {
                return;
            }
        }
    }

    fn open(&mut self, url: &str) {
        // The answer may come before or after the page is there.
        self.next += 1;
        let message = json!({"id": self.next, "method": "Page.navigate", "params": {"url": url}, "sessionId": self.session});
        self.loads(|it| it.to.write_all(format!("{message}\0").as_bytes()).unwrap());
    }

    /// What an expression of the developer's tools gives.
    fn tell(&mut self, expression: &str) -> Value {
        let told = self.ask(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(told["exceptionDetails"].is_null(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// Presses the button with these words.
    fn press(&mut self, words: &str) {
        let find = format!(
            "[...document.querySelectorAll('button')].find(it => it.textContent.trim() === {}).scrollIntoView({{block: 'center'}})",
            json!(words)
        );
        self.tell(&find);
        let place = self.tell(&format!(
            "(() => {{ const box = [...document.querySelectorAll('button')].find(it => it.textContent.trim() === {}).getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2, box.height]; }})()",
            json!(words)
        ));
        assert!(place[2].as_f64().unwrap() >= 44.0, "a finger's breadth: {place}");
        let at = |kind: &str| json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
        self.ask("Input.dispatchMouseEvent", at("mousePressed"));
        self.next += 1;
        let message = json!({"id": self.next, "method": "Input.dispatchMouseEvent", "params": at("mouseReleased"), "sessionId": self.session});
        self.loads(|it| it.to.write_all(format!("{message}\0").as_bytes()).unwrap());
    }

    /// Types into the input of an answer.
    fn answer(&mut self, pointer: &str, text: &str) {
        let name = json!(format!("a:{pointer}"));
        self.tell(&format!("document.getElementsByName({name})[0].focus()"));
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// What a person with a phone, a keyboard or a screen reader would trip over.
    fn assert_accessible(&mut self, name: &str) {
        let wide = self.tell("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= 390, "{name} is {wide} wide");
        let unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(it => !it.labels || it.labels.length === 0).map(it => it.name)";
        assert_eq!(self.tell(unnamed), json!([]), "{name}: inputs without a label");
        assert_eq!(self.tell("document.querySelectorAll('h1').length"), 1, "{name}");
        let Some(axe) = wanted("HANDOFF_AXE") else { return };
        self.tell(&format!("{}; undefined", fs::read_to_string(axe).unwrap()));
        let found = self.tell(
            "axe.run().then(it => it.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' ')))",
        );
        assert_eq!(found, json!([]), "{name}: what axe finds");
    }

    fn picture(&mut self, name: &str) {
        let taken = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().unwrap())
            .unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "it is a picture");
        if wanted("HANDOFF_UPDATE_PICTURES").as_deref() == Some("1") {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

#[test]
fn in_a_browser_a_rep_answers_on_a_phone_and_the_csm_accepts() {
    if wanted("HANDOFF_BROWSER").as_deref() != Some("1") {
        eprintln!(
            "skipped: the page behind a link in a browser needs Chromium; set HANDOFF_BROWSER=1 to run it"
        );
        return;
    }
    let page = Page::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let origin = format!("http://127.0.0.1:{port}");
    let _serve = page.serve_at(&format!("127.0.0.1:{port}"), &origin);
    let link = |role: &str| format!("{origin}/h/{}", page.token(role, &[]));
    let mut browser = Browser::start(false);
    browser.open(&link("rep"));
    browser.assert_accessible("the rep's form");
    browser.answer("/implementation/complexity", "");
    browser.tell("document.getElementsByName('a:/implementation/complexity')[0].value = 'medium'");
    browser.answer("/implementation/integrations", "Okta");
    browser.answer("/implementation/requirements", "SAML single sign-on");
    browser.answer("/success/metric", "Days to productive");
    browser.answer("/contacts/day_to_day", "name: Kim Ito\nemail: kim@acme.example");
    browser.picture("link-form.png");
    browser.press("Send the answers");
    let notice = browser.tell("document.querySelector('[role=status]').textContent");
    assert_eq!(notice, "5 answers are saved, and the CSM is told. Thank you.");
    browser.assert_accessible("the form after the answers");
    browser.open(&link("csm"));
    browser.assert_accessible("the CSM's page");
    browser.picture("link-page.png");
    browser.press("Accept the handoff");
    let notice = browser.tell("document.querySelector('[role=status]').textContent");
    assert_eq!(notice, "You have accepted the handoff.");
    let brief = page.file("brief.yaml");
    for words in [
        "complexity: medium",
        "- Okta",
        "- SAML single sign-on",
        "metric: Days to productive",
        "kim@acme.example",
    ] {
        assert!(brief.contains(words), "{words} is not in\n{brief}");
    }
    let timeline = page.file("timeline.yaml");
    assert!(
        timeline.contains("event: accepted") && timeline.contains("by: sam@example.com"),
        "{timeline}"
    );
    let mut dark = Browser::start(true);
    dark.open(&link("csm"));
    dark.assert_accessible("the CSM's page in the dark");
}

/// The mail as it looks, in both schemes.
#[test]
fn in_a_browser_the_mail_is_readable_in_light_and_dark() {
    if wanted("HANDOFF_BROWSER").as_deref() != Some("1") {
        eprintln!("skipped: the mail in a browser needs Chromium; set HANDOFF_BROWSER=1 to run it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.html");
    fs::write(&path, crate::deliver::email::a_mail()).unwrap();
    for (dark, name) in [(false, "mail.png"), (true, "mail-dark.png")] {
        let mut browser = Browser::start(dark);
        browser.open(&format!("file://{}", path.display()));
        browser.assert_accessible(name);
        browser.picture(name);
    }
}
