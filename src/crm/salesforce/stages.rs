//! The stages of a Salesforce org.

use serde_json::Value;

use super::SalesforceSettings;
use super::api::SalesforceApi;
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::model::Outcome;
use crate::text::quoted;

// An org's stages, renamed and inactive ones included. A stage is won by what
// the org says of it, never by its name.

/// One stage.
#[derive(Debug)]
struct SalesforceStage {
    /// The label and the name in the API; histories may hold either.
    names: [String; 2],
    active: bool,
    outcome: Outcome,
}

/// All stages of an org.
#[derive(Debug, Default)]
pub(super) struct SalesforceStages(Vec<SalesforceStage>);

impl SalesforceStages {
    /// Reads them.
    pub(super) async fn read(api: &SalesforceApi) -> Result<Self, Failure> {
        let soql = "SELECT MasterLabel, ApiName, IsActive, IsClosed, IsWon FROM OpportunityStage \
                    ORDER BY SortOrder";
        let records = api.query_once(soql).await?;
        Ok(Self(records.iter().map(stage).collect()))
    }

    /// The names of all won stages, for the history.
    pub(super) fn won_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.won().flat_map(|stage| &stage.names).map(String::as_str).collect();
        names.retain(|name| !name.is_empty());
        names.dedup();
        names
    }

    /// Where a deal in this stage stands.
    pub(super) fn outcome(&self, name: &str) -> Option<Outcome> {
        let stage = self.0.iter().find(|stage| stage.names.iter().any(|known| known == name));
        stage.map(|stage| stage.outcome)
    }

    /// The stages that a deal can be moved to and is won in.
    pub(super) fn active_won(&self) -> Vec<&str> {
        self.won().filter(|stage| stage.active).map(|stage| stage.names[1].as_str()).collect()
    }

    /// The won stage that an opportunity is moved to.
    pub(super) fn to_set(&self, settings: &SalesforceSettings) -> Result<&str, CrmError> {
        let won = self.active_won();
        let wrong = |message: String| CrmError::Settings {
            message,
            help: format!(
                "crm.salesforce.stage names one of the org's active won stages: {}.",
                won.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
            ),
        };
        match (&settings.stage, won.as_slice()) {
            (Some(name), _) => self
                .won()
                .find(|stage| stage.active && stage.names.contains(name))
                .map(|stage| stage.names[1].as_str())
                .ok_or_else(|| wrong(format!("The org has no active won stage {}.", quoted(name)))),
            (None, [only]) => Ok(only),
            (None, []) => Err(wrong("The org has no active won stage.".to_owned())),
            (None, _) => Err(wrong("The org has several won stages.".to_owned())),
        }
    }

    fn won(&self) -> impl Iterator<Item = &SalesforceStage> {
        self.0.iter().filter(|stage| stage.outcome == Outcome::Won)
    }
}

fn stage(record: &Value) -> SalesforceStage {
    let label = record["MasterLabel"].as_str().unwrap_or_default();
    let outcome = match (record["IsWon"] == true, record["IsClosed"] == true) {
        (true, _) => Outcome::Won,
        (false, true) => Outcome::Lost,
        (false, false) => Outcome::Open,
    };
    SalesforceStage {
        names: [label.to_owned(), record["ApiName"].as_str().unwrap_or(label).to_owned()],
        active: record["IsActive"] != false,
        outcome,
    }
}
