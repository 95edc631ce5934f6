//! Where DuckDB's library is.

use std::path::{Path, PathBuf};

use adbc_driver_manager::ManagedDriver;

use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc;

/// The first function of DuckDB's driver.
const ENTRYPOINT: &str = "duckdb_adbc_init";

/// Where to look.
#[derive(Debug, Default)]
pub struct Places {
    /// What the source names; nothing else is tried then.
    pub named: Option<PathBuf>,
    /// The shared object of the Python package `duckdb`, where it is installed.
    pub package: Option<PathBuf>,
}

/// Loads the driver: that of the source, of the Python package, of the system.
pub fn driver(places: &Places) -> Result<ManagedDriver> {
    if let Some(named) = &places.named {
        return adbc::load(named, ENTRYPOINT);
    }
    if let Some(package) = &places.package {
        return adbc::load(package, ENTRYPOINT);
    }
    let library = match cfg!(target_os = "macos") {
        true => "libduckdb.dylib",
        false => "libduckdb.so",
    };
    adbc::load(Path::new(library), ENTRYPOINT).map_err(|_| {
        Error::new(ErrorKind::Project, "DuckDB is not installed").help(
            "python3 -m pip install duckdb, in the virtualenv that is active; or name its library: `driver: /path/libduckdb.so`",
        )
    })
}
