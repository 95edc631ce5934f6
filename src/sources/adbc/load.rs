//! Loads by the driver's bulk ingest into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;

use super::connections::{Connection, Connections};
use super::database::quoted;
use super::ingest::{Ingest, Plan};
use crate::batch::types::{Logical, arrow_schema};
use crate::error::Result;
use crate::sources::database::{Column, Load, TableName, WriteMode};
use crate::sources::sql::{UpsertSql, column_list, definitions, null_error, quote};

/// The column that tells the order of rows with the same key.
const ROW: &str = "sequor_row";

/// A table beside the target, of a name that nobody has.
pub fn side(target: &TableName) -> TableName {
    TableName {
        table: format!("sequor_side_{}", uuid::Uuid::new_v4().simple()),
        ..target.clone()
    }
}

/// A load under way: rows get numbers where their order counts.
pub struct AdbcLoad {
    ingest: Box<Ingest>,
    schema: SchemaRef,
    next: Option<i64>,
}

/// Begins a load.
pub fn begin(
    connections: &Arc<Connections>,
    target: &TableName,
    columns: &[Column],
    mode: WriteMode,
    there: bool,
) -> Result<AdbcLoad> {
    mode.key(columns.iter().map(|c| c.name.as_str()))?;
    let numbered = matches!(mode, WriteMode::Upsert(_));
    let side = side(target);
    let as_text = |c: &Column| c.column_type.logical != Logical::Plain;
    let mut side_columns = definitions(columns, |c| match as_text(c) {
        true => "text".to_string(),
        false => c.column_type.sql.clone(),
    });
    let mut fields: Vec<Arc<Field>> = arrow_schema(columns).fields().iter().cloned().collect();
    if numbered {
        side_columns.push_str(&format!(", {} bigint", quote(ROW)));
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, true)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let create = format!("CREATE TABLE {} ({side_columns})", quoted(&side));
    let plan = Plan {
        side: side.table.clone(),
        schema: side.namespace.clone(),
        catalog: side.database.clone(),
        columns: schema.clone(),
    };
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    let selected: Vec<String> = columns
        .iter()
        .map(|c| match as_text(c) {
            true => format!("CAST({} AS {})", quote(&c.name), c.column_type.sql),
            false => quote(&c.name),
        })
        .collect();
    // A side table that has the very columns can become the target.
    let other = columns.iter().any(as_text);
    let made = definitions(columns, |c| c.column_type.sql.clone());
    let target = target.clone();
    let ingest = Ingest::begin(
        connections,
        plan,
        Box::new(move |connections, connection| connections.execute(connection, &create).map(|_| ())),
        Box::new(move |connections, connection| {
            let side = quoted(&side);
            if let WriteMode::Upsert(key) = &mode {
                let upsert = UpsertSql {
                    side: &side,
                    target: "",
                    columns: &[],
                    key,
                };
                connections.execute(connection, &upsert.keep_last_of_groups(&quote(ROW)))?;
            }
            let given = Given {
                columns: &names,
                selected: &selected,
                definitions: (other || !mode.replaces()).then_some(made.as_str()),
                there,
            };
            settle(connections, connection, &side, &target, &given, &mode)
        }),
        Box::new(|error| error),
    );
    Ok(AdbcLoad {
        ingest: Box::new(ingest),
        schema,
        next: numbered.then_some(0),
    })
}

#[async_trait]
impl Load for AdbcLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let batch = match &mut self.next {
            None => batch,
            Some(next) => {
                let end = *next + batch.num_rows() as i64;
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(*next..end));
                *next = end;
                let columns = batch.columns().iter().cloned().chain([numbers]).collect();
                RecordBatch::try_new(self.schema.clone(), columns)?
            }
        };
        self.ingest.write(batch).await
    }

    async fn commit(self: Box<Self>) -> Result<u64> {
        self.ingest.commit().await
    }

    async fn abort(self: Box<Self>) {
        self.ingest.abort().await;
    }
}

/// What the side table gives the target.
pub struct Given<'a> {
    /// Names of the target's columns.
    pub columns: &'a [String],
    /// What is selected from the side table for each.
    pub selected: &'a [String],
    /// What makes the target; none: the side table has its very columns.
    pub definitions: Option<&'a str>,
    /// Whether the target is there.
    pub there: bool,
}

/// Puts the rows of the side table into their place, inside a transaction. SQL that is everyone's: an UPDATE with the
/// tables it reads is not.
pub fn settle(
    connections: &Connections,
    connection: &mut Connection,
    side: &str,
    target: &TableName,
    given: &Given<'_>,
    mode: &WriteMode,
) -> Result<()> {
    let mut run = |sql: String| connections.execute(connection, &sql).map(|_| ());
    let target_sql = quoted(target);
    let names = column_list(given.columns.iter().map(String::as_str));
    let insert = format!(
        "INSERT INTO {target_sql} ({names}) SELECT {} FROM {side}",
        given.selected.join(", ")
    );
    let create = match given.definitions {
        Some(definitions) => format!("CREATE TABLE {target_sql} ({definitions})"),
        None => format!("CREATE TABLE {target_sql} AS SELECT * FROM {side} WHERE 1 = 0"),
    };
    match mode {
        WriteMode::Replace => {
            if given.there {
                run(format!("DROP TABLE {target_sql}"))?;
            }
            if given.definitions.is_none() {
                return run(format!("ALTER TABLE {side} RENAME TO {}", quote(&target.table)));
            }
            run(create)?;
            run(insert)?;
        }
        WriteMode::Append => {
            if !given.there {
                run(create)?;
            }
            run(insert)?;
        }
        WriteMode::Upsert(key) => {
            let upsert = UpsertSql {
                side,
                target: &target_sql,
                columns: given.columns,
                key,
            };
            for name in key {
                if connections.any(connection, &upsert.nulls(name))? {
                    return Err(null_error(name));
                }
            }
            let mut run = |sql: String| connections.execute(connection, &sql).map(|_| ());
            if !given.there {
                run(create)?;
            }
            let same = |with: &str| {
                let same = key.iter().map(|name| {
                    let name = quote(name);
                    format!("{with}.{name} = {target_sql}.{name}")
                });
                same.collect::<Vec<_>>().join(" AND ")
            };
            let changed: Vec<String> = given
                .columns
                .iter()
                .zip(given.selected)
                .filter(|(name, _)| !key.contains(name))
                .map(|(name, selected)| {
                    format!(
                        "{} = (SELECT {selected} FROM {side} s WHERE {})",
                        quote(name),
                        same("s")
                    )
                })
                .collect();
            if !changed.is_empty() {
                run(format!(
                    "UPDATE {target_sql} SET {} WHERE EXISTS (SELECT 1 FROM {side} s WHERE {})",
                    changed.join(", "),
                    same("s")
                ))?;
            }
            run(format!(
                "{insert} WHERE NOT EXISTS (SELECT 1 FROM {target_sql} t WHERE {})",
                key.iter()
                    .map(|name| format!("t.{0} = {side}.{0}", quote(name)))
                    .collect::<Vec<_>>()
                    .join(" AND ")
            ))?;
        }
    }
    connections
        .execute(connection, &format!("DROP TABLE {side}"))
        .map(|_| ())
}
