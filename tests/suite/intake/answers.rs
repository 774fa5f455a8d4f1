//! What each request is answered with, and what may never appear.

use super::server::{
    KEY, Running, briefs, document, eventually, get, ledger, pandadoc, proof, send,
};

#[test]
fn each_request_gets_its_answer() {
    let sandbox = ledger();
    let keys = format!("{KEY},the-key-of-tomorrow");
    let variables = [("PANDADOC_WEBHOOK_KEY", keys.as_str()), ("ADOBE_SIGN_CLIENT_ID", "client-1")];
    let server = Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0"], &variables);
    let at = server.address();
    let body = document("doc1");
    let signed = format!("/webhooks/pandadoc?signature={}", proof(KEY, &body));
    let json = [("Content-Type", "application/json")];

    let good = send(at, "POST", &signed, &json, &body).unwrap();
    assert_eq!(good.status, 200, "good: {}", good.body);
    let again = send(at, "POST", &signed, &json, &body).unwrap();
    assert_eq!(again.status, 200, "repeated");

    let mut tampered = body.clone();
    let place = tampered.windows(4).position(|part| part == b"doc1").unwrap();
    tampered[place + 3] = b'9';
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);
    let cases: &[Case<'_>] = &[
        ("tampered", "POST", &signed, &json, &tampered, 401),
        ("unsigned", "POST", "/webhooks/pandadoc", &json, &body, 401),
        ("another content type", "POST", &signed, &[("Content-Type", "text/html")], &body, 415),
        ("another method", "PUT", &signed, &json, &body, 405),
        ("no secret", "POST", "/webhooks/docusign", &json, &body, 503),
        ("no secret and oversized", "POST", "/webhooks/docusign", &json, &[b' '; 1_100_000], 503),
        ("oversized", "POST", &signed, &json, &[b' '; 1_100_000], 413),
        ("unknown provider", "POST", "/webhooks/pandadok", &json, &body, 404),
        ("unknown path", "GET", "/", &[], b"", 404),
        (
            "Adobe's test with another client",
            "GET",
            "/webhooks/adobe-sign",
            &[("X-AdobeSign-ClientId", "client-2")],
            b"",
            401,
        ),
    ];
    for (what, method, path, headers, body, status) in cases {
        let answer = send(at, method, path, headers, body).unwrap();
        assert_eq!(answer.status, *status, "{what}: {}\n{}", answer.body, server.log());
    }
    assert_eq!(pandadoc(at, "wrong-key", "e", &body).unwrap().status, 401, "wrong key");
    assert_eq!(
        pandadoc(at, "the-key-of-tomorrow", "e2", &document("doc2")).unwrap().status,
        200,
        "rotated key"
    );
    let tested =
        send(at, "GET", "/webhooks/adobe-sign", &[("X-AdobeSign-ClientId", "client-1")], b"")
            .unwrap();
    assert_eq!(tested.status, 200);
    assert!(
        tested.head.to_lowercase().contains("x-adobesign-clientid: client-1"),
        "{}",
        tested.head
    );

    server.wait_until_idle();
    let briefs = briefs(&sandbox);
    assert_eq!(briefs.len(), 2, "{briefs:?}\n{}", server.log());
    for id in ["doc1", "doc2"] {
        assert!(
            briefs.iter().any(|path| path.ends_with(&format!("--pandadoc-{id}"))),
            "{briefs:?}"
        );
    }
    let metrics = get(at, "/metrics").body;
    for line in [
        "handoff_webhooks_accepted_total{provider=\"pandadoc\",as=\"stored\"} 2",
        "handoff_webhooks_accepted_total{provider=\"pandadoc\",as=\"known\"} 1",
        "handoff_webhooks_accepted_total{provider=\"adobe-sign\",as=\"test\"} 1",
        "handoff_webhooks_rejected_total{provider=\"pandadoc\",reason=\"too_large\"} 1",
        "handoff_webhooks_rejected_total{provider=\"docusign\",reason=\"no_secret\"} 2",
        "handoff_inbox_processed_total{provider=\"pandadoc\",outcome=\"done\"} 2",
        "handoff_inbox_events{state=\"done\"} 2",
        "handoff_inbox_events{state=\"failed\"} 0",
        "handoff_build_info{version=\"0.1.0\"} 1",
        "handoff_settings_usable 1",
        "handoff_unpushed_commits 0",
        "handoff_inbox_readable 1",
        "handoff_inbox_oldest_waiting_seconds 0",
    ] {
        assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    }
    assert_eq!(get(at, "/readyz").json()["status"], "ready");
    assert_eq!(get(at, "/healthz").json()["status"], "ok");

    let log = server.log();
    assert!(
        log.contains("switch off the documents"),
        "the log says what to do about the size:\n{log}"
    );
    for secret in [KEY, "the-key-of-tomorrow", "client-1", &proof(KEY, &body)] {
        assert!(!log.contains(secret), "the log shows {secret}:\n{log}");
    }
    assert!(!log.contains("signature="), "a query stands in the log:\n{log}");
}

