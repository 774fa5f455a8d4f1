//! Timestamps of checkpoints (RFC 3161): asked for over HTTP from an authority
//! that OpenSSL plays, and verified offline.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::sandbox::{Ran, Sandbox};

const SETTINGS: &str = "[tsa]\ndefault_tsa = it\n[it]\nserial = ./serial\ncrypto_device = builtin\nsigner_digest = sha256\n\
    default_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\ness_cert_id_alg = sha256\n\
    [req]\ndistinguished_name = dn\n[dn]\n[ca]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n\
    [leaf]\nbasicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = critical,timeStamping\n\
    [server]\nbasicConstraints = critical,CA:FALSE\nextendedKeyUsage = serverAuth\n";

fn openssl(sandbox: &Sandbox, arguments: &str) -> bool {
    let mut command = sandbox.command("openssl", sandbox.join("tsa"));
    let ran = command.args(arguments.split_whitespace()).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// An authority's files; whether OpenSSL is there to make them.
fn authority(sandbox: &Sandbox) -> bool {
    sandbox.write("tsa/settings", SETTINGS);
    sandbox.write("tsa/serial", "01\n");
    for ca in ["ca", "other"] {
        let new = format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {ca}.key -out {ca}.pem -subj /CN={ca} -days 3650 -config settings -extensions ca"
        );
        if !openssl(sandbox, &new) {
            eprintln!("skipped: there is no openssl");
            return false;
        }
    }
    for (name, extensions) in [("it", "leaf"), ("web", "server")] {
        let request = format!(
            "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name} -config settings"
        );
        let issue = format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 3650 -extfile settings -extensions {extensions}"
        );
        assert!(openssl(sandbox, &request) && openssl(sandbox, &issue));
    }
    true
}

/// What an authority answers to a query; `None` where OpenSSL refuses it.
fn answer(folder: &Path, query: &[u8]) -> Option<Vec<u8>> {
    fs::write(folder.join("query"), query).unwrap();
    let made = std::process::Command::new("openssl")
        .current_dir(folder)
        .args(["ts", "-reply", "-config", "settings", "-queryfile", "query"])
        .args(["-inkey", "it.key", "-signer", "it.pem", "-out", "reply"])
        .output()
        .unwrap();
    made.status.success().then(|| fs::read(folder.join("reply")).unwrap())
}

/// A reply with other words about its status: DER in which `granted` alone
/// becomes `granted` and a text.
fn with_words(reply: &[u8], words: &str) -> Vec<u8> {
    let status = [0x30, 0x03, 0x02, 0x01, 0x00];
    let at = reply.windows(5).position(|part| part == status).unwrap();
    let length = |bytes: usize| {
        let bytes = u16::try_from(bytes).unwrap().to_be_bytes();
        [&[0x82][..], &bytes].concat()
    };
    let part = |tag: u8, inner: &[u8]| [&[tag][..], &length(inner.len()), inner].concat();
    let text = part(0x30, &part(0x0c, words.as_bytes()));
    let status = part(0x30, &[&[0x02, 0x01, 0x00][..], &text].concat());
    part(0x30, &[&status[..], &reply[at + 5..]].concat())
}

/// A ledger whose commits are older than any clock that stamps them.
fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["--now", "2021-11-01T00:00:00Z", "init", "l", "--crm", "file"]).exits(0);
    sandbox.write(
        "deals.csv",
        format!(
            "{}1,Acme,Closed Won,2021-11-02 10:00,Riley Ross,100.00,USD,true,New\n",
            super::HEADER
        ),
    );
    sandbox
}

fn audit(sandbox: &Sandbox, now: &str, more: &[&str]) -> Ran {
    let audit =
        ["--now", now, "audit", "--deals", "../deals.csv", "--checkpoint", "--format", "csv"];
    sandbox.handoff("l", &[&audit[..], more].concat())
}

