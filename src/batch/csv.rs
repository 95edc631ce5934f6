//! CSV (RFC 4180) to rows of a batch. The first line names the columns; every value is text, and an empty one is null.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value as Json};

use super::builder::BatchBuilder;
use super::cell::Cell;
use super::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};

/// Appends the rows of a CSV text. The number of rows.
pub fn append_rows(
    text: &[u8],
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<u64> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter(text)).from_reader(text);
    let bad = |e: &csv::Error| Error::new(ErrorKind::Data, format!("the response is not good CSV: {e}"));
    let names = reader.headers().map_err(|e| bad(&e))?.clone();
    if let Some(twice) = names
        .iter()
        .enumerate()
        .find(|(at, name)| names.iter().take(*at).any(|n| n == *name))
    {
        let message = format!("the CSV of the response has two columns `{}`", twice.1);
        return Err(Error::new(ErrorKind::Data, message));
    }
    let columns: Vec<Option<usize>> = match target {
        RowTarget::Typed(builder) => {
            let column = |(at, name): (usize, &str)| builder.column(name, at);
            names.iter().enumerate().map(column).collect()
        }
        RowTarget::Open(_) => Vec::new(),
    };
    let mut record = StringRecord::new();
    let mut rows = 0;
    let mut last = 0;
    while reader.read_record(&mut record).map_err(|e| bad(&e))? {
        last = record.position().map_or(last, |position| position.byte());
        match target {
            RowTarget::Typed(builder) => {
                for (column, value) in columns.iter().zip(&record) {
                    let Some(column) = column else { continue };
                    let cell = match value {
                        "" => Cell::Null,
                        value => Cell::Text(Cow::Borrowed(value)),
                    };
                    builder.set(*column, cell)?;
                }
                builder.end_row();
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
    let tail = text.get(usize::try_from(last).unwrap_or(0)..).unwrap_or_default();
    if is_open(tail, delimiter(text)) {
        let message = "the response is not good CSV: its last record has a quote that does not end";
        return Err(Error::new(ErrorKind::Data, message));
    }
    Ok(rows)
}

/// Whether a record ends inside of quotes, as one that was cut off does.
fn is_open(record: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut starts) = (false, true);
    for byte in record {
        match byte {
            b'"' if quoted || starts => (quoted, starts) = (!quoted, quoted),
            byte => starts = !quoted && (*byte == delimiter || *byte == b'\n'),
        }
    }
    quoted
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
    use super::{delimiter, is_open};

    #[test]
    fn quotes_that_do_not_end() {
        assert!(is_open(b"1,\"Ann\n2,B\n", b','));
        assert!(is_open(b"\"a\"\"", b','));
        assert!(!is_open(b"1,\"A \"\"b\"\"\",\"\"\n", b','));
        assert!(!is_open(b"1,5\" pipe\n", b','));
        assert!(!is_open(b"", b','));
    }

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
