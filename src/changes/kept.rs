//! What is kept of rows that were sent, looked at and forgotten by those who do not know the rows.

use std::sync::Arc;

use super::comparison::{IN_DOUBT, REMOVED};
use super::names::{Names, beside};
use super::numbers::numbers;
use crate::error::Result;
use crate::sources::database::{Database, TableName};

/// What is kept of rows that a step has sent.
pub struct Kept {
    database: Arc<dyn Database>,
    pub table: TableName,
    names: Names,
    scope: String,
}

impl Kept {
    /// Returns that of a table. `scope`: which of its rows are the step's.
    pub fn new(database: Arc<dyn Database>, table: TableName, scope: String) -> Kept {
        Kept {
            names: Names::new(&database, &table, String::new(), &scope),
            database,
            table,
            scope,
        }
    }

    /// Returns how many rows the API has, and how many of them are in doubt; none where nothing is kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self) -> Result<Option<(u64, u64)>> {
        if self.database.columns(&self.table).await?.is_none() {
            return Ok(None);
        }
        let status = self.names.meta("status");
        let sql = format!(
            "SELECT count(*) AS a, sum(CASE WHEN {status} = '{IN_DOUBT}' THEN 1 ELSE 0 END) AS b FROM {} WHERE {} = '{}' AND {status} <> '{REMOVED}'",
            self.names.snapshot,
            self.names.meta("scope"),
            self.scope
        );
        let found = numbers(&*self.database, &sql).await?;
        Ok(Some((
            found.first().copied().unwrap_or(0),
            found.get(1).copied().unwrap_or(0),
        )))
    }

    /// Forgets it. Whether something was kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget(&self) -> Result<bool> {
        for what in ["pending", "answers", "rows"] {
            let table = beside(&*self.database, &self.table, what, &self.scope);
            if self.database.columns(&table).await?.is_some() {
                self.drop(&table).await?;
            }
        }
        let Some((rows, _)) = self.count().await? else {
            return Ok(false);
        };
        // When each was sent stays: a row that is sent anew is no repetition of what was sent then.
        let (snapshot, scope, status) = (
            &self.names.snapshot,
            self.names.meta("scope"),
            self.names.meta("status"),
        );
        let forget = format!(
            "UPDATE {snapshot} SET {status} = '{REMOVED}' WHERE {scope} = '{}'",
            self.scope
        );
        self.database.execute(&forget).await?;
        Ok(rows > 0)
    }

    async fn drop(&self, table: &TableName) -> Result<()> {
        let drop = format!("DROP TABLE {}", self.database.quoted(table));
        self.database.execute(&drop).await.map(|_| ())
    }
}
