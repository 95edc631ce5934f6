//! `sequor doctor`.

use std::time::Duration;

use super::args::RunFormat;
use super::context::Context;
use crate::error::{Exit, Result};
use crate::event::CheckStatus;
use crate::report;

/// Checks the project and all that it needs.
pub fn doctor(context: &Context, format: RunFormat) -> Result<Exit> {
    let runtime = super::runtime::runtime()?;
    let mut failed = false;
    let mut told = |check: crate::event::Check| {
        failed |= check.status == CheckStatus::Failed;
        match format {
            RunFormat::Json => {
                if let Ok(line) = serde_json::to_string(&check) {
                    report::out(line);
                }
            }
            RunFormat::Text => report::out(report::check(&check, context.color_out)),
        }
    };
    runtime.block_on(crate::doctor::doctor(&context.location, &mut told));
    // What does not answer must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
