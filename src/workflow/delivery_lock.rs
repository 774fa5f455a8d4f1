//! One deliverer at a time for a handoff in this clone: between looking and
//! recording nobody else may make the same delivery.

use std::time::Duration;

use super::{Context, WorkflowError};
use crate::disk::{self, Access, FileLock};
use crate::model::Key;

/// So many handoffs can be delivered at once; a fixed number, so that the
/// files do not grow with the ledger.
const TURNS: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than every sink's own timeouts and retries together.
const PATIENCE: u32 = 20 * 60 * 10;

/// The right to deliver a handoff; the system takes it back when the process ends.
pub(super) struct DeliveryLock {
    _lock: FileLock,
}

impl DeliveryLock {
    /// Waits until nobody else in this clone delivers this handoff.
    pub(super) async fn take(context: &Context, key: &Key) -> Result<Self, WorkflowError> {
        let folder = context.ledger.git_dir().join("handoff");
        let turn = key
            .as_str()
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
            % TURNS;
        let path = folder.join(format!("deliver-{turn:02}.lock"));
        let failed = |error: &std::io::Error| WorkflowError::file(&path, error);
        disk::make_folder(&folder, Access::Shared).map_err(|error| failed(&error))?;
        for _ in 0..PATIENCE {
            match FileLock::try_take(&path).map_err(|error| failed(&error))? {
                Some(lock) => return Ok(Self { _lock: lock }),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(WorkflowError::DoesNotFit {
            key: key.clone(),
            message: "another process has been delivering it for ten minutes; run `handoff deliver` later".to_owned(),
        })
    }
}
