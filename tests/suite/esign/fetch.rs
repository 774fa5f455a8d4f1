//! The providers' APIs, answered by a server in this process.

use chrono::{DateTime, TimeDelta, Utc};
use handoff::esign::{Authenticity, DeliveryId, FetchError, Fetcher, Providers, Verified, confirm};
use handoff::http::Limits;
use handoff::model::{DocumentId, Secrets, Signature, SignatureEvent};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::samples::{Sample, file, json_file, now, providers, sample};

/// A key for every API; none of them may appear in any message.
fn secrets() -> Secrets {
    let names = [
        "PANDADOC_API_KEY",
        "DOCUSIGN_ACCESS_TOKEN",
        "DROPBOX_SIGN_API_KEY",
        "ADOBE_SIGN_ACCESS_TOKEN",
    ];
    Secrets::new(names.map(|name| (name.to_owned(), "key-of-tests,older".into())))
}

/// All providers with their API at this server.
fn providers_at(server: &MockServer) -> Providers {
    let settings = format!(
        "pandadoc: {{base_url: '{0}'}}\ndocusign: {{base_url: '{0}', account_id: acc-1}}\ndropbox_sign: {{base_url: '{0}/v3'}}\nadobe_sign: {{base_url: '{0}'}}\n",
        server.uri()
    );
    super::samples::with(&settings)
}

pub(super) fn fetcher(server: &MockServer, name: &str) -> Box<dyn Fetcher> {
    let providers = providers_at(server);
    let provider = providers.by_name(name).expect("a provider");
    let api = provider.fetcher(&secrets(), Limits::default());
    api.expect("its secret is set").expect("it has an API")
}

async fn answer(server: &MockServer, at: &str, body: &Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

fn completed(events: &[SignatureEvent]) -> &Signature {
    match events {
        [SignatureEvent::Completed(signature)] => signature,
        other => panic!("expected one completion, got {other:?}"),
    }
}

fn day(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// The window of the samples' day.
pub(super) fn window() -> (DateTime<Utc>, DateTime<Utc>) {
    (day("2026-10-14T00:00:00Z"), day("2026-10-15T00:00:00Z"))
}

#[tokio::test]
async fn pandadoc_details_fill_what_a_lean_webhook_lacks() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/public/v1/documents/f9CbJKS4ZAs6nU629cuowb/details"))
        .and(header("authorization", "API-Key key-of-tests"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_raw(file("pandadoc-details.response.json"), "application/json"),
        )
        .mount(&server)
        .await;
    let api = fetcher(&server, "pandadoc");
    let verified = sample("pandadoc-completed-lean").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    assert!(confirmed.not_enriched.is_empty(), "{:?}", confirmed.not_enriched);
    let signature = completed(&confirmed.events);
    assert_eq!(signature.signed_at, Some(day("2026-10-14T15:43:53.877522Z")));
    assert_eq!(signature.metadata["Client.Company"], "Brightwater Logistics Ltd");
    assert_eq!(signature.metadata["document.number"], "MTMJR-FEUQB-ECEWW-3WVZP");
    assert_eq!(signature.signers.len(), 2);
    assert_eq!(signature.signers[0].signed_at, Some(day("2026-10-13T18:02:41.100135Z")));
    assert_eq!(signature.deal_refs.len(), 1, "{:?}", signature.deal_refs);
    assert!(!serde_json::to_string(signature).expect("json").contains("15d4b481384b"), "a link");
}

#[tokio::test]
async fn a_signed_webhook_stands_when_the_api_does_not_answer() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({"detail": "no such key"})))
        .mount(&server)
        .await;
    let api = fetcher(&server, "pandadoc");
    let lean = || sample("pandadoc-completed-lean").verified();
    let confirmed = confirm(lean(), Some(api.as_ref())).await.expect("it stands");
    completed(&confirmed.events);
    let told = confirmed.not_enriched[0].to_string();
    assert!(told.contains("PANDADOC_API_KEY") && told.contains("no such key"), "{told}");
    assert!(!told.contains("key-of-tests"), "{told}");
    // Without any API as well; and one that has everything asks nothing.
    completed(&confirm(lean(), None).await.expect("it stands").events);
    let full = String::from_utf8(sample("pandadoc-completed-full").body).expect("text");
    let full = full.replacen("\"id\":", "\"folder_uuid\":\"f-1\",\"id\":", 1);
    let providers = providers();
    let (provider, events) = providers.parse(None, full.as_bytes()).expect("it is read");
    let id = DeliveryId::of(&[full.as_bytes()]);
    let full = Verified::vouched(provider, id, events, Authenticity::Body);
    let confirmed = confirm(full, Some(api.as_ref())).await.expect("it stands");
    assert!(confirmed.not_enriched.is_empty());
}

