//! The settings of an incremental step, evaluated.

use sequor_planner::ops::Incremental;
use sequor_planner::plan::Asks;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::incremental::{Kind, Position, Settings};
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
    // Texts may be times, as `initial` is one then.
    let like = initial.as_deref().map(Kind::like);
    let kind = match (column, like) {
        (Some(Kind::Text) | None, Some(Kind::Time | Kind::Date)) => Some(Kind::Time),
        (None, like) => like,
        (column, _) => column,
    };
    if let (Some(Kind::Text), Some(Kind::Number)) = (column, like) {
        let message = format!(
            "`initial` is a number, and the cursor `{}` holds texts, of which 10 sorts before 9",
            given.cursor
        );
        return Err(Error::new(ErrorKind::Project, message)
            .help("give its column the type bigint")
            .at(&given.place));
    }
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
    let range = match &step.run.range {
        None => None,
        Some(between) => {
            let read = |option: &str, text: &Option<String>| -> Result<Option<Position>> {
                let Some(text) = text else { return Ok(None) };
                let kind = kind.unwrap_or_else(|| Kind::like(text));
                let read = kind.read(text);
                read.map(Some).ok_or_else(|| {
                    let message = format!(
                        "`{option} {text}`: the cursor `{}` holds {}",
                        given.cursor,
                        kind.name()
                    );
                    Error::new(ErrorKind::Project, message).at(&given.place)
                })
            };
            if between.until.is_some() && !asks.end {
                let message = "`--until`: the request does not say where it ends";
                return Err(Error::new(ErrorKind::Project, message)
                    .help("add `end_param`, or use `{{ var('window')['end'] }}` in the request")
                    .at(&given.place));
            }
            let (from, until) = (read("--from", &between.from)?, read("--until", &between.until)?);
            if let (Some(from), Some(until)) = (&from, &until)
                && from > until
            {
                let message = format!("`--from` is {from}, which lies behind `--until`, {until}");
                return Err(Error::new(ErrorKind::Project, message).at(&given.place));
            }
            Some((from, until))
        }
    };
    let settings = Settings {
        given: given.clone(),
        initial,
        asks: asks.clone(),
        range,
        now: step.scope.now(),
    };
    Ok((settings, kind))
}
