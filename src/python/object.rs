//! Python objects that variables hold: what is no plain data stays what it is, and what was changed in place stays changed.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyNone, PyString};

use super::bridge::PyRow;
use super::convert::from_python;
use crate::value::{Object, Value};

/// An object, kept.
struct Kept(Py<PyAny>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Object for Kept {
    fn text(&self) -> String {
        Python::attach(|py| {
            let text = self.0.bind(py).str();
            text.map_or_else(|e| e.to_string(), |text| text.to_string_lossy().into_owned())
        })
    }

    fn data(&self) -> Result<Value, String> {
        Python::attach(|py| from_python(self.0.bind(py)).map_err(|e| e.value(py).to_string()))
    }

    fn entries(&self) -> Option<Arc<IndexMap<String, Value>>> {
        Python::attach(|py| {
            let dict = self.0.bind(py).cast::<PyDict>().ok()?;
            let entries = dict
                .iter()
                .map(|(key, value)| Some((key.extract().ok()?, keep(&value).ok()?)));
            entries.collect::<Option<_>>().map(Arc::new)
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Returns the object that a value is, when it is one.
pub fn object_of<'py>(py: Python<'py>, object: &dyn Object) -> Option<Bound<'py, PyAny>> {
    let kept = object.as_any().downcast_ref::<Kept>()?;
    Some(kept.0.bind(py).clone())
}

/// Returns the object as a value that stays the object.
pub fn as_object(object: &Bound<'_, PyAny>) -> Value {
    Value::Object(Arc::new(Kept(object.clone().unbind())))
}

/// Returns what an expression gave, to be kept in a variable: plain data as data, everything else as the object
/// itself.
pub fn keep(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    match is_plain(object)? {
        true => from_python(object),
        false => Ok(as_object(object)),
    }
}

/// Whether our own values say all of it.
fn is_plain(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    if object.is_exact_instance_of::<PyString>()
        || object.is_instance_of::<PyNone>()
        || object.is_instance_of::<PyInt>()
        || object.is_instance_of::<PyFloat>()
        || object.is_exact_instance_of::<PyBytes>()
        || object.is_instance_of::<PyRow>()
    {
        return Ok(true);
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        for item in list.iter() {
            if !is_plain(&item)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        for (key, value) in dict.iter() {
            if !key.is_exact_instance_of::<PyString>() || !is_plain(&value)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Ok(moment) = object.cast_exact::<PyDateTime>() {
        // A zone with rules of its own would be lost.
        let zone = moment.getattr("tzinfo")?;
        return Ok(zone.is_none() || zone.get_type().name()? == "timezone");
    }
    let name = object.get_type().name()?;
    Ok(["date", "Decimal", "timedelta", "UUID", "TimeStamp"]
        .iter()
        .any(|known| name == *known)
        || (name == "time" && object.getattr("tzinfo")?.is_none()))
}
