//! One conversation with an API: a request, and more while there are pages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::stream::{self, Stream, StreamExt};
use sequor_planner::plan::FanOut;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::exec::dry::Dry;
use crate::exec::layer::Layer;
use crate::exec::request::ask::{Conversed, Failure, Part, ask, at_url};
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::conditional;
use crate::exec::request::context::RequestContext;
use crate::exec::request::listed;
use crate::exec::request::reject_rows::reject_rows;
use crate::exec::request::render::{Rendered, render};
use crate::exec::request::response::{self, Taken};
use crate::exec::scope::Scope;
use crate::http::{Page, Pages, Request, Target, Verdict};

/// Sends one request, and more while there are pages. `own` takes the variables that responses set.
pub async fn converse(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    exchange: &Arc<Exchange>,
) -> Conversed<()> {
    match &context.http.request.request.pagination {
        Some(spec) => by_pages(context, scope, own, Pages::new(spec), exchange).await,
        None => while_asked(context, scope, own, exchange).await,
    }
}

/// Sends the request, evaluated anew, while responses ask for it.
async fn while_asked(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    exchange: &Arc<Exchange>,
) -> Conversed<()> {
    for round in 0_u64.. {
        let what = format!("round {round}");
        let mut request = render(context, scope, exchange, &what)
            .await
            .map_err(Failure::of_request)?;
        let mark = conditional::ask_for_changes(context, &mut request).await?;
        let part = Part {
            exchange,
            what: &what,
            past_the_end: &[],
        };
        let (response, verdict) = ask(context, scope, &request, part).await?;
        match verdict {
            Verdict::Skip => {
                context.outcome.skipped.store(true, Ordering::Relaxed);
                if !is_success(&response) {
                    context.lacks(exchange.row);
                }
                return Ok(());
            }
            Verdict::Keep => {
                keep(context);
                return Ok(());
            }
            verdict => {
                let taken = take(context, scope, own, exchange, &response, verdict).await;
                let taken = taken.map_err(|e| unread(e, (&request, &response), None))?;
                conditional::note(context, mark, &response);
                if !taken.again || context.ends(exchange.row) {
                    return Ok(());
                }
                if context.stopped.load(Ordering::Relaxed) {
                    // Another row's response has stopped all.
                    context.lacks(exchange.row);
                    return Ok(());
                }
                not_cancelled(context)?;
            }
        }
    }
    Ok(())
}

/// # Errors
/// The step was told to stop: no other page is asked for.
fn not_cancelled(context: &RequestContext) -> Result<()> {
    match context.step.scope.stop().is_cancelled() {
        true => Err(Error::new(ErrorKind::Cancelled, "interrupted")),
        false => Ok(()),
    }
}

/// Sends the request, evaluated once, for each page.
async fn by_pages(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    mut pages: Pages,
    exchange: &Arc<Exchange>,
) -> Conversed<()> {
    let rendered = Rendered::new(context, scope).await.map_err(Failure::of_request)?;
    loop {
        let what = pages.target().key();
        let request = rendered.request(context, pages.target(), exchange, &what);
        let request = request.map_err(Failure::of_request)?;
        let part = Part {
            exchange,
            what: &what,
            past_the_end: pages.past_the_end(),
        };
        let answer = ask(context, scope, &request, part).await;
        let answer = answer.map_err(|failure| past_the_end(failure, &pages))?;
        let into = Into {
            context,
            scope,
            own,
            exchange,
        };
        let Some(page) = taken(into, &mut pages, &request, answer).await? else {
            return Ok(());
        };
        not_cancelled(context)?;
        if !at_once(into, &mut pages, &page, &rendered).await? {
            return Ok(());
        }
        not_cancelled(context)?;
    }
}

