//! Where rows go: into batches of known columns, or aside until their columns are known.

use super::builder::BatchBuilder;
use super::spool::Spool;

/// Takes the rows of one table.
pub enum RowTarget {
    /// The columns are declared.
    Typed(BatchBuilder),
    /// The columns come from the data.
    Open(Spool),
}
