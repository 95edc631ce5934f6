//! Rows of a for_each of which there may be only one.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What was asked for in a round.
#[derive(Default)]
pub struct Once {
    /// Whose states were looked at.
    partitions: Mutex<BTreeSet<String>>,
    /// The beginnings of the rows' digests.
    rows: Mutex<HashSet<[u8; 16]>>,
}

impl Once {
    /// Sees to it that a row is asked for once, where what it gets would be there twice, or two rows would have one cursor.
    ///
    /// # Errors
    /// Another row was like it.
    pub fn check(&self, settings: &Settings, partition: &str, row: &Value) -> Result<()> {
        let said = if settings.given.changed_parents && !self.is_new(partition) {
            (
                format!(
                    "several of the for_each's rows are {partition}, and `changed_parents` needs to know which of them has moved"
                ),
                "name columns in `partition` that tell the rows apart, or leave `changed_parents` out",
            )
        } else if settings.is_exact()
            && !matches!(row, Value::Null)
            && !self.is_new_row(&settings.whose().read_of(row)?)
        {
            (
                format!(
                    "several of the for_each's rows are alike in all that the step reads of them ({partition}): what they get would be in the table as often"
                ),
                "let the for_each give each of them once, as by a `query` with `select distinct`; or use `write_mode: upsert`",
            )
        } else {
            return Ok(());
        };
        let (message, help) = said;
        Err(Error::new(ErrorKind::Project, message)
            .help(help)
            .at(&settings.given.place))
    }

    fn is_new(&self, partition: &str) -> bool {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(partition.to_string())
    }

    fn is_new_row(&self, row: &str) -> bool {
        let mut beginning = [0; 16];
        let digest = Sha256::digest(row);
        for (to, from) in beginning.iter_mut().zip(digest) {
            *to = from;
        }
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(beginning)
    }
}
