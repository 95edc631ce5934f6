//! JSON text to rows of a batch, without a tree in between.

use std::borrow::Cow;
use std::ops::Range;

use jiter::{Jiter, JiterError, Peek};
use sequor_planner::expr::PathStep;

use super::builder::BatchBuilder;
use super::cell::Cell;
use super::compact::compact;
use super::field::Nested;
use super::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::excerpt;

/// The rows of a list, as they were counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    pub rows: u64,
    /// Where the list stands in the text, where it is one.
    pub span: Option<Range<usize>>,
}

/// Appends the rows found at `path` of a JSON text: a list of objects, or null for none.
///
/// `full` is called whenever a batch is full, so that a large response does not become a large batch.
pub fn append_rows(
    text: &[u8],
    path: &[PathStep],
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<Listed> {
    // Documents may end in white space or start with a byte order mark.
    let (text, before) = without_mark(text);
    let mut json = reader(text);
    let mut rows = 0;
    let at = Location { text, path };
    let first = json.peek().map_err(|e| at.not_json(&e))?;
    at.descend(&mut json, first)?;
    let found = json.peek().map_err(|e| at.not_json(&e))?;
    let start = json.current_index();
    if found == Peek::Null {
        json.known_null().map_err(|e| at.not_json(&e))?;
        at.finish(&mut json)?;
        return Ok(Listed::default());
    }
    if found != Peek::Array {
        return Err(at.wrong_shape("a list of objects", found));
    }
    let mut item = json.known_array().map_err(|e| at.not_json(&e))?;
    while let Some(peek) = item {
        if peek != Peek::Object {
            return Err(at.wrong_shape("an object in each item of the list", peek));
        }
        match target {
            RowTarget::Typed(builder) => {
                row(&mut json, &at, builder)?;
                if builder.is_full() {
                    full(builder)?;
                }
            }
            RowTarget::Open(spool) => {
                let start = json.current_index();
                json.known_skip(peek).map_err(|e| at.not_json(&e))?;
                spool.push(json.slice_to_current(start))?;
            }
        }
        rows += 1;
        item = json.array_step().map_err(|e| at.not_json(&e))?;
    }
    let span = start + before..json.current_index() + before;
    at.finish(&mut json)?;
    Ok(Listed {
        rows,
        span: Some(span),
    })
}

/// Counts what a list at `path` of a JSON text holds, whatever it is; none when no list is there, or the text is no good
/// JSON. What is null or absent has none.
pub fn count(text: &[u8], path: &[PathStep]) -> Option<Listed> {
    let (text, before) = without_mark(text);
    let mut json = reader(text);
    let at = Location { text, path };
    let first = json.peek().ok()?;
    if at.descend(&mut json, first).is_err() {
        return reader(text).next_skip().ok().map(|()| Listed::default());
    }
    let start = json.current_index();
    let mut rows = 0;
    match json.peek().ok()? {
        Peek::Null => json.known_null().ok()?,
        Peek::Array => {
            let mut item = json.known_array().ok()?;
            while let Some(peek) = item {
                json.known_skip(peek).ok()?;
                rows += 1;
                item = json.array_step().ok()?;
            }
        }
        _ => return None,
    }
    Some(Listed {
        rows,
        span: Some(start + before..json.current_index() + before),
    })
}

/// A reader of JSON as Python reads it: NaN and Infinity are numbers.
pub fn reader(text: &[u8]) -> Jiter<'_> {
    Jiter::new(text).with_allow_inf_nan()
}

/// The text without its byte order mark, and how long that is.
fn without_mark(text: &[u8]) -> (&[u8], usize) {
    match text.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, 3),
        None => (text, 0),
    }
}

/// Reads what stands at `path` of a JSON text with `read`; none when nothing does, or the text is no good JSON.
pub fn read_at<T>(
    text: &[u8],
    path: &[PathStep],
    read: impl FnOnce(&mut Jiter<'_>) -> Option<T>,
) -> Option<T> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut json = reader(text);
    let at = Location { text, path };
    let first = json.peek().ok()?;
    at.descend(&mut json, first).ok()?;
    let value = read(&mut json)?;
    at.finish(&mut json).ok()?;
    Some(value)
}

