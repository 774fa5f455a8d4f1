//! Networks as companies have them: what `HTTPS_PROXY`, `NO_PROXY` and
//! `SSL_CERT_FILE` say counts for GitHub, for the shared HTTP client and, where
//! there is no proxy, for mail.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::sandbox::{Sandbox, fixture};

/// What came, line by line.
type Log = Arc<Mutex<Vec<String>>>;

/// A server with a certificate of the tests' own authority; its port.
fn tls(talk: fn(&mut (dyn ReadWrite + '_), &Log) -> std::io::Result<()>) -> (u16, Log) {
    let certificate = CertificateDer::from_pem_file(fixture("tls/test-only-server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("tls/test-only-server.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, log) = (Arc::new(config), Log::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, kept) = (listener.local_addr().unwrap().port(), log.clone());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, kept) = (config.clone(), kept.clone());
            thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                // A client that does not trust the server ends the conversation.
                talk(&mut StreamOwned::new(connection, stream), &kept).ok()
            });
        }
    });
    (port, log)
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
    loop {
        let said = line(stream)?;
        if said.is_empty() {
            return Ok(());
        }
        log.lock().unwrap().push(said.clone());
        stream.write_all(if said == "QUIT" { b"221 bye\r\n" } else { b"250 ok\r\n" })?;
        stream.flush()?;
    }
}

/// A proxy to which every name is this machine; what it was asked to connect to.
fn proxy() -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, log) = (listener.local_addr().unwrap(), Log::default());
    let kept = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = kept.clone();
            thread::spawn(move || tunnel(stream, &kept).ok());
        }
    });
    (format!("http://{address}"), log)
}

fn tunnel(stream: TcpStream, log: &Log) -> std::io::Result<()> {
    let mut read = BufReader::new(stream.try_clone()?);
    let mut asked = String::new();
    read.read_line(&mut asked)?;
    log.lock().unwrap().push(asked.trim_end().to_owned());
    let mut header = String::new();
    while read.read_line(&mut header)? > 2 {
        header.clear();
    }
    let target = asked.split(' ').nth(1).unwrap_or_default();
    let port = target.rsplit(':').next().unwrap_or_default();
    let there = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut to, mut back) = (there.try_clone()?, stream.try_clone()?);
    thread::spawn(move || std::io::copy(&mut read, &mut to));
    let mut there = there;
    std::io::copy(&mut there, &mut back).map(drop)
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

fn count(log: &Log, part: &str) -> usize {
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
