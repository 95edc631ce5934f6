//! The write mode of a step.

use sequor_planner::ops::WriteMode;

use crate::sources::database::Database;

/// Returns the write mode with names as the database keeps them.
pub fn write_mode(mode: &WriteMode, database: &dyn Database) -> WriteMode {
    match mode {
        WriteMode::Upsert(key) => WriteMode::Upsert(key.iter().map(|name| database.fold(name)).collect()),
        other => other.clone(),
    }
}
