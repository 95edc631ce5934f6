//! The staging database as the engine sees it.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::ScalarUDF;
use futures::StreamExt;
use sequor_planner::Dialect;
use sqlparser::ast::Statement;
use url::Url;

use super::commit::{Change, commit, current_schema};
use super::convert::Mapping;
use super::in_order::KeepsOrder;
use super::load::StagingLoads;
use super::memory::Memory;
use super::names::{TableId, quote};
use super::query::{self, Query};
use super::session::session;
use super::statement::{self, parse, parse_query};
use super::tables::Tables;
use super::types::stored_schema;
use super::writer::Written;
use super::writing::Target;
use super::{scan, upsert, writing};
use crate::batch::column::Column;
use crate::batch::plain::plain;
use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type, sql_name};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::landing::unknown_range;
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// The embedded database: tables below one location. Cloning shares it.
#[derive(Clone)]
pub struct Staging {
    pub(super) tables: Arc<Tables>,
    session: Arc<SessionState>,
    naming: Naming,
}

impl Staging {
    /// Opens the database at an object-store URL. A local folder is created when missing; no table is looked at.
    pub fn open(location: &Url, memory: &Memory) -> Result<Self> {
        let mut root = location.clone();
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", location.path()));
        }
        if root.scheme() == "file" {
            let folder = root.to_file_path().map_err(|()| not_a_location(&root))?;
            std::fs::create_dir_all(&folder)
                .map_err(|e| Error::from(e).context(format!("staging folder {}", folder.display())))?;
        }
        Ok(Staging {
            tables: Arc::new(Tables::new(root)),
            session: Arc::new(session(memory)?),
            naming: Naming::Lower,
        })
    }

    /// Opens the database in a local folder, with memory of its own.
    pub fn open_folder(folder: &Path) -> Result<Self> {
        Staging::open_folder_with(folder, &Memory::new(None, None))
    }

    /// Opens the database in a local folder. Its queries share `memory` with others.
    pub fn open_folder_with(folder: &Path, memory: &Memory) -> Result<Self> {
        let absolute = std::path::absolute(folder)?;
        let url = Url::from_directory_path(&absolute);
        let url = url.map_err(|()| not_a_location(&absolute.display()))?;
        Staging::open(&url, memory)
    }

    /// Returns the database with names kept as they are written, where its source says `identifiers: quoted`.
    pub fn quoted_names(mut self, quoted: bool) -> Self {
        self.naming = self.naming.of_source(quoted);
        self
    }

    /// Returns the database with more functions.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn with_functions(mut self, functions: Vec<ScalarUDF>) -> Result<Self> {
        let mut session = self.session.as_ref().clone();
        for function in functions {
            session
                .register_udf(Arc::new(function))
                .map_err(super::error::sql)?;
        }
        self.session = Arc::new(session);
        Ok(self)
    }

    /// Returns the database with rows in the order of its queries' parts. It computes one part after the other.
    pub fn in_order(mut self) -> Self {
        let mut session = self.session.as_ref().clone();
        let config = session.config_mut();
        config.options_mut().execution.target_partitions = 1;
        config.set_extension(Arc::new(KeepsOrder));
        self.session = Arc::new(session);
        self
    }

    /// Returns the names of the tables there are, those outside the default namespace with it.
    pub async fn table_names(&self) -> Result<Vec<String>> {
        self.tables.names().await
    }

    /// Plans a query.
    pub(super) async fn plan(&self, statement: Statement) -> Result<Query> {
        query::plan(&self.session, &self.tables, statement).await
    }

    /// Runs a query for its number of rows.
    pub(super) async fn count_rows(&self, statement: Statement) -> Result<u64> {
        let mut batches = self.plan(statement).await?.run()?;
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    }

    /// Writes the rows of a query to files that the table does not have yet.
    pub(super) async fn write_files(
        &self,
        query: Query,
        id: &TableId,
        schema: SchemaRef,
        mapping: Mapping,
    ) -> Result<Written> {
        let target = Target {
            store: self.tables.store(id)?,
            schema,
            mapping,
        };
        writing::write(query.parts()?, &target).await
    }

    /// Makes the rows of a query those of a table, or adds them to it.
    pub(super) async fn write_query(
        &self,
        statement: Statement,
        id: &TableId,
        change: Change,
    ) -> Result<u64> {
        let query = self.plan(statement).await?;
        let existing = match change {
            Change::Append => self.tables.open(id).await?,
            _ => None,
        };
        let (schema, mapping) = match &existing {
            Some(table) => {
                let schema = current_schema(table)?;
                let mapping = Mapping::by_name(&query.schema(), schema.clone())?;
                (schema, mapping)
            }
            None => {
                let schema = stored_schema(&query.schema())?;
                (schema.clone(), Mapping::by_position(schema))
            }
        };
        let written = self.write_files(query, id, schema.clone(), mapping).await?;
        let rows = written.rows;
        let lock = self.tables.lock(id).await;
        commit(&self.tables, id, &lock, change, &schema, Some(written)).await?;
        Ok(rows)
    }
}

