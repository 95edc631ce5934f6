//! Loads by the driver's bulk ingest into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;

use super::connections::{Connection, Connections, texts};
use super::database::quoted;
use super::ingest::{Ingest, Plan};
use super::side::{AdbcSide, ROW, side};
use crate::batch::column::Column;
use crate::batch::plain::conformed_columns;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::Result;
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, SameKeys};
use crate::sources::sql::{column_list, definitions, quote};
use sequor_planner::ops::WriteMode;

/// A load under way: rows get numbers where their order counts.
pub struct AdbcLoad {
    ingest: Box<Ingest>,
    schema: SchemaRef,
    next: Option<i64>,
}

/// Returns the types of columns with JSON that a CAST to them would make something else of: there, text is all there
/// is.
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
            let names = Names {
                side: quoted(&side),
                target: quoted(&target),
                columns: names,
                selected,
                quote,
            };
            let mut side = AdbcSide {
                connections,
                connection,
                names,
                definitions: Some(made.as_str()),
                there,
                stays,
            };
            side.land(&mode, SameKeys::KeepLast)
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
