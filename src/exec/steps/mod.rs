//! The operations: one file for each.

mod execute;
mod for_each;
mod http_request;
mod if_;
mod local;
mod migrate_schema;
pub mod preview;
mod print;
mod rounds;
mod run_flow;
mod set_variable;
mod transform;
mod try_;
mod while_;

use futures::future::BoxFuture;
use sequor_planner::ops::Plain;
use sequor_planner::plan::Action;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::boxed::boxed;
use crate::exec::context::StepContext;
use crate::exec::run::Operations;

/// Every operation of the language.
pub struct All;

impl Operations for All {
    fn perform(&self, context: StepContext) -> BoxFuture<'static, Result<()>> {
        Box::pin(perform(context))
    }
}

async fn perform(context: StepContext) -> Result<()> {
    let step = context.step.clone();
    match &step.action {
        Action::Http(http) => boxed(|| http_request::run(&context, http, None)).await,
        Action::Plain(plain) => match &**plain {
            Plain::Transform(transform) => boxed(|| transform::run(&context, transform)).await,
            Plain::Execute(execute) => execute::run(&context, execute).await,
            Plain::SetVariable(set) => set_variable::run(&context, &set.set).await,
            Plain::Print(print) => print::run(&context, &print.message).await,
            Plain::MigrateSchema(migrate) => migrate_schema::run(&context, migrate).await,
        },
        Action::If { branches, otherwise } => if_::run(&context, branches, otherwise).await,
        Action::ForEach { rows, columns, body } => {
            for_each::run(&context, rows, columns.as_ref(), body).await
        }
        Action::While {
            condition,
            body,
            max_iterations,
        } => while_::run(&context, condition, body, *max_iterations).await,
        Action::Try {
            steps,
            catch,
            finally,
        } => try_::run(&context, steps, catch.as_ref(), finally).await,
        Action::Group(body) => context.steps(body, context.scope.clone()).await,
        Action::EnterFlow {
            frame, parameters, ..
        } => run_flow::enter(&context, *frame, parameters.as_ref()).await,
        // A call is planned before it is performed.
        Action::Call { flow, .. } => Err(Error::new(
            ErrorKind::Internal,
            format!("the call of `{flow}` was not planned"),
        )),
    }
}
