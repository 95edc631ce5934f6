//! Rows of a database as an Arrow stream, and rows of a program for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi::FFI_ArrowSchema;
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use futures::{StreamExt, stream};
use indexmap::IndexMap;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};
use sequor::batch::plain::{conformed, plain};
use sequor::engine::{Session, collect, rows_of};
use sequor::python::{from_python, to_python};
use sequor::sources::database::Rows as Stream;
use sequor::value::Value;
use tokio::runtime::Runtime;

use crate::errors::raised;

/// The rows of a query or a table, streamed from the database: an Arrow stream that is read once.
#[pyclass(frozen, module = "sequor_engine._engine")]
pub struct Rows {
    schema: SchemaRef,
    reading: Mutex<Option<Reading>>,
}

impl Rows {
    /// Takes the rows of a session, and the threads that they come by.
    pub fn new(stream: Stream, session: Session, threads: Runtime) -> Rows {
        Rows {
            schema: stream.schema.clone(),
            reading: Mutex::new(Some(Reading {
                stream: Some(stream),
                session: Some(session),
                threads: Some(threads),
            })),
        }
    }

    fn take(&self) -> PyResult<Reading> {
        let taken = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| {
            PyValueError::new_err(
                "these rows were read already: ask again, or keep them in a table (pyarrow.table(rows))",
            )
        })
    }
}

#[pymethods]
impl Rows {
    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref()).map_err(|e| wrong(&e))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    /// `requested_schema` is a wish, which this leaves to whoever reads.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let rows = RecordBatchIterator::new(self.take()?, self.schema.clone());
        // The capsule releases what nobody took out of it.
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(rows)), STREAM)
    }

    /// All rows, as a list of dictionaries.
    fn to_pylist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut reading = self.take()?;
        let rows = py.detach(|| match (reading.stream.take(), &reading.threads) {
            (Some(rows), Some(threads)) => threads.block_on(collect(rows)),
            _ => Ok(Vec::new()),
        });
        let list = PyList::empty(py);
        for row in rows.map_err(|e| raised(&e))? {
            let entries = PyDict::new(py);
            for (name, value) in row.iter() {
                entries.set_item(name, to_python(py, &value)?)?;
            }
            list.append(entries)?;
        }
        Ok(list)
    }
}

/// Rows on their way.
struct Reading {
    stream: Option<Stream>,
    session: Option<Session>,
    threads: Option<Runtime>,
}

impl Iterator for Reading {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (stream, threads) = (self.stream.as_mut()?, self.threads.as_ref()?);
        // Whoever reads may hold Python's lock or not.
        let next = Python::attach(|py| py.detach(|| threads.block_on(stream.batches.next())));
        Some(next?.map_err(|e| ArrowError::ExternalError(Box::new(e))))
    }
}

/// How long a database gets to be closed.
const CLOSING: Duration = Duration::from_secs(2);

impl Drop for Reading {
    fn drop(&mut self) {
        drop(self.stream.take());
        if let Some(threads) = self.threads.take() {
            if let Some(mut session) = self.session.take() {
                let closing = async { tokio::time::timeout(CLOSING, session.close()).await };
                let _ = Python::attach(|py| py.detach(|| threads.block_on(closing)));
            }
            threads.shutdown_background();
        }
    }
}

/// Rows that a program gives: anything with `__arrow_c_stream__`, or dictionaries.
///
/// # Errors
/// What is neither; values that no table holds.
pub fn given(data: &Bound<'_, PyAny>) -> PyResult<Stream> {
    if data.hasattr("__arrow_c_stream__")? {
        return streamed(data);
    }
    let rows: Vec<Bound<'_, PyAny>> = data
        .try_iter()
        .and_then(Iterator::collect)
        .map_err(|_| not_rows(data))?;
    let rows: Vec<IndexMap<String, Value>> = rows.iter().map(row).collect::<PyResult<_>>()?;
    rows_of(&rows).map_err(|e| raised(&e))
}

fn not_rows(given: &Bound<'_, PyAny>) -> PyErr {
    let kind = given.get_type().to_string();
    PyTypeError::new_err(format!(
        "rows are a list of dictionaries, or a table of pyarrow, polars, pandas or duckdb, and not {kind}"
    ))
}

fn row(given: &Bound<'_, PyAny>) -> PyResult<IndexMap<String, Value>> {
    let entries = given.cast::<PyDict>().map_err(|_| not_rows(given))?;
    let each = entries.iter().map(|(name, value)| {
        let name = name
            .extract()
            .map_err(|_| PyTypeError::new_err(format!("the names of columns are texts, and not {name}")))?;
        Ok((name, from_python(&value)?))
    });
    each.collect()
}

/// Takes the stream out of an object that has one.
#[allow(unsafe_code)]
fn streamed(data: &Bound<'_, PyAny>) -> PyResult<Stream> {
    let capsule = data.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let stream = capsule
        .pointer_checked(Some(STREAM))?
        .cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds an ArrowArrayStream, by the Arrow PyCapsule Interface
    // (https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html). It is moved out of it, and marked as released there,
    // so that the capsule does not release it, too.
    let reader = unsafe { ArrowArrayStreamReader::from_raw(stream.as_ptr()) };
    let reader = reader.map_err(|e| wrong(&e))?;
    let plain = |field: &Arc<Field>| field.as_ref().clone().with_data_type(plain(field.data_type()));
    let fields: Vec<Field> = reader.schema().fields().iter().map(plain).collect();
    let schema = Arc::new(Schema::new(fields));
    let to = schema.clone();
    let batches = reader.map(move |batch| Ok(conformed(&batch?, &to)?));
    Ok(Stream {
        schema,
        batches: stream::iter(batches).boxed(),
    })
}

/// The name that capsules with a stream have.
const STREAM: &std::ffi::CStr = c"arrow_array_stream";

fn wrong(error: &ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
