//! The summary of a run: per step its status, rows, requests, retries and seconds.

use std::time::Duration;

use indexmap::IndexMap;

use super::{grouped, paint};
use crate::exec::{Event, Outcome, Totals};

/// What steps did, in the order they ended. A step inside a for_each is one line, whatever its iterations.
#[derive(Debug, Default)]
pub struct Summary {
    steps: IndexMap<String, Line>,
}

#[derive(Debug)]
struct Line {
    status: &'static str,
    totals: Totals,
    took: Duration,
    runs: u64,
}

impl Summary {
    pub(super) fn add(&mut self, event: &Event) {
        let Event::Finished {
            step,
            outcome,
            totals,
            took,
            ..
        } = event
        else {
            return;
        };
        let status = match outcome {
            Outcome::Done => "done",
            Outcome::Failed(_) => "failed",
            Outcome::Caught(_) => "caught",
            Outcome::Skipped { .. } => "skipped",
            Outcome::Cancelled => "cancelled",
        };
        let line = self.steps.entry(step.to_string()).or_insert(Line {
            status,
            totals: Totals::default(),
            took: Duration::ZERO,
            runs: 0,
        });
        // One failure among many iterations is what counts.
        if line.status == "done" {
            line.status = status;
        }
        line.totals.rows += totals.rows;
        line.totals.requests += totals.requests;
        line.totals.retries += totals.retries;
        line.took += *took;
        line.runs += 1;
    }

    /// The table, and nothing for a run without steps.
    pub fn render(&self, color: bool) -> String {
        if self.steps.is_empty() {
            return String::new();
        }
        let header = ["Step", "Status", "Rows", "Requests", "Retries", "Seconds"].map(str::to_string);
        let rows: Vec<[String; 6]> = self
            .steps
            .iter()
            .map(|(step, line)| {
                let name = match line.runs {
                    1 => step.clone(),
                    runs => format!("{step} (x{})", grouped(runs)),
                };
                let number = |n: u64| if n == 0 { "-".to_string() } else { grouped(n) };
                let seconds = match line.status {
                    "skipped" => "-".into(),
                    _ => format!("{:.2}", line.took.as_secs_f64()),
                };
                let Totals {
                    rows,
                    requests,
                    retries,
                } = line.totals;
                [
                    name,
                    line.status.into(),
                    number(rows),
                    number(requests),
                    number(retries),
                    seconds,
                ]
            })
            .collect();
        let width = |i: usize| {
            rows.iter()
                .chain([&header])
                .map(|r| r[i].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let render = |cells: &[String; 6]| {
            let mut line = format!(
                "{:<w0$}  {:<w1$}",
                cells[0],
                cells[1],
                w0 = widths[0],
                w1 = widths[1]
            );
            for i in 2..6 {
                line.push_str(&format!("  {:>w$}", cells[i], w = widths[i]));
            }
            line
        };
        let mut lines = vec![paint(&render(&header), "1", color)];
        for row in &rows {
            let code = match row[1].as_str() {
                "done" => "32",
                "failed" => "31",
                _ => "33",
            };
            let line = render(row);
            // Only the status is coloured; the column keeps its width.
            let start = widths[0] + 2;
            let cut = line.char_indices().nth(start).map_or(line.len(), |(i, _)| i);
            let status = paint(&row[1], code, color);
            lines.push(format!("{}{status}{}", &line[..cut], &line[cut + row[1].len()..]));
        }
        lines.join("\n")
    }
}
