//! `sequor runs`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;

use super::args::{self, RunFormat, RunStatusArg};
use super::context::Context;
use super::state;
use crate::engine::{RunRecord, RunState, Wanted};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::ErrorReport;
use crate::report::{Table, out};

/// A run, as JSON.
#[derive(Serialize)]
pub struct Line<'r> {
    run: String,
    flow: &'r str,
    status: RunState,
    started: &'r str,
    seconds: Option<f64>,
    attempt: u32,
    environment: Option<&'r str>,
    program: &'r str,
    plan: &'r str,
    error: Option<&'r ErrorReport>,
}

impl<'r> Line<'r> {
    /// Returns that of a run.
    pub fn of(record: &'r RunRecord) -> Line<'r> {
        Line {
            run: record.run.to_string(),
            flow: &record.flow,
            status: record.state,
            started: &record.started,
            seconds: record.seconds,
            attempt: record.attempt,
            environment: record.environment.as_deref(),
            program: &record.program,
            plan: &record.plan,
            error: record.error.as_ref(),
        }
    }
}

/// Lists runs.
pub fn runs(context: &Context, args: &args::Runs) -> Result<Exit> {
    let wanted = Wanted {
        flow: args.flow.clone(),
        state: args.status.map(|status| match status {
            RunStatusArg::Running => RunState::Running,
            RunStatusArg::Done => RunState::Done,
            RunStatusArg::Failed => RunState::Failed,
            RunStatusArg::Interrupted => RunState::Interrupted,
            RunStatusArg::Crashed => RunState::Crashed,
        }),
        since: args.since.as_deref().map(since).transpose()?,
        limit: Some(args.limit),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let found = runtime.block_on(async {
        let (_, store) = state::open(context).await?;
        let found = store.runs(&wanted).await;
        store.close().await;
        found
    })?;
    if args.format == RunFormat::Json {
        for record in &found {
            let line = serde_json::to_string(&Line::of(record));
            out(line.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        crate::report::err("no run is remembered that is meant by this");
        return Ok(Exit::Done);
    }
    let row = |record: &RunRecord| {
        let code = record.error.as_ref().map(|error| error.code.clone());
        vec![
            state::short(&record.run),
            record.flow.clone(),
            record.state.as_str().to_string(),
            record.started.get(..19).unwrap_or_default().replace('T', " "),
            code.unwrap_or_default(),
            record.attempt.to_string(),
            record
                .seconds
                .map_or_else(|| "-".into(), |seconds| format!("{seconds:.2}")),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let table = Table {
        header: &[
            "Run",
            "Flow",
            "Status",
            "Started (UTC)",
            "Error",
            "Attempts",
            "Seconds",
        ],
        rows: &rows,
        status: 2,
        right_from: 5,
    };
    out(table.render(context.color_out));
    Ok(Exit::Done)
}

/// A time: so long ago, a date, or a time.
fn since(text: &str) -> Result<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(ago) = humantime::parse_duration(text) {
        let ago = chrono::Duration::from_std(ago).ok();
        if let Some(time) = ago.and_then(|ago| Utc::now().checked_sub_signed(ago)) {
            return Ok(time);
        }
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let date = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    let forms = [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    let mut times = forms
        .iter()
        .filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let time = date.or_else(|| times.next()).ok_or_else(|| {
        let message = format!("--since `{text}` is no time");
        Error::new(ErrorKind::Project, message)
            .help("write how long ago, like 2d or 12h, or a date like 2026-05-01")
    })?;
    Ok(time.and_utc())
}
