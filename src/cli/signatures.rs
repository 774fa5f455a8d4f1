//! `audit --signatures` and `plan --signatures`: what the configured e-sign
//! providers completed, and what the CRM says of the deals they name.

use chrono::{DateTime, Utc};

use super::error::CliError;
use super::invocation::Invocation;
use crate::audit::SignaturesInput;
use crate::crm::{Crm, CrmError};
use crate::esign::Providers;
use crate::intake::{Completed, UnaskedProvider, completed_with_deals};
use crate::model::{Gap, Population, ProviderName, Signature, Window};
use crate::workflow::{self, Context, DocumentDecision, decide_for_all};

/// Asks the configured providers for what was completed in the window, whatever
/// it is, and the source of the deals for those that the population does not
/// hold. What cannot be asked is a gap.
pub(super) async fn ask(
    context: &Context,
    source: &dyn Crm,
    population: &Population,
    window: Window,
    as_of: DateTime<Utc>,
    invocation: &Invocation,
) -> Result<SignaturesInput, CliError> {
    let Some(from) = window.from else {
        return Err(CliError::usage("--signatures needs --from: providers are asked for a window")
            .help("name the first day, such as --from 2026-11-01"));
    };
    let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
    if providers.configured().next().is_none() {
        return Err(CliError::usage("`esign:` in handoff.yaml names no provider with an API")
            .help("add one, such as `esign: {pandadoc: {}}`, or leave --signatures out"));
    }
    let until = window.to.map_or(as_of, |to| to.min(as_of));
    let (secrets, limits) = (invocation.secrets()?, context.config.limits);
    let (mut asked, mut signatures, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for provider in providers.configured() {
        invocation.say(format!("asking {} for completed documents", provider.title()));
        asked.push(ProviderName::new(provider.name()));
        let name = ProviderName::new(provider.name());
        let has_rules = context.config.documents_of(&name).next().is_some();
        match completed_with_deals(provider, &secrets, limits, from, until, has_rules).await {
            Ok((documents, unread)) => {
                signatures.extend(documents.into_iter().map(|Completed(signature)| signature));
                gaps.extend(unread);
            }
            Err(unasked) => gaps.push(gap(provider.title(), unasked)),
        }
    }
    let crm = source.name().clone();
    let mut deals = Vec::new();
    for id in SignaturesInput::unread_deals(&signatures, &crm, population) {
        match source.deal(&id, None).await {
            Ok(deal) => deals.push(deal),
            Err(CrmError::NotFound { .. }) => {}
            Err(error) => gaps.push(Gap {
                what: format!("deal {id}, which a signed document names"),
                why: error.to_string(),
                help: Some("Try again.".to_owned()),
            }),
        }
    }
    let window = Window { from: Some(from), to: Some(until) };
    let signatures = within(signatures, window);
    Ok(SignaturesInput { window, providers: asked, signatures, crm, deals, gaps })
}

/// Keeps the documents that count as contracts. What is ignored is said; where
/// nothing decides, the audit cannot tell whether a handoff is missing.
pub(super) fn keep_contracts(
    context: &Context,
    mut asked: SignaturesInput,
    population: &Population,
    invocation: &Invocation,
) -> Result<SignaturesInput, CliError> {
    for signature in std::mem::take(&mut asked.signatures) {
        let document = format!("document {} of {}", signature.document_id, signature.provider);
        let deals = asked.deals_of(&signature, population);
        match decide_for_all(&context.config, &signature, &deals) {
            DocumentDecision::Counts(..) => asked.signatures.push(signature),
            DocumentDecision::Ignored { reason } => {
                invocation.say(format!("note: {document} is ignored: {reason}"));
            }
            // What was decided once stands in the ledger.
            DocumentDecision::Held { .. } if workflow::is_handed_over(context, &signature)? => {
                asked.signatures.push(signature);
            }
            DocumentDecision::Held { reason, .. } => asked.gaps.push(Gap {
                what: format!("whether {document} is a contract"),
                why: reason,
                help: Some("Add a rule for it under `documents:` in handoff.yaml.".to_owned()),
            }),
        }
    }
    Ok(asked)
}

/// Some APIs tell more than they are asked for.
fn within(signatures: Vec<Signature>, window: Window) -> Vec<Signature> {
    let in_window =
        |signature: &Signature| signature.signed_at.is_none_or(|at| window.contains(at));
    signatures.into_iter().filter(in_window).collect()
}

fn gap(title: &str, unasked: UnaskedProvider) -> Gap {
    let what = format!("the completed documents of {title}");
    match unasked {
        UnaskedProvider::NoApi => Gap {
            what,
            why: "it has no API to ask".to_owned(),
            help: Some("Leave --signatures out, or take the provider out of `esign:`.".to_owned()),
        },
        UnaskedProvider::NotSetUp(error) => {
            Gap { what, why: error.to_string(), help: Some("Set it, and try again.".to_owned()) }
        }
    }
}
