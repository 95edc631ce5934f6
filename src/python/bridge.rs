//! The functions that expressions call: `var`, `table`, `query` and the row they get.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyIndexError, PyKeyError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

use super::convert::to_python;
use super::object::as_object;
use crate::error::{Error, Result};
use crate::value::Row;
use crate::value::Value;
use crate::world::{Ask, World, no_env, var};

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
            let changed = value.cast::<PyRow>().is_ok_and(|row| row.get().is_own(py));
            if changed {
                world.keep(name.extract()?, as_object(&value));
            }
        }
        Ok(())
    }

    /// Returns the error that was raised through Python, if one was.
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
    fn var(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        // A name in YAML may look like a number.
        let name = name.str()?.extract::<String>()?;
        let name = name.as_str();
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
        if matches!(found, Value::List(_) | Value::Map(_) | Value::Pairs(_)) {
            world.keep(name, as_object(&value));
        }
        seen.set_item(name, &value)?;
        Ok(value.unbind())
    }

    fn is_var_defined(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = name.str()?.extract::<String>()?;
        Ok(!matches!(self.world()?.variable(&name), None | Some(Value::Null)))
    }

    #[pyo3(signature = (name, default=None))]
    fn env_var(&self, name: &str, default: Option<String>) -> PyResult<String> {
        let world = self.world()?;
        let value = world.environment(name).or(default);
        self.check(value.map_or_else(|| no_env(&*world, name), Ok))
    }

    fn secret(&self, name: &str) -> PyResult<String> {
        let world = self.world()?;
        let value = world.secret(name);
        self.check(value.map_or_else(|| no_env(&*world, name), Ok))
    }

    /// The filter `path` of templates.
    fn path(&self, value: &str) -> PyResult<String> {
        self.check(crate::value::in_path::path(value))
    }

    /// The filter `segment` of templates.
    fn segment(&self, value: &str) -> PyResult<String> {
        self.check(crate::value::in_path::segment(value))
    }

    fn null_in_path(&self) -> PyResult<()> {
        self.check(Err(crate::value::in_path::null()))
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
        to_python(py, &self.check(crate::world::scalar(&rows))?)
    }
}

/// A column of a row: its name and its value.
#[pyclass(name = "Column", get_all, set_all)]
pub struct PyColumn {
    name: String,
    value: Py<PyAny>,
}

/// A row of a table, as expressions see it.
#[pyclass(name = "Row", frozen, mapping)]
pub struct PyRow {
    row: Row,
    /// Its columns as objects, once an expression changed one or asked for them: from then on they are the row.
    own: Mutex<Option<Py<PyList>>>,
}

impl PyRow {
    /// Creates a row of a table.
    pub fn new(row: Row) -> PyRow {
        PyRow {
            row,
            own: Mutex::default(),
        }
    }

    fn own<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyList>> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.as_ref().map(|list| list.bind(py).clone())
    }

    fn is_own(&self, py: Python<'_>) -> bool {
        self.own(py).is_some()
    }

    /// Its columns as objects, from now on.
    fn objects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Some(own) = self.own(py) {
            return Ok(own);
        }
        let columns = self.row.iter().map(|(name, value)| {
            let column = PyColumn {
                name: name.to_string(),
                value: to_python(py, &value)?.unbind(),
            };
            Py::new(py, column)
        });
        let list = PyList::new(py, columns.collect::<PyResult<Vec<_>>>()?)?;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(own.get_or_insert_with(|| list.unbind()).bind(py).clone())
    }

    /// Names and values, in order.
    fn pairs<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        match self.own(py) {
            Some(own) => {
                let part = |column: Bound<'py, PyAny>| {
                    Ok((column.getattr("name")?.extract()?, column.getattr("value")?))
                };
                own.iter().map(part).collect()
            }
            None => {
                let columns = self.row.iter();
                columns
                    .map(|(name, value)| Ok((name.to_string(), to_python(py, &value)?)))
                    .collect()
            }
        }
    }

    fn find<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.own(py) {
            Some(_) => {
                let found = self.column(py, name)?;
                found.map(|(_, column)| column.getattr("value")).transpose()
            }
            None => self.row.get(name).map(|value| to_python(py, &value)).transpose(),
        }
    }

    /// The object of a column and its place: by its name as it is, else in any case.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<(usize, Bound<'py, PyAny>)>> {
        let mut near = None;
        for (at, column) in self.objects(py)?.iter().enumerate() {
            let own: String = column.getattr("name")?.extract()?;
            if own == name {
                return Ok(Some((at, column)));
            }
            if near.is_none() && own.eq_ignore_ascii_case(name) {
                near = Some((at, column));
            }
        }
        Ok(near)
    }

    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        match self.own(py) {
            Some(own) => own.iter().map(|c| c.getattr("name")?.extract()).collect(),
            None => Ok(self.row.names().map(str::to_string).collect()),
        }
    }

    fn missing(&self, py: Python<'_>, name: &str) -> PyErr {
        let names = self.names(py).unwrap_or_default();
        let near = sequor_planner::nearest(name, names.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        PyKeyError::new_err(format!(
            "the row has no column '{name}' (it has: {}){hint}",
            names.join(", ")
        ))
    }
}

