//! Chromium, driven over a pair of pipes. It is not on every machine: what
//! needs it runs where `HANDOFF_BROWSER=1` asks for it, and says so where it
//! does not. `HANDOFF_AXE` names an axe.min.js to judge pages with;
//! `HANDOFF_UPDATE_PICTURES=1` draws those in docs/images again.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

/// No browser lives longer, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(240);

#[allow(
    clippy::disallowed_methods,
    reason = "a test that asks the machine whether it has a browser"
)]
pub(crate) fn wanted(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether there is a browser to run this; says so where there is none.
#[allow(clippy::print_stderr, reason = "a test that does not run says so")]
pub(crate) fn is_here(test: &str) -> bool {
    let is_here = wanted("HANDOFF_BROWSER").as_deref() == Some("1");
    if !is_here {
        eprintln!("skipped: {test} needs Chromium; set HANDOFF_BROWSER=1 to run it");
    }
    is_here
}

/// Stores a picture of the docs where they are to be drawn again. Fonts differ
/// between machines, so they are not compared.
pub(crate) fn keep_picture(name: &str, bytes: &[u8]) {
    assert!(bytes.starts_with(b"\x89PNG"), "it is a picture");
    if wanted("HANDOFF_UPDATE_PICTURES").as_deref() == Some("1") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        fs::write(folder.join(name), bytes).expect("the picture can be written");
    }
}

/// How a page is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    /// Whether scripts of a page run.
    pub(crate) scripts: bool,
}

/// A narrow screen.
pub(crate) const PHONE: Look = Look { width: 390, height: 844, dark: false, scripts: true };

pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Dropped, it ends the watch over the browser's life.
    _alive: Sender<()>,
    session: Option<String>,
    next: u64,
    look: Look,
    folder: tempfile::TempDir,
}

/// Ends a browser and all that it has started.
fn end(group: u32) {
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{group}")])
        .stderr(Stdio::null())
        .status();
}

impl Drop for Browser {
    fn drop(&mut self) {
        end(self.child.id());
        let _ = self.child.wait();
    }
}

