//! One at a time: a run waits for another that writes the same, or is refused.

use std::time::{Duration, Instant};

use sequor_planner::effects::Resource;
use sequor_planner::plan::Plan;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::changed_requests::with_state;
use super::compile::Compiled;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Holder, Owner, Store};

/// How other runs are waited for.
#[derive(Default)]
pub struct Waiting {
    /// How long; none: as it is usual.
    pub most: Option<Duration>,
    /// Who is told whom it waits for.
    pub tell: Option<Tell>,
}

/// Gets a text.
pub type Tell = Box<dyn Fn(String) + Send + Sync>;

/// How long runs wait that may meet, and need not, where nothing is said.
const MAY_MEET: Duration = Duration::from_secs(600);

/// How often it is looked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Locks what a plan writes.
///
/// # Errors
/// Another run that writes the same, and does not end in time; a state that can't be read or written; an interrupt.
pub async fn take(
    store: &Store,
    run: Uuid,
    owner: &Owner,
    plan: &Plan,
    waiting: &Waiting,
    cancel: &CancellationToken,
) -> Result<()> {
    let writes = writes(plan);
    if writes.is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    let mut told = false;
    loop {
        let Some(holder) = store.lock(run, &plan.flow, owner, &writes).await? else {
            return Ok(());
        };
        let most = waiting.most.unwrap_or(match holder.may_meet {
            true => MAY_MEET,
            false => Duration::ZERO,
        });
        let shown = shown(&holder);
        if begun.elapsed() >= most {
            let error = Error::new(ErrorKind::Locked, shown);
            return Err(error.help("wait until it has ended, or let this run wait: --wait 10m"));
        }
        if !told {
            waiting
                .tell
                .iter()
                .for_each(|tell| tell(format!("waiting: {shown}")));
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE.min(most)) => {}
            () = cancel.cancelled() => {
                let message = format!("interrupted while it waited: {shown}");
                return Err(Error::new(ErrorKind::Cancelled, message));
            }
        }
    }
}

/// Does something that no run which writes the same tables may meet.
///
/// # Errors
/// Such a run is under way; a state that can't be read or written.
pub async fn apart<T>(compiled: &Compiled, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    if !compiled.loaded.has_state() {
        // Nothing has run.
        return work().await;
    }
    with_state(&compiled.loaded, async |store| {
        let (id, plan) = (Uuid::now_v7(), &compiled.plan);
        let holder = store.lock(id, &plan.flow, &Owner::this(), &writes(plan)).await?;
        if let Some(holder) = holder.filter(|holder| !holder.may_meet) {
            return Err(Error::new(ErrorKind::Locked, shown(&holder)).help("wait until it has ended"));
        }
        let done = work().await;
        store.unlock(id).await?;
        done
    })
    .await
}

fn shown(holder: &Holder) -> String {
    let since = holder.since.get(..19).unwrap_or_default().replace('T', " ");
    let verb = if holder.may_meet { "may write" } else { "writes" };
    format!(
        "the run {} of flow `{}`, under way since {since} UTC, {verb} {}",
        holder.run, holder.flow, holder.what
    )
}

/// What a plan writes that outlives its run.
fn writes(plan: &Plan) -> Vec<Resource> {
    let mut all = Vec::new();
    plan.root.each(&mut |step| {
        let kept = step.writes.iter().filter(|resource| {
            matches!(
                resource,
                Resource::Table { .. }
                    | Resource::Source(_)
                    | Resource::AnySource
                    | Resource::Variable(_)
                    | Resource::AnyVariable
            )
        });
        all.extend(kept.cloned());
    });
    all.sort();
    all.dedup();
    all
}
