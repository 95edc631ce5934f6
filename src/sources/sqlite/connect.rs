//! From a source's definition to an open file.

use std::sync::Arc;

use sequor_planner::syntax::SqliteSource;

use super::database::Sqlite;
use crate::error::Result;
use crate::sources::database::Database;
use crate::sources::settings::Settings;

/// Opens the database of a source.
///
/// # Errors
/// Settings that can't be evaluated; a file that can't be opened, or is none of SQLite's.
pub async fn open(source: &SqliteSource, settings: &dyn Settings) -> Result<Arc<dyn Database>> {
    let conn_str = settings.text(&source.conn_str).await?;
    let location = settings.location(&conn_str, "sqlite")?;
    Ok(Arc::new(Sqlite::open(&location).await?))
}
