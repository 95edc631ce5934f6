//! Rows of a side table take the place of those with the same key in the target, inside the transaction that filled it.
//!
//! By UPDATE and INSERT rather than ON CONFLICT: the target need not have a unique index on the key, and rows that others
//! refer to keep their identity.

use sqlx::PgConnection;

use super::database::run;
use super::sql;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;

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
    /// `a.key = b.key`, for each column of the key.
    fn same(&self, a: &str, b: &str) -> String {
        let same = self.key.iter().map(|name| {
            let name = sql::quote(name);
            format!("{a}.{name} = {b}.{name}")
        });
        same.collect::<Vec<_>>().join(" AND ")
    }

    /// Of the side table's rows with the same key, only the last stays.
    pub async fn unique_last(&self, connection: &mut PgConnection) -> Result<()> {
        let side = sql::table(self.side);
        let same = self.same("a", "b");
        let delete = format!("DELETE FROM {side} a USING {side} b WHERE {same} AND a.ctid < b.ctid");
        run(connection, &delete).await.map(|_| ())
    }

    /// # Errors
    /// Rows of the side table with the same key: which would count is not known.
    pub async fn refuse_twins(&self, connection: &mut PgConnection) -> Result<()> {
        let side = sql::table(self.side);
        let key = sql::column_list(self.key.iter().map(String::as_str));
        let twins = format!("SELECT {key} FROM {side} GROUP BY {key} HAVING count(*) > 1 LIMIT 1");
        if run(connection, &twins).await? > 0 {
            let message = format!(
                "the query gives several rows with the same `{}`",
                self.key.join("`, `")
            );
            return Err(Error::new(ErrorKind::Data, message)
                .help("aggregate, or pick one row of each key by `select distinct on`"));
        }
        Ok(())
    }

    /// Updates the target's rows that have the key of one in the side table, and adds the others.
    pub async fn merge(&self, connection: &mut PgConnection) -> Result<()> {
        let (side, target) = (sql::table(self.side), sql::table(self.target));
        for name in self.key {
            let nulls = format!("SELECT 1 FROM {side} WHERE {} IS NULL LIMIT 1", sql::quote(name));
            if run(connection, &nulls).await? > 0 {
                let message = format!("column `{name}` of the primary key is null in some rows");
                return Err(Error::new(ErrorKind::Data, message)
                    .help("leave those rows out, or choose another `primary_key`"));
            }
        }
        // Two upserts at once would both add a key that neither finds.
        run(
            connection,
            &format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE"),
        )
        .await?;
        run(connection, &format!("ANALYZE {side}")).await?;
        let same = self.same("t", "s");
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|name| !self.key.contains(name))
            .map(|name| format!("{0} = s.{0}", sql::quote(name)))
            .collect();
        if !others.is_empty() {
            let update = format!(
                "UPDATE {target} t SET {} FROM {side} s WHERE {same}",
                others.join(", ")
            );
            run(connection, &update).await?;
        }
        let columns = sql::column_list(self.columns.iter().map(String::as_str));
        let insert = format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {side} s \
             WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {same})"
        );
        run(connection, &insert).await.map(|_| ())
    }
}
