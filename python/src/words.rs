//! The command line: as a program, and for programs.

use std::ffi::OsString;
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::json;
use crate::stop::Stop;

/// Runs the program, with the words of its command line; the first is its name. What the process is to exit with.
#[pyfunction]
pub fn main(py: Python<'_>, words: Vec<OsString>) -> PyResult<u8> {
    // The engine hears signals by itself; Python's own handler would wait for a moment that does not come. This is what the
    // module `signal` is made of: loading that one would take as long as the rest of Python's part in the start.
    let signals = py.import("_signal")?;
    signals.call_method1(
        "signal",
        (signals.getattr("SIGINT")?, signals.getattr("SIG_DFL")?),
    )?;
    Ok(py.detach(|| sequor::cli::invoke(words, None).exit as u8))
}

/// Ends Python code of flows that still runs, before the interpreter ends. Whether all of it did, in 10 seconds.
#[pyfunction]
pub fn settle(py: Python<'_>) -> bool {
    sequor::python::settle(py, Duration::from_secs(10))
}

/// Runs a command in a process that has more to do. What it would exit with, and the report of its run as JSON.
#[pyfunction]
pub fn invoke(py: Python<'_>, words: Vec<OsString>, stop: &Stop) -> PyResult<(u8, Option<String>)> {
    let token = stop.token.clone();
    let invoked = py.detach(|| sequor::cli::invoke(words, Some(token)));
    let report = invoked.report.as_ref().map(json).transpose()?;
    Ok((invoked.exit as u8, report))
}
