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

#[tokio::test]
async fn csm_rep_and_list_get_one_mail_with_text_html_and_the_brief() {
    let (url, mails) = smtp(vec![]).await;
    let mark = deliver(&mailer(&url, true), &handoff("hubspot-1")).await.outcome.expect("sent");
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
    let to = headers.iter().find(|h| h.starts_with("To: ")).expect("recipients");
    for address in ["ana@example.test", "riley@example.com", "cs@example.test"] {
        assert!(to.contains(address), "{to}");
    }
    for part in ["text/plain", "text/html", "text/markdown", "hubspot-1.md"] {
        assert!(mails[0].contains(part), "{part} is not in\n{}", mails[0]);
    }
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
    let mut hostile = hostile("hubspot-1");
    hostile.brief["deal"]["owner"]["email"] = json!("a@b.example\r\nBcc: all@evil.example");
    let mark = deliver(&mailer(&url, true), &hostile).await.outcome.expect("sent");
    let remark = mark.remark.expect("the bad address is named");
    assert!(remark.contains("deal.owner") && remark.contains("is no address"), "{remark}");
    let mails = mails.lock().expect("not poisoned").clone();
    assert!(
        headers(&mails[0]).iter().all(|h| !h.to_lowercase().starts_with("bcc")),
        "{:#?}",
        headers(&mails[0])
    );
    let subject = headers(&mails[0]).into_iter().find(|h| h.starts_with("Subject: ")).expect("one");
    assert!(!subject.contains("=0D") && !subject.contains("=0A"), "{subject}");
    let whole = mails[0].replace("=\r\n", "");
    let html = whole
        .split("text/html")
        .nth(1)
        .expect("an HTML part")
        .split("text/markdown")
        .next()
        .expect("a part");
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
