//! How many rows were added, changed and removed since a step sent them.

use serde::{Deserialize, Serialize};

use super::grouped;

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
            grouped(self.added),
            grouped(self.changed),
            grouped(self.removed),
            grouped(self.unchanged)
        )
    }
}
