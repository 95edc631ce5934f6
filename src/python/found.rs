//! The interpreter that the process has already: one that loads this library as an extension module.

use crate::error::{Error, ErrorKind, Result};

/// Looks whether the interpreter is there. It is not started here: the process is not ours.
#[allow(unsafe_code)]
pub fn initialize() -> Result<()> {
    // SAFETY: may be called at any time, before the interpreter starts, too.
    let there = unsafe { pyo3::ffi::Py_IsInitialized() } != 0;
    match there {
        true => Ok(()),
        false => Err(
            Error::new(ErrorKind::Python, "this process has no Python interpreter")
                .help("start one, or build with the feature `embed`"),
        ),
    }
}