/// Appends one row: the text of a JSON object.
pub fn append_object(
    text: &[u8],
    target: &mut RowTarget,
    full: &mut dyn FnMut(&mut BatchBuilder) -> Result<()>,
) -> Result<()> {
    match target {
        RowTarget::Typed(builder) => {
            fill_row(text, builder)?;
            if builder.is_full() {
                full(builder)?;
            }
            Ok(())
        }
        RowTarget::Open(spool) => {
            let mut json = reader(text);
            let at = Location { text, path: &[] };
            match json.peek().map_err(|e| at.not_json(&e))? {
                Peek::Object => {}
                other => return Err(at.wrong_shape("an object", other)),
            }
            json.next_skip().map_err(|e| at.not_json(&e))?;
            json.finish().map_err(|e| at.not_json(&e))?;
            spool.push(text)
        }
    }
}

/// Fills one row from the text of a JSON object.
pub fn fill_row(text: &[u8], builder: &mut BatchBuilder) -> Result<()> {
    let mut json = reader(text);
    let at = Location { text, path: &[] };
    match json.peek().map_err(|e| at.not_json(&e))? {
        Peek::Object => row(&mut json, &at, builder)?,
        other => return Err(at.wrong_shape("an object", other)),
    }
    json.finish().map_err(|e| at.not_json(&e))
}

fn row(json: &mut Jiter<'_>, at: &Location<'_>, builder: &mut BatchBuilder) -> Result<()> {
    let mut guess = 0;
    let mut key = json.known_object().map_err(|e| at.not_json(&e))?;
    while let Some(name) = key {
        let column = builder.column(name, guess);
        let nested = builder.nested(name);
        match column {
            _ if let Some(nested) = nested => {
                let peek = json.peek().map_err(|e| at.not_json(&e))?;
                let start = json.current_index();
                json.known_skip(peek).map_err(|e| at.not_json(&e))?;
                let raw = json.slice_to_current(start);
                if let Some(column) = column {
                    guess = column + 1;
                    set_text(raw, column, builder)?;
                }
                set_nested(raw, &nested, builder)?;
            }
            Some(column) => {
                guess = column + 1;
                value(json, at, column, builder)?;
            }
            None => json.next_skip().map_err(|e| at.not_json(&e))?,
        }
        key = json.next_key().map_err(|e| at.not_json(&e))?;
    }
    builder.end_row()
}

/// Sets the columns whose values stand inside of a JSON text.
pub fn set_nested(text: &[u8], columns: &[(usize, Nested)], builder: &mut BatchBuilder) -> Result<()> {
    for (column, nested) in columns {
        nested.find(text, |found| set_text(found, *column, builder))?;
    }
    Ok(())
}

/// Sets a column to what a JSON text holds.
fn set_text(text: &[u8], column: usize, builder: &mut BatchBuilder) -> Result<()> {
    value(&mut reader(text), &Location { text, path: &[] }, column, builder)
}

fn value(json: &mut Jiter<'_>, at: &Location<'_>, column: usize, builder: &mut BatchBuilder) -> Result<()> {
    let peek = json.peek().map_err(|e| at.not_json(&e))?;
    match peek {
        Peek::Null => {
            json.known_null().map_err(|e| at.not_json(&e))?;
            builder.set(column, Cell::Null)
        }
        Peek::True | Peek::False => {
            let value = json.known_bool(peek).map_err(|e| at.not_json(&e))?;
            builder.set(column, Cell::Bool(value))
        }
        Peek::String => {
            let text = json.known_str().map_err(|e| at.not_json(&e))?;
            builder.set(column, Cell::Text(Cow::Borrowed(text)))
        }
        Peek::Array | Peek::Object => {
            let start = json.current_index();
            json.known_skip(peek).map_err(|e| at.not_json(&e))?;
            let raw = json.slice_to_current(start);
            builder.set(column, Cell::Json(compact(raw).into()))
        }
        _ => {
            let number = json.known_number_bytes(peek).map_err(|e| at.not_json(&e))?;
            builder.set(column, Cell::Number(String::from_utf8_lossy(number)))
        }
    }
}

/// Where in the response the rows are, for messages.
struct Location<'a> {
    text: &'a [u8],
    path: &'a [PathStep],
}

