//! Every good request spoiled in every way: refused for the right reason, with
//! an answer that is never 410 and tells no secret.

use handoff::webhook::BODY_LIMIT;
use http::Method;

use super::samples::{Sample, all};

#[test]
fn the_good_requests_are_good() {
    let told: Vec<Vec<String>> = all().iter().map(Sample::deals).collect();
    assert_eq!(told, [vec!["31874500101"], vec!["006Hs00000aB1cDIAS"], vec!["7001"]]);
}

#[test]
fn without_a_secret_everything_is_refused() {
    for sample in all() {
        for secret in ["", " , "] {
            let sample = sample.clone().with_secret(secret);
            assert_eq!(sample.refused("without a secret"), ("no_secret", 503));
        }
    }
}

#[test]
fn a_wrong_secret_is_refused() {
    for sample in all() {
        for secret in ["another:secret", "x-long-login:", "somebody:else"] {
            let wrong = sample.clone().with_secret(secret);
            assert_eq!(wrong.refused("with a wrong secret"), ("bad_signature", 401));
        }
    }
}

#[test]
fn secrets_can_be_rotated() {
    for sample in all() {
        let secret = sample.secret.1.clone();
        for both in [format!("new:password,{secret}"), format!("{secret} , new:password")] {
            let told = sample.clone().with_secret(&both).send();
            assert!(told.is_ok(), "{} with two secrets: {told:?}", sample.crm);
        }
    }
}

#[test]
fn a_crm_that_is_not_connected_is_refused_plainly() {
    for mut sample in all() {
        sample.settings = "file: {deals: deals.csv}".to_owned();
        assert_eq!(sample.refused("while a file is connected"), ("not_connected", 404));
        let words = sample.send().unwrap_err().to_string();
        assert!(words.contains(&format!("`crm.{}` is not in handoff.yaml", sample.crm)), "{words}");
    }
}

#[test]
fn without_the_setting_that_proves_the_account_everything_is_refused() {
    for mut sample in all().into_iter().filter(|sample| sample.crm != "pipedrive") {
        sample.settings = format!("{}: {{}}", sample.crm);
        assert_eq!(sample.refused("without its settings"), ("no_setting", 503));
    }
}

#[test]
fn methods_sizes_and_content_types_are_looked_at() {
    for sample in all() {
        let mut get = sample.clone();
        get.method = Method::GET;
        assert_eq!(get.refused("with GET"), ("wrong_method", 405));
        let large = sample.clone().with_body(vec![b' '; BODY_LIMIT + 1]);
        assert_eq!(large.refused("oversized"), ("too_large", 413));
        let form = sample.clone().with_header("content-type", "multipart/form-data; boundary=x");
        assert_eq!(form.refused("as a form"), ("wrong_content_type", 415));
        let silent = sample.clone().without_header("content-type");
        assert!(silent.send().is_ok(), "{} without a content type", sample.crm);
    }
}

#[test]
fn a_body_that_is_none_is_malformed() {
    for sample in all() {
        for body in ["", "  ", "{", "[1]", "null", "<a>", "<a></b>", "\u{feff}"] {
            let mut spoiled = sample.clone().with_body(body);
            if sample.crm == "hubspot" {
                spoiled = spoiled.signed();
            }
            assert_eq!(spoiled.refused(body), ("malformed", 400), "{body:?}");
        }
    }
}

#[test]
fn the_same_delivery_is_the_same_and_another_is_another() {
    let told = all().map(|sample| sample.send().unwrap());
    for (sample, told) in all().iter().zip(&told) {
        assert_eq!(sample.send().unwrap().delivery_id(), told.delivery_id(), "{}", sample.crm);
    }
    let ids: std::collections::BTreeSet<&str> =
        told.iter().map(|told| told.delivery_id().as_str()).collect();
    assert_eq!(ids.len(), 3);
}
