//! Full batches of a step's tables, on their way from the builders to the loads.

use crate::batch::builder::BatchBuilder;
use crate::error::Result;
use crate::exec::load::unparsed::Batch;

/// Full batches on their way out of the lock.
#[derive(Default)]
pub struct Filled {
    pub batches: Vec<(usize, Batch)>,
}

impl Filled {
    /// Takes a table's batch.
    pub fn take(&mut self, table: usize, builder: &mut BatchBuilder) -> Result<()> {
        let unparsed = builder.take_unparsed();
        self.batches
            .extend(builder.take()?.map(|rows| (table, Batch { rows, unparsed })));
        Ok(())
    }
}

/// Returns a warning for columns that no row had.
pub fn never_seen(table: &str, builder: &BatchBuilder) -> Option<String> {
    match builder.never_seen().as_slice() {
        [] => None,
        [column] => Some(format!(
            "table `{table}`: no row has `{column}`, so the column is null"
        )),
        columns => Some(format!(
            "table `{table}`: no row has any of `{}`, so the columns are null",
            columns.join("`, `")
        )),
    }
}
