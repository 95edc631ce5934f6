//! One conversation with an API: a request, and more while there are pages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::stream::{self, Stream, StreamExt};
use sequor_planner::plan::FanOut;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::error::{Blame, Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::exchange::Response;
use crate::exec::request::context::RequestContext;
use crate::exec::request::render::render;
use crate::exec::request::response::{self, Taken};
use crate::exec::request::rules::Rules;
use crate::exec::scope::{Layer, Scope};
use crate::http::{Judge, Pages, Request, Sending, Verdict};

/// Why a conversation failed.
pub struct Failure {
    pub error: Error,
    /// The status of the last response.
    pub status: Option<u16>,
    /// How often the request was sent.
    pub attempts: u64,
    /// Whose failure it is, where a rule says so.
    pub blame: Option<Blame>,
    /// Whether nothing of the response was taken: it is the request that failed.
    pub before_response: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            status: None,
            attempts: 0,
            blame: None,
            before_response: false,
        }
    }
}

impl Failure {
    /// The failure of a request that could not be made up.
    fn of_request(error: Error) -> Self {
        Failure {
            before_response: true,
            ..error.into()
        }
    }
}

type Conversed<T> = std::result::Result<T, Failure>;

/// Returns one request, and more while there are pages. `own` takes the variables that responses set.
pub async fn converse(context: &Arc<RequestContext>, scope: &Scope, own: &Arc<Layer>) -> Conversed<()> {
    let mut pages = context.http.request.request.pagination.as_ref().map(Pages::new);
    loop {
        let request = render(context, scope, pages.as_ref()).await;
        let request = request.map_err(Failure::of_request)?;
        if let Some(pages) = &mut pages {
            pages.check(&request).map_err(|e| at_url(context, e))?;
        }
        let (response, verdict) = ask(context, scope, &request).await?;
        if verdict == Verdict::Skip {
            return Ok(());
        }
        let taken = response::take(context, scope, own, response.clone()).await?;
        if verdict == Verdict::Stop {
            context.stopped.store(true, Ordering::Relaxed);
        }
        if !goes_on(context, &mut pages, &response, &taken).await? {
            return Ok(());
        }
        if let Some(pages) = &mut pages
            && !at_once(context, scope, own, pages, &response).await?
        {
            return Ok(());
        }
    }
}

/// Whether there is another request to make. `pages` moves to it.
async fn goes_on(
    context: &RequestContext,
    pages: &mut Option<Pages>,
    response: &Response,
    taken: &Taken,
) -> Result<bool> {
    if context.stopped.load(Ordering::Relaxed) {
        return Ok(false);
    }
    match pages {
        Some(pages) => advance(context, pages, response, taken).await,
        None => Ok(taken.again),
    }
}

/// Moves to the next page; false when there is none. Rows that the API says it has, and that did not come, are told.
async fn advance(
    context: &RequestContext,
    pages: &mut Pages,
    response: &Response,
    taken: &Taken,
) -> Result<bool> {
    let more = pages
        .advance(response, taken.rows)
        .map_err(|e| at_url(context, e))?;
    if let (false, Some(missing)) = (more, pages.missing(response)) {
        let message = format!("{}: {missing}", context.step.id());
        context.step.warn(message).await;
    }
    Ok(more)
}

/// Asks for all pages that are left at the same time, when their number is known. Their responses are taken in order.
/// Whether there are still more.
async fn at_once(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    pages: &mut Pages,
    first: &Response,
) -> Conversed<bool> {
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
    let responses = stream::iter(rest)
        .map(|page| {
            let (context, scope) = (context.clone(), scope.clone());
            // A task of its own, so that pages use all cores; dropped, it stops.
            let task = AbortOnDropHandle::new(tasks.spawn(async move {
                let request = render(&context, &scope, Some(&page)).await;
                ask(&context, &scope, &request.map_err(Failure::of_request)?).await
            }));
            async move {
                let joined = task.await;
                joined.map_err(|e| {
                    Error::new(
                        ErrorKind::Internal,
                        format!("the task of a request ended unexpectedly: {e}"),
                    )
                })?
            }
        })
        .buffered(concurrency);
    let more = in_order(context, scope, own, pages, responses).await;
    // What ends before the last page stops those behind it. They hold what the step is done with, until they are gone.
    tasks.close();
    tasks.wait().await;
    more
}

/// Takes the responses of pages in their order. Whether there are still more pages.
async fn in_order(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    pages: &mut Pages,
    responses: impl Stream<Item = Conversed<(Arc<Response>, Verdict)>>,
) -> Conversed<bool> {
    let mut responses = std::pin::pin!(responses);
    while let Some(answer) = responses.next().await {
        let (response, verdict) = answer?;
        if verdict == Verdict::Skip {
            return Ok(false);
        }
        let taken = response::take(context, scope, own, response.clone()).await?;
        if verdict == Verdict::Stop {
            context.stopped.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        if !advance(context, pages, &response, &taken).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends a request, and counts it.
pub async fn ask(
    context: &RequestContext,
    scope: &Scope,
    request: &Request,
) -> Conversed<(Arc<Response>, Verdict)> {
    let api = &context.api;
    let rules = Rules { context, scope };
    let judge: &dyn Judge = &rules;
    let sending = Sending {
        transport: &*api.transport,
        limits: &context.limits,
        policy: &context.policy,
        auth: context.auth.as_ref(),
        step: context.step.id(),
        success: &context.success,
        hosts: &context.hosts,
        waiting: &|wait| {
            let message = format!(
                "{}: the API asks to wait {} s",
                context.step.id(),
                wait.as_secs_f64().ceil()
            );
            let warning = EventKind::Warning { text: message };
            context.step.run.events.try_emit(Some(context.step.id()), warning);
        },
        judge: Some(judge).filter(|_| !context.http.request.response.rules.is_empty()),
    };
    let sent = sending.send(request).await;
    context.step.counters.add_request(sent.attempts - 1);
    sent.result.map_err(|error| {
        let place = &context.http.request.request.source_place;
        let error = match place {
            Some(place) if error.kind() == ErrorKind::Unauthorized => error.at(place),
            _ => at_url(context, error),
        };
        Failure {
            error,
            status: sent.status,
            attempts: sent.attempts,
            blame: sent.blame,
            before_response: true,
        }
    })
}

fn at_url(context: &RequestContext, error: Error) -> Error {
    error.at(&context.http.request.request.url_place)
}
