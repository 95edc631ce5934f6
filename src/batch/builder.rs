//! Builds Arrow batches row by row, for columns of declared types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, SchemaRef};
use indexmap::IndexMap;

use super::cell::{self, Cell};
use super::field::{Field, FieldValue, Nested};
use super::moment::moment;
use super::time_format::TimeReader;
use super::types::{Logical, arrow_schema};
use super::values::Values;
use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};

/// Rows of a batch: enough that costs per batch vanish, few enough that memory stays small.
pub const BATCH_ROWS: usize = 8192;
/// Bytes of text after which a batch is full, however few its rows.
pub const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Rows after which a batch is full that has texts for the database to read.
const UNPARSED_ROWS: usize = 512;

/// Builds batches for one table.
pub struct BatchBuilder {
    table: Arc<str>,
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    index: HashMap<String, usize>,
    /// Keys of the row with values deeper inside, and the columns that get those.
    nested: IndexMap<String, Arc<Vec<(usize, Nested)>>>,
    /// Values that are not in the rows.
    given: Vec<(usize, Cell<'static>)>,
    /// Whether the row being built has a value for the column.
    filled: Vec<bool>,
    /// Whether any row had the key.
    seen: Vec<bool>,
    rows: usize,
    bytes: usize,
    /// Rows of the batches already taken.
    before: u64,
    /// Whether the database reads what we can't.
    lenient: bool,
    /// Texts for it to read, in the rows of the batch being built.
    unparsed: Vec<UnparsedText>,
    /// Whether there were such before.
    unparsed_before: bool,
    /// Values of columns that the row had a value for already: the last counts, as in every reader of JSON.
    repeated: Vec<Repeated>,
}

/// A value in place of one that is built already.
struct Repeated {
    column: usize,
    row: usize,
    cell: Cell<'static>,
}

/// A text that only the database can read for its column. The batch has null in its place.
#[derive(Debug, Clone)]
pub struct UnparsedText {
    pub column: usize,
    /// In the batch.
    pub row: usize,
    /// Among all rows, from 1.
    pub number: u64,
    pub text: String,
    /// As messages show it.
    pub shown: String,
}

struct ColumnBuilder {
    name: String,
    /// The key of the row that it alone is read from.
    key: Option<String>,
    format: Option<TimeReader>,
    /// Of the column that says how new a row is: whether it has zones.
    moment: Option<bool>,
    sql: String,
    logical: Logical,
    values: Values,
}

impl BatchBuilder {
    /// Creates a builder for `columns` of `table` (the name is for messages). `fields`: how their values are found in a
    /// row, one for each column; a name is a key of the row.
    pub fn new(
        table: impl Into<Arc<str>>,
        fields: impl IntoIterator<Item = impl Into<Field>>,
        columns: &[Column],
    ) -> Result<Self> {
        let schema = arrow_schema(columns);
        let mut index = HashMap::new();
        let mut nested: IndexMap<String, Vec<(usize, Nested)>> = IndexMap::new();
        let fields: Vec<Field> = fields.into_iter().map(Into::into).collect();
        for (at, field) in fields.iter().enumerate() {
            match &field.from {
                FieldValue::Key(key) if !index.contains_key(key) => {
                    index.insert(key.clone(), at);
                }
                // Two columns of one field.
                FieldValue::Key(key) => {
                    let whole = Nested::whole(key.clone());
                    nested.entry(key.clone()).or_default().push((at, whole));
                }
                FieldValue::Path(path) => {
                    let members = nested.entry(path.key().to_string()).or_default();
                    members.push((at, path.clone()));
                }
                FieldValue::Given => {}
            }
        }
        let built = columns
            .iter()
            .zip(fields)
            .enumerate()
            .map(|(at, (c, field))| {
                let key = field.key().filter(|key| index.get(*key) == Some(&at));
                Ok(ColumnBuilder {
                    key: key.map(str::to_string),
                    name: field.name,
                    format: field.format,
                    moment: match c.column_type.arrow {
                        DataType::Timestamp(_, ref zone) if field.is_moment => Some(zone.is_some()),
                        _ => None,
                    },
                    sql: c.column_type.sql.clone(),
                    logical: c.column_type.logical,
                    values: Values::new(&c.column_type.arrow)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(BatchBuilder {
            table: table.into(),
            schema,
            index,
            nested: nested
                .into_iter()
                .map(|(key, members)| (key, Arc::new(members)))
                .collect(),
            given: Vec::new(),
            filled: vec![false; built.len()],
            seen: vec![false; built.len()],
            columns: built,
            rows: 0,
            bytes: 0,
            before: 0,
            lenient: false,
            unparsed: Vec::new(),
            unparsed_before: false,
            repeated: Vec::new(),
        })
    }

    /// Returns the same builder, for a database that reads what we can't: such texts are put aside
    /// ([`BatchBuilder::take_unparsed`]).
    #[must_use]
    pub fn lenient(self, lenient: bool) -> Self {
        BatchBuilder { lenient, ..self }
    }

    /// Returns the texts put aside of the rows built so far. To be taken before the batch is.
    pub fn take_unparsed(&mut self) -> Vec<UnparsedText> {
        self.unparsed_before |= !self.unparsed.is_empty();
        std::mem::take(&mut self.unparsed)
    }

    /// Returns how many rows were built, those of batches that were taken included.
    pub fn total(&self) -> u64 {
        self.before + self.rows as u64
    }

    /// Returns the position of a column. `guess`, tried first, makes rows of the same shape cheap.
    pub fn column(&self, name: &str, guess: usize) -> Option<usize> {
        match self.columns.get(guess) {
            Some(column) if column.key.as_deref() == Some(name) => Some(guess),
            _ => self.index.get(name).copied(),
        }
    }

    /// Returns the columns that get a value from deeper inside of what stands under a key.
    pub fn nested(&self, key: &str) -> Option<Arc<Vec<(usize, Nested)>>> {
        match self.nested.is_empty() {
            true => None,
            false => self.nested.get(key).cloned(),
        }
    }

    /// Returns the keys that have values for columns deeper inside.
    pub fn nested_keys(&self) -> impl Iterator<Item = &str> {
        self.nested.keys().map(String::as_str)
    }

    /// Returns the columns that are read from a key alone, with that key.
    pub fn keys(&self) -> impl Iterator<Item = (usize, &str)> {
        let keys = self.columns.iter().enumerate();
        keys.filter_map(|(at, column)| Some((at, column.key.as_deref()?)))
    }

    /// Gives every row from now on these values.
    pub fn give(&mut self, values: Vec<(usize, Cell<'static>)>) {
        self.given = values;
    }

    /// Gives the current row a value.
    ///
    /// # Errors
    /// A value that does not fit.
    pub fn set(&mut self, column: usize, cell: Cell<'_>) -> Result<()> {
        let cell = self.formatted(column, cell)?;
        if std::mem::replace(&mut self.filled[column], true) {
            return self.set_again(column, cell);
        }
        self.seen[column] = true;
        let ColumnBuilder {
            name,
            sql,
            logical,
            values,
            ..
        } = &mut self.columns[column];
        match values.push(&cell, *logical, self.lenient) {
            Ok(bytes) => {
                self.bytes += bytes;
                Ok(())
            }
            // Of a number that is out of range the database knows no more.
            Err(reason) if self.lenient && cell::readable(&cell) && !reason.contains("range") => {
                values.push_null();
                self.unparsed.push(UnparsedText {
                    column,
                    row: self.rows,
                    number: self.before + self.rows as u64 + 1,
                    text: cell::text(&cell).into_owned(),
                    shown: cell.shown(),
                });
                Ok(())
            }
            Err(reason) => Err(misfit(
                &self.table,
                (name.as_str(), sql.as_str()),
                self.before + self.rows as u64 + 1,
                &cell,
                &reason,
            )),
        }
    }

    /// The value as its column's format reads it.
    fn formatted<'c>(&self, column: usize, cell: Cell<'c>) -> Result<Cell<'c>> {
        let known = &self.columns[column];
        let cell = self.read(known, cell)?;
        let Some(zoned) = known.moment else {
            return Ok(cell);
        };
        let cut = moment(&cell, zoned).map_err(|reason| {
            let number = self.before + self.rows as u64 + 1;
            misfit(&self.table, (&known.name, &known.sql), number, &cell, reason).replace_help(format!(
                "a cursor is compared by its moment: give column `{}` the type timestamptz",
                known.name
            ))
        })?;
        Ok(cut.unwrap_or(cell))
    }

    fn read<'c>(&self, known: &ColumnBuilder, cell: Cell<'c>) -> Result<Cell<'c>> {
        match (&known.format, &cell) {
            (None, _) | (_, Cell::Null | Cell::Clock(..)) => Ok(cell),
            (Some(format), _) => format.read(&cell).map_err(|reason| {
                let number = self.before + self.rows as u64 + 1;
                misfit(&self.table, (&known.name, &known.sql), number, &cell, &reason).replace_help(format!(
                    "write the `format` of column `{0}` as the values are written; as `{0}: text` the column takes any",
                    known.name
                ))
            }),
        }
    }

    /// Gives the current row another value: what stood there before, or was put aside, counts no more.
    fn set_again(&mut self, column: usize, cell: Cell<'_>) -> Result<()> {
        let row = self.rows;
        let number = self.before + row as u64 + 1;
        self.unparsed
            .retain(|unparsed| (unparsed.column, unparsed.row) != (column, row));
        self.repeated
            .retain(|repeated| (repeated.column, repeated.row) != (column, row));
        let known = &mut self.columns[column];
        let mut alone = Values::new(self.schema.field(column).data_type())?;
        match alone.push(&cell, known.logical, self.lenient) {
            Ok(bytes) => {
                self.bytes += bytes;
                let cell = cell.into_owned();
                self.repeated.push(Repeated { column, row, cell });
                Ok(())
            }
            Err(reason) if self.lenient && cell::readable(&cell) && !reason.contains("range") => {
                self.unparsed.push(UnparsedText {
                    column,
                    row,
                    number,
                    text: cell::text(&cell).into_owned(),
                    shown: cell.shown(),
                });
                Ok(())
            }
            Err(reason) => Err(misfit(
                &self.table,
                (&known.name, &known.sql),
                number,
                &cell,
                &reason,
            )),
        }
    }

    /// Ends the row: columns without a value are null.
    ///
    /// # Errors
    /// A given value that does not fit its column.
    pub fn end_row(&mut self) -> Result<()> {
        if !self.given.is_empty() {
            let given = std::mem::take(&mut self.given);
            for (column, cell) in &given {
                self.set(*column, cell.borrowed())?;
            }
            self.given = given;
        }
        for (filled, column) in self.filled.iter_mut().zip(&mut self.columns) {
            if !std::mem::take(filled) {
                column.values.push_null();
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Columns that no row so far had a value or null for: a slip in their names, most likely. None before any row.
    pub fn never_seen(&self) -> Vec<&str> {
        if self.before == 0 && self.rows == 0 {
            return Vec::new();
        }
        let columns = self.columns.iter().zip(&self.seen);
        columns
            .filter(|(_, seen)| !**seen)
            .map(|(c, _)| c.name.as_str())
            .collect()
    }

    /// Tells whether the batch should be taken now.
    pub fn is_full(&self) -> bool {
        // What the database has to read is read soon, so that a misfit ends the load: at once the first time.
        let unparsed = !self.unparsed.is_empty() && (!self.unparsed_before || self.rows >= UNPARSED_ROWS);
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES || unparsed
    }

    /// Takes the rows built so far, if there are any.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.before += self.rows as u64;
        (self.rows, self.bytes) = (0, 0);
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|c| c.values.finish()).collect();
        self.replace_later(&mut arrays)?;
        Ok(Some(RecordBatch::try_new(self.schema.clone(), arrays)?))
    }

    /// Puts the repeated values into the arrays of a batch.
    fn replace_later(&mut self, arrays: &mut [ArrayRef]) -> Result<()> {
        let mut repeated = std::mem::take(&mut self.repeated);
        repeated.sort_by_key(|l| (l.column, l.row));
        for of_column in repeated.chunk_by(|a, b| a.column == b.column) {
            let Some(Repeated { column, .. }) = of_column.first() else {
                continue;
            };
            let rows = arrays[*column].len();
            let mut values = Values::new(self.schema.field(*column).data_type())?;
            let mut mask = vec![false; rows];
            let mut next = 0;
            for Repeated { row, cell, .. } in of_column {
                (next..*row).for_each(|_| values.push_null());
                next = row + 1;
                mask[*row] = true;
                // It was tried when it came.
                let pushed = values.push(cell, self.columns[*column].logical, self.lenient);
                pushed.map_err(|reason| Error::new(ErrorKind::Internal, reason))?;
            }
            (next..rows).for_each(|_| values.push_null());
            arrays[*column] = zip(&BooleanArray::from(mask), &values.finish(), &arrays[*column])?;
        }
        Ok(())
    }
}

fn misfit(table: &str, (name, sql): (&str, &str), row: u64, cell: &Cell<'_>, reason: &str) -> Error {
    let message = format!(
        "table `{table}`, column `{name}`, row {row}: {} does not fit `{sql}`{reason}",
        cell.shown()
    );
    Error::new(ErrorKind::Value, message).help(format!(
        "give column `{name}` a wider type, such as text, or change the value in `data_expression`"
    ))
}
