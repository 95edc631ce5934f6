//! The threads that a command works on.

use tokio::runtime::{Builder, Runtime};

/// How large the stack of a thread is: as that of the main thread mostly is, since the same work may be done on both.
const STACK: usize = 8 * 1024 * 1024;

/// Returns a runtime of several threads.
///
/// # Errors
/// Threads that can't be started.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()
}
