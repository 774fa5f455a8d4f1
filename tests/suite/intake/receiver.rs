//! Connections, proxies, encodings, and secrets that change while it runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::server::{
    KEY, Running, briefs, document, eventually, get, ledger, pandadoc, proof, send,
};

/// A connection on which nothing is sent yet.
fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Everything that comes until the other side hangs up.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Whoever is refused may be reset after the answer.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn five_hundred_and_twelve_connections_are_served_and_the_rest_told_to_come_again() {
    let sandbox = ledger();
    let server = Running::serve(&sandbox);
    let at = server.address();
    let mut waiting: Vec<TcpStream> = Vec::new();
    let refused = eventually("a refusal", || {
        // On a busy machine the server may have hung up on the earlier ones by now.
        waiting = (0..512).map(|_| connect(at)).collect();
        // The places are taken in the order of the connections; this one comes last.
        let mut one_more = connect(at);
        one_more
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let answer = rest(&mut one_more);
        answer.starts_with("HTTP/1.1 503").then_some(answer)
    });
    assert!(refused.contains("retry-after: "), "{refused}");
    assert!(server.log().contains("too many connections"), "{}", server.log());

    // Headers that never end: the server hangs up by itself, and the places are free again.
    let never_ends = &mut waiting[0];
    never_ends.write_all(b"POST /webhooks/pandadoc HTTP/1.1\r\nHost: x\r\n").unwrap();
    let answer = rest(never_ends);
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    drop(waiting);
    let body = document("doc1");
    let status = eventually("a place", || {
        let answer = pandadoc(at, KEY, "event-1", &body).ok()?;
        (answer.status != 503).then_some(answer.status)
    });
    assert_eq!(status, 200);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 1);
}

#[test]
fn a_refusal_names_who_sent_it_and_only_a_trusted_proxy_is_believed() {
    let sandbox = ledger();
    let body = document("doc1");
    let forged = [
        ("Content-Type", "application/json"),
        ("X-Forwarded-For", "198.51.100.7, 203.0.113.9"),
        ("X-PandaDoc-Webhook-Event-Id", "delivery-77"),
    ];
    let path = format!("/webhooks/pandadoc?signature={}", proof("another key", &body));
    for (arguments, remote) in [
        (vec!["serve", "--listen", "127.0.0.1:0"], "127.0.0.1"),
        // The last address is what the proxy saw; those before it are what the sender wrote.
        (vec!["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"], "203.0.113.9"),
        (
            vec![
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--trusted-proxy",
                "127.0.0.1",
                "--trusted-proxy",
                "203.0.113.9",
            ],
            "198.51.100.7",
        ),
    ] {
        let server = Running::start(&sandbox, &arguments, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
        let before = server.log().len();
        let answer = send(server.address(), "POST", &path, &forged, &body).unwrap();
        assert_eq!(answer.status, 401);
        let unknown = send(server.address(), "POST", "/webhooks/pandadok", &forged, &body).unwrap();
        assert_eq!(unknown.status, 404);
        let log = server.log()[before..].to_owned();
        for what in ["refused: ", "there is no provider of this name"] {
            let line =
                log.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{log}"));
            assert!(line.contains(&format!("remote=\"{remote}\"")), "{line}");
        }
        assert!(log.contains("delivery-77"), "{log}");
        // Every refusal names the same: a body in an encoding that nobody reads, too.
        let coded = [&forged[..], &[("Content-Encoding", "br")]].concat();
        let answer = send(server.address(), "POST", &path, &coded, &body).unwrap();
        assert_eq!(answer.status, 415);
        let log = server.log()[before..].to_owned();
        let line = log.lines().find(|line| line.contains("Content-Encoding")).expect("a line");
        for what in [&*format!("remote=\"{remote}\""), "delivery-77", "reason=\"encoding\""] {
            assert!(line.contains(what), "{what}: {line}");
        }
        let standard = [
            ("Content-Type", "application/json"),
            ("Forwarded", "for=198.51.100.7, for=\"203.0.113.9:4711\";proto=https"),
        ];
        let before = server.log().len();
        let answer = send(server.address(), "POST", &path, &standard, &body).unwrap();
        assert_eq!(answer.status, 401);
        let log = server.log()[before..].to_owned();
        assert!(log.contains(&format!("remote=\"{remote}\"")), "{log}");
        let metrics = get(server.address(), "/metrics").body;
        let counted =
            "handoff_webhooks_rejected_total{provider=\"unknown\",reason=\"unknown_provider\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[test]
fn compressed_bodies_and_a_trailing_slash_are_taken_and_damage_is_named() {
    let sandbox = ledger();
    let server = Running::serve(&sandbox);
    let at = server.address();
    let gzip = |body: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |body: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let bare = |body: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let post = |path: &str, encoding: &str, body: &[u8]| {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding)];
        send(at, "POST", path, &headers, body).unwrap().status
    };
    let signed = |slash: &str, body: &[u8]| {
        format!("/webhooks/pandadoc{slash}?signature={}", proof(KEY, body))
    };
    for (id, slash, encoding) in [
        ("doc1", "", "gzip"),
        ("doc2", "/", "deflate"),
        ("doc3", "/", "Deflate"),
        ("doc4", "/", "identity"),
    ] {
        let body = document(id);
        let sent = match encoding {
            "gzip" => gzip(&body),
            "deflate" => zlib(&body),
            "Deflate" => bare(&body),
            _ => body.clone(),
        };
        assert_eq!(post(&signed(slash, &body), encoding, &sent), 200, "{id}: {}", server.log());
    }
    let body = document("doc5");
    let path = signed("", &body);
    assert_eq!(post(&path, "br", &body), 415, "an encoding that nobody reads");
    assert_eq!(post(&path, "gzip", &body), 400, "not what it says");
    assert_eq!(post(&path, "gzip", &gzip(&body)[..200]), 400, "cut off");
    // A few kilobytes that become a gigabyte would fill the memory.
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 1_000_000, "small on its way");
    assert_eq!(post(&path, "gzip", &bomb), 413);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 4, "{:?}", briefs(&sandbox));
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_secrets_and_settings_again() {
    let sandbox = ledger();
    let file = sandbox.write("pandadoc-key", KEY);
    let variables = [("PANDADOC_WEBHOOK_KEY_FILE", file.to_str().unwrap())];
    let server =
        Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0", "--no-work"], &variables);
    let at = server.address();
    let new = "the-key-of-tomorrow-0123456789";
    assert_eq!(pandadoc(at, new, "early", &document("doc1")).unwrap().status, 401);

    sandbox.write("pandadoc-key", new);
    server.signal("HUP");
    eventually("the log of the reading", || server.log().contains("read again").then_some(()));
    assert_eq!(pandadoc(at, new, "event-1", &document("doc1")).unwrap().status, 200);
    assert_eq!(pandadoc(at, KEY, "event-2", &document("doc2")).unwrap().status, 401, "the old key");

    // Settings that cannot be read: said, and the former ones go on.
    let settings = sandbox.join("ledger/handoff.yaml");
    let good = std::fs::read_to_string(&settings).unwrap();
    sandbox.write("ledger/handoff.yaml", format!("{good}\nesing: {{}}\n"));
    sandbox.git("ledger", &["commit", "-qam", "a slip"]);
    server.signal("HUP");
    eventually("what is wrong", || {
        server.log().contains("the settings cannot be read; the former ones are used").then_some(())
    });
    assert_eq!(pandadoc(at, new, "event-3", &document("doc3")).unwrap().status, 200);
}
