//! What statements about a snapshot call things.

use std::sync::Arc;

use sequor_planner::Dialect;

use crate::batch::column::Column;
use crate::sources::database::{Database, TableName};

/// The names in statements about a snapshot, as SQL.
pub struct Names {
    pub dialect: Dialect,
    /// What stands behind FROM for the rows that are compared.
    pub rows: String,
    /// The table of what was sent.
    pub snapshot: String,
    /// The table of what is being sent.
    pub pending: String,
    /// The table of what is kept of answers.
    pub answers: String,
    database: Arc<dyn Database>,
}

impl Names {
    /// Returns those of a snapshot. `rows`: what stands behind FROM for the rows; `scope`: which rows of the snapshot are meant.
    pub fn new(database: &Arc<dyn Database>, snapshot: &TableName, rows: String, scope: &str) -> Names {
        Names {
            dialect: database.dialect(),
            rows,
            snapshot: database.quoted(snapshot),
            pending: database.quoted(&beside(&**database, snapshot, "pending", scope)),
            answers: database.quoted(&beside(&**database, snapshot, "answers", scope)),
            database: database.clone(),
        }
    }

    /// Returns the name of a column, quoted.
    pub fn quote(&self, name: &str) -> String {
        self.database.quote(name)
    }

    /// Returns the name of a column that is no user's, as the database has it.
    pub fn folded(&self, name: &str) -> String {
        self.database.fold(&format!("_sequor_{name}"))
    }

    /// Returns the name of the column with the key as it was spelled when it was sent, quoted. `at`: which of the key's texts.
    pub fn spelling(&self, at: usize) -> String {
        self.meta(&format!("was_{at}"))
    }

    /// Tells whether a column is one of those.
    pub fn is_spelling(&self, column: &str) -> bool {
        column.starts_with(&self.folded("was_"))
    }

    /// Returns the name of a column that is no user's, quoted.
    pub fn meta(&self, name: &str) -> String {
        self.database.quote(&self.folded(name))
    }

    /// Returns the type of a number of rows, as CAST takes it.
    pub fn integer(&self) -> &'static str {
        match self.dialect {
            Dialect::MySql => "SIGNED",
            _ => "BIGINT",
        }
    }
}

/// Returns the name of a table beside a snapshot. `scope`: which rows of the snapshot it is for; other steps and environments have
/// tables of their own.
pub fn beside(database: &dyn Database, table: &TableName, what: &str, scope: &str) -> TableName {
    let short = scope.get(..8).unwrap_or(scope);
    TableName {
        table: format!("{}{}", table.table, database.fold(&format!("_{what}_{short}"))),
        ..table.clone()
    }
}

/// Tells whether a table is one of what was, or is being sent, and nobody else's.
pub fn is_own(database: &dyn Database, columns: &[Column]) -> bool {
    let named = |name: &str| columns.iter().any(|column| column.name == database.fold(name));
    named("_sequor_scope") || named("_sequor_sync") || (named("_sequor_n") && named("_sequor_response"))
}

/// Returns an expression as a text that may become longer: a table made of a constant has no room for others.
pub fn text(dialect: Dialect, expression: &str) -> String {
    let sql = match dialect {
        Dialect::MySql => "CHAR(255)",
        Dialect::Sqlite => "TEXT",
        Dialect::Staging => "VARCHAR",
        _ => "VARCHAR(255)",
    };
    format!("CAST({expression} AS {sql})")
}
