//! Tables, beside those that a test expects.

use std::path::PathBuf;

use sequor_planner::Place;
use sequor_planner::testing::{ExpectedRows, ExpectedTable, NoRows, RowValues};

use super::Findings;
use crate::engine::{collect, named_table, table_of_file};
use crate::error::Result;
use crate::event::{TestFailure, count};
use crate::testing::case::{failure, of_error};
use crate::testing::rows::{self, Cells, RowDiff};
use crate::testing::update::{Edit, NewValue};
use crate::testing::yaml;

impl Findings<'_> {
    /// The rows of a table as the run left it; none where it is not there.
    pub(super) async fn rows(&self, source: &str, name: &str) -> Result<Option<Vec<Cells>>> {
        // What the flow never opened has nothing.
        let Some(database) = self.dry_run.database(source) else {
            return Ok(None);
        };
        let table = named_table(&*database, None, None, name)?;
        match database.columns(&table).await? {
            None => Ok(None),
            Some(_) => collect(database.scan(&table).await?)
                .await
                .map(|rows| Some(rows::cells(&rows))),
        }
    }

    pub(super) async fn table(&mut self, expected: &ExpectedTable) {
        let (table, place) = (&expected.table, &expected.table.place);
        let rows = match self.rows(&table.source, &table.name).await {
            Ok(rows) => rows,
            Err(error) => return self.failures.push(of_error(&error)),
        };
        let Some(rows) = rows else {
            if !expected.absent {
                self.fail(format!("table {table} is not there"), Vec::new(), place);
            }
            return;
        };
        if expected.absent {
            let text = format!("table {table} must not be there, and has {} rows", rows.len());
            return self.fail(text, Vec::new(), place);
        }
        if let Some((count, key)) = &expected.row_count
            && *count != rows.len() as u64
        {
            let lines = vec![format!("- {count}"), format!("+ {}", rows.len())];
            self.fail(
                format!("table {table}: {} rows where {count} are expected", rows.len()),
                lines,
                key,
            );
            self.set(key, NewValue::Inline(rows.len().to_string()));
        }
        match &expected.rows {
            None => {}
            Some(ExpectedRows::Inline(wanted, key)) => {
                if let Some(diff) = self.differ(&table.to_string(), wanted, &rows, place) {
                    let columns = rows::columns(wanted);
                    let lines = rows.iter().map(|row| rows::line(row, &columns)).collect();
                    self.failures.push(diff);
                    self.set(key, NewValue::List(lines));
                }
            }
            Some(ExpectedRows::File(path, key)) => self.file(&table.to_string(), (path, key), &rows).await,
        }
        if let Some(diff) = rows::diff(&expected.contains, &rows, false) {
            self.fail(format!("table {table}: {}", diff.text()), diff.lines, place);
        }
    }

    /// The failure that rows are not those that are expected.
    pub(super) fn differ(
        &self,
        what: &str,
        wanted: &[RowValues],
        rows: &[Cells],
        place: &Place,
    ) -> Option<TestFailure> {
        let columns = rows::columns(wanted);
        if let Some(first) = rows.first()
            && let Some(unknown) = columns.iter().find(|name| rows::cell(first, name).is_none())
        {
            let known: Vec<&str> = first.keys().map(String::as_str).collect();
            let message = format!(
                "table {what} has no column `{unknown}`: it has {}",
                known.join(", ")
            );
            return Some(failure(message, Some(place)));
        }
        let diff: RowDiff = rows::diff(wanted, rows, true)?;
        let message = format!("table {what}: {}", diff.text());
        Some(TestFailure {
            detail: diff.lines,
            ..failure(message, Some(place))
        })
    }

    async fn file(&mut self, what: &str, (path, key): (&str, &Place), rows: &[Cells]) {
        let file = self.file.folder().join(path);
        let wanted = match table_of_file(&file, false).await {
            Ok(wanted) => collect(wanted).await,
            Err(error) => Err(error),
        };
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => {
                if !file.exists() {
                    self.save(file, rows, &[]);
                }
                return self.failures.push(TestFailure {
                    place: Some(key.clone()),
                    ..of_error(&error)
                });
            }
        };
        let wanted = rows::cells(&wanted);
        let columns: Vec<String> = wanted
            .first()
            .map_or_else(Vec::new, |row| row.keys().cloned().collect());
        let values = wanted.iter().map(|row| {
            row.iter()
                .map(|(name, value)| (name.clone(), yaml::json(value)))
                .collect()
        });
        let values: Vec<RowValues> = values.collect();
        if let Some(diff) = self.differ(what, &values, rows, key) {
            self.failures.push(diff);
            self.save(file, rows, &columns);
        }
    }

    /// Notes what a file would hold; Parquet is not written.
    fn save(&mut self, path: PathBuf, rows: &[Cells], columns: &[String]) {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => rows::csv(rows, columns),
            Some("jsonl") => rows::json_lines(rows, columns),
            _ => return,
        };
        self.edits.push(Edit::File { path, text });
    }

    pub(super) async fn no_rows(&mut self, query: &NoRows) {
        let Some(database) = self.dry_run.database(&query.source) else {
            return;
        };
        let rows = match database.query(&query.sql).await {
            Ok(rows) => collect(rows).await.map(|rows| rows::cells(&rows)),
            Err(error) => Err(error),
        };
        match rows {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                let lines = rows
                    .iter()
                    .take(20)
                    .map(|row| format!("+ {}", rows::line(row, &[])));
                let text = format!("the query of `no_rows` gives {}", count(rows.len() as u64, "row"));
                self.fail(text, lines.collect(), &query.place);
            }
            Err(error) => {
                self.failures.push(TestFailure {
                    place: Some(query.place.clone()),
                    ..of_error(&error)
                });
            }
        }
    }
}