fn verify(sandbox: &Sandbox, trust: &str) -> Ran {
    sandbox.handoff("l", &["verify", "--tsa-trust", trust])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_stamped_and_the_stamp_is_verified_offline() {
    let sandbox = ledger();
    if !authority(&sandbox) {
        return;
    }
    let folder = sandbox.join("tsa");
    let fake = Fake::serve(move |asked: &Asked| {
        let is_query =
            asked.headers.get("content-type").is_some_and(|it| it == "application/timestamp-query");
        assert!(is_query && asked.is("POST", "/tsr"), "{} {}", asked.method, asked.path);
        match answer(&folder, &asked.bytes) {
            Some(reply) => Reply::Bytes(200, "application/timestamp-reply", reply),
            None => Reply::Json(400, serde_json::json!({})),
        }
    })
    .await;
    let url = format!("{}/tsr", fake.url);
    let stamped = ["--timestamp", &url];
    audit(&sandbox, "2021-12-01T06:00:00Z", &[]).exits(1);
    let ran = audit(&sandbox, "2022-01-01T06:00:00Z", &stamped).exits(1);
    assert!(ran.stderr.contains("has stamped it"), "{}", ran.stderr);
    drop(fake);
    // Offline; the first one has none and is held by the second.
    let told = verify(&sandbox, "../tsa/ca.pem").exits(0).stdout;
    assert_eq!(told.matches("  timestamped 20").count(), 1, "{told}");
    let json = sandbox
        .handoff("l", &["verify", "--tsa-trust", "../tsa/ca.pem", "--format", "json"])
        .json();
    assert!(json["timestamps"][0]["at"].is_string(), "{json}");
    // Without anybody to trust nothing is said of it.
    assert!(!sandbox.handoff("l", &["verify"]).exits(0).stdout.contains("timestamp"));
    // Another authority's certificate, or none at all.
    let told = verify(&sandbox, "../tsa/other.pem").exits(1).stdout;
    assert!(told.contains("its timestamp does not count: certificate verify error"), "{told}");
    verify(&sandbox, "../tsa/nobody.pem").exits(2);
    // The stamp of something else, half a stamp, and what is none.
    let names =
        sandbox.git("l", &["for-each-ref", "--format=%(refname)", "refs/handoff/timestamps"]);
    let name = names.trim();
    let kept = sandbox.git("l", &["rev-parse", name]);
    let blob = sandbox.join("blob");
    let mut bytes = Vec::new();
    let put = |bytes: &[u8]| {
        fs::write(&blob, bytes).unwrap();
        let id = sandbox.git("l", &["hash-object", "-w", &blob.display().to_string()]);
        sandbox.git("l", &["update-ref", name, id.trim()]);
        verify(&sandbox, "../tsa/ca.pem").exits(1).stdout
    };
    let reply = sandbox.join("tsa/reply");
    bytes.extend(fs::read(&reply).unwrap());
    assert!(put(&bytes[..bytes.len() / 2]).contains("is not a timestamp"));
    assert!(put(b"no stamp").contains("is not a timestamp"));
    let other = openssl(
        &sandbox,
        &format!("ts -query -digest {} -sha256 -cert -no_nonce -out query2", "ab".repeat(32)),
    );
    assert!(other);
    let foreign =
        answer(&sandbox.join("tsa"), &fs::read(sandbox.join("tsa/query2")).unwrap()).unwrap();
    assert!(put(&foreign).contains("message imprint mismatch"));
    // Words beside the token, which nobody signed: they name another time.
    let forged = with_words(&bytes, "x\nTime stamp: Dec  1 06:00:00 2021 GMT\n");
    let file = sandbox.write("forged", &forged);
    let id = sandbox.git("l", &["hash-object", "-w", &file.display().to_string()]);
    sandbox.git("l", &["update-ref", name, id.trim()]);
    let told = verify(&sandbox, "../tsa/ca.pem").exits(0).stdout;
    assert!(told.contains("  timestamped 20") && !told.contains("timestamped 2021"), "{told}");
    // One bit of the signature.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(put(&bytes).contains("does not count"));
    sandbox.git("l", &["update-ref", name, kept.trim()]);
    verify(&sandbox, "../tsa/ca.pem").exits(0);
    // The last checkpoint has none: it could have been made any time.
    audit(&sandbox, "2022-02-01T06:00:00Z", &[]).exits(1);
    let told = verify(&sandbox, "../tsa/ca.pem").exits(1).stdout;
    assert!(
        told.contains("The last checkpoint, of 2022-02-01 06:00 UTC, has no timestamp"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_refuses_or_stamps_too_early_does_not_count() {
    let sandbox = ledger();
    if !authority(&sandbox) {
        return;
    }
    // Not there, an error, a page, and a stamp of something else.
    let folder = sandbox.join("tsa");
    assert!(openssl(
        &sandbox,
        &format!("ts -query -digest {} -sha256 -cert -no_nonce -out query2", "ab".repeat(32))
    ));
    let foreign = answer(&folder, &fs::read(sandbox.join("tsa/query2")).unwrap()).unwrap();
    let turn = Arc::new(std::sync::Mutex::new(0));
    let fake = Fake::serve(move |asked: &Asked| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        match *turn {
            1 => Reply::Json(403, serde_json::json!({})),
            2 => Reply::Bytes(200, "text/html", b"<html>come in</html>".to_vec()),
            3 => Reply::Bytes(200, "application/timestamp-reply", foreign.clone()),
            _ => Reply::Bytes(
                200,
                "application/timestamp-reply",
                answer(&folder, &asked.bytes).unwrap(),
            ),
        }
    })
    .await;
    let url = format!("{}/tsr", fake.url);
    for (month, words) in [(1, "answered 403"), (2, "is not a timestamp"), (3, "of something else")]
    {
        let now = format!("2022-{month:02}-01T06:00:00Z");
        let ran = audit(&sandbox, &now, &["--timestamp", &url]).exits(3);
        assert!(ran.stderr.contains("the checkpoint has no timestamp: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(sandbox.git("l", &["for-each-ref", "refs/handoff/timestamps"]), "");
    let ran =
        audit(&sandbox, "2022-04-01T06:00:00Z", &["--timestamp", "http://tsa.example.com/tsr"])
            .exits(2);
    assert!(ran.stderr.contains("https"), "{}", ran.stderr);
    sandbox.handoff("l", &["audit", "--deals", "../deals.csv", "--timestamp", &url]).exits(2);
    // A commit that is dated after the stamp.
    let mut late = sandbox.command("git", sandbox.join("l"));
    late.env("GIT_COMMITTER_DATE", "2090-01-01T00:00:00Z").args([
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "late",
    ]);
    assert!(late.status().unwrap().success());
    audit(&sandbox, "2090-01-02T06:00:00Z", &["--timestamp", &url]).exits(1);
    let told = sandbox
        .handoff("l", &["--now", "2090-01-03T06:00:00Z", "verify", "--tsa-trust", "../tsa/ca.pem"]);
    let told = told.exits(1).stdout;
    assert!(told.contains("and the checkpoint's commit is of 2090-01-01"), "{told}");
    // A certificate of the same issuer that is for something else than timestamps is no authority's.
    let web = "ts -reply -config settings -queryfile query -inkey web.key -signer web.pem -out web";
    assert!(!openssl(&sandbox, web), "and OpenSSL makes none with it");
}