fn not_a_location(what: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Project,
        format!("{what} is not a location for the staging database"),
    )
}

/// Statements one after the other: there is nothing that one could leave to the next.
struct Statements<'a>(&'a Staging);

#[async_trait]
impl Session for Statements<'_> {
    async fn execute(&mut self, sql: &str) -> Result<Option<u64>> {
        statement::execute(self.0, parse(sql)?).await
    }
}

#[async_trait]
impl Database for Staging {
    fn dialect(&self) -> Dialect {
        Dialect::Staging
    }

    fn naming(&self) -> Naming {
        self.naming
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        let found = column_type(sql, BareDecimal::Fixed)?;
        // A name that stands for nothing here is a slip, or a type of another database.
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let unknown = found.logical == Logical::Other
            && found.sql.chars().all(word)
            && !found.sql.eq_ignore_ascii_case("uuid");
        if unknown && !found.sql.eq_ignore_ascii_case("interval") {
            return Err(Error::new(ErrorKind::Project, format!("the staging database has no type `{sql}`"))
                .help("use text, integer, bigint, numeric(10,2), double precision, boolean, date, timestamp, jsonb, ..."));
        }
        Ok(found)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        self.plan(parse_query(sql)?).await?.rows()
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        let id = TableId::of(table)?;
        scan::table(&self.session, &self.tables, &id).await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        let Some(table) = self.tables.open(&TableId::of(table)?).await? else {
            return Ok(None);
        };
        let schema = current_schema(&table)?;
        let columns = schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            column_type: ColumnType {
                declared: None,
                sql: sql_name(field),
                arrow: plain(field.data_type()),
                logical: Logical::of(field),
            },
        });
        Ok(Some(columns.collect()))
    }

    fn quoted(&self, table: &TableName) -> String {
        let parts = [&table.database, &table.namespace].into_iter().flatten();
        let parts: Vec<String> = parts.chain([&table.table]).map(|name| quote(name)).collect();
        parts.join(".")
    }

    async fn bound(&self, table: &TableName, scope: &str) -> Result<Option<Option<i64>>> {
        match self.tables.open(&TableId::of(table)?).await? {
            None => Ok(Some(None)),
            Some(table) => super::commit::bound(&table, scope).await.map(Some),
        }
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
        let id = TableId::of(target)?;
        if overlap.is_some() {
            return upsert::query(self, query, id, mode, overlap).await;
        }
        let change = match mode {
            WriteMode::Replace => Change::Replace,
            WriteMode::Append => Change::Append,
            WriteMode::ReplaceRange => return Err(unknown_range()),
            WriteMode::Upsert(_) => return upsert::query(self, query, id, mode, None).await,
        };
        self.write_query(parse_query(query)?, &id, change).await
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(StagingLoads::new(self)))
    }
}
