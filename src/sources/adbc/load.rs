//! Loads by the driver's bulk ingest into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;

use super::connections::{Connection, Connections, texts};
use super::database::quoted;
use super::ingest::{Ingest, Plan};
use crate::batch::column::Column;
use crate::batch::plain::conformed_columns;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::Result;
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::sql::{Keyed, UpsertSql, column_list, definitions, null_error, quote};
use sequor_planner::ops::WriteMode;

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

/// The types of columns with JSON that a CAST to them would make something else of: there, text is all there is.
pub fn kept_as_text(
    connections: &Connections,
    connection: &mut Connection,
    columns: &[Column],
) -> Result<Vec<String>> {
    let mut kept = Vec::new();
    for column in columns {
        if !matches!(column.column_type.logical, Logical::Json | Logical::Array) {
            continue;
        }
        let sql = &column.column_type.sql;
        // One that is refused is told when it is used.
        let cast = texts(connections, connection, &format!("SELECT CAST('[1]' AS {sql})"));
        if cast.is_ok_and(|text| !text.iter().any(|t| t.contains('[') || t.contains('{'))) {
            kept.push(sql.clone());
        }
    }
    Ok(kept)
}

/// Begins a load. `kept_as_text`: types that text is not cast to.
pub fn begin(
    connections: &Arc<Connections>,
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
    (there, stays): (bool, bool),
    kept_as_text: &[String],
) -> Result<AdbcLoad> {
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    let numbered = matches!(mode, WriteMode::Upsert(_));
    let side = side(target);
    // Not every driver takes decimals.
    let as_text = |c: &Column| {
        c.column_type.logical != Logical::Plain || matches!(c.column_type.arrow, DataType::Decimal128(..))
    };
    let mut side_columns = definitions(columns, |c| match as_text(c) {
        true => "text".to_string(),
        false => c.column_type.sql.clone(),
    });
    let mut fields: Vec<Arc<Field>> = Vec::with_capacity(columns.len() + 1);
    for (column, field) in columns.iter().zip(arrow_schema(columns).fields()) {
        fields.push(match as_text(column) {
            true => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
            false => field.clone(),
        });
    }
    if numbered {
        side_columns.push_str(&format!(", {} bigint", quote(ROW)));
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, true)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let create = format!("CREATE TABLE {} ({side_columns})", quoted(&side));
    let plan = Plan {
        side_sql: quoted(&side),
        target: quoted(target),
        side: side.table.clone(),
        schema: side.namespace.clone(),
        catalog: side.database.clone(),
        columns: schema.clone(),
    };
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    let selected: Vec<String> = columns
        .iter()
        .map(|c| match as_text(c) {
            true if kept_as_text.contains(&c.column_type.sql) => quote(&c.name),
            true => format!("CAST({} AS {})", quote(&c.name), c.column_type.sql),
            false => quote(&c.name),
        })
        .collect();
    let mut made = definitions(columns, |c| c.column_type.sql.clone());
    if let WriteMode::Upsert(key) = &mode {
        // Another program that adds the same key is refused, at least.
        let key = column_list(key.iter().map(String::as_str));
        made.push_str(&format!(", PRIMARY KEY ({key})"));
    }
    let target = target.clone();
    let ingest = Ingest::begin(
        connections,
        plan,
        Box::new(move |connections, connection| connections.execute(connection, &create).map(|_| ())),
        Box::new(move |connections, connection| {
            let side = quoted(&side);
            if let WriteMode::Upsert(key) = &mode {
                let keyed = Keyed { side: &side, key };
                connections.execute(connection, &keyed.keep_last_of_groups(&quote(ROW)))?;
            }
            let given = Given {
                columns: &names,
                selected: &selected,
                definitions: Some(made.as_str()),
                there,
                stays,
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
        let rows = batch.num_rows() as i64;
        let mut columns = conformed_columns(batch.columns(), &self.schema)?;
        if let Some(next) = &mut self.next {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(*next..*next + rows));
            *next += rows;
            columns.push(numbers);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
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
    /// Whether it can't be dropped.
    pub stays: bool,
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
    let run = |connection: &mut Connection, sql: String| connections.execute(connection, &sql).map(|_| ());
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
            match given.there {
                // Views or foreign keys hang on it: it stays, and gets the rows.
                true if given.stays => run(connection, format!("DELETE FROM {target_sql}"))?,
                there => {
                    if there {
                        run(connection, format!("DROP TABLE {target_sql}"))?;
                    }
                    run(connection, create)?;
                }
            }
            run(connection, insert)?;
        }
        WriteMode::Append => {
            if !given.there {
                run(connection, create)?;
            }
            run(connection, insert)?;
        }
        WriteMode::Upsert(key) => {
            let rows = Keyed { side, key };
            let upsert = UpsertSql {
                rows,
                target: &target_sql,
                columns: given.columns,
            };
            for name in key {
                if connections.any(connection, &rows.nulls(name))? {
                    return Err(null_error(name));
                }
            }
            if !given.there {
                run(connection, create)?;
            }
            // Without it, some databases look for each row in all of the side table.
            let index = format!(
                "CREATE INDEX {} ON {side} ({})",
                quote(&index_name()),
                rows.key_list()
            );
            run(connection, index)?;
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
                let update = format!(
                    "UPDATE {target_sql} SET {} WHERE EXISTS (SELECT 1 FROM {side} s WHERE {})",
                    changed.join(", "),
                    same("s")
                );
                run(connection, update)?;
            }
            run(connection, upsert.drop_known())?;
            run(connection, insert)?;
        }
    }
    connections
        .execute(connection, &format!("DROP TABLE {side}"))
        .map(|_| ())
}

/// A name that nothing has.
fn index_name() -> String {
    format!("sequor_key_{}", uuid::Uuid::new_v4().simple())
}

/// Whether a table can't be dropped, since others depend on it. Tried, and taken back, where that is possible.
pub fn stays(connections: &Connections, connection: &mut Connection, table: &str) -> Result<bool> {
    let tried = format!("sequor_side_{}", uuid::Uuid::new_v4().simple());
    let tried = quote(&tried);
    connections.begin(connection)?;
    let made = connections.execute(connection, &format!("CREATE TABLE {tried} (a integer)"));
    connections.rollback(connection);
    made?;
    // A database whose transactions do not hold CREATE and DROP has it now.
    if connections
        .execute(connection, &format!("DROP TABLE {tried}"))
        .is_ok()
    {
        return Ok(false);
    }
    connections.begin(connection)?;
    let dropped = connections.execute(connection, &format!("DROP TABLE {table}"));
    connections.rollback(connection);
    Ok(dropped.is_err())
}
