//! Rows that Python gives - lists of dictionaries - into batches.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyNone, PyString};
use sequor_planner::expr::Code;

use super::bridge::PyRow;
use super::call::Call;
use super::convert::from_python;
use crate::batch::builder::BatchBuilder;
use crate::batch::cell::Cell;
use crate::batch::json;
use crate::batch::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;
use crate::value::span;

/// Called whenever a batch is full.
pub type OnFull<'f> = dyn FnMut(&mut BatchBuilder) -> Result<()> + 'f;

impl Call<'_, '_> {
    /// Appends the rows that code gives to a table. The number of rows.
    pub fn rows(
        &mut self,
        code: &Code,
        text: &Arc<str>,
        target: &mut RowTarget,
        full: &mut OnFull<'_>,
    ) -> Result<u64> {
        let object = self.object(code, text)?;
        self.append(&object, code, target, full)
    }

    pub(super) fn append(
        &mut self,
        object: &Bound<'_, PyAny>,
        code: &Code,
        target: &mut RowTarget,
        full: &mut OnFull<'_>,
    ) -> Result<u64> {
        let shape = |message: String| {
            Error::new(ErrorKind::Data, message)
                .help("rows are a list of dictionaries: [{\"column\": value, ...}, ...]")
                .at(&code.place)
        };
        if object.is_instance_of::<PyDict>() || object.is_instance_of::<PyString>() || object.is_none() {
            return Err(shape(format!(
                "`{}` must give a list of rows, and gave {}",
                code.property,
                kind(object)
            )));
        }
        let items = object.try_iter().map_err(|_| {
            shape(format!(
                "`{}` must give a list of rows, and gave {}",
                code.property,
                kind(object)
            ))
        })?;
        let intern = |name: &str| PyString::intern(self.py, name).unbind();
        let (names, nested): (Vec<_>, Vec<_>) = match &*target {
            RowTarget::Typed(builder) => (
                builder
                    .keys()
                    .map(|(column, key)| (column, intern(key)))
                    .collect(),
                builder
                    .nested_keys()
                    .filter_map(|key| Some((intern(key), builder.nested(key)?)))
                    .collect(),
            ),
            RowTarget::Open(_) => (Vec::new(), Vec::new()),
        };
        let mut rows = 0;
        for item in items {
            let item = item.map_err(|e| self.explain(&e, code))?;
            let as_dict;
            let dict = match (item.cast::<PyDict>(), item.cast::<PyRow>()) {
                (Ok(dict), _) => dict,
                (_, Ok(row)) => {
                    as_dict = row.get().to_dict(self.py).map_err(|e| self.explain(&e, code))?;
                    &as_dict
                }
                _ => {
                    let message = format!(
                        "row {} of `{}` must be a dictionary, and is {}",
                        rows + 1,
                        code.property,
                        kind(&item)
                    );
                    return Err(shape(message));
                }
            };
            match target {
                RowTarget::Typed(builder) => {
                    let of = |name: &Py<PyString>| {
                        let value = dict.get_item(name.bind(self.py));
                        value.map_err(|e| self.explain(&e, code))
                    };
                    for (column, name) in &names {
                        if let Some(value) = of(name)? {
                            self.set(&value, code, *column, builder)?;
                        }
                    }
                    for (name, columns) in &nested {
                        if let Some(value) = of(name)? {
                            let text = self.json(&value).map_err(|e| self.explain(&e, code))?;
                            json::set_nested(text.as_bytes(), columns, builder)?;
                        }
                    }
                    builder.end_row()?;
                    if builder.is_full() {
                        full(builder)?;
                    }
                }
                RowTarget::Open(spool) => {
                    let object = self.json(dict).map_err(|e| self.explain(&e, code))?;
                    spool.push(object.as_bytes())?;
                }
            }
            rows += 1;
        }
        Ok(rows)
    }

    fn set(
        &self,
        value: &Bound<'_, PyAny>,
        code: &Code,
        column: usize,
        builder: &mut BatchBuilder,
    ) -> Result<()> {
        let failed = |e: PyErr| self.explain(&e, code);
        if value.is_instance_of::<PyNone>() {
            return builder.set(column, Cell::Null);
        }
        if let Ok(text) = value.cast::<PyString>() {
            let text = text.to_str().map_err(failed)?;
            return builder.set(column, Cell::Text(Cow::Borrowed(text)));
        }
        if let Ok(b) = value.cast::<PyBool>() {
            return builder.set(column, Cell::Bool(b.is_true()));
        }
        if value.is_instance_of::<PyInt>() {
            let text = value.str().map_err(failed)?;
            return builder.set(column, Cell::Number(text.to_str().map_err(failed)?.into()));
        }
        if value.is_instance_of::<PyFloat>() {
            // A float of a response remembers how it was written.
            let text = match value.is_exact_instance_of::<PyFloat>() {
                true => value.repr().map_err(failed)?,
                false => match value.getattr("text") {
                    Ok(text) => text.cast_into::<PyString>().map_err(|e| failed(e.into()))?,
                    Err(_) => value.repr().map_err(failed)?,
                },
            };
            return builder.set(column, Cell::Number(text.to_str().map_err(failed)?.into()));
        }
        if value.is_instance_of::<PyDict>() || value.is_instance_of::<PyList>() {
            let json = self.json(value).map_err(failed)?;
            return builder.set(column, Cell::Json(json.into()));
        }
        if let Ok(time) = value.cast::<PyDateTime>() {
            // As `str` gives it: what a text column keeps.
            let text: String = time.str().and_then(|t| t.extract()).map_err(failed)?;
            return builder.set(column, Cell::Text(text.into()));
        }
        match from_python(value).map_err(failed)? {
            Value::BigInt(text) | Value::Number(text) => {
                builder.set(column, Cell::Number(Cow::Borrowed(&text)))
            }
            Value::Null => builder.set(column, Cell::Null),
            Value::Bool(b) => builder.set(column, Cell::Bool(b)),
            list @ (Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_)) => {
                let json = serde_json::to_string(&list)
                    .map_err(|e| Error::new(ErrorKind::Value, e.to_string()).at(&code.place))?;
                builder.set(column, Cell::Json(json.into()))
            }
            Value::Bytes(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                builder.set(column, Cell::Text(text))
            }
            Value::Duration(span) => builder.set(column, Cell::Text(span::interval_text(span).into())),
            other => builder.set(column, Cell::Text(other.to_text().into())),
        }
    }

    /// An object or list as compact JSON, its floats as the response wrote them.
    fn json(&self, value: &Bound<'_, PyAny>) -> PyResult<String> {
        self.prelude().getattr("compact_json")?.call1((value,))?.extract()
    }
}

pub(super) fn kind(object: &Bound<'_, PyAny>) -> String {
    if object.is_none() {
        return "None".into();
    }
    object
        .get_type()
        .name()
        .map_or_else(|_| "?".into(), |name| name.to_string())
}
