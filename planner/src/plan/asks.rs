//! What steps ask for that keep a state: what is new, or what has changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ops::TableRef;

/// Which ends of its range an incremental request asks for, and whose state it keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asks {
    pub start: bool,
    pub end: bool,
    /// The columns of the for_each's rows that tell whose state it is; none: the whole row, or no for_each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<BTreeSet<String>>,
}

/// What a step that sends only changed rows compares, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// The columns that are compared, save for those of the key; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeSet<String>>,
    /// The table of what was sent.
    pub snapshot: TableRef,
}

/// How many rows were added, changed and removed since a step sent them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    /// Rows that are not sent: they are as they were, or `rows` leaves them out.
    pub unchanged: u64,
}

impl ChangeCounts {
    /// Returns how many are sent.
    pub fn sent(&self) -> u64 {
        self.added + self.changed + self.removed
    }

    /// Returns them in words.
    pub fn in_words(&self) -> String {
        format!(
            "{} added, {} changed, {} removed, {} unchanged",
            self.added, self.changed, self.removed, self.unchanged
        )
    }
}
