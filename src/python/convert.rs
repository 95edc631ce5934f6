//! Values to Python objects and back.

use std::sync::Arc;

use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use indexmap::IndexMap;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyNone, PyString, PyTime,
    PyTuple, PyTzInfo,
};

use super::bridge::PyRow;
use super::object::object_of;
use crate::value::Value;

/// Returns a value as expressions see it: decimals as `decimal.Decimal`, dates and times as `datetime`'s.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(b) => PyBool::new(py, *b).to_owned().into_any(),
        Value::Int(n) => n.into_pyobject(py)?.into_any(),
        Value::Float(n) => PyFloat::new(py, *n).into_any(),
        Value::BigInt(text) => py.get_type::<PyInt>().call1((&**text,))?,
        Value::Number(text) => py.import("decimal")?.getattr("Decimal")?.call1((&**text,))?,
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Date(d) => PyDate::new(py, d.year(), d.month() as u8, d.day() as u8)?.into_any(),
        Value::Time(t) => {
            let micros = t.nanosecond() / 1000;
            PyTime::new(
                py,
                t.hour() as u8,
                t.minute() as u8,
                t.second() as u8,
                micros,
                None,
            )?
            .into_any()
        }
        Value::Timestamp(t) => timestamp(py, t, None)?,
        Value::Instant(t) => timestamp(py, &t.naive_local(), Some(&zone(py, *t.offset())?))?,
        Value::Stamp(t, offset) => {
            let zone = offset.map(|offset| zone(py, offset)).transpose()?;
            let plain = timestamp(py, t, zone.as_ref())?;
            py.import("sequor_prelude")?.getattr("stamp")?.call1((plain,))?
        }
        Value::Duration(span) => {
            let micros = span.num_microseconds().unwrap_or(i64::MAX);
            let delta = py.import("datetime")?.getattr("timedelta")?;
            delta.call1((0, 0, micros))?
        }
        Value::Uuid(id) => py.import("uuid")?.getattr("UUID")?.call1((id.to_string(),))?,
        Value::Pairs(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs.iter() {
                dict.set_item(to_python(py, key)?, to_python(py, value)?)?;
            }
            dict.into_any()
        }
        Value::List(items) => {
            let items = items
                .iter()
                .map(|v| to_python(py, v))
                .collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Map(entries) => {
            let dict = PyDict::new(py);
            for (key, value) in entries.iter() {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
        Value::Row(row) => Bound::new(py, PyRow::new(row.clone()))?.into_any(),
        Value::Object(object) => match object_of(py, &**object) {
            Some(object) => object,
            None => PyString::new(py, &object.text()).into_any(),
        },
    })
}

/// A zone as `datetime` has it: UTC, or an offset.
fn zone(py: Python<'_>, offset: FixedOffset) -> PyResult<Bound<'_, PyTzInfo>> {
    match offset.local_minus_utc() {
        0 => Ok(PyTzInfo::utc(py)?.to_owned()),
        seconds => PyTzInfo::fixed_offset(py, PyDelta::new(py, 0, seconds, 0, true)?),
    }
}

fn timestamp<'py>(
    py: Python<'py>,
    t: &NaiveDateTime,
    zone: Option<&Bound<'py, PyTzInfo>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (month, day) = (t.month() as u8, t.day() as u8);
    let (hour, minute, second) = (t.hour() as u8, t.minute() as u8, t.second() as u8);
    let micros = t.nanosecond() / 1000;
    Ok(PyDateTime::new(py, t.year(), month, day, hour, minute, second, micros, zone)?.into_any())
}

/// Returns what an expression gave, as a value.
///
/// # Errors
/// Objects that are not data: a function, a set of a class of the user's.
pub fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    nested(object, MAX_DEPTH)
}

/// How deep data may be nested: a list that holds itself has no end.
const MAX_DEPTH: usize = 200;

