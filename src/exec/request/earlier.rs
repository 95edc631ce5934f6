//! What earlier attempts have done, as a step that sends only changes takes it: what is sent again, and what counts as sent.

use std::sync::atomic::Ordering;

use crate::error::{Blame, ErrorKind};
use crate::exchange::Request;
use crate::exec::changes::{Item, Pass};
use crate::exec::layer::Layer;
use crate::exec::request::ask::Failure;
use crate::exec::request::checkpoint::{self, Exchange, may_be_sent_again};
use crate::exec::request::render::render;
use crate::exec::request::split::Asking;
use crate::exec::run::InDoubt;
use crate::http::may_have_done;
use crate::state::Rejection;
use crate::value::Value;

/// Decides about an item of an earlier attempt that has no outcome: whether it is asked for. It is sent again, as it was, where it
/// was under way and may be; or its answers are kept.
pub async fn replayed(asking: &Asking, pass: &Pass, item: &Item) -> bool {
    let (context, exchange) = (&asking.context, &asking.exchange);
    let same = pass.is_like(context.batch_size());
    if pass.is_unread(item) {
        return false;
    }
    if context.has_answers(exchange.row) && same {
        return true;
    }
    // Of others it is known that they were not sent: they are among what is sent now.
    if !exchange.is_in_doubt() {
        return false;
    }
    if context.step.run.in_doubt == InDoubt::Skip {
        pass.sent(item, &[]);
        return false;
    }
    let again = same && may_be_sent(asking, item).await;
    exchange.sent_again.store(again, Ordering::Relaxed);
    match again {
        true => {}
        // With or without `batch_size`, it is not what it was: its rows are sent by other requests.
        false if !same && may_be_parted(asking, &as_asked_now(item)).await => pass.again(item),
        false => pass.in_doubt(item, &[]),
    }
    again
}

/// A batch as the row that a request has by now, or a row as the batch.
fn as_asked_now(item: &Item) -> Item {
    Item::from(match &item.value {
        Value::List(rows) => rows.first().cloned().unwrap_or(Value::Null),
        row => Value::list(vec![row.clone()]),
    })
}

/// Notes what an earlier attempt has done of an item.
pub async fn over(asking: &Asking, item: &Item) {
    let Some(pass) = &asking.context.pass else { return };
    let before = asking.exchange.rejected_before();
    if is_unclear(before) && !may_be_sent(asking, item).await {
        let unclear: Vec<Rejection> = unclear(before).cloned().collect();
        pass.in_doubt(item, &unclear);
    }
    pass.sent(item, before);
}

/// Tells whether the request of an item may be sent again, where nobody knows whether it was sent.
pub async fn may_be_sent(asking: &Asking, item: &Item) -> bool {
    let request = request(asking, item).await;
    request.is_some_and(|request| may_be_sent_again(&request, &asking.context.http.request.request))
}

/// Tells whether the rows of an item may be sent again in other requests, where nobody knows whether they were.
pub async fn may_be_parted(asking: &Asking, item: &Item) -> bool {
    let request = request(asking, item).await;
    request.is_some_and(|request| checkpoint::may_be_parted(&request, &asking.context.http.request.request))
}

/// The request of an item; none where there is none any more.
async fn request(asking: &Asking, item: &Item) -> Option<Request> {
    let scope = asking
        .scope
        .with(Layer::one(&asking.variable, item.value.clone()));
    render(&asking.context, &scope, &asking.exchange, "").await.ok()
}

/// Tells whether nobody knows of some rejection whether the API did what was asked for.
pub fn is_unclear(rejections: &[Rejection]) -> bool {
    unclear(rejections).next().is_some()
}

/// The rejections of which nobody knows whether the API did what was asked for.
pub fn unclear(rejections: &[Rejection]) -> impl Iterator<Item = &Rejection> {
    rejections.iter().filter(|rejection| match rejection.status {
        Some(status) => may_have_done(status),
        None => rejection.attempts > 0,
    })
}

/// Tells whether the API may have done what an exchange asked for, whatever it answered last.
pub fn may_be_done(exchange: &Exchange) -> bool {
    exchange.was_unclear.load(Ordering::Relaxed)
}

/// Why an answer is not taken: the request is another one by now. The rows count as sent.
pub const ANOTHER_REQUEST: &str = "is not taken: the request is another one by now. The rows count as sent";

/// Warns, once, of what becomes of what an earlier attempt was answered.
pub async fn warn_of_answers(asking: &Asking, what: &str) {
    if !asking.context.outcome.unread.swap(true, Ordering::Relaxed) {
        let step = &asking.context.step;
        let text = format!("{}: what an earlier run was answered {what}", step.id());
        step.warn(text).await;
    }
}

impl Failure {
    /// Tells whether it is known that the API did not do what was asked for: it may be asked again.
    pub fn was_not_carried_out(&self) -> bool {
        match self.status {
            // It was carried out.
            _ if self.is_unread => false,
            // What a server that failed has done is not known.
            Some(status) => !may_have_done(status),
            // It was never sent.
            None => self.attempts == 0 || self.error.kind() == ErrorKind::Connect,
        }
    }

    /// Tells whether that the answer can't be read is the row's fault: others may be read.
    pub fn is_unread_row(&self) -> bool {
        self.is_unread && self.error.kind().policy().blame == Blame::Row
    }

    /// Tells whether the API has judged what was asked for, and not who asks, or when.
    pub fn judges(&self) -> bool {
        match (self.blame, self.status) {
            // A rule has read it.
            (Some(blame), _) => blame == Blame::Row,
            _ if self.is_unread => false,
            (None, Some(401 | 403 | 407 | 408 | 423 | 425 | 429)) => false,
            (None, Some(status)) => (200..500).contains(&status) || status == 501,
            (None, None) => false,
        }
    }
}
