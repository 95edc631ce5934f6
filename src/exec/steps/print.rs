//! `print`.

use sequor_planner::expr::Prop;

use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::event::Event;

/// Prints a message, in its turn.
pub async fn run(context: &StepContext, message: &Prop) -> Result<()> {
    let text = context.text(message).await?;
    context.scope.come().await?;
    let text = context.run.redactor.redact(&text);
    context.emit(Event::Printed(text)).await;
    Ok(())
}
