//! `while`.

use sequor_planner::expr::Prop;
use sequor_planner::plan::Region;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::conditions::holds;
use crate::exec::context::StepContext;
use crate::exec::scheduler::Prepared;
use crate::exec::steps::rounds::Rounds;

/// Runs the body while the condition is true.
pub async fn run(context: &StepContext, condition: &Prop, body: &Region, max: Option<u64>) -> Result<()> {
    let body = Prepared::new(body);
    let mut rounds = Rounds::of(context);
    loop {
        // A round that an earlier attempt began goes on: its first steps may have made the condition false.
        if !rounds.is_begun() {
            let again = context.value(condition).await?;
            if !holds(context, "the condition of a while", &again).await {
                return Ok(());
            }
            if Some(rounds.over) == max {
                let message = format!("the condition is still true after {} rounds", rounds.over);
                return Err(Error::new(ErrorKind::Limit, message));
            }
        }
        let scope = rounds.begin(&context.scope);
        let made_up = || context.run.dry.as_ref().map_or(0, |dry| dry.made_up());
        let before = made_up();
        context.prepared(body.clone(), scope).await?;
        rounds.end();
        if made_up() > before {
            // Whether there is another round, only a real answer tells.
            let text = format!(
                "{}: it ends behind the first round whose requests were not sent",
                context.id()
            );
            context.warn(text).await;
            return Ok(());
        }
    }
}