impl Location<'_> {
    fn descend(&self, json: &mut Jiter<'_>, mut peek: Peek) -> Result<()> {
        for (depth, step) in self.path.iter().enumerate() {
            match step {
                PathStep::Key(wanted) => {
                    if peek != Peek::Object {
                        return Err(self.wrong_shape_at(depth, "an object", peek));
                    }
                    let mut keys = Vec::new();
                    let mut key = json
                        .known_object()
                        .map_err(|e| self.not_json(&e))?
                        .map(str::to_string);
                    loop {
                        match key {
                            Some(name) if name == *wanted => break,
                            Some(name) => keys.push(name),
                            None => return Err(self.no_key(depth, wanted, &keys)),
                        }
                        json.next_skip().map_err(|e| self.not_json(&e))?;
                        key = json
                            .next_key()
                            .map_err(|e| self.not_json(&e))?
                            .map(str::to_string);
                    }
                }
                PathStep::Index(wanted) => {
                    if peek != Peek::Array {
                        return Err(self.wrong_shape_at(depth, "a list", peek));
                    }
                    let mut item = json.known_array().map_err(|e| self.not_json(&e))?;
                    for at in 0..*wanted {
                        if item.is_none() {
                            return Err(
                                self.error(format!("{} has {at} items, no [{wanted}]", self.name(depth)))
                            );
                        }
                        json.next_skip().map_err(|e| self.not_json(&e))?;
                        item = json.array_step().map_err(|e| self.not_json(&e))?;
                    }
                    if item.is_none() {
                        return Err(self.error(format!("{} has no item [{wanted}]", self.name(depth))));
                    }
                }
            }
            peek = json.peek().map_err(|e| self.not_json(&e))?;
        }
        Ok(())
    }

    /// Reads what stands behind the rows: a response cut off there is not a good response.
    fn finish(&self, json: &mut Jiter<'_>) -> Result<()> {
        for (depth, step) in self.path.iter().enumerate().rev() {
            loop {
                let more = match step {
                    PathStep::Key(wanted) => match json.next_key() {
                        // Readers of JSON take the last; the first is read already.
                        Ok(Some(key)) if key == wanted => {
                            let name = self.name(depth);
                            return Err(self.error(format!("{name} has the key '{wanted}' twice")));
                        }
                        key => key.map(|key| key.is_some()),
                    },
                    PathStep::Index(_) => json.array_step().map(|item| item.is_some()),
                };
                if !more.map_err(|e| self.not_json(&e))? {
                    break;
                }
                json.next_skip().map_err(|e| self.not_json(&e))?;
            }
        }
        json.finish().map_err(|e| self.not_json(&e))
    }

    /// `response.json()` and the first `depth` steps.
    fn name(&self, depth: usize) -> String {
        let mut name = "response.json()".to_string();
        for step in &self.path[..depth] {
            match step {
                PathStep::Key(key) => name.push_str(&format!("['{key}']")),
                PathStep::Index(index) => name.push_str(&format!("[{index}]")),
            }
        }
        name
    }

    fn error(&self, message: String) -> Error {
        Error::new(ErrorKind::Data, message).help(format!("the response starts with: {}", excerpt(self.text)))
    }

    fn no_key(&self, depth: usize, wanted: &str, keys: &[String]) -> Error {
        let mut message = format!("{} has no key '{wanted}'", self.name(depth));
        if !keys.is_empty() {
            message.push_str(&format!(
                " (it has: {})",
                keys.iter().take(20).cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        self.error(message)
    }

    fn wrong_shape(&self, wanted: &str, found: Peek) -> Error {
        self.wrong_shape_at(self.path.len(), wanted, found)
    }

    fn wrong_shape_at(&self, depth: usize, wanted: &str, found: Peek) -> Error {
        let found = match found {
            Peek::Null => "null",
            Peek::True | Peek::False => "a boolean",
            Peek::String => "a string",
            Peek::Array => "a list",
            Peek::Object => "an object",
            number if number.is_num() => "a number",
            _ => return self.error("the response is not valid JSON".into()),
        };
        self.error(format!(
            "{} must be {wanted}, and holds {found}",
            self.name(depth)
        ))
    }

    fn not_json(&self, error: &JiterError) -> Error {
        self.error(format!(
            "the response is not valid JSON: {}",
            error.description(&reader(self.text))
        ))
    }
}
