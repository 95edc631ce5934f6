//! `print`.

use sequor_planner::expr::Prop;

use crate::error::Result;
use crate::event::EventKind;
use crate::exec::context::StepContext;

/// Prints a message, in its turn.
pub async fn run(context: &StepContext, message: &Prop) -> Result<()> {
    let text = context.text(message).await?;
    context.scope.wait_for_turn().await?;
    let text = context.run.redactor.shown(&text);
    context.emit(EventKind::Printed { text }).await;
    Ok(())
}
