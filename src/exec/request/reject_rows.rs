//! Rows of a batch that an answer refuses, while the others are done.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Blame, Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::exec::request::ask::Failure;
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Scope;
use crate::value::Value;

/// Rejects rows of a batch whose others are done.
///
/// # Errors
/// Positions that no row has; what the step made of the batch; the sink's.
pub async fn reject_rows(
    context: &RequestContext,
    scope: &Scope,
    exchange: &Exchange,
    response: &Arc<Response>,
    positions: &[usize],
    why: String,
) -> Result<()> {
    let (Some(rows), Some(rejects)) = (&context.http.request.for_each, &context.rejects) else {
        return Ok(());
    };
    let batch = match scope.world().variable(&rows.variable) {
        // Python has read it, and keeps the object.
        Some(Value::Object(object)) => object.data().ok(),
        batch => batch,
    };
    let Some(Value::List(batch)) = batch else {
        let message = format!(
            "`{}` is no batch any more: the step's code has changed it",
            rows.variable
        );
        return Err(Error::new(ErrorKind::Data, message).help("give the variable another name there"));
    };
    let failure = Failure {
        error: Error::new(ErrorKind::Refused, why),
        status: Some(response.status),
        attempts: 1,
        blame: Some(Blame::Row),
        before_response: true,
        is_gap: false,
        may_be_parted: false,
        is_unread: false,
    };
    let mut seen = HashSet::new();
    for position in positions.iter().filter(|position| seen.insert(**position)) {
        let Some(row) = batch.get(*position) else {
            let message = format!(
                "`rows_expression` names the position {position}, and the batch has {} rows",
                batch.len()
            );
            return Err(Error::new(ErrorKind::Data, message).help("positions begin with 0"));
        };
        rejects.keep(&context.sink, exchange, row, &failure).await?;
    }
    Ok(())
}
