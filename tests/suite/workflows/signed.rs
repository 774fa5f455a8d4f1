//! Documents as each e-sign provider sends and answers them: the notification as a
//! relay passes it on, with its proof, and the provider's API.

use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::runner::base64;
use crate::deliver::fake::{Asked, Fake, Reply};
use crate::sandbox::fixture;

/// What may start a handoff: each provider, a sender that settings describe, nothing.
pub(super) const ESIGN: [&str; 7] =
    ["pandadoc", "docusign", "dropbox-sign", "adobe-sign", "standard-webhooks", "docuseal", "none"];

/// The keys of the tests' accounts, by the names of the secrets.
const KEY: &str = "handoff-test-key";
const STANDARD_KEY: &str = "whsec_aGFuZG9mZi10ZXN0LWtleS1vZi0zMi1ieXRlcy0hIQ==";

/// When everybody had signed, a moment before the tests' own.
const RECEIVED: &str = "2026-11-20T15:44:00Z";
/// The same in seconds.
const RECEIVED_SECONDS: i64 = 1_795_189_440;

/// A document that everybody has signed, of a deal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document {
    /// 1 or 2.
    pub(super) number: u8,
    /// The CRM that its sender names.
    pub(super) crm: &'static str,
    pub(super) deal: &'static str,
}

/// The `esign:` section for this choice, with its API at an address.
pub(super) fn section(esign: &str, api: &str) -> String {
    match esign {
        "docusign" => format!("docusign: {{base_url: '{api}', account_id: acc-1}}"),
        "dropbox-sign" => format!("dropbox-sign: {{base_url: '{api}/v3'}}"),
        "pandadoc" | "adobe-sign" => format!("{esign}: {{base_url: '{api}'}}"),
        "standard-webhooks" => format!("{esign}: {{}}"),
        "none" => "{}".to_owned(),
        sender => format!("senders: {{{sender}: {{}}}}"),
    }
}

/// The secrets that prove its notifications, and those that its API takes.
pub(super) fn secrets(esign: &str) -> Vec<(&'static str, &'static str)> {
    match esign {
        "pandadoc" => vec![("PANDADOC_WEBHOOK_KEY", KEY), ("PANDADOC_API_KEY", KEY)],
        "docusign" => vec![("DOCUSIGN_HMAC_KEY", KEY), ("DOCUSIGN_ACCESS_TOKEN", KEY)],
        "dropbox-sign" => vec![("DROPBOX_SIGN_API_KEY", KEY)],
        "adobe-sign" => vec![("ADOBE_SIGN_CLIENT_ID", KEY), ("ADOBE_SIGN_ACCESS_TOKEN", KEY)],
        "standard-webhooks" => vec![("STANDARD_WEBHOOKS_SECRET", STANDARD_KEY)],
        "docuseal" => vec![("DOCUSEAL_WEBHOOK_SECRET", KEY)],
        _ => Vec::new(),
    }
}

/// Whether it is none that `init` offers: settings describe it.
pub(super) fn is_sender(esign: &str) -> bool {
    esign == "docuseal"
}

/// Whether documents that never arrived can be asked for.
pub(super) fn has_api(esign: &str) -> bool {
    ["pandadoc", "docusign", "dropbox-sign", "adobe-sign"].contains(&esign)
}

/// What a run says of why it believes the notification.
pub(super) fn believed(esign: &str) -> &'static str {
    match esign {
        "none" => "was not verified: the envelope has the payload alone",
        "dropbox-sign" | "adobe-sign" => "its API is asked what was signed",
        _ => "the signature is verified",
    }
}

impl Document {
    fn id(&self, esign: &str) -> String {
        match esign {
            "docusign" => format!("a70a5ef2-0000-4000-8000-b84134dce42{}", self.number),
            "dropbox-sign" => format!("fa5c8a0b0f492d768749333ad6fcc214c111e96{}", self.number),
            _ => format!("document-{}", self.number),
        }
    }

    /// The name under which a sender writes the deal's id on a document.
    fn field(&self) -> String {
        match self.crm {
            "salesforce" => "salesforce_opportunity_id".to_owned(),
            crm => format!("{crm}_deal_id"),
        }
    }

