//! The pipelines of a HubSpot account and their stages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::api::HubSpotApi;
use super::{HubSpotSettings, PipelineSettings};
use crate::crm::CrmError;
use crate::model::Outcome;
use crate::text::quoted;

// Pipelines and their stages. A stage is won by its metadata, a probability
// of 1.0 and closed; never by its id: accounts relabel the ids they start with.

/// All pipelines of the account.
#[derive(Debug, Default)]
pub(super) struct HubSpotStages {
    pipelines: BTreeMap<String, Pipeline>,
    order: Vec<String>,
}

#[derive(Debug)]
struct Pipeline {
    label: String,
    stages: Vec<HubSpotStage>,
}

/// One stage.
#[derive(Debug)]
pub(super) struct HubSpotStage {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) outcome: Outcome,
}

impl HubSpotStages {
    /// Reads them.
    pub(super) async fn read(api: &HubSpotApi) -> Result<Self, CrmError> {
        let pipelines = api.list("crm/pipelines", "deals").await?;
        let mut stages = Self::default();
        for pipeline in &pipelines {
            let id = pipeline["id"].as_str().unwrap_or_default().to_owned();
            let list = pipeline["stages"].as_array().into_iter().flatten();
            let read = Pipeline {
                label: pipeline["label"].as_str().unwrap_or_default().to_owned(),
                stages: list.filter(|s| s["archived"] != true).map(stage).collect(),
            };
            stages.order.push(id.clone());
            stages.pipelines.insert(id, read);
        }
        if stages.pipelines.is_empty() {
            return Err(CrmError::Unavailable {
                message: "HubSpot names no pipeline for deals.".to_owned(),
                help: "Give the token the scope crm.objects.deals.read.".to_owned(),
            });
        }
        Ok(stages)
    }

    /// A stage of a pipeline.
    pub(super) fn stage(&self, pipeline: &str, stage: &str) -> Option<&HubSpotStage> {
        let found = |stages: &'_ Pipeline| stages.stages.iter().position(|s| s.id == stage);
        let pipeline = self.pipelines.get(pipeline)?;
        found(pipeline).map(|at| &pipeline.stages[at])
    }

    /// A pipeline's label.
    pub(super) fn label(&self, pipeline: &str) -> Option<&str> {
        self.pipelines.get(pipeline).map(|p| p.label.as_str())
    }

    /// The ids of all won stages, for the history.
    pub(super) fn won_ids(&self) -> BTreeSet<&str> {
        let stages = self.pipelines.values().flat_map(|pipeline| &pipeline.stages);
        stages.filter(|s| s.outcome == Outcome::Won).map(|s| s.id.as_str()).collect()
    }

    /// Every pipeline with its won stages, in the account's order, for people.
    pub(super) fn told(&self) -> Vec<(String, Vec<&str>)> {
        self.order
            .iter()
            .filter_map(|id| self.pipelines.get(id))
            .map(|pipeline| {
                let won = pipeline.stages.iter().filter(|s| s.outcome == Outcome::Won);
                (pipeline.label.clone(), won.map(|s| s.label.as_str()).collect())
            })
            .collect()
    }

    /// The won stage that a deal in this pipeline is moved to.
    pub(super) fn won_stage(
        &self,
        pipeline: &str,
        settings: &HubSpotSettings,
    ) -> Result<&HubSpotStage, CrmError> {
        let label = self.label(pipeline).unwrap_or(pipeline);
        let stages = self.pipelines.get(pipeline).map_or(&[][..], |p| &p.stages);
        let won: Vec<&HubSpotStage> = stages.iter().filter(|s| s.outcome == Outcome::Won).collect();
        let named = |stage: &&HubSpotStage| {
            settings.won_stages.iter().any(|name| name == &stage.id || name == &stage.label)
        };
        let chosen: Vec<&HubSpotStage> = won.iter().copied().filter(named).collect();
        match (chosen.as_slice(), won.as_slice()) {
            ([stage], _) | ([], [stage]) => Ok(stage),
            (_, []) => Err(CrmError::Settings {
                message: format!("The HubSpot pipeline {} has no won stage.", quoted(label)),
                help: "Give one of its stages the status Won in HubSpot's pipeline settings."
                    .to_owned(),
            }),
            (_, several) => Err(CrmError::Settings {
                message: format!(
                    "The HubSpot pipeline {} has several won stages: {}.",
                    quoted(label),
                    several.iter().map(|s| quoted(&s.label)).collect::<Vec<_>>().join(", ")
                ),
                help: "Name the one to set under crm.hubspot.won_stages.".to_owned(),
            }),
        }
    }

    /// The ids of the pipelines that count; `None` when all of them do.
    pub(super) fn counted(
        &self,
        settings: &PipelineSettings,
    ) -> Result<Option<Vec<String>>, CrmError> {
        if settings.include.is_empty() && settings.exclude.is_empty() {
            return Ok(None);
        }
        let find = |name: &String| {
            self.order
                .iter()
                .find(|id| *id == name || self.label(id) == Some(name.as_str()))
                .ok_or_else(|| CrmError::Settings {
                    message: format!("HubSpot has no pipeline {}.", quoted(name)),
                    help: format!(
                        "crm.hubspot.pipelines names pipelines by label or id; there are {}.",
                        self.order
                            .iter()
                            .filter_map(|id| self.label(id))
                            .map(quoted)
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                })
        };
        let include = settings.include.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let exclude = settings.exclude.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let counts =
            |id: &&String| (include.is_empty() || include.contains(id)) && !exclude.contains(id);
        Ok(Some(self.order.iter().filter(counts).cloned().collect()))
    }
}

fn stage(stage: &Value) -> HubSpotStage {
    let metadata = &stage["metadata"];
    let text = |name: &str| match &metadata[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let probability: Option<f64> = text("probability").parse().ok();
    // Older answers have the probability alone.
    let closed = match text("isClosed").as_str() {
        "true" => true,
        "false" => false,
        _ => matches!(probability, Some(p) if p == 0.0 || p == 1.0),
    };
    let outcome = match (closed, probability) {
        (true, Some(1.0)) => Outcome::Won,
        (true, _) => Outcome::Lost,
        (false, _) => Outcome::Open,
    };
    HubSpotStage {
        id: stage["id"].as_str().unwrap_or_default().to_owned(),
        label: stage["label"].as_str().unwrap_or_default().to_owned(),
        outcome,
    }
}