fn dropbox() -> Sample {
    sample("dropboxsign-all-signed")
}

const REQUEST: &str = "/v3/signature_request/fa5c8a0b0f492d768749333ad6fcc214c111e967";

#[tokio::test]
async fn a_hint_is_acted_upon_as_the_api_tells_it() {
    let server = MockServer::start().await;
    let mut truth = json_file("dropboxsign-all-signed.json")["signature_request"].clone();
    truth["title"] = "The real title".into();
    Mock::given(method("GET"))
        .and(path(REQUEST))
        // The key as the user's name, an empty password.
        .and(header("authorization", "Basic a2V5LW9mLXRlc3RzOg=="))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"signature_request": truth})))
        .mount(&server)
        .await;
    // Somebody changes what the hash does not cover.
    let mut forged = dropbox();
    let text = String::from_utf8(forged.body).expect("text");
    forged.body = text.replace("18640329741", "666").into_bytes();
    let verified = forged.verified();
    assert_eq!(completed(verified.claims()).deal_refs[0].id.as_str(), "666");
    let api = fetcher(&server, "dropbox-sign");
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.deal_refs[0].id.as_str(), "18640329741");
    assert_eq!(signature.document_name.as_deref(), Some("The real title"));
}

#[tokio::test]
async fn a_hint_without_confirmation_is_not_acted_upon() {
    let server = MockServer::start().await;
    let refused = confirm(dropbox().verified(), None).await.expect_err("nobody to ask");
    assert!(matches!(refused, FetchError::CannotConfirm { .. }), "{refused}");
    let api = fetcher(&server, "dropbox-sign");
    // The document is unknown …
    let unknown = confirm(dropbox().verified(), Some(api.as_ref())).await.expect_err("unknown");
    assert!(matches!(unknown, FetchError::NotFound { .. }) && !unknown.may_pass(), "{unknown}");
    // … or is not complete, now.
    let mut open = json_file("dropboxsign-all-signed.json")["signature_request"].clone();
    open["is_complete"] = false.into();
    answer(&server, REQUEST, &json!({"signature_request": open})).await;
    let early = confirm(dropbox().verified(), Some(api.as_ref())).await.expect_err("not complete");
    assert!(matches!(early, FetchError::NotCompleted { .. }) && early.may_pass(), "{early}");
}

#[tokio::test]
async fn a_file_that_somebody_vouches_for_needs_no_api() {
    let providers = providers();
    let (provider, events) = providers.parse(None, &dropbox().body).expect("it is read");
    let id = DeliveryId::of(&[&dropbox().body]);
    let vouched = Verified::vouched(provider, id, events, Authenticity::Body);
    let confirmed = confirm(vouched, None).await.expect("it stands");
    assert_eq!(confirmed.provider.as_str(), "dropbox-sign");
    completed(&confirmed.events);
}