/// Takes a response that is a success, save for the rows of a batch that its verdict rejects.
async fn take(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    exchange: &Exchange,
    response: &Arc<Response>,
    verdict: Verdict,
) -> Result<Taken> {
    if let Some(order) = &context.order {
        order.turn(exchange.row, response.body.len()).await;
    }
    match verdict {
        Verdict::Stop => {
            context.lacks(exchange.row);
            context.stopped.store(true, Ordering::Relaxed);
        }
        Verdict::RejectRows(positions, why) => {
            reject_rows(context, scope, exchange, response, &positions, why).await?;
        }
        _ => {}
    }
    context.answered(exchange.row, response)?;
    let taken = response::take(context, scope, own, response.clone(), exchange.row).await;
    context.outcome.taken.store(true, Ordering::Relaxed);
    let taken = match (taken, &context.step.run.dry) {
        (taken, Some(dry)) if response.made_up => made_up(context, dry, taken).await?,
        (taken, _) => taken?,
    };
    Ok(taken)
}

/// What an answer gave that was made up: what can't be read from it is not known.
async fn made_up(context: &RequestContext, dry: &Dry, taken: Result<Taken>) -> Result<Taken> {
    if let Err(error) = taken {
        if matches!(
            error.kind(),
            ErrorKind::Cancelled | ErrorKind::State | ErrorKind::TakenBack
        ) {
            return Err(error);
        }
        if !context.outcome.unknown.swap(true, Ordering::Relaxed) {
            let text = format!(
                "{}: its request was not sent, and what a real answer gives is not known ({})",
                context.step.id(),
                error.message()
            );
            context.step.warn(text).await;
        }
        dry.unknown(&context.step.step);
    }
    Ok(Taken {
        again: false,
        rows: None,
        read: Vec::new(),
    })
}

/// Where the pages of a conversation go.
#[derive(Clone, Copy)]
struct Into<'a> {
    context: &'a Arc<RequestContext>,
    scope: &'a Scope,
    own: &'a Arc<Layer>,
    exchange: &'a Arc<Exchange>,
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}

/// Takes a page, and moves to the next; none when there is none.
async fn taken(
    Into {
        context,
        scope,
        own,
        exchange,
    }: Into<'_>,
    pages: &mut Pages,
    request: &Request,
    (response, verdict): (Arc<Response>, Verdict),
) -> Conversed<Option<Page>> {
    let made_up = response.made_up;
    let (taken, read) = match verdict {
        Verdict::PastTheEnd => return Ok(None),
        // Nothing is taken from it; where it is a page, there may be others.
        Verdict::Skip => {
            context.outcome.skipped.store(true, Ordering::Relaxed);
            if !is_success(&response) {
                context.lacks(exchange.row);
                let message = format!(
                    "{}: a rule skipped page {} ({}), and the paging ended there: pages behind it were not taken",
                    context.step.id(),
                    pages.number(),
                    response.status
                );
                if pages.number() > 1 {
                    context.step.warn(message).await;
                }
                return Ok(None);
            }
            (None, Vec::new())
        }
        Verdict::Keep => {
            keep(context);
            return Ok(None);
        }
        verdict => {
            let taken = take(context, scope, own, exchange, &response, verdict).await;
            let taken = taken.map_err(|e| unread(e, (request, &response), Some(pages.number())))?;
            (taken.rows, taken.read)
        }
    };
    if context.stopped.load(Ordering::Relaxed) {
        // Another row's response may have stopped all, and whether there are more pages nobody looks.
        context.lacks(exchange.row);
        return Ok(None);
    }
    if made_up || context.ends(exchange.row) {
        return Ok(None);
    }
    let page = listed::page(context, pages, &response, taken, &read);
    let mark = match pages.mark_code() {
        Some(code) => {
            let evaluator = &context.step.run.evaluator;
            Some(evaluator.one(code, &scope.world(), Some(&response)).await?)
        }
        None => None,
    };
    let more = pages.advance(&page, mark).map_err(|e| at_url(context, e))?;
    let missing = if more { None } else { pages.missing(&page) };
    if missing.is_some() {
        context.lacks(exchange.row);
    }
    for warning in pages.take_warnings().into_iter().chain(missing) {
        context
            .step
            .warn(format!("{}: {warning}", context.step.id()))
            .await;
    }
    Ok(more.then_some(page))
}

