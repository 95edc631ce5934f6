//! Any database by its driver, in SQL that is everyone's.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::Arc;

use arrow::datatypes::Field;
use async_trait::async_trait;
use sequor_planner::Dialect;

use super::connections::{Connections, Ways, columns, count};
use super::driver::{load, opened};
use super::load::AdbcLoads;
use super::session::Statements;
use super::side::{AdbcSide, side, stays};
use crate::batch::column::Column;
use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type, sql_name};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys};
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::reading::reads;
use crate::sources::sql::{alterations, quote};
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// A database that only its driver knows.
#[derive(Clone)]
pub struct Adbc {
    connections: Arc<Connections>,
    naming: Naming,
}

const WAYS: Ways = Ways { explain, field };

impl Adbc {
    /// Opens a database. `driver`: a name, or the absolute path of a library or manifest.
    pub fn open(driver: &OsStr, entrypoint: Option<&str>, options: &HashMap<String, String>) -> Result<Adbc> {
        let mut driver = load(driver, entrypoint)?;
        let options: Vec<(&str, &str)> = options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let database = opened(&mut driver, &options, explain)?;
        let connections = Connections::new(database, WAYS);
        // That it can be reached is seen now.
        let connection = connections.take()?;
        connections.give(connection);
        Ok(Adbc {
            connections,
            naming: Naming::Lower,
        })
    }

    /// Returns the database with names kept as they are written, where its source says `identifiers: quoted`.
    pub fn quoted_names(mut self, quoted: bool) -> Self {
        self.naming = self.naming.of_source(quoted);
        self
    }

    /// Returns its connections.
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Tells whether a table is there, and whether it has to stay when its rows are replaced.
    pub(super) async fn state(&self, table: &TableName, mode: &WriteMode) -> Result<(bool, bool)> {
        let there = self.columns(table).await?.is_some();
        if !there || !mode.replaces() {
            return Ok((there, false));
        }
        let table = quoted(table);
        let stays = self
            .connections
            .work(move |connections, connection| stays(connections, connection, &table));
        Ok((true, stays.await?))
    }
}

fn explain(message: &str) -> Error {
    let lower = message.to_lowercase();
    let missing = lower.contains("no such table")
        || (lower.contains("does not exist") && (lower.contains("relation") || lower.contains("table")));
    let kind = match missing {
        true => ErrorKind::NoTable,
        false => ErrorKind::Sql,
    };
    Error::new(kind, message)
}

/// What the drivers of PostgreSQL and its kin say of types that Arrow has not.
fn field(field: &Field, plain: Field) -> Field {
    match field
        .metadata()
        .get("ADBC:postgresql:typname")
        .map(String::as_str)
    {
        Some("numeric") => Logical::Numeric.mark(plain),
        Some("json" | "jsonb") => Logical::Json.mark(plain),
        _ => plain,
    }
}

/// Returns a table's full name, quoted.
pub fn quoted(table: &TableName) -> String {
    let parts = [&table.database, &table.namespace].into_iter().flatten();
    let parts: Vec<String> = parts.chain([&table.table]).map(|name| quote(name)).collect();
    parts.join(".")
}

#[async_trait]
impl Database for Adbc {
    fn dialect(&self) -> Dialect {
        Dialect::Generic
    }

    fn naming(&self) -> Naming {
        self.naming
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        column_type(sql, BareDecimal::Exact)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        reads(sql, Dialect::Generic)?;
        self.connections.rows(sql).await
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        self.query(&format!("SELECT * FROM {}", quoted(table))).await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        let table = table.clone();
        self.connections
            .work(
                move |connections, connection| match connections.table(connection, &table) {
                    Ok(schema) => Ok(Some(schema.fields().iter().map(|f| column(f)).collect())),
                    // What a missing table is called differs; that the database answers does not.
                    Err(_) => connections.run(connection, "SELECT 1").map(|_| None),
                },
            )
            .await
    }

    fn quoted(&self, table: &TableName) -> String {
        quoted(table)
    }

    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let changes = alterations(&quoted(table), add, drop);
        self.connections
            .work(move |connections, connection| {
                connections.transaction(connection, |connection| {
                    changes
                        .iter()
                        .try_for_each(|change| connections.execute(connection, change).map(|_| ()))
                })
            })
            .await
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
        let (there, stays) = self.state(&target, &mode).await?;
        self.connections
            .work(move |connections, connection| {
                connections.in_turn(connection, &quoted(&target), |connection| {
                    let side = quoted(&side(&target));
                    connections.execute(connection, &format!("CREATE TABLE {side} AS {query}"))?;
                    let names = columns(
                        connections,
                        connection,
                        &format!("SELECT * FROM {side} WHERE 1 = 0"),
                    )?;
                    upsert_key(&mut mode, names.iter().map(String::as_str))?;
                    let rows = count(connections, connection, &side)?;
                    let mut side = AdbcSide {
                        connections,
                        connection,
                        names: Names::plain(side, quoted(&target), names, quote),
                        definitions: None,
                        there,
                        stays,
                    };
                    side.land(Placing {
                        overlap: overlap.as_ref(),
                        ..Placing::of(&mode, SameKeys::Refuse)
                    })?;
                    Ok(rows)
                })
            })
            .await
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(AdbcLoads::new(self)))
    }
}

/// A column of a result, with a type that makes such a column again.
fn column(field: &Field) -> Column {
    Column {
        name: field.name().clone(),
        column_type: ColumnType {
            declared: None,
            sql: sql_name(field),
            arrow: field.data_type().clone(),
            logical: Logical::of(field),
        },
    }
}
