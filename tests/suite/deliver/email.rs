//! E-mail against a small SMTP server with faults.

use std::sync::{Arc, Mutex};

use handoff::deliver::{DeliveryError, Sink, build};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::run_once::deliver;
use super::sample::{deliver_config, handoff, hostile, secrets, sinks, site};

/// What the server does with one mail.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Recipient550,
    Busy451,
    TakenThenDropped,
    /// No word, not even a greeting.
    Closed,
}

type Mails = Arc<Mutex<Vec<String>>>;

async fn smtp(faults: Vec<Fault>) -> (String, Mails) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let mails = Mails::default();
    let kept = mails.clone();
    let faults = Arc::new(Mutex::new(faults.into_iter()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (kept, faults) = (kept.clone(), faults.clone());
            tokio::spawn(async move {
                let _ = talk(stream, &kept, &faults).await;
            });
        }
    });
    (url, mails)
}

async fn talk(
    stream: TcpStream,
    mails: &Mails,
    faults: &Mutex<std::vec::IntoIter<Fault>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let closes = |next: &mut std::vec::IntoIter<Fault>| {
        let closes = next.as_slice().first() == Some(&Fault::Closed);
        closes && next.next().is_some()
    };
    if closes(&mut faults.lock().expect("not poisoned")) {
        return Ok(());
    }
    stream.write_all(b"220 test\r\n").await?;
    let mut line = String::new();
    let mut fault = Fault::None;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "MAIL" => {
                fault = faults.lock().expect("not poisoned").next().unwrap_or(Fault::None);
                if fault == Fault::Busy451 { "451 try later" } else { "250 ok" }
            }
            "RCPT" if fault == Fault::Recipient550 => "550 no such user here",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut mail).await?;
                }
                mails.lock().expect("not poisoned").push(mail);
                if fault == Fault::TakenThenDropped {
                    return Ok(());
                }
                "250 taken"
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n").await,
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn config(repeat: bool) -> Value {
    json!({"email": {"from": "Handoff <handoff@example.com>", "list": ["cs@example.test"], "repeat": repeat}})
}

fn mailer(url: &str, repeat: bool) -> Vec<Box<dyn Sink>> {
    sinks(config(repeat), &secrets(&[("SMTP_URL", url)]), std::path::Path::new("."))
}

/// The header lines of a mail, unfolded.
fn headers(mail: &str) -> Vec<String> {
    let head = mail.split("\r\n\r\n").next().unwrap_or_default();
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

/// What a server hands on: without the full stop that ends the data, and those
/// doubled at the beginning of a line.
fn received(mail: &str) -> String {
    let whole = mail.strip_suffix("\r\n.\r\n").expect("ended");
    whole.replace("\r\n..", "\r\n.")
}

/// A mail as a strict reader of mail sees it.
fn parsed(mail: &str) -> mail_parser::Message<'_> {
    mail_parser::MessageParser::default().parse(mail.as_bytes()).expect("a mail")
}

/// The properties of the one entry in a calendar, as another library than the
/// one that wrote it reads them; what RFC 5545 asks of the calendar holds.
fn entry(mail: &mail_parser::Message<'_>) -> Vec<(String, String)> {
    let part = mail.attachments().next().expect("an attachment");
    let kind = mail_parser::MimeHeaders::content_type(part).expect("a type");
    assert_eq!((kind.ctype(), kind.subtype()), ("text", Some("calendar")));
    let text = part.text_contents().expect("text");
    assert!(text.lines().count() == text.matches("\r\n").count(), "each line ends with CRLF");
    let calendars: Vec<_> = ical::IcalParser::new(text.as_bytes()).collect();
    let [Ok(calendar)] = &calendars[..] else { panic!("one calendar:\n{text}\n{calendars:?}") };
    let of_calendar = |name: &str| {
        let found = calendar.properties.iter().find(|it| it.name == name);
        found.and_then(|it| it.value.clone()).unwrap_or_default()
    };
    assert_eq!(of_calendar("VERSION"), "2.0");
    assert!(!of_calendar("PRODID").is_empty(), "{text}");
    assert_eq!(Some(&*of_calendar("METHOD")), kind.attribute("method"), "{text}");
    let [event] = &calendar.events[..] else { panic!("one entry:\n{text}") };
    assert!(calendar.todos.is_empty() && calendar.alarms.is_empty(), "{text}");
    let told = |it: &ical::property::Property| {
        let value = it.value.clone().unwrap_or_default();
        (it.name.clone(), value.replace("\\,", ",").replace("\\;", ";"))
    };
    let entry: Vec<(String, String)> = event.properties.iter().map(told).collect();
    for name in ["UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY"] {
        let times = entry.iter().filter(|(it, _)| it == name).count();
        assert_eq!(times, 1, "{name} once:\n{text}");
    }
    entry
}

