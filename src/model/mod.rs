//! What comes from outside, in the words of this product and of no vendor:
//! signatures, deals, keys, money. Plain data; depends on nothing above it.

mod check;
mod deal;
mod deal_reference;
mod evidence;
mod history;
mod key;
mod money;
mod population;
mod properties;
mod secrets;
mod signature;

pub use check::{Check, CheckLevel};
pub use deal::{Company, Contact, CrmName, Deal, DealId, DealRef, LineItem, Outcome, Person};
pub use deal_reference::ReferenceRule;
pub use evidence::{Evidence, Gap};
pub use history::{CommitInfo, FolderHistory, History, ObjectId, ObjectIdError, Version};
pub use key::{Key, KeyError, normalise_deal_id};
pub use money::{Money, MoneyError};
pub use population::{Population, Source, Window};
pub use properties::{Properties, RecordKind};
pub use secrets::Secrets;
pub use signature::{DocumentId, DocumentKind, ProviderName, Signature, SignatureEvent, Signer};
