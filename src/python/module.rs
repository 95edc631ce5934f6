//! What the interpreter is, and where it finds a module.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::interpreter::Interpreter;
use crate::error::Result;

impl Interpreter {
    /// Returns its version and the folder it is installed in.
    ///
    /// # Errors
    /// No interpreter.
    pub async fn version(&self) -> Result<(String, String)> {
        self.visit(|visit| {
            let prefix = || -> PyResult<String> { visit.py.import("sys")?.getattr("prefix")?.extract() };
            let version = visit.py.version_info();
            let version = format!("{}.{}.{}", version.major, version.minor, version.patch);
            (version, prefix().unwrap_or_default())
        })
        .await
    }

    /// Returns the file of a module, which is not imported; none when it is not installed.
    pub async fn module_file(&self, name: String) -> Result<Option<PathBuf>> {
        self.visit(move |visit| {
            let find = || -> PyResult<Option<PathBuf>> {
                let spec = visit
                    .py
                    .import("importlib.util")?
                    .call_method1("find_spec", (name.as_str(),))?;
                if spec.is_none() {
                    return Ok(None);
                }
                spec.getattr("origin")?.extract()
            };
            // A package that is broken is as good as none.
            find().unwrap_or(None)
        })
        .await
    }
}
