//! The rows of a side table into their place, in one transaction of the connection that filled it.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Room, SideTable};
use crate::sources::overlap::Skip;
use crate::sources::sql::quote;

/// Returns the side table of a connection's load: one of the connection's own.
pub fn side(number: usize) -> String {
    format!("temp.\"_sequor_side_{number}\"")
}

/// Returns the database that a table is in, as SQLite names those it has open: `main` is the file itself.
pub fn schema(table: &TableName) -> Option<&str> {
    table.namespace.as_deref().or(table.database.as_deref())
}

/// Returns a table's full name, quoted.
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

/// Does work in a transaction that writes the file: all of it, or nothing.
pub async fn transaction(
    connection: &mut SqliteConnection,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<()>,
) -> Result<()> {
    // The lock is taken at once: one that is only wanted when others have it could not be waited for.
    run(connection, "BEGIN IMMEDIATE").await?;
    match work(connection).await {
        Ok(()) => run(connection, "COMMIT").await.map(|_| ()),
        Err(error) => {
            let _ = run(connection, "ROLLBACK").await;
            Err(error)
        }
    }
}

/// Returns the first column of a query, as text.
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

/// Rows that wait in a side table.
pub struct SqliteSide<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) target: &'a TableName,
    names: Names,
    /// The columns as a CREATE TABLE has them.
    definitions: &'a str,
    /// Tables with foreign keys on the target.
    children: Vec<String>,
    pub(super) number: usize,
}

impl<'a> SqliteSide<'a> {
    /// Creates the rows of the side table that `connection` has under a number. `definitions`: what makes the target.
    pub fn new(
        connection: &'a mut SqliteConnection,
        (number, target): (usize, &'a TableName),
        columns: Vec<String>,
        definitions: &'a str,
    ) -> Self {
        SqliteSide {
            connection,
            target,
            names: Names::plain(side(number), quoted(target), columns, quote),
            definitions,
            children: Vec::new(),
            number,
        }
    }

    /// Tables with foreign keys on the target.
    async fn find_children(&mut self) -> Result<Vec<String>> {
        let query = format!(
            "SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND lower(f.\"table\") = lower({0}) AND lower(m.name) <> lower({0})",
            literal(&self.target.table)
        );
        texts(self.connection, &query).await
    }
}

#[async_trait]
impl SideTable for SqliteSide<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    async fn run(&mut self, statement: &str) -> Result<u64> {
        run(self.connection, statement).await
    }

    async fn any(&mut self, query: &str) -> Result<bool> {
        Ok(!texts(self.connection, query).await?.is_empty())
    }

    async fn target_exists(&mut self) -> Result<bool> {
        let within = quote(schema(self.target).unwrap_or("main"));
        let query = format!(
            "SELECT 'yes' FROM {within}.sqlite_master WHERE type = 'table' AND lower(name) = lower({})",
            literal(&self.target.table)
        );
        self.any(&query).await
    }

    async fn create_target(&mut self, key: Option<&[String]>) -> Result<Room> {
        let key = key.map(|key| format!(", PRIMARY KEY ({})", self.names.list(key)));
        let (target, definitions, key) = (&self.names.target, self.definitions, key.unwrap_or_default());
        let create = format!("CREATE TABLE {target} ({definitions}{key})");
        self.run(&create).await?;
        Ok(Room::Empty)
    }

    async fn make_room(&mut self, there: bool) -> Result<Room> {
        if there {
            self.children = self.find_children().await?;
            // Tables with foreign keys on it need the keys that it has.
            if !self.children.is_empty() {
                return Ok(Room::Occupied);
            }
            if self.has_constraints().await? {
                self.fit_columns().await?;
                return Ok(Room::Occupied);
            }
            let extras = self.extras().await?;
            let drop = format!("DROP TABLE {}", self.names.target);
            self.run(&drop).await?;
            self.create_target(None).await?;
            for statement in extras {
                // One on a column that is gone goes with it.
                let _ = self.run(&statement).await;
            }
            return Ok(Room::Empty);
        }
        self.create_target(None).await
    }

    async fn keep_last(&mut self, key: &[String]) -> Result<()> {
        let keep = self.names.keep_last(key, "rowid");
        self.run(&keep).await.map(|_| ())
    }

    /// Without an index, each row of the target would be looked for in all of the side table.
    async fn prepare_merge(&mut self, key: &[String]) -> Result<()> {
        let (number, key) = (self.number, self.names.list(key));
        let index = format!("CREATE INDEX temp._sequor_key_{number} ON _sequor_side_{number} ({key})");
        self.run(&index).await.map(|_| ())
    }

    async fn merge(&mut self, key: &[String]) -> Result<()> {
        if let Some(update) = self.names.update(key) {
            self.run(&update).await?;
        }
        let drop_known = self.names.drop_known(key);
        self.run(&drop_known).await?;
        self.insert().await
    }

    fn folds(&self) -> bool {
        true
    }

    async fn refuse_cascades(&mut self) -> Result<()> {
        let (target, master) = (
            literal(&self.target.table),
            quote(schema(self.target).unwrap_or("main")),
        );
        let query = format!(
            "SELECT m.name FROM {master}.sqlite_master AS m, pragma_foreign_key_list(m.name) AS f \
             WHERE m.type = 'table' AND lower(m.name) <> lower({target}) AND lower(f.\"table\") = lower({target}) \
             AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') LIMIT 1"
        );
        if !self.any(&query).await? {
            return Ok(());
        }
        let message = format!(
            "rows of `{}` are not replaced: another table has a foreign key on it that deletes or changes its own rows with these",
            self.target
        );
        Err(Error::new(ErrorKind::Sql, message)
            .help("use `write_mode: upsert`, which keeps the rows that are there, or a foreign key without `on delete`"))
    }

    fn exact(&self, column: &str) -> String {
        format!("{column} COLLATE BINARY")
    }

    /// Takes those rows out of the side table that the target has: with its index, each of the target's is looked for once.
    async fn insert_new(&mut self, skip: &Skip) -> Result<()> {
        let Names { side, target, .. } = &self.names;
        let from = skip.from.as_ref().map_or_else(String::new, |from| {
            let column = format!("t.{}", quote(&skip.column));
            format!(" WHERE {}", self.compared(&column, ">=", from))
        });
        let alike = self.names.alike(skip, ("t", "s"), |a, b| {
            // `NOCASE` takes two texts for one.
            format!("{a} IS {b} COLLATE BINARY")
        });
        let drop = format!(
            "DELETE FROM {side} WHERE rowid IN (SELECT s.rowid FROM {target} t CROSS JOIN {side} s ON {alike}{from})"
        );
        self.run(&drop).await?;
        self.insert().await
    }

    /// # Errors
    /// Rows of other tables that refer to rows which are gone.
    async fn check_replaced(&mut self) -> Result<()> {
        for child in std::mem::take(&mut self.children) {
            let query = format!(
                "SELECT 'yes' FROM pragma_foreign_key_check({}) WHERE lower(parent) = lower({}) LIMIT 1",
                literal(&child),
                literal(&self.target.table)
            );
            if self.any(&query).await? {
                let message = format!("rows of `{child}` refer to rows that would be gone");
                return Err(Error::new(ErrorKind::Value, message)
                    .help("empty the table that refers to them first, or use `write_mode: upsert`"));
            }
        }
        Ok(())
    }

    /// It ends with its connection.
    async fn drop_side(&mut self) -> Result<()> {
        Ok(())
    }
}
