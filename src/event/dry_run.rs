//! What came out of a dry run.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What came out of a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryReport {
    pub tables: Vec<DryTable>,
    #[serde(flatten)]
    pub findings: Findings,
    /// What is good to know of it.
    pub notes: Vec<String>,
}

/// A table as it would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryTable {
    pub source: String,
    pub table: String,
    pub how: Written,
    pub rows: u64,
    /// Rows that were not there before.
    pub new: u64,
    /// Rows that took the place of others with their key.
    pub changed: u64,
    pub columns: Vec<String>,
    /// Its first rows, as texts.
    pub preview: Vec<Vec<Option<String>>>,
}

/// What a flow did to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// It was not there.
    Created,
    Replaced,
    Appended,
    Upserted,
    /// By statements.
    Changed,
    Dropped,
}

/// What was found besides tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Requests that were not sent, by step.
    pub requests: IndexMap<String, Unsent>,
    /// Steps that were not tried, and why.
    pub not_tried: IndexMap<String, String>,
    /// Variables of the process's environment that are not set: what they hold is shown by their names.
    pub missing: BTreeSet<String>,
}

/// Requests of a step that were not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unsent {
    pub count: u64,
    /// By method.
    pub methods: IndexMap<String, u64>,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A request that was not sent. Secrets are hidden.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    pub method: String,
    pub url: String,
    pub body: Option<String>,
}
