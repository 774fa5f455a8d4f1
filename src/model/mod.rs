//! What comes from outside, in the words of this product and of no vendor:
//! signatures, deals, keys, money. Plain data; depends on nothing above it.

mod amounts;
mod connection;
mod crm_task;
mod date_order;
mod dates;
mod deal;
mod eras;
mod evidence;
mod history;
mod json;
mod key;
mod locale;
mod money;
mod order_proof;
mod person;
mod remarks;
mod signature;

pub use amounts::{
    AmountFault, DecimalSign, SignProof, WrittenAmount, is_rounded, read as read_amount,
};
pub use connection::{Check, CheckLevel, Secrets};
pub use crm_task::{
    CrmTask, CrmTasks, TaskAct, TaskBody, TaskDeadline, TaskDue, TaskFields, TaskHome,
};
pub use date_order::DateOrder;
pub use dates::{DateFault, Moment, WrittenDate, read as read_date};
pub use deal::{
    Company, Contact, CrmName, Deal, DealId, DealRef, LineItem, Outcome, Person, Properties,
    RecordKind, ReferenceRule,
};
pub use evidence::{Evidence, Gap, Population, Source, Window};
pub use history::{
    CheckpointDeal, CommitInfo, FolderHistory, History, LogFault, ObjectId, ObjectIdError, Push,
    PushRecord, Version, push_of_activity, read_push_log,
};
pub use json::{read_json, read_json_stream};
pub use key::{Key, KeyError, fits_its_checksum, normalise_deal_id};
pub use locale::{Locale, NumberForm};
pub use money::{
    CurrencyMark, CurrencySign, Money, MoneyError, count, count_of, currency_code,
    currency_decimals, currency_mark, grouped, thousands,
};
pub use order_proof::OrderProof;
pub use person::{is_same_person, is_unseen, may_be_person};
pub use remarks::{NotPushed, Remarks};
pub use signature::{
    DocumentId, DocumentKey, DocumentKind, HeldDocument, ProviderName, Signature, SignatureEvent,
    Signer, UnreadFact,
};