#[pymethods]
impl PyRow {
    /// The columns, each with `name` and `value`.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.objects(py)
    }

    fn get_column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = self.column(py, name)?;
        found
            .map(|(_, column)| column)
            .ok_or_else(|| self.missing(py, name))
    }

    fn add_column(&self, py: Python<'_>, column: Bound<'_, PyAny>) -> PyResult<()> {
        self.objects(py)?.append(column)
    }

    /// Takes a column away; whether there was one.
    fn remove_column(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        match self.column(py, name)? {
            Some((at, _)) => self.objects(py)?.del_item(at).map(|()| true),
            None => Ok(false),
        }
    }

    /// The value of a column, by name or position.
    fn __getitem__<'py>(&self, py: Python<'py>, key: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(at) = key.extract::<isize>() {
            let pairs = self.pairs(py)?;
            let place = if at < 0 { at + pairs.len() as isize } else { at };
            let found = usize::try_from(place)
                .ok()
                .and_then(|at| pairs.into_iter().nth(at));
            return found
                .map(|(_, value)| value)
                .ok_or_else(|| PyIndexError::new_err(format!("the row has no column number {at}")));
        }
        let name: String = key.extract()?;
        self.find(py, &name)?.ok_or_else(|| self.missing(py, &name))
    }

    fn __setitem__(&self, py: Python<'_>, name: String, value: Py<PyAny>) -> PyResult<()> {
        match self.column(py, &name)? {
            Some((_, column)) => column.setattr("value", value),
            None => self.objects(py)?.append(Py::new(py, PyColumn { name, value })?),
        }
    }

    /// The value; `default` when it is null. A missing column is an error.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.find(py, name)?.ok_or_else(|| self.missing(py, name))?;
        Ok(match default {
            Some(default) if value.is_none() => default,
            _ => value,
        })
    }

    /// Of two columns with one name the last counts.
    pub(super) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.pairs(py)? {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    fn __contains__(&self, py: Python<'_>, name: Bound<'_, PyAny>) -> PyResult<bool> {
        match name.extract::<String>() {
            Ok(name) => Ok(self.find(py, &name)?.is_some()),
            Err(_) => Ok(false),
        }
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.own(py).map_or_else(|| self.row.len(), |own| own.len())
    }

    fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.names(py)
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.pairs(py)?.into_iter().map(|(_, value)| value))
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.pairs(py)?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.names(py)?)?.try_iter()
    }

    fn __copy__(&self, py: Python<'_>) -> PyResult<PyRow> {
        self.copied(py, |value| Ok(value.clone()))
    }

    fn __deepcopy__(&self, py: Python<'_>, memo: Bound<'_, PyAny>) -> PyResult<PyRow> {
        let deepcopy = py.import("copy")?.getattr("deepcopy")?;
        self.copied(py, |value| deepcopy.call1((value, &memo)))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Row({})", self.to_dict(py)?.repr()?))
    }
}

impl PyRow {
    /// The same row with columns of its own.
    fn copied<'py>(
        &self,
        py: Python<'py>,
        copy: impl Fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<PyRow> {
        let row = PyRow::new(self.row.clone());
        if self.is_own(py) {
            let columns = self.pairs(py)?.into_iter().map(|(name, value)| {
                let value = copy(&value)?.unbind();
                Py::new(py, PyColumn { name, value })
            });
            let list = PyList::new(py, columns.collect::<PyResult<Vec<_>>>()?)?;
            *row.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(list.unbind());
        }
        Ok(row)
    }
}
