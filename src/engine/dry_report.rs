//! What came out of a dry run.

use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::parquet::arrow::ArrowWriter;
use futures::StreamExt;

use super::dry_run::DryRun;
use crate::batch::types::sql_name;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DryReport, DryTable};
use crate::sources::database::{Database, TableName};
use crate::stand_in::Tables;

impl DryRun {
    /// Returns what came out.
    ///
    /// # Errors
    /// Tables that can't be read.
    pub async fn report(&self) -> Result<DryReport> {
        let mut tables = Vec::new();
        let mut notes = Vec::new();
        for (source, database) in self.stand_ins() {
            let of_source = &database.tables;
            for (table, change) in of_source.changes().await {
                let (columns, types, preview) = preview(of_source, &table).await?;
                if keeps_state(&table, &columns) {
                    continue;
                }
                tables.push(DryTable {
                    source: source.clone(),
                    table: table.to_string(),
                    how: change.how,
                    rows: of_source.rows(&table).await?.unwrap_or_default(),
                    new: change.new,
                    changed: change.changed,
                    columns,
                    types,
                    preview,
                    diff: of_source.diff(&table).await?,
                });
                if let Some(out) = &self.options.out {
                    let file = out.join("tables").join(&source).join(format!("{table}.parquet"));
                    parquet(&*database, &table, &file).await?;
                }
            }
            let (sampled, unreachable) = of_source.limits().await;
            if !sampled.is_empty() {
                notes.push(format!(
                    "of {} only the first {} rows were read, and counts are of those: --sample N reads more",
                    sampled
                        .iter()
                        .map(|name| format!("{source}.{name}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                    self.options.sample
                ));
            }
            if let Some(why) = unreachable {
                notes.push(format!("source `{source}` was not read: {why}"));
            }
        }
        Ok(DryReport {
            tables,
            findings: self.dry.findings(),
            notes,
        })
    }
}

/// Tells whether a table is one in which steps keep how far they got, or what they sent: which rows are theirs is no news.
fn keeps_state(table: &TableName, columns: &[String]) -> bool {
    let is_own = |name: &str| {
        name.get(..8)
            .is_some_and(|first| first.eq_ignore_ascii_case("_sequor_"))
    };
    is_own(&table.table) || columns.iter().any(|column| is_own(column))
}

/// Writes a table to a Parquet file; one that was dropped has none.
async fn parquet(database: &dyn Database, table: &TableName, file: &Path) -> Result<()> {
    if database.columns(table).await?.is_none() {
        return Ok(());
    }
    let failed = |e: String| Error::new(ErrorKind::Io, format!("{} can't be written: {e}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
    }
    let mut rows = database.scan(table).await?;
    let created = std::fs::File::create(file).map_err(|e| failed(e.to_string()))?;
    let writer = ArrowWriter::try_new(created, rows.schema.clone(), None);
    let mut writer = writer.map_err(|e| failed(e.to_string()))?;
    while let Some(batch) = rows.batches.next().await {
        writer.write(&batch?).map_err(|e| failed(e.to_string()))?;
    }
    writer.close().map(|_| ()).map_err(|e| failed(e.to_string()))
}

/// Rows of a preview.
const PREVIEW: usize = 5;

/// The names of columns, their types, and rows.
type Preview = (Vec<String>, Vec<String>, Vec<Vec<Option<String>>>);

async fn preview(tables: &Tables, table: &TableName) -> Result<Preview> {
    let Some(mut rows) = tables.first(table, PREVIEW).await? else {
        return Ok(Preview::default());
    };
    let columns = rows
        .schema
        .fields()
        .iter()
        .map(|field| tables.shown(field.name()));
    let columns = columns.collect();
    let types = rows.schema.fields().iter().map(|field| sql_name(field)).collect();
    let options = FormatOptions::default();
    let mut all = Vec::new();
    while let Some(batch) = rows.batches.next().await {
        let batch = batch?;
        let texts = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = texts.iter().zip(batch.columns());
            let cell =
                cells.map(|(text, column)| (!column.is_null(row)).then(|| text.value(row).to_string()));
            all.push(cell.collect());
        }
    }
    Ok((columns, types, all))
}
