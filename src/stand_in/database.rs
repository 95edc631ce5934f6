//! A database that stands in for a real one.

use std::sync::Arc;

use arrow::datatypes::Schema;
use async_trait::async_trait;
use futures::StreamExt;
use sequor_planner::Dialect;
use sequor_planner::ops::WriteMode;

use super::catalog::{Change, Tables};
use super::loads::{self, StandInLoads, stored_mode};
use super::names::{folded, shown};
use super::sql::{Translated, What, translate};
use super::upserts;
use crate::batch::column::Column;
use crate::batch::plain::conformed;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Written;
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::transaction::LoadTransaction;

/// A database that stands in for a real one.
pub struct StandIn {
    pub tables: Arc<Tables>,
    naming: Naming,
    /// How the real database reads the name of a type.
    types: fn(&str) -> Result<ColumnType>,
}

impl StandIn {
    /// Creates the database over its tables.
    pub fn new(tables: Tables, naming: Naming, types: fn(&str) -> Result<ColumnType>) -> StandIn {
        StandIn {
            tables: Arc::new(tables),
            naming,
            types,
        }
    }

    /// Translates a statement, and copies the tables that it names.
    async fn ready(&self, sql: &str) -> Result<Translated> {
        let translated = translate(sql, &self.tables.names)?;
        for table in &translated.tables {
            self.tables.find(table).await?;
        }
        Ok(translated)
    }

    /// Rows with columns called as the real database calls them.
    fn named(&self, rows: Rows) -> Rows {
        let dialect = self.tables.names.dialect;
        let fields = rows.schema.fields().iter().map(|field| {
            let name = shown(dialect, field.name());
            field.as_ref().clone().with_name(name)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let to = schema.clone();
        let batches = rows.batches.map(move |batch| Ok(conformed(&batch?, &to)?));
        Rows {
            schema,
            batches: batches.boxed(),
        }
    }
}

/// Statements one after the other.
struct Statements<'a>(&'a StandIn);

#[async_trait]
impl Session for Statements<'_> {
    async fn execute(&mut self, statement: &str) -> Result<Option<u64>> {
        let tables = &self.0.tables;
        let translated = self.0.ready(statement).await?;
        if let What::Drops(dropped) = &translated.what {
            for table in dropped {
                tables.find(table).await?;
            }
        }
        let target = match &translated.what {
            What::Nothing => return Ok(None),
            What::Reads => None,
            What::Makes(table) | What::MakesMissing(table) | What::Changes(table) => Some(table),
            What::Drops(_) => None,
        };
        let before = match target {
            Some(target) => tables.rows(target).await?,
            None => None,
        };
        let mut upserted = None;
        let done = match (upserts::of(&translated.sql), target) {
            (Some(upsert), Some(target)) => {
                let done = upsert
                    .execute(&tables.staging, &tables.names.stored(target))
                    .await;
                done.map(|done| {
                    let rows = done.new + done.changed;
                    upserted = Some(done);
                    Some(rows)
                })
            }
            _ => tables.staging.execute(&translated.sql).await,
        };
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                let named = match &translated.what {
                    What::Drops(dropped) => dropped,
                    _ => &translated.tables,
                };
                return Err(tables.explain(error, named).await);
            }
        };
        if let What::Drops(dropped) = &translated.what {
            for table in dropped {
                let how = Written::Dropped;
                tables
                    .note(
                        table,
                        Change {
                            how,
                            new: 0,
                            changed: 0,
                        },
                    )
                    .await;
            }
        }
        let is_there = before.is_some() && matches!(translated.what, What::MakesMissing(_));
        if let Some(target) = target.filter(|_| !is_there) {
            let after = tables.rows(target).await?.unwrap_or_default();
            let how = match (before, &translated.what) {
                (None, _) => Written::Created,
                (Some(_), What::Makes(_)) => Written::Replaced,
                (Some(_), _) if upserted.is_some() => Written::Upserted,
                (Some(_), _) => Written::Changed,
            };
            let new = after.saturating_sub(before.unwrap_or_default());
            let (new, changed) = upserted
                .as_ref()
                .map_or((new, 0), |done| (done.new, done.changed));
            if let Some(done) = upserted.filter(|done| !done.key.is_empty()) {
                tables.note_key(target, &WriteMode::Upsert(done.key)).await;
            }
            tables.note(target, Change { how, new, changed }).await;
        }
        Ok(done)
    }
}

