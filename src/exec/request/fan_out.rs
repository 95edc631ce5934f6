//! One conversation per row, or per batch of rows: many at the same time, or one by one where the next depends on the
//! last.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::StreamExt;
use sequor_planner::ops::VariableScope;
use sequor_planner::plan::FanOut;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::changes::Item;
use crate::exec::layer::Layer;
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::context::RequestContext;
use crate::exec::request::conversation::converse;
use crate::exec::request::earlier::{
    ANOTHER_REQUEST, is_unclear, may_be_done, may_be_sent, over, replayed, warn_of_answers,
};
use crate::exec::request::endings::{not_known_again, note_rejected, note_unread, unknown};
use crate::exec::request::items::items;
use crate::exec::request::rejects::Rejects;
use crate::exec::request::row_order::AHEAD;
use crate::exec::request::split::Asking;
use crate::exec::run::InDoubt;
use crate::exec::scope::Scope;
use crate::state::{Outcome, Rejection};
use crate::value::Value;

/// What a row's conversation set: its variables, and the scopes that parsers gave them.
type Set = (HashMap<String, Value>, HashMap<String, VariableScope>);

/// Asks for every row. `own` holds the step's variables, and gets what the last row in order set.
pub async fn run(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    init: &HashMap<String, Value>,
) -> Result<()> {
    let Some(rows) = &context.http.request.for_each else {
        return Ok(());
    };
    let concurrency = match &context.http.fan_out {
        FanOut::Concurrent { concurrency } => concurrency.most(),
        _ => 1,
    };
    let (table, items) = items(context, rows, scope).await?;
    let begun = match &context.order {
        Some(_) => concurrency * AHEAD,
        None => concurrency,
    };
    let each_own = concurrency > 1 || !context.http.row_variables.is_empty();
    let what = if rows.batch_size.is_some() { "batch" } else { "row" };
    // Set when a row failed, or the run was told to stop: no other is begun.
    let closing = Arc::new(AtomicBool::new(false));
    let (is_closing, stopping) = (closing.clone(), context.clone());
    let conversations = items
        .take_while(move |_| {
            let stopped = stopping.stopped.load(Ordering::Relaxed) || is_closing.load(Ordering::Relaxed);
            std::future::ready(!stopped)
        })
        .enumerate()
        .map(|(number, item)| {
            let layer = if each_own {
                Layer::new(init.clone())
            } else {
                own.clone()
            };
            let row = item.and_then(|item| {
                let asking = Asking {
                    context: context.clone(),
                    scope: context.changed(scope.clone(), &item),
                    layer,
                    variable: rows.variable.clone(),
                    exchange: Arc::new(context.exchange_about(number as u64, &item)?),
                };
                // A task of its own, so that rows use all cores; dropped, it stops.
                Ok(AbortOnDropHandle::new(tokio::spawn(one(asking, item))))
            });
            let table = table.to_string();
            let pass = context.pass.clone();
            let lost = move || pass.iter().for_each(|pass| pass.unclear());
            async move {
                let joined = row?.await.map_err(|e| {
                    lost();
                    let message = format!("the task of a request ended unexpectedly: {e}");
                    Error::new(ErrorKind::Internal, message)
                })?;
                let at = || format!("{what} {} of `{table}` ({})", number + 1, rows.variable);
                joined.map(|set| (number, set)).map_err(|e| e.context(at()))
            }
        })
        .buffer_unordered(begun);
    let mut conversations = std::pin::pin!(conversations);
    // What each variable was set to by the latest row so far.
    let mut latest: HashMap<String, (usize, Value)> = HashMap::new();
    let mut failed = None;
    let mut all = 0;
    loop {
        let next = tokio::select! {
            biased;
            next = conversations.next() => next,
            () = context.step.scope.stop().cancelled(), if failed.is_none() => {
                failed = Some(Error::new(ErrorKind::Cancelled, "interrupted"));
                closing.store(true, Ordering::Relaxed);
                match drains(context) {
                    true => continue,
                    false => break,
                }
            }
        };
        let (number, (set, scopes)) = match next {
            None => break,
            Some(Ok(ended)) => {
                all += 1;
                if let Some(pass) = &context.pass
                    && let Err(error) = pass.flush_when_due().await
                {
                    failed.get_or_insert(error);
                    closing.store(true, Ordering::Relaxed);
                    match drains(context) {
                        true => continue,
                        false => break,
                    }
                }
                ended
            }
            Some(Err(error)) => {
                // What is under way ends in order, so that it is known what became of it.
                failed.get_or_insert(error);
                closing.store(true, Ordering::Relaxed);
                match drains(context) {
                    true => continue,
                    false => break,
                }
            }
        };
        if !each_own {
            continue;
        }
        for (name, scope) in scopes {
            own.set_scope(&name, scope);
        }
        for (name, value) in set {
            match latest.get(&name) {
                Some((at, _)) if *at > number => {}
                _ => {
                    latest.insert(name, (number, value));
                }
            }
        }
    }
    if let Some(checkpoint) = &context.checkpoint {
        checkpoint.ledger.flush().await?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(rejects) = &context.rejects {
        rejects.check(all)?;
    }
    if context.stopped.load(Ordering::Relaxed) {
        let what = match context.outcome.kept.load(Ordering::Relaxed) {
            true => "a rule keeps the tables: what other rows gave is not loaded",
            false => "a rule stopped it: further rows were not asked for",
        };
        let message = format!("{}: {what}", context.step.id());
        context.step.warn(message).await;
    }
    for (name, (_, value)) in latest {
        own.set(&name, value);
    }
    Ok(())
}

/// Asks once, and notes what became of it.
pub async fn single(context: &Arc<RequestContext>, scope: &Scope, own: &Arc<Layer>) -> Result<()> {
    let exchange = Arc::new(context.exchange(0));
    note_skipped(context, &exchange).await?;
    let Some(scope) = context.windowed(scope.clone(), 0, &Value::Null)? else {
        return Ok(());
    };
    let asked = converse(context, &scope, own, &exchange).await;
    if asked.is_ok() {
        context.asked(0);
    }
    let Some(checkpoint) = context.checkpoint.as_ref().filter(|_| !exchange.is_over()) else {
        return match asked {
            Err(failure) if !failure.is_gap || exchange.is_done() => Err(failure.error),
            _ => Ok(()),
        };
    };
    let outcome = match &asked {
        Ok(()) => Some(Outcome::Done),
        Err(failure) if failure.error.kind() == ErrorKind::InDoubt => {
            checkpoint.doubt(0, &Value::Null);
            None
        }
        Err(failure) => failure.was_not_carried_out().then_some(Outcome::Failed),
    };
    if let Some(outcome) = outcome {
        checkpoint.ledger.note(0, outcome).await?;
    }
    checkpoint.ledger.flush().await?;
    match asked {
        Err(failure) if failure.error.kind() != ErrorKind::InDoubt => Err(failure.error),
        _ => Ok(()),
    }
}

/// Notes that a row in doubt counts as sent.
async fn note_skipped(context: &RequestContext, exchange: &Exchange) -> Result<()> {
    let Some(checkpoint) = context.checkpoint.as_ref().filter(|_| exchange.is_skipped_now()) else {
        return Ok(());
    };
    checkpoint.skipped.fetch_add(1, Ordering::Relaxed);
    checkpoint.ledger.note(exchange.row, Outcome::Skipped).await
}

/// Whether requests under way are waited for when no other is begun: those that change something outside. Of others a sending does
/// not know how they end, which is noted.
fn drains(context: &RequestContext) -> bool {
    let drains = context.checkpoint.is_some() && !context.http.request.is_read();
    if let Some(pass) = context.pass.as_ref().filter(|_| !drains) {
        pass.unclear();
    }
    drains
}

/// Asks for one row, and notes what became of it.
async fn one(asking: Asking, item: Item) -> Result<Set> {
    let context = &asking.context.clone();
    let row = &item.value;
    let under = context
        .order
        .as_ref()
        .map(|order| order.begin(asking.exchange.row));
    let replays = context
        .pass
        .as_deref()
        .filter(|pass| pass.replays && !asking.exchange.is_over());
    if let Some(pass) = replays {
        match replayed(&asking, pass, &item).await {
            true => {}
            false => return Ok((asking.layer.all(), asking.layer.scopes())),
        }
    }
    let Some(scope) = context.windowed(asking.scope, asking.exchange.row, row)? else {
        // Nothing is left to be asked.
        return Ok((asking.layer.all(), asking.layer.scopes()));
    };
    let asking = Asking { scope, ..asking };
    let exchange = &asking.exchange;
    if let Some(pass) = &context.pass {
        pass.begins(&item);
    }
    let before = exchange.rejected_before();
    if let Some(rejects) = &context.rejects {
        // What is sent anew is rejected anew.
        for rejection in before.iter().filter(|_| context.pass.is_none()) {
            rejects.put(&context.sink, rejection).await?;
        }
    }
    let set = |layer: &Layer| (layer.all(), layer.scopes());
    let checkpoint = context.checkpoint.as_ref();
    note_skipped(context, exchange).await?;
    let sent = |rejections: &[Rejection]| {
        if let Some(pass) = &context.pass {
            pass.sent(&item, rejections);
        }
    };
    if exchange.is_over() && checkpoint.is_some_and(|checkpoint| !checkpoint.keeps_responses) {
        over(&asking, &item).await;
        return Ok(set(&asking.layer));
    }
    let earlier = context.pass.as_ref().filter(|pass| pass.replays);
    if let Some(pass) = earlier.filter(|_| exchange.is_over())
        && !pass.is_like(context.batch_size())
    {
        over(&asking, &item).await;
        warn_of_answers(&asking, ANOTHER_REQUEST).await;
        return Ok(set(&asking.layer));
    }
    let again = exchange.rejected_rows(row);
    let asked = match again.as_slice() {
        [] => asking.ask(row.clone()).await,
        again => asking.ask_each(row, again).await,
    };
    // They are taken: an incremental step, which keeps no ledger, needs them here alone.
    if context.round.is_some() && asked.is_ok() && exchange.rejections().is_empty() {
        context.asked(exchange.row);
    }
    // What it gave is taken: what is noted of it holds up nobody.
    drop(under);
    let Some(checkpoint) = checkpoint.filter(|_| !exchange.is_over()) else {
        // To a step that sends only changes, answers that were not kept are none that it needs.
        let adds = checkpoint.is_some_and(|c| c.adds) || context.pass.is_some();
        match exchange.is_over() {
            true => over(&asking, &item).await,
            false if asked.is_ok() => sent(&exchange.rejections()),
            false => {}
        }
        return match asked {
            Err(failure) if failure.is_gap && adds => Ok(set(&asking.layer)),
            // The request is another one by now, and can't be made of what was sent then.
            Err(failure) if failure.before_response && earlier.is_some() && exchange.is_over() => {
                warn_of_answers(&asking, ANOTHER_REQUEST).await;
                Ok(set(&asking.layer))
            }
            Err(failure)
                if failure.is_unread_row()
                    && earlier.is_some()
                    && context.step.run.in_doubt == InDoubt::Skip =>
            {
                let why = failure.error.whole_message();
                let what = format!("can't be read, and is not taken. The rows count as sent ({why})");
                warn_of_answers(&asking, &what).await;
                Ok(set(&asking.layer))
            }
            Ok(()) => enough(context).map(|()| set(&asking.layer)),
            Err(failure) => {
                if !exchange.is_over() && !failure.was_not_carried_out() {
                    unknown(&asking, &item).await;
                }
                Err(failure.error)
            }
        };
    };
    let rejections = exchange.rejections();
    let sent_but = asked.is_ok().then(|| rejections.clone());
    let outcome = match &asked {
        Ok(()) if rejections.is_empty() => Outcome::Done,
        Ok(()) => Outcome::Rejected(rejections),
        Err(failure) if failure.error.kind() == ErrorKind::InDoubt => {
            match replays {
                Some(pass) if exchange.is_in_doubt() => pass.in_doubt(&item, &[]),
                Some(_) => {}
                None => checkpoint.doubt(exchange.row, row),
            }
            return Ok(set(&asking.layer));
        }
        Err(failure) if let Some(pass) = replays.filter(|_| failure.is_unread_row()) => {
            note_unread(&asking, (pass, &item), &failure.error).await;
            return Ok(set(&asking.layer));
        }
        // Of an earlier attempt nothing is known unless the API has judged the row itself.
        Err(failure) if replays.is_some() && !failure.judges() => {
            return asked
                .map(|()| set(&asking.layer))
                .map_err(|failure| failure.error);
        }
        // Of a batch in parts some may have been carried out; of what was tried before, all: the next run sends it again first.
        Err(failure)
            if failure.was_not_carried_out()
                && !exchange.is_in_parts()
                && (replays.is_some() || context.pass.is_none() || !may_be_done(exchange)) =>
        {
            Outcome::Failed
        }
        // Nobody knows: without an outcome it is in doubt.
        Err(_) => {
            unknown(&asking, &item).await;
            return asked
                .map(|()| set(&asking.layer))
                .map_err(|failure| failure.error);
        }
    };
    if let (Some(pass), Some(rejections)) = (&context.pass, &sent_but)
        && !pass.replays
        && !exchange.is_in_parts()
        && (is_unclear(rejections) || (!rejections.is_empty() && may_be_done(exchange)))
        && may_be_sent(&asking, &item).await
    {
        // It may have been done: without an outcome the next run first sends it as it was, by the same key.
        pass.unclear();
        sent(rejections);
        return enough(context).map(|()| set(&asking.layer));
    }
    if let Some(rejections) = &sent_but {
        // Without an outcome it is sent again by the next run, too: by its key alone the API knows it.
        not_known_again(&asking, &item, rejections).await?;
    }
    if let Err(error) = checkpoint.ledger.note(exchange.row, outcome).await {
        unknown(&asking, &item).await;
        return Err(error);
    }
    if let Some(rejections) = sent_but {
        note_rejected(&asking, &item, &rejections).await;
    }
    match asked {
        Ok(()) => enough(context).map(|()| set(&asking.layer)),
        // It was not done now, and may have been before: the comparison says what becomes of the row.
        Err(failure) if failure.judges() && replays.is_some() => {
            if let Some(pass) = replays.filter(|_| exchange.is_in_doubt()) {
                pass.refused(&item, &[], failure.error.whole_message());
            }
            Ok(set(&asking.layer))
        }
        Err(failure) => Err(failure.error),
    }
}

/// # Errors
/// More rows were rejected than may be.
fn enough(context: &RequestContext) -> Result<()> {
    context.rejects.as_ref().map_or(Ok(()), Rejects::enough)
}