fn nested(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(PyValueError::new_err(format!(
            "data is nested deeper than {MAX_DEPTH} levels, or holds itself"
        )));
    };
    if object.is_instance_of::<PyNone>() {
        return Ok(Value::Null);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::text(text.to_str()?));
    }
    if let Ok(b) = object.cast::<PyBool>() {
        return Ok(Value::Bool(b.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return Ok(match object.extract::<i64>() {
            Ok(n) => Value::Int(n),
            Err(_) => Value::BigInt(object.call_method0("__repr__")?.extract::<String>()?.into()),
        });
    }
    if let Ok(n) = object.cast::<PyFloat>() {
        return Ok(Value::Float(n.value()));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return map(dict, depth);
    }
    if let Ok(list) = object.cast::<PyList>() {
        let items = list.iter().map(|item| nested(&item, depth));
        return items.collect::<PyResult<Vec<_>>>().map(Value::list);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let items = tuple.iter().map(|item| nested(&item, depth));
        return items.collect::<PyResult<Vec<_>>>().map(Value::list);
    }
    if let Ok(row) = object.cast::<PyRow>() {
        return map(&row.get().to_dict(object.py())?, depth);
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().into()));
    }
    let kind = object.get_type();
    // What pandas has for a value that is not there; the first is an instance of `datetime`.
    if matches!(kind.name()?.to_str()?, "NaTType" | "NAType") {
        return Ok(Value::Null);
    }
    if let Ok(t) = object.cast::<PyDateTime>() {
        return moment(t);
    }
    if let Ok(d) = object.cast::<PyDate>() {
        return date(d).map(Value::Date);
    }
    if let Ok(t) = object.cast::<PyTime>() {
        return clock(t).map(Value::Time);
    }
    match kind.name()?.to_str()? {
        "Decimal" => return Ok(Value::Number(object.str()?.to_str()?.into())),
        "UUID" => {
            if let Ok(id) = object.str()?.to_str()?.parse() {
                return Ok(Value::Uuid(id));
            }
        }
        _ => {}
    }
    if let Ok(delta) = object.cast::<PyDelta>() {
        return span(delta).map(Value::Duration);
    }
    // A single value of numpy's.
    if object.hasattr("dtype")?
        && object
            .getattr("shape")
            .is_ok_and(|shape| shape.len().is_ok_and(|n| n == 0))
    {
        return nested(&object.call_method0("item")?, depth);
    }
    // Any other mapping or iterable: generators, dict views, sets, Headers.
    if object.hasattr("keys")? && object.hasattr("__getitem__")? {
        let dict = PyDict::new(object.py());
        dict.update(object.cast::<pyo3::types::PyMapping>()?)?;
        return map(&dict, depth);
    }
    if let Ok(items) = object.try_iter() {
        let items = items.map(|item| nested(&item?, depth));
        return items.collect::<PyResult<Vec<_>>>().map(Value::list);
    }
    Err(PyTypeError::new_err(format!(
        "a value of type {} can't be used here",
        kind.name()?
    )))
}

fn map(dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<Value> {
    let mut entries = IndexMap::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        let Ok(key) = key.cast::<PyString>() else {
            return pairs(dict, depth);
        };
        entries.insert(key.to_str()?.to_string(), nested(&value, depth)?);
    }
    Ok(Value::Map(Arc::new(entries)))
}

/// A map with keys that are no text.
fn pairs(dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<Value> {
    let key = |key: &Bound<'_, PyAny>| match nested(key, depth) {
        Ok(Value::List(_) | Value::Map(_) | Value::Pairs(_)) | Err(_) => {
            Ok(Value::text(key.str()?.to_str()?))
        }
        known => known,
    };
    let pairs = dict
        .iter()
        .map(|(name, value)| Ok((key(&name)?, nested(&value, depth)?)));
    pairs
        .collect::<PyResult<Vec<_>>>()
        .map(|pairs| Value::Pairs(Arc::new(pairs)))
}

// By their attributes: the interface of C that all versions of Python share has no others.

fn date(d: &Bound<'_, PyAny>) -> PyResult<NaiveDate> {
    let py = d.py();
    let (month, day) = (d.getattr(intern!(py, "month"))?, d.getattr(intern!(py, "day"))?);
    NaiveDate::from_ymd_opt(
        d.getattr(intern!(py, "year"))?.extract()?,
        month.extract()?,
        day.extract()?,
    )
    .ok_or_else(|| PyTypeError::new_err("not a date"))
}

fn clock(t: &Bound<'_, PyAny>) -> PyResult<NaiveTime> {
    let py = t.py();
    let part = |name: &Bound<'_, PyString>| -> PyResult<u32> { t.getattr(name)?.extract() };
    NaiveTime::from_hms_micro_opt(
        part(intern!(py, "hour"))?,
        part(intern!(py, "minute"))?,
        part(intern!(py, "second"))?,
        part(intern!(py, "microsecond"))?,
    )
    .ok_or_else(|| PyTypeError::new_err("not a time"))
}

fn span(delta: &Bound<'_, PyAny>) -> PyResult<TimeDelta> {
    let py = delta.py();
    let part = |name: &Bound<'_, PyString>| -> PyResult<i64> { delta.getattr(name)?.extract() };
    let (days, seconds) = (part(intern!(py, "days"))?, part(intern!(py, "seconds"))?);
    let micros = part(intern!(py, "microseconds"))?;
    Ok(TimeDelta::days(days) + TimeDelta::seconds(seconds) + TimeDelta::microseconds(micros))
}

fn moment(t: &Bound<'_, PyDateTime>) -> PyResult<Value> {
    if t.get_type().name()? == "TimeStamp" {
        return Ok(
            match moment(&t.call_method0("plain")?.cast_into::<PyDateTime>()?)? {
                Value::Instant(t) => Value::Stamp(t.naive_local(), Some(*t.offset())),
                Value::Timestamp(t) => Value::Stamp(t, None),
                other => other,
            },
        );
    }
    if t.call_method0("utcoffset")?.is_none() {
        return Ok(Value::Timestamp(NaiveDateTime::new(date(t)?, clock(t)?)));
    }
    let offset = span(&t.call_method0("utcoffset")?)?.num_seconds();
    let seconds = i32::try_from(offset).map_err(|_| PyTypeError::new_err("not a zone"))?;
    let naive = NaiveDateTime::new(date(t)?, clock(t)?);
    let zone = FixedOffset::east_opt(seconds).ok_or_else(|| PyTypeError::new_err("not a zone"))?;
    let moment = naive
        .and_local_timezone(zone)
        .single()
        .ok_or_else(|| PyTypeError::new_err("not a moment"))?;
    Ok(Value::Instant(moment))
}
