//! The states of a load's tables: those that are kept in one table become one part of its load.

use crate::error::Result;
use crate::exec::load::filling::Filling;
use crate::exec::load::loader::Loaded;
use crate::incremental::{KeepsState, StateRows};
use crate::sources::database::TableName;

/// States on their way into their tables.
#[derive(Default)]
pub struct States {
    tables: Vec<Table>,
    /// The tables whose states they are.
    of: Vec<usize>,
}

/// States that are kept in one table.
struct Table {
    loader: usize,
    name: TableName,
    /// With the numbers of the tables in the load.
    rows: Vec<(usize, StateRows)>,
}

impl States {
    /// Adds the state of the table `of`.
    pub fn add(&mut self, of: usize, loaded: Loaded, state: StateRows) {
        self.of.push(of);
        let same = |table: &&mut Table| table.loader == loaded.loader && table.name == state.table;
        match self.tables.iter_mut().find(same) {
            Some(table) => table.rows.push((loaded.table, state)),
            None => self.tables.push(Table {
                loader: loaded.loader,
                name: state.table.clone(),
                rows: vec![(loaded.table, state)],
            }),
        }
    }

    /// Puts them into the loads. The tables whose states they are.
    ///
    /// # Errors
    /// The databases'.
    pub async fn keep(self, fillings: &mut [Filling]) -> Result<Kept> {
        for table in self.tables {
            if let Some(filling) = fillings.get_mut(table.loader) {
                filling.keep_states(table.rows).await?;
            }
        }
        Ok(Kept(self.of))
    }
}

/// The tables whose states are part of a load.
pub struct Kept(Vec<usize>);

impl Kept {
    /// Tells that the load was committed.
    pub fn committed(self, keeps: Option<&dyn KeepsState>) {
        if let Some(keeps) = keeps {
            self.0.into_iter().for_each(|table| keeps.committed(table));
        }
    }
}
