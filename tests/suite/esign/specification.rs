//! What is asked of the APIs and read from their answers exists in the
//! vendors' specifications (DocuSign publishes its own apart from these; its
//! requests are checked against the names of its reference).

use std::collections::BTreeMap;

use handoff::model::DocumentId;
use serde_json::Value;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::fetch::{fetcher, window};
use super::samples::json_file;

/// Whether a path is this one of the specification, `{…}` standing for one part.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(want, part)| want.starts_with('{') || *want == part)
}

/// Answers that lead a fetcher to each of its questions.
fn answer(provider: &str) -> Value {
    match provider {
        "adobe-sign" => serde_json::json!({
            "id": "doc-1", "status": "SIGNED", "events": [],
            "userAgreementList": [{"id": "doc-1", "status": "SIGNED"}],
        }),
        _ => serde_json::json!({}),
    }
}

#[tokio::test]
async fn every_question_is_in_the_specification() {
    let specified = json_file("api-operations.json");
    for provider in ["pandadoc", "dropbox-sign", "adobe-sign"] {
        let operations = specified[provider].as_object().expect("operations");
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer(provider)))
            .mount(&server)
            .await;
        let api = fetcher(&server, provider);
        let _ = api.document(&DocumentId::new("doc-1")).await;
        let (since, until) = window();
        let _ = api.completed(since, until).await;
        let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
        for request in server.received_requests().await.expect("recorded") {
            let path = request.url.path();
            // `{agreementId}` would fit other paths too: the longest literal wins.
            let operation = operations
                .iter()
                .filter(|(template, _)| fits(template, path))
                .min_by_key(|(template, _)| template.matches('{').count());
            let Some((template, operation)) = operation else {
                panic!("{provider}: GET {path} is not in the specification")
            };
            *asked.entry(template).or_default() += 1;
            for (name, _) in request.url.query_pairs() {
                let known = operation["query"].as_array().expect("a list");
                let known = known.iter().any(|one| one.as_str() == Some(&name));
                assert!(known, "{provider}: GET {path} has no parameter {name}");
            }
        }
        assert_eq!(asked.len(), operations.len(), "{provider}: asked only {asked:?}");
    }
}

#[test]
fn every_field_that_is_read_is_in_the_specification() {
    let read: &[(&str, &str, &[&str])] = &[
        (
            "pandadoc",
            "/public/v1/documents",
            &["results[].id", "results[].name", "results[].status", "results[].date_completed"],
        ),
        (
            "pandadoc",
            "/public/v1/documents/{id}/details",
            &[
                "id",
                "name",
                "status",
                "date_completed",
                "ref_number",
                "metadata",
                "tags",
                "grand_total.amount",
                "grand_total.currency",
                "template.name",
                "sent_by.email",
                "created_by.email",
                "tokens[].name",
                "tokens[].value",
                "fields[].field_id",
                "fields[].name",
                "fields[].value",
                "linked_objects[].provider",
                "linked_objects[].entity_type",
                "linked_objects[].entity_id",
                "recipients[].recipient_type",
                "recipients[].has_completed",
                "recipients[].email",
                "recipients[].first_name",
                "recipients[].last_name",
                "recipients[].role",
                "recipients[].roles",
                "recipients[].signature_date",
                "pricing.tables[].is_included_in_total",
                "pricing.tables[].items[].name",
                "pricing.tables[].items[].sku",
                "pricing.tables[].items[].qty",
                "pricing.tables[].items[].price",
                "pricing.tables[].items[].description",
                "pricing.tables[].items[].options.optional",
                "pricing.tables[].items[].options.optional_selected",
            ],
        ),
        (
            "dropbox-sign",
            "/v3/signature_request/{signature_request_id}",
            &[
                "signature_request.signature_request_id",
                "signature_request.title",
                "signature_request.subject",
                "signature_request.test_mode",
                "signature_request.is_complete",
                "signature_request.is_declined",
                "signature_request.metadata",
                "signature_request.details_url",
                "signature_request.requester_email_address",
                "signature_request.custom_fields[].name",
                "signature_request.custom_fields[].api_id",
                "signature_request.response_data[].name",
                "signature_request.response_data[].api_id",
                "signature_request.response_data[].type",
                "signature_request.signatures[].signer_name",
                "signature_request.signatures[].signer_email_address",
                "signature_request.signatures[].signer_role",
                "signature_request.signatures[].status_code",
                "signature_request.signatures[].signed_at",
            ],
        ),
        (
            "dropbox-sign",
            "/v3/signature_request/list",
            &["list_info.num_pages", "signature_requests[].signature_request_id"],
        ),
        (
            "adobe-sign",
            "/api/rest/v6/agreements",
            &[
                "userAgreementList[].id",
                "userAgreementList[].name",
                "userAgreementList[].status",
                "userAgreementList[].displayDate",
                "page.nextCursor",
            ],
        ),
        (
            "adobe-sign",
            "/api/rest/v6/agreements/{agreementId}",
            &["id", "name", "status", "message", "senderEmail", "externalId.id"],
        ),
        (
            "adobe-sign",
            "/api/rest/v6/agreements/{agreementId}/members",
            &[
                "participantSets[].role",
                "participantSets[].status",
                "participantSets[].memberInfos[].name",
                "participantSets[].memberInfos[].email",
                "participantSets[].memberInfos[].company",
                "participantSets[].memberInfos[].status",
            ],
        ),
        (
            "adobe-sign",
            "/api/rest/v6/agreements/{agreementId}/events",
            &["events[].type", "events[].date"],
        ),
    ];
    let specified = json_file("api-operations.json");
    for (provider, path, fields) in read {
        // Adobe's old form of specification writes objects like lists.
        let plain = |field: &str| field.replace("[]", "");
        let known: Vec<String> = specified[provider][path]["answer"]
            .as_array()
            .unwrap_or_else(|| panic!("{provider} {path}"))
            .iter()
            .map(|field| plain(field.as_str().expect("text")))
            .collect();
        for field in *fields {
            assert!(known.contains(&plain(field)), "{provider}: {path} has no {field}");
        }
    }
}
