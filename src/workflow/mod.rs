//! The use cases: sign, deliver, validate, what people add. Ports come in;
//! no vendor is named here.

mod audit;
mod checkpoints;
mod compose;
mod context;
mod coverage;
mod crm_sink;
mod customers;
mod deadlines;
mod deal;
mod deliveries;
mod digests;
mod documents;
mod draft;
mod drift;
mod folder_facts;
mod github_workflows;
mod handoff_summary;
mod init;
mod link_page;
mod loose_documents;
mod pending_pull_request;
mod people;
mod plan;
mod promises;
mod propose;
mod recording;
mod refresh;
mod reminders;
mod sign;
mod sources;
mod status;
mod store;
mod sync;
mod validate;
mod why;

pub use audit::{
    AuditRequest, Clocks, LedgersAt, RulesOfTime, audit, company_zone, counted, last_settings,
    read_ledgers,
};
pub use checkpoints::{
    CheckpointChain, Left, Strictness, leave_checkpoint, read_chain, stamp_checkpoint,
};
pub use context::{Context, WorkflowError};
pub use coverage::{CoverageRequest, Unused, coverage, unused_columns};
pub use crm_sink::{CrmSink, LentTasks};
pub use customers::handoffs_of_customer;
pub use deal::{DealSource, Found, find_deal};
pub use deliveries::{Delivered, Horizon, deliver, handoff_of, idle_deliveries, keys_within};
pub use documents::{
    DocumentDecision, DocumentLook, VoidedHandoffs, WonLook, decide_for_all, documents_within,
    is_handed_over, look_at_document, look_at_won, record_voided, tell_of_held,
};
pub use draft::{Drafted, draft, drafts_of, say_withdrawn, withdraw_drafts};
pub(crate) use drift::compared_properties;
pub use drift::differences;
pub use github_workflows::{InstallFrom, check_workflows};
pub use init::{Laid, Setup, SetupPerson, check_setup, init};
pub use link_page::{
    FormFields, LINK_PAGE_STYLE, LinkReply, Revocation, link_page, revoke_links, stored_anywhere,
};
pub use pending_pull_request::{catch_up, publish_everything as publish, unpushed};
pub use people::{Assignment, NO_CUSTOMER, PersonEvent, assign, check_exemption, record};
pub use plan::{ChangeKind, Plan, PlanChange, PlanGap, PlanRequest, plan};
pub use promises::{KeptPromise, Promise, keep_promise, promises};
pub use propose::{Proposed, propose};
pub use refresh::{
    Refreshed, RefreshedHandoff, RefreshedMany, changed_handoffs, refresh, refresh_changed,
    refresh_deal, refresh_many,
};
pub use sign::{
    SignRequest, SignedHandoff, SignedMany, backfill, missing_deals, sign, sign_many,
    sign_with_answers,
};
pub use status::{Return, Standing, StatusRow, status, status_of};
pub use store::{Stored, commit_files};
pub use sync::{NotRead, Synced, check_touches, key_of_task, may_tell_more, sync, sync_many};
pub use validate::{Validated, Which, path_inside, validate};
pub use why::{
    AskedDocuments, EarlierAnswer, NamedDocument, SOURCE_CHANGED, SourceNow, SourcedAnswer,
    UNSOURCED_ANSWER, UnaskedDocument, Why, WrittenIn, check_sources, fields_called, why,
};