#[tokio::test]
async fn a_recalled_document_that_is_gone_is_voided_without_its_claims() {
    let server = MockServer::start().await;
    let mut recalled = sample("adobe-completed-full");
    let text = String::from_utf8(recalled.body).expect("text");
    recalled.body = text.replace("AGREEMENT_WORKFLOW_COMPLETED", "AGREEMENT_RECALLED").into_bytes();
    let api = fetcher(&server, "adobe-sign");
    let confirmed = confirm(recalled.verified(), Some(api.as_ref())).await.expect("told");
    match &confirmed.events[..] {
        [SignatureEvent::Voided { signature, what }] => {
            assert_eq!((signature.document_id.as_str(), what.as_str()), (AGREEMENT, "recalled"));
            assert_eq!(signature.document_name, None, "nothing of an unproved body is used");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_declined_document_is_voided_whatever_the_hint_says() {
    let server = MockServer::start().await;
    let mut declined = json_file("dropboxsign-all-signed.json")["signature_request"].clone();
    declined["is_declined"] = true.into();
    declined["is_complete"] = false.into();
    answer(&server, REQUEST, &json!({"signature_request": declined})).await;
    let api = fetcher(&server, "dropbox-sign");
    let confirmed = confirm(dropbox().verified(), Some(api.as_ref())).await.expect("told");
    assert!(
        matches!(&confirmed.events[..], [SignatureEvent::Voided { what, .. }] if what == "declined")
    );
}

const AGREEMENT: &str = "CBJCHBCAABAA2XhaLGV0pKssKU03QXTcTXS4ebPyoSL_";

/// An agreement as `AgreementInfo`, `MembersInfo` and `AgreementEventList` of
/// the vendor's specification have it.
async fn agreement(server: &MockServer, status: &str) {
    let root = format!("/api/rest/v6/agreements/{AGREEMENT}");
    let hook = json_file("adobe-completed-full.body.json")["agreement"].clone();
    let mut info = hook.clone();
    info["status"] = status.into();
    info["participantSetsInfo"] = json!([{"memberInfos": [{"email": "dana@x.example"}]}]);
    answer(server, &root, &info).await;
    answer(server, &format!("{root}/members"), &hook["participantSetsInfo"]).await;
    let event = |kind: &str, date: &str| json!({"type": kind, "date": date, "actingUserIpAddress": "203.0.113.20"});
    let events = [
        event("CREATED", "2026-10-12T09:14:05Z"),
        event("ACTION_COMPLETED", "2026-10-13T18:02:41Z"),
        event("ACTION_COMPLETED", "2026-10-14T15:43:53+0000"),
        event("EMAIL_VIEWED", "2026-10-15T01:00:00Z"),
    ];
    answer(server, &format!("{root}/events"), &json!({"events": events})).await;
}

#[tokio::test]
async fn adobe_hints_are_confirmed_with_people_and_time() {
    let server = MockServer::start().await;
    agreement(&server, "SIGNED").await;
    let api = fetcher(&server, "adobe-sign");
    let verified = sample("adobe-completed-minimal").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.signed_at, Some(day("2026-10-14T15:43:53Z")));
    assert_eq!(signature.signers[0].name.as_deref(), Some("Dana Whitfield"));
    assert_eq!(signature.deal_refs[0].id.as_str(), "18640329741");
    assert!(!serde_json::to_string(signature).expect("json").contains("203.0.113"), "an address");
}

#[tokio::test]
async fn adobe_lists_are_followed_to_their_end_and_dated_by_their_events() {
    let server = MockServer::start().await;
    agreement(&server, "SIGNED").await;
    let list = |rows: Value, next: Option<&str>| json!({"userAgreementList": rows, "page": {"nextCursor": next}});
    let row = |id: &str, status: &str, date: &str| json!({"id": id, "name": "x", "status": status, "displayDate": date});
    Mock::given(path("/api/rest/v6/agreements"))
        .and(query_param("cursor", "a/b"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(
            json!([
                row(AGREEMENT, "SIGNED", "2026-10-12T09:14:05Z"),
                row("old", "SIGNED", "2020-01-01T00:00:00Z")
            ]),
            None,
        )))
        .with_priority(1)
        .mount(&server)
        .await;
    let first = json!([
        row("open", "OUT_FOR_SIGNATURE", "2026-10-14T00:00:00Z"),
        row("lost", "SIGNED", "2026-10-14T00:00:00Z")
    ]);
    answer(&server, "/api/rest/v6/agreements", &list(first, Some("a/b"))).await;
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "adobe-sign").completed(since, until).await.into_parts();
    let ids: Vec<&str> = items.iter().map(|item| item.document_id.as_str()).collect();
    assert_eq!(ids, [AGREEMENT]);
    // The agreement whose events could not be read is a gap, not a silence.
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].what.contains("agreement lost"), "{gaps:?}");
    let later = fetcher(&server, "adobe-sign").completed(until, until + TimeDelta::days(1)).await;
    assert!(later.into_parts().0.is_empty(), "completed before the window");
}

