//! The settings of an incremental step, evaluated.

use sequor_planner::ops::Incremental;
use sequor_planner::plan::Asks;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::incremental::{Kind, Settings};
use crate::value::Value;
use crate::world::World;

/// Evaluates what the flow says. `column`: what the cursor's column holds, where that is known. With it comes what the
/// cursor's values are, as far as that is known.
///
/// # Errors
/// An `initial` that is no position of the cursor.
pub async fn evaluated(
    step: &StepContext,
    (given, asks): (&Incremental, &Asks),
    column: Option<Kind>,
) -> Result<(Settings, Option<Kind>)> {
    let initial = match &given.initial {
        None => None,
        Some(prop) => match step.value(prop).await? {
            Value::Null => None,
            value => Some(value.to_text()).filter(|text| !text.trim().is_empty()),
        },
    };
    let kind = column.or_else(|| initial.as_deref().map(Kind::like));
    let initial = match (initial, kind) {
        (Some(text), Some(kind)) => Some(kind.read(&text).ok_or_else(|| {
            let message = format!(
                "`initial` is `{text}`, and the cursor `{}` holds {}",
                given.cursor,
                kind.name()
            );
            Error::new(ErrorKind::Project, message)
                .help("write it as the cursor has it, like `initial: 2024-01-01`")
                .at(&given.place)
        })?),
        _ => None,
    };
    let settings = Settings {
        given: given.clone(),
        initial,
        asks: asks.clone(),
        now: step.scope.now(),
    };
    Ok((settings, kind))
}
