//! The summary of a run: per step its status, rows, requests, retries and seconds.

use super::grouped;
use super::table::Table;
use crate::event::{RunReport, StepStatus, Totals};

/// The columns of a summary.
const HEADER: [&str; 6] = ["Step", "Status", "Rows", "Requests", "Retries", "Seconds"];

/// Returns the steps as a table, and nothing for a run without steps.
pub fn table(report: &RunReport, color: bool) -> String {
    if report.steps.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = report
        .steps
        .iter()
        .map(|step| {
            let seconds = match step.status {
                StepStatus::Skipped | StepStatus::AlreadyDone => None,
                _ => Some(step.seconds),
            };
            line(&step.step, step.runs, step.status.as_str(), step.totals, seconds)
        })
        .collect();
    of_lines(&rows, color)
}

/// Returns the line of a step. `seconds`: none where it did nothing.
pub fn line(step: &str, runs: u64, status: &str, totals: Totals, seconds: Option<f64>) -> Vec<String> {
    let name = match runs {
        0 | 1 => step.to_string(),
        runs => format!("{step} (x{})", grouped(runs)),
    };
    let number = |n: u64| if n == 0 { "-".to_string() } else { grouped(n) };
    vec![
        name,
        status.replace('_', " "),
        number(totals.rows),
        number(totals.requests),
        number(totals.retries),
        seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds:.2}")),
    ]
}

/// Returns lines of steps as a table.
pub fn of_lines(rows: &[Vec<String>], color: bool) -> String {
    let table = Table {
        header: &HEADER,
        rows,
        status: 1,
        right_from: 2,
    };
    table.render(color)
}
