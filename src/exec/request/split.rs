//! One row, or one batch of rows, asked for: rejected where it fails for good, and halved where that finds the guilty.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::BoxFuture;
use sequor_planner::ops::OnError;

use crate::exec::layer::Layer;
use crate::exec::request::ask::Failure;
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::context::RequestContext;
use crate::exec::request::conversation::converse;
use crate::exec::request::earlier::may_be_done;
use crate::exec::scope::Scope;
use crate::value::Value;

/// What is asked for, and where.
#[derive(Clone)]
pub struct Asking {
    pub context: Arc<RequestContext>,
    /// Without the row.
    pub scope: Scope,
    /// Takes the variables that responses set.
    pub layer: Arc<Layer>,
    /// The name of the row's variable.
    pub variable: String,
    pub exchange: Arc<Exchange>,
}

impl Asking {
    /// Asks for a row or a batch. Of a batch that is too large (413), or that fails for good with `on_error: split`, each half
    /// is asked for, in order.
    ///
    /// # Errors
    /// What fails for good and is not rejected.
    pub fn ask(&self, value: Value) -> BoxFuture<'_, Result<(), Failure>> {
        self.ask_from(value, 0)
    }

    /// Asks for these rows of a batch alone, each by itself, as they were when they were rejected.
    ///
    /// # Errors
    /// As [`Asking::ask`].
    pub async fn ask_each(&self, batch: &Value, which: &[usize]) -> Result<(), Failure> {
        let Value::List(rows) = batch else { return Ok(()) };
        for at in which {
            self.exchange.set_part(*at, 1);
            self.ask_from(Value::list(vec![rows[*at].clone()]), *at).await?;
        }
        Ok(())
    }

    /// `from`: where in the batch the rows begin.
    fn ask_from(&self, value: Value, from: usize) -> BoxFuture<'_, Result<(), Failure>> {
        async move {
            let scope = self
                .scope
                .with(Layer::one(&self.variable, value.clone()))
                .with(self.layer.clone());
            let asked = converse(&self.context, &scope, &self.layer, &self.exchange).await;
            let Err(failure) = asked else {
                return Ok(());
            };
            if let Some((first, second)) = self.halves(&value, &failure) {
                if !failure.is_gap && !failure.was_not_carried_out() {
                    self.exchange.was_unclear.store(true, Ordering::Relaxed);
                }
                let rows = |value: &Value| match value {
                    Value::List(rows) => rows.len(),
                    _ => 1,
                };
                let (some, others) = (rows(&first), rows(&second));
                self.exchange.set_part(from, some);
                self.ask_from(first, from).await?;
                self.exchange.set_part(from + some, others);
                return self.ask_from(second, from + some).await;
            }
            match &self.context.rejects {
                // It failed in an earlier attempt, and is kept as what it was then.
                _ if failure.is_gap && !self.exchange.is_done() => Ok(()),
                Some(rejects) if rejects.take(&failure) => {
                    if failure.is_unread {
                        // The status of a rejection does not tell.
                        self.exchange.was_unclear.store(true, Ordering::Relaxed);
                    }
                    let sink = &self.context.sink;
                    let rejected = match (&value, self.splits()) {
                        // What is left of a batch are the rows themselves.
                        (Value::List(rows), true) if rows.len() == 1 || self.exchange.is_in_parts() => {
                            rows.iter()
                        }
                        (value, _) => std::slice::from_ref(value).iter(),
                    };
                    for row in rejected {
                        rejects.keep(sink, &self.exchange, row, &failure).await?;
                    }
                    Ok(())
                }
                _ => Err(failure),
            }
        }
        .boxed()
    }

    fn splits(&self) -> bool {
        self.context.step.step.on_error == OnError::Split
    }

    /// The halves of a batch whose failure may be that of a few rows, or of their number.
    fn halves(&self, value: &Value, failure: &Failure) -> Option<(Value, Value)> {
        let Value::List(rows) = value else { return None };
        let too_large = failure.status == Some(413) && failure.before_response;
        let guilty = || {
            let rejects = self.context.rejects.as_ref();
            self.splits() && rejects.is_some_and(|rejects| rejects.take(failure))
        };
        // What was halved in an earlier attempt is halved again, to find what was taken of it.
        if rows.len() < 2 || !(too_large || failure.is_gap || guilty()) {
            return None;
        }
        // The API may have done all of it.
        let unclear = !failure.was_not_carried_out() || may_be_done(&self.exchange);
        if unclear && !failure.is_gap && !failure.may_be_parted {
            return None;
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        Some((Value::list(first.to_vec()), Value::list(second.to_vec())))
    }
}
