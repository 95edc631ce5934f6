//! Properties that are known before a step runs.

use sequor_planner::expr::Prop;

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// Returns the text of an `initial` that nothing is computed for.
///
/// # Errors
/// One that is computed.
pub fn literal(prop: &Prop) -> Result<String> {
    match prop {
        Prop::Literal(json) => Ok(Value::from(json).to_text()),
        _ => Err(Error::new(ErrorKind::Project, "`initial` is computed")),
    }
}
