//! `sequor run`.

use std::time::{Duration, Instant};

use sequor_planner::plan::Action;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::args::{self, RunFormat};
use super::context::Context;
use super::engine::{Outside, assemble};
use super::log;
use super::plan::{Compiled, compile};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Events, Preview, PreviewMode, execute, records};
use crate::report::{SourceText, Style, render, show};

/// How long running steps get to stop in order after an interrupt.
const GRACE: Duration = Duration::from_secs(10);

/// How long connections get to close.
const CLOSING: Duration = Duration::from_secs(2);

/// Runs a flow.
pub fn run(context: &Context, args: &args::Run) -> Result<Exit> {
    let Some(mut compiled) = compile(context, &args.flow, &args.variables, &args.selection)? else {
        return Ok(Exit::Wrong);
    };
    if args.in_order {
        compiled.plan = compiled.plan.in_flow_order();
    }
    let preview = preview(&args.debug, &mut compiled)?;
    log::start(&compiled.project.log());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(run_compiled(context, args, &compiled, preview));
    // A query of Python's that blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

/// What is looked at instead of done; the plan keeps only the requests to be looked at.
fn preview(args: &args::Debug, compiled: &mut Compiled) -> Result<Preview> {
    let look = match (args.trace, args.pretty, args.parser) {
        (true, ..) => Some(PreviewMode::Trace),
        (_, true, _) => Some(PreviewMode::Pretty),
        (.., true) => Some(PreviewMode::Parser),
        _ => None,
    };
    let records = args.test_record.as_deref().map(records).transpose()?;
    let mut requests = 0;
    compiled.plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action {
            requests += usize::from(records.is_none() || http.request.for_each.is_some());
        }
    });
    if requests == 0 && (look.is_some() || records.is_some()) {
        let message = match records.is_some() {
            true => "no http_request with a `for_each` is selected: nothing takes the test record",
            false => "no http_request is selected: there is nothing to preview",
        };
        return Err(Error::new(ErrorKind::Project, message));
    }
    if look.is_some() {
        let plan = std::mem::take(&mut compiled.plan.root);
        compiled.plan.root = plan.only_requests();
    }
    Ok(Preview { records, mode: look })
}

async fn run_compiled(
    context: &Context,
    args: &args::Run,
    compiled: &Compiled,
    preview: Preview,
) -> Result<Exit> {
    let looking = preview.mode.is_some();
    let source = SourceText::new(
        &compiled.project.files,
        args.stacktrace,
        !args.disable_flow_stacktrace,
    );
    let style = match (args.format, context.quiet, context.terminal) {
        (RunFormat::Json, ..) => Style::Json,
        (_, true, _) => Style::Quiet,
        // What is looked at is all there is to see.
        _ if looking => Style::Quiet,
        (_, false, true) => Style::Terminal,
        (_, false, false) => Style::Lines,
    };
    let started = Instant::now();
    let cancel = CancellationToken::new();
    let (events, receiver) = Events::channel();
    let outside = Outside {
        record: args.record.as_deref(),
        replay: args.replay.as_deref(),
        files_exist: false,
    };
    let run = match assemble(compiled, &outside, preview, events, cancel.clone()).await {
        Ok(run) => run,
        Err(error) => {
            crate::report::err(render(&error, "", &source, context.color));
            return Ok(match error.kind() {
                ErrorKind::Project | ErrorKind::Variable | ErrorKind::Replay => Exit::Wrong,
                _ => Exit::Failed,
            });
        }
    };
    let reporter = tokio::spawn(show(receiver, style, context.color, source));
    let mut executing = std::pin::pin!(execute(run.clone(), &compiled.plan));
    let result = tokio::select! {
        result = &mut executing => result,
        () = interrupted() => {
            cancel.cancel();
            let stopped = || Err(Error::new(ErrorKind::Cancelled, "interrupted"));
            tokio::select! {
                result = tokio::time::timeout(GRACE, &mut executing) => result.unwrap_or_else(|_| stopped()),
                // A second interrupt: at once.
                () = interrupted() => std::process::exit(Exit::Interrupted as i32),
            }
        }
    };
    for database in run.databases.take() {
        // A statement under way after an interrupt keeps its connection: the server ends it when we are gone.
        let _ = tokio::time::timeout(CLOSING, database.close()).await;
    }
    let variables = run.variables.project();
    // The last sender of events goes with the run.
    drop(run);
    let summary = reporter
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, format!("the report broke down: {e}")))?;
    compiled
        .project
        .keep_variables_if_changed(&compiled.compiler, &compiled.kept, &variables)?;
    let (exit, word) = match &result {
        Ok(()) => (Exit::Done, "done"),
        Err(e) if e.kind() == ErrorKind::Cancelled => (Exit::Interrupted, "interrupted"),
        Err(_) => (Exit::Failed, "failed"),
    };
    if let Err(error) = &result {
        tracing::error!(flow = %compiled.plan.flow, %error, "step failed");
    }
    tracing::info!(flow = %compiled.plan.flow, status = word, seconds = started.elapsed().as_secs_f64(), "run ended");
    if style == Style::Json {
        let seconds = started.elapsed().as_secs_f64();
        let event = serde_json::json!({"event": "flow", "flow": compiled.plan.flow, "status": word, "seconds": seconds});
        crate::report::out(event);
    }
    if matches!(style, Style::Lines | Style::Terminal) {
        let table = summary.render(context.color);
        if !table.is_empty() {
            crate::report::err(format!("\n{table}"));
        }
        crate::report::err(format!(
            "\nFlow {}: {word} in {:.2} s",
            compiled.plan.flow,
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(exit)
}

/// Waits for an interrupt: Ctrl-C, or the signal that schedulers and containers end a process with.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
