//! Loads by the driver's bulk ingest into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::executor::block_on;

use super::connections::{Connection, Connections, texts};
use super::database::{Adbc, quoted};
use super::ingest::Plan;
use super::loads::{AtOnce, Ingests, Landing, Look};
use super::side::{AdbcSide, ROW, side};
use crate::batch::column::Column;
use crate::batch::plain::conformed_columns;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys};
use crate::sources::loading::over;
use crate::sources::sql::{column_list, definitions, quote};
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Loads under way.
pub struct AdbcLoads {
    db: Adbc,
    ingests: Ingests,
    tables: Vec<Table>,
}

/// How the rows of a table go into its side table.
struct Table {
    target: TableName,
    schema: SchemaRef,
    /// The number of the next row, where the order of rows counts.
    next: Option<i64>,
}

impl AdbcLoads {
    /// Loads without tables.
    pub fn new(db: &Adbc) -> AdbcLoads {
        AdbcLoads {
            db: db.clone(),
            ingests: Ingests::new(db.connections(), AtOnce::Unknown),
            tables: Vec::new(),
        }
    }
}

#[async_trait]
impl LoadTransaction for AdbcLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        let numbered = matches!(mode, WriteMode::Upsert(_));
        let side = side(target);
        let (schema, side_columns) = side_columns(columns, numbered);
        let plan = Plan {
            side: side.table.clone(),
            schema: side.namespace.clone(),
            catalog: side.database.clone(),
            columns: schema.clone(),
            create: format!("CREATE TABLE {} ({side_columns})", quoted(&side)),
        };
        let landing = Landing {
            side: quoted(&side),
            target: quoted(target),
            explain: Box::new(about(target)),
            look: look(&self.db, target, &side, columns, mode),
        };
        self.tables.push(Table {
            target: target.clone(),
            schema,
            next: numbered.then_some(0),
        });
        Ok(self.ingests.add(plan, landing))
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let to = self.tables.get_mut(table).ok_or_else(over)?;
        let batch = to.fitted(&batch).map_err(about(&to.target))?;
        self.ingests.write(table, batch).await
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        self.ingests.commit(finish).await
    }

    async fn abort(self: Box<Self>) {
        self.ingests.abort().await;
    }
}

/// Looks at the target, then puts the rows of the side table into their place.
fn look(db: &Adbc, target: &TableName, side: &TableName, columns: &[Column], mode: WriteMode) -> Look {
    let (db, target, side, columns) = (db.clone(), target.clone(), side.clone(), columns.to_vec());
    Box::new(move |connections, connection| {
        let (there, stays) = block_on(db.state(&target, &mode))?;
        let kept = kept_as_text(connections, connection, &columns)?;
        let selected = columns.iter().map(|c| match as_text(c) {
            true if kept.contains(&c.column_type.sql) => quote(&c.name),
            true => format!("CAST({} AS {})", quote(&c.name), c.column_type.sql),
            false => quote(&c.name),
        });
        let names = Names {
            side: quoted(&side),
            target: quoted(&target),
            columns: columns.iter().map(|c| c.name.clone()).collect(),
            selected: selected.collect(),
            quote,
        };
        let mut made = definitions(&columns, |c| c.column_type.sql.clone());
        if let WriteMode::Upsert(key) = &mode {
            // Another program that adds the same key is refused, at least.
            let key = column_list(key.iter().map(String::as_str));
            made.push_str(&format!(", PRIMARY KEY ({key})"));
        }
        Ok(Box::new(move |connections, connection, overlap| {
            let mut side = AdbcSide {
                connections,
                connection,
                names,
                definitions: Some(made.as_str()),
                there,
                stays,
            };
            side.land(Placing {
                overlap,
                ..Placing::of(&mode, SameKeys::KeepLast)
            })
        }))
    })
}

impl Table {
    /// Rows with the side table's types, and with numbers.
    fn fitted(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows() as i64;
        let mut columns = conformed_columns(batch.columns(), &self.schema)?;
        if let Some(next) = &mut self.next {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(*next..*next + rows));
            *next += rows;
            columns.push(numbers);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// Tells whether a column waits as text. Not every driver takes decimals.
fn as_text(c: &Column) -> bool {
    c.column_type.logical != Logical::Plain || matches!(c.column_type.arrow, DataType::Decimal128(..))
}

/// The columns of a side table, in Arrow and as a CREATE TABLE has them.
fn side_columns(columns: &[Column], numbered: bool) -> (SchemaRef, String) {
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
    (Arc::new(Schema::new(fields)), side_columns)
}

/// Returns the types of columns with JSON that a CAST to them would make something else of: there, text is all there
/// is.
fn kept_as_text(
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
