//! The summary of a run: per step its status, rows, requests, retries and seconds.

use super::{grouped, paint};
use crate::event::{RunReport, StepStatus, Totals};

/// Returns the steps as a table, and nothing for a run without steps.
pub fn table(report: &RunReport, color: bool) -> String {
    if report.steps.is_empty() {
        return String::new();
    }
    let header = ["Step", "Status", "Rows", "Requests", "Retries", "Seconds"].map(str::to_string);
    let rows: Vec<[String; 6]> = report
        .steps
        .iter()
        .map(|line| {
            let name = match line.runs {
                1 => line.step.clone(),
                runs => format!("{} (x{})", line.step, grouped(runs)),
            };
            let number = |n: u64| if n == 0 { "-".to_string() } else { grouped(n) };
            let seconds = match line.status {
                StepStatus::Skipped => "-".into(),
                _ => format!("{:.2}", line.seconds),
            };
            let Totals {
                rows,
                requests,
                retries,
            } = line.totals;
            [
                name,
                line.status.as_str().into(),
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
