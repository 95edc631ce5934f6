//! The rows of a side table into their place, in one transaction of the connection that filled it.

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::sql::{Keyed, UpsertSql, column_list, null_error, quote};
use sequor_planner::ops::WriteMode;

/// The database that a table is in, as SQLite names those it has open: `main` is the file itself.
pub fn schema(table: &TableName) -> Option<&str> {
    table.namespace.as_deref().or(table.database.as_deref())
}

/// A table's full name, quoted.
pub fn quoted(table: &TableName) -> String {
    match schema(table) {
        Some(schema) => format!("{}.{}", quote(schema), quote(&table.table)),
        None => quote(&table.table),
    }
}

/// Runs one statement of ours; the number of rows it touched.
pub async fn run(connection: &mut SqliteConnection, statement: &str) -> Result<u64> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|e| explain(&e))
}

/// The first column of a query, as text.
pub async fn texts(connection: &mut SqliteConnection, query: &str) -> Result<Vec<String>> {
    let rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch_all(connection).await;
    let rows = rows.map_err(|e| explain(&e))?;
    let texts = rows.iter().map(|row| row.try_get_unchecked::<String, _>(0));
    texts.collect::<Result<_, _>>().map_err(|e| explain(&e))
}

/// `text` as a literal: names of the catalog, never values of rows.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether the table is there.
async fn exists(connection: &mut SqliteConnection, table: &TableName) -> Result<bool> {
    let within = quote(schema(table).unwrap_or("main"));
    let query = format!(
        "SELECT 'yes' FROM {within}.sqlite_master WHERE type = 'table' AND lower(name) = lower({})",
        literal(&table.table)
    );
    Ok(!texts(connection, &query).await?.is_empty())
}

/// Rows that wait in a side table.
pub struct Side<'a> {
    /// Quoted.
    pub side: &'a str,
    pub target: &'a TableName,
    /// The columns' names.
    pub columns: &'a [String],
    /// The columns as a CREATE TABLE has them.
    pub definitions: &'a str,
    pub mode: &'a WriteMode,
}

impl Side<'_> {
    /// Puts them into their place: all of it, or nothing.
    pub async fn settle(&self, connection: &mut SqliteConnection) -> Result<()> {
        // The lock is taken at once: one that is only wanted when others have it could not be waited for.
        run(connection, "BEGIN IMMEDIATE").await?;
        match self.place(connection).await {
            Ok(()) => run(connection, "COMMIT").await.map(|_| ()),
            Err(error) => {
                let _ = run(connection, "ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn place(&self, connection: &mut SqliteConnection) -> Result<()> {
        let (side, target) = (self.side, quoted(self.target));
        let columns = column_list(self.columns.iter().map(String::as_str));
        let insert = format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {side}");
        let there = exists(connection, self.target).await?;
        match self.mode {
            WriteMode::Replace => {
                let children = match there {
                    true => self.children(connection).await?,
                    false => Vec::new(),
                };
                match (there, children.is_empty()) {
                    // Tables with foreign keys on it need the keys that it has.
                    (true, false) => run(connection, &format!("DELETE FROM {target}")).await?,
                    (true, true) => run(connection, &format!("DROP TABLE {target}")).await?,
                    (false, _) => 0,
                };
                if !there || children.is_empty() {
                    run(
                        connection,
                        &format!("CREATE TABLE {target} ({})", self.definitions),
                    )
                    .await?;
                }
                run(connection, &insert).await?;
                self.refuse_orphans(connection, &children).await
            }
            WriteMode::Append => {
                if !there {
                    run(
                        connection,
                        &format!("CREATE TABLE {target} ({})", self.definitions),
                    )
                    .await?;
                }
                run(connection, &insert).await.map(|_| ())
            }
            WriteMode::Upsert(key) => {
                let rows = Keyed { side, key };
                let upsert = UpsertSql {
                    rows,
                    target: &target,
                    columns: self.columns,
                };
                for name in key {
                    if !texts(connection, &rows.nulls(name)).await?.is_empty() {
                        return Err(null_error(name));
                    }
                }
                if !there {
                    let (definitions, key) = (self.definitions, rows.key_list());
                    let create = format!("CREATE TABLE {target} ({definitions}, PRIMARY KEY ({key}))");
                    run(connection, &create).await?;
                }
                // Without it, each row of the target would be looked for in all of the side table.
                let key = rows.key_list();
                let side_name = side.trim_start_matches("temp.");
                let index = format!("CREATE INDEX temp._sequor_key ON {side_name} ({key})");
                run(connection, &index).await?;
                if let Some(update) = upsert.update() {
                    run(connection, &update).await?;
                }
                run(connection, &upsert.drop_known()).await?;
                run(connection, &insert).await.map(|_| ())
            }
        }
    }

    /// Tables with foreign keys on the target.
    async fn children(&self, connection: &mut SqliteConnection) -> Result<Vec<String>> {
        let query = format!(
            "SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND lower(f.\"table\") = lower({0}) AND lower(m.name) <> lower({0})",
            literal(&self.target.table)
        );
        texts(connection, &query).await
    }

    /// # Errors
    /// Rows of other tables that refer to rows which are gone.
    async fn refuse_orphans(&self, connection: &mut SqliteConnection, children: &[String]) -> Result<()> {
        for child in children {
            let query = format!(
                "SELECT 'yes' FROM pragma_foreign_key_check({}) WHERE lower(parent) = lower({}) LIMIT 1",
                literal(child),
                literal(&self.target.table)
            );
            if !texts(connection, &query).await?.is_empty() {
                let message = format!("rows of `{child}` refer to rows that would be gone");
                return Err(Error::new(ErrorKind::Value, message)
                    .help("empty the table that refers to them first, or use `write_mode: upsert`"));
            }
        }
        Ok(())
    }
}
