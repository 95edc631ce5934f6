//! `sequor query`: a look into a database source.

use arrow::util::pretty::pretty_format_batches;
use futures::StreamExt;

use super::args;
use super::context::Context;
use crate::engine::{CompileError, Session};
use crate::error::{Exit, Result};

/// Rows shown at most: a look, not an export.
const MAX_ROWS: usize = 10_000;

/// Runs a query and prints its rows.
pub fn query(context: &Context, args: &args::Query) -> Result<Exit> {
    let project = context.project()?;
    let runtime = super::runtime::runtime()?;
    runtime.block_on(async {
        let loaded = match project.ready(Default::default()).await {
            Ok(loaded) => loaded,
            Err(CompileError::Error(error)) => return Err(error),
            Err(CompileError::Findings(found)) => {
                context.show(&found, &project.files);
                return Ok(Exit::Wrong);
            }
        };
        let mut session = Session::new(&loaded);
        let mut rows = session.query(&args.source, &args.sql).await?;
        let mut batches = Vec::new();
        let mut count = 0;
        while let Some(batch) = rows.batches.next().await {
            let batch = batch?;
            let left = MAX_ROWS - count;
            count += batch.num_rows().min(left);
            batches.push(batch.slice(0, batch.num_rows().min(left)));
            if count == MAX_ROWS {
                crate::report::err(format!("only the first {MAX_ROWS} rows are shown"));
                break;
            }
        }
        if batches.is_empty() {
            batches.push(arrow::array::RecordBatch::new_empty(rows.schema.clone()));
        }
        crate::report::out(pretty_format_batches(&batches)?);
        session.close().await;
        Ok(Exit::Done)
    })
}
