//! Values of columns that are not in the rows.

use crate::batch::target::GivenValue;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::load::columns::ColumnSpec;
use crate::value::{Value, cell};

/// Returns what columns give all rows of all responses.
pub fn constants(specs: &[ColumnSpec]) -> Result<Vec<GivenValue>> {
    let constants = specs.iter().enumerate();
    let constants = constants.filter_map(|(at, spec)| Some((at, &spec.name, spec.constant.as_ref()?)));
    constants
        .map(|(at, name, value)| given_value(at, name, value))
        .collect()
}

/// Returns a value on its way into a column and into JSON.
///
/// # Errors
/// A value that is no data.
pub fn given_value(column: usize, name: &str, value: &Value) -> Result<GivenValue> {
    let named = |e: Error| e.context(format!("`value` of column `{name}`"));
    let json = serde_json::to_string(value);
    let json = json.map_err(|e| named(Error::new(ErrorKind::Value, e.to_string())))?;
    Ok(GivenValue {
        column,
        name: name.to_string(),
        cell: cell(value).map_err(named)?,
        json,
    })
}
