//! Snowflake as the engine sees it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::Dialect;

use super::connect::Account;
use super::load::SnowflakeLoads;
use super::side::{Merges, SnowflakeSide, quoted, side};
use super::types;
use crate::batch::column::Column;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc::{self, Connections, Statements, Ways};
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys};
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::reading::reads;
use crate::sources::sql::quote;
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// A Snowflake account.
pub struct Snowflake {
    connections: Arc<Connections>,
    naming: Naming,
}

const WAYS: Ways = Ways {
    explain,
    field: types::field,
};

impl Snowflake {
    /// Connects; the account has answered when this returns. `driver`: its library, or a name.
    pub fn open(account: &Account, driver: Option<PathBuf>) -> Result<Snowflake> {
        let missing = || {
            Error::new(ErrorKind::Project, "Snowflake's ADBC driver is not installed").help(
                "python3 -m pip install adbc-driver-snowflake, in the virtualenv that is active; or name its library: \
                 `driver: /path/libadbc_driver_snowflake.so`",
            )
        };
        let options = account.options()?;
        let mut library = match driver {
            Some(driver) => adbc::load(driver, None)?,
            None => adbc::load("snowflake", None)
                .or_else(|_| adbc::load("adbc_driver_snowflake", None))
                .map_err(|_| missing())?,
        };
        let options: Vec<(&str, &str)> = options
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let database = adbc::opened(&mut library, &options, explain)?;
        let connections = Connections::new(database, WAYS);
        let connection = connections.take()?;
        connections.give(connection);
        Ok(Snowflake {
            connections,
            naming: Naming::Upper,
        })
    }

    /// Returns the database with names kept as they are written, where its source says `identifiers: quoted`.
    pub fn quoted_names(mut self, quoted: bool) -> Self {
        self.naming = self.naming.of_source(quoted);
        self
    }
}

/// An error of Snowflake: its number and SQLSTATE stand in the text, twice.
fn explain(message: &str) -> Error {
    let message = message.strip_prefix("[Snowflake] ").unwrap_or(message);
    let kind = match message {
        m if m.contains("002003 ") || m.contains("(42S02)") => ErrorKind::NoTable,
        m if m.contains("390100 ") || m.contains("390144 ") || m.contains("(28000)") => {
            ErrorKind::Unauthorized
        }
        m if m.contains("dial tcp") || m.contains("no such host") => ErrorKind::Connect,
        m if m.contains("(22") => ErrorKind::Value,
        _ => ErrorKind::Sql,
    };
    // "002003 (42S02): 002003 (42S02): what. Vendor code: 2003. SQLSTATE: 42S02"
    let text = message.split(". Vendor code:").next().unwrap_or(message);
    let text = match text.split_once("): ") {
        Some((code, rest)) => rest.strip_prefix(&format!("{code}): ")).unwrap_or(text),
        None => text,
    };
    let error = Error::new(kind, text);
    match text.contains("does not have a current") {
        true => error.help("set `database` and `schema` in the source"),
        false => error,
    }
}

#[async_trait]
impl Database for Snowflake {
    fn dialect(&self) -> Dialect {
        Dialect::Snowflake
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        types::of(sql)
    }

    fn naming(&self) -> Naming {
        self.naming
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        reads(sql, Dialect::Snowflake)?;
        self.connections.rows(sql).await
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        self.query(&format!("SELECT * FROM {}", quoted(table))).await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        let sql = format!("SELECT * FROM {} LIMIT 0", quoted(table));
        match self.connections.rows(&sql).await {
            Ok(rows) => Ok(Some(
                rows.schema.fields().iter().map(|f| types::column(f)).collect(),
            )),
            Err(error) if error.kind() == ErrorKind::NoTable => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn quoted(&self, table: &TableName) -> String {
        quoted(table)
    }

    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let table = quoted(table);
        let mut changes = Vec::new();
        if !add.is_empty() {
            let added: Vec<String> = add
                .iter()
                .map(|c| format!("{} {}", quote(&c.name), c.column_type.sql))
                .collect();
            changes.push(format!("ALTER TABLE {table} ADD COLUMN {}", added.join(", ")));
        }
        // One by one: each statement is a transaction of its own anyway.
        changes.extend(
            drop.iter()
                .map(|name| format!("ALTER TABLE {table} DROP COLUMN {}", quote(name))),
        );
        for change in changes {
            self.execute(&change).await?;
        }
        Ok(())
    }

    /// The table is made anew, in one statement: a column in place takes no other scale.
    async fn retype(&self, table: &TableName, columns: &[Column]) -> Result<()> {
        let there = self.columns(table).await?.unwrap_or_default();
        let values = there.iter().map(|known| {
            let name = quote(&known.name);
            match columns.iter().find(|column| column.name == known.name) {
                Some(column) => format!("CAST({name} AS {}) AS {name}", column.column_type.sql),
                None => name,
            }
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let query = format!("SELECT {values} FROM {}", quoted(table));
        self.transform(&query, table, WriteMode::Replace)
            .await
            .map(|_| ())
    }

    async fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Statements::new(&self.connections).await?))
    }

    async fn transform_over(
        &self,
        query: &str,
        target: &TableName,
        mut mode: WriteMode,
        overlap: Option<&Overlap>,
    ) -> Result<u64> {
        let (query, target, overlap) = (query.to_string(), target.clone(), overlap.cloned());
        self.connections
            .work(move |connections, connection| {
                let target_sql = quoted(&target);
                if mode.replaces() {
                    connections.execute(
                        connection,
                        &format!("CREATE OR REPLACE TABLE {target_sql} AS {query}"),
                    )?;
                    return adbc::count(connections, connection, &target_sql);
                }
                let side = side();
                connections.execute(connection, &format!("CREATE TEMPORARY TABLE {side} AS {query}"))?;
                let mut work = || -> Result<u64> {
                    let names = format!("SELECT * FROM {side} LIMIT 0");
                    let names = adbc::columns(connections, connection, &names)?;
                    upsert_key(&mut mode, names.iter().map(String::as_str))?;
                    let rows = adbc::count(connections, connection, &side)?;
                    let names = Names::plain(side.clone(), target_sql.clone(), names, quote);
                    let mut rows_of_side = SnowflakeSide::new(connections, connection, names, Merges::All);
                    rows_of_side.land(Placing {
                        overlap: overlap.as_ref(),
                        ..Placing::of(&mode, SameKeys::Refuse)
                    })?;
                    Ok(rows)
                };
                let done = work();
                let dropped = connections.execute(connection, &format!("DROP TABLE IF EXISTS {side}"));
                let rows = done?;
                dropped.map(|_| rows)
            })
            .await
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(SnowflakeLoads::begin(&self.connections).await?))
    }
}
