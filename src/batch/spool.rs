//! Rows whose columns are not known yet: kept as lines of JSON, in memory first and then in a file, while the types
//! that would hold them are found out.

use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};

use indexmap::IndexMap;
use jiter::Peek;
use sequor_planner::ops::Reshape;
use tempfile::SpooledTempFile;

use super::builder::BatchBuilder;
use super::compact::compact;
use super::json;
use super::reshape::Reshaper;
use crate::error::{Error, ErrorKind, Result};

/// Rows up to this size stay in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;

/// Digits that an integer may have to be held as a decimal.
const MAX_DIGITS: usize = 38;

/// Rows waiting for their columns.
pub struct Spool {
    file: SpooledTempFile,
    columns: IndexMap<String, Kind>,
    rows: u64,
    /// What stands at the end of every row: `,"name":value`.
    given: String,
    reshaper: Reshaper,
}

/// What the values of a column have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Int,
    /// Integers, some beyond what a float holds exactly.
    WideInt,
    /// Integers, some beyond 64 bits.
    BigInt,
    Float,
    Json,
    Text,
}

impl Kind {
    fn with(self, other: Kind) -> Kind {
        use Kind::*;
        match (self, other) {
            (a, b) if a == b => a,
            (Null, x) | (x, Null) => x,
            (Int, WideInt) | (WideInt, Int) => WideInt,
            (Int | WideInt, BigInt) | (BigInt, Int | WideInt) => BigInt,
            // As text, where a float would change the integers.
            (Int, Float) | (Float, Int) => Float,
            _ => Text,
        }
    }

    /// The type that holds such values, by a name that every database here understands.
    fn sql(self) -> &'static str {
        match self {
            Kind::Bool => "boolean",
            Kind::Int | Kind::WideInt => "bigint",
            Kind::BigInt => "numeric(38,0)",
            Kind::Float => "double precision",
            Kind::Json => "jsonb",
            Kind::Null | Kind::Text => "text",
        }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Spool {
            file: SpooledTempFile::new(IN_MEMORY),
            columns: IndexMap::new(),
            rows: 0,
            given: String::new(),
            reshaper: Reshaper::default(),
        }
    }
}

impl Spool {
    /// Returns one whose rows get other fields.
    pub fn reshaped(rules: &Reshape) -> Spool {
        Spool {
            reshaper: Reshaper::new(rules),
            ..Spool::default()
        }
    }

    /// Adds a row: the text of a JSON object.
    ///
    /// # Errors
    /// A text that is no object, or fields that become one.
    pub fn push(&mut self, object: &[u8]) -> Result<()> {
        let number = self.rows + 1;
        let bad =
            |message: String| Error::new(ErrorKind::Data, format!("row {number} can't be read: {message}"));
        let object = self.reshaper.row(object).map_err(bad)?;
        self.note(&object).map_err(bad)?;
        let object = compact(&object);
        match object.strip_suffix('}').filter(|_| !self.given.is_empty()) {
            // Of equal keys the last counts.
            Some(open) => {
                let given = match open.ends_with('{') {
                    true => self.given.trim_start_matches(','),
                    false => &self.given,
                };
                writeln!(self.file, "{open}{given}}}")?;
            }
            None => {
                self.file.write_all(object.as_bytes())?;
                self.file.write_all(b"\n")?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Gives every row from now on these values, by name, as JSON.
    pub fn give<'v>(&mut self, values: impl Iterator<Item = (&'v str, &'v str)>) -> Result<()> {
        self.given.clear();
        for (name, value) in values {
            let name = serde_json::to_string(name).map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?;
            self.given.push_str(&format!(",{name}:{value}"));
        }
        Ok(())
    }

    fn note(&mut self, object: &[u8]) -> std::result::Result<(), String> {
        let mut json = json::reader(object);
        let bad = |e: jiter::JiterError| e.error_type.to_string();
        let mut key = json.next_object().map_err(bad)?.map(str::to_string);
        while let Some(name) = key {
            let peek = json.peek().map_err(bad)?;
            let kind = match peek {
                Peek::Null => Kind::Null,
                Peek::True | Peek::False => Kind::Bool,
                Peek::String => Kind::Text,
                Peek::Array | Peek::Object => Kind::Json,
                _ => Kind::Int,
            };
            let start = json.current_index();
            json.known_skip(peek).map_err(bad)?;
            let kind = match kind {
                Kind::Int => number(json.slice_to_current(start)),
                kind => kind,
            };
            match self.columns.get_mut(&name) {
                Some(known) => *known = known.with(kind),
                None => {
                    self.columns.insert(name, kind);
                }
            }
            key = json.next_key().map_err(bad)?.map(str::to_string);
        }
        Ok(())
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Columns in the order they were first seen: the key in the data, and a type that holds every value.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &'static str)> {
        // What is null here and an object elsewhere has columns already.
        let apart = |name: &str, kind: Kind| kind == Kind::Null && self.reshaper.is_apart(name);
        let columns = self
            .columns
            .iter()
            .filter(move |(name, kind)| !apart(name, **kind));
        columns.map(|(name, kind)| (name.as_str(), kind.sql()))
    }

    /// Returns the rows as they came.
    pub fn objects(&mut self) -> Result<Vec<serde_json::Value>> {
        self.file.seek(SeekFrom::Start(0))?;
        let lines = BufReader::new(&mut self.file).lines();
        let read = lines
            .map(|line| serde_json::from_str(&line?).map_err(|e| Error::new(ErrorKind::Data, e.to_string())));
        read.collect()
    }

    /// Reads the rows into batches: `full` is called with the builder whenever it should be emptied.
    pub fn replay(&mut self) -> Result<Replay<'_>> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Replay {
            lines: BufReader::new(&mut self.file),
            line: Vec::new(),
        })
    }
}

/// The rows, read again.
pub struct Replay<'s> {
    lines: BufReader<&'s mut SpooledTempFile>,
    line: Vec<u8>,
}

impl Replay<'_> {
    /// Fills the builder until it is full or the rows are over. Whether there may be more.
    pub fn fill(&mut self, builder: &mut BatchBuilder) -> Result<bool> {
        while !builder.is_full() {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(false);
            }
            json::fill_row(&self.line, builder)?;
        }
        Ok(true)
    }
}

/// Whether a float holds a number as it is written: not beyond its range, and with no more digits than it keeps.
fn is_exact(text: &str) -> bool {
    /// Digits of which any two floats differ.
    const DIGITS: usize = 17;
    let (mantissa, _) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit);
    let digits = digits.skip_while(|digit| *digit == b'0').count();
    let trailing = mantissa.trim_end_matches('0');
    let padded = match mantissa.contains('.') {
        true => mantissa.len() - trailing.len(),
        false => 0,
    };
    digits - padded.min(digits) <= DIGITS && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn number(text: &[u8]) -> Kind {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if text.contains(['N', 'I']) {
        return Kind::Float;
    }
    if text.contains(['.', 'e', 'E']) {
        return match is_exact(text) {
            true => Kind::Float,
            // A column that is inferred loses nothing.
            false => Kind::Text,
        };
    }
    match text.parse::<i64>() {
        Ok(n) if n.unsigned_abs() <= 1 << 53 => Kind::Int,
        Ok(_) => Kind::WideInt,
        Err(_) if text.trim_start_matches('-').len() <= MAX_DIGITS => Kind::BigInt,
        Err(_) => Kind::Text,
    }
}
