//! The functions that expressions call: `var`, `table`, `query` and the row they get.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyKeyError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

use super::convert::to_python;
use super::object::as_object;
use crate::batch::row::Row;
use crate::error::{Error, Result};
use crate::expr::{Ask, World, var};
use crate::value::Value;

pyo3::create_exception!(sequor, SequorError, PyRuntimeError);

/// The scope of the call under way.
#[derive(Default)]
struct Current {
    world: Option<Arc<dyn World>>,
    /// An error raised through Python, to be told as it was.
    error: Option<Error>,
}

/// Joins expressions to the scope they are called in. There is one; each call sets the scope first.
#[pyclass(frozen)]
#[derive(Default)]
pub struct Bridge {
    current: Mutex<Current>,
    /// Variables already asked for in this call: a row that an expression assigned to stays assigned.
    seen: Mutex<Option<Py<PyDict>>>,
}

impl Bridge {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call.
    pub(super) fn enter(&self, world: Arc<dyn World>) {
        *self.current() = Current {
            world: Some(world),
            error: None,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends a call: a row that an expression assigned to stays so for the flow.
    pub(super) fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(seen), Ok(world)) = (seen, self.world()) else {
            return Ok(());
        };
        for (name, value) in seen.bind(py).iter() {
            let assigned = value
                .cast::<PyRow>()
                .is_ok_and(|row| !row.get().assigned().is_empty());
            if assigned {
                world.keep(name.extract()?, as_object(&value));
            }
        }
        Ok(())
    }

    /// The error that was raised through Python, if one was.
    pub(super) fn take_error(&self) -> Option<Error> {
        self.current().error.take()
    }

    fn world(&self) -> PyResult<Arc<dyn World>> {
        self.current()
            .world
            .clone()
            .ok_or_else(|| PyRuntimeError::new_err("called outside of an expression"))
    }

    fn check<T>(&self, result: Result<T>) -> PyResult<T> {
        result.map_err(|error| {
            let raised = SequorError::new_err(error.to_string());
            self.current().error = Some(error);
            raised
        })
    }

    fn ask(&self, py: Python<'_>, ask: &Ask) -> PyResult<Vec<Row>> {
        let world = self.world()?;
        let rows = py.detach(|| world.rows(ask));
        self.check(rows)
    }
}

#[pymethods]
impl Bridge {
    fn var(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        let seen = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.get_or_insert_with(|| PyDict::new(py).unbind()).clone_ref(py)
        };
        let seen = seen.bind(py);
        if let Some(value) = seen.get_item(name)? {
            return Ok(value.unbind());
        }
        let world = self.world()?;
        let found = self.check(var(&*world, name))?;
        let value = to_python(py, &found)?;
        if matches!(found, Value::List(_) | Value::Map(_)) {
            world.keep(name, as_object(&value));
        }
        seen.set_item(name, &value)?;
        Ok(value.unbind())
    }

    fn is_var_defined(&self, name: &str) -> PyResult<bool> {
        Ok(!matches!(self.world()?.variable(name), None | Some(Value::Null)))
    }

    #[pyo3(signature = (name, default=None))]
    fn env_var(&self, name: &str, default: Option<String>) -> PyResult<String> {
        let value = self.world()?.environment(name).or(default);
        self.check(value.ok_or_else(|| crate::expr::no_env(name)))
    }

    #[pyo3(signature = (source, table, database=None, namespace=None))]
    fn table<'py>(
        &self,
        py: Python<'py>,
        source: String,
        table: String,
        database: Option<String>,
        namespace: Option<String>,
    ) -> PyResult<Bound<'py, PyList>> {
        let ask = Ask::Table {
            source,
            table,
            database,
            namespace,
        };
        PyList::new(py, self.ask(py, &ask)?.into_iter().map(PyRow::new))
    }

    fn query<'py>(&self, py: Python<'py>, source: String, sql: String) -> PyResult<Bound<'py, PyList>> {
        let rows = self.ask(py, &Ask::Query { source, sql })?;
        PyList::new(py, rows.into_iter().map(PyRow::new))
    }

    fn query_scalar<'py>(&self, py: Python<'py>, source: String, sql: String) -> PyResult<Bound<'py, PyAny>> {
        let rows = self.ask(py, &Ask::Query { source, sql })?;
        to_python(py, &self.check(crate::expr::scalar(&rows))?)
    }
}

/// A row of a table, as expressions see it.
#[pyclass(name = "Row", frozen, mapping)]
pub struct PyRow {
    pub(super) row: Row,
    /// What an expression assigned.
    own: Mutex<Vec<(String, Py<PyAny>)>>,
}

impl PyRow {
    /// A row of a table.
    pub fn new(row: Row) -> PyRow {
        PyRow {
            row,
            own: Mutex::default(),
        }
    }

    fn assigned(&self) -> MutexGuard<'_, Vec<(String, Py<PyAny>)>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let own = self
            .assigned()
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone_ref(py));
        match own {
            Some(value) => Ok(Some(value.into_bound(py))),
            None => self.row.get(name).map(|value| to_python(py, &value)).transpose(),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.row.names().map(str::to_string).collect();
        for (name, _) in self.assigned().iter() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

#[pymethods]
impl PyRow {
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.find(py, name)?.ok_or_else(|| {
            let names = self.names();
            let near = sequor_planner::nearest(name, names.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            PyKeyError::new_err(format!(
                "the row has no column '{name}' (it has: {}){hint}",
                names.join(", ")
            ))
        })
    }

    fn __setitem__(&self, name: String, value: Py<PyAny>) {
        let mut own = self.assigned();
        own.retain(|(n, _)| *n != name);
        own.push((name, value));
    }

    /// The value; `default` when it is null. A missing column is an error.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.__getitem__(py, name)?;
        Ok(match default {
            Some(default) if value.is_none() => default,
            _ => value,
        })
    }

    pub(super) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for name in self.names() {
            dict.set_item(&name, self.find(py, &name)?)?;
        }
        Ok(dict)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        Ok(self.find(py, name)?.is_some())
    }

    fn __len__(&self) -> usize {
        self.names().len()
    }

    fn keys(&self) -> Vec<String> {
        self.names()
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(self.to_dict(py)?.values())
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(self.to_dict(py)?.items())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.names())?.try_iter()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Row({})", self.to_dict(py)?.repr()?))
    }
}
