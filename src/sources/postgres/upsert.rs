//! Rows of a side table take the place of those with the same key in the target, inside the transaction that filled it.

use sqlx::PgConnection;

use super::database::run;
use super::sql;
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::sql::{Keyed, UpsertSql, duplicate_keys_error, null_error};

/// One upsert.
pub struct Upsert<'a> {
    /// Has all of `columns`.
    pub side: &'a TableName,
    pub target: &'a TableName,
    pub columns: &'a [String],
    pub key: &'a [String],
}

/// Makes the target, with its key as primary key.
pub async fn create(
    connection: &mut PgConnection,
    target: &TableName,
    definitions: &str,
    key: &[String],
) -> Result<()> {
    let key = sql::column_list(key.iter().map(String::as_str));
    let create = format!(
        "CREATE TABLE {} ({definitions}, PRIMARY KEY ({key}))",
        sql::table(target)
    );
    run(connection, &create).await.map(|_| ())
}

impl Upsert<'_> {
    /// Of the side table's rows with the same key, only the last stays.
    pub async fn unique_last(&self, connection: &mut PgConnection) -> Result<()> {
        run(connection, &self.rows(&sql::table(self.side)).keep_last("ctid"))
            .await
            .map(|_| ())
    }

    /// # Errors
    /// Rows of the side table with the same key: which would count is not known.
    pub async fn refuse_duplicate_keys(&self, connection: &mut PgConnection) -> Result<()> {
        match run(connection, &self.rows(&sql::table(self.side)).duplicates()).await? {
            0 => Ok(()),
            _ => Err(duplicate_keys_error(self.key)),
        }
    }

    /// Updates the target's rows that have the key of one in the side table, and adds the others.
    pub async fn merge(&self, connection: &mut PgConnection) -> Result<()> {
        let (side, target) = (sql::table(self.side), sql::table(self.target));
        let rows = self.rows(&side);
        let upsert = UpsertSql {
            rows,
            target: &target,
            columns: self.columns,
        };
        for name in self.key {
            if run(connection, &rows.nulls(name)).await? > 0 {
                return Err(null_error(name));
            }
        }
        // Two upserts at once would both add a key that neither finds.
        run(
            connection,
            &format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE"),
        )
        .await?;
        run(connection, &format!("ANALYZE {side}")).await?;
        if let Some(update) = upsert.update() {
            run(connection, &update).await?;
        }
        run(connection, &upsert.insert()).await.map(|_| ())
    }

    fn rows<'s>(&'s self, side: &'s str) -> Keyed<'s> {
        Keyed { side, key: self.key }
    }
}
