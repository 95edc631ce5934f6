//! What a step that sends only changes notes of an item that was not taken, or not all of it.

use crate::error::{Error, ErrorKind, Result};
use crate::exec::changes::{Item, Pass};
use crate::exec::request::earlier::{
    is_unclear, may_be_done, may_be_parted, may_be_sent, unclear, warn_of_answers,
};
use crate::exec::request::split::Asking;
use crate::exec::run::InDoubt;
use crate::state::Rejection;

/// Notes that nobody knows of an item whether it was done: the snapshot has those that must not be sent twice, whatever becomes of
/// the ledger.
pub async fn unknown(asking: &Asking, item: &Item) {
    let Some(pass) = asking.context.pass.as_ref().filter(|pass| !pass.replays) else {
        return;
    };
    match may_be_sent(asking, item).await {
        true => pass.unclear(),
        false => pass.in_doubt(item, &[]),
    }
}

/// Sees to it that what was sent again is known by now, where it must not be sent as another request.
///
/// # Errors
/// The server has failed again.
pub async fn not_known_again(asking: &Asking, item: &Item, rejections: &[Rejection]) -> Result<()> {
    let exchange = &asking.exchange;
    let replays = asking.context.pass.as_ref().is_some_and(|pass| pass.replays);
    let Some(unclear) = unclear(rejections)
        .next()
        .filter(|_| replays && exchange.is_in_doubt())
    else {
        return Ok(());
    };
    if exchange.is_in_parts() || !may_be_sent(asking, item).await || may_be_parted(asking, item).await {
        return Ok(());
    }
    let message = format!(
        "it may have been done, and the server failed again: {}",
        unclear.error
    );
    let kind = unclear.status.map_or(ErrorKind::Timeout, ErrorKind::Status);
    Err(Error::new(kind, message)
        .help("run it again when the API is well: it is sent by the same key, so that it is done once"))
}

/// Notes which rows of an item were taken, and what is known of those that were rejected.
pub async fn note_rejected(asking: &Asking, item: &Item, rejections: &[Rejection]) {
    let Some(pass) = &asking.context.pass else { return };
    let exchange = &asking.exchange;
    let may_be_done = is_unclear(rejections) || (!rejections.is_empty() && may_be_done(exchange));
    let replayed = pass.replays && exchange.is_in_doubt();
    match exchange.is_in_parts() {
        true => note_parts(asking, (pass, item), rejections).await,
        // It is rejected, and may have been done: it must not be sent twice.
        false if may_be_done && !may_be_sent(asking, item).await => pass.in_doubt(item, rejections),
        false if replayed && !rejections.is_empty() => pass.refused(item, rejections, why(rejections)),
        false => {}
    }
    pass.sent(item, rejections);
}

/// The same of a batch that was sent in parts: rows that may have been done are in doubt, or are sent again.
async fn note_parts(asking: &Asking, (pass, item): (&Pass, &Item), rejections: &[Rejection]) {
    let exchange = &asking.exchange;
    let all = pass.replays && exchange.is_in_doubt() || may_be_done(exchange);
    let unclear: Vec<Rejection> = match all {
        true => rejections.to_vec(),
        false => unclear(rejections).cloned().collect(),
    };
    if unclear.is_empty() {
        return;
    }
    match may_be_parted(asking, item).await {
        true => pass.refused(item, &unclear, why(&unclear)),
        false => pass.in_doubt(item, &unclear),
    }
}

/// Notes that an earlier attempt was answered about an item, and that the answer can't be read: the item is sent again, where it may
/// be by another request; behind an edit a key would be another one.
pub async fn note_unread(asking: &Asking, (pass, item): (&Pass, &Item), error: &Error) {
    pass.not_read(item);
    let what = match asking.context.step.run.in_doubt {
        InDoubt::Skip => {
            pass.sent(item, &[]);
            "The rows count as sent"
        }
        _ if may_be_parted(asking, item).await => {
            pass.again(item);
            "The rows are sent again"
        }
        _ => {
            pass.in_doubt(item, &[]);
            "The rows are in doubt"
        }
    };
    let why = error.whole_message();
    warn_of_answers(
        asking,
        &format!("can't be read, and is not taken. {what} ({why})"),
    )
    .await;
}

fn why(rejections: &[Rejection]) -> &str {
    rejections
        .first()
        .map_or("", |rejection| rejection.error.as_str())
}
