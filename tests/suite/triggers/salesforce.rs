//! Salesforce's Outbound Message.

use handoff::crm::CrmConfig;
use handoff::yaml;

use super::samples::{Sample, TOKEN, body, salesforce};

/// The sample with a part of it exchanged.
#[track_caller]
fn with(part: &str, other: &str) -> Sample {
    let text = String::from_utf8(salesforce().body).unwrap();
    assert!(text.contains(part), "{part} is not in the sample");
    salesforce().with_body(text.replace(part, other))
}

/// The one notification of the sample.
fn notification() -> String {
    let text = String::from_utf8(salesforce().body).unwrap();
    let (start, end) =
        (text.find("<Notification>").unwrap(), text.find("</notifications>").unwrap());
    text[start..end].to_owned()
}

#[test]
fn the_answer_is_the_acknowledgement_and_nothing_else_is() {
    let answer = salesforce().accepted();
    assert_eq!((answer.status, answer.content_type), (200, "text/xml; charset=utf-8"));
    let expected = String::from_utf8(body("salesforce/outbound-message-ack.xml")).unwrap();
    assert_eq!(answer.body.trim(), expected.trim());
    let refused = salesforce().with_secret("another");
    let answer = refused.rejected(&refused.send().unwrap_err());
    assert!(answer.status >= 400 && !answer.body.contains("Ack"), "{answer:?}");
}

#[test]
fn the_token_is_wanted_in_the_query() {
    let asked = |query: Option<&str>| {
        let mut sample = salesforce();
        sample.query = query.map(str::to_owned);
        sample
    };
    for query in [None, Some(""), Some("token="), Some("tokens=x")] {
        assert_eq!(asked(query).refused("without token"), ("unsigned", 401), "{query:?}");
    }
    assert_eq!(asked(Some("token=k3")).refused("with a part"), ("bad_signature", 401));
    assert!(asked(Some(&format!("from=flow&token={TOKEN}"))).send().is_ok());
}

#[test]
fn the_organization_must_be_the_configured_one() {
    // The settings have its form of 15 characters, the message that of 18.
    assert!(salesforce().send().is_ok());
    let other = with("00DHs000002AbCdMAK", "00DHs000002AbCeMAK");
    assert_eq!(other.refused("of another org"), ("other_account", 401));
    let case = with("00DHs000002AbCdMAK", "00DHs000002abcd");
    assert_eq!(case.refused("in another case"), ("other_account", 401));
    let none = with("<OrganizationId>00DHs000002AbCdMAK</OrganizationId>", "");
    assert_eq!(none.refused("without it"), ("malformed", 400));
    for id in ["00D", "001Hs000002AbCdMAK", "00DHs000002AbC/MAK"] {
        let text = format!("salesforce: {{webhook: {{organization_id: {id}}}}}");
        let node = yaml::read(text.as_bytes()).unwrap();
        assert!(CrmConfig::read(&node).is_err(), "{id}");
    }
}

#[test]
fn only_opportunities_that_may_be_won_matter() {
    let none: [&str; 0] = [];
    assert_eq!(with("sf:Opportunity", "sf:Account").deals(), none);
    assert_eq!(with("<sf:IsWon>true", "<sf:IsWon>false").deals(), none);
    assert_eq!(with("<sf:IsWon>true</sf:IsWon>", "").deals(), ["006Hs00000aB1cDIAS"]);
    assert_eq!(with("006Hs00000aB1cDIAS", "006Hs00000aB1cD").deals(), ["006Hs00000aB1cDIAS"]);
}

#[test]
fn a_hundred_notifications_are_read_and_not_one_more() {
    let many = |count: usize| {
        let all: String = (0..count)
            .map(|at| {
                notification().replace("006Hs00000aB1cDIAS", &format!("006Hs00000aB{at:03}IAS"))
            })
            .collect();
        with(&notification(), &all)
    };
    assert_eq!(many(100).deals().len(), 100);
    assert_eq!(many(101).refused("with 101"), ("malformed", 400));
    assert_eq!(many(0).refused("with none"), ("malformed", 400));
}

#[test]
fn no_document_type_no_entity_and_no_depth_is_taken() {
    let malformed = ("malformed", 400);
    let doctype = "<!DOCTYPE x [<!ENTITY id \"006Hs00000aB1cDIAS\">]>\n<soapenv:Envelope";
    assert_eq!(with("<soapenv:Envelope", doctype).refused("with a DTD"), malformed);
    for id in ["&id;", "&#48;06Hs00000aB1cDIAS", "<![CDATA[006Hs00000aB1cDIAS]]>", "", "../x"] {
        let sample = with("<sf:Id>006Hs00000aB1cDIAS", &format!("<sf:Id>{id}"));
        assert_eq!(sample.refused(id), malformed, "{id}");
    }
    let padded = format!("006Hs00000aB1cDIAS<!-- -->{}", "x".repeat(300));
    assert_eq!(with("006Hs00000aB1cDIAS", &padded).refused("padded"), malformed);
    let deep = format!("{}{}", "<a>".repeat(5_000), "</a>".repeat(5_000));
    assert_eq!(
        with("<sf:Name>Northwind Robotics - Platform</sf:Name>", &deep).refused("deep"),
        malformed
    );
    let cut = salesforce().body[..700].to_vec();
    assert_eq!(salesforce().with_body(cut).refused("cut off"), malformed);
    // What a customer wrote elsewhere is not read at all.
    let name = with("Northwind Robotics - Platform", "Fish &amp; Chips &unknown;");
    assert_eq!(name.deals(), ["006Hs00000aB1cDIAS"]);
}

#[test]
fn a_retry_is_known_in_whatever_batch_it_comes() {
    let delivery = |sample: &Sample| sample.send().unwrap().delivery_id().clone();
    let other = notification().replace("04lHs00000nTf01IAC", "04lHs00000nTf02IAC");
    let ahead = with(&notification(), &format!("{other}{}", notification()));
    let behind = with(&notification(), &format!("{}{other}", notification()));
    assert_eq!(delivery(&ahead), delivery(&behind));
    assert_ne!(delivery(&ahead), delivery(&salesforce()));
}