#[async_trait]
impl Database for StandIn {
    fn dialect(&self) -> Dialect {
        self.tables.names.dialect
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        let real = (self.types)(sql)?;
        let field = arrow::datatypes::Field::new("", real.arrow.clone(), true);
        let name = crate::batch::types::sql_name(&real.logical.mark(field));
        // An array is no type of the staging database's: it is JSON there.
        let name = if name == "text[]" { "jsonb" } else { &name };
        self.tables.staging.column_type(name)
    }

    fn naming(&self) -> Naming {
        self.naming
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        let translated = self.ready(sql).await?;
        if translated.what != What::Reads {
            let message = "this is not a query";
            return Err(Error::new(ErrorKind::Sql, message).help("use an `execute` step for it"));
        }
        match self.tables.staging.query(&translated.sql).await {
            Ok(rows) => Ok(self.named(rows)),
            Err(error) => Err(self.tables.explain(error, &translated.tables).await),
        }
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        self.tables.find(table).await?;
        match self.tables.staging.scan(&self.tables.names.stored(table)).await {
            Ok(rows) => Ok(self.named(rows)),
            Err(error) => Err(self.tables.explain(error, std::slice::from_ref(table)).await),
        }
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        self.tables.find(table).await?;
        let columns = self
            .tables
            .staging
            .columns(&self.tables.names.stored(table))
            .await?;
        Ok(columns.map(|columns| {
            let named = columns.into_iter().map(|column| Column {
                name: shown(self.tables.names.dialect, &column.name),
                ..column
            });
            named.collect()
        }))
    }

    fn quote(&self, name: &str) -> String {
        match self.tables.names.dialect {
            Dialect::MySql => format!("`{}`", name.replace('`', "``")),
            _ => crate::sources::sql::quote(name),
        }
    }

    fn quoted(&self, table: &TableName) -> String {
        let parts = [&table.database, &table.namespace].into_iter().flatten();
        let parts: Vec<String> = parts.chain([&table.table]).map(|name| self.quote(name)).collect();
        parts.join(".")
    }

    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let dialect = self.tables.names.dialect;
        self.tables.find(table).await?;
        let add = folded_columns(dialect, add);
        let drop: Vec<String> = drop.iter().map(|name| folded(dialect, name)).collect();
        self.tables
            .staging
            .alter(&self.tables.names.stored(table), &add, &drop)
            .await?;
        let how = Written::Changed;
        self.tables
            .note(
                table,
                Change {
                    how,
                    new: 0,
                    changed: 0,
                },
            )
            .await;
        Ok(())
    }

    async fn retype(&self, table: &TableName, columns: &[Column]) -> Result<()> {
        self.tables.find(table).await?;
        let columns = folded_columns(self.tables.names.dialect, columns);
        let stored = self.tables.names.stored(table);
        self.tables.staging.retype(&stored, &columns).await
    }

    async fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Statements(self)))
    }

    async fn transform_over(
        &self,
        query: &str,
        target: &TableName,
        mode: WriteMode,
        overlap: Option<&Overlap>,
    ) -> Result<u64> {
        let tables = &self.tables;
        let translated = self.ready(query).await?;
        tables.find(target).await?;
        let before = tables.rows(target).await?;
        let to = tables.names.stored(target);
        let stored = stored_mode(tables, mode.clone());
        let overlap = overlap.map(|overlap| loads::stored_overlap(tables, overlap));
        let written = tables
            .staging
            .transform_over(&translated.sql, &to, stored, overlap.as_ref());
        match written.await {
            Ok(rows) => {
                loads::note(tables, target, &mode, (before, rows)).await?;
                Ok(rows)
            }
            Err(error) => Err(tables.explain(error, &translated.tables).await),
        }
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(StandInLoads::begin(&self.tables).await?))
    }
}

/// Returns columns by the names that the tables behind have for them.
fn folded_columns(dialect: Dialect, columns: &[Column]) -> Vec<Column> {
    let folded = columns.iter().map(|column| Column {
        name: folded(dialect, &column.name),
        ..column.clone()
    });
    folded.collect()
}
