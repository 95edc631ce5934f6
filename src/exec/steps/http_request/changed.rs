//! A step that sends only what has changed.

use std::sync::Arc;

use sequor_planner::plan::HttpStep;

use super::{lost, once};
use crate::error::{Blame, Result};
use crate::exec::boxed::boxed;
use crate::exec::changes::{Changed, Pass};
use crate::exec::context::StepContext;
use crate::exec::request::checkpoint::Checkpoint;
use crate::exec::run::InDoubt;

/// Notes what an earlier attempt has sent, and sends what has changed.
pub async fn run(changed: &Changed<'_>, step: &StepContext, http: &HttpStep) -> Result<()> {
    step.scope.wait_for_turn().await?;
    let mut unfinished = changed.unfinished().await?;
    if let Some(pass) = &unfinished {
        match kept(http, pass).await? {
            Kept::Nothing => {
                // None of its rows was sent, and nobody need read them.
                changed.drop(pass).await?;
                unfinished = None;
            }
            Kept::Lost => {
                let begun = lost::take_for_begun(http, pass).await?;
                step.warn(lost::warning(step.id(), begun)).await;
            }
            Kept::Begun => {}
        }
    }
    let is_behind = unfinished.is_some();
    if let Some(pass) = unfinished {
        changed.check_keys().await?;
        // What it adds to tables is counted apart.
        let before = step.in_scope(step.scope.inside("before"));
        let pass = Arc::new(pass);
        let mut unread = 0;
        let (sent, noted) = loop {
            let ended = send(&before, http, &pass).await;
            if pass.count_unread() == unread || ended.1.is_err() {
                break ended;
            }
            // Without those that can't be read.
            unread = pass.count_unread();
        };
        let sent = match sent {
            // Of each it is known how it ended, and the rows of the answers are given up.
            Err(error)
                if step.run.in_doubt == InDoubt::Skip
                    && pass.is_through()
                    && noted.is_ok()
                    && error.kind().policy().blame == Blame::Row =>
            {
                let why = error.whole_message();
                let text = format!(
                    "{}: what an earlier run was answered is not loaded, and its rows count as sent ({why})",
                    step.id()
                );
                step.warn(text).await;
                Ok(())
            }
            sent => sent,
        };
        sent.and(noted).map_err(|e| {
            e.context("what was under way when an earlier run ended is sent first (--in-doubt skip: it counts as sent)")
        })?;
        tell(&before, &pass).await;
        changed.drop(&pass).await?;
    }
    let compared = changed.compare().await;
    let (pass, doubts) = compared.map_err(|e| match is_behind {
        // "Nothing was sent" is meant of what has changed.
        true => e.context("behind what an earlier run had under way"),
        false => e,
    })?;
    let pass = Arc::new(pass);
    let (sent, noted) = send(step, http, &pass).await;
    if sent.is_err() && noted.is_ok() {
        let keeps = !http.request.response.tables.is_empty();
        // What failed is said, and not what follows from it: what is kept is as it was then.
        if let Err(error) = changed.give_up(&pass, keeps).await {
            tracing::debug!(%error, "what was being sent is kept");
        }
    }
    sent.and(noted)?;
    tell(step, &pass).await;
    changed.end(&pass).await?;
    changed.none_in_doubt(doubts + pass.doubts()).await
}

/// What is kept of an earlier attempt.
enum Kept {
    /// It has sent nothing.
    Nothing,
    Begun,
    /// It was kept, and is gone.
    Lost,
}

async fn kept(http: &HttpStep, pass: &Pass) -> Result<Kept> {
    let Some(kept) = Checkpoint::of_sending(http, pass.files.as_ref()).await? else {
        return Ok(Kept::Nothing);
    };
    Ok(match (kept.ledger.is_there().await?, kept.ledger.is_fresh()) {
        (false, _) => Kept::Lost,
        (true, true) => Kept::Nothing,
        (true, false) => Kept::Begun,
    })
}

/// Sends rows, and notes which were, whatever happens to the others. How either ended.
async fn send(step: &StepContext, http: &HttpStep, pass: &Arc<Pass>) -> (Result<()>, Result<()>) {
    let sent = boxed(|| once(step, http, None, (None, Some(pass.clone())))).await;
    (sent, pass.flush().await)
}

async fn tell(step: &StepContext, pass: &Pass) {
    if let Some(warning) = pass.refusals(step.id()) {
        step.warn(warning).await;
    }
    // What a dry run makes up answers nothing.
    if let Some(warning) = pass.warning(step.id()).filter(|_| step.run.dry.is_none()) {
        step.warn(warning).await;
    }
}
