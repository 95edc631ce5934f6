//! From a source's definition to an open file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use sequor_planner::syntax::DuckDbSource;
use tokio::sync::Mutex;

use super::database::DuckDb;
use super::find::Places;
use crate::error::Result;
use crate::sources::blocking::blocking;
use crate::sources::database::Database;
use crate::sources::settings::Settings;

/// Open databases, by their files.
pub type Files = Mutex<HashMap<PathBuf, DuckDb>>;

/// Opens the database of a source: sources that name the same file share it, since DuckDB lets a file be opened once.
///
/// # Errors
/// Settings that can't be evaluated; no library of DuckDB's; a file that can't be opened.
pub async fn open(
    source: &DuckDbSource,
    settings: &dyn Settings,
    files: &Files,
) -> Result<Arc<dyn Database>> {
    let conn_str = settings.text(&source.conn_str).await?;
    let named = settings.driver(&source.driver).await?;
    let package = match &named {
        Some(_) => None,
        None => settings.python_module("_duckdb").await?,
    };
    let places = Places { named, package };
    let location = settings.location(&conn_str, "duckdb")?;
    let file = location.file.as_deref().map(|file| {
        let known = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        known.components().collect::<PathBuf>()
    });
    let mut open = files.lock().await;
    if let Some(known) = file.as_ref().and_then(|file| open.get(file)) {
        return Ok(Arc::new(known.clone()));
    }
    // Opening reads the file.
    let opened = blocking(move || DuckDb::open(&location, &places)).await?;
    if let Some(file) = file {
        // Those that nobody else holds are closed.
        open.retain(|_, known| known.is_held());
        open.insert(file, opened.clone());
    }
    Ok(Arc::new(opened))
}
