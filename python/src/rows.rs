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
use sequor::error::{Error, ErrorKind};
use sequor::python::{from_python, to_python};
use sequor::sources::database::Rows as Stream;
use sequor::value::Value;
use tokio::runtime::Runtime;

use crate::errors::raised;
use crate::waiting::wait;

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
                process: std::process::id(),
                parts: Mutex::new(Some(Parts {
                    stream,
                    session,
                    threads,
                })),
            })),
        }
    }

    fn take(&self) -> PyResult<Reading> {
        let taken = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reading = taken.ok_or_else(|| {
            PyValueError::new_err(
                "these rows were read already: ask again, or keep them in a table (pyarrow.table(rows))",
            )
        })?;
        match reading.process == std::process::id() {
            true => Ok(reading),
            false => Err(PyValueError::new_err(
                "these rows come to the process that asked for them, and not to one that it forked: ask here",
            )),
        }
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

    fn __repr__(&self) -> String {
        format!("Rows({})", self.columns().join(", "))
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
        let reading = self.take()?;
        let list = PyList::empty(py);
        let mut parts = reading.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parts) = parts.as_mut() else {
            return Ok(list);
        };
        let nothing = Stream {
            schema: self.schema.clone(),
            batches: stream::empty().boxed(),
        };
        let rows = std::mem::replace(&mut parts.stream, nothing);
        let all = async { collect(rows).await.map_err(|e| raised(&e)) };
        for row in wait(py, &parts.threads, None, all, None)? {
            let entries = PyDict::new(py);
            for (name, value) in row.iter() {
                entries.set_item(name, to_python(py, &value)?)?;
            }
            list.append(entries)?;
        }
        Ok(list)
    }
}

/// Rows on their way. A reader of Arrow's may be shared by threads: they take turns.
struct Reading {
    /// Who asked for them: a process that it forked has none of its threads.
    process: u32,
    parts: Mutex<Option<Parts>>,
}

struct Parts {
    stream: Stream,
    session: Session,
    threads: Runtime,
}

impl Iterator for Reading {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.process != std::process::id() {
            let message = "rows can't be read in a process that was forked while they came";
            return Some(Err(ArrowError::IoError(
                message.into(),
                std::io::Error::other(message),
            )));
        }
        let parts = &self.parts;
        // Whoever reads may hold Python's lock or not. It is given away before the turn is waited for.
        let next = Python::attach(|py| {
            py.detach(|| {
                let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                let parts = parts.as_mut()?;
                parts.threads.block_on(parts.stream.batches.next())
            })
        });
        Some(next?.map_err(|e| ArrowError::ExternalError(Box::new(e))))
    }
}

/// How long a database gets to be closed.
const CLOSING: Duration = Duration::from_secs(2);

impl Drop for Reading {
    fn drop(&mut self) {
        let parts = self
            .parts
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Parts {
            stream,
            mut session,
            threads,
        }) = parts
        else {
            return;
        };
        if self.process != std::process::id() {
            // Its threads are not here, and what waits for them would wait for ever.
            std::mem::forget((stream, session, threads));
            return;
        }
        drop(stream);
        let (send, closed) = std::sync::mpsc::channel();
        threads.spawn(async move {
            session.close().await;
            let _ = send.send(());
        });
        let _ = Python::attach(|py| py.detach(move || closed.recv_timeout(CLOSING)));
        threads.shutdown_background();
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
    let rows = data.try_iter().map_err(|_| not_rows(data))?;
    let rows: Vec<IndexMap<String, Value>> = rows.map(|given| row(&given?)).collect::<PyResult<_>>()?;
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
        let name: String = name
            .extract()
            .map_err(|_| PyTypeError::new_err(format!("the names of columns are texts, and not {name}")))?;
        let value = from_python(&value).map_err(|e| {
            let py = value.py();
            match e.is_instance_of::<PyTypeError>(py) || e.is_instance_of::<PyValueError>(py) {
                true => PyTypeError::new_err(format!("column `{name}`: {}", e.value(py))),
                false => e,
            }
        })?;
        Ok((name, value))
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
    // What gives the rows may be Python that runs flows itself: it gets a thread of its own.
    let (give, batches) = tokio::sync::mpsc::channel(1);
    let to = schema.clone();
    std::thread::Builder::new().name("rows".into()).spawn(move || {
        for batch in reader {
            let batch = batch
                .map_err(|e| ungiven(&e))
                .and_then(|batch| checked(&batch, &to));
            if give.blocking_send(batch).is_err() {
                return;
            }
        }
    })?;
    let batches = stream::unfold(batches, async |mut batches| {
        Some((batches.recv().await?, batches))
    });
    Ok(Stream {
        schema,
        batches: batches.boxed(),
    })
}

/// A batch of another program's in the few types that the engine sees: its texts must be such.
fn checked(batch: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, Error> {
    for (column, field) in batch.columns().iter().zip(to.fields()) {
        let valid = column.to_data().validate_full();
        valid.map_err(|e| Error::new(ErrorKind::Data, format!("column `{}`: {e}", field.name())))?;
    }
    conformed(batch, to).map_err(|e| ungiven(&e))
}

fn ungiven(error: &ArrowError) -> Error {
    Error::new(ErrorKind::Data, format!("the rows that are given: {error}"))
}

/// The name that capsules with a stream have.
const STREAM: &std::ffi::CStr = c"arrow_array_stream";

fn wrong(error: &ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