#[test]
fn a_server_without_any_secret_starts_and_refuses() {
    let sandbox = ledger();
    let server = Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0"], &[]);
    let body = document("doc1");
    assert_eq!(pandadoc(server.address(), KEY, "e", &body).unwrap().status, 503);
    assert!(
        server.log().contains("pandadoc"),
        "it says which providers it refuses:\n{}",
        server.log()
    );
}

#[cfg(unix)]
#[test]
fn it_ends_when_told_and_finishes_what_it_holds() {
    let sandbox = ledger();
    let mut server = Running::serve(&sandbox);
    for number in 0..10 {
        let event = format!("e{number}");
        assert_eq!(
            pandadoc(server.address(), KEY, &event, &document(&format!("doc{number}")))
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    let inbox = sandbox.join("ledger/.git/handoff/inbox");
    let left = std::fs::read_dir(inbox.join("work")).unwrap().count();
    assert_eq!(left, 0, "nothing stays in hand");
    let next = Running::serve(&sandbox);
    next.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 10);
}

#[test]
fn an_inbox_that_cannot_be_written_means_come_again() {
    let sandbox = ledger();
    let server = Running::serve(&sandbox);
    let (at, body) = (server.address(), document("doc1"));
    let new = sandbox.join("ledger/.git/handoff/inbox/new");
    // Taking the folder away fails for root as well, whom permissions do not stop.
    std::fs::rename(&new, new.with_extension("away")).unwrap();
    let refused = pandadoc(at, KEY, "e1", &body).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.head.to_lowercase().contains("retry-after"), "{}", refused.head);
    assert_eq!(get(at, "/readyz").status, 503);
    std::fs::rename(new.with_extension("away"), &new).unwrap();
    assert_eq!(
        pandadoc(at, KEY, "e1", &body).unwrap().status,
        200,
        "the provider's retry succeeds"
    );
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 1);
}

#[test]
fn a_voided_document_is_recorded_and_a_failure_is_seen() {
    let sandbox = ledger();
    let server = Running::serve(&sandbox);
    let at = server.address();
    let body = document("doc1");
    assert_eq!(pandadoc(at, KEY, "e1", &body).unwrap().status, 200);
    server.wait_until_idle();
    let voided = String::from_utf8(body)
        .unwrap()
        .replace("document.completed", "document.voided")
        .into_bytes();
    assert_eq!(pandadoc(at, KEY, "e2", &voided).unwrap().status, 200);
    server.wait_until_idle();
    let timeline =
        sandbox.git("ledger", &["show", &format!("HEAD:{}/timeline.yaml", briefs(&sandbox)[0])]);
    assert!(timeline.contains("voided"), "{timeline}\n{}", server.log());

    // Two ids that give one key: the second needs a person.
    assert_eq!(pandadoc(at, KEY, "e3", &document("DOC1")).unwrap().status, 200);
    let health = eventually("the failure shows", || {
        let health = get(at, "/healthz").json();
        (health["status"] == "degraded").then_some(health)
    });
    assert_eq!(health["inbox"]["failed"], 1, "{health}");
    let listed = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0).json();
    assert_eq!(listed["events"][0]["state"], "failed", "{listed}");
    let why = listed["events"][0]["errors"][0]["message"].as_str().unwrap();
    assert!(why.contains("same key"), "{why}");
    let id = listed["events"][0]["delivery_id"].as_str().unwrap();
    let shown = sandbox.handoff("ledger", &["inbox", "show", &id[..6]]).exits(0);
    assert!(shown.stdout.contains("same key") && shown.stdout.contains("DOC1"), "{}", shown.stdout);
    sandbox.handoff("ledger", &["inbox", "drop", id]).exits(0);
    assert_eq!(get(at, "/healthz").json()["status"], "ok");
    assert_eq!(
        pandadoc(at, KEY, "e3", &document("DOC1")).unwrap().status,
        200,
        "its retry is known"
    );
    assert_eq!(get(at, "/healthz").json()["inbox"]["new"], 0);
}
