//! NUL in texts, which PostgreSQL does not hold: it says so, and not where.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use crate::error::{Error, ErrorKind, Result};

/// Looks for NUL in the texts of a batch, and in the JSON of its columns where it is an escape. `before`: rows of the load
/// that came before it; `is_json`: which columns hold JSON.
///
/// # Errors
/// The first, with table, column and row.
pub fn check(table: &str, batch: &RecordBatch, is_json: &[bool], before: u64) -> Result<()> {
    for (at, column) in batch.columns().iter().enumerate() {
        if *column.data_type() != DataType::Utf8 {
            continue;
        }
        let texts = column.as_string::<i32>();
        let json = is_json.get(at).copied().unwrap_or_default();
        // All texts of a column stand in one buffer: most have none.
        let data = texts.value_data();
        if !(data.contains(&0) || json && has_escape(data)) {
            continue;
        }
        for row in 0..texts.len() {
            let text = texts.value(row).as_bytes();
            if texts.is_valid(row) && (text.contains(&0) || json && has_escape(text)) {
                let message = format!(
                    "table `{table}`, column `{}`, row {}: the text has a NUL, which PostgreSQL does not hold",
                    batch.schema().field(at).name(),
                    before + row as u64 + 1
                );
                return Err(Error::new(ErrorKind::Value, message)
                    .help("`invalid_text: replace` or `strip` of the response takes it out"));
            }
        }
    }
    Ok(())
}

/// Whether JSON has a NUL as an escape.
fn has_escape(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        if json[at..].starts_with(b"\\u0000") {
            return true;
        }
        // What follows a backslash is not another.
        at = (at + 2).min(json.len());
    }
    false
}
