//! The tables of rejects that a run has filled. The first step that fills one makes it anew; what follows in the same run, as
//! the next round of a loop, is added to it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::WriteMode;

use crate::sources::database::TableName;
use crate::state::{Entry, Journal};

/// The tables of rejects that a run has filled.
#[derive(Debug, Default)]
pub struct RejectTables(Mutex<HashSet<String>>);

impl RejectTables {
    fn filled(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how rows go to a table. `journal`: what earlier attempts filled counts; none: it does not.
    pub fn mode(&self, table: &RejectTable, journal: Option<&Journal>) -> WriteMode {
        let before = journal.is_some_and(|journal| journal.decided(&table.key, Entry::Filled).is_some());
        match before || self.filled().contains(&table.key) {
            true => WriteMode::Append,
            false => WriteMode::Replace,
        }
    }

    /// Notes that a table has its rows. It is written with what is noted next.
    pub fn note(&self, table: &RejectTable, journal: &Journal) {
        if self.filled().insert(table.key.clone()) {
            let mut notes = journal.notes();
            notes.note(&table.key, Entry::Filled, "");
            journal.add(notes);
        }
    }
}

/// A table of rejects.
#[derive(Debug, Clone)]
pub struct RejectTable {
    pub name: TableName,
    /// What tells it from others.
    key: String,
}

impl RejectTable {
    /// Returns that of a source.
    pub fn new(source: &str, name: TableName) -> RejectTable {
        let key = format!("rejects of {source}: {name}");
        RejectTable { name, key }
    }
}
