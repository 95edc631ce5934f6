//! Signals that end a run.

use tokio_util::sync::CancellationToken;

use crate::error::Exit;

/// Stops a run at an interrupt, and the process at a second one. Ends with the task that this returns, when it is aborted.
pub fn stop_at_interrupt(cancel: CancellationToken) -> tokio::task::AbortHandle {
    let task = tokio::spawn(async move {
        interrupted().await;
        cancel.cancel();
        interrupted().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    task.abort_handle()
}

/// Waits for an interrupt: Ctrl-C, or the signal that schedulers and containers end a process with.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
