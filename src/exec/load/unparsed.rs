//! Values whose text we can't read for their columns: the database reads them, all of a batch in one statement.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};

use crate::batch::builder::UnparsedText;
use crate::batch::column::Column;
use crate::batch::values::patch;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Database;

/// Rows on their way to a table.
pub struct Batch {
    pub rows: RecordBatch,
    /// What the database has to read first.
    pub unparsed: Vec<UnparsedText>,
}

/// Returns the rows with everything read. `table` is for messages.
///
/// # Errors
/// A text that is none of its column's type: names table, column, row and value.
pub async fn read(
    database: &dyn Database,
    table: &str,
    columns: &[Column],
    batch: Batch,
) -> Result<RecordBatch> {
    let Batch { rows, unparsed } = batch;
    if unparsed.is_empty() {
        return Ok(rows);
    }
    let mut arrays: Vec<ArrayRef> = rows.columns().to_vec();
    for (at, column) in columns.iter().enumerate() {
        let mut mine: Vec<&UnparsedText> = unparsed.iter().filter(|o| o.column == at).collect();
        if mine.is_empty() {
            continue;
        }
        mine.sort_by_key(|o| o.row);
        let texts: Vec<String> = mine.iter().map(|o| o.text.clone()).collect();
        let read = match database.read_texts(column, &texts).await {
            Ok(read) => read,
            Err(error) => return Err(first_unreadable(database, table, column, &mine, error).await),
        };
        // No text is read as null.
        if let Some(at) = read.iter().position(Option::is_none) {
            return Err(misfit(
                table,
                column,
                mine.get(at).copied(),
                " (the database makes null of it)",
            ));
        }
        let placed: Vec<(usize, Option<String>)> = mine.iter().map(|o| o.row).zip(read).collect();
        let values = patch(column, rows.num_rows(), &placed).map_err(|(which, reason)| {
            let unparsed = mine.get(which).or(mine.first());
            misfit(table, column, unparsed.copied(), &reason)
        })?;
        let mut mask = vec![false; rows.num_rows()];
        placed.iter().for_each(|(row, _)| mask[*row] = true);
        arrays[at] = arrow::compute::kernels::zip::zip(&BooleanArray::from(mask), &values, &arrays[at])?;
    }
    Ok(RecordBatch::try_new(rows.schema(), arrays)?)
}

/// The error of the first text that the database does not read.
async fn first_unreadable(
    database: &dyn Database,
    table: &str,
    column: &Column,
    unparsed: &[&UnparsedText],
    all: Error,
) -> Error {
    if matches!(
        all.kind(),
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Broken
    ) {
        return all;
    }
    // Halved: a batch may hold thousands.
    let mut range = unparsed;
    let mut error = all;
    while range.len() > 1 {
        let (left, right) = range.split_at(range.len() / 2);
        let texts: Vec<String> = left.iter().map(|o| o.text.clone()).collect();
        range = match database.read_texts(column, &texts).await {
            Ok(_) => right,
            Err(found) => {
                error = found;
                left
            }
        };
    }
    let advice = advice(column);
    let says = format!("{advice} (the database says: {})", error.message());
    misfit(table, column, range.first().copied(), "").replace_help(says)
}

fn misfit(table: &str, column: &Column, unparsed: Option<&UnparsedText>, reason: &str) -> Error {
    let (row, shown) = unparsed.map_or((0, ""), |unparsed| (unparsed.number, unparsed.shown.as_str()));
    let message = format!(
        "table `{table}`, column `{}`, row {row}: {shown} does not fit `{}`{reason}",
        column.name, column.column_type.sql
    );
    Error::new(ErrorKind::Value, message).help(advice(column))
}

fn advice(column: &Column) -> String {
    format!(
        "give column `{}` a wider type, such as text, or change the value in `data_expression`",
        column.name
    )
}