fn property(entry: &[(String, String)], name: &str) -> String {
    entry.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// A handoff whose page is really rendered.
fn rendered(mut handoff: handoff::deliver::Handoff) -> handoff::deliver::Handoff {
    let brief = handoff::brief::Brief::from_json(handoff.brief.clone());
    let renderer = handoff::brief::Renderer::new(None).expect("the shipped template");
    let schema = handoff::brief::Schema::shipped();
    let confirmed = &handoff::brief::ConfirmedAnswers::default();
    let input = handoff::brief::RenderInput { brief: &brief, schema, confirmed };
    handoff.readme = renderer.readme(&input).expect("a page");
    handoff
}

#[tokio::test]
async fn csm_rep_and_list_get_one_mail_with_the_brief_in_it_and_the_deadline_for_the_calendar() {
    let (url, mails) = smtp(vec![]).await;
    let mut handoff = rendered(handoff("hubspot-1"));
    handoff.brief["deal"]["url"] = json!("https://crm.example/deal/1");
    handoff.brief["signature"]["url"] = json!("https://sign.example/d1");
    let mark = deliver(&mailer(&url, true), &handoff).await.outcome.expect("sent");
    assert_eq!(mark.reference, "<handoff.hubspot-1.brief@example.com>");
    let mails = mails.lock().expect("not poisoned").clone();
    assert_eq!(mails.len(), 1);
    let headers = headers(&mails[0]);
    for wanted in [
        "Message-ID: <handoff.hubspot-1.brief@example.com>",
        "Auto-Submitted: auto-generated",
        "Subject: New handoff: Acme Corp, first touch by Sat 21 Nov 10:01 EST",
        "Date: Fri, 20 Nov 2026 15:10:00 +0000",
    ] {
        assert!(headers.iter().any(|h| h == wanted), "{wanted} is not in {headers:#?}");
    }
    let mail = received(&mails[0]);
    let mail = parsed(&mail);
    let to: Vec<&str> = mail.to().expect("readers").iter().filter_map(|it| it.address()).collect();
    assert_eq!(to, ["ana@example.test", "riley@example.com", "cs@example.test"]);
    let reply_to = mail.reply_to().and_then(|it| it.first()?.address()).map(str::to_owned);
    assert_eq!(reply_to.as_deref(), Some("riley@example.com"));
    let (text, html) = (mail.body_text(0).expect("text"), mail.body_html(0).expect("HTML"));
    for words in [
        "Introduce yourself to Acme Corp within 24 hours",
        "dana@acme.example",
        "riley@example.com",
        "Ask",
        "Saturday 21 November 2026, 10:01 EST",
        "https://crm.example/deal/1",
        "https://sign.example/d1",
        "https://github.example/acme/handoffs/tree/main/briefs/2026/11/acme",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
        assert!(html.contains(words), "{words} is not in\n{html}");
    }
    assert!(!text.contains("**") && !text.contains("]("), "{text}");
    assert!(
        html.contains("prefers-color-scheme:dark") && html.contains("style=\"margin"),
        "{html}"
    );
    assert_eq!(mail.attachments().count(), 1, "the deadline alone");
    let entry = entry(&mail);
    for (name, value) in [
        ("UID", "handoff-hubspot-1@example.com"),
        ("SEQUENCE", "0"),
        ("DTSTAMP", "20261120T151000Z"),
        ("DTSTART", "20261121T143158Z"),
        ("DTEND", "20261121T150158Z"),
        ("SUMMARY", "First touch due: Acme Corp"),
    ] {
        assert_eq!(property(&entry, name), value, "{name} in {entry:#?}");
    }
}

#[tokio::test]
async fn a_change_is_told_in_the_same_thread_and_moves_the_entry_in_the_calendar() {
    let (url, mails) = smtp(vec![]).await;
    let mut handoff = rendered(handoff("hubspot-1"));
    let sinks = mailer(&url, true);
    let told = sinks.iter().find(|sink| sink.event() == handoff::brief::EventKind::CsmTold);
    let mut event = handoff::brief::Event::new(
        super::sample::time("2026-11-20T16:00:00Z"),
        handoff::brief::EventKind::Corrected,
        "hubspot",
    );
    event.reason = Some("first_action.due".to_owned());
    handoff.timeline.events.push(event);
    handoff.brief["first_action"]["due"] = json!("2026-11-23T15:01:58Z");
    told.expect("a sink").act(&handoff).await.expect("sent");
    let mails = mails.lock().expect("not poisoned").clone();
    let mail = received(&mails[0]);
    let mail = parsed(&mail);
    let thread = "handoff.hubspot-1.brief@example.com";
    assert_eq!(mail.in_reply_to().as_text(), Some(thread));
    assert_eq!(mail.references().as_text(), Some(thread));
    assert_ne!(mail.message_id(), Some(thread));
    let entry = entry(&mail);
    assert_eq!(property(&entry, "UID"), "handoff-hubspot-1@example.com", "the same entry");
    assert_eq!(
        (property(&entry, "SEQUENCE"), property(&entry, "DTEND")),
        ("1".into(), "20261123T150158Z".into())
    );
}

#[tokio::test]
async fn each_gets_their_own_link_and_nobody_that_of_another() {
    let (url, mails) = smtp(vec![Fault::None, Fault::Busy451, Fault::None]).await;
    let keys = handoff::link::LinkKeys::of(&secrets(&[(
        handoff::link::LINK_KEY,
        "0123456789abcdef0123456789abcdef",
    )]));
    let keys = keys.expect("long enough").expect("set");
    let settings = deliver_config(&json!({"links": {"public_url": "https://handoff.example.com"}}));
    let settings = settings.expect("settings").links.expect("links");
    let mut site = site(std::path::Path::new("."));
    site.links = Some(handoff::deliver::Links::new(&settings, keys.clone()));
    let config = deliver_config(&config(true)).expect("a configuration");
    let sinks = build(&config, &secrets(&[("SMTP_URL", &url)]), &site).expect("sinks");
    deliver(&sinks, &rendered(handoff("hubspot-1"))).await.outcome.expect("sent");
    let mails = mails.lock().expect("not poisoned").clone();
    assert_eq!(mails.len(), 3, "the one that was put off is sent again, and no other");
    let mut seen = Vec::new();
    for mail in &mails {
        let mail = received(mail);
        let mail = parsed(&mail);
        let to = mail.to().and_then(|it| it.first()?.address()).expect("a reader").to_owned();
        let text = mail.body_text(0).expect("text").replace(['\n', '\r'], " ");
        let links: Vec<&str> = text
            .split_whitespace()
            .filter_map(|word| {
                word.trim_matches(['<', '>']).strip_prefix("https://handoff.example.com/h/")
            })
            .collect();
        let grants: Vec<String> = links
            .iter()
            .map(|token| keys.read(token, super::sample::now()).expect("signed"))
            .map(|grant| format!("{} {} {}", grant.key, grant.role, grant.person))
            .collect();
        assert_eq!(mail.attachments().count(), usize::from(!to.starts_with("riley")), "{to}");
        assert!(links.len() == usize::from(!to.starts_with("cs@")), "{to}: {text}");
        seen.push((to, grants));
    }
    assert_eq!(
        seen,
        [
            ("ana@example.test".to_owned(), vec!["hubspot-1 csm ana@example.test".to_owned()]),
            ("riley@example.com".to_owned(), vec!["hubspot-1 rep riley@example.com".to_owned()]),
            ("cs@example.test".to_owned(), vec![]),
        ]
    );
}

#[tokio::test]
async fn the_servers_own_words_are_certain_and_a_broken_answer_is_not() {
    use Fault::*;
    // fault, repeat, mails taken, class of the outcome
    for (fault, repeat, taken, class) in [
        (Recipient550, true, 0, "permanent"),
        (Busy451, true, 1, "ok"),
        (TakenThenDropped, true, 2, "ok"),
        (TakenThenDropped, false, 1, "unclear"),
        (Closed, false, 1, "ok"),
    ] {
        let (url, mails) = smtp(vec![fault]).await;
        let outcome = deliver(&mailer(&url, repeat), &handoff("hubspot-1")).await.outcome;
        let got = match &outcome {
            Ok(_) => "ok",
            Err(DeliveryError::Permanent { .. }) => "permanent",
            Err(DeliveryError::Transient { .. }) => "transient",
            Err(DeliveryError::Unclear { .. }) => "unclear",
        };
        assert_eq!(got, class, "{outcome:?}");
        let mails = mails.lock().expect("not poisoned").clone();
        assert_eq!(mails.len(), taken, "{outcome:?}");
        let id = "Message-ID: <handoff.hubspot-1.brief@example.com>";
        assert!(
            mails.iter().all(|mail| headers(mail).iter().any(|h| h == id)),
            "the same id at each try"
        );
    }
}

#[tokio::test]
async fn hostile_text_makes_no_header_and_no_markup() {
    let (url, mails) = smtp(vec![]).await;
    let mut hostile = rendered(hostile("hubspot-1"));
    hostile.brief["deal"]["owner"]["email"] = json!("a@b.example\r\nBcc: all@evil.example");
    let mark = deliver(&mailer(&url, true), &hostile).await.outcome.expect("sent");
    let remark = mark.remark.expect("the bad address is named");
    assert!(
        remark.contains("deal.owner") && remark.contains("is not an e-mail address"),
        "{remark}"
    );
    let mails = mails.lock().expect("not poisoned").clone();
    assert!(
        headers(&mails[0]).iter().all(|h| !h.to_lowercase().starts_with("bcc")),
        "{:#?}",
        headers(&mails[0])
    );
    let subject = headers(&mails[0]).into_iter().find(|h| h.starts_with("Subject: ")).expect("one");
    assert!(!subject.contains("=0D") && !subject.contains("=0A"), "{subject}");
    let mail = received(&mails[0]);
    let mail = parsed(&mail);
    let html = mail.body_html(0).expect("an HTML part").into_owned();
    assert!(!html.contains('\u{200B}') && !html.contains('\u{202E}'), "{html}");
    let entry = entry(&mail);
    assert!(property(&entry, "SUMMARY").contains("Evil <!channel>"), "{entry:#?}");
    assert!(entry.iter().all(|(name, _)| !name.starts_with("Bcc")), "{entry:#?}");
    for bad in ["<script", "<img", "href=3D\"javascript", "href=\"javascript", "<!--"] {
        assert!(!html.contains(bad), "{bad} is in\n{html}");
    }
}

#[test]
fn mail_leaves_the_machine_encrypted_or_not_at_all() {
    let site = site(std::path::Path::new("."));
    let config = deliver_config(&config(true)).expect("a configuration");
    for (url, accepted) in [
        ("smtp://mail.example.com", false),
        ("smtps://user:pw@mail.example.com", true),
        ("smtp://user:pw@mail.example.com:587?tls=required", true),
        ("smtp://127.0.0.1:25", true),
        ("smtp://[::1]:25", true),
        ("nonsense", false),
    ] {
        let built = build(&config, &secrets(&[("SMTP_URL", url)]), &site);
        assert_eq!(built.is_ok(), accepted, "{url}");
        if let Err(problems) = built {
            assert!(problems[0].to_string().starts_with("deliver.email: SMTP_URL"), "{problems:?}");
        }
    }
}