#[tokio::test]
async fn a_list_whose_pages_go_in_a_circle_is_a_gap_and_ends() {
    let server = MockServer::start().await;
    agreement(&server, "SIGNED").await;
    // Each page names the same next one.
    let row = json!({"id": AGREEMENT, "name": "x", "status": "SIGNED", "displayDate": "2026-10-12T09:14:05Z"});
    let list = json!({"userAgreementList": [row], "page": {"nextCursor": "again"}});
    answer(&server, "/api/rest/v6/agreements", &list).await;
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "adobe-sign").completed(since, until).await.into_parts();
    assert_eq!((items.len(), gaps.len()), (1, 1), "{gaps:?}");
    assert!(gaps[0].what.contains("what follows page 2"), "{gaps:?}");
    assert!(gaps[0].why.contains("read already"), "{gaps:?}");
}

#[tokio::test]
async fn docusign_envelopes_fill_a_message_without_data() {
    let server = MockServer::start().await;
    let summary = json_file("docusign-completed-full.body.json")["data"]["envelopeSummary"].clone();
    Mock::given(method("GET"))
        .and(path("/restapi/v2.1/accounts/acc-1/envelopes/a70a5ef2-0000-4000-8000-b84134dce420"))
        .and(query_param("include", "custom_fields,recipients,documents,folders,powerform,tabs"))
        .and(header("authorization", "Bearer key-of-tests"))
        .respond_with(ResponseTemplate::new(200).set_body_json(summary))
        .mount(&server)
        .await;
    let api = fetcher(&server, "docusign");
    let verified = sample("docusign-completed-minimal").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.deal_refs.len(), 2);
    assert_eq!(signature.metadata["Annual amount"], "48000.00");
    assert_eq!(signature.signers.len(), 2);
}

#[tokio::test]
async fn docusign_lists_are_read_to_their_total() {
    let server = MockServer::start().await;
    let row = |id: &str, at: &str| json!({"envelopeId": id, "status": "completed", "completedDateTime": at});
    let page = |rows: Value, next: Option<&str>| json!({"envelopes": rows, "totalSetSize": "3", "nextUri": next});
    let listed = "/restapi/v2.1/accounts/acc-1/envelopes";
    for (start, rows) in [
        (
            "0",
            json!([row("a", "2026-10-14T01:00:00.1234567Z"), row("early", "2026-10-13T01:00:00Z")]),
        ),
        ("2", json!([row("b", "2026-10-14T02:00:00Z")])),
    ] {
        Mock::given(path(listed))
            .and(query_param("start_position", start))
            .and(query_param("from_to_status", "completed"))
            .and(query_param("from_date", "2026-10-14T00:00:00.000Z"))
            .respond_with(ResponseTemplate::new(200).set_body_json(page(rows, None)))
            .mount(&server)
            .await;
    }
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "docusign").completed(since, until).await.into_parts();
    let ids: Vec<&str> = items.iter().map(|item| item.document_id.as_str()).collect();
    assert_eq!((ids, gaps.len()), (vec!["a", "b"], 0));
}

/// Full pages of PandaDoc's list, then a rest.
fn rows(from: usize, count: usize) -> Value {
    let row = |n: usize| json!({"id": format!("doc{n}"), "name": "x", "status": "document.completed", "date_completed": "2026-10-14T10:00:00Z"});
    json!({"results": (from..from + count).map(row).collect::<Vec<_>>()})
}

async fn pandadoc_page(server: &MockServer, page: &str, answer: ResponseTemplate) {
    Mock::given(path("/public/v1/documents"))
        .and(query_param("page", page))
        .and(query_param("status", "2"))
        .and(query_param("count", "100"))
        .and(query_param("completed_from", "2026-10-14T00:00:00.000Z"))
        .and(query_param("completed_to", "2026-10-15T00:00:00.000Z"))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn pandadoc_lists_are_read_page_by_page() {
    let server = MockServer::start().await;
    pandadoc_page(&server, "1", ResponseTemplate::new(200).set_body_json(rows(0, 100))).await;
    // One moved down while the pages were read.
    pandadoc_page(&server, "2", ResponseTemplate::new(200).set_body_json(rows(99, 31))).await;
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "pandadoc").completed(since, until).await.into_parts();
    assert_eq!((items.len(), gaps.len()), (130, 0), "{gaps:?}");
    assert_eq!(items[0].signed_at, Some(day("2026-10-14T10:00:00Z")));
}

