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
    /// The columns of the for_each's rows that the step reads, also of what it gets; none: the whole row, or no for_each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<BTreeSet<String>>,
}

/// What an incremental step would ask for if it ran now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsksFor {
    /// The ranges: the first few of them.
    pub ranges: Vec<AskedRange>,
    /// How many there are.
    pub count: u64,
    /// Whether its request is another one than that by which its tables were filled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_another: bool,
}

/// A range that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedRange {
    /// The row of the for_each that it is asked for, as JSON; empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// None: from the first row on.
    pub start: Option<String>,
    /// None: to whatever is there.
    pub end: Option<String>,
}

impl AsksFor {
    /// Returns it in words, a line each.
    pub fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for range in &self.ranges {
            let from = range.start.as_deref().unwrap_or("the first row");
            let to = match &range.end {
                Some(end) => format!("to {end}"),
                None => "on".to_string(),
            };
            let of = match range.partition.as_str() {
                "" => String::new(),
                partition => format!("{partition}: "),
            };
            lines.push(format!("estimate: asks {of}from {from} {to}"));
        }
        if self.count > self.ranges.len() as u64 {
            lines.push(format!("estimate: {} ranges in all", self.count));
        }
        if self.is_another {
            lines.push(
                "its request is another one than that by which its tables were filled: run --keep-state goes on, run --full-refresh begins anew"
                    .to_string(),
            );
        }
        lines
    }
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
