//! `sequor query`: a look into a database source.

use arrow::util::pretty::pretty_format_batches;
use futures::StreamExt;
use sequor_planner::plan::{PLAN_VERSION, Plan, PlannedSource, Region};
use sequor_planner::{Diagnostics, did_you_mean};
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::args;
use super::context::Context;
use super::engine::{Outside, assemble};
use super::plan::Compiled;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Events, Preview};

/// Rows shown at most: a look, not an export.
const MAX_ROWS: usize = 10_000;

/// Runs a query and prints its rows.
pub fn query(context: &Context, args: &args::Query) -> Result<Exit> {
    let mut d = Diagnostics::default();
    let (project, compiler) = context.compiler(&mut d)?;
    let Some(compiler) = compiler.filter(|_| !d.has_errors()) else {
        context.show(&d.into_sorted(), &project.files);
        return Ok(Exit::Wrong);
    };
    let Some(source) = compiler.sources.get(&args.source) else {
        let names = compiler.sources.keys().map(String::as_str);
        let error = Error::new(
            ErrorKind::Project,
            format!("no source is named `{}`", args.source),
        );
        return Err(match did_you_mean(&args.source, "sources", names) {
            Some(help) => error.help(help),
            None => error,
        });
    };
    if source.dialect().is_none() {
        let message = format!(
            "source `{}` is an API, and a database is needed here",
            args.source
        );
        return Err(Error::new(ErrorKind::Project, message));
    }
    let plan = Plan {
        version: PLAN_VERSION,
        project: compiler.project.name.clone(),
        flow: String::new(),
        sources: vec![PlannedSource {
            name: source.name.clone(),
            kind: source.type_name(),
        }],
        frames: 1,
        in_order: false,
        root: Region::default(),
    };
    let compiled = Compiled {
        kept: project.kept_variables(&compiler)?,
        project,
        compiler: std::sync::Arc::new(compiler),
        plan,
        overrides: Default::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (events, _) = Events::channel();
        let outside = Outside {
            files_exist: true,
            ..Outside::default()
        };
        let cancel = CancellationToken::new();
        let run = assemble(&compiled, &outside, Preview::default(), events, cancel).await?;
        let database = run.databases.get(&args.source, &run.scope()).await?;
        let mut rows = database.query(&args.sql).await?;
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
        database.close().await;
        Ok(Exit::Done)
    })
}
