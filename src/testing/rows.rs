//! Rows of tables, compared with those that a test expects.

use sequor_planner::testing::RowValues;
use serde_json::Value as Json;

use super::{compare, yaml};
use crate::event::count;
use crate::value::{Row, Value};
use indexmap::IndexMap;

/// Lines of a difference that are shown.
const MOST_LINES: usize = 40;

/// What is not as expected.
#[derive(Debug, Default)]
pub struct RowDiff {
    pub missing: usize,
    pub unexpected: usize,
    /// What is missing with `-`, what is there instead with `+`.
    pub lines: Vec<String>,
}

impl RowDiff {
    /// Returns it in words.
    pub fn text(&self) -> String {
        let rows = |n: usize| count(n as u64, "row");
        match (self.missing, self.unexpected) {
            (0, unexpected) => format!("{} not expected", rows(unexpected)),
            (missing, 0) => format!("{} missing", rows(missing)),
            (missing, unexpected) => format!("{} missing, {unexpected} not expected", rows(missing)),
        }
    }
}

/// A row: its columns with their values.
pub type Cells = IndexMap<String, Value>;

/// Returns the cells of rows.
pub fn cells(rows: &[Row]) -> Vec<Cells> {
    let of = |row: &Row| {
        row.iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect()
    };
    rows.iter().map(of).collect()
}

/// Returns a column of a row, whatever the case of its name where it is not there to the letter.
pub fn cell<'r>(row: &'r Cells, name: &str) -> Option<&'r Value> {
    row.get(name).or_else(|| {
        let found = row.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    })
}

/// Returns the columns that expected rows name, in their order.
pub fn columns(expected: &[RowValues]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for name in expected.iter().flat_map(|row| row.keys()) {
        if !all.contains(&name.as_str()) {
            all.push(name);
        }
    }
    all
}

/// Returns a row on one line: these columns, or all.
pub fn line(row: &Cells, columns: &[&str]) -> String {
    match columns.is_empty() {
        true => yaml::entries(row.iter().map(|(name, value)| (name.as_str(), yaml::json(value)))),
        false => {
            let value = |name: &str| cell(row, name).map_or(Json::Null, yaml::json);
            yaml::entries(columns.iter().map(|name| (*name, value(name))))
        }
    }
}

fn is_row(expected: &RowValues, actual: &Cells) -> bool {
    let same =
        |name: &str, expected: &Json| cell(actual, name).is_some_and(|value| compare::same(expected, value));
    expected.iter().all(|(name, expected)| same(name, expected))
}

/// Compares rows, in whatever order they are; none where they are as expected. `exactly`: whether there may be no others.
pub fn diff(expected: &[RowValues], actual: &[Cells], exactly: bool) -> Option<RowDiff> {
    let mut left: Vec<Option<&Cells>> = actual.iter().map(Some).collect();
    let mut missing = Vec::new();
    for (at, row) in expected.iter().enumerate() {
        // Most rows are where they are expected.
        let is = |slot: &Option<&Cells>| slot.is_some_and(|actual| is_row(row, actual));
        let here = left.get(at).is_some_and(is).then_some(at);
        match here.or_else(|| left.iter().position(is)) {
            Some(found) => left[found] = None,
            None => missing.push(row),
        }
    }
    let mut unexpected: Vec<&Cells> = match exactly {
        true => left.into_iter().flatten().collect(),
        false => Vec::new(),
    };
    if missing.is_empty() && unexpected.is_empty() {
        return None;
    }
    let mut diff = RowDiff {
        missing: missing.len(),
        unexpected: unexpected.len(),
        lines: Vec::new(),
    };
    let columns = columns(expected);
    for row in missing {
        let text = yaml::entries(row.iter().map(|(name, value)| (name.as_str(), plain(value))));
        diff.lines.push(format!("- {text}"));
        // Beside the row that is most like it.
        let like = |actual: &&Cells| {
            let same = |(name, expected): (&String, &Json)| {
                cell(actual, name).is_some_and(|value| compare::same(expected, value))
            };
            row.iter().filter(|entry| same(*entry)).count()
        };
        let nearest = unexpected
            .iter()
            .enumerate()
            .max_by_key(|(at, row)| (like(row), usize::MAX - at));
        if let Some((at, likeness)) = nearest.map(|(at, row)| (at, like(row)))
            && likeness > 0
        {
            diff.lines
                .push(format!("+ {}", line(unexpected.remove(at), &columns)));
        }
    }
    diff.lines.extend(
        unexpected
            .into_iter()
            .map(|row| format!("+ {}", line(row, &columns))),
    );
    let more = diff.lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        diff.lines.truncate(MOST_LINES);
        diff.lines.push(format!("... and {more} lines more"));
    }
    Some(diff)
}

/// An expected value as it is shown: a date without its quotes of YAML's.
pub fn plain(value: &Json) -> Json {
    yaml::json(&Value::from(value))
}

/// Returns rows as CSV with these columns, or all.
pub fn csv(rows: &[Cells], columns: &[String]) -> String {
    let columns = or_all(rows, columns);
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes whatever is written.
    let _ = writer.write_record(&columns);
    for row in rows {
        let cells = columns.iter().map(|name| match cell(row, name).map(yaml::json) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text,
            Some(other) => other.to_string(),
        });
        let _ = writer.write_record(cells);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Returns rows as JSON lines with these columns, or all.
pub fn json_lines(rows: &[Cells], columns: &[String]) -> String {
    let columns = or_all(rows, columns);
    let line = |row: &Cells| {
        let cells = columns.iter().map(|name| {
            let value = cell(row, name).map_or(Json::Null, yaml::json);
            (name.clone(), value)
        });
        format!("{}\n", Json::Object(cells.collect()))
    };
    rows.iter().map(line).collect()
}

fn or_all(rows: &[Cells], columns: &[String]) -> Vec<String> {
    match (columns.is_empty(), rows.first()) {
        (true, Some(first)) => first.keys().cloned().collect(),
        _ => columns.to_vec(),
    }
}
