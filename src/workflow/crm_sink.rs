//! The CRM as a target of deliveries: Closed Won is kept true, with a link to
//! the brief; its tasks are lent to the sinks.

use async_trait::async_trait;

use crate::brief::{DecidedBy, EventKind, Timeline, View};
use crate::crm::{ClosedWonUpdate, Crm, CrmError, Signed};
use crate::deliver::{DeliveryError, Handoff, Mark, Sink};
use crate::model::{CrmTask, CrmTasks, DealId, DocumentId, Person, TaskFields, TaskHome};

/// Keeps the CRM at Closed Won after a signature. Doing it twice changes
/// nothing: a deal that is won is not moved, and the note is looked for first.
pub struct CrmSink {
    crm: Box<dyn Crm>,
}

impl CrmSink {
    /// A sink over a connected CRM.
    #[must_use]
    pub fn new(crm: Box<dyn Crm>) -> Self {
        Self { crm }
    }
}

#[async_trait]
impl Sink for CrmSink {
    fn event(&self) -> EventKind {
        EventKind::CrmUpdated
    }

    fn via(&self) -> &'static str {
        "crm"
    }

    fn describe(&self, handoff: &Handoff) -> String {
        format!("{}: Closed Won and the link to the brief of {}", self.crm.name(), handoff.key)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let view = View::of(&handoff.brief);
        let no = |message: String, help: &str| DeliveryError::permanent(message, help.to_owned());
        let Some((crm, id)) = view.deal().filter(|(crm, _)| crm == self.crm.name()) else {
            let message = format!("the brief names no deal of {}", self.crm.name());
            return Err(no(message, "put the deal's id on the document, and sign again"));
        };
        let Some(signed_at) = view.signed_at() else {
            return Err(no("the brief has no time of signature".to_owned(), "sign it again"));
        };
        let url = handoff.url.as_deref();
        let is_contract = is_told_to_be_a_contract(&handoff.timeline, view);
        let signed = Signed { id: &id, signed_at, brief_url: url, is_contract };
        let done =
            self.crm.mark_closed_won(&signed).await.map_err(|error| {
                failure(error, "move the deal to Closed Won by hand in the CRM")
            })?;
        let remark = match done {
            ClosedWonUpdate::Updated => None,
            ClosedWonUpdate::AlreadyWon => Some("it was won already".to_owned()),
            ClosedWonUpdate::NotAContract => {
                return Err(no(
                    format!(
                        "{crm} deal {id} is not moved: neither a rule under `documents:` nor a person called the document a contract"
                    ),
                    "move the deal to Closed Won by hand; a rule `is: contract` under `documents:` in handoff.yaml lets the next ones be moved",
                ));
            }
            ClosedWonUpdate::NotSupported => {
                return Err(no(
                    format!("{crm} does not say that deal {id} is won, and is not to be changed"),
                    "set update_closed_won under `crm:`, or move the deal by hand",
                ));
            }
        };
        let reference = view.deal_url().map_or_else(|| format!("{crm} deal {id}"), str::to_owned);
        Ok(Mark { reference, at: None, remark })
    }
}

/// Whether a rule under `documents:` or a person said that the signed document
/// is a contract. That a deal was won already, or that a document has a total,
/// is enough for a handoff, and not for moving the deal.
fn is_told_to_be_a_contract(timeline: &Timeline, view: View<'_>) -> bool {
    let document = view.document_id();
    timeline.events.iter().any(|event| {
        matches!(event.event, EventKind::Signed | EventKind::Backfilled)
            && event.reference.as_deref() == document.as_ref().map(DocumentId::as_str)
            && matches!(event.decided_by, Some(DecidedBy::Rule | DecidedBy::Person))
    })
}

/// The tasks of a CRM as the sinks ask for them.
pub struct LentTasks(Box<dyn Crm>);

impl LentTasks {
    /// Of a connected CRM; `None` where it has no tasks, as an export file.
    #[must_use]
    pub fn of(crm: Box<dyn Crm>) -> Option<Self> {
        crm.tasks().is_some().then(|| Self(crm))
    }

    fn tasks(&self) -> &dyn CrmTasks<CrmError> {
        self.0.tasks().expect("a CRM that has tasks keeps having them")
    }
}

fn task_failure(error: CrmError) -> DeliveryError {
    failure(error, "make the task by hand in the CRM, or change the CRM's rule that refused it")
}

#[async_trait]
impl CrmTasks<DeliveryError> for LentTasks {
    fn home(&self) -> TaskHome {
        self.tasks().home()
    }

    async fn user(&self, person: &Person) -> Result<Option<String>, DeliveryError> {
        self.tasks().user(person).await.map_err(task_failure)
    }

    async fn find(&self, deal: &DealId, ending: &str) -> Result<Option<CrmTask>, DeliveryError> {
        self.tasks().find(deal, ending).await.map_err(task_failure)
    }

    async fn read(&self, reference: &str) -> Result<Option<CrmTask>, DeliveryError> {
        self.tasks().read(reference).await.map_err(task_failure)
    }

    async fn create(&self, deal: &DealId, fields: &TaskFields) -> Result<CrmTask, DeliveryError> {
        self.tasks().create(deal, fields).await.map_err(task_failure)
    }

    async fn change(&self, reference: &str, fields: &TaskFields) -> Result<(), DeliveryError> {
        self.tasks().change(reference, fields).await.map_err(task_failure)
    }

    async fn check(&self) -> Result<(), DeliveryError> {
        self.tasks().check().await.map_err(task_failure)
    }
}

/// What a CRM's refusal means for a delivery.
fn failure(error: CrmError, refused: &str) -> DeliveryError {
    let message = error.to_string();
    match error {
        CrmError::Unavailable { .. } => DeliveryError::transient(message),
        CrmError::Unclear { .. } => DeliveryError::unclear(message),
        CrmError::NotFound { help, .. }
        | CrmError::BadData { help, .. }
        | CrmError::Settings { help, .. }
        | CrmError::Denied { help, .. } => DeliveryError::permanent(message, help),
        CrmError::Refused { .. } => DeliveryError::permanent(message, refused.to_owned()),
    }
}