    /// A file of the samples, of this document and the tests' day.
    fn sample(&self, name: &str) -> Value {
        let mut text = std::fs::read_to_string(fixture(name)).unwrap();
        for (day, now) in [
            ("2026-10-14", "2026-11-20"),
            ("2026-10-13", "2026-11-19"),
            ("2026-10-12", "2026-11-18"),
            ("2026-11-28", "2026-11-20"),
            // Dropbox Sign counts seconds: 37 days later.
            ("1791992633", "1795189433"),
            ("1791914561", "1795111361"),
            ("1791796445", "1794993245"),
        ] {
            text = text.replace(day, now);
        }
        serde_json::from_str(&text).unwrap()
    }

    /// PandaDoc's document, in its notification and in its details.
    fn pandadoc(&self) -> Value {
        let mut data = self.sample("esign/pandadoc-completed-full.body.json")[0]["data"].clone();
        data["id"] = json!(self.id("pandadoc"));
        data["metadata"] = json!({});
        let kind = if self.crm == "salesforce" { "opportunity" } else { "deal" };
        data["linked_objects"] =
            json!([{"provider": self.crm, "entity_type": kind, "entity_id": self.deal}]);
        data
    }

    /// DocuSign's notification.
    fn docusign(&self) -> Value {
        let mut event = self.sample("esign/docusign-completed-full.body.json");
        let id = self.id("docusign");
        event["uri"] = json!(format!("/restapi/v2.1/accounts/acc-1/envelopes/{id}"));
        event["data"]["envelopeId"] = json!(id);
        let summary = &mut event["data"]["envelopeSummary"];
        summary["envelopeId"] = json!(id);
        summary["customFields"] = json!({"textCustomFields": [
            {"fieldId": "1", "name": self.field(), "show": "false", "required": "false", "value": self.deal},
        ]});
        event
    }

    /// Dropbox Sign's notification.
    fn dropbox_sign(&self) -> Value {
        let mut event = self.sample("esign/dropboxsign-all-signed.json");
        let request = &mut event["signature_request"];
        request["signature_request_id"] = json!(self.id("dropbox-sign"));
        request["metadata"] =
            json!({self.field(): self.deal, "amount": "48000.00", "currency": "USD"});
        let signed = format!(
            "{}{}",
            text(&event["event"]["event_time"]),
            text(&event["event"]["event_type"])
        );
        event["event"]["event_hash"] = json!(hex::encode(mac(KEY.as_bytes(), signed.as_bytes())));
        event
    }

    /// Adobe's notification.
    fn adobe_sign(&self) -> Value {
        let mut event = self.sample("esign/adobe-completed-full.body.json");
        event["agreement"]["id"] = json!(self.id("adobe-sign"));
        event["agreement"]["externalId"] = json!({"id": format!("{}:{}", self.crm, self.deal)});
        event
    }

    /// The envelope of a `repository_dispatch`, with what came byte for byte.
    pub(super) fn passed_on(&self, esign: &str) -> Value {
        let (body, headers, query) = match esign {
            "pandadoc" => {
                let event = json!([{"event": "document_state_changed", "data": self.pandadoc()}]);
                let signature = hex::encode(mac(KEY.as_bytes(), event.to_string().as_bytes()));
                (event.to_string(), json!({}), Some(format!("signature={signature}")))
            }
            "docusign" => {
                let body = self.docusign().to_string();
                let signature = base64(&mac(KEY.as_bytes(), body.as_bytes()));
                (body, json!({"x-docusign-signature-1": signature}), None)
            }
            "dropbox-sign" => {
                let boundary = "----handoffboundary01";
                let body = format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{}\r\n--{boundary}--\r\n",
                    self.dropbox_sign()
                );
                let kind = format!("multipart/form-data; boundary={boundary}");
                (body, json!({"content-type": kind}), None)
            }
            "adobe-sign" => {
                (self.adobe_sign().to_string(), json!({"x-adobesign-clientid": KEY}), None)
            }
            "standard-webhooks" => {
                let mut event = self.sample("esign/standardwebhooks-contract-signed.body.json");
                event["data"]["id"] = json!(self.id(esign));
                event["data"]["crm"] = json!({"provider": self.crm, "entity_id": self.deal});
                let (id, body) = (format!("msg_{}", self.number), event.to_string());
                let key = STANDARD_KEY.strip_prefix("whsec_").unwrap();
                let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key);
                let signed = format!("{id}.{RECEIVED_SECONDS}.{body}");
                let signature = format!("v1,{}", base64(&mac(&key.unwrap(), signed.as_bytes())));
                let headers = json!({
                    "webhook-id": id, "webhook-timestamp": RECEIVED_SECONDS.to_string(),
                    "webhook-signature": signature,
                });
                (body, headers, None)
            }
            "docuseal" => {
                let told = self.sample("senders/docuseal-submission.json");
                let mut event: Value = serde_json::from_str(text(&told["body"])).unwrap();
                event["data"]["id"] = json!(self.number);
                event["data"]["submitters"][0]["external_id"] = json!(self.deal);
                let body = event.to_string();
                let signed = format!("{RECEIVED_SECONDS}.{body}");
                let signature = hex::encode(mac(KEY.as_bytes(), signed.as_bytes()));
                let header = format!("{RECEIVED_SECONDS}.{signature}");
                (body, json!({"x-docuseal-signature": header}), None)
            }
            _ => {
                let event = json!([{"event": "document_state_changed", "data": self.pandadoc()}]);
                return json!({"payload": event});
            }
        };
        let mut headers = headers;
        if headers["content-type"].is_null() {
            headers["content-type"] = json!("application/json");
        }
        json!({
            "body_base64": base64(body.as_bytes()), "headers": headers, "query": query,
            "received_at": RECEIVED,
        })
    }
}