#[tokio::test]
async fn a_page_that_fails_is_a_gap_and_never_a_shorter_list() {
    let server = MockServer::start().await;
    pandadoc_page(&server, "1", ResponseTemplate::new(200).set_body_json(rows(0, 100))).await;
    pandadoc_page(&server, "2", ResponseTemplate::new(403).set_body_json(json!({"detail": "no"})))
        .await;
    let (since, until) = window();
    let list = fetcher(&server, "pandadoc").completed(since, until).await;
    assert!(!list.is_complete());
    let (items, gaps) = list.into_parts();
    assert_eq!(items.len(), 100);
    assert!(gaps[0].what.contains("page 2 and after"), "{gaps:?}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_a_gap_for_every_provider() {
    let (since, until) = window();
    for body in ["{}", "[]", "null", "<html>", "{\"results\": 7}"] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        for name in ["pandadoc", "docusign", "dropbox-sign", "adobe-sign"] {
            let api = fetcher(&server, name);
            let list = api.completed(since, until).await;
            assert!(!list.is_complete(), "{name}: {body} must not look like an empty list");
            let error = api.document(&DocumentId::new("../x?y")).await.expect_err(body);
            assert!(error.may_pass(), "{name}: {error}");
        }
    }
}

/// 202 is an answer that is not ready, 206 and 207 are parts of one.
#[tokio::test]
async fn a_list_that_is_not_whole_is_a_gap_for_every_provider() {
    let (since, until) = window();
    let list = json!({"results": [], "envelopes": [], "totalSetSize": "0", "signature_requests": [],
        "list_info": {"num_pages": 1}, "userAgreementList": [], "page": {}});
    for status in [200, 201, 202, 206, 207] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status).set_body_json(&list))
            .mount(&server)
            .await;
        for name in ["pandadoc", "docusign", "dropbox-sign", "adobe-sign"] {
            let list = fetcher(&server, name).completed(since, until).await;
            assert_eq!(list.is_complete(), status == 200, "{name}: {status}");
            let told = format!("status {status}");
            assert!(list.into_parts().1.iter().all(|gap| gap.why.contains(&told)), "{name}");
        }
    }
}

/// Pages that are always new and go on far beyond what is counted.
#[tokio::test]
async fn an_endless_list_ends_with_a_gap() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(|request: &wiremock::Request| {
            let start = request.url.query_pairs().find(|(name, _)| name == "start_position");
            let start: usize = start.and_then(|(_, at)| at.parse().ok()).unwrap_or_default();
            let envelopes: Vec<Value> = (0..100)
                .map(|at| json!({"id": start + at, "envelopeId": format!("e{}", start + at), "status": "completed"}))
                .collect();
            let total = (start + 200).to_string();
            ResponseTemplate::new(200)
                .set_body_json(json!({"envelopes": envelopes, "totalSetSize": total}))
        })
        .mount(&server)
        .await;
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "docusign").completed(since, until).await.into_parts();
    assert!(items.len() > 10_000 && items.len() < 20_000, "{}", items.len());
    assert!(gaps[0].why.contains("are counted"), "{gaps:?}");
}

#[tokio::test]
async fn dropbox_sign_lists_are_filtered_by_completion() {
    let server = MockServer::start().await;
    let truth = json_file("dropboxsign-all-signed.json")["signature_request"].clone();
    let mut late = truth.clone();
    late["signature_request_id"] = "late".into();
    late["signatures"][1]["signed_at"] = (now().timestamp() + 200_000).into();
    for (page, request) in [("1", late), ("2", truth)] {
        Mock::given(path("/v3/signature_request/list"))
            .and(query_param("page", page))
            .and(query_param("query", "complete:true"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({
                "signature_requests": [request],
                "list_info": {"page": 1, "num_pages": 2, "num_results": 2, "page_size": 1},
            })))
            .mount(&server)
            .await;
    }
    let (since, until) = window();
    let (items, gaps) = fetcher(&server, "dropbox-sign").completed(since, until).await.into_parts();
    assert_eq!((items.len(), gaps.len()), (1, 0), "{gaps:?}");
    assert_eq!(items[0].document_id.as_str(), "fa5c8a0b0f492d768749333ad6fcc214c111e967");
}

