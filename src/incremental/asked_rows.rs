//! Rows of a for_each of which there may be only one.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What was asked for in a round.
#[derive(Default)]
pub struct AskedRows {
    /// Partitioning states were looked at.
    partitions: Mutex<BTreeSet<String>>,
    /// The digests of the rows.
    rows: Mutex<HashSet<[u8; 32]>>,
}

impl AskedRows {
    /// Sees to it that a row is asked for once, where what it gets would be there twice, or two rows would have one cursor.
    ///
    /// # Errors
    /// Another row was like it.
    pub fn check(&self, settings: &Settings, partition: &str, row: &Value) -> Result<()> {
        let refused = |message: String, help: &str| {
            let error = Error::new(ErrorKind::Project, message).help(help);
            Err(error.at(&settings.given.place))
        };
        if settings.given.changed_parents && !self.is_new(partition) {
            let message = format!(
                "several of the for_each's rows are {partition}, and `changed_parents` needs to know which of them has moved"
            );
            return refused(
                message,
                "name columns in `partition` that tell the rows apart, or leave `changed_parents` out",
            );
        }
        if matches!(row, Value::Null) || !settings.is_exact() {
            return Ok(());
        }
        if !self.is_new_row(&settings.partitioning().read_of(row)?) {
            let message = format!(
                "several of the for_each's rows are alike in all that the step reads of them ({partition}): what they get would be in the table as often"
            );
            return refused(
                message,
                "let the for_each give each of them once, as by a `query` with `select distinct`; or use `write_mode: upsert`",
            );
        }
        Ok(())
    }

    fn is_new(&self, partition: &str) -> bool {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(partition.to_string())
    }

    fn is_new_row(&self, row: &str) -> bool {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(Sha256::digest(row).into())
    }
}
