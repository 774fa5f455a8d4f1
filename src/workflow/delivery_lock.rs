//! One deliverer at a time for a handoff in this clone: between looking and
//! recording nobody else may make the same delivery.

use std::fs::{File, OpenOptions, TryLockError};
use std::time::Duration;

use super::{Context, WorkflowError};
use crate::model::Key;

/// So many handoffs can be delivered at once; a fixed number, so that the
/// files do not grow with the ledger.
const TURNS: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than every sink's own timeouts and retries together.
const PATIENCE: u32 = 20 * 60 * 10;

/// The right to deliver a handoff; the system takes it back when the process ends.
pub(super) struct DeliveryLock {
    _file: File,
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
        std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        for _ in 0..PATIENCE {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
        Err(WorkflowError::DoesNotFit {
            key: key.clone(),
            message: "another process has been delivering it for ten minutes; run `handoff deliver` later".to_owned(),
        })
    }
}
