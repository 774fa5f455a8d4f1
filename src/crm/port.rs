//! What every CRM can do.

use crate::model::{
    Check, CrmName, CrmTasks, Deal, DealId, Evidence, Person, Population, Properties, Signature,
    Window,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Whose contacts with the customer of a deal are asked for.
#[derive(Debug, Clone, Copy)]
pub struct ActivitiesOf<'a> {
    /// The deal.
    pub deal: &'a DealId,
    /// The colleague, by e-mail address, else by full name.
    pub by: &'a Person,
    /// What lies before is left out: the signature.
    pub since: DateTime<Utc>,
    /// What lies behind is left out: a planned meeting is no contact yet.
    pub until: DateTime<Utc>,
}

/// One deal of several that are asked for together.
#[derive(Debug, Clone, Copy)]
pub struct AskedDeal<'a> {
    /// The deal.
    pub id: &'a DealId,
    /// What was signed, where something was: it helps to tell the signer among
    /// the contacts.
    pub signature: Option<&'a Signature>,
}

/// How somebody spoke with the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActivityKind {
    /// An e-mail that was sent.
    Email,
    /// A call.
    Call,
    /// A meeting that took place.
    Meeting,
}

impl ActivityKind {
    /// For people, in the timeline.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Call => "call",
            Self::Meeting => "meeting",
        }
    }
}

/// One contact of a colleague with a contact of a deal, as the CRM has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// How.
    pub kind: ActivityKind,
    /// When, as the CRM says.
    pub at: DateTime<Utc>,
    /// When it was entered, where the CRM says: people log calls afterwards.
    pub logged_at: Option<DateTime<Utc>>,
    /// The record, so that it can be found again: its address, or `calls/512`.
    pub reference: String,
}

/// Told as pages come in; a progress bar at the command line, nothing in tests.
pub trait Progress: Send + Sync {
    /// So many deals are read, of so many if that is known.
    fn read(&self, deals: usize, of: Option<usize>);
}

impl Progress for () {
    fn read(&self, _: usize, _: Option<usize>) {}
}

/// What was done to keep the CRM at Closed Won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosedWonUpdate {
    /// It said so already; a note may have been added.
    AlreadyWon,
    /// It was moved.
    Updated,
    /// It is open and was not moved: neither a rule nor a person called the
    /// document a contract.
    NotAContract,
    /// The source cannot be written (an export file).
    NotSupported,
}

/// A signed deal, of which the CRM is to say that it is won.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The deal.
    pub id: &'a DealId,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
    /// Where people read the brief, for the note on the deal.
    pub brief_url: Option<&'a str>,
    /// Whether a rule under `documents:` said that what was signed is a
    /// contract. Nothing else moves a deal.
    pub is_contract: bool,
}

/// Why a CRM did not give what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CrmError {
    /// There is no such deal (or it may not be seen).
    #[error("{crm} has no deal {id}")]
    NotFound {
        /// The CRM.
        crm: CrmName,
        /// The id as it was asked for.
        id: DealId,
        /// Near misses or reasons, for the hint.
        help: String,
    },
    /// The data is there and cannot be used: a bad amount, an ambiguous date, a doubled id.
    #[error("{place}: {message}")]
    BadData {
        /// File, row and column; or object and property.
        place: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The mapping or settings name something the CRM does not have.
    #[error("{message}")]
    Settings {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// Credentials are missing, wrong or not allowed to do this.
    #[error("{message}")]
    Denied {
        /// What was refused, in the CRM's words.
        message: String,
        /// Which secret or scope to fix.
        help: String,
    },
    /// A rule of the CRM refused the change; trying again will not help.
    #[error("{crm} refused: {message}")]
    Refused {
        /// The CRM.
        crm: CrmName,
        /// Its words.
        message: String,
    },
    /// It may or may not have done what was asked: look before asking again.
    #[error("{message}")]
    Unclear {
        /// What happened and where.
        message: String,
    },
    /// It could not be reached, is limited, or answered nonsense; later may work.
    #[error("{message}")]
    Unavailable {
        /// What happened and where.
        message: String,
        /// What to do.
        help: String,
    },
}

impl CrmError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::NotFound { help, .. }
            | Self::BadData { help, .. }
            | Self::Settings { help, .. }
            | Self::Denied { help, .. }
            | Self::Unavailable { help, .. } => Some(help.as_str()),
            Self::Refused { .. } | Self::Unclear { .. } => None,
        }
    }
}

