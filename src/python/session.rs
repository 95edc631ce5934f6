//! What is kept on the interpreter's thread: compiled expressions and the classes of the prelude.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use sequor_planner::expr::Code;

use super::bridge::Bridge;
use crate::error::{Error, ErrorKind, Result};

/// Compiled expressions kept; code whose Jinja gives another text for each row would fill memory without a bound.
const MAX_COMPILED: usize = 1024;

/// State of the interpreter's thread.
pub struct Session {
    pub(super) prelude: Py<PyModule>,
    pub(super) bridge: Py<Bridge>,
    pub(super) names: Py<PyDict>,
    compiled: HashMap<(Arc<str>, Arc<str>, usize), Compiled>,
}

/// An expression, ready to be called.
pub(super) struct Compiled {
    pub globals: Py<PyDict>,
    pub function: Py<PyAny>,
}

impl Session {
    /// Loads the prelude.
    pub(super) fn new(py: Python<'_>) -> Result<Self> {
        let load = || -> PyResult<Session> {
            let code = CString::new(include_str!("prelude.py"))?;
            let prelude = PyModule::from_code(py, &code, c"sequor_prelude.py", c"sequor_prelude")?;
            let bridge = Py::new(py, Bridge::default())?;
            let names = prelude
                .getattr("names")?
                .call1((&bridge,))?
                .cast_into::<PyDict>()?;
            Ok(Session {
                prelude: prelude.unbind(),
                bridge,
                names: names.unbind(),
                compiled: HashMap::new(),
            })
        };
        load().map_err(|e| {
            Error::new(
                ErrorKind::Python,
                format!("the Python interpreter is not usable: {e}"),
            )
        })
    }

    /// Returns the compiled form of `text`, the code's text with its Jinja rendered.
    pub(super) fn compiled(&mut self, py: Python<'_>, code: &Code, text: &Arc<str>) -> PyResult<&Compiled> {
        let key = (text.clone(), code.place.file.clone(), code.first_line);
        if !self.compiled.contains_key(&key) {
            if self.compiled.len() >= MAX_COMPILED {
                self.compiled.clear();
            }
            let args = (
                &**text,
                &*code.place.file,
                code.first_line.max(1),
                self.names.bind(py),
            );
            let pair = self.prelude.bind(py).getattr("compile_expression")?.call1(args)?;
            let (globals, function): (Bound<'_, PyDict>, Bound<'_, PyAny>) = pair.extract()?;
            let compiled = Compiled {
                globals: globals.unbind(),
                function: function.unbind(),
            };
            self.compiled.insert(key.clone(), compiled);
        }
        self.compiled
            .get(&key)
            .ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("expression lost"))
    }
}