#[tokio::test]
async fn limits_are_waited_for() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "0"))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    answer(
        &server,
        "/public/v1/documents/a/details",
        &json!({"id": "a", "status": "document.completed"}),
    )
    .await;
    let event = fetcher(&server, "pandadoc").document(&DocumentId::new("a")).await.expect("told");
    assert!(matches!(event, SignatureEvent::Completed(_)));
}

#[tokio::test]
async fn what_notifications_lack_of_templates_and_folders_comes_from_the_api() {
    let server = MockServer::start().await;
    // PandaDoc: the folder's name, by its id.
    let mut details = json_file("pandadoc-details.response.json");
    details["folder_uuid"] = "folder-2".into();
    let pandadoc = "/public/v1/documents/f9CbJKS4ZAs6nU629cuowb/details";
    answer(&server, pandadoc, &details).await;
    let folders = json!({"results": [{"uuid": "folder-1", "name": "NDAs"}, {"uuid": "folder-2", "name": "Orders"}]});
    answer(&server, "/public/v1/documents/folders", &folders).await;
    let api = fetcher(&server, "pandadoc");
    let verified = sample("pandadoc-completed-full").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.folder.as_deref(), Some("Orders"));
    assert_eq!(signature.template.as_deref(), Some("Order Form v7"));
    // DocuSign: the templates' names, and the PowerForm's where there is none.
    let envelope = "/restapi/v2.1/accounts/acc-1/envelopes/a70a5ef2-0000-4000-8000-b84134dce420";
    let mut summary =
        json_file("docusign-completed-full.body.json")["data"]["envelopeSummary"].clone();
    summary["powerForm"] = json!({"name": "Order PowerForm", "powerFormId": "pf-1"});
    answer(&server, envelope, &summary).await;
    let api = fetcher(&server, "docusign");
    let verified = sample("docusign-completed-minimal").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    assert_eq!(completed(&confirmed.events).template.as_deref(), Some("Order PowerForm"));
    let templates = json!({"templates": [{"templateId": "t-1", "name": "Order form"}]});
    answer(&server, &format!("{envelope}/templates"), &templates).await;
    let verified = sample("docusign-completed-full").verified();
    let confirmed = confirm(verified, Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.template.as_deref(), Some("Order form"));
    assert_eq!(signature.template_id.as_deref(), Some("t-1"));
    // Dropbox Sign: the template's title.
    let mut request = json_file("dropboxsign-all-signed.json")["signature_request"].clone();
    request["template_ids"] = json!(["tpl-1"]);
    answer(&server, REQUEST, &json!({"signature_request": request})).await;
    answer(&server, "/v3/template/tpl-1", &json!({"template": {"title": "Order form"}})).await;
    let api = fetcher(&server, "dropbox-sign");
    let confirmed = confirm(dropbox().verified(), Some(api.as_ref())).await.expect("confirmed");
    let signature = completed(&confirmed.events);
    assert_eq!(signature.template.as_deref(), Some("Order form"));
    assert_eq!(signature.template_id.as_deref(), Some("tpl-1"));
    assert!(signature.sender.as_ref().and_then(|by| by.email.as_deref()).is_some());
}

#[tokio::test]
async fn adobe_tells_workflow_and_library_document() {
    let server = MockServer::start().await;
    let root = format!("/api/rest/v6/agreements/{AGREEMENT}");
    let mut info = json_file("adobe-completed-full.body.json")["agreement"].clone();
    info["workflowId"] = "wf/1".into();
    info["fileInfos"] = json!([{"label": "x"}, {"libraryDocumentId": "lib-1"}]);
    let members = info["participantSetsInfo"].clone();
    answer(&server, &root, &info).await;
    answer(&server, &format!("{root}/members"), &members).await;
    answer(&server, &format!("{root}/events"), &json!({"events": []})).await;
    answer(&server, "/api/rest/v6/libraryDocuments/lib-1", &json!({"name": "Order form"})).await;
    let api = fetcher(&server, "adobe-sign");
    let event = api.document(&DocumentId::new(AGREEMENT)).await.expect("told");
    let SignatureEvent::Completed(signature) = &event else { panic!("{event:?}") };
    assert_eq!(signature.template.as_deref(), Some("Order form"));
    assert_eq!(signature.template_id.as_deref(), Some("lib-1"));
    // The workflow's name could not be read; its id is still something to go by.
    assert_eq!(signature.folder.as_deref(), Some("wf/1"));
}
