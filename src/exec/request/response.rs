//! What is done with a response: rows to tables, variables, and whether to ask again.

use std::borrow::Cow;
use std::sync::Arc;

use sequor_planner::expr::{Code, Lowered, PathStep, Prop};
use sequor_planner::ops::{DataPath, ResponseTable, VariableScope};

use crate::batch::json::{self, Listed};
use crate::batch::rows;
use crate::batch::target::{GivenValue, RowTarget};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::exec::layer::Layer;
use crate::exec::load::Filled;
use crate::exec::request::context::RequestContext;
use crate::exec::request::given::given_values;
use crate::exec::scope::Scope;
use crate::exec::variables;
use crate::python::{Call, OnFull, Parsed, ParserTables};
use crate::value::Value;
use crate::world::World;

/// What a response gave.
pub struct Taken {
    /// Whether it asks for another request.
    pub again: bool,
    /// Rows of the table that got the most; none where it fills no table.
    pub rows: Option<u64>,
    /// What was counted on the way, by its tables.
    pub read: Vec<Option<Listed>>,
}

/// Takes a response to what was asked for the row `of` of the for_each: all its rows are on their way to the tables when this
/// returns.
pub async fn take(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    response: Arc<Response>,
    of: u64,
) -> Result<Taken> {
    let given = &context.http.request.response;
    let mut rows = (!given.tables.is_empty() || given.parser.is_some()).then_some(0);
    let mut read = Vec::new();
    let world = scope.world();
    let values = given_values(&context.step, &given.tables, &world, &response).await?;
    // An answer without content has no rows.
    let blank = matches!(response.status, 204 | 205) && response.body.is_empty();
    if !given.tables.is_empty() && blank {
        read = vec![Some(Listed::default()); given.tables.len()];
    } else if !given.tables.is_empty() {
        let (listed, filled) = native_rows(context, &response, &values, of)?;
        read = listed;
        rows = rows.max(read.iter().flatten().map(|listed| listed.rows).max());
        context.sink.send(filled).await?;
    }
    let python_tables = !blank
        && given
            .tables
            .iter()
            .any(|t| t.data.is_some() && native(t).is_none());
    let mut parsed = Parsed::default();
    if python_tables || given.parser.is_some() {
        let (found, filled) = python_rows(context, &world, &response, values, of).await?;
        parsed = found;
        rows = rows.max(Some(parsed.rows));
        context.sink.send(filled).await?;
    }
    if !given.variables.is_empty() {
        let props: Vec<_> = given.variables.iter().map(|v| &v.value).collect();
        let values = context
            .step
            .run
            .evaluator
            .kept(&props, &world, Some(&response))
            .await?;
        for (variable, value) in given.variables.iter().zip(values) {
            for (name, value, local) in variables::expanded(variable, value)? {
                own.set(&name, value);
                set_scope(own, &name, local);
            }
        }
    }
    if given.whole {
        accepted(&response, parsed.success.as_deref())?;
    }
    for (name, (value, local)) in &parsed.variables {
        own.set(name, value.clone());
        set_scope(own, name, *local);
    }
    if !parsed.ignored.is_empty() {
        let message = format!(
            "{}: the parser returns `{}`, which means nothing",
            context.step.id(),
            parsed.ignored.join("`, `")
        );
        context.step.warn(message).await;
    }
    let again = match (&given.while_, &parsed.again) {
        (Some(prop), _) => Some(
            context
                .step
                .run
                .evaluator
                .one(prop, &world, Some(&response))
                .await?,
        ),
        (None, again) => again.clone(),
    };
    let again = match again {
        Some(again) => condition(&again)?,
        None => false,
    };
    Ok(Taken { again, rows, read })
}

/// # Errors
/// A status that is no success: by the statuses that `response_expression` gives, else no 2xx.
fn accepted(response: &Response, success: Option<&[u16]>) -> Result<()> {
    let status = response.status;
    let good = match success {
        Some(listed) => listed.contains(&status),
        None => (200..300).contains(&status),
    };
    match good {
        true => Ok(()),
        false => {
            let message = format!(
                "{} answered {status}: {}",
                response.url,
                crate::exchange::excerpt(&response.body)
            );
            Err(Error::new(ErrorKind::Status(status), message))
        }
    }
}

/// # Errors
/// A `while` that is neither true nor false: taken for false, the pages behind would be lost.
fn condition(again: &Value) -> Result<bool> {
    let text = again.to_text().trim().to_ascii_lowercase();
    let known = match again {
        Value::Null | Value::Bool(_) => true,
        Value::Text(_) => matches!(text.as_str(), "" | "true" | "false" | "none"),
        Value::Object(_) => matches!(text.as_str(), "true" | "false"),
        _ => false,
    };
    if known {
        return Ok(again.is_true());
    }
    let shown: String = again.to_text().chars().take(40).collect();
    let message = format!("`while` must be true or false, and is `{shown}`");
    Err(Error::new(ErrorKind::Data, message)
        .help("compare: `while_expression: response.json()['more'] == 1`"))
}

