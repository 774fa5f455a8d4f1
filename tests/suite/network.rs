//! Networks as companies have them: what `HTTPS_PROXY`, `NO_PROXY` and
//! `SSL_CERT_FILE` say counts for GitHub, for the shared HTTP client and for mail;
//! for NATS see `intake/jetstream`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::sandbox::{Sandbox, fixture};

/// What came, line by line.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// The certificate of the tests' own authority, for localhost, github.test and 127.0.0.1.
fn certified() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(fixture("tls/test-only-server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("tls/test-only-server.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// A server; its port.
fn server(talk: impl Fn(TcpStream, &Log) + Clone + Send + 'static) -> (u16, Log) {
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, kept) = (listener.local_addr().unwrap().port(), log.clone());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (talk, kept) = (talk.clone(), kept.clone());
            thread::spawn(move || talk(stream, &kept));
        }
    });
    (port, log)
}

/// A server with TLS.
fn tls(talk: fn(&mut (dyn ReadWrite + '_), &Log) -> std::io::Result<()>) -> (u16, Log) {
    let config = certified();
    server(move |stream, log| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        // A client that does not trust the server ends the conversation.
        talk(&mut StreamOwned::new(connection, stream), log).ok();
    })
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A line without its end; empty at the end of all.
fn line(stream: &mut (dyn ReadWrite + '_)) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.last() != Some(&b'\n') && stream.read(&mut byte)? == 1 {
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// Says of everything that it is not there.
fn http(stream: &mut (dyn ReadWrite + '_), log: &Log) -> std::io::Result<()> {
    let request = line(stream)?;
    while !line(stream)?.is_empty() {}
    log.lock().unwrap().push(request);
    let body = r#"{"message":"Not Found"}"#;
    write!(
        stream,
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

fn smtp(stream: &mut (dyn ReadWrite + '_), log: &Log) -> std::io::Result<()> {
    stream.write_all(b"220 test\r\n")?;
    stream.flush()?;
    commands(stream, log)
}

fn commands(stream: &mut (dyn ReadWrite + '_), log: &Log) -> std::io::Result<()> {
    loop {
        let said = line(stream)?;
        if said.is_empty() {
            return Ok(());
        }
        log.lock().unwrap().push(said.clone());
        if said == "DATA" {
            stream.write_all(b"354 go on\r\n")?;
            stream.flush()?;
            while line(stream)? != "." {}
        }
        stream.write_all(if said == "QUIT" { b"221 bye\r\n" } else { b"250 ok\r\n" })?;
        stream.flush()?;
    }
}

/// A mail server that speaks TLS once it is asked to.
fn starttls() -> (u16, Log) {
    let config = certified();
    let talk = move |mut stream: TcpStream, log: &Log| -> std::io::Result<()> {
        stream.write_all(b"220 test\r\n")?;
        loop {
            let said = line(&mut stream)?;
            match said.as_str() {
                "" => return Ok(()),
                "STARTTLS" => break,
                _ => stream.write_all(b"250-test\r\n250 STARTTLS\r\n")?,
            }
        }
        stream.write_all(b"220 go on\r\n")?;
        let connection = ServerConnection::new(config.clone()).unwrap();
        commands(&mut StreamOwned::new(connection, stream), log)
    };
    // A client that does not trust the server ends the conversation.
    server(move |stream, log| drop(talk(stream, log)))
}

/// What a proxy does with a connection.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Tunnels,
    /// Tunnels, and gives the server's first words in one packet with its own.
    Glues,
    /// Answers this and ends the connection.
    Says(&'static str),
    /// Sends headers without end.
    Rambles,
    Hangs,
}

/// A proxy to which every name is this machine; its URL, and what it was asked.
fn proxy() -> (String, Log) {
    let (address, log) = proxy_that(&[Manner::Tunnels]);
    (format!("http://{address}"), log)
}

/// A proxy that treats its connections like this, one after the other and the
/// rest like the last; its address, and what it was asked.
pub(crate) fn proxy_that(manners: &[Manner]) -> (String, Log) {
    let (manners, count) = (manners.to_vec(), AtomicUsize::new(0));
    let shared = Arc::new((manners, count));
    let (port, log) = server(move |stream, log| {
        let (manners, count) = &*shared;
        let at = count.fetch_add(1, Ordering::SeqCst).min(manners.len() - 1);
        // Either end may go away.
        tunnel(stream, log, manners[at]).ok();
    });
    (format!("127.0.0.1:{port}"), log)
}

fn tunnel(mut stream: TcpStream, log: &Log, manner: Manner) -> std::io::Result<()> {
    let asked = line(&mut stream)?;
    log.lock().unwrap().push(asked.clone());
    loop {
        let header = line(&mut stream)?;
        if header.is_empty() {
            break;
        }
        log.lock().unwrap().push(header);
    }
    let mut head = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
    match manner {
        Manner::Says(words) => return stream.write_all(words.as_bytes()),
        Manner::Rambles => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream.write_all(b"X-Filler: and so on and so forth\r\n")?;
            }
        }
        Manner::Hangs => {
            thread::sleep(Duration::from_secs(60));
            return Ok(());
        }
        Manner::Tunnels | Manner::Glues => {}
    }
    let target = asked.split(' ').nth(1).unwrap_or_default();
    let port = target.rsplit(':').next().unwrap_or_default();
    let mut there = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    if matches!(manner, Manner::Glues) {
        let mut first = [0; 4096];
        let read = there.read(&mut first)?;
        head.extend(&first[..read]);
    }
    stream.write_all(&head)?;
    let (mut to, mut from) = (there.try_clone()?, stream.try_clone()?);
    thread::spawn(move || {
        let copied = std::io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write).and(copied)
    });
    std::io::copy(&mut there, &mut stream)?;
    stream.shutdown(Shutdown::Write)
}

/// What the tests' mail goes out with.
fn mail_ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--csm", "Sam <sam@example.com> @sam"]).exits(0);
    let file = sandbox.join("l/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let mail = "email: {from: handoff@example.com, list: [cs@example.com], repeat: false}";
    fs::write(&file, text.replace("outbox: {dir: outbox}", mail)).unwrap();
    sandbox
}

/// A ledger that delivers to GitHub, Asana and by mail at these addresses.
fn ledger(host: &str, port: u16) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--csm", "Sam <sam@example.com> @sam"]).exits(0);
    let file = sandbox.join("l/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let base = format!("https://{host}:{port}");
    let deliver = format!(
        "github: {{repository: acme/handoffs, base_url: \"{base}\"}}\n  asana: {{template: \"1\", workspace: \"2\", base_url: \"{base}\"}}\n  email: {{from: handoff@example.com, list: [cs@example.com]}}"
    );
    fs::write(&file, text.replace("outbox: {dir: outbox}", &deliver)).unwrap();
    sandbox
}

fn doctor(sandbox: &Sandbox, smtp: &str, more: &[(&str, &str)]) -> String {
    let secrets = [("GITHUB_TOKEN", "t"), ("ASANA_TOKEN", "t"), ("SMTP_URL", smtp)];
    sandbox.handoff_with("l", &["doctor"], &[&secrets[..], more].concat()).stdout
}

pub(crate) fn count(log: &Log, part: &str) -> usize {
    log.lock().unwrap().iter().filter(|line| line.contains(part)).count()
}

#[test]
fn a_companys_own_authority_counts_for_github_http_and_mail_where_it_is_named() {
    let ((port, asked), (mail, said)) = (tls(http), tls(smtp));
    let (sandbox, url) = (ledger("localhost", port), format!("smtps://localhost:{mail}"));
    let told = doctor(&sandbox, &url, &[]);
    assert_eq!((count(&asked, ""), count(&said, "")), (0, 0), "nobody is trusted\n{told}");
    assert!(told.matches("certificate").count() >= 2, "{told}");
    let authority = fixture("tls/test-only-ca.pem").display().to_string();
    let told = doctor(&sandbox, &url, &[("SSL_CERT_FILE", &authority)]);
    for path in ["/repos/acme/handoffs", "/project_templates/1"] {
        assert!(count(&asked, path) > 0, "{path}\n{told}");
    }
    assert!(count(&said, "EHLO") > 0, "{told}");
}

#[test]
fn a_proxy_is_used_for_github_and_http_unless_the_host_is_an_exception() {
    let ((port, asked), (proxy, through)) = (tls(http), proxy());
    let sandbox = ledger("github.test", port);
    let authority = fixture("tls/test-only-ca.pem").display().to_string();
    let named = [("SSL_CERT_FILE", authority.as_str()), ("HTTPS_PROXY", proxy.as_str())];
    let told = doctor(&sandbox, "smtps://127.0.0.1:1", &named);
    let tunnels = count(&through, &format!("CONNECT github.test:{port} "));
    assert!(tunnels >= 2, "one for each client, {tunnels}\n{told}");
    for path in ["/repos/acme/handoffs", "/project_templates/1"] {
        assert!(count(&asked, path) > 0, "{path}\n{told}");
    }
    let before = count(&asked, "");
    let exception = [&named[..], &[("NO_PROXY", "github.test")]].concat();
    let told = doctor(&sandbox, "smtps://127.0.0.1:1", &exception);
    assert_eq!((count(&through, "CONNECT"), count(&asked, "")), (tunnels, before), "{told}");
}

/// What `doctor` says where mail alone is set up, on both streams, with everything logged.
fn of_mail(sandbox: &Sandbox, smtp: &str, more: &[(&str, &str)]) -> String {
    let authority = fixture("tls/test-only-ca.pem").display().to_string();
    let always =
        [("SMTP_URL", smtp), ("SSL_CERT_FILE", authority.as_str()), ("HANDOFF_LOG", "trace")];
    let ran = sandbox.handoff_with("l", &["doctor"], &[&always[..], more].concat());
    ran.stdout + &ran.stderr
}

const TAKEN: &str = "the server takes the connection and the password";

#[test]
fn mail_goes_through_the_proxy_with_tls_from_the_start_or_asked_for() {
    let sandbox = mail_ledger();
    let ((wrapped, in_wrapped), (asked, in_asked)) = (tls(smtp), starttls());
    let (proxy, through) = proxy_that(&[Manner::Tunnels]);
    let (gluing, glued) = proxy_that(&[Manner::Glues]);
    let with_user = format!("http://me:hunter2%40x@{proxy}");
    // variable, its value, port, scheme and query, what the proxy was asked, what the server heard
    for (name, value, smtp, through, heard) in [
        (
            "HTTPS_PROXY",
            format!("http://{proxy}"),
            format!("smtps://github.test:{wrapped}"),
            &through,
            &in_wrapped,
        ),
        (
            "https_proxy",
            format!("http://{proxy}/"),
            format!("smtps://me:secret7@github.test:{wrapped}"),
            &through,
            &in_wrapped,
        ),
        (
            "ALL_PROXY",
            proxy.clone(),
            format!("smtp://github.test:{asked}?tls=required"),
            &through,
            &in_asked,
        ),
        (
            "all_proxy",
            format!("http://{gluing}"),
            format!("smtp://github.test:{asked}?tls=required"),
            &glued,
            &in_asked,
        ),
        ("HTTPS_PROXY", with_user, format!("smtps://github.test:{wrapped}"), &through, &in_wrapped),
    ] {
        let before = (count(through, "CONNECT github.test:"), count(heard, "EHLO"));
        let told = of_mail(&sandbox, &smtp, &[(name, &value)]);
        let after = (count(through, "CONNECT github.test:"), count(heard, "EHLO"));
        assert_eq!(after, (before.0 + 1, before.1 + 1), "{name}={value} {smtp}\n{told}");
        if smtp.contains("secret7") {
            assert!(told.contains("No compatible authentication"), "{told}");
        } else {
            assert!(told.contains(&format!("{TAKEN}, through the proxy 127.0.0.1:")), "{told}");
        }
        for secret in ["hunter2", "bWU6aHVudGVyMkB4", "secret7"] {
            assert!(!told.contains(secret), "{secret} in\n{told}");
        }
    }
    assert_eq!(count(&through, "roxy-authorization: Basic bWU6aHVudGVyMkB4"), 1, "{through:?}");
}

#[test]
fn mail_goes_straight_where_no_proxy_counts() {
    let sandbox = mail_ledger();
    let ((port, said), (proxy, through)) = (tls(smtp), proxy());
    let used = |smtp: &str, variables: &[(&str, &str)]| {
        let before = count(&through, "CONNECT");
        let told = of_mail(&sandbox, smtp, variables);
        (count(&through, "CONNECT") > before, told)
    };
    // 0.0.0.0 leads to this machine and is no address of loopback.
    let (named, numbered) =
        (format!("smtps://github.test:{port}"), format!("smtps://0.0.0.0:{port}"));
    for (smtp, name, exceptions, goes_through) in [
        (&named, "NO_PROXY", "example.com, github.test", false),
        (&named, "no_proxy", ".test", false),
        (&named, "NO_PROXY", "hub.test,10.0.0.0/8", true),
        (&numbered, "NO_PROXY", "0.0.0.0", false),
        (&numbered, "NO_PROXY", "0.0.0.0/8", false),
        (&named, "NO_PROXY", "*", false),
        (&numbered, "no_proxy", "10.0.0.0/8", true),
    ] {
        let (through, told) = used(smtp, &[("HTTPS_PROXY", &proxy), (name, exceptions)]);
        assert_eq!(through, goes_through, "{smtp} {name}={exceptions}\n{told}");
    }
    let (through, told) = used(&numbered, &[("HTTP_PROXY", &proxy)]);
    assert!(!through, "it is for plain HTTP\n{told}");
    for here in ["localhost", "127.0.0.1"] {
        let before = count(&said, "EHLO");
        let (through, told) = used(&format!("smtps://{here}:{port}"), &[("HTTPS_PROXY", &proxy)]);
        assert!(!through && told.contains(TAKEN), "this machine is reached without\n{told}");
        assert_eq!(count(&said, "EHLO"), before + 1, "{told}");
    }
}

const RUBBISH: &str = "SSH-2.0-OpenSSH_9.6\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\n\r\nsecret7";
const ESTABLISHED: &str = "HTTP/1.0 200 Connection established\r\n\r\n";

#[test]
fn each_fault_of_a_proxy_is_named_with_its_address_and_without_its_password() {
    use Manner::{Hangs, Rambles, Says};
    let sandbox = mail_ledger();
    let (port, said) = tls(smtp);
    let smtp = format!("smtps://github.test:{port}");
    let wants = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
    let (secured, asked) = tls(|stream, log| {
        log.lock().unwrap().push(line(stream)?);
        stream.write_all(FORBIDDEN.as_bytes())?;
        stream.flush()
    });
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let that = |manner| proxy_that(&[manner]).0;
    for (scheme, user, address, words) in [
        ("http", "", that(Says(wants)), "it wants a user and a password in its URL (407)"),
        (
            "http",
            "me:hunter2@",
            that(Says(wants)),
            "not accept the user and password of its URL (407)",
        ),
        ("http", "me:hun@ter2@", that(Says(FORBIDDEN)), "it answered 403 Forbidden"),
        (
            "http",
            "me:hunter2@",
            that(Says("HTTP/1.1 502 Bad Gateway\r\n\r\n")),
            "it answered 502 Bad Gateway",
        ),
        ("http", "me:hunter2@", that(Says(RUBBISH)), "its answer is not HTTP"),
        (
            "http",
            "me:hunter2@",
            that(Says("HTTP/1.1 2")),
            "it ended the connection without an answer",
        ),
        ("http", "me:hunter2@", that(Says("")), "it ended the connection without an answer"),
        ("http", "me:hunter2@", that(Says(ESTABLISHED)), "the mail server through the proxy"),
        ("http", "me:hunter2@", that(Rambles), "the head of its answer is too long"),
        ("http", "me:hunter2@", that(Hangs), "no answer within 10 s"),
        ("http", "me:hunter2@", nobody, "it was not reached: Connection refused"),
        ("socks5", "me:hunter2@", that(Hangs), "socks5:// is not supported"),
        ("https", "me:hunter2@", format!("127.0.0.1:{secured}"), "it answered 403 Forbidden"),
    ] {
        let told =
            of_mail(&sandbox, &smtp, &[("HTTPS_PROXY", &format!("{scheme}://{user}{address}"))]);
        let shown = format!("the proxy {address}");
        assert!(told.contains(words) && told.contains(&shown), "{scheme} {words}:\n{told}");
        for secret in ["hunter2", "ter2", "bWU6aHVu", "secret7"] {
            assert!(!told.contains(secret), "{secret} in\n{told}");
        }
    }
    assert_eq!(count(&asked, &format!("CONNECT github.test:{port} ")), 1, "{asked:?}");
    assert_eq!(count(&said, ""), 0, "{said:?}");
}

#[test]
fn a_mail_that_a_proxy_kept_back_is_not_sent_and_goes_out_once() {
    let sandbox = mail_ledger();
    let (port, said) = tls(smtp);
    let (address, through) = proxy_that(&[
        Manner::Says(FORBIDDEN),
        Manner::Says(ESTABLISHED),
        Manner::Says(RUBBISH),
        Manner::Tunnels,
    ]);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let signed = ["sign", &event, "--as", "contract", "--no-deliver"];
    sandbox.handoff("l", &signed).exits(0);
    let (smtp, proxy) =
        (format!("smtps://github.test:{port}"), format!("http://me:hunter2@{address}"));
    let authority = fixture("tls/test-only-ca.pem").display().to_string();
    let variables = [
        ("SMTP_URL", smtp.as_str()),
        ("HTTPS_PROXY", proxy.as_str()),
        ("SSL_CERT_FILE", authority.as_str()),
    ];
    for _ in 0..2 {
        // `repeat: false`: what might have been sent would not be sent again.
        sandbox.handoff_with("l", &["deliver"], &variables).exits(0);
        assert_eq!(count(&said, "DATA"), 1, "{said:?}");
        assert_eq!(count(&through, "CONNECT"), 4, "{through:?}");
    }
    let history = sandbox.git("l", &["log", "-p", "--", "briefs"]);
    assert!(history.contains("event: emailed") && !history.contains("unclear"), "{history}");
    assert!(!history.contains("hunter2"), "{history}");
}
