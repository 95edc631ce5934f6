//! DuckDB as the engine sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use futures::StreamExt;
use sequor_planner::Dialect;

use super::find::{Places, driver};
use super::load::DuckDbLoads;
use super::side::{DuckDbSide, SIDE, side};
use super::types;
use crate::batch::column::Column;
use crate::batch::origin;
use crate::batch::types::{ColumnType, Logical};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc::{self, Connection, Connections, Statements, Ways};
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys};
use crate::sources::location::Location;
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::reading::{self, reads};
use crate::sources::sql::{alterations, literal, of_each, quote};
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// A DuckDB database. Its file is this process's alone while it is open. Cloning shares it.
#[derive(Clone)]
pub struct DuckDb {
    connections: Arc<Connections>,
}

impl DuckDb {
    /// Tells whether others hold it, too.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.connections) > 1
    }

    /// Opens the database.
    pub fn open(location: &Location, places: &Places) -> Result<DuckDb> {
        let path = location.file.as_ref();
        if let Some(parent) = path.and_then(|path| path.parent()) {
            std::fs::create_dir_all(parent)?;
        }
        let shown = path.map_or(":memory:".to_string(), |path| path.to_string_lossy().into_owned());
        let settings = location
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let options: Vec<(&str, &str)> = [("path", shown.as_str())].into_iter().chain(settings).collect();
        let mut driver = driver(places)?;
        let since = Instant::now();
        loop {
            match adbc::opened(&mut driver, &options, explain) {
                Ok(database) => {
                    let connections = Connections::new(database, WAYS);
                    clear(&connections)?;
                    return Ok(DuckDb { connections });
                }
                // Another run has the file: it will be done.
                Err(error) if error.message().contains("Could not set lock on file") => {
                    if since.elapsed() > PATIENCE {
                        return Err(
                            error.help("another process has the database open: run again when it is done")
                        );
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

const WAYS: Ways = Ways {
    explain,
    field: |own, plain| match own.data_type() {
        // `ubigint`, whose higher half is no bigint.
        DataType::UInt64 => plain.with_data_type(DataType::Decimal128(20, 0)),
        _ => plain,
    },
};

/// How long to wait for a file that another process has open.
const PATIENCE: Duration = Duration::from_secs(30);

/// An error of DuckDB: its kind stands before the first colon.
fn explain(message: &str) -> Error {
    // What it finds near to a missing table is mostly one of its own.
    let lines = message.trim().lines();
    let lines: Vec<&str> = lines
        .filter(|line| !line.starts_with("Did you mean \"pg_"))
        .collect();
    let plain = lines.join("\n");
    let plain = plain.as_str();
    if let Some(kind) = too_narrow(plain) {
        let message = format!("a value does not fit `{}`", kind.to_ascii_lowercase());
        return Error::new(ErrorKind::Value, message)
            .help("give the column a wider type, like bigint or hugeint");
    }
    let kind = match plain {
        m if m.contains("Catalog Error: Table with name") && m.contains("does not exist") => {
            ErrorKind::NoTable
        }
        m if m.contains("Conversion Error") => ErrorKind::Value,
        m if m.contains("IO Error") => ErrorKind::Io,
        _ => ErrorKind::Sql,
    };
    let error = Error::new(kind, plain);
    match plain.contains("\"sqlite_scanner\"") {
        true => error.help(
            "a file of SQLite needs DuckDB's extension for it: a source of `type: sqlite` reads it without",
        ),
        false => error,
    }
}

/// The type of a column that has no room for a value, where that is what DuckDB says of a batch.
fn too_narrow(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("type mismatch in AppendDataChunk, expected ")?;
    rest.split_once(',').map(|(kind, _)| kind)
}

/// Returns a message with the name of the target where a side table's stands.
pub fn shown_name(text: &str, target: &TableName) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SIDE) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        shown.push_str(&target.table);
        let name = &from[SIDE.len()..];
        rest = name.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    shown.push_str(rest);
    shown
}

/// Returns a table's full name, quoted.
pub fn quoted(table: &TableName) -> String {
    let parts = [&table.database, &table.namespace].into_iter().flatten();
    let parts: Vec<String> = parts.chain([&table.table]).map(|name| quote(name)).collect();
    parts.join(".")
}

/// Drops the side tables of runs that were killed: nobody else has the file open. One that is read only keeps them.
fn clear(connections: &Connections) -> Result<()> {
    let mut connection = connections.take()?;
    let left = format!(
        "SELECT '\"' || replace(database_name, '\"', '\"\"') || '\".\"' || replace(schema_name, '\"', '\"\"') || '\".\"' \
         || table_name || '\"' FROM duckdb_tables() WHERE starts_with(table_name, '{SIDE}') AND NOT temporary"
    );
    for table in adbc::texts(connections, &mut connection, &left)? {
        let _ = connections.execute(&mut connection, &format!("DROP TABLE {table}"));
    }
    connections.give(connection);
    Ok(())
}

/// A condition on the catalog's tables and columns. Names are compared as DuckDB does, in any case.
fn named(table: &TableName) -> String {
    let text = |name: &str| format!("'{}'", name.to_lowercase().replace('\'', "''"));
    let part = |column: &str, name: &Option<String>, default: &str| match name {
        Some(name) => format!("lower({column}) = {}", text(name)),
        None => format!("{column} = {default}"),
    };
    format!(
        "{} AND {} AND lower(table_name) = {}",
        part("database_name", &table.database, "current_database()"),
        part("schema_name", &table.namespace, "current_schema()"),
        text(&table.table)
    )
}

/// Tells whether the table is there.
pub fn exists(connections: &Connections, connection: &mut Connection, table: &TableName) -> Result<bool> {
    let sql = format!("SELECT 1 FROM duckdb_tables() WHERE {}", named(table));
    connections.any(connection, &sql)
}

/// The positions of a query's columns that are JSON: in Arrow, DuckDB gives them as text.
async fn described(connections: &Arc<Connections>, sql: &str) -> Vec<Described> {
    // What can't be described (a PRAGMA, a mistake) has none, or says so itself.
    let described = connections.rows(&format!("DESCRIBE {sql}")).await;
    let Ok(mut described) = described.map(|rows| rows.batches) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(Ok(batch)) = described.next().await {
        let types = batch
            .column_by_name("column_type")
            .and_then(|c| c.as_string_opt::<i32>());
        for sql_type in types.into_iter().flatten() {
            found.extend(match sql_type {
                Some("JSON") => Some(Described {
                    at,
                    mark: |field| Logical::Json.mark(field),
                }),
                Some("UUID") => Some(Described {
                    at,
                    mark: |field| other(field, "uuid"),
                }),
                Some("INTERVAL") => Some(Described {
                    at,
                    mark: |field| other(field, "interval"),
                }),
                _ => None,
            });
            at += 1;
        }
    }
    found
}

/// A column that means more than its type in Arrow says.
struct Described {
    at: usize,
    mark: fn(Field) -> Field,
}

fn other(field: Field, sql: &str) -> Field {
    origin::typed(Logical::Other.mark(field), sql)
}

/// Rows with these columns known for what they are.
fn marked(rows: Rows, found: &[Described]) -> Rows {
    if found.is_empty() {
        return rows;
    }
    let fields = rows.schema.fields().iter().enumerate();
    let fields = fields.map(|(at, field)| match found.iter().find(|known| known.at == at) {
        Some(known) => (known.mark)(field.as_ref().clone()),
        None => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let marked = schema.clone();
    Rows {
        schema,
        batches: rows
            .batches
            .map(move |batch| Ok(RecordBatch::try_new(marked.clone(), batch?.columns().to_vec())?))
            .boxed(),
    }
}

#[async_trait]
impl Database for DuckDb {
    fn dialect(&self) -> Dialect {
        Dialect::DuckDb
    }

    fn naming(&self) -> Naming {
        Naming::AnyCase
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        types::of(sql)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        reads(sql, Dialect::DuckDb)?;
        let found = described(&self.connections, sql).await;
        Ok(marked(self.connections.rows(sql).await?, &found))
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        self.query(&format!("SELECT * FROM {}", quoted(table))).await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        let sql = format!(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE {} ORDER BY column_index",
            named(table)
        );
        let mut batches = self.connections.rows(&sql).await?.batches;
        let mut columns = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let (names, types) = (
                batch.column(0).as_string::<i32>(),
                batch.column(1).as_string::<i32>(),
            );
            for (name, sql) in names
                .iter()
                .zip(types)
                .filter_map(|(name, sql)| Some((name?, sql?)))
            {
                // A type of the user's own: DuckDB reads its text.
                let column_type = types::of(sql).unwrap_or(ColumnType {
                    declared: None,
                    sql: sql.to_string(),
                    arrow: DataType::Utf8,
                    logical: Logical::Other,
                });
                columns.push(Column {
                    name: name.to_string(),
                    column_type,
                });
            }
        }
        Ok((!columns.is_empty()).then_some(columns))
    }

    fn quoted(&self, table: &TableName) -> String {
        quoted(table)
    }

    /// DuckDB changes one column with each statement: all of them in one transaction.
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

    fn reads_texts(&self) -> bool {
        true
    }

    async fn read_texts(&self, column: &Column, texts: &[String]) -> Result<Vec<Option<String>>> {
        let kind = &column.column_type;
        let cast = format!("CAST(x AS {})", kind.sql);
        let expression = match (&kind.arrow, kind.logical) {
            (_, Logical::Array) => format!("CAST(to_json({cast}) AS VARCHAR)"),
            (DataType::Binary, _) => format!("lower(hex({cast}))"),
            (DataType::Timestamp(_, Some(_)), _) => {
                format!("CAST({cast} AT TIME ZONE 'UTC' AS VARCHAR) || '+00:00'")
            }
            // DuckDB rounds what it casts.
            (DataType::Int16 | DataType::Int32 | DataType::Int64, _) => format!(
                "CASE WHEN TRY_CAST(x AS DOUBLE) % 1 <> 0 THEN error('it is no whole number') ELSE CAST({cast} AS VARCHAR) END"
            ),
            _ => format!("CAST({cast} AS VARCHAR)"),
        };
        let rows = self
            .connections
            .rows(&of_each(&expression, texts, literal))
            .await?;
        reading::texts(rows).await
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
                connections
                    .in_turn(connection, &quoted(&target), |connection| {
                        let side = side(&target);
                        let side_sql = quoted(&side);
                        connections.execute(connection, &format!("CREATE TABLE {side_sql} AS {query}"))?;
                        let columns = adbc::columns(
                            connections,
                            connection,
                            &format!("SELECT * FROM {side_sql} LIMIT 0"),
                        )?;
                        upsert_key(&mut mode, columns.iter().map(String::as_str))?;
                        let rows = adbc::count(connections, connection, &side_sql)?;
                        let mut side = DuckDbSide {
                            connections,
                            connection,
                            target: &target,
                            names: Names::plain(side_sql, quoted(&target), columns, quote),
                            declared: None,
                        };
                        side.land(Placing {
                            overlap: overlap.as_ref(),
                            ..Placing::of(&mode, SameKeys::Refuse)
                        })?;
                        Ok(rows)
                    })
                    // The table beside it is nobody's business.
                    .map_err(|e| e.map_text(|text| shown_name(text, &target)))
            })
            .await
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(DuckDbLoads::new(&self.connections)))
    }
}
