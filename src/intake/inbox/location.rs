//! Where an inbox is, as `--inbox` says, and opening it there.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::address::{NatsAccess, NatsAddress};
use super::error::InboxError;
use super::folder::FolderInbox;
use super::port::Inbox;

/// Where an inbox is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxLocation {
    /// A folder of plain files.
    Folder(PathBuf),
    /// Streams of NATS JetStream.
    Nats(NatsAddress),
}

impl InboxLocation {
    /// Reads what `--inbox` was given: an address with `://`, else a folder.
    ///
    /// # Errors
    /// When it is an address that cannot be one.
    pub fn parse(text: OsString) -> Result<Self, InboxError> {
        match text.to_str().and_then(NatsAddress::parse) {
            Some(address) => Ok(Self::Nats(address?)),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

/// Opens the inbox of a place. With `make`, what is missing of it is made.
///
/// # Errors
/// When there is none and none is to be made, when it cannot be reached, or
/// when this program was built without what it needs.
pub async fn open_inbox(
    place: &InboxLocation,
    access: &NatsAccess,
    make: bool,
) -> Result<Arc<dyn Inbox>, InboxError> {
    match place {
        InboxLocation::Folder(path) if !make && !path.is_dir() => {
            Err(InboxError::Missing(path.display().to_string()))
        }
        InboxLocation::Folder(path) => Ok(Arc::new(FolderInbox::open(path)?)),
        InboxLocation::Nats(address) => open_nats(address, access, make).await,
    }
}

#[cfg(feature = "jetstream")]
async fn open_nats(
    address: &NatsAddress,
    access: &NatsAccess,
    make: bool,
) -> Result<Arc<dyn Inbox>, InboxError> {
    Ok(super::jetstream::JetStreamInbox::open(address, access, make).await?)
}

#[cfg(not(feature = "jetstream"))]
async fn open_nats(
    address: &NatsAddress,
    _: &NatsAccess,
    _: bool,
) -> Result<Arc<dyn Inbox>, InboxError> {
    Err(InboxError::NotBuiltIn(address.to_string()))
}