/// A CRM, or an export of one.
#[async_trait]
pub trait Crm: Send + Sync {
    /// The name in keys and briefs.
    fn name(&self) -> &CrmName;

    /// Several deals with company, contacts, line items and owner, in the order
    /// in which they are asked for, in as few requests as the CRM allows. What
    /// cannot be read of one keeps none of the others back.
    ///
    /// # Errors
    /// When none of them can be read, for one reason.
    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError>;

    /// As [`Crm::read_deals`], with an answer for each deal in any case.
    async fn deals(&self, asked: &[AskedDeal<'_>]) -> Vec<Result<Deal, CrmError>> {
        let all = self.read_deals(asked).await;
        all.unwrap_or_else(|error| asked.iter().map(|_| Err(error.clone())).collect())
    }

    /// One deal, as [`Crm::deals`] gives it.
    ///
    /// # Errors
    /// See [`CrmError`].
    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let mut deals = self.deals(&[AskedDeal { id, signature }]).await;
        deals.pop().expect("as many answers as deals that are asked for")
    }

    /// Whether a text can be the id of one of its deals: what cannot is an id of
    /// another system.
    fn may_be_id(&self, id: &DealId) -> bool {
        let _ = id;
        true
    }

    /// Whether a deal is among those that an audit would count: some
    /// connections are set to certain pipelines only.
    fn counts(&self, deal: &Deal) -> bool {
        let _ = deal;
        true
    }

    /// The population for an audit: every deal that may have been won in the
    /// window (a superset is fine; the caller filters by `closed_won_at`).
    /// A page that fails after its retries is a gap, never a shorter list.
    ///
    /// # Errors
    /// When nothing can be read at all, or the data is not usable.
    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError>;

    /// The deals that were changed since a moment, for reading them again;
    /// `None` where the source cannot tell, and each deal has to be looked at.
    /// A superset is fine.
    ///
    /// # Errors
    /// When nothing can be read at all.
    async fn changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Option<Evidence<DealId>>, CrmError> {
        let _ = since;
        Ok(None)
    }

    /// The e-mails, calls and meetings of a colleague with the contacts of each
    /// of these deals, in their order, the earliest contact first, in as few
    /// requests as the CRM allows. `None` where the source has none to read.
    /// What cannot be read is a gap: then nothing is known of it. An error is
    /// that of one deal, of which nothing could be read at all.
    async fn activities(
        &self,
        asked: &[ActivitiesOf<'_>],
    ) -> Option<Vec<Result<Evidence<Activity>, CrmError>>> {
        let _ = asked;
        None
    }

    /// Whether [`Crm::activities`] may read what shows a first touch, for
    /// `doctor`; empty where the source has none to read.
    async fn activity_checks(&self) -> Vec<Check> {
        Vec::new()
    }

    /// Keeps the CRM true after a signature: moves an open deal to Closed Won
    /// where configured, notes the link to the brief. Never moves a deal that
    /// was won or lost already.
    ///
    /// # Errors
    /// See [`CrmError`]; `Refused` with the CRM's own words.
    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError>;

    /// The columns that a deal's properties are read from, where they are fixed: an export's.
    fn columns(&self) -> Option<Vec<String>> {
        None
    }

    /// Its tasks; `None` where the source has none to write.
    fn tasks(&self) -> Option<&dyn CrmTasks<CrmError>> {
        None
    }

    /// Connection, permissions, stages and properties, for `doctor`.
    /// `named` is what the configuration reads of deals and of the records
    /// beside them, and so must be there.
    async fn checks(&self, named: &Properties) -> Vec<Check>;
}
