//! Tables from files: `<source>/<table>.csv`, `.jsonl` or `.parquet`, with the schema in front of the name where the flow names it.
//! What a CSV file's values are, they say themselves, all of a column together: a number that begins with 0 is a text.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use futures::{StreamExt, stream};
use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::batch::plain::{conformed, plain};
use crate::batch::quotes;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Rows, TableName};

/// The files that a table may have, in the order in which they count.
const EXTENSIONS: [&str; 3] = ["csv", "jsonl", "parquet"];

/// Returns the rows of a table's file; none where there is no such file.
///
/// # Errors
/// A file that can't be read.
pub async fn rows(folder: &Path, table: &TableName) -> Result<Option<Rows>> {
    let whole = table.to_string();
    for name in [whole.as_str(), table.table.as_str()] {
        for name in [name.to_string(), name.to_lowercase()] {
            for extension in EXTENSIONS {
                let file = folder.join(format!("{name}.{extension}"));
                if file.is_file() {
                    let read = read(&file, extension, true).await;
                    return read.map(Some).map_err(|e| e.context(file.display().to_string()));
                }
            }
        }
    }
    Ok(None)
}

/// Returns the rows of a file; its ending says what it is.
///
/// # Errors
/// A file that can't be read, or with another ending.
/// `needs_columns`: whether a file without any is an error.
pub async fn of_file(file: &Path, needs_columns: bool) -> Result<Rows> {
    let extension = file
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let read = match EXTENSIONS.contains(&extension) {
        true => read(file, extension, needs_columns).await,
        false => Err(Error::new(
            ErrorKind::Project,
            "a table's file ends in .csv, .jsonl or .parquet",
        )),
    };
    read.map_err(|e| e.context(file.display().to_string()))
}

/// Returns the rows of JSON lines. `needs_columns`: whether none is an error.
///
/// # Errors
/// Text that is no JSON.
pub fn of_json(text: &str, needs_columns: bool) -> Result<Rows> {
    of_columns(jsonl(text.as_bytes())?, needs_columns)
}

async fn read(file: &Path, extension: &str, needs_columns: bool) -> Result<Rows> {
    if extension == "parquet" {
        return parquet(file).await;
    }
    let text = std::fs::read(file)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let columns = match extension {
        "csv" => csv(text)?,
        _ => jsonl(text)?,
    };
    of_columns(columns, needs_columns)
}

fn of_columns(columns: IndexMap<String, Column>, needs_columns: bool) -> Result<Rows> {
    if columns.is_empty() && needs_columns {
        return Err(Error::new(ErrorKind::Data, "the file has no columns")
            .help("a CSV file names them in its first line, a JSON lines file has an object a line"));
    }
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, column) in columns {
        let (field, array) = column.typed(&name)?;
        fields.push(field);
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = match arrays.is_empty() {
        true => RecordBatch::new_empty(schema.clone()),
        false => RecordBatch::try_new(schema.clone(), arrays)?,
    };
    Ok(Rows {
        schema,
        batches: stream::iter([Ok(batch)]).boxed(),
    })
}

/// The values of a column, as texts.
#[derive(Default)]
struct Column {
    values: Vec<Option<String>>,
    /// Whether all of them are texts, whatever they look like.
    is_text: bool,
    /// Whether some of them are lists or objects.
    is_json: bool,
    /// Whether some of them are numbers as JSON writes them.
    has_numbers: bool,
}

impl Column {
    /// The column in the type that fits all of its values.
    fn typed(self, name: &str) -> Result<(Field, ArrayRef)> {
        let texts: ArrayRef = Arc::new(StringArray::from(self.values.clone()));
        let field = |kind: DataType| Field::new(name, kind, true);
        if self.is_json {
            return Ok((Logical::Json.mark(field(DataType::Utf8)), texts));
        }
        let given = || self.values.iter().flatten().map(String::as_str);
        let kind = match given().next() {
            None => DataType::Utf8,
            _ if given().all(is_date) => DataType::Date32,
            _ if given().all(|text| is_moment(text, true)) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            _ if given().all(|text| is_moment(text, false)) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            _ if self.is_text => DataType::Utf8,
            _ if given().all(|text| matches!(text, "true" | "false")) => DataType::Boolean,
            _ if given().all(|text| digits(text).is_some_and(|(whole, after)| after == 0 && whole <= 18)) => {
                DataType::Int64
            }
            _ if given().all(|text| digits(text).is_some()) => {
                let all = || given().filter_map(digits);
                let after = all().map(|(_, after)| after).max().unwrap_or_default();
                let whole = all().map(|(whole, _)| whole).max().unwrap_or_default();
                match whole + after <= 38 {
                    true => DataType::Decimal128(38, i8::try_from(after).unwrap_or_default()),
                    false => DataType::Utf8,
                }
            }
            _ if self.has_numbers && given().all(|text| text.parse::<f64>().is_ok()) => DataType::Float64,
            _ => DataType::Utf8,
        };
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let array = cast_with_options(&texts, &kind, &strict)?;
        Ok((field(kind), array))
    }
}

/// How many digits a number has in front of its point and behind it; none for what is no plain number.
fn digits(text: &str) -> Option<(usize, usize)> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, after) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && plain(whole) && plain(after) && !text.ends_with('.');
    // Postal codes and telephone numbers are none.
    let begins = whole.len() > 1 && whole.starts_with('0');
    (is_number && !begins).then_some((whole.len(), after.len()))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// `with_offset`: whether it says where on earth it is meant.
