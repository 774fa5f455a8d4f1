//! The page behind a link in Chromium: a rep answers on a narrow screen, the
//! CSM accepts, with and without scripts; the mail as it looks.

use std::net::TcpListener;

use handoff::link::LINK_KEY;

use super::links::{Page, SECRET};
use crate::browser::{Browser, Look, PHONE, is_here, keep_picture};
use crate::killed::killer::Killer;
use crate::killed::mail::{self, Mails};

const ANSWERS: [(&str, &str); 4] = [
    ("a:/implementation/integrations", "Okta"),
    ("a:/implementation/requirements", "SAML single sign-on"),
    ("a:/success/metric", "Days to productive"),
    ("a:/contacts/day_to_day", "name: Kim Ito\nemail: kim@acme.example"),
];

/// The whole of it against a real server; each page is judged.
fn handed_over(look: Look, pictures: bool) {
    let page = if pictures { Page::fit_to_print() } else { Page::new() };
    let (rep, csm) = (page.token("rep", &[]), page.token("csm", &[]));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let origin = format!("http://127.0.0.1:{port}");
    let serve = page.serve_at(&format!("127.0.0.1:{port}"), &origin);
    serve.address();
    let mut browser = Browser::start(look);
    browser.open(&format!("{origin}/h/{rep}"));
    browser.assert_accessible("the rep's form");
    if pictures {
        keep_picture("link-form.png", &browser.picture(None));
    }
    for (name, words) in ANSWERS {
        browser.write(name, words);
    }
    browser.tell("document.getElementsByName('a:/implementation/complexity')[0].value = 'medium'");
    browser.press("Send the answers");
    let notice = browser.tell("document.querySelector('[role=status]').textContent");
    assert_eq!(notice, "5 answers are saved, and the CSM is told. Thank you.");
    browser.assert_accessible("the form after the answers");
    browser.open(&format!("{origin}/h/{csm}"));
    browser.assert_accessible("the CSM's page");
    if pictures {
        keep_picture("link-page.png", &browser.picture(None));
    }
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
    for words in ["event: accepted", "by: sam@example.com", "via: link"] {
        assert!(timeline.contains(words), "{words} is not in\n{timeline}");
    }
    assert_eq!(timeline.matches("event: accepted").count(), 1, "{timeline}");
}

#[test]
fn in_a_browser_a_rep_answers_on_a_phone_and_the_csm_accepts() {
    if is_here("a rep's and a CSM's page") {
        handed_over(PHONE, true);
    }
}

#[test]
fn in_a_browser_without_scripts_the_same() {
    if is_here("the page without scripts") {
        handed_over(Look { scripts: false, dark: true, ..PHONE }, false);
    }
}

#[test]
fn in_a_browser_the_page_is_readable_in_the_dark_and_hostile_text_does_not_run() {
    if !is_here("the page in the dark") {
        return;
    }
    let page = Page::new();
    let (rep, csm) = (page.token("rep", &[]), page.token("csm", &[]));
    let serve = page.serve();
    let mut browser = Browser::start(Look { dark: true, ..PHONE });
    for token in [rep, csm] {
        browser.open(&format!("http://{}/h/{token}", serve.address()));
        browser.assert_accessible("a page in the dark");
        let back = browser.tell("getComputedStyle(document.body).backgroundColor");
        let light = back.as_str().unwrap().split(['(', ',']).nth(1).unwrap().trim();
        assert!(light.parse::<f64>().unwrap() < 64.0, "{back} is dark");
        assert_eq!(browser.tell("document.scripts.length"), 0);
    }
}

/// The mail as it looks, in both schemes.
#[test]
fn in_a_browser_the_mail_is_readable_in_light_and_dark() {
    if !is_here("the mail") {
        return;
    }
    let (page, mails) = (Page::fit_to_print(), Mails::default());
    page.token("csm", &[]);
    let smtp = mail::serve(Killer::new(), mails.take());
    let settings = page.sandbox.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let email = "before_push: true\n  email: {from: handoff@example.com, to_rep: false}";
    std::fs::write(&settings, text.replace("before_push: false", email)).unwrap();
    let secrets = [("SMTP_URL", smtp.as_str()), (LINK_KEY, SECRET)];
    page.sandbox.handoff_with("ledger", &["deliver", &page.key, "--no-push"], &secrets).exits(0);
    let mail = mails.all().remove(0).replace("\r\n..", "\r\n.");
    let mail = mail_parser::MessageParser::default().parse(mail.as_bytes()).expect("a mail");
    let html = mail.body_html(0).expect("HTML").into_owned();
    let path = page.sandbox.write("mail.html", html);
    for (dark, name) in [(false, "mail.png"), (true, "mail-dark.png")] {
        let mut browser = Browser::start(Look { dark, height: 1000, ..PHONE });
        browser.open(&format!("file://{}", path.display()));
        browser.assert_fits(name);
        keep_picture(name, &browser.picture(None));
    }
}
