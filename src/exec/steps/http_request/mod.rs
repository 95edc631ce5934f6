//! `http_request`: prepares what all its requests share, then asks once, once per row or once per batch of rows.

mod begin;
mod changed;
mod lost;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sequor_planner::ops::{OnError, VariableScope};
use sequor_planner::plan::{FanOut, HttpStep};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::boxed::boxed;
use crate::exec::changes::{Changed, Pass};
use crate::exec::context::StepContext;
use crate::exec::incremental::{Keeps, Sync};
use crate::exec::layer::Layer;
use crate::exec::request::context::RequestContext;
use crate::exec::request::fan_out;
use crate::exec::request::rejects::Rejects;
use crate::exec::scope::Scope;
use crate::exec::turn::Variable;
use crate::value::{Row, Value};

pub use begin::{Begun, Destination, begin};

/// Runs the step. `records`: rows that take the place of those of its table.
pub async fn run(step: &StepContext, http: &HttpStep, records: Option<Vec<Row>>) -> Result<()> {
    if records.is_none()
        && let Some(changed) = Changed::begin(step, http).await?
    {
        return boxed(|| changed::run(&changed, step, http)).await;
    }
    let Some(sync) = Sync::begin(step, http, true).await? else {
        return boxed(|| once(step, http, records, (None, None))).await;
    };
    // Each window is a load of its own.
    let (mut number, mut told) = (0, false);
    loop {
        let keeps = Arc::new(sync.clone().round(number));
        boxed(|| once(step, http, records.clone(), (Some(keeps.clone()), None))).await?;
        if number == 0 && http.request.for_each.is_none() && keeps.round.asks_nothing() {
            let why = "what is asked for would end before it starts";
            step.warn(format!("{}: nothing was asked for: {why}", step.id()))
                .await;
        }
        if let Some(text) = keeps.round.ignored().filter(|_| !told) {
            told = true;
            step.warn(format!("{}: {text}", step.id())).await;
        }
        if number == 0 {
            sync.note_request(step).await?;
        }
        match (keeps.round.is_paused(), keeps.round.has_more()) {
            // It goes on from what came.
            (true, _) => {
                if !sync.renew() {
                    let message =
                        "what came last is covered already: it would be asked for again without an end";
                    return Err(Error::new(ErrorKind::Internal, message));
                }
                number = 0;
            }
            (false, true) => number += 1,
            (false, false) => break,
        }
    }
    Ok(())
}

/// Asks for every row once. `of`: the round of an incremental step; the sending of a step that sends only changes.
async fn once(
    step: &StepContext,
    http: &HttpStep,
    records: Option<Vec<Row>>,
    of: (Option<Arc<Keeps>>, Option<Arc<Pass>>),
) -> Result<()> {
    let Begun {
        context,
        scope,
        own,
        init,
    } = boxed(|| begin(step, http, Destination::Tables, records, of)).await?;
    let unread = context.pass.as_ref().map_or(0, |pass| pass.count_unread());
    let asked = match &http.fan_out {
        FanOut::Single => boxed(|| fan_out::single(&context, &scope, &own)).await,
        FanOut::Concurrent { .. } | FanOut::Sequential { .. } => {
            boxed(|| fan_out::run(&context, &scope, &own, &init)).await
        }
    };
    let asked = match asked {
        Ok(()) => not_in_doubt(step, &context).await,
        failed => failed,
    };
    let asked = match (asked, &context.pass) {
        (Ok(()), Some(pass)) => {
            pass.gone_through();
            match pass.count_unread() > unread {
                // Half of an answer may be among the rows.
                true => Err(Error::new(ErrorKind::TakenBack, "what can't be read is left out")),
                false => Ok(()),
            }
        }
        (asked, _) => asked,
    };
    if let Err(error) = asked {
        boxed(|| keep_what_came(step, context, &error)).await?;
        return Err(error);
    }
    if let Some(checkpoint) = &context.checkpoint {
        match checkpoint.skipped.load(Ordering::Relaxed) {
            0 => {}
            1 => {
                step.warn(format!("{}: 1 row in doubt counts as sent", step.id()))
                    .await
            }
            n => {
                step.warn(format!("{}: {n} rows in doubt count as sent", step.id()))
                    .await
            }
        }
    }
    if step.scope.stop().is_cancelled() {
        return Err(Error::new(ErrorKind::Cancelled, "interrupted"));
    }
    // Requests are over: this is the last holder.
    let context = Arc::into_inner(context)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "requests outlived their step"))?;
    if let (Some(rejects), Some(table)) = (&context.rejects, &http.rejects)
        && let Some(warning) = rejects.warning(step.id(), table.table.as_text().unwrap_or_default())
    {
        step.warn(warning).await;
    }
    let set = to_publish(http, &own, &step.scope);
    step.scope.stage(&set);
    let mark = context.outcome.take_mark();
    let rejects = context.rejects.as_ref().and_then(Rejects::target);
    match context.outcome.keeps_tables() {
        Some(why) => {
            if !http.request.response.tables.is_empty() {
                step.warn(format!("{}: {why}: its tables stay as they are", step.id()))
                    .await;
            }
            context.sink.commit_apart().await?;
        }
        None => boxed(|| context.sink.commit()).await?,
    }
    if let Some(rejects) = &rejects {
        step.run.reject_tables.note(rejects, &step.run.journal);
    }
    if let (Some((key, mark)), Some(state)) = (mark, &step.run.state) {
        let text = serde_json::to_string(&mark);
        let text = text.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        state.keep_mark(&key, &text).await?;
    }
    step.scope.publish(set);
    Ok(())
}

