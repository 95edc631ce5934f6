//! `sequor run`.

use std::time::Duration;

use super::args::{self, RunFormat};
use super::context::Context;
use super::{compile, log};
use crate::engine::{Compiled, Preview, PreviewMode, Session, records, stop_at_interrupt};
use crate::error::{Exit, Result};
use crate::report::{SourceText, Style, show};

/// Runs a flow.
pub fn run(context: &Context, args: &args::Run) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(async {
        let compiled = match (&args.plan, &args.flow) {
            (Some(file), _) => compile::reviewed(context, file, &args.variables).await?,
            (None, flow) => {
                let mut options = compile::options(&args.variables, &args.selection)?;
                options.plan.in_order = args.in_order;
                // Clap wants one of both.
                let flow = flow.as_deref().unwrap_or_default();
                compile::compile(context, flow, &options).await?
            }
        };
        let Some(compiled) = compiled else {
            return Ok(Exit::Wrong);
        };
        let preview = preview(&args.debug)?;
        log::start(&compiled.loaded.project.log());
        run_compiled(context, args, &compiled, preview).await
    });
    // A query of Python's that blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

/// What is only shown.
fn preview(args: &args::Debug) -> Result<Preview> {
    Ok(Preview {
        mode: match (args.trace, args.pretty, args.parser) {
            (true, ..) => Some(PreviewMode::Trace),
            (_, true, _) => Some(PreviewMode::Pretty),
            (.., true) => Some(PreviewMode::Parser),
            _ => None,
        },
        records: args.test_record.as_deref().map(records).transpose()?,
    })
}

async fn run_compiled(
    context: &Context,
    args: &args::Run,
    compiled: &Compiled,
    preview: Preview,
) -> Result<Exit> {
    let source = SourceText::new(
        &compiled.loaded.project.files,
        args.stacktrace,
        !args.disable_flow_stacktrace,
    );
    let style = match (args.format, context.quiet, context.terminal) {
        (RunFormat::Json, ..) => Style::Json,
        (_, true, _) => Style::Quiet,
        // What is previewed is all there is to see.
        _ if preview.mode.is_some() => Style::Quiet,
        (_, false, true) => Style::Terminal,
        (_, false, false) => Style::Lines,
    };
    let session = Session::new(&compiled.loaded)
        .record(args.record.clone())
        .replay(args.replay.clone())
        .preview(preview);
    let mut run = match session.start(compiled).await {
        Ok(run) => run,
        Err(error) => {
            context.complain(&error, &source);
            return Ok(error.kind().policy().exit);
        }
    };
    stop_at_interrupt(run.canceller())?;
    if let Some(events) = run.events() {
        show(events, style, context.color, source).await;
    }
    Ok(run.wait().await?.status.exit())
}
