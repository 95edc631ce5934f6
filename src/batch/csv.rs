//! CSV (RFC 4180) to rows of a batch. The first line names the columns; every value is text, and an empty one is null.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord};
use sequor_planner::ops::{Csv, Header};
use serde_json::{Map, Value as Json};

use super::builder::BatchBuilder;
use super::cell::Cell;
use super::quotes;
use super::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};

/// Appends the rows of a CSV text. The number of rows.
pub fn append_rows(
    text: &[u8],
    written: Option<&Csv>,
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<u64> {
    let standard = Csv::default();
    let written = written.unwrap_or(&standard);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = without_lines(text, written.skip_rows);
    let byte = |sign: char| u8::try_from(u32::from(sign)).unwrap_or(b',');
    let delimiter = written.delimiter.map_or_else(|| delimiter(text), byte);
    let quote = written.quote.map_or(b'"', byte);
    let escape = written.escape.filter(|escape| byte(*escape) != quote).map(byte);
    quotes::check(text, delimiter, quote, escape)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quote(quote)
        .escape(escape)
        .double_quote(escape.is_none())
        .has_headers(written.header == Header::FirstLine)
        .from_reader(text);
    let bad = |e: &csv::Error| Error::new(ErrorKind::Data, format!("the response is not good CSV: {e}"));
    let names = match &written.header {
        Header::FirstLine => reader.headers().map_err(|e| bad(&e))?.clone(),
        Header::Names(names) => names.iter().collect(),
        // As the first record has them.
        Header::None => {
            let width = reader.headers().map_err(|e| bad(&e))?.len();
            (1..=width).map(|number| format!("column_{number}")).collect()
        }
    };
    if let Some(twice) = names
        .iter()
        .enumerate()
        .find(|(at, name)| names.iter().take(*at).any(|n| n == *name))
    {
        let message = format!("the CSV of the response has two columns `{}`", twice.1);
        return Err(Error::new(ErrorKind::Data, message));
    }
    let columns: Vec<Vec<usize>> = match target {
        // The columns stand for the values in their order.
        RowTarget::Typed(builder) if written.header == Header::None => {
            let mut columns: Vec<Vec<usize>> = builder.keys().map(|(at, _)| vec![at]).collect();
            columns.resize(names.len().max(columns.len()), Vec::new());
            columns
        }
        RowTarget::Typed(builder) => {
            let columns = |(at, name): (usize, &str)| {
                let others = builder
                    .nested(name)
                    .map(|nested| nested.iter().map(|(at, _)| *at).collect());
                let others: Vec<usize> = others.unwrap_or_default();
                builder.column(name, at).into_iter().chain(others).collect()
            };
            names.iter().enumerate().map(columns).collect()
        }
        RowTarget::Open(_) => Vec::new(),
    };
    let mut record = StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(|e| bad(&e))? {
        if record.len() > names.len() {
            let line = record.position().map_or(0, csv::Position::line);
            let message = format!(
                "the response is not good CSV: line {line} has {} values for {} columns",
                record.len(),
                names.len()
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        match target {
            RowTarget::Typed(builder) => {
                for (columns, value) in columns.iter().zip(&record) {
                    for column in columns {
                        let cell = match value {
                            "" => Cell::Null,
                            value => Cell::Text(Cow::Borrowed(value)),
                        };
                        builder.set(*column, cell)?;
                    }
                }
                builder.end_row()?;
                if builder.is_full() {
                    full(builder)?;
                }
            }
            RowTarget::Open(spool) => {
                let value = |value: &str| match value {
                    "" => Json::Null,
                    value => Json::from(value),
                };
                let object: Map<String, Json> = names
                    .iter()
                    .zip(&record)
                    .map(|(name, v)| (name.to_string(), value(v)))
                    .collect();
                spool.push(Json::Object(object).to_string().as_bytes())?;
            }
        }
        rows += 1;
    }
    Ok(rows)
}

/// The text behind its first lines.
fn without_lines(mut text: &[u8], lines: u64) -> &[u8] {
    for _ in 0..lines {
        let end = text.iter().position(|byte| *byte == b'\n');
        text = end.map_or(&[], |end| &text[end + 1..]);
    }
    text
}

/// What stands between the names of the first line: comma, semicolon, tab or bar, whichever is there most.
fn delimiter(text: &[u8]) -> u8 {
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            byte => counts
                .iter_mut()
                .filter(|(d, _)| d == byte)
                .for_each(|(_, n)| *n += 1),
        }
    }
    // Of equals, the first that is listed.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, n)| *n)
        .map_or(b',', |(d, _)| *d)
}

#[cfg(test)]
mod tests {
    use super::delimiter;

    #[test]
    fn delimiters() {
        assert_eq!(delimiter(b"a,b;c,d\n1;2;3;4;5"), b',');
        assert_eq!(delimiter(b"a;\"b,c,d\";e\n"), b';');
        assert_eq!(delimiter(b"a\tb\n"), b'\t');
        assert_eq!(delimiter(b"a|b"), b'|');
        assert_eq!(delimiter(b"a"), b',');
        assert_eq!(delimiter(b""), b',');
    }
}
