//! Values of columns that are not in the rows: computed for each response.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::ops::{ColumnValue, Columns, ResponseTable};

use crate::batch::target::GivenValue;
use crate::error::Result;
use crate::exchange::Response;
use crate::exec::context::StepContext;
use crate::exec::load::given_value;
use crate::value::Value;
use crate::world::World;

/// Evaluates what the columns of the tables give all rows of a response, by table; empty where none gives anything.
pub async fn given_values(
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
    for ((table, at, name, prop), value) in props.into_iter().zip(values) {
        // Jinja writes null as Python does.
        let value = match (prop, value) {
            (Prop::Jinja { .. }, Value::Text(text)) if &*text == "None" => Value::Null,
            (_, value) => value,
        };
        given[table].push(given_value(at, name, &value)?);
    }
    Ok(given)
}
