//! Loading a driver, and opening a database with it.

use std::path::Path;

use adbc_core::Driver as _;
use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};

use crate::error::{Error, ErrorKind, Result};

/// Loads the driver in a shared library. `entrypoint`: the name of its first function.
pub fn load(library: &Path, entrypoint: &str) -> Result<ManagedDriver> {
    let entry = Some(entrypoint.as_bytes());
    let loaded = ManagedDriver::load_dynamic_from_filename(library, entry, AdbcVersion::V110);
    let driver = loaded.map_err(|e| {
        Error::new(
            ErrorKind::Project,
            format!("the driver {} can't be loaded: {}", library.display(), e.message),
        )
    })?;
    // Drivers have threads of their own, which outlive their databases: a library that is unloaded pulls the ground
    // from under them. It stays for as long as the process.
    std::mem::forget(driver.clone());
    Ok(driver)
}

/// A database with these options; `explain` makes an error of the driver's message.
pub fn opened(
    driver: &mut ManagedDriver,
    options: &[(&str, &str)],
    explain: fn(&str) -> Error,
) -> Result<ManagedDatabase> {
    let options = options.iter().map(|(name, value)| {
        let name = OptionDatabase::Other(name.to_string());
        (name, OptionValue::String(value.to_string()))
    });
    driver
        .new_database_with_opts(options)
        .map_err(|e| explain(e.message.trim()))
}
