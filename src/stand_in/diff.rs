//! What changed in a table, row by row: by its key where it has one, else by whole rows. Both states of the table are in the
//! staging database, which joins them in files where memory is short.

use futures::StreamExt;

use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::Result;
use crate::event::{ColumnChange, TableDiff, TypeChange};
use crate::sources::database::{Database, TableName};
use crate::sources::sql::quote;
use crate::staging::Staging;

/// Compares two states of a table. `key`: columns that tell its rows apart; none: whole rows are compared.
///
/// # Errors
/// The staging database's.
pub async fn diff(
    staging: &Staging,
    before: &TableName,
    after: &TableName,
    key: &[String],
) -> Result<TableDiff> {
    let columns = |columns: Option<Vec<Column>>| columns.unwrap_or_default();
    let old = columns(staging.columns(before).await?);
    let new = columns(staging.columns(after).await?);
    let has = |all: &[Column], name: &str| all.iter().any(|column| column.name == name);
    let names = |of: &[Column], other: &[Column]| -> Vec<String> {
        of.iter()
            .filter(|column| !has(other, &column.name))
            .map(|column| column.name.clone())
            .collect()
    };
    let mut found = TableDiff {
        key: key.to_vec(),
        new_columns: names(&new, &old),
        lost_columns: names(&old, &new),
        ..TableDiff::default()
    };
    let common: Vec<(&Column, &Column)> = new
        .iter()
        .filter_map(|column| Some((column, old.iter().find(|known| known.name == column.name)?)))
        .collect();
    found.types = common
        .iter()
        .filter(|(new, old)| kind(new) != kind(old))
        .map(|(new, old)| TypeChange {
            column: new.name.clone(),
            before: old.column_type.sql.clone(),
            after: new.column_type.sql.clone(),
        })
        .collect();
    let (before, after) = (staging.quoted(before), staging.quoted(after));
    let by_key = !key.is_empty() && key.iter().all(|name| has(&old, name) && has(&new, name));
    if !by_key {
        found.key.clear();
        let list: Vec<String> = common.iter().map(|(column, _)| quote(&column.name)).collect();
        let list = if list.is_empty() {
            "1".to_string()
        } else {
            list.join(", ")
        };
        // Rows that are the same count as often as they are there.
        let each = format!(
            "SELECT {list}, 1 AS there_ FROM {after} UNION ALL SELECT {list}, -1 AS there_ FROM {before}"
        );
        let more = format!("SELECT sum(there_) AS there_ FROM ({each}) AS each_ GROUP BY {list}");
        let sum = |of: &str, when: &str| format!("coalesce(sum(CASE WHEN {when} THEN {of} ELSE 0 END), 0)");
        let (added, removed) = (sum("there_", "there_ > 0"), sum("-there_", "there_ < 0"));
        let sql = format!("SELECT {added} AS added, {removed} AS removed FROM ({more}) AS more_");
        let mut counts = numbers(staging, &sql).await?.into_iter();
        found.added = counts.next().unwrap_or_default();
        found.removed = counts.next().unwrap_or_default();
        return Ok(found);
    }
    let is_key = |name: &str| key.iter().any(|key| key == name);
    let others: Vec<&(&Column, &Column)> = common
        .iter()
        .filter(|(column, _)| !is_key(&column.name))
        .collect();
    let differs = |(new, old): &(&Column, &Column)| {
        let name = quote(&new.name);
        match new.column_type.arrow == old.column_type.arrow {
            true => format!("(a.{name} IS DISTINCT FROM b.{name})"),
            false => format!("(CAST(a.{name} AS text) IS DISTINCT FROM CAST(b.{name} AS text))"),
        }
    };
    let on: Vec<String> = key
        .iter()
        .map(|name| format!("(a.{0} IS NOT DISTINCT FROM b.{0})", quote(name)))
        .collect();
    let both = "a.there_ IS NOT NULL AND b.there_ IS NOT NULL";
    let any: Vec<String> = others.iter().map(|pair| differs(pair)).collect();
    let any = if any.is_empty() {
        "false".to_string()
    } else {
        format!("({})", any.join(" OR "))
    };
    let count = |when: &str| format!("coalesce(sum(CASE WHEN {when} THEN 1 ELSE 0 END), 0)");
    let mut wanted = vec![
        count("b.there_ IS NULL"),
        count("a.there_ IS NULL"),
        count(&format!("{both} AND {any}")),
    ];
    wanted.extend(
        others
            .iter()
            .map(|pair| count(&format!("{both} AND {}", differs(pair)))),
    );
    let named: Vec<String> = wanted
        .iter()
        .enumerate()
        .map(|(at, sql)| format!("{sql} AS n{at}"))
        .collect();
    let sql = format!(
        "SELECT {} FROM (SELECT *, true AS there_ FROM {after}) AS a FULL JOIN (SELECT *, true AS there_ FROM {before}) AS b ON {}",
        named.join(", "),
        on.join(" AND ")
    );
    let counts = numbers(staging, &sql).await?;
    let mut counts = counts.into_iter();
    let mut next = || counts.next().unwrap_or_default();
    (found.added, found.removed, found.changed) = (next(), next(), next());
    for (column, _) in others {
        let rows = next();
        if rows > 0 {
            found.columns.push(ColumnChange {
                column: column.name.clone(),
                rows,
            });
        }
    }
    Ok(found)
}

/// What a column holds, whatever its width: copies of real tables have widths of their own.
fn kind(column: &Column) -> (&'static str, Logical) {
    use arrow::datatypes::DataType;
    let of = match &column.column_type.arrow {
        real if real.is_integer() => "integer",
        real if real.is_floating() => "float",
        DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        DataType::Boolean => "boolean",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytes",
        _ => "text",
    };
    (of, column.column_type.logical)
}

/// The numbers of a query's only row.
async fn numbers(staging: &Staging, sql: &str) -> Result<Vec<u64>> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let mut rows = staging.query(sql).await?;
    let Some(batch) = rows.batches.next().await.transpose()? else {
        return Ok(Vec::new());
    };
    let each = batch.columns().iter().map(|column| {
        let numbers = column.as_primitive_opt::<Int64Type>();
        numbers
            .filter(|numbers| !numbers.is_empty())
            .map_or(0, |numbers| numbers.value(0))
    });
    Ok(each.map(|n| u64::try_from(n).unwrap_or_default()).collect())
}
