//! Tables for people: columns of texts, and one that says how things stand.

use super::paint;

/// A table.
pub struct Table<'t> {
    pub header: &'t [&'t str],
    pub rows: &'t [Vec<String>],
    /// The column that says how things stand: it is coloured.
    pub status: usize,
    /// From this column on, texts stand at the right.
    pub right_from: usize,
}

impl Table<'_> {
    /// Returns the table as lines.
    pub fn render(&self, color: bool) -> String {
        let header: Vec<String> = self.header.iter().map(ToString::to_string).collect();
        let lines = || self.rows.iter().chain([&header]);
        let width = |at: usize| lines().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let cell = |row: &[String], at: usize| {
            let pad = " ".repeat(widths[at].saturating_sub(row[at].chars().count()));
            match at >= self.right_from {
                true => format!("{pad}{}", row[at]),
                false => format!("{}{pad}", row[at]),
            }
        };
        let line = |row: &[String], color: bool| {
            let cells = (0..row.len()).map(|at| match color && at == self.status {
                true => cell(row, at).replacen(&row[at], &paint(&row[at], shade(&row[at]), true), 1),
                false => cell(row, at),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
        };
        let mut out = vec![paint(&line(&header, false), "1", color)];
        out.extend(self.rows.iter().map(|row| line(row, color)));
        out.join("\n")
    }
}

fn shade(status: &str) -> &'static str {
    match status {
        "done" | "already done" => "32",
        "failed" | "crashed" => "31",
        _ => "33",
    }
}
