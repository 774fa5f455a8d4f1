//! The real binary on JetStream: received, processed, refused, looked at.

use super::nats::{Nats, wanted};
use crate::intake::server::{KEY, Running, briefs, document, eventually, get, ledger, pandadoc};
use crate::network::{Manner, count, proxy_that};
use crate::sandbox::Sandbox;

fn serve(sandbox: &Sandbox, address: &str) -> Running {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--inbox", address];
    Running::start(sandbox, &arguments, &[("PANDADOC_WEBHOOK_KEY", KEY)])
}

#[test]
fn jetstream_takes_events_and_people_look_at_what_failed() {
    if !wanted("jetstream_takes_events_and_people_look_at_what_failed") {
        return;
    }
    let (nats, sandbox) = (Nats::start(""), ledger());
    let address = nats.address("acme");
    let missing = sandbox.handoff(".", &["inbox", "list", "--inbox", &address]).exits(4);
    assert!(missing.stderr.contains("there is no inbox"), "{}", missing.stderr);
    let server = serve(&sandbox, &address);
    let at = server.address();
    for _ in 0..2 {
        assert_eq!(pandadoc(at, KEY, "e1", &document("doc1")).unwrap().status, 200);
    }
    // Two ids that give one key: the second needs a person.
    assert_eq!(pandadoc(at, KEY, "e3", &document("DOC1")).unwrap().status, 200);
    let health = eventually("the failure shows", || {
        let health = get(at, "/healthz").json();
        (health["status"] == "degraded").then_some(health)
    });
    assert_eq!(health["inbox"]["failed"], 1, "{health}");
    assert_eq!(health["inbox"]["done"], 1, "{health}");
    assert_eq!(briefs(&sandbox).len(), 1, "{}", server.log());
    assert_eq!(get(at, "/readyz").json()["status"], "ready");

    let inbox = |arguments: &[&str], code| {
        let line = [&["inbox"], arguments, &["--inbox", &address]].concat();
        sandbox.handoff(".", &line).exits(code)
    };
    let listed = inbox(&["list", "--format", "json"], 0).json();
    assert_eq!(listed["events"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["events"][0]["state"], "failed", "{listed}");
    let why = listed["events"][0]["errors"][0]["message"].as_str().unwrap();
    assert!(why.contains("same key"), "{why}");
    let id = listed["events"][0]["delivery_id"].as_str().unwrap();
    let shown = inbox(&["show", &id[..6]], 0);
    assert!(shown.stdout.contains("same key") && shown.stdout.contains("DOC1"), "{}", shown.stdout);
    inbox(&["retry", "--failed"], 0);
    eventually("it is tried again, and fails again", || {
        let listed = inbox(&["list", "--state", "failed", "--format", "json"], 0).json();
        let tried = listed["events"][0]["errors"].as_array().map_or(0, Vec::len);
        (tried == 2).then_some(())
    });
    inbox(&["drop", id], 0);
    inbox(&["show", "nobody"], 4);
    assert_eq!(get(at, "/healthz").json()["status"], "ok");
    assert_eq!(pandadoc(at, KEY, "e3", &document("DOC1")).unwrap().status, 200, "it is known");
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["done"], 2, "{health}");
    let metrics = get(at, "/metrics").body;
    assert!(metrics.contains("handoff_inbox_events{state=\"done\"} 2"), "{metrics}");
}