/// Asks for all pages that are left at the same time, when their number is known. Their responses are taken in order.
/// Whether there are still more.
async fn at_once(into: Into<'_>, pages: &mut Pages, first: &Page, rendered: &Rendered) -> Conversed<bool> {
    let Into {
        context,
        scope,
        exchange,
        ..
    } = into;
    let Some(most) = context.http.pages_at_once else {
        return Ok(true);
    };
    let concurrency = match context.http.fan_out {
        // Rows are at the same time already: together they share the source's limit.
        FanOut::Concurrent { .. } | FanOut::Single => most.most(),
        FanOut::Sequential { .. } => 1,
    };
    let Some(rest) = pages.rest(first).map_err(|e| at_url(context, e))? else {
        return Ok(true);
    };
    let tasks = TaskTracker::new();
    let past_the_end: Arc<[u16]> = pages.past_the_end().into();
    let responses = stream::iter(rest)
        .map(|target| {
            let (context, scope, past_the_end) = (context.clone(), scope.clone(), past_the_end.clone());
            let (exchange, what) = (exchange.clone(), target.key());
            let request = rendered
                .request(&context, target.clone(), &exchange, &what)
                .map_err(Failure::of_request);
            // A task of its own, so that pages use all cores; dropped, it stops.
            let task = AbortOnDropHandle::new(tasks.spawn(async move {
                let request = request?;
                let part = Part {
                    exchange: &exchange,
                    what: &what,
                    past_the_end: &past_the_end,
                };
                let answer = ask(&context, &scope, &request, part).await?;
                Ok((request, answer))
            }));
            async move {
                let joined = task.await.map_err(|e| {
                    let message = format!("the task of a request ended unexpectedly: {e}");
                    Failure::from(Error::new(ErrorKind::Internal, message))
                });
                joined
                    .flatten()
                    .map(|(response, verdict)| (target, response, verdict))
            }
        })
        .buffered(concurrency);
    let more = in_order(into, pages, responses).await;
    // What ends before the last page stops those behind it. They hold what the step is done with, until they are gone.
    tasks.close();
    tasks.wait().await;
    more
}

/// Takes the responses of pages in their order. Whether there are still more pages.
async fn in_order(
    into: Into<'_>,
    pages: &mut Pages,
    responses: impl Stream<Item = Conversed<(Target, Request, (Arc<Response>, Verdict))>>,
) -> Conversed<bool> {
    let mut responses = std::pin::pin!(responses);
    while let Some(answer) = responses.next().await {
        let (target, request, answer) = answer.map_err(|failure| past_the_end(failure, pages))?;
        // A page was not as long as the first: those that were asked for do not begin where it ends.
        if !target.is(&pages.target()) {
            return Ok(true);
        }
        if taken(into, pages, &request, answer).await?.is_none() {
            return Ok(false);
        }
        not_cancelled(into.context)?;
    }
    Ok(true)
}

/// Ends a step whose tables stay as they are.
fn keep(context: &RequestContext) {
    context.outcome.kept.store(true, Ordering::Relaxed);
    context.stopped.store(true, Ordering::Relaxed);
}

/// The failure of reading a response, with the request it answers: what is no data shows in the request that got it.
fn unread(error: Error, (request, response): (&Request, &Response), page: Option<u64>) -> Failure {
    let is_data = error.kind() == ErrorKind::Data;
    let error = match is_data {
        true => {
            let page = page.map_or(String::new(), |number| format!(", page {number}"));
            error.context(format!(
                "{} {} answered {}{page}",
                request.method,
                crate::exchange::shown_url(&request.url),
                response.status
            ))
        }
        false => error,
    };
    Failure {
        status: (!response.made_up).then_some(response.status),
        attempts: 1,
        is_unread: !response.made_up,
        ..error.into()
    }
}

/// The failure of a page behind the first, with what may be meant by it.
fn past_the_end(mut failure: Failure, pages: &Pages) -> Failure {
    if let ErrorKind::Status(status @ (400 | 404 | 410 | 416 | 422)) = failure.error.kind()
        && pages.may_be_past_the_end()
    {
        failure.error = failure.error.replace_help(format!(
            "if that means that page {} is past the last one, say so by `stop_status: {status}` in `pagination`, or end with a short page by `stop_on: short_page`",
            pages.number()
        ));
    }
    failure
}
