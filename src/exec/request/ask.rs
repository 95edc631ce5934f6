//! One request of a conversation: sent within the limits of its source and noted before, or taken from what an earlier attempt
//! kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Blame, Error, ErrorKind};
use crate::event::EventKind;
use crate::exchange::Response;
use crate::exec::request::checkpoint::{Exchange, may_be_parted, may_be_sent_again};
use crate::exec::request::context::RequestContext;
use crate::exec::request::rules::Rules;
use crate::exec::request::unsent;
use crate::exec::scope::Scope;
use crate::http::{Judge, Request, Sending, Verdict};

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
    /// Whether nothing is known of the response any more, though it was taken.
    pub is_gap: bool,
    /// Whether what it was asked for may be asked for again in other requests, where nobody knows whether it was done.
    pub may_be_parted: bool,
    /// Whether the response was good, and can't be read: what was asked for was done.
    pub is_unread: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            status: None,
            attempts: 0,
            blame: None,
            before_response: false,
            is_gap: false,
            may_be_parted: false,
            is_unread: false,
        }
    }
}

impl Failure {
    /// The failure of a request that could not be made up.
    pub fn of_request(error: Error) -> Self {
        Failure {
            before_response: true,
            ..error.into()
        }
    }
}

pub type Conversed<T> = std::result::Result<T, Failure>;

/// What a request is in its conversation.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub exchange: &'a Exchange,
    /// What tells the request from the others of the exchange.
    pub what: &'a str,
    /// Statuses that mean that there is no such page.
    pub past_the_end: &'a [u16],
}

/// Sends a request, and counts it; what an earlier attempt kept is not asked for again.
pub async fn ask(
    context: &RequestContext,
    scope: &Scope,
    request: &Request,
    part: Part<'_>,
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
        past_the_end: part.past_the_end,
        payload: (&context.http.request.response.payload, context.api.max_response()),
        hosts: &context.hosts,
        has_credentials: context.auth.is_some() || context.api.has_headers(),
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
        at_once: false,
    };
    let exchange = part.exchange;
    // In the order of the rows: what is noted before it is sent covers no more than what is under way.
    let _under_way = match &context.order {
        Some(order) => Some(order.request(exchange.row).await?),
        None => None,
    };
    if let Some(kept) = before(context, part, request).await? {
        return Ok(sending.judged(Arc::new(kept), request).await?);
    }
    let sent = match context.step.run.dry.as_ref() {
        Some(dry) => unsent::answered(context, (dry, scope), &sending, request).await,
        None => sending.send(request).await,
    };
    if sent.was_unclear {
        exchange.was_unclear.store(true, Ordering::Relaxed);
    }
    if let (Ok((response, _)), Some(checkpoint)) = (&sent.result, &context.checkpoint)
        && checkpoint.keeps_responses
    {
        // What is taken from it later is taken again when the run ends before.
        let place = exchange.place(part.what);
        checkpoint.ledger.keep(exchange.row, place, response).await?;
    }
    if let Ok((response, Verdict::Take)) = &sent.result
        && response.status == 207
        && context.http.request.response.rules.is_empty()
        && !context.outcome.partly.swap(true, Ordering::Relaxed)
    {
        let message = format!(
            "{}: the API answered 207: some of what was asked may have failed, and no rule of `response` reads which",
            context.step.id()
        );
        context.step.warn(message).await;
    }
    let bytes = sent
        .result
        .as_ref()
        .map_or(0, |(response, _)| response.body.len());
    context
        .step
        .counters
        .add_request(sent.requests - 1, bytes as u64, sent.waited);
    sent.result.map_err(|error| {
        let place = &context.http.request.request.source_place;
        let error = match place {
            Some(place) if error.kind() == ErrorKind::Unauthorized => error.at(place),
            _ => at_url(context, error),
        };
        // Neither a rule nor `success_status` calls it a failure.
        let said = matches!(
            error.kind(),
            ErrorKind::Refused | ErrorKind::Status(_) | ErrorKind::Unauthorized
        );
        Failure {
            is_unread: !said && sent.blame.is_none() && matches!(sent.status, Some(200..400)),
            error,
            status: sent.status,
            attempts: sent.attempts,
            blame: sent.blame,
            before_response: true,
            is_gap: false,
            may_be_parted: may_be_parted(request, &context.http.request.request),
        }
    })
}

/// Returns the response that an earlier attempt kept; none, where the request is to be sent, and that is noted.
async fn before(context: &RequestContext, part: Part<'_>, request: &Request) -> Conversed<Option<Response>> {
    let Some(checkpoint) = &context.checkpoint else {
        return Ok(None);
    };
    let exchange = part.exchange;
    if checkpoint.keeps_responses
        && let Some(kept) = checkpoint
            .ledger
            .kept(exchange.row, exchange.place(part.what))
            .await?
    {
        return Ok(Some(kept));
    }
    let replays = context.pass.as_ref().is_some_and(|pass| pass.replays) && !exchange.is_over();
    if replays && !exchange.sent_again.load(Ordering::Relaxed) {
        let message = "it is sent with what has changed, and not before";
        return Err(Error::new(ErrorKind::InDoubt, message).into());
    }
    if exchange.is_over() {
        return Err(Failure {
            is_gap: true,
            ..Error::new(
                ErrorKind::State,
                "a response that an earlier attempt took is not kept any more",
            )
            .help("start anew: sequor run FLOW")
            .into()
        });
    }
    let again = may_be_sent_again(request, &context.http.request.request);
    if exchange.is_in_doubt() && !again {
        let error = Error::new(
            ErrorKind::InDoubt,
            "it may have been sent when the run ended before, and must not be sent twice",
        );
        return Err(error.into());
    }
    // What was under way when a run ended counts as sent to a step that takes back what it sent.
    let again = again && context.pass.is_none();
    checkpoint.ledger.will_send(exchange.row, again).await?;
    Ok(None)
}

/// The error, at the url of the request.
pub fn at_url(context: &RequestContext, error: Error) -> Error {
    error.at(&context.http.request.request.url_place)
}
