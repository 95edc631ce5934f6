//! Incremental steps whose requests are others than those by which their tables were filled, as far as the project's state knows.

use std::collections::BTreeSet;

use sequor_planner::plan::{Action, AsksFor, Plan};
use sequor_planner::{Code, Diagnostics};

use super::compile::{Compiled, Loaded};
use crate::error::{Error, Result};
use crate::exec::{Definition, definition, request_mark};
use crate::state::Store;

/// Warns of the steps of some plans. What can't be looked at is told, too.
pub async fn warn(loaded: &Loaded, plans: &[Plan], d: &mut Diagnostics) {
    if !plans.iter().any(has_incremental) || !loaded.has_state() {
        return;
    }
    let warned = with_state(loaded, async |state| {
        warn_by(loaded, state, plans, d).await;
        Ok(())
    });
    if let Err(error) = warned.await {
        not_known(&error, d);
    }
}

async fn warn_by(loaded: &Loaded, state: &Store, plans: &[Plan], d: &mut Diagnostics) {
    for plan in plans {
        match changed(loaded, state, plan).await {
            Ok(changed) => plan.root.each(&mut |step| {
                let Action::Http(http) = &step.action else { return };
                let Some(given) = http.request.request.incremental.as_ref() else {
                    return;
                };
                if changed.contains(&step.id) {
                    d.warning(Code::OtherRequest, given.place.clone(), MESSAGE)
                        .help(format!(
                            "sequor run {0} --keep-state goes on from where it is, --full-refresh begins anew",
                            plan.flow
                        ));
                }
            }),
            Err(error) => not_known(&error, d),
        }
    }
}

/// Does something with the project's state: one that was open before stays open.
pub async fn with_state<T>(loaded: &Loaded, work: impl AsyncFnOnce(&Store) -> Result<T>) -> Result<T> {
    let state = loaded.open_state().await?;
    let done = work(&state).await;
    if loaded.state.is_none() {
        state.close().await;
    }
    done
}

const MESSAGE: &str = "the request is another one than that by which its tables were filled, so that the next run refuses to go on";

/// Notes in a plan which of its steps those are.
///
/// # Errors
/// A state that can't be read.
pub async fn note(compiled: &mut Compiled) -> Result<()> {
    let loaded = &compiled.loaded;
    if !has_incremental(&compiled.plan) || !loaded.has_state() {
        return Ok(());
    }
    let plan = &compiled.plan;
    let changed = with_state(loaded, async |state| changed(loaded, state, plan).await).await?;
    compiled.plan.root.each_mut(&mut |step| {
        if let Action::Http(http) = &mut step.action
            && changed.contains(&step.id)
        {
            http.estimates
                .estimated_ranges
                .get_or_insert_with(AsksFor::default)
                .is_another = true;
        }
    });
    Ok(())
}

/// Forgets by which requests the tables of a flow's steps were filled, or of one of them.
///
/// # Errors
/// A state that can't be written.
pub async fn forget(compiled: &Compiled, wanted: Option<&str>) -> Result<()> {
    let (loaded, plan) = (&compiled.loaded, &compiled.plan);
    if !has_incremental(plan) || !loaded.has_state() {
        return Ok(());
    }
    with_state(loaded, async |state| {
        for (id, _) in definitions(plan) {
            if wanted.is_none_or(|wanted| wanted == id) {
                state.forget_mark(&mark(loaded, plan, &id)).await?;
            }
        }
        Ok(())
    })
    .await
}

fn not_known(error: &Error, d: &mut Diagnostics) {
    let message =
        format!("whether requests are those by which their tables were filled is not known: {error}");
    d.warning(Code::OtherRequest, error.place().cloned(), message);
}

fn has_incremental(plan: &Plan) -> bool {
    let mut has = false;
    plan.root.each(&mut |step| {
        has |= matches!(&step.action, Action::Http(http) if http.asks.is_some());
    });
    has
}

/// The incremental steps of a plan, with their requests.
fn definitions(plan: &Plan) -> Vec<(String, Definition)> {
    let mut steps = Vec::new();
    plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action
            && http.asks.is_some()
        {
            steps.push((step.id.clone(), definition(http)));
        }
    });
    steps
}

fn mark(loaded: &Loaded, plan: &Plan, step: &str) -> String {
    request_mark(loaded.project.env.as_deref(), &plan.flow, step)
}

/// The ids of those steps.
async fn changed(loaded: &Loaded, state: &Store, plan: &Plan) -> Result<BTreeSet<String>> {
    let mut changed = BTreeSet::new();
    for (id, own) in definitions(plan) {
        let known = state.mark(&mark(loaded, plan, &id)).await?;
        if known.is_some_and(|known| !own.is(&known)) {
            changed.insert(id);
        }
    }
    Ok(changed)
}
