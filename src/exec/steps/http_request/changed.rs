//! A step that sends only what has changed.

use std::sync::Arc;

use sequor_planner::plan::HttpStep;

use super::once;
use crate::error::Result;
use crate::exec::boxed::boxed;
use crate::exec::changes::{Changed, Pass};
use crate::exec::context::StepContext;
use crate::exec::request::checkpoint::Checkpoint;

/// Notes what an earlier attempt has sent, and sends what has changed.
pub async fn run(changed: &Changed<'_>, step: &StepContext, http: &HttpStep) -> Result<()> {
    step.scope.wait_for_turn().await?;
    let mut unfinished = changed.unfinished().await?;
    if let Some(pass) = &unfinished
        && is_fresh(http, pass).await?
    {
        // None of its rows was sent, and nobody need read them.
        changed.drop(pass).await?;
        unfinished = None;
    }
    let is_behind = unfinished.is_some();
    if let Some(pass) = unfinished {
        changed.check_keys().await?;
        // What it adds to tables is counted apart.
        let before = step.in_scope(step.scope.inside("before"));
        let pass = send(&before, http, pass).await;
        let pass = pass.map_err(|e| {
            e.context("what was under way when an earlier run ended is sent first (--in-doubt skip: it counts as sent)")
        })?;
        pass.forget().await?;
    }
    let compared = changed.compare().await;
    let (pass, doubts) = compared.map_err(|e| match is_behind {
        // "Nothing was sent" is meant of what has changed.
        true => e.context("behind what an earlier run had under way"),
        false => e,
    })?;
    let pass = send(step, http, pass).await?;
    changed.end(&pass).await?;
    changed.none_in_doubt(doubts + pass.doubts()).await
}

/// Tells whether an earlier attempt has sent nothing.
async fn is_fresh(http: &HttpStep, pass: &Pass) -> Result<bool> {
    let kept = Checkpoint::of_sending(http, pass.files.as_ref()).await?;
    Ok(kept.is_none_or(|kept| kept.ledger.is_fresh()))
}

/// Sends rows, and notes which were whatever happens to the others.
async fn send(step: &StepContext, http: &HttpStep, pass: Pass) -> Result<Arc<Pass>> {
    let pass = Arc::new(pass);
    let sent = boxed(|| once(step, http, None, (None, Some(pass.clone())))).await;
    let noted = pass.flush().await;
    sent?;
    noted?;
    if let Some(warning) = pass.refusals(step.id()) {
        step.warn(warning).await;
    }
    // What a dry run makes up answers nothing.
    if let Some(warning) = pass.warning(step.id()).filter(|_| step.run.dry.is_none()) {
        step.warn(warning).await;
    }
    Ok(pass)
}
