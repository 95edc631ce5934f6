//! The engine for Python: what `sequor_engine`, the package in this folder, is built upon. Data goes in and out as JSON, rows as
//! Arrow; the package makes objects of it.

mod errors;
mod project;
mod rows;
mod stop;
mod waiting;
mod words;

use pyo3::prelude::*;

// As the program has: requests and rows are many small allocations made by one thread and freed by another.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::project::Engine;
    #[pymodule_export]
    use super::rows::Rows;
    #[pymodule_export]
    use super::stop::Stop;
    #[pymodule_export]
    use super::words::{invoke, main, settle};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
