//! `sequor test`.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use futures::StreamExt;
use notify::{RecursiveMode, Watcher};
use sequor_planner::Diagnostics;

use super::args::{Test, TestCommand, TestFormat};
use super::context::{Context, tally};
use super::test_new;
use crate::engine::{Project, check_jinja2};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::{TestOutcome, TestSummary, seconds};
use crate::report::{self, SourceText};
use crate::testing::{self, Suite, TestOptions, Tested};

/// Runs tests, or makes one.
pub fn test(context: &Context, args: &Test) -> Result<Exit> {
    let runtime = super::runtime::runtime()?;
    let exit = match &args.command {
        Some(TestCommand::New(new)) => runtime.block_on(test_new::make(context, new)),
        None if args.watch => watch(context, args, &runtime),
        None => runtime.block_on(once(context, args)),
    };
    // A query of Python's that blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

/// Reads the project, and its tests; none, after showing why, where there are mistakes.
pub async fn suite(context: &Context, names: &[String]) -> Result<Option<Suite>> {
    // What is on a machine is no part of a test, unless it is asked for.
    let project = match context.location.env {
        Some(_) => context.project()?,
        None => Arc::new(Project::open_bare(&context.location)?),
    };
    let mut d = Diagnostics::default();
    let loaded = project.load(Default::default(), &mut d)?;
    let suite = match &loaded {
        Some(loaded) => Some(Suite::read(loaded, names, &mut d)?),
        None => None,
    };
    check_jinja2(&mut d).await?;
    let failed = d.has_errors();
    let found = d.into_sorted();
    let texts = suite.iter().flat_map(|suite| &suite.files);
    let texts: Vec<(&str, &str)> = texts.map(|file| (&*file.file.file, file.text.as_str())).collect();
    for diagnostic in &found {
        let file = diagnostic.place.as_ref().map(|place| &*place.file);
        let text = file.and_then(|file| {
            let own = texts
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, text)| *text);
            own.or_else(|| project.files.text(file))
        });
        report::err(format!("{}\n", diagnostic.render(text, context.color)));
    }
    if failed {
        report::err(tally(&found));
        return Ok(None);
    }
    Ok(suite)
}

async fn once(context: &Context, args: &Test) -> Result<Exit> {
    let Some(suite) = suite(context, &args.files).await? else {
        return Ok(Exit::Wrong);
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let options = TestOptions {
        keywords: args.keywords.clone(),
        jobs: args.jobs.map_or(processors, usize::from),
        timeout: args.timeout,
    };
    let count = testing::count(&suite, &options);
    if count == 0 {
        let message = match suite.files.is_empty() {
            true => "the project has no tests".to_string(),
            false => format!("no test has {} in its name", args.keywords.join(" or ")),
        };
        return Err(Error::new(ErrorKind::Project, message)
            .help("tests are files tests/NAME.yaml: make one of a recording with `sequor test new`, or a whole project with `sequor init`"));
    }
    let texts = suite
        .files
        .iter()
        .map(|file| (file.file.file.to_string(), file.text.clone()));
    let source = SourceText::new(&suite.loaded.project.files, false, true).with(texts);
    let is_text = args.format == TestFormat::Text;
    let color = context.color_out;
    if is_text && !context.quiet {
        report::out(format!(
            "{:>12} {}",
            "Starting",
            report::count(count as u64, "test")
        ));
    }
    let started = Instant::now();
    let mut all: Vec<Tested> = Vec::with_capacity(count);
    let mut running = std::pin::pin!(testing::run(&suite, &options));
    while let Some(tested) = running.next().await {
        tell(args, &tested.outcome, context);
        all.push(tested);
    }
    let order = |outcome: &TestOutcome| (outcome.file.clone(), outcome.place.line);
    all.sort_by_key(|tested| order(&tested.outcome));
    let failed = all.iter().filter(|tested| !tested.outcome.passed).count();
    let summary = TestSummary {
        passed: all.len() - failed,
        failed,
        seconds: seconds(started.elapsed()),
        coverage: args
            .coverage
            .then(|| testing::coverage(&suite, all.iter().map(|tested| &tested.reached))),
    };
    match args.format {
        TestFormat::Text => {
            for tested in all.iter().filter(|tested| !tested.outcome.passed) {
                report::out(report::test_failures(&tested.outcome, &source, color));
            }
            report::out(report::test_summary(&summary, color));
        }
        TestFormat::Json => {
            if let Ok(mut line) = serde_json::to_value(&summary) {
                line["event"] = "tests_finished".into();
                report::out(line);
            }
        }
        TestFormat::Github => {}
    }
    if let Some(file) = &args.junit {
        let outcomes: Vec<TestOutcome> = all.iter().map(|tested| tested.outcome.clone()).collect();
        let wrong = |what: String| {
            Error::new(
                ErrorKind::Io,
                format!("{} can't be written: {what}", file.display()),
            )
        };
        let text = report::junit(&outcomes, summary.seconds, &source).map_err(wrong)?;
        std::fs::write(file, text).map_err(|e| wrong(e.to_string()))?;
    }
    if args.update && failed > 0 {
        let changed = testing::update(&suite, &all)?;
        match changed.is_empty() {
            true => report::err("nothing was updated: what failed is no value that a test expects"),
            false => report::err(format!("updated: {}; run the tests again", changed.join(", "))),
        }
    }
    Ok(if failed > 0 { Exit::Failed } else { Exit::Done })
}

fn tell(args: &Test, outcome: &TestOutcome, context: &Context) {
    match args.format {
        TestFormat::Text if context.quiet && outcome.passed => {}
        TestFormat::Text => report::out(report::test_line(outcome, context.color_out)),
        TestFormat::Json => {
            if let Ok(mut line) = serde_json::to_value(outcome) {
                line["event"] = "test_finished".into();
                report::out(line);
            }
        }
        TestFormat::Github => report::test_github(outcome).into_iter().for_each(report::out),
    }
}

/// How long files must be quiet: an editor writes several at once.
const QUIET: Duration = Duration::from_millis(200);

/// Runs the tests whenever a file of the project changes, until an interrupt.
fn watch(context: &Context, args: &Test, runtime: &tokio::runtime::Runtime) -> Result<Exit> {
    let (send, changes) = channel();
    let broken = |e: notify::Error| {
        Error::new(
            ErrorKind::Io,
            format!("the project's files can't be watched: {e}"),
        )
    };
    let mut watcher = notify::recommended_watcher(send).map_err(broken)?;
    watcher
        .watch(&context.location.project, RecursiveMode::Recursive)
        .map_err(broken)?;
    loop {
        match runtime.block_on(once(context, args)) {
            Ok(_) => {}
            Err(error) => context.complain(&error, &SourceText::default()),
        }
        report::err("\nwaiting for changes; Ctrl-C ends");
        // Reading the files is no change.
        let is_change =
            |event: &notify::Result<notify::Event>| event.as_ref().is_ok_and(|event| !event.kind.is_access());
        // What changed while the tests ran counts: they may have read what was there before.
        loop {
            match changes.recv() {
                Ok(event) if is_change(&event) => break,
                Ok(_) => {}
                Err(_) => return Ok(Exit::Done),
            }
        }
        loop {
            match changes.recv_timeout(QUIET) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
            }
        }
    }
}
