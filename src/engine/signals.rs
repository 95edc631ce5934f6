//! Signals that end a run.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::{Exit, Result};

/// How long a run that was told to stop may take behind the time for its requests, its connections included. What computes
/// without a pause is ended then.
const MOST: Duration = Duration::from_secs(15);

/// Stops a run at an interrupt, and ends the process at a second one, or when the run does not stop. `grace`: how long its
/// requests get to end in order.
///
/// It listens on a thread of its own: the threads of the run may all be computing.
///
/// # Errors
/// The thread can't be made.
pub fn stop_at_interrupt(cancel: CancellationToken, grace: Duration) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listen = async move {
        interrupted().await;
        cancel.cancel();
        tokio::select! {
            () = interrupted() => {}
            () = tokio::time::sleep(grace + MOST) => {}
        }
        std::process::exit(Exit::Interrupted as i32);
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(listen))?;
    Ok(())
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
