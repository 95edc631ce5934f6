//! `sequor run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sequor_planner::plan::Plan;
use tokio_util::sync::CancellationToken;

use super::args::{self, InDoubtArg, RunFormat};
use super::context::{Context, overrides};
use super::{compile, log, step_options};
use crate::engine::{
    Compiled, DryOptions, DryRun, Keeps, Preview, PreviewMode, ResumeOptions, Resumed, Session, records,
    stop_at_interrupt,
};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::EVENT_VERSION;
use crate::report::{SourceText, Style, show};

/// Runs a flow.
pub fn run(context: &Context, args: &args::Run) -> Result<Exit> {
    let runtime = super::runtime::runtime()?;
    let exit = runtime.block_on(async {
        let Some((compiled, resumed)) = compiled(context, args).await? else {
            return Ok(Exit::Wrong);
        };
        let preview = preview(&args.debug)?;
        if !args.dry_run {
            log::start(&compiled.loaded.project.log(), args.log_format);
        }
        run_compiled(context, args, &compiled, preview, resumed).await
    });
    // A query of Python's that blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

/// What is run, and the run that is gone on with; none, after showing why, where there are mistakes.
async fn compiled(context: &Context, args: &args::Run) -> Result<Option<(Compiled, Option<Resumed>)>> {
    // Clap wants a flow where there is no file.
    let flow = args.flow.as_deref().unwrap_or_default();
    let goes_on = args.resume.is_some() || args.retry_failed;
    if args.force && !goes_on {
        let message = "--force says how a run is gone on with: it needs --resume";
        return Err(Error::new(ErrorKind::Project, message));
    }
    if goes_on {
        let options = ResumeOptions {
            run: args.resume.clone().filter(|run| !run.is_empty()),
            variables: overrides(&args.variables)?,
            force: args.force,
            retry_failed: args.retry_failed,
            rejected_of: None,
        };
        let resumed = compile::resumed(context, flow, options).await?;
        return Ok(resumed.map(|(compiled, resumed)| (compiled, Some(resumed))));
    }
    let compiled = match &args.plan {
        Some(file) => compile::reviewed(context, file, &args.variables).await?,
        None => {
            let mut options = compile::options(&args.variables, &args.selection)?;
            options.plan.in_order = args.in_order;
            match args.dry_run {
                true => compile::dry(context, flow, &options).await?,
                false => compile::compile(context, flow, &options).await?,
            }
        }
    };
    Ok(compiled.map(|compiled| (compiled, None)))
}

/// What is only shown.
fn preview(args: &args::RunDebug) -> Result<Preview> {
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
    resumed: Option<Resumed>,
) -> Result<Exit> {
    let source = SourceText::new(
        &compiled.loaded.project.files,
        args.stacktrace,
        !args.disable_flow_stacktrace,
    );
    let style = match (args.format, preview.mode) {
        // What is previewed is all there is to see.
        (RunFormat::Text, Some(_)) => Style::Quiet,
        (format, _) => style(context, format),
    };
    step_options::check(args, &compiled.plan)?;
    let session = Session::new(&compiled.loaded)
        .record(args.record.clone())
        .replay(args.replay.clone())
        .preview(preview)
        .resume(resumed)
        .grace(args.grace)
        .timeout(args.timeout)
        .from_step(args.from_step.clone())
        .wait(args.wait, Some(Box::new(crate::report::err)))
        .in_doubt(InDoubtArg::meant(args.in_doubt))
        .keep_state(args.keep_state)
        .full_refresh(args.full_refresh)
        .resend(step_options::resends(args))
        .range(step_options::range(args));
    let dry_run = dry_run(args, &compiled.plan)?;
    let session = session.dry_run(dry_run.clone());
    for notice in &compiled.loaded.notices {
        crate::report::err(format!("note: {notice}"));
    }
    let exit = tell(context, compiled, session, style, source, args.grace).await;
    if !args.dry_run && !matches!(exit, Ok(Exit::Done)) {
        step_options::remind(args);
    }
    if let Some(dry_run) = dry_run {
        let report = dry_run.report().await;
        dry_run.close().await;
        let report = report?;
        match args.format {
            RunFormat::Json => {
                let told =
                    serde_json::json!({"version": EVENT_VERSION, "event": "dry_run", "report": report});
                crate::report::out(told);
            }
            RunFormat::Text => crate::report::out(crate::report::dry_run(&report, context.color_out)),
        }
    }
    exit
}

/// Rows of each table that a dry run reads, where nothing is said.
const SAMPLE: u64 = 1_000;

fn dry_run(args: &args::Run, plan: &Plan) -> Result<Option<Arc<DryRun>>> {
    if !args.dry_run {
        return Ok(None);
    }
    DryRun::new(DryOptions {
        // What is compared must be whole.
        sample: args.sample.unwrap_or(match args.diff || plan.sends_changes() {
            true => u64::MAX,
            false => SAMPLE,
        }),
        fixtures: args.fixtures.clone(),
        offline: args.offline,
        keeps: Keeps {
            rows: false,
            before: args.diff,
        },
        out: out(args.out.as_deref())?,
    })
    .map(Some)
}

/// The folder for what comes out: a new one, or an empty one.
fn out(folder: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(folder) = folder else { return Ok(None) };
    if std::fs::read_dir(folder).is_ok_and(|mut inside| inside.next().is_some()) {
        let message = format!("--out {}: the folder is not empty", folder.display());
        return Err(Error::new(ErrorKind::Project, message).help("name a new one: nothing is overwritten"));
    }
    std::fs::create_dir_all(folder).map_err(|e| {
        Error::new(
            ErrorKind::Project,
            format!("{} can't be made: {e}", folder.display()),
        )
    })?;
    Ok(Some(folder.to_path_buf()))
}

/// How a run is told.
fn style(context: &Context, format: RunFormat) -> Style {
    match (format, context.quiet, context.terminal) {
        (RunFormat::Json, ..) => Style::Json,
        (_, true, _) => Style::Quiet,
        (_, false, true) => Style::Terminal,
        (_, false, false) => Style::Lines,
    }
}

/// Starts a run and shows it to its end, as it is usual.
pub async fn follow(
    context: &Context,
    compiled: &Compiled,
    session: Session,
    format: RunFormat,
) -> Result<Exit> {
    let source = SourceText::new(&compiled.loaded.project.files, false, true);
    let style = style(context, format);
    tell(context, compiled, session, style, source, GRACE).await
}

/// How long requests under way get to end in order, where nothing is said.
const GRACE: Duration = Duration::from_secs(30);

async fn tell(
    context: &Context,
    compiled: &Compiled,
    session: Session,
    style: Style,
    source: SourceText,
    grace: Duration,
) -> Result<Exit> {
    let cancel = match &context.stop {
        Some(stop) => stop.clone(),
        None => {
            let cancel = CancellationToken::new();
            stop_at_interrupt(cancel.clone(), grace)?;
            cancel
        }
    };
    let mut run = match session.cancel(cancel).start(compiled).await {
        Ok(run) => run,
        Err(error) => {
            context.complain(&error, &source);
            return Ok(error.kind().policy().exit);
        }
    };
    if let Some(events) = run.events() {
        show(events, style, context.color, source).await;
    }
    let report = run.wait().await?;
    let exit = report.status.exit();
    // A command runs one flow.
    let _ = context.report.set(report);
    Ok(exit)
}
