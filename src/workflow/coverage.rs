//! Which questions the CRM's data can answer, over the last won deals.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::WorkflowError;
use super::audit::exclusion;
use super::deal::{DealSource, find_deal};
use crate::audit::{
    CoverageInput, CoverageReport, DealAnswers, DealKey, RequiredField, measure_coverage,
};
use crate::brief::{Brief, Completeness, MappingInput, Proposal, Schema, fold_property, propose};
use crate::config::Config;
use crate::crm::Crm;
use crate::model::{Deal, Gap, Key, Outcome, Population};

/// What coverage is measured of.
pub struct CoverageRequest<'a> {
    /// The settings: mapping and scope.
    pub config: &'a Config,
    /// The schema that asks.
    pub schema: &'a Schema,
    /// Where the deals come from.
    pub crm: &'a dyn Crm,
    /// The deals.
    pub population: &'a Population,
    /// How many of the newest count.
    pub last: usize,
    /// The moment of the run.
    pub now: DateTime<Utc>,
}

/// Columns of an export that no answer uses, and what could be made of them.
#[derive(Debug, Clone, Default)]
pub struct Unused {
    /// Their headers.
    pub columns: Vec<String>,
    /// Lines for `brief:`.
    pub proposals: Vec<Proposal>,
}

/// Looks through the columns of an export that neither handoff itself nor the
/// mapping reads. `headers` are all of them, with whether handoff knows each;
/// `deals` are those that were measured.
#[must_use]
pub fn unused_columns(
    request: &CoverageRequest<'_>,
    headers: &[(String, bool)],
    deals: &[Deal],
) -> Unused {
    let read = request.config.mapping.properties();
    let scope = request.config.scope_properties();
    let kinds = [Some(&read.deal), read.company.as_ref(), Some(&scope.deal)];
    let read: BTreeSet<String> =
        kinds.into_iter().flatten().flatten().map(|name| fold_property(name)).collect();
    let columns: Vec<String> = headers
        .iter()
        .filter(|(header, known)| !known && !read.contains(&fold_property(header)))
        .map(|(header, _)| header.clone())
        .collect();
    let deals: Vec<&Deal> = deals.iter().collect();
    let known = headers.iter().map(|(header, _)| fold_property(header)).collect();
    let proposals = propose(&columns, &known, &deals, &request.config.mapping);
    Unused { columns, proposals }
}

fn newest_won(population: &Population) -> Vec<&Deal> {
    let (deals, _) = population.deals.parts();
    let mut won: Vec<_> = deals.iter().filter(|deal| deal.outcome == Outcome::Won).collect();
    won.sort_by(|a, b| (b.closed_won_at, &a.id).cmp(&(a.closed_won_at, &b.id)));
    won
}

/// Maps each won deal in scope as `sign` would, and counts which fields get an
/// answer. `last` is how many of the newest deals count. A CRM that gives
/// less in a list than for one deal is asked for each. Gives the measured deals,
/// whole, beside the report.
///
/// # Errors
/// When the CRM cannot be asked.
pub async fn coverage(
    request: &CoverageRequest<'_>,
) -> Result<(CoverageReport, Vec<Deal>), WorkflowError> {
    let (_, gaps) = request.population.deals.parts();
    let mut gaps = gaps.to_vec();
    let empty = Brief::new(&Key::parse("none-1")?, serde_json::Map::new());
    // What an empty brief lacks is what the schema asks for; `first_action` is handoff's own to fill.
    let fields: Vec<RequiredField> = Completeness::of(request.schema, empty.json())
        .missing
        .into_iter()
        .filter(|field| {
            !field.field.starts_with("first_action") && !field.field.starts_with("contacts.signer")
        })
        .map(|field| RequiredField { question: Some(field.question), field: field.field })
        .collect();
    let (mut answers, mut measured) = (Vec::new(), Vec::new());
    for deal in newest_won(request.population) {
        if answers.len() >= request.last {
            break;
        }
        match exclusion(request.config, deal) {
            Ok(None) => {}
            Ok(Some(_)) => continue,
            Err(gap) => gaps.push(gap),
        }
        let source = DealSource::Deal(deal.id.clone());
        let found = match find_deal(source, Some(request.crm), request.now).await {
            Ok(found) => found,
            Err(error) => {
                gaps.push(Gap::new(format!("deal {}", deal.id), error.to_string()));
                continue;
            }
        };
        let mapped = request
            .config
            .mapping
            .apply(&MappingInput { deal: found.deal.as_ref(), ..MappingInput::default() });
        let brief = Brief::new(&found.key, mapped.sections);
        let missing = Completeness::of(request.schema, brief.json()).missing;
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
        measured.extend(found.deal);
    }
    let input = CoverageInput { fields: &fields, deals: &answers, last: None, gaps: &gaps };
    Ok((measure_coverage(&input), measured))
}
