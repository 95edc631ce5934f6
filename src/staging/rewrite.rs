//! Writing a table anew with some of its rows changed or left out, in one commit.
//!
//! Most conditions look at the row alone: then one query over the table gives each row, changed or not, with a flag
//! that tells whether the condition was true. A condition with subqueries, or one over other tables, is only evaluated
//! faithfully as a WHERE. For that the rows get numbers first, in a scratch copy of the table, and the numbers that
//! the WHERE finds are joined back.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake_core::DeltaTable;
use futures::StreamExt;

use super::commit::{Change, Outcome, commit, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::names::{TableId, quote};
use super::near;
use super::scratch::{ROW, Scratch};
use super::statement::parse;
use super::writer::TableWriter;
use crate::error::{Error, ErrorKind, Result};

/// The column that tells which rows the condition is true for.
const HIT: &str = "\"__sequor_hit\"";

/// How often a rewrite starts again when another process changed the table meanwhile.
pub const ATTEMPTS: usize = 20;

/// What an UPDATE or DELETE does.
pub struct Rewrite {
    pub id: TableId,
    /// What the statement calls the table.
    pub alias: String,
    /// The new values of an UPDATE: column and expression. None for a DELETE.
    pub assigned: Option<Vec<(String, String)>>,
    /// The other tables of UPDATE ... FROM and DELETE ... USING.
    pub others: Vec<String>,
    pub condition: String,
    /// Whether anything in it reads a table besides the row itself.
    pub looks_elsewhere: bool,
}

/// Carries it out; the number of rows it was about.
pub async fn rewrite(db: &Staging, change: &Rewrite) -> Result<u64> {
    let lock = db.tables.lock(&change.id).await;
    for _ in 0..ATTEMPTS {
        let table = db.tables.require(&change.id).await?;
        let schema = current_schema(&table)?;
        change.check(&schema)?;
        let version = version(&table)?;
        let scratch = match change.looks_elsewhere {
            true => Some(Scratch::copy(db, &change.id, &schema).await?),
            false => None,
        };
        let sql = match &scratch {
            Some(scratch) => change.by_number(&schema, &scratch.id),
            None => change.by_flag(&schema),
        };
        let written = write(db, &table, &schema, &sql, change.assigned.is_none()).await;
        if let Some(scratch) = scratch {
            scratch.remove(db).await;
        }
        let (writer, hits) = written?;
        if hits == 0 {
            writer.discard().await;
            return Ok(0);
        }
        let written = Some(writer.finish().await?);
        let rewritten = Change::Rewrite { version };
        let outcome = commit(&db.tables, &change.id, &lock, rewritten, &schema, written).await?;
        if outcome == Outcome::Done {
            return Ok(hits);
        }
    }
    let message = format!("table `{}` is changed by others all the time", change.id);
    Err(Error::new(ErrorKind::Sql, message))
}

/// Writes the rows of the query, without its last column: rows where that is true are counted and, if `drop_hits`,
/// left out.
async fn write(
    db: &Staging,
    table: &DeltaTable,
    schema: &SchemaRef,
    sql: &str,
    drop_hits: bool,
) -> Result<(TableWriter, u64)> {
    let mapping = Mapping::by_position(schema.clone());
    let mut writer = TableWriter::new(&table.log_store(), schema.clone(), mapping)?;
    let mut hits = 0;
    let mut batches = db.plan(parse(sql)?).await?.run()?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let hit = hit(&batch)?;
        hits += hit.true_count() as u64;
        let batch = match drop_hits {
            true => filter_record_batch(&batch, &arrow::compute::not(&hit)?)?,
            false => batch,
        };
        writer.write(&batch).await?;
    }
    Ok((writer, hits))
}

/// The last column; a condition that is null is not true.
fn hit(batch: &RecordBatch) -> Result<BooleanArray> {
    let column = batch.columns().last().and_then(|c| c.as_boolean_opt());
    let Some(column) = column else {
        let message = "the condition is not true or false";
        return Err(Error::new(ErrorKind::Sql, message));
    };
    Ok(match column.null_count() {
        0 => column.clone(),
        _ => column.iter().map(|v| Some(v.unwrap_or(false))).collect(),
    })
}

/// Returns the version that was read.
pub fn version(table: &DeltaTable) -> Result<u64> {
    table
        .version()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the table is not loaded"))
}

impl Rewrite {
    fn check(&self, schema: &Schema) -> Result<()> {
        for (name, _) in self.assigned.iter().flatten() {
            if schema.index_of(name).is_err() {
                let message = format!("table `{}` has no column `{name}`", self.id);
                let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
                let error = Error::new(ErrorKind::Sql, message);
                return Err(match near::help("its columns", name, &names) {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
        }
        Ok(())
    }

    /// The new value of a column, in its type: else CASE would bring the old values to a common type.
    fn new_value(&self, field: &Field) -> Option<String> {
        let assigned = self.assigned.iter().flatten();
        let (_, value) = assigned.into_iter().find(|(name, _)| name == field.name())?;
        Some(match field.data_type() {
            DataType::Utf8 => format!("({value})"),
            other => format!("arrow_cast(({value}), '{other}')"),
        })
    }

    /// Each row with the condition as a flag.
    fn by_flag(&self, schema: &Schema) -> String {
        let alias = &self.alias;
        let columns = schema.fields().iter().map(|field| {
            let column = quote(field.name());
            let old = format!("{alias}.{column}");
            match self.new_value(field) {
                Some(new) => format!("CASE WHEN {HIT} THEN {new} ELSE {old} END AS {column}"),
                None => old,
            }
        });
        format!(
            "SELECT {}, {HIT} FROM (SELECT *, coalesce(({}), false) AS {HIT} FROM {} AS {alias}) AS {alias}",
            columns.collect::<Vec<_>>().join(", "),
            self.condition,
            self.id.sql(),
        )
    }

    /// Each row of the scratch copy, joined by its number with what the condition finds: the first find of each row.
    fn by_number(&self, schema: &Schema, scratch: &TableId) -> String {
        let (alias, row, table) = (&self.alias, quote(ROW), scratch.sql());
        let mut columns = Vec::new();
        let mut found = vec![format!("{alias}.{row} AS {row}"), format!("true AS {HIT}")];
        for (index, field) in schema.fields().iter().enumerate() {
            let old = format!("\"old\".{}", quote(field.name()));
            match self.new_value(field) {
                Some(new) => {
                    found.push(format!("{new} AS \"new{index}\""));
                    columns.push(format!(
                        "CASE WHEN \"found\".{HIT} THEN \"found\".\"new{index}\" ELSE {old} END AS \"c{index}\""
                    ));
                }
                None => columns.push(format!("{old} AS \"c{index}\"")),
            }
        }
        let mut from = vec![format!("{table} AS {alias}")];
        from.extend(self.others.iter().cloned());
        let mut find = format!(
            "SELECT {} FROM {} WHERE {}",
            found.join(", "),
            from.join(", "),
            self.condition,
        );
        if !self.others.is_empty() {
            find = format!("SELECT DISTINCT ON ({row}) * FROM ({find}) AS \"finds\"");
        }
        format!(
            "SELECT {}, \"found\".{HIT} FROM {table} AS \"old\" \
             LEFT JOIN ({find}) AS \"found\" ON \"old\".{row} = \"found\".{row}",
            columns.join(", "),
        )
    }
}
