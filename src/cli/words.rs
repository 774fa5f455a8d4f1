//! The errors of the rooms below, in words for a person.

use super::error::CliError;
use crate::crm::CrmError;
use crate::ledger::LedgerError;
use crate::workflow::WorkflowError;

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let message = error.to_string();
        let told = match error {
            LedgerError::NotFound { .. } => Self::usage(message),
            _ => Self::could_not(message),
        };
        told.help(error.help())
    }
}

impl From<CrmError> for CliError {
    fn from(error: CrmError) -> Self {
        let message = error.to_string();
        match error {
            CrmError::NotFound { help, .. } => Self::nothing(message).help(help),
            CrmError::BadData { help, .. }
            | CrmError::Denied { help, .. }
            | CrmError::Unavailable { help, .. } => Self::could_not(message).help(help),
            CrmError::Unclear { .. } => {
                Self::could_not(message).help("run it again: it is looked at before it is repeated")
            }
            CrmError::Settings { help, .. } => Self::usage(message).help(help),
            CrmError::Refused { .. } => Self::could_not(message).help(
                "change the deal in the CRM by hand; handoff does not repeat what was refused",
            ),
        }
    }
}

impl From<WorkflowError> for CliError {
    fn from(error: WorkflowError) -> Self {
        let message = error.to_string();
        match error {
            WorkflowError::Ledger(error) => error.into(),
            WorkflowError::Crm(error) => error.into(),
            WorkflowError::History(error) => {
                let help = error.help();
                let told = Self::could_not(message);
                if let Some(help) = help { told.help(help) } else { told }
            }
            WorkflowError::NoCrm => Self::usage(message).help("add `crm:` to handoff.yaml, such as `crm: {file: {deals: deals.csv}}`"),
            WorkflowError::OtherCrm { .. } => Self::usage(message).help("take the webhook away at the CRM that is not connected any more"),
            WorkflowError::NotWon { .. } => Self::could_not(message)
                .help("a deal without a signed document is handed over once the CRM says it is won; with one, run `handoff sign EVENT`"),
            WorkflowError::OutOfScope { .. } => Self::nothing(message)
                .help("nothing was written; `scope:` in handoff.yaml says which deals need a handoff, and the audit lists this one as excluded"),
            WorkflowError::KeyCollision { .. } => Self::could_not(message)
                .help("two ids differ only in case or in signs that a key cannot hold; rename one under `crm.file.name`, or hand it over from another ledger"),
            WorkflowError::File { .. } => Self::could_not(message).help("fix the file by hand; `handoff validate` shows the line"),
            WorkflowError::NotRead(_) => Self::could_not(message).help("fix it, as `handoff validate` shows, and run this again; nothing was written"),
            WorkflowError::NoHandoff(_) => Self { exit: super::Exit::Nothing, ..Self::could_not(message) }
                .help("`handoff status` lists the open handoffs with their keys"),
            WorkflowError::NoPromise { key, .. } => Self::nothing(message)
                .help(format!("`handoff promises {key} --all` lists them with their numbers")),
            WorkflowError::DoesNotFit { key, .. } => {
                Self::could_not(message).help(format!("`handoff status {key}` shows what has happened so far"))
            }
            WorkflowError::NotAllowed { help, .. } => Self::usage(message).help(help),
            WorkflowError::Settings { .. } => Self::usage(message).help("correct it; `handoff doctor --offline` shows every problem"),
            WorkflowError::Schema(_) | WorkflowError::Template(_) => {
                Self::usage(message).help("fix it, or delete the ledger's copy to use the shipped one")
            }
            WorkflowError::Key(_) => Self::could_not(message),
            WorkflowError::Io { .. } => Self::could_not(message)
                .help("check the path, that this user may read and write there, and that the disk has room"),
        }
    }
}
