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
    /// The types of its columns, as SQL calls them.
    #[serde(default)]
    pub types: Vec<String>,
    /// Its first rows, as texts.
    pub preview: Vec<Vec<Option<String>>>,
    /// What is other than in the table as it is now, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<TableDiff>,
}

/// What is other in a table than before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDiff {
    /// The columns that tell its rows apart; none: whole rows are compared.
    pub key: Vec<String>,
    pub added: u64,
    pub removed: u64,
    /// Rows whose key was there before, and that have other values.
    pub changed: u64,
    /// Columns that have other values, and in how many rows.
    pub columns: Vec<ColumnChange>,
    pub new_columns: Vec<String>,
    pub lost_columns: Vec<String>,
    /// Columns of other kinds: a number that was a text.
    #[serde(default)]
    pub types: Vec<TypeChange>,
}

/// The type of a column that was of another kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeChange {
    pub column: String,
    pub before: String,
    pub after: String,
}

/// In how many rows a column has another value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnChange {
    pub column: String,
    pub rows: u64,
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
    /// The rows of a range were replaced.
    RangeReplaced,
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
