//! What came out of a dry run, in words.

use std::fmt::Write;

use super::table::Table;
use super::{count, grouped, paint};
use crate::event::{DryReport, DryTable, TableDiff, Written};

/// Characters of a value, and of a body, that are shown.
const MOST: usize = 120;

/// Columns of a preview that are shown.
const COLUMNS: usize = 8;

/// Returns what came out as text.
pub fn dry_run(report: &DryReport, color: bool) -> String {
    let mut out = String::from("\nDry run: nothing was changed outside of it.\n");
    let title = |out: &mut String, text: &str| {
        let _ = writeln!(out, "\n{}", paint(text, "1", color));
    };
    if !report.tables.is_empty() {
        title(&mut out, "Tables that would change");
        report.tables.iter().for_each(|table| one(&mut out, table, color));
    }
    if !report.findings.requests.is_empty() {
        title(&mut out, "Requests that were not sent");
    }
    for (step, unsent) in &report.findings.requests {
        let methods: Vec<String> = unsent
            .methods
            .iter()
            .map(|(method, n)| format!("{n} {method}"))
            .collect();
        let _ = writeln!(out, "  {step}: {}", methods.join(", "));
        for example in &unsent.examples {
            let _ = writeln!(out, "    {} {}", example.method, example.url);
            if let Some(body) = example.body.as_deref().filter(|body| !body.is_empty()) {
                let _ = writeln!(out, "      {}", cut(body));
            }
        }
        let more = unsent.count.saturating_sub(unsent.examples.len() as u64);
        if more > 0 {
            let _ = writeln!(out, "    ... and {more} more");
        }
    }
    if !report.findings.not_tried.is_empty() {
        title(&mut out, "Steps that were not tried");
    }
    for (step, because) in &report.findings.not_tried {
        let _ = writeln!(out, "  {step}: {because}");
    }
    if !report.findings.missing.is_empty() || !report.notes.is_empty() {
        title(&mut out, "Good to know");
    }
    for note in &report.notes {
        let _ = writeln!(out, "  {note}");
    }
    if !report.findings.missing.is_empty() {
        let names: Vec<&str> = report.findings.missing.iter().map(String::as_str).collect();
        let _ = writeln!(out, "  not set: {}", names.join(", "));
    }
    out.trim_end_matches('\n').to_string()
}

fn one(out: &mut String, table: &DryTable, color: bool) {
    let rows = count(table.rows, "row");
    let what = match table.how {
        Written::Created => format!("created, {rows}"),
        Written::Replaced => format!("replaced, {rows}"),
        Written::Appended => format!("appended, {} new, {rows} in all", table.new),
        Written::Upserted => format!(
            "upserted, {} new, {} changed, {rows} in all",
            table.new, table.changed
        ),
        Written::RangeReplaced => format!("range replaced, by {}, {rows} in all", count(table.new, "row")),
        Written::Changed => format!("changed, {rows}"),
        Written::Dropped => "dropped".to_string(),
    };
    let _ = writeln!(out, "  {}.{}: {what}", table.source, table.table);
    if let Some(found) = &table.diff {
        diff(out, found);
    }
    if table.preview.is_empty() {
        return;
    }
    let shown = table.columns.len().min(COLUMNS);
    let header: Vec<&str> = table.columns.iter().take(shown).map(String::as_str).collect();
    let rows: Vec<Vec<String>> = table
        .preview
        .iter()
        .map(|row| {
            let cells = row.iter().take(shown);
            cells
                .map(|cell| cell.as_deref().map_or_else(|| "NULL".into(), cut))
                .collect()
        })
        .collect();
    let drawn = Table {
        header: &header,
        rows: &rows,
        status: usize::MAX,
        right_from: usize::MAX,
    };
    for line in drawn.render(color).lines() {
        let _ = writeln!(out, "    {line}");
    }
    if table.columns.len() > shown {
        let _ = writeln!(
            out,
            "    ... and {}",
            count((table.columns.len() - shown) as u64, "column")
        );
    }
}

fn diff(out: &mut String, diff: &TableDiff) {
    let by = match diff.key.is_empty() {
        true => "by whole rows".to_string(),
        false => format!("by {}", diff.key.join(", ")),
    };
    let _ = write!(
        out,
        "    beside the table as it is now, {by}: {} added, {} removed",
        grouped(diff.added),
        grouped(diff.removed)
    );
    if !diff.key.is_empty() {
        let _ = write!(out, ", {} changed", grouped(diff.changed));
    }
    let columns: Vec<String> = diff
        .columns
        .iter()
        .map(|change| format!("{} in {}", change.column, count(change.rows, "row")))
        .collect();
    if !columns.is_empty() {
        let _ = write!(out, " ({})", columns.join(", "));
    }
    for (what, names) in [
        ("new columns", &diff.new_columns),
        ("columns that are gone", &diff.lost_columns),
    ] {
        if !names.is_empty() {
            let _ = write!(out, "; {what}: {}", names.join(", "));
        }
    }
    let types: Vec<String> = diff
        .types
        .iter()
        .map(|change| format!("{} from {} to {}", change.column, change.before, change.after))
        .collect();
    if !types.is_empty() {
        let _ = write!(out, "; other types: {}", types.join(", "));
    }
    out.push('\n');
}

fn cut(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
