//! The command line: as a program, and for programs.

use std::ffi::OsString;
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::json;
use crate::stop::Stop;

/// Runs the program, with the words of its command line; the first is its name. What the process is to exit with.
#[pyfunction]
pub fn main(py: Python<'_>, words: Vec<OsString>) -> u8 {
    py.detach(|| sequor::cli::invoke(words, None).exit as u8)
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
