//! Values of columns that are not in the rows: computed for each response.

use std::sync::Arc;

use sequor_planner::ops::{ColumnValue, Columns, ResponseTable};

use crate::batch::target::GivenValue;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::exec::context::StepContext;
use crate::exec::load::columns::ColumnSpec;
use crate::value::{Value, cell};
use crate::world::World;

/// Evaluates what the columns of the tables give all rows of a response, by table; empty where none gives anything.
pub async fn given(
    context: &StepContext,
    tables: &[ResponseTable],
    world: &Arc<dyn World>,
    response: &Arc<Response>,
) -> Result<Vec<Vec<GivenValue>>> {
    let mut props = Vec::new();
    for (table, declared) in tables.iter().enumerate() {
        let Columns::Declared(columns) = &declared.columns else {
            continue;
        };
        for (at, column) in columns.iter().enumerate() {
            if let Some(ColumnValue::Given(prop)) = &column.value {
                props.push((table, at, &column.name, prop));
            }
        }
    }
    if props.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<_> = props.iter().map(|(.., prop)| *prop).collect();
    let values = context.run.evaluator.all(&wanted, world, Some(response)).await?;
    let mut given = vec![Vec::new(); tables.len()];
    for ((table, at, name, _), value) in props.into_iter().zip(values) {
        given[table].push(of(at, name, &value)?);
    }
    Ok(given)
}

/// Returns what columns give all rows of all responses.
pub fn constants(specs: &[ColumnSpec]) -> Result<Vec<GivenValue>> {
    let constants = specs.iter().enumerate();
    let constants = constants.filter_map(|(at, spec)| Some((at, &spec.name, spec.constant.as_ref()?)));
    constants.map(|(at, name, value)| of(at, name, value)).collect()
}

fn of(column: usize, name: &str, value: &Value) -> Result<GivenValue> {
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
