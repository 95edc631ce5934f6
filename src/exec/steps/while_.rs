//! `while`.

use sequor_planner::expr::Prop;
use sequor_planner::plan::Region;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::conditions::holds;
use crate::exec::context::StepContext;
use crate::exec::scheduler::Prepared;

/// Runs the body while the condition is true.
pub async fn run(context: &StepContext, condition: &Prop, body: &Region, max: Option<u64>) -> Result<()> {
    let body = Prepared::new(body);
    let mut rounds = 0;
    loop {
        let again = context.value(condition).await?;
        if !holds(context, "the condition of a while", &again).await {
            return Ok(());
        }
        if Some(rounds) == max {
            let message = format!("the condition is still true after {rounds} rounds");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        context.prepared(body.clone(), context.scope.clone()).await?;
        rounds += 1;
    }
}