fn is_moment(text: &str, with_offset: bool) -> bool {
    let text = text.replacen(' ', "T", 1);
    match with_offset {
        true => chrono::DateTime::parse_from_rfc3339(&text).is_ok(),
        false => chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").is_ok(),
    }
}

fn csv(text: &[u8]) -> Result<IndexMap<String, Column>> {
    let of_file = |e: Error| {
        e.map_text(|text| text.replace("the response", "the file"))
            .replace_help("close each quote, and write one inside of quotes twice")
    };
    quotes::check(text, b',', b'"', None).map_err(of_file)?;
    let bad = |e: csv::Error| Error::new(ErrorKind::Data, format!("this is no good CSV: {e}"));
    let mut reader = csv::Reader::from_reader(text);
    let names = reader.headers().map_err(bad)?.clone();
    let mut columns: IndexMap<String, Column> = IndexMap::new();
    for name in names.iter().filter(|_| names.as_slice() != "") {
        if columns.insert(name.to_string(), Column::default()).is_some() {
            let message = format!("the column `{name}` is there twice");
            return Err(Error::new(ErrorKind::Data, message));
        }
    }
    for record in reader.records() {
        let record = record.map_err(bad)?;
        for ((_, column), value) in columns.iter_mut().zip(&record) {
            column.values.push((!value.is_empty()).then(|| value.to_string()));
        }
    }
    Ok(columns)
}

fn jsonl(text: &[u8]) -> Result<IndexMap<String, Column>> {
    let text = std::str::from_utf8(text)
        .map_err(|e| Error::new(ErrorKind::Data, format!("this is no UTF-8: {e}")))?;
    let mut columns: IndexMap<String, Column> = IndexMap::new();
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    for (rows, (number, line)) in lines.enumerate() {
        let object: IndexMap<String, &RawValue> = serde_json::from_str(line).map_err(|e| {
            let message = format!("line {} is no JSON object: {e}", number + 1);
            Error::new(ErrorKind::Data, message)
        })?;
        for (name, raw) in object {
            let column = columns.entry(name).or_insert_with(|| Column {
                values: vec![None; rows],
                ..Column::default()
            });
            let raw = raw.get();
            column.values.push(match raw.as_bytes().first() {
                Some(b'n') => None,
                Some(b'"') => {
                    column.is_text = true;
                    serde_json::from_str(raw).ok()
                }
                Some(b'{' | b'[') => {
                    column.is_json = true;
                    Some(raw.to_string())
                }
                first => {
                    column.has_numbers |= !matches!(first, Some(b't' | b'f'));
                    Some(raw.to_string())
                }
            });
        }
        for column in columns.values_mut().filter(|column| column.values.len() <= rows) {
            column.values.push(None);
        }
    }
    Ok(columns)
}

async fn parquet(file: &Path) -> Result<Rows> {
    let failed = |e: datafusion::error::DataFusionError| Error::new(ErrorKind::Data, e.to_string());
    let context = SessionContext::new();
    let path = file.to_string_lossy();
    let frame = context
        .read_parquet(path.as_ref(), ParquetReadOptions::default())
        .await;
    let stream = frame.map_err(failed)?.execute_stream().await.map_err(failed)?;
    let fields = stream.schema();
    let fields = fields.fields().iter().map(|field| {
        let field = field.as_ref().clone();
        let to = plain(field.data_type());
        field.with_data_type(to).with_nullable(true)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let to = schema.clone();
    let batches = stream.map(move |batch| {
        let batch = batch.map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?;
        Ok(conformed(&batch, &to)?)
    });
    Ok(Rows {
        schema,
        batches: batches.boxed(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn types(columns: IndexMap<String, Column>) -> Vec<DataType> {
        let typed = columns
            .into_iter()
            .map(|(name, column)| column.typed(&name).unwrap().0);
        typed.map(|field| field.data_type().clone()).collect()
    }

    #[test]
    fn values_say_what_they_are() {
        let text = b"code,n,price,day,at,moment,ok,none\n007,1,10.10,2026-01-02,2026-01-02 03:04:05,2026-01-02T03:04:05+02:00,true,\n010,-20,3,2026-01-03,2026-01-02 03:04:05.5,2026-01-02T03:04:05Z,false,\n";
        let micro = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        assert_eq!(
            types(csv(text).unwrap()),
            [
                DataType::Utf8,
                DataType::Int64,
                DataType::Decimal128(38, 2),
                DataType::Date32,
                micro(None),
                micro(Some("UTC")),
                DataType::Boolean,
                DataType::Utf8
            ]
        );
        let text =
            b"{\"id\": 12345678901234567890, \"name\": \"7\", \"tags\": [1]}\n{\"id\": 1, \"more\": 1.5}\n";
        assert_eq!(
            types(jsonl(text).unwrap()),
            [
                DataType::Decimal128(38, 0),
                DataType::Utf8,
                DataType::Utf8,
                DataType::Decimal128(38, 1)
            ]
        );
        assert!(csv(b"a,b\n1,\"x\n2,3\n").is_err());
        assert!(csv(b"a,a\n1,2\n").is_err());
        assert!(jsonl(b"{\"a\": 1}\n{\"a\": }\n").is_err());
    }
}
