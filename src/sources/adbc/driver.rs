//! Loading a driver, and opening a database with it.

use std::ffi::OsStr;

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Driver as _, LOAD_FLAG_DEFAULT};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};

use crate::error::{Error, ErrorKind, Result};

/// Loads a driver: by the absolute path of its library or manifest, or by its name, which the folders for drivers are
/// searched for (<https://arrow.apache.org/adbc/current/format/driver_manifests.html>). `entrypoint`: its first function,
/// where it is not the one of its name.
pub fn load(driver: impl AsRef<OsStr>, entrypoint: Option<&str>) -> Result<ManagedDriver> {
    let driver = driver.as_ref();
    let entrypoint = entrypoint.map(str::as_bytes);
    let loaded =
        ManagedDriver::load_from_name(driver, entrypoint, AdbcVersion::V110, LOAD_FLAG_DEFAULT, None);
    let loaded = loaded.map_err(|e| {
        Error::new(
            ErrorKind::Project,
            format!("the driver {} can't be loaded: {}", driver.display(), e.message),
        )
    })?;
    // Drivers have threads of their own, which outlive their databases: a library that is unloaded pulls the ground
    // from under them. It stays for as long as the process.
    std::mem::forget(loaded.clone());
    Ok(loaded)
}

/// Returns a database with these options; `explain` makes an error of the driver's message.
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
