//! The use cases: sign, deliver, validate, what people add. Ports come in;
//! no vendor is named here.

mod append;
mod assign;
mod audit;
mod backfill;
mod checkpoints;
mod compose;
mod context;
mod correction;
mod coverage;
mod crm_sink;
mod customers;
mod deal;
mod deliveries;
mod delivery_lock;
mod digests;
mod documents;
mod draft;
mod drift;
mod error;
mod folder_facts;
mod github_workflows;
mod handoff_facts;
mod idle;
mod init;
mod intents;
mod known_pages;
mod link_page;
mod links;
mod loose_documents;
mod open_handoffs;
mod owner;
mod pending_pull_request;
mod people;
mod plan;
mod promises;
mod propose;
mod push;
mod recording;
mod refresh;
mod remarks;
mod reminders;
mod sign;
mod sources;
mod status;
mod store;
mod sync;
mod validate;
mod voided;
mod why;
mod won;

pub use assign::{Assignment, assign};
pub use audit::{
    AuditRequest, Clocks, LedgersAt, RulesOfTime, audit, company_zone, counted, last_settings,
    read_ledgers,
};
pub use backfill::{backfill, missing_deals};
pub use checkpoints::{Chain, Left, Strictness, leave_checkpoint, read_chain, stamp_checkpoint};
pub use context::Context;
pub use coverage::{CoverageRequest, Unused, coverage, unused_columns};
pub use crm_sink::{CrmSink, LentTasks};
pub use customers::handoffs_of_customer;
pub use deal::{DealSource, Found, find_deal};
pub use deliveries::{Delivered, Horizon, deliver, handoff_of, keys_within};
pub use documents::{Decision, DocumentLook, decide, documents_within, look_at_document};
pub use draft::{Drafted, draft};
pub(crate) use drift::compared_properties;
pub use drift::differences;
pub use error::WorkflowError;
pub use github_workflows::{InstallFrom, check_workflows};
pub use idle::idle_deliveries;
pub use init::{Laid, Setup, SetupPerson, init};
pub use link_page::{FormFields, LINK_PAGE_STYLE, LinkReply, link_page, stored_anywhere};
pub use links::{Revocation, revoke_links};
pub use pending_pull_request::{catch_up, publish_everything as publish};
pub use people::{PersonEvent, check_exemption, record};
pub use plan::{ChangeKind, Plan, PlanChange, PlanGap, PlanRequest, plan};
pub use promises::{Kept, Promise, keep_promise, promises};
pub use propose::{Proposed, propose};
pub use push::unpushed;
pub use refresh::{
    Refreshed, RefreshedHandoff, RefreshedMany, changed_handoffs, refresh, refresh_changed,
    refresh_deal,
};
pub use remarks::{NotPushed, Remarks};
pub use sign::{SignRequest, Signed, SignedMany, sign, sign_many, sign_with_answers};
pub use status::{Return, Standing, StatusRow, status, status_of};
pub use store::{Stored, commit_files};
pub use sync::{NotRead, Synced, check_touches, key_of_task, may_tell_more, sync};
pub use validate::{Validated, Which, path_inside, validate};
pub use voided::record_voided;
pub use why::{
    EarlierAnswer, SOURCE_CHANGED, SourceNow, SourcedAnswer, UNSOURCED_ANSWER, Why, WrittenIn,
    check_sources, why,
};
pub use won::{WonLook, look_at_won};
