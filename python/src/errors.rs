//! Errors of the engine as exceptions of the package.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use sequor::engine::CompileError;
use sequor::error::{Error, Exit};
use sequor::event::ErrorReport;
use sequor_planner::Diagnostic;

/// The module that has the exceptions.
const MODULE: &str = "sequor_engine.errors";

/// An error as an exception: `ProjectError` where files or options are wrong, else `SequorError`.
pub fn raised(error: &Error) -> PyErr {
    let class = match error.kind().policy().exit {
        Exit::Wrong => "ProjectError",
        _ => "SequorError",
    };
    made(class, &ErrorReport::from(error), &[])
}

/// Why there is no plan, as an exception.
pub fn not_compiled(error: &CompileError) -> PyErr {
    let found = match error {
        CompileError::Error(error) => return raised(error),
        CompileError::Findings(found) => found,
    };
    let message = found.iter().map(|found| found.message.as_str());
    let report = ErrorReport {
        code: found
            .first()
            .map(|found| found.code.as_str().to_string())
            .unwrap_or_default(),
        message: message.collect::<Vec<_>>().join("; "),
        place: found.first().and_then(|found| found.place.clone()),
        help: found.first().and_then(|found| found.help.clone()),
        traceback: None,
    };
    made("ProjectError", &report, found)
}

fn made(class: &str, report: &ErrorReport, found: &[Diagnostic]) -> PyErr {
    Python::attach(|py| {
        let made = || -> PyResult<PyErr> {
            let class = py.import(MODULE)?.getattr(class)?;
            let named = PyDict::new(py);
            named.set_item("report", json(report)?)?;
            named.set_item("findings", json(&found)?)?;
            Ok(PyErr::from_value(class.call((), Some(&named))?))
        };
        made().unwrap_or_else(|error| error)
    })
}

/// Data as JSON.
///
/// # Errors
/// A bug: data that is none.
pub fn json(data: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(data).map_err(|e| pyo3::exceptions::PyRuntimeError::new_err(e.to_string()))
}
