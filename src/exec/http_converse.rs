//! One conversation with an API: a request, and more while there are pages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::stream::{self, Stream, StreamExt};
use sequor_planner::plan::FanOut;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::debug::{self, Look};
use super::event::Event;
use super::http_render::render;
use super::http_response::{self, Taken};
use super::http_step::Asking;
use super::rules::Rules;
use super::scope::{Layer, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::http::{Blame, Judge, Pages, Request, Sending, Verdict};

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

/// One request, and more while there are pages. `own` takes the variables that responses set.
pub async fn converse(asking: &Arc<Asking>, scope: &Scope, own: &Arc<Layer>) -> Conversed<()> {
    let mut pages = asking.http.request.request.pagination.as_ref().map(Pages::new);
    loop {
        let request = render(asking, scope, pages.as_ref()).await;
        let request = request.map_err(Failure::of_request)?;
        if let Some(look @ (Look::Trace | Look::Pretty)) = asking.run.debug.look {
            let mut request = request;
            if let Some(auth) = &asking.auth {
                auth.stand_in(&mut request)?;
            }
            debug::show_request(asking, &request, look).await;
            return Ok(());
        }
        if let Some(pages) = &mut pages {
            pages.check(&request).map_err(|e| at_url(asking, e))?;
        }
        let (response, verdict) = ask(asking, scope, &request).await?;
        if verdict == Verdict::Skip {
            return Ok(());
        }
        let taken = http_response::take(asking, scope, own, response.clone()).await?;
        if verdict == Verdict::Stop {
            asking.stopped.store(true, Ordering::Relaxed);
        }
        if !goes_on(asking, &mut pages, &response, &taken).await? {
            return Ok(());
        }
        if let Some(pages) = &mut pages
            && !at_once(asking, scope, own, pages, &response).await?
        {
            return Ok(());
        }
    }
}

/// Whether there is another request to make. `pages` moves to it.
async fn goes_on(
    asking: &Asking,
    pages: &mut Option<Pages>,
    response: &Response,
    taken: &Taken,
) -> Result<bool> {
    if asking.stopped.load(Ordering::Relaxed) {
        return Ok(false);
    }
    match pages {
        // A look at one page is enough.
        Some(_) if asking.run.debug.look.is_some() => Ok(false),
        Some(pages) => advance(asking, pages, response, taken).await,
        None => Ok(taken.again),
    }
}

/// Moves to the next page; false when there is none. Rows that the API says it has, and that did not come, are told.
async fn advance(asking: &Asking, pages: &mut Pages, response: &Response, taken: &Taken) -> Result<bool> {
    let more = pages
        .advance(response, taken.rows)
        .map_err(|e| at_url(asking, e))?;
    if let (false, Some(missing)) = (more, pages.missing(response)) {
        let message = format!("{}: {missing}", asking.step);
        asking.run.events.emit(Event::Warning(message)).await;
    }
    Ok(more)
}

/// Asks for all pages that are left at the same time, when their number is known. Their responses are taken in order.
/// Whether there are still more.
async fn at_once(
    asking: &Arc<Asking>,
    scope: &Scope,
    own: &Arc<Layer>,
    pages: &mut Pages,
    first: &Response,
) -> Conversed<bool> {
    let Some(concurrency) = asking.http.pages_at_once else {
        return Ok(true);
    };
    let width = match asking.http.fan_out {
        // Rows are at the same time already: together they share the source's width.
        FanOut::Concurrent { .. } | FanOut::Single => concurrency.most(),
        FanOut::Sequential { .. } => 1,
    };
    let Some(rest) = pages.rest(first).map_err(|e| at_url(asking, e))? else {
        return Ok(true);
    };
    let tasks = TaskTracker::new();
    let responses = stream::iter(rest)
        .map(|page| {
            let (asking, scope) = (asking.clone(), scope.clone());
            // A task of its own, so that pages use all cores; dropped, it stops.
            let task = AbortOnDropHandle::new(tasks.spawn(async move {
                let request = render(&asking, &scope, Some(&page)).await;
                ask(&asking, &scope, &request.map_err(Failure::of_request)?).await
            }));
            async move {
                let joined = task.await;
                joined.map_err(|e| Error::new(ErrorKind::Internal, format!("a request broke down: {e}")))?
            }
        })
        .buffered(width);
    let more = in_order(asking, scope, own, pages, responses).await;
    // What ends before the last page stops those behind it. They hold what the step is done with, until they are gone.
    tasks.close();
    tasks.wait().await;
    more
}

/// Takes the responses of pages in their order. Whether there are still more pages.
async fn in_order(
    asking: &Arc<Asking>,
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
        let taken = http_response::take(asking, scope, own, response.clone()).await?;
        if verdict == Verdict::Stop {
            asking.stopped.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        if !advance(asking, pages, &response, &taken).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends a request, and counts it.
async fn ask(asking: &Asking, scope: &Scope, request: &Request) -> Conversed<(Arc<Response>, Verdict)> {
    let api = &asking.api;
    let rules = Rules { asking, scope };
    let judge: &dyn Judge = &rules;
    let sending = Sending {
        transport: &*api.transport,
        limits: &asking.limits,
        policy: &asking.policy,
        auth: asking.auth.as_ref(),
        step: &asking.step,
        success: &asking.success,
        hosts: &asking.hosts,
        waiting: &|wait| {
            let message = format!(
                "{}: the API asks to wait {} s",
                asking.step,
                wait.as_secs_f64().ceil()
            );
            asking.run.events.try_emit(Event::Warning(message));
        },
        judge: Some(judge).filter(|_| !asking.http.request.response.rules.is_empty()),
    };
    let sent = sending.send(request).await;
    asking.counters.add_request(sent.attempts - 1);
    sent.result.map_err(|error| {
        let place = &asking.http.request.request.source_place;
        let error = match place {
            Some(place) if error.kind() == ErrorKind::Unauthorized => error.at(place),
            _ => at_url(asking, error),
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

fn at_url(asking: &Asking, error: Error) -> Error {
    error.at(&asking.http.request.request.url_place)
}
