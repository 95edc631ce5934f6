//! Tables from files: `<source>/<table>.csv`, `.jsonl` or `.parquet`, with the schema in front of the name where the flow names it.

use std::path::Path;

use datafusion::common::config::CsvOptions;
use datafusion::prelude::{CsvReadOptions, JsonReadOptions, ParquetReadOptions, SessionContext};
use futures::StreamExt;

use crate::batch::plain::{conformed, plain};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Rows, TableName};

/// Returns the rows of a table's file; none where there is no such file.
///
/// # Errors
/// A file that can't be read.
pub async fn rows(folder: &Path, table: &TableName) -> Result<Option<Rows>> {
    let whole = table.to_string();
    for name in [whole.as_str(), table.table.as_str()] {
        for (name, extension) in [name.to_string(), name.to_lowercase()]
            .iter()
            .flat_map(|name| ["csv", "jsonl", "parquet"].map(|extension| (name.clone(), extension)))
        {
            let file = folder.join(format!("{name}.{extension}"));
            if file.is_file() {
                return read(&file, extension).await.map(Some);
            }
        }
    }
    Ok(None)
}

async fn read(file: &Path, extension: &str) -> Result<Rows> {
    let failed = |e: datafusion::error::DataFusionError| {
        let message = format!("{}: {e}", file.display());
        Error::new(ErrorKind::Data, message)
    };
    let path = file.to_string_lossy();
    let context = SessionContext::new();
    let frame = match extension {
        "csv" => {
            let options = CsvReadOptions::new().file_extension("csv");
            let _ = CsvOptions::default();
            context.read_csv(path.as_ref(), options).await
        }
        "jsonl" => {
            let options = JsonReadOptions::default().file_extension("jsonl");
            context.read_json(path.as_ref(), options).await
        }
        _ => {
            context
                .read_parquet(path.as_ref(), ParquetReadOptions::default())
                .await
        }
    };
    let stream = frame.map_err(failed)?.execute_stream().await.map_err(failed)?;
    let fields = stream.schema();
    let fields = fields.fields().iter().map(|field| {
        let field = field.as_ref().clone();
        let to = plain(field.data_type());
        field.with_data_type(to).with_nullable(true)
    });
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    let to = schema.clone();
    let file = file.display().to_string();
    let batches = stream.map(move |batch| {
        let batch = batch.map_err(|e| Error::new(ErrorKind::Data, format!("{file}: {e}")))?;
        Ok(conformed(&batch, &to)?)
    });
    Ok(Rows {
        schema,
        batches: batches.boxed(),
    })
}
