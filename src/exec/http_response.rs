//! What is done with a response: rows to tables, variables, and whether to ask again.

use std::sync::Arc;

use sequor_planner::expr::{Lowered, PathStep, Prop};

use super::http_step::Asking;
use super::scope::{Layer, Scope};
use super::sink::Filled;
use crate::batch::json;
use crate::error::Result;
use crate::exchange::Response;
use crate::expr::World;
use crate::python::{Call, Parsed};
use crate::value::Value;

/// Whether the conversation goes on.
pub enum Turn {
    Again,
    Done,
}

/// Takes a response: all its rows are on their way to the tables when this returns.
pub async fn take(
    asking: &Arc<Asking>,
    scope: &Scope,
    own: &Arc<Layer>,
    response: Arc<Response>,
) -> Result<Turn> {
    let given = &asking.http.request.response;
    if !given.tables.is_empty() {
        let filled = native_rows(asking, &response)?;
        asking.sink.send(filled).await?;
    }
    let world = scope.world();
    let python_tables = given
        .tables
        .iter()
        .any(|t| t.data.as_ref().is_some_and(|p| native_path(p).is_none()));
    let mut parsed = Parsed::default();
    if python_tables || given.parser.is_some() {
        let (found, filled) = python_rows(asking, &world, &response).await?;
        parsed = found;
        asking.sink.send(filled).await?;
    }
    if !given.variables.is_empty() {
        let props = given.variables.iter().map(|v| v.value.clone()).collect();
        let values = asking.run.evaluator.all(props, &world, Some(&response)).await?;
        for (variable, value) in given.variables.iter().zip(values) {
            own.set(&variable.name, value);
        }
    }
    for (name, value) in parsed.variables {
        own.set(&name, value);
    }
    let again = match (&given.while_, parsed.again) {
        (Some(prop), _) => asking
            .run
            .evaluator
            .one(prop, &world, Some(&response))
            .await?
            .is_true(),
        (None, Some(again)) => again.is_true(),
        (None, None) => false,
    };
    Ok(if again { Turn::Again } else { Turn::Done })
}

/// The path of rows that are read without Python.
fn native_path(data: &Prop) -> Option<&[PathStep]> {
    match data {
        Prop::Python {
            lowered: Some(Lowered::ResponsePath(path)),
            ..
        } => Some(path),
        _ => None,
    }
}

fn native_rows(asking: &Asking, response: &Response) -> Result<Filled> {
    let tables = &asking.http.request.response.tables;
    let ((), filled) = asking.sink.fill(|builders, filled| {
        for (at, table) in tables.iter().enumerate() {
            let Some(Prop::Python { code, .. }) = &table.data else {
                continue;
            };
            let Some(path) = table.data.as_ref().and_then(native_path) else {
                continue;
            };
            json::append_rows(&response.body, path, &mut builders[at], &mut |builder| {
                filled.take(at, builder)
            })
            .map_err(|e| e.at(&code.place).context(format!("`{}`", code.property)))?;
        }
        Ok(())
    })?;
    Ok(filled)
}

/// Rows that Python gives, and a parser's other results, in one visit to the interpreter.
async fn python_rows(
    asking: &Arc<Asking>,
    world: &Arc<dyn World>,
    response: &Arc<Response>,
) -> Result<(Parsed, Filled)> {
    let (asking, world, response) = (asking.clone(), world.clone(), response.clone());
    let evaluator = asking.run.evaluator.clone();
    evaluator
        .clone()
        .python()
        .visit(move |visit| {
            let mut call = Call::new(visit, &world, Some(&response));
            let given = &asking.http.request.response;
            asking.sink.fill(|builders, filled| {
                let mut full = |at: usize, builder: &mut _| filled.take(at, builder);
                if let Some(parser @ Prop::Python { code, .. }) = &given.parser {
                    let text = evaluator.python_text(parser, &world)?;
                    let (parsed, _) = call.parse(code, &text, &asking.sink.names, builders, &mut full)?;
                    return Ok(parsed);
                }
                for (at, table) in given.tables.iter().enumerate() {
                    match &table.data {
                        Some(data) if native_path(data).is_some() => {}
                        Some(data @ Prop::Python { code, .. }) => {
                            let text = evaluator.python_text(data, &world)?;
                            call.rows(code, &text, at, &mut builders[at], &mut full)?;
                        }
                        Some(data) => {
                            let value = evaluator.evaluate(data, &world, None)?;
                            literal_rows(&value, &mut builders[at], &mut |b| full(at, b))?;
                        }
                        None => {}
                    }
                }
                Ok(Parsed::default())
            })
        })
        .await?
}

/// Rows given as a literal or as Jinja that renders to JSON.
fn literal_rows(
    value: &Value,
    builder: &mut crate::batch::builder::BatchBuilder,
    full: &mut dyn FnMut(&mut crate::batch::builder::BatchBuilder) -> Result<()>,
) -> Result<()> {
    let text = match value {
        Value::Text(text) => text.to_string(),
        other => serde_json::to_string(other)
            .map_err(|e| crate::error::Error::new(crate::error::ErrorKind::Data, e.to_string()))?,
    };
    json::append_rows(text.as_bytes(), &[], builder, full).map(|_| ())
}