fn set_scope(own: &Layer, name: &str, local: Option<bool>) {
    match local {
        Some(true) => own.set_scope(name, VariableScope::Local),
        Some(false) => own.set_scope(name, VariableScope::Project),
        None => {}
    }
}

/// Rows that are read without Python.
enum NativeRows<'a> {
    /// `response.json()` with subscripts.
    Json(&'a [PathStep], &'a Code),
    DataPath(&'a DataPath),
}

fn native(table: &ResponseTable) -> Option<NativeRows<'_>> {
    match (&table.data, &table.data_path) {
        (
            Some(Prop::Python {
                lowered: Some(Lowered::ResponsePath(path)),
                code,
                ..
            }),
            _,
        ) => Some(NativeRows::Json(path, code)),
        (_, Some(path)) => Some(NativeRows::DataPath(path)),
        _ => None,
    }
}

/// Returns the path of a table's rows, where they are read without Python.
pub fn rows_of(table: &ResponseTable) -> Option<Cow<'_, DataPath>> {
    if let Some(listed) = &table.listed {
        return Some(Cow::Borrowed(listed));
    }
    native(table).map(|native| match native {
        NativeRows::Json(path, _) => Cow::Owned(DataPath::Steps(path.to_vec())),
        NativeRows::DataPath(path) => Cow::Borrowed(path),
    })
}

fn native_rows(
    context: &RequestContext,
    response: &Response,
    values: &[Vec<GivenValue>],
    of: u64,
) -> Result<(Vec<Option<Listed>>, Filled)> {
    let given = &context.http.request.response;
    let text = response.utf8()?;
    context.sink.fill_of(of, |tables| {
        tables.give(values)?;
        let mut read = vec![None; given.tables.len()];
        for (at, table) in given.tables.iter().enumerate() {
            let Some(native) = native(table) else { continue };
            let mut listed = Listed::default();
            tables.with(at, &mut |target, full| {
                listed = match &native {
                    NativeRows::Json(path, code) => json::append_rows(&text, path, target, full)
                        .map_err(|e| named(e.at(&code.place), &format!("`{}`", code.property)))?,
                    NativeRows::DataPath(path) => {
                        let format = given.format.unwrap_or_else(|| response.row_format());
                        rows::append(&text, format, given.payload.csv.as_ref(), path, target, full)
                            .map_err(|e| named(e.at(&table.place), "`data_path`"))?
                    }
                };
                Ok(listed.rows)
            })?;
            read[at] = Some(listed);
        }
        Ok(read)
    })
}

/// The error with the property it comes from. A value that does not fit names table, column and row: that is enough.
fn named(error: Error, property: &str) -> Error {
    match error.kind() {
        ErrorKind::Value => error,
        _ => error.context(property),
    }
}

/// Rows that Python gives, and a parser's other results, in one visit to the interpreter.
async fn python_rows(
    context: &Arc<RequestContext>,
    world: &Arc<dyn World>,
    response: &Arc<Response>,
    values: Vec<Vec<GivenValue>>,
    of: u64,
) -> Result<(Parsed, Filled)> {
    let (context, world, response) = (context.clone(), world.clone(), response.clone());
    let evaluator = context.step.run.evaluator.clone();
    evaluator
        .clone()
        .python()
        .visit(move |visit| {
            let mut call = Call::new(visit, &world, Some(&response));
            let given = &context.http.request.response;
            context.sink.fill_of(of, |tables| {
                tables.give(&values)?;
                if let Some(parser @ Prop::Python { code, .. }) = &given.parser {
                    let text = evaluator.python_text(parser, &world, &mut call)?;
                    return call.parse(code, &text, tables);
                }
                let mut parsed = Parsed::default();
                for (at, table) in given.tables.iter().enumerate() {
                    let rows = match &table.data {
                        _ if native(table).is_some() => 0,
                        Some(data @ Prop::Python { code, .. }) => {
                            let text = evaluator.python_text(data, &world, &mut call)?;
                            tables.with(at, &mut |target, full| call.rows(code, &text, target, full))?
                        }
                        Some(data) => {
                            let value = evaluator.evaluate(data, &world, Some(&mut call))?;
                            tables.with(at, &mut |target, full| literal_rows(&value, target, full))?
                        }
                        None => 0,
                    };
                    parsed.rows = parsed.rows.max(rows);
                }
                Ok(parsed)
            })
        })
        .await?
}

/// Rows given as a literal or as Jinja that renders to JSON.
fn literal_rows(value: &Value, target: &mut RowTarget, full: &mut OnFull<'_>) -> Result<u64> {
    let text = match value {
        Value::Text(text) => text.to_string(),
        other => serde_json::to_string(other).map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?,
    };
    Ok(json::append_rows(text.as_bytes(), &[], target, full)?.rows)
}
