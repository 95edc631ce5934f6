//! Where DuckDB's library is.

use std::path::PathBuf;

use adbc_driver_manager::ManagedDriver;

use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc;

/// The first function of DuckDB's driver.
const ENTRYPOINT: &str = "duckdb_adbc_init";

/// Where to look.
#[derive(Debug, Default)]
pub struct Places {
    /// What the source names: a path, or the name of an ADBC driver; nothing else is tried then.
    pub named: Option<PathBuf>,
    /// The shared object of the Python package `duckdb`, where it is installed.
    pub package: Option<PathBuf>,
}

/// Loads the driver: that of the source, of an ADBC manifest, of the Python package, of the system.
pub fn driver(places: &Places) -> Result<ManagedDriver> {
    let entrypoint = Some(ENTRYPOINT);
    if let Some(named) = &places.named {
        return adbc::load(named, entrypoint);
    }
    // A manifest is there on purpose; the package may be so for other reasons.
    if let Ok(installed) = adbc::load("duckdb", entrypoint) {
        return Ok(installed);
    }
    if let Some(package) = &places.package {
        return adbc::load(package, entrypoint);
    }
    Err(Error::new(ErrorKind::Project, "DuckDB is not installed").help(
        "python3 -m pip install duckdb, in the virtualenv that is active; or name its library: `driver: /path/libduckdb.so`",
    ))
}