/// The APIs of all providers, which know these documents.
pub(super) async fn apis(documents: [Document; 2]) -> Fake {
    Fake::serve(move |asked| {
        let answer = answer(asked, &documents);
        answer
            .map_or_else(|| Reply::Json(404, json!({"message": "none"})), |it| Reply::Json(200, it))
    })
    .await
}

fn answer(asked: &Asked, documents: &[Document]) -> Option<Value> {
    let path = asked.path.as_str();
    let of = |esign: &str, id: &str| documents.iter().find(|it| it.id(esign) == id);
    let all = |row: &dyn Fn(&Document) -> Value| documents.iter().map(row).collect::<Vec<_>>();
    if let Some(rest) = path.strip_prefix("/public/v1/documents") {
        let row = |it: &Document| {
            let data = it.pandadoc();
            json!({
                "id": data["id"], "name": data["name"], "status": "document.completed", "version": "2",
                "date_created": data["date_created"], "date_modified": data["date_modified"],
                "date_completed": data["date_completed"], "expiration_date": null,
            })
        };
        return match rest.strip_prefix('/') {
            None => Some(json!({"results": all(&row)})),
            Some("folders") => Some(json!({"results": []})),
            Some(rest) => Some(of("pandadoc", rest.strip_suffix("/details")?)?.pandadoc()),
        };
    }
    if let Some(rest) = path.strip_prefix("/restapi/v2.1/accounts/acc-1/envelopes") {
        let row = |it: &Document| it.docusign()["data"]["envelopeSummary"].clone();
        return match rest.strip_prefix('/') {
            None => {
                let total = documents.len().to_string();
                Some(json!({"envelopes": all(&row), "totalSetSize": total}))
            }
            Some(rest) if rest.ends_with("/templates") => Some(json!({"templates": []})),
            Some(id) => Some(row(of("docusign", id)?)),
        };
    }
    if let Some(rest) = path.strip_prefix("/v3/signature_request/") {
        let row = |it: &Document| it.dropbox_sign()["signature_request"].clone();
        return match rest {
            "list" => Some(json!({
                "signature_requests": all(&row),
                "list_info": {"page": 1, "num_pages": 1, "num_results": 2, "page_size": 100},
            })),
            id => Some(json!({"signature_request": row(of("dropbox-sign", id)?)})),
        };
    }
    if path.starts_with("/v3/template/") {
        return Some(json!({"template": {"title": "Order form"}}));
    }
    let rest = path.strip_prefix("/api/rest/v6/agreements")?;
    let row = |it: &Document| {
        let agreement = it.adobe_sign()["agreement"].clone();
        json!({"id": agreement["id"], "name": agreement["name"], "status": "SIGNED", "displayDate": "2026-11-20T15:43:53Z"})
    };
    let Some(rest) = rest.strip_prefix('/') else {
        return Some(json!({"userAgreementList": all(&row), "page": {}}));
    };
    let (id, of_it) = rest.split_once('/').unwrap_or((rest, ""));
    let agreement = of("adobe-sign", id)?.adobe_sign()["agreement"].clone();
    match of_it {
        "" => Some(agreement),
        "members" => Some(agreement["participantSetsInfo"].clone()),
        "events" => Some(json!({"events": [
            {"type": "CREATED", "date": "2026-11-18T09:14:05Z"},
            {"type": "ACTION_COMPLETED", "date": "2026-11-20T15:43:53Z"},
        ]})),
        _ => None,
    }
}

fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
