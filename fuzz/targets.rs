//! What the world sends, given to the public API that reads it. The fuzz
//! targets run these, and tests/suite/fuzzed.rs runs them on fixtures and
//! seeded damage of them. Nothing here may panic, and what is claimed holds
//! for any input.

use std::path::Path;

use futures_util::FutureExt as _;
use handoff::audit::Digester;
use handoff::brief::{
    Brief, Completeness, ConfirmedAnswers, Expression, RenderInput, Renderer, Schema, Timeline,
    asked_answers, read_answer, read_form,
};
use handoff::config::Config;
use handoff::crm::Crm as _;
use handoff::crm::export::{FileCrm, FileSettings};
use handoff::esign::{EsignConfig, Providers, Request};
use handoff::ledger::{KeptDigests, ScanAt, scan, scan_cold};
use handoff::model::{Secrets, Window};
use http::{HeaderMap, Method};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A brief: read, judged by the shipped schema, rendered.
pub(crate) fn brief(input: &[u8]) {
    let Ok(brief) = Brief::parse(input) else { return };
    let schema = Schema::shipped();
    let valid = schema.is_valid(&brief);
    assert_eq!(valid, schema.check(&brief).is_empty(), "both answers are one");
    let _ = Completeness::of(schema, brief.json());
    let view = brief.view();
    let _ = (view.key(), view.deal(), view.contract_value(), view.signed_at());
    let page = Renderer::new(None).expect("the shipped template is one");
    let confirmed = &ConfirmedAnswers::written(&String::from_utf8_lossy(input));
    let _ = page.readme(&RenderInput { brief: &brief, schema, confirmed });
}

/// A timeline, which is read again as it is written.
pub(crate) fn timeline(input: &[u8]) {
    let Ok(timeline) = Timeline::parse(input) else { return };
    let _ = (timeline.is_voided(), timeline.first_touch(true), timeline.first_touch(false));
    Timeline::parse(timeline.to_yaml().as_bytes()).expect("what was written can be read");
}

/// handoff.yaml, and a ledger's own schema.
pub(crate) fn settings(input: &[u8]) {
    if let Ok(config) = Config::parse(input) {
        let _ = config.check(Schema::shipped());
    }
    let _ = Schema::compile(input);
}

/// An export of deals: CSV, JSON, JSON lines or a workbook, told by its content.
pub(crate) fn export(input: &[u8]) {
    for name in ["deals.csv", "deals.json", "deals.xlsx"] {
        let Ok(crm) = FileCrm::open_given(FileSettings::of(name), ".", None, Some(input)) else {
            continue;
        };
        let population = crm.population(Window::default(), &()).now_or_never();
        let Some(Ok(population)) = population else { continue };
        let (deals, _) = population.deals.parts();
        if let Some(deal) = deals.first() {
            let _ = crm.deal(&deal.id, None).now_or_never();
        }
    }
}

/// The body of a webhook, given to each provider.
pub(crate) fn webhook(input: &[u8]) {
    let none = handoff::yaml::read(b"{}").expect("YAML");
    let config = EsignConfig::read(&none).expect("no settings are valid");
    let providers = Providers::new(&config, &handoff::crm::reference_rules());
    let headers = HeaderMap::new();
    let now = chrono::DateTime::UNIX_EPOCH;
    for provider in providers.iter() {
        let _ = provider.recognises(input);
        if let Ok(events) = provider.parse(input, None) {
            let kept = provider.redact(input);
            assert_eq!(provider.parse(&kept, None).as_ref(), Ok(&events), "{}", provider.name());
        }
        let names = provider.secret_names().iter();
        let secrets = Secrets::new(names.map(|name| ((*name).to_owned(), "a2V5".into())));
        let request =
            Request { method: &Method::POST, headers: &headers, query: None, body: input };
        let _ = provider.receive(&request, &secrets, now);
    }
}

/// The body of a GitHub issue made from the form, and one typed answer.
pub(crate) fn form(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let schema = Schema::shipped();
    let _ = read_form(schema, &text);
    for asked in asked_answers(schema, &json!({})) {
        let _ = read_answer(schema, &asked.pointer, &text);
    }
}

/// An expression of the settings, and a template of the ledger.
pub(crate) fn expression(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let brief = json!({
        "key": "csv-1",
        "customer": {"name": "Acme", "tier": "gold"},
        "deal": {"crm": "csv", "id": "1", "amount": {"amount": "48000.00", "currency": "USD"}},
        "commitments": [{"promise": "SSO", "due": "2026-12-01"}],
    });
    if let Ok(expression) = Expression::compile(&text) {
        let _ = expression.problems(&["deal", "customer"]);
        let _ = expression.value(&brief);
        let _ = expression.decide(&brief);
    }
    if let Ok(renderer) = Renderer::new(Some(&text)) {
        let brief = Brief::from_json(brief);
        let confirmed = &ConfirmedAnswers::default();
        let input = RenderInput { brief: &brief, schema: Schema::shipped(), confirmed };
        let _ = renderer.readme(&input);
    }
}

/// The caches of a ledger with a branch `main`: a foreign file is ignored, and
/// one whose checksum is right, but whose content is not, is no more than that.
pub(crate) fn caches(git_dir: &Path, input: &[u8]) {
    let at = ScanAt::Branch("main".to_owned());
    let cold = scan_cold(git_dir, &at, &|_| ()).expect("the ledger can be read");
    let folder = git_dir.join("handoff");
    std::fs::create_dir_all(&folder).expect("made");

    let history = folder.join("history");
    std::fs::write(&history, input).expect("written");
    let warm = scan(git_dir, &at, &|_| ()).expect("the ledger can be read");
    assert_eq!(warm, cold, "a foreign cache changes nothing");
    std::fs::write(&history, framed(b"handoff history\n", 2, input)).expect("written");
    let _ = scan(git_dir, &at, &|_| ());
    let _ = std::fs::remove_file(&history);

    let digests = folder.join("fuzz.digests");
    for file in [input.to_vec(), framed(b"handoff digests\n", 1, input)] {
        std::fs::write(&digests, file).expect("written");
        let kept = KeptDigests::open(git_dir, "fuzz", 1).expect("the ledger can be opened");
        let digester = Digester::new(&cold.history);
        for folder in &cold.history.folders {
            let _ = kept.get(digester.fingerprint(folder));
            let _ = digester.unpack(folder, input);
        }
    }
    let _ = std::fs::remove_file(&digests);
}

/// A body in a whole cache file.
fn framed(magic: &[u8; 16], format: u32, body: &[u8]) -> Vec<u8> {
    let mut file = [magic.as_slice(), &format.to_le_bytes(), body].concat();
    let sum = Sha256::digest(&file);
    file.extend_from_slice(&sum);
    file
}
