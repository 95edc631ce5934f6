//! Where rows go: into batches of known columns, or aside until their columns are known.

use super::builder::BatchBuilder;
use super::cell::Cell;
use super::spool::Spool;
use crate::error::Result;

/// Takes the rows of one table.
pub enum RowTarget {
    /// The columns are declared.
    Typed(BatchBuilder),
    /// The columns come from the data.
    Open(Spool),
}

/// A value that is not in the rows: the column's position among those declared, its name, and the value as a column and
/// as JSON takes it.
#[derive(Debug, Clone)]
pub struct GivenValue {
    pub column: usize,
    pub name: String,
    pub cell: Cell<'static>,
    pub json: String,
}

impl RowTarget {
    /// Gives every row from now on these values.
    ///
    /// # Errors
    /// A name that is no text of JSON.
    pub fn give(&mut self, values: &[GivenValue]) -> Result<()> {
        match self {
            RowTarget::Typed(builder) => {
                builder.give(values.iter().map(|v| (v.column, v.cell.clone())).collect());
                Ok(())
            }
            RowTarget::Open(spool) => spool.give(values.iter().map(|v| (v.name.as_str(), v.json.as_str()))),
        }
    }
}
