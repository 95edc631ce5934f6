//! The rows of a response, in whichever format it is written.

use sequor_planner::ops::{Csv, DataPath, RowFormat};

use super::builder::BatchBuilder;
use super::json::Listed;
use super::target::RowTarget;
use super::{csv, json, jsonpath, xml};
use crate::error::{Error, ErrorKind, Result};

/// Appends the rows at `path` of a text in UTF-8, and counts them.
///
/// `full` is called whenever a batch is full.
pub fn append(
    text: &[u8],
    format: RowFormat,
    csv: Option<&Csv>,
    path: &DataPath,
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<Listed> {
    let counted = |rows: Result<u64>| rows.map(|rows| Listed { rows, span: None });
    match (format, path) {
        (RowFormat::Json, DataPath::Steps(steps)) => json::append_rows(text, steps, target, full),
        (RowFormat::Json, DataPath::JsonPath(path)) => counted(found(text, path, target, full)),
        (RowFormat::Jsonl, path) => counted(lines(text, path, target, full)),
        (RowFormat::Csv, DataPath::Steps(steps)) if steps.is_empty() => {
            counted(csv::append_rows(text, csv, target, full))
        }
        (RowFormat::Csv, _) => Err(
            Error::new(ErrorKind::Data, "the response is CSV, which has no paths")
                .help("leave `data_path` out, or write `$`: all lines are rows"),
        ),
        (RowFormat::Xml, DataPath::Steps(steps)) => {
            let rows = xml::rows_at(xml::to_json(text)?, steps)?;
            let listed = json::append_rows(rows.to_string().as_bytes(), &[], target, full)?;
            counted(Ok(listed.rows))
        }
        (RowFormat::Xml, DataPath::JsonPath(path)) => {
            let json = xml::to_json(text)?.to_string();
            counted(found(json.as_bytes(), path, target, full))
        }
    }
}

fn found(
    text: &[u8],
    path: &str,
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<u64> {
    let objects = jsonpath::find(text, path)?;
    for object in &objects {
        if !object.starts_with(b"{") {
            let message = format!(
                "`{path}` finds {} where rows must be objects",
                crate::exchange::excerpt(object)
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        json::append_object(object, target, full)?;
    }
    Ok(objects.len() as u64)
}

/// JSON lines: a value in each line; blank lines say nothing.
fn lines(
    text: &[u8],
    path: &DataPath,
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<u64> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut rows = 0;
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let appended = match path {
            DataPath::Steps(steps) if steps.is_empty() => json::append_object(line, target, full).map(|()| 1),
            DataPath::Steps(steps) => json::append_rows(line, steps, target, full).map(|listed| listed.rows),
            DataPath::JsonPath(path) => found(line, path, target, full),
        };
        rows += appended.map_err(|e| e.context(format!("line {} of the response", number + 1)))?;
    }
    Ok(rows)
}
