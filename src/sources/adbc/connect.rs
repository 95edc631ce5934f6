//! From a source's definition to an open database.

use std::collections::HashMap;
use std::sync::Arc;

use sequor_planner::syntax::AdbcSource;

use super::database::Adbc;
use crate::error::Result;
use crate::secret::Secret;
use crate::sources::blocking::blocking;
use crate::sources::database::Database;
use crate::sources::settings::Settings;

/// Parts of the names of options that are secrets.
const SECRETS: [&str; 5] = ["password", "secret", "token", "private_key", "passphrase"];

/// Opens the database of a source.
///
/// # Errors
/// Settings that can't be evaluated; a driver that is not there; a database that can't be opened.
pub async fn open(source: &AdbcSource, settings: &dyn Settings) -> Result<Arc<dyn Database>> {
    let named = settings.text(&source.driver).await?;
    let driver = match settings.path_or_name(&named) {
        name if name.components().count() == 1 => match settings.packaged(&named).await? {
            Some(library) => library,
            None => name,
        },
        path => path,
    };
    let entrypoint = settings.maybe(&source.entrypoint).await?;
    let options = options(source, settings).await?;
    let open = move || Adbc::open(driver.as_os_str(), entrypoint.as_deref(), &options);
    let opened = blocking(open).await;
    let opened = opened.map_err(|e| match e.message().contains("not found") {
        true => e.help(format!(
            "a driver is named like its Python package (python3 -m pip install {named}, in the virtualenv that is active), or by its path"
        )),
        false => e,
    })?;
    Ok(Arc::new(opened.quoted_names(settings.quoted())))
}

/// A driver's own options. Which of them are secrets only the driver knows: all that could be are hidden.
async fn options(source: &AdbcSource, settings: &dyn Settings) -> Result<HashMap<String, String>> {
    let Some(options) = &source.options else {
        return Ok(HashMap::new());
    };
    let options = settings.entries(options).await?;
    for (name, text) in &options {
        settings.hide_password_of(text);
        if SECRETS.iter().any(|word| name.to_lowercase().contains(word)) {
            settings.hide(&Secret::new(text.clone()));
        }
    }
    Ok(options.into_iter().collect())
}
