//! The options of `sequor run`.

use crate::engine::InDoubt;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::args::Selection;

#[derive(Debug, ClapArgs)]
pub struct Run {
    /// The flow, as its path below flows/ without .yaml
    #[arg(required_unless_present = "plan")]
    pub flow: Option<String>,
    /// Run a plan that `sequor plan --out` wrote; refused when the project changed since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["flow", "op_id", "select", "exclude", "in_order"])]
    pub plan: Option<PathBuf>,
    /// A variable, winning over every other place it is set
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    #[command(flatten)]
    pub selection: Selection,
    /// Keep every request and response as files in DIR, secrets removed
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Answer requests from the recordings in DIR; the network is not touched
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
    /// Try the flow without any effect outside: tables go to throw-away copies, requests that change something are shown
    #[arg(long, conflicts_with_all = ["resume", "retry_failed", "from_step", "look", "record", "wait"])]
    pub dry_run: bool,
    /// With --dry-run: rows of each table that are read from its real database [default: 1000]
    #[arg(long, value_name = "N", requires = "dry_run")]
    pub sample: Option<u64>,
    /// With --dry-run: a folder with tables as files, <source>/<table>.csv, .jsonl or .parquet
    #[arg(long, value_name = "DIR", requires = "dry_run")]
    pub fixtures: Option<PathBuf>,
    /// With --dry-run: ask nothing of any server
    #[arg(long, requires = "dry_run")]
    pub offline: bool,
    /// With --dry-run: compare each table with the one there is now, by its key; tables are read whole
    #[arg(long, requires = "dry_run")]
    pub diff: bool,
    /// With --dry-run: keep the tables as Parquet and the requests that were not sent as files in DIR
    #[arg(long, value_name = "DIR", requires = "dry_run")]
    pub out: Option<PathBuf>,
    /// How the run is told: text, or one JSON object per event on standard output
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
    /// Run one step and one request at a time, in the order of the flow
    #[arg(long)]
    pub in_order: bool,
    /// Go on with a run that failed, was interrupted or crashed: the flow's latest, or the one whose id begins so
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["plan", "op_id", "select", "exclude", "in_order", "look", "test_record"])]
    pub resume: Option<String>,
    /// Begin at the step with this id: those before it count as done
    #[arg(long, value_name = "ID", conflicts_with_all = ["resume", "retry_failed", "op_id", "select", "exclude", "look", "test_record"])]
    pub from_step: Option<String>,
    /// Run again the steps of the latest run that failed, those that `on_error: continue` passed over, too
    #[arg(long, conflicts_with_all = ["plan", "op_id", "select", "exclude", "in_order", "look", "test_record"])]
    pub retry_failed: bool,
    /// What becomes of rows that may have been sent when the run ended, and must not be sent twice [default: stop]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub in_doubt: Option<InDoubtArg>,
    /// Incremental steps ask from there, whatever they have covered: a time, a date, a number, as the cursor is
    #[arg(long, value_name = "CURSOR")]
    pub from: Option<String>,
    /// Incremental steps ask up to there
    #[arg(long, value_name = "CURSOR")]
    pub until: Option<String>,
    /// Incremental steps whose request was changed go on from where they are
    #[arg(long)]
    pub keep_state: bool,
    /// Incremental steps begin anew: with the commit of what comes first, the rows that their tables had are gone
    #[arg(long, conflicts_with_all = ["from", "until", "keep_state"])]
    pub full_refresh: bool,
    /// Steps that send only changes send every row
    #[arg(long)]
    pub full: bool,
    /// Steps that send only changes send rows again that another request has sent, and those in doubt
    #[arg(long)]
    pub resend: bool,
    /// How long the run may take; then it is stopped in order, and has failed
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// How the log file is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How long another run is waited for that writes the same tables or variables [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub wait: Option<std::time::Duration>,
    /// How long requests under way get to end in order after Ctrl-C
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub grace: std::time::Duration,
    /// Go on with a run although the flow, the environment or variables changed
    #[arg(long)]
    pub force: bool,
    /// Show the traceback of failing Python
    #[arg(long)]
    pub stacktrace: bool,
    /// Show only the message of an error, not where in the flow it happened
    #[arg(long)]
    pub disable_flow_stacktrace: bool,
    #[command(flatten)]
    pub debug: RunDebug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InDoubtArg {
    /// List them, and fail the step when all others are done
    Stop,
    /// Send them again
    Send,
    /// Take them as sent
    Skip,
}

impl InDoubtArg {
    /// Returns what becomes of rows in doubt.
    pub fn meant(given: Option<InDoubtArg>) -> InDoubt {
        match given {
            None | Some(InDoubtArg::Stop) => InDoubt::Stop,
            Some(InDoubtArg::Send) => InDoubt::Send,
            Some(InDoubtArg::Skip) => InDoubt::Skip,
        }
    }
}

/// Looking at the requests of a flow.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Debugging http_request steps")]
pub struct RunDebug {
    /// Ask for this row (or list of rows), given as JSON, instead of those of the for_each table
    #[arg(long = "debug-httprequest-foreach-test-record", value_name = "JSON")]
    pub test_record: Option<String>,
    /// Show each step's first request as it would be sent; send nothing, run no other step
    #[arg(long = "debug-httprequest-preview-trace", group = "look")]
    pub trace: bool,
    /// The same, in a form for people
    #[arg(long = "debug-httprequest-preview-pretty", group = "look")]
    pub pretty: bool,
    /// Send each step's first request, and show what its parser gives without applying it
    #[arg(long = "debug-httprequest-response-parser-preview", group = "look")]
    pub parser: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    Text,
    Json,
}
