//! States on their way into their table, with the rows of a load.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::tracker::Tracker;
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::overlap::{Overlap, Region, Unchanged};

/// Rows of a table of states.
pub struct StateRows {
    pub table: TableName,
    pub columns: Vec<Column>,
    pub key: Vec<String>,
    pub rows: RecordBatch,
    /// What binds them to the commit of the rows they belong to.
    pub scope: String,
    pub generation: i64,
    /// Rows of the table that go.
    pub gone: Option<Region>,
    /// What the table must have had until then.
    pub unchanged: Unchanged,
}

/// Knows how far the tables of a load got. Tables are named by their positions in the response.
pub trait KeepsState: Send + Sync {
    /// Returns what looks at the rows of a table; none for one whose rows tell nothing.
    fn tracker(&self, table: usize) -> Option<Arc<Tracker>>;

    /// Returns what becomes of the rows that a table has, besides what its write mode says. `columns`: those of its rows.
    ///
    /// # Errors
    /// A cursor that can't be compared with.
    fn overlap(&self, table: usize, columns: &[Column]) -> Result<Option<Overlap>>;

    /// Returns the state of a table, to be committed with its rows; none where nothing has changed.
    ///
    /// # Errors
    /// As making it.
    fn rows(&self, table: usize) -> Result<Option<StateRows>>;

    /// Is told that a table was committed.
    fn committed(&self, table: usize);
}