#[test]
fn jetstream_that_is_away_means_come_again() {
    if !wanted("jetstream_that_is_away_means_come_again") {
        return;
    }
    let (mut nats, sandbox) = (Nats::start(""), ledger());
    let server = serve(&sandbox, &nats.address("handoff"));
    let at = server.address();
    assert_eq!(pandadoc(at, KEY, "e1", &document("doc1")).unwrap().status, 200);
    nats.kill();
    let refused = eventually("the loss is noticed", || {
        let answer = pandadoc(at, KEY, "e2", &document("doc2")).unwrap();
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.head.to_lowercase().contains("retry-after"), "{}", refused.head);
    assert_eq!(get(at, "/readyz").status, 503);
    assert_eq!(get(at, "/healthz").json()["status"], "degraded");
    nats.start_again();
    eventually("the provider's retry succeeds", || {
        let answer = pandadoc(at, KEY, "e2", &document("doc2")).unwrap();
        (answer.status == 200).then_some(())
    });
    server.wait_until_idle();
    eventually("both are handed over", || (briefs(&sandbox).len() == 2).then_some(()));
}

#[test]
fn jetstream_behind_a_proxy_is_reached_lost_and_found_again() {
    if !wanted("jetstream_behind_a_proxy_is_reached_lost_and_found_again") {
        return;
    }
    let (mut nats, sandbox) = (Nats::start(""), ledger());
    // The server speaks first, and its words may come with those of the proxy.
    let (proxy, through) = proxy_that(&[Manner::Glues]);
    let proxy = format!("http://me:hunter2@{proxy}");
    let address = nats.address("handoff").replace("127.0.0.1", "nats.test");
    let variables = [("PANDADOC_WEBHOOK_KEY", KEY), ("HTTPS_PROXY", &proxy)];
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--inbox", &address];
    let server = Running::start(&sandbox, &arguments, &variables);
    let at = server.address();
    assert_eq!(pandadoc(at, KEY, "e1", &document("doc1")).unwrap().status, 200);
    assert_eq!(count(&through, "CONNECT nats.test:"), 1, "{through:?}");
    nats.kill();
    eventually("the loss is noticed", || {
        (pandadoc(at, KEY, "e2", &document("doc2")).unwrap().status == 503).then_some(())
    });
    nats.start_again();
    eventually("the provider's retry succeeds", || {
        (pandadoc(at, KEY, "e2", &document("doc2")).unwrap().status == 200).then_some(())
    });
    server.wait_until_idle();
    eventually("both are handed over", || (briefs(&sandbox).len() == 2).then_some(()));
    assert!(count(&through, "CONNECT nats.test:") > 1, "{through:?}");
    assert!(!server.log().contains("hunter2"), "{}", server.log());
    // An exception, and a name that has no address.
    let straight = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", ".test")];
    let before = count(&through, "CONNECT");
    let list = ["inbox", "list", "--inbox", &address];
    sandbox.handoff_with("ledger", &list, &straight).exits(3);
    assert_eq!(count(&through, "CONNECT"), before, "{through:?}");
}

#[test]
fn jetstream_behind_a_proxy_is_known_by_its_own_certificate() {
    if !wanted("jetstream_behind_a_proxy_is_known_by_its_own_certificate") {
        return;
    }
    let file = |name: &str| crate::sandbox::fixture(&format!("tls/{name}")).display().to_string();
    let nats = Nats::start(&format!(
        "tls {{cert_file: \"{}\", key_file: \"{}\"}}",
        file("test-only-server.pem"),
        file("test-only-server.key.pem")
    ));
    let (sandbox, authority) = (ledger(), file("test-only-ca.pem"));
    let (proxy, through) = proxy_that(&[Manner::Tunnels]);
    let proxy = format!("http://{proxy}");
    // The certificate is for github.test, localhost and 127.0.0.1.
    for (host, authority, code, words) in [
        ("github.test", ("NATS_CA_FILE", &*authority), 4, "there is no inbox"),
        ("github.test", ("SSL_CERT_FILE", &*authority), 4, "there is no inbox"),
        ("github.test", ("HOME", "/"), 3, "certificate"),
        ("nats.test", ("NATS_CA_FILE", &*authority), 3, "certificate"),
        ("nats.test", ("SSL_CERT_FILE", &*authority), 3, "certificate"),
    ] {
        let address = nats.address("x").replace("127.0.0.1", host);
        for scheme in ["nats", "tls"] {
            let address = address.replace("nats://", &format!("{scheme}://"));
            let list = ["inbox", "list", "--inbox", &address];
            let variables = [("ALL_PROXY", proxy.as_str()), authority];
            let ran = sandbox.handoff_with("ledger", &list, &variables).exits(code);
            assert!(ran.stderr.contains(words), "{address} {authority:?}: {}", ran.stderr);
        }
    }
    assert_eq!(count(&through, "CONNECT"), 10, "{through:?}");
}

#[test]
fn jetstream_a_proxy_that_makes_no_connection_is_named() {
    if !wanted("jetstream_a_proxy_that_makes_no_connection_is_named") {
        return;
    }
    let sandbox = ledger();
    for (manner, words) in [
        (Manner::Says("HTTP/1.1 403 Forbidden\r\n\r\n"), "it answered 403 Forbidden"),
        (Manner::Hangs, "no answer within 4 s"),
    ] {
        let (proxy, _) = proxy_that(&[manner]);
        let variable = format!("http://me:hunter2@{proxy}");
        let list = ["inbox", "list", "--inbox", "nats://nats.test/x"];
        let ran = sandbox.handoff_with("ledger", &list, &[("HTTPS_PROXY", &variable)]).exits(3);
        let shown = format!("the proxy {proxy} made no connection to nats.test:4222: {words}");
        assert!(ran.stderr.contains(&shown), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn jetstream_that_is_not_there_is_refused_at_the_start() {
    if !wanted("jetstream_that_is_not_there_is_refused_at_the_start") {
        return;
    }
    let sandbox = ledger();
    let mut nats = Nats::start("");
    nats.kill();
    for command in ["serve", "work"] {
        let address = nats.address("handoff");
        let ran = sandbox.handoff("ledger", &[command, "--inbox", &address]).exits(3);
        assert!(ran.stderr.contains("connecting to nats://127.0.0.1"), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: check that the server runs"), "{}", ran.stderr);
    }
    let ran = sandbox.handoff("ledger", &["work", "--inbox", "nats://a:hunter2@127.0.0.1"]);
    let ran = ran.exits(2);
    assert!(ran.stderr.contains("NATS_PASSWORD"), "{}", ran.stderr);
}

#[test]
fn jetstream_that_takes_no_message_of_this_size_says_so() {
    if !wanted("jetstream_that_takes_no_message_of_this_size_says_so") {
        return;
    }
    let (nats, sandbox) = (Nats::start("max_payload: 1024"), ledger());
    let server = serve(&sandbox, &nats.address("handoff"));
    let answer = pandadoc(server.address(), KEY, "e1", &document("doc1")).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    let log = server.log();
    assert!(log.contains("raise max_payload"), "{log}");
    assert!(log.contains("is answered with 503") || log.contains("are answered with 503"), "{log}");
}