impl Browser {
    pub(crate) fn start(look: Look) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Its pipes are the third and the fourth file.
        let command = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
             --disable-background-networking --no-first-run --hide-scrollbars \
             --remote-debugging-pipe --user-data-dir=profile 3<&0 4>&1 </dev/null >log 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("chromium runs");
        let group = child.id();
        let (alive, dies) = channel::<()>();
        thread::spawn(move || {
            if dies.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                end(group);
            }
        });
        let to = child.stdin.take().expect("a pipe");
        let mut pipe = BufReader::new(child.stdout.take().expect("a pipe"));
        let (told, from) = channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while pipe.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                bytes.pop();
                let Ok(message) = serde_json::from_slice(&bytes) else { return };
                if told.send(message).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        let mut browser =
            Self { child, to, from, _alive: alive, session: None, next: 0, look, folder };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for area in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{area}.enable"), &json!({}));
        }
        browser.screen("");
        let off = json!({"value": !look.scripts});
        browser.ask("Emulation.setScriptExecutionDisabled", &off);
        browser
    }

    /// `print` for paper, nothing for the screen.
    pub(crate) fn screen(&mut self, media: &str) {
        let Look { width, height, dark, .. } = self.look;
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}));
    }

    fn read(&mut self) -> Value {
        match self.from.recv_timeout(LONGEST) {
            Ok(message) => message,
            Err(_) => {
                let mut log = String::new();
                if let Ok(mut file) = fs::File::open(self.folder.path().join("log")) {
                    let _ = file.read_to_string(&mut log);
                }
                panic!("the browser says nothing more: {log}");
            }
        }
    }

    fn send(&mut self, method: &str, parameters: &Value) -> u64 {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser lives");
        self.next
    }

    pub(crate) fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        let id = self.send(method, parameters);
        loop {
            let mut answer = self.read();
            complains(&answer);
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Sends what leads to another page, and waits until that is there.
    fn loads(&mut self, method: &str, parameters: &Value) {
        let id = self.send(method, parameters);
        let (mut answered, mut loaded) = (false, false);
        while !(answered && loaded) {
            let answer = self.read();
            complains(&answer);
            answered |= answer["id"] == id;
            loaded |= answer["method"] == "Page.loadEventFired";
        }
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.loads("Page.navigate", &json!({"url": url}));
    }

    /// What an expression of the developer's tools gives.
    pub(crate) fn tell(&mut self, expression: &str) -> Value {
        let mut told = self.ask(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true, "awaitPromise": self.look.scripts}),
        );
        assert!(told["exceptionDetails"].is_null(), "{expression:.200}: {told}");
        told["result"]["value"].take()
    }

    /// Presses the button with these words, as a finger does, and waits for the
    /// page that it leads to.
    pub(crate) fn press(&mut self, words: &str) {
        let find = format!(
            "[...document.querySelectorAll('button')].find(it => it.textContent.trim() === {})",
            json!(words)
        );
        self.tell(&format!("{find}.scrollIntoView({{block: 'center', behavior: 'instant'}})"));
        let place = self.tell(&format!(
            "(() => {{ const box = {find}.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2, box.height]; }})()"
        ));
        assert!(place[2].as_f64().is_some_and(|it| it >= 44.0), "a finger's breadth: {place}");
        let hit = format!("document.elementFromPoint({}, {}) === {find}", place[0], place[1]);
        assert_eq!(self.tell(&hit), true, "nothing lies over the button {words}");
        // A form that the browser itself holds back leads nowhere.
        let kept = format!(
            "[...({find}.form ?? document).querySelectorAll(':invalid')].map(it => it.name)"
        );
        assert_eq!(self.tell(&kept), json!([]), "{words}: what is not filled in");
        let at = |kind: &str| json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
        self.ask("Input.dispatchMouseEvent", &at("mousePressed"));
        self.loads("Input.dispatchMouseEvent", &at("mouseReleased"));
    }

    /// Types into the input of this name.
    pub(crate) fn write(&mut self, name: &str, text: &str) {
        self.tell(&format!("document.getElementsByName({})[0].focus()", json!(name)));
        self.ask("Input.insertText", &json!({"text": text}));
    }

    /// What a person with a phone, a keyboard or a screen reader would trip over.
    #[allow(clippy::print_stderr, reason = "a test that does not judge says so")]
    pub(crate) fn assert_accessible(&mut self, name: &str) {
        self.assert_fits(name);
        let unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(it => !(it.labels && it.labels.length) && !it.getAttribute('aria-label') && !it.getAttribute('aria-labelledby')).map(it => it.outerHTML)";
        assert_eq!(self.tell(unnamed), json!([]), "{name}: inputs without a label");
        assert_eq!(self.tell("document.querySelectorAll('h1').length"), 1, "{name}");
        let Some(axe) = wanted("HANDOFF_AXE").filter(|_| self.look.scripts) else {
            eprintln!("skipped: {name} is not judged by axe; HANDOFF_AXE names an axe.min.js");
            return;
        };
        let axe = fs::read_to_string(axe).expect("HANDOFF_AXE can be read");
        self.tell(&format!("{axe}; undefined"));
        let found = self.tell(
            "axe.run().then(it => it.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')))",
        );
        assert_eq!(found, json!([]), "{name}: what axe finds");
    }

    /// Nothing reaches past the screen.
    pub(crate) fn assert_fits(&mut self, name: &str) {
        let wide = self.tell("[document.documentElement.scrollWidth, innerWidth]");
        let width = u64::from(self.look.width);
        if wide[0].as_u64().is_none_or(|wide| wide > width) || wide[1] != width {
            let over = format!(
                "[...document.querySelectorAll('body *')].filter(it => it.getBoundingClientRect().right > {width} + 1).slice(0, 8).map(it => it.outerHTML.slice(0, 120))"
            );
            let over = self.tell(&over);
            panic!("{name} is {wide} wide: {over:#}");
        }
    }

    /// A picture of the screen, or of the page as far down as this.
    pub(crate) fn picture(&mut self, down_to: Option<u32>) -> Vec<u8> {
        let mut parameters = json!({"format": "png"});
        if let Some(height) = down_to {
            parameters["captureBeyondViewport"] = json!(true);
            parameters["clip"] =
                json!({"x": 0, "y": 0, "width": self.look.width, "height": height, "scale": 1});
        }
        let taken = self.ask("Page.captureScreenshot", &parameters);
        let data = taken["data"].as_str().expect("a picture");
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }
}

/// A page that complains in its console is broken.
fn complains(message: &Value) {
    let is_error = match message["method"].as_str() {
        Some("Runtime.exceptionThrown") => true,
        Some("Log.entryAdded") => {
            let entry = &message["params"]["entry"];
            // A browser asks for an icon by itself.
            let icon = entry["url"].as_str().is_some_and(|url| url.ends_with("/favicon.ico"));
            entry["level"] == "error" && !icon
        }
        _ => false,
    };
    assert!(!is_error, "the page complains: {message}");
}
