//! Which questions the CRM's data can answer, over the last won deals.

use super::audit::exclusion;
use super::deal::{DealSource, find_deal};
use super::{Context, WorkflowError};
use crate::audit::{
    CoverageInput, CoverageReport, DealAnswers, DealKey, RequiredField, measure_coverage,
};
use crate::brief::{Brief, Completeness, MappingInput};
use crate::model::{Gap, Key, Outcome, Population};

/// Maps each won deal in scope as `sign` would, and counts which fields get an
/// answer. `last` is how many of the newest deals count. A CRM that gives
/// less in a list than for one deal is asked for each.
///
/// # Errors
/// When the CRM cannot be asked.
pub async fn coverage(
    context: &Context,
    population: &Population,
    last: usize,
) -> Result<CoverageReport, WorkflowError> {
    let (deals, gaps) = population.deals.parts();
    let mut gaps = gaps.to_vec();
    let empty = Brief::new(&Key::parse("none-1")?, serde_json::Map::new());
    // What an empty brief lacks is what the schema asks for; `first_action` is handoff's own to fill.
    let fields: Vec<RequiredField> = Completeness::of(&context.schema, empty.json())
        .missing
        .into_iter()
        .filter(|field| {
            !field.field.starts_with("first_action") && !field.field.starts_with("contacts.signer")
        })
        .map(|field| RequiredField { question: Some(field.question), field: field.field })
        .collect();
    let mut won: Vec<_> = deals.iter().filter(|deal| deal.outcome == Outcome::Won).collect();
    won.sort_by(|a, b| (b.closed_won_at, &a.id).cmp(&(a.closed_won_at, &b.id)));
    let mut answers = Vec::new();
    for deal in won {
        if answers.len() >= last {
            break;
        }
        match exclusion(&context.config, deal) {
            Ok(None) => {}
            Ok(Some(_)) => continue,
            Err(gap) => gaps.push(gap),
        }
        let found =
            match find_deal(DealSource::Deal(deal.id.clone()), context.crm.as_deref(), context.now)
                .await
            {
                Ok(found) => found,
                Err(error) => {
                    gaps.push(Gap {
                        what: format!("deal {}", deal.id),
                        why: error.to_string(),
                        help: None,
                    });
                    continue;
                }
            };
        let mapped = context
            .config
            .mapping
            .apply(&MappingInput { deal: found.deal.as_ref(), ..MappingInput::default() });
        let brief = Brief::new(&found.key, mapped.sections);
        let missing = Completeness::of(&context.schema, brief.json()).missing;
        let lacks = |field: &str| {
            missing.iter().any(|m| {
                m.field == field
                    || field.starts_with(&format!("{}.", m.field))
                    || m.field.starts_with(&format!("{field}."))
            })
        };
        answers.push(DealAnswers {
            key: DealKey::new(found.key.as_str()),
            rep: deal
                .owner
                .as_ref()
                .and_then(|owner| owner.name.clone().or_else(|| owner.email.clone())),
            closed_won_at: deal.closed_won_at,
            answered: fields
                .iter()
                .map(|field| field.field.clone())
                .filter(|field| !lacks(field))
                .collect(),
        });
    }
    Ok(measure_coverage(&CoverageInput {
        fields: &fields,
        deals: &answers,
        last: None,
        gaps: &gaps,
    }))
}
