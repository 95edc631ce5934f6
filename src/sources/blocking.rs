//! What waits for a disk, a server or a driver is done on threads for that.

use crate::error::{Error, ErrorKind, Result};

/// Does work on such a thread.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, format!("a thread ended unexpectedly: {e}")))?
}
