//! `docs/esign.md` lists every provider and secret, and its examples are
//! accepted as they stand.

use std::fs;
use std::path::Path;

use handoff::esign::PROVIDERS;
use handoff::model::SignatureEvent;

use super::samples::{providers, with};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/esign.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    page.split(opening.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block ends").to_owned())
        .collect()
}

#[test]
fn every_provider_and_secret_is_described() {
    let page = page();
    for provider in providers().iter() {
        assert!(page.contains(&format!("\n## {}", provider.title().trim_end_matches(" Connect"))));
        assert!(page.contains(&format!("`{}`", provider.name())), "{}", provider.name());
        for secret in provider.secret_names().iter().chain(provider.api_secret_names()) {
            assert!(page.contains(&format!("`{secret}`")), "{secret} is not described");
        }
    }
}

#[test]
fn every_configuration_example_is_accepted() {
    let examples = blocks(&page(), "yaml");
    assert!(examples.len() >= 8, "examples for deals, each provider and senders");
    for example in examples {
        let node = handoff::yaml::read(example.as_bytes()).expect("yaml");
        let section = node.get("esign").unwrap_or_else(|| panic!("no esign: {example}"));
        let written = handoff::yaml::write(&section.to_json());
        assert!(with(&written).configured().count() >= 1, "{example}");
    }
}

#[test]
fn every_row_has_its_section_and_every_shipped_sender_its_line() {
    let page = page();
    for row in PROVIDERS {
        assert!(page.contains(&format!("\n## {}", row.title)), "{}", row.title);
        for secret in row.secrets {
            assert!(page.contains(&format!("`{secret}`")), "{secret} is not described");
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/senders");
    for entry in fs::read_dir(folder).expect("the senders") {
        let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let name = file.trim_end_matches(".yaml");
        assert!(page.contains(&format!("`{name}`")), "{name} is not described");
    }
}

#[test]
fn the_payload_example_is_a_completion_with_its_deal() {
    let page = page();
    let providers = providers();
    for example in blocks(&page, "json") {
        let (provider, events) = providers.parse(None, example.as_bytes()).expect("it is read");
        assert_eq!(provider.name(), "standard-webhooks");
        match &events[..] {
            [SignatureEvent::Completed(signature)] => {
                assert_eq!(signature.deal_refs[0].id.as_str(), "18640329741");
                assert_eq!(signature.metadata["goal"], "first shipment in January");
                assert_eq!(signature.signers.len(), 1);
            }
            other => panic!("{other:?}"),
        }
    }
}
