//! A table of a database, as DataFusion reads it.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};

use super::filters::condition;
use super::names::Capitals;
use crate::batch::bounds::check_digits;
use crate::batch::column::Column;
use crate::batch::plain::conformed;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, TableName};
use crate::sources::naming::Naming;

/// A table that is somewhere else.
pub struct Remote {
    database: Arc<dyn Database>,
    table: TableName,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.table).finish()
    }
}

impl Remote {
    /// Looks a table up: names are folded as its database does.
    pub async fn open(database: Arc<dyn Database>, source: &str, name: TableName) -> Result<Remote> {
        let fold = |part: Option<String>| part.map(|part| database.fold(&part));
        let table = TableName {
            database: fold(name.database),
            namespace: fold(name.namespace),
            table: database.fold(&name.table),
        };
        let columns = database.columns(&table).await?.ok_or_else(|| {
            let message = format!("table `{table}` does not exist in source `{source}`");
            Error::new(ErrorKind::NoTable, message)
        })?;
        let fields: Vec<Field> = columns.iter().map(|c| field(&*database, c)).collect();
        Ok(Remote {
            schema: Arc::new(Schema::new(fields)),
            database,
            table,
            columns,
        })
    }

    /// Tells the names of the columns, as queries see them.
    pub fn name_columns(&self, capitals: &mut Capitals) {
        let any_case = self.database.naming() == Naming::AnyCase;
        for field in self.schema.fields() {
            capitals.add(field.name(), any_case);
        }
    }
}

/// A column as queries see it: names that the database folds are lower case here, and numbers can be calculated with.
fn field(database: &dyn Database, column: &Column) -> Field {
    let lower = column.name.to_lowercase();
    let name = match database.fold(&lower) == column.name {
        true => lower,
        false => column.name.clone(),
    };
    let ColumnTypes { arrow, logical } = types(column);
    logical.mark(Field::new(name, arrow, true))
}

struct ColumnTypes {
    arrow: DataType,
    logical: Logical,
}

fn types(column: &Column) -> ColumnTypes {
    match column.column_type.logical {
        // A decimal of any precision, as staging holds it.
        Logical::Numeric => ColumnTypes {
            arrow: DataType::Decimal128(38, 10),
            logical: Logical::Plain,
        },
        logical => ColumnTypes {
            arrow: column.column_type.arrow.clone(),
            logical,
        },
    }
}

#[async_trait]
impl TableProvider for Remote {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        // What the database leaves out for sure is left out; the filter is applied here again.
        let pushed = filters.iter().map(|filter| match self.condition(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        });
        Ok(pushed.collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let wanted = projection.unwrap_or(&all);
        let schema = Arc::new(self.schema.project(wanted)?);
        // Rows without any column would not be rows.
        let read = if wanted.is_empty() { &all[..1] } else { wanted };
        let names: Vec<String> = read
            .iter()
            .map(|at| self.database.quote(&self.columns[*at].name))
            .collect();
        let mut sql = format!(
            "SELECT {} FROM {}",
            names.join(", "),
            self.database.quoted(&self.table)
        );
        let conditions: Vec<String> = filters.iter().filter_map(|f| self.condition(f)).collect();
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        // A limit counts the rows behind the filters, which are applied here again.
        if let (Some(limit), true) = (limit, filters.is_empty()) {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        tracing::debug!(sql, "reads for a local query");
        let part = Part {
            database: self.database.clone(),
            sql,
            schema: schema.clone(),
        };
        let plan = StreamingTableExec::try_new(schema, vec![Arc::new(part)], None, vec![], false, None)?;
        Ok(Arc::new(plan))
    }
}

impl Remote {
    fn condition(&self, filter: &Expr) -> Option<String> {
        condition(filter, &*self.database, &self.schema, &self.columns)
    }
}

/// The rows of one table, when the query comes to them.
struct Part {
    database: Arc<dyn Database>,
    sql: String,
    schema: SchemaRef,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (database, sql, schema) = (self.database.clone(), self.sql.clone(), self.schema.clone());
        let rows = async move {
            let rows = database.query(&sql).await.map_err(external)?;
            let batches = rows.batches.map(move |batch| {
                let batch = batch.map_err(external)?;
                check_digits(&batch).map_err(external)?;
                Ok(conformed(&batch, &schema)?)
            });
            Ok::<_, DataFusionError>(batches)
        };
        let stream = futures::stream::once(rows).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream.boxed()))
    }
}
