//! Conditions of a query that the database of a table can apply itself. Only those that mean the same everywhere: what a
//! database leaves out is never seen here. (Text compares by collation, so only its equality is passed on, which finds too
//! much at worst; its inequality could find too little.)

use arrow::datatypes::{DataType, SchemaRef};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use sequor_planner::Dialect;

use crate::batch::column::Column;
use crate::sources::database::Database;

/// Values of an IN at most.
const MAX_VALUES: usize = 200;

/// Returns the condition as the database's SQL; none when it can't be passed on.
pub fn condition(
    filter: &Expr,
    database: &dyn Database,
    schema: &SchemaRef,
    columns: &[Column],
) -> Option<String> {
    Writer {
        database,
        schema,
        columns,
    }
    .write(filter)
}

struct Writer<'a> {
    database: &'a dyn Database,
    schema: &'a SchemaRef,
    columns: &'a [Column],
}

impl Writer<'_> {
    fn write(&self, filter: &Expr) -> Option<String> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And | Operator::Or => {
                    let (left, right) = (self.write(left)?, self.write(right)?);
                    Some(format!("({left} {op} {right})"))
                }
                _ => match (&**left, &**right) {
                    (Expr::Column(_), Expr::Literal(value, _)) => self.compare(left, *op, value),
                    (Expr::Literal(value, _), Expr::Column(_)) => self.compare(right, op.swap()?, value),
                    _ => None,
                },
            },
            Expr::IsNull(column) => Some(format!("{} IS NULL", self.column(column)?.0)),
            Expr::IsNotNull(column) => Some(format!("{} IS NOT NULL", self.column(column)?.0)),
            Expr::InList(list) if !list.negated && list.list.len() <= MAX_VALUES => {
                let (name, data_type) = self.column(&list.expr)?;
                let values: Option<Vec<String>> = list
                    .list
                    .iter()
                    .map(|value| match value {
                        Expr::Literal(value, _) => self.literal(value, data_type),
                        _ => None,
                    })
                    .collect();
                Some(format!("{name} IN ({})", values?.join(", ")))
            }
            _ => None,
        }
    }

    fn compare(&self, column: &Expr, op: Operator, value: &ScalarValue) -> Option<String> {
        let (name, data_type) = self.column(column)?;
        let sign = match op {
            Operator::Eq => "=",
            _ if data_type == &DataType::Utf8 => return None,
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            _ => return None,
        };
        Some(format!("{name} {sign} {}", self.literal(value, data_type)?))
    }

    /// A column's quoted name, and the type that its values have in the database.
    fn column(&self, column: &Expr) -> Option<(String, &DataType)> {
        let Expr::Column(column) = column else { return None };
        let at = self.schema.index_of(column.name()).ok()?;
        let known = &self.columns[at];
        // What stands for something else (JSON, a decimal as text) compares in its own way.
        let plain = known.column_type.logical == crate::batch::types::Logical::Plain;
        plain.then(|| (self.database.quote(&known.name), &known.column_type.arrow))
    }

    /// A value as SQL that every database reads.
    fn literal(&self, value: &ScalarValue, column: &DataType) -> Option<String> {
        let dialect = self.database.dialect();
        // Its dates and times are text, in whatever form they came.
        let has_times = !matches!(dialect, Dialect::Sqlite | Dialect::Generic);
        match (column, value) {
            (DataType::Int16 | DataType::Int32 | DataType::Int64, value) => match value {
                ScalarValue::Int16(Some(n)) => Some(n.to_string()),
                ScalarValue::Int32(Some(n)) => Some(n.to_string()),
                ScalarValue::Int64(Some(n)) => Some(n.to_string()),
                _ => None,
            },
            (DataType::Utf8, ScalarValue::Utf8(Some(text))) => {
                // Some databases read backslashes in text, some do not.
                let plain = !text.contains(['\\', '\0']);
                plain.then(|| format!("'{}'", text.replace('\'', "''")))
            }
            (DataType::Date32, ScalarValue::Date32(Some(days))) if has_times => {
                let date = date32_to_datetime(*days)?.date();
                Some(format!("DATE '{date}'"))
            }
            (DataType::Timestamp(_, None), ScalarValue::TimestampMicrosecond(Some(micros), None))
                if has_times =>
            {
                let time = timestamp_us_to_datetime(*micros)?;
                Some(format!("TIMESTAMP '{}'", time.format("%Y-%m-%d %H:%M:%S%.6f")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::{col, lit};

    use super::*;
    use crate::staging::Staging;

    #[test]
    fn what_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let database = Staging::open_folder(folder.path()).unwrap();
        let column = |(name, sql): (&str, &str)| Column {
            name: name.into(),
            column_type: database.column_type(sql).unwrap(),
        };
        let columns: Vec<Column> = [
            ("id", "bigint"),
            ("Na\"me", "text"),
            ("day", "date"),
            ("at", "timestamp"),
            ("doc", "jsonb"),
            ("ratio", "double precision"),
        ]
        .into_iter()
        .map(column)
        .collect();
        let fields: Vec<Field> = columns
            .iter()
            .map(|c| Field::new(&c.name, c.column_type.arrow.clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let of = |filter: Expr| condition(&filter, &database, &schema, &columns);
        let name = || Expr::Column(datafusion::common::Column::from_name("Na\"me"));
        for (filter, sql) in [
            (col("id").gt(lit(5i64)), "\"id\" > 5"),
            (lit(5i64).gt(col("id")), "\"id\" < 5"),
            (
                col("id").not_eq(lit(1i64)).and(name().eq(lit("o'b"))),
                "(\"id\" <> 1 AND \"Na\"\"me\" = 'o''b')",
            ),
            (
                col("day").lt(lit(ScalarValue::Date32(Some(19_844)))),
                "\"day\" < DATE '2024-05-01'",
            ),
            (
                col("at").gt_eq(lit(ScalarValue::TimestampMicrosecond(Some(1_500_000), None))),
                "\"at\" >= TIMESTAMP '1970-01-01 00:00:01.500000'",
            ),
            (name().is_null(), "\"Na\"\"me\" IS NULL"),
            (
                col("id").in_list(vec![lit(1i64), lit(2i64)], false),
                "\"id\" IN (1, 2)",
            ),
        ] {
            assert_eq!(of(filter).as_deref(), Some(sql));
        }
        for filter in [
            // Collations differ.
            name().gt(lit("a")),
            name().not_eq(lit("a")),
            name().eq(lit("a\\b")),
            col("ratio").eq(lit(0.1)),
            col("doc").eq(lit("{}")),
            col("id").in_list(vec![lit(1i64)], true),
            col("id").gt(col("ratio")),
        ] {
            assert_eq!(of(filter.clone()), None, "{filter}");
        }
    }
}