/// How long, and how often, requests that were dropped are waited for.
const MOMENT: Duration = Duration::from_millis(5);
const MOMENTS: usize = 200;

/// Puts the rows that were rejected into their table though the step fails: why they were is there to be seen. Where they are
/// added to what is there, going on with the run would add them once more: it does so alone. Rows that came in order stay, with
/// how far they got.
async fn keep_what_came(step: &StepContext, context: Arc<RequestContext>, error: &Error) -> Result<()> {
    let ends_all = matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::State | ErrorKind::TakenBack | ErrorKind::Internal
    );
    // What began anew has left all as it was.
    let resumable = context
        .round
        .as_ref()
        .is_some_and(|round| round.is_resumable() && !round.begins_anew());
    if ends_all || (context.rejects.is_none() && !resumable) {
        return Ok(());
    }
    // Requests that were dropped hold it a moment longer.
    for _ in 0..MOMENTS {
        if Arc::strong_count(&context) == 1 {
            break;
        }
        tokio::time::sleep(MOMENT).await;
    }
    let Some(context) = Arc::into_inner(context) else {
        return Ok(());
    };
    let goes_on = step.step.on_error == OnError::Continue;
    if resumable && context.outcome.keeps_tables().is_none() {
        let target = context.rejects.as_ref().and_then(Rejects::target);
        // What can't be committed is asked for again; why the step fails is told.
        match (context.sink.commit().await, target) {
            (Ok(()), Some(target)) => step.run.reject_tables.note(&target, &step.run.journal),
            (Ok(()), None) => {}
            (Err(error), _) => tracing::debug!(%error, "what came in order is not kept"),
        }
        return Ok(());
    }
    let Some(rejects) = context
        .rejects
        .as_ref()
        .filter(|rejects| rejects.count.load(Ordering::Relaxed) > 0 && (goes_on || !rejects.adds))
    else {
        return Ok(());
    };
    let target = rejects.target();
    context.sink.commit_apart().await?;
    if let Some(target) = target.filter(|_| goes_on) {
        step.run.reject_tables.note(&target, &step.run.journal);
    }
    Ok(())
}

/// # Errors
/// Rows that may have been sent by an earlier attempt, and must not be sent twice: they are listed.
async fn not_in_doubt(step: &StepContext, context: &RequestContext) -> Result<()> {
    let doubts = match &context.checkpoint {
        Some(checkpoint) => checkpoint.doubts(),
        None => Vec::new(),
    };
    if let Some(state) = &step.run.state {
        state
            .note_doubts(step.run.id, &step.scope.key(step.id()), &doubts)
            .await?;
    }
    if doubts.is_empty() {
        return Ok(());
    }
    let rows = match doubts.len() {
        1 => "1 row may have been sent".to_string(),
        n => format!("{n} rows may have been sent"),
    };
    let message = format!("{rows} when the run ended before, and must not be sent twice");
    let (flow, run) = (&step.run.plan.flow, step.run.id);
    let goes_on = match step.step.on_error {
        // To the flow the step is over.
        OnError::Continue => "--retry-failed",
        _ => "--resume",
    };
    Err(Error::new(ErrorKind::InDoubt, message).help(format!(
        "sequor show {run} lists them; look at the API, and then: sequor run {flow} {goes_on} --in-doubt send (they are sent again) or --in-doubt skip (they count as sent). An `idempotency_key` avoids it"
    )))
}

/// After success, variables become visible to the steps behind; a failed step leaves them as they were.
fn to_publish(http: &HttpStep, own: &Layer, scope: &Scope) -> Vec<(Variable, Value)> {
    let init = http.request.init.iter();
    let response = http.request.response.variables.iter();
    let kept: HashMap<&str, VariableScope> = init
        .clone()
        .chain(response)
        .map(|v| (v.name.as_str(), v.scope))
        .collect();
    let returned = own.scopes();
    let step_local = |name: &str| {
        // `scope: local` in `init` means: this step.
        init.clone()
            .any(|v| v.name == name && v.scope == VariableScope::Local)
    };
    let set = own.all().into_iter().filter(|(name, _)| !step_local(name));
    set.map(|(name, value)| {
        let scope_of = returned.get(&name).or_else(|| kept.get(name.as_str())).copied();
        let scope_of = scope_of.unwrap_or(VariableScope::Project);
        (scope.target(&name, scope_of), value)
    })
    .collect()
}
