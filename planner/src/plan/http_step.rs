//! An `http_request` as it runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::asks::{Asks, Synced};
use super::estimates::Estimates;
use crate::ops::{HttpRequest, TableRef};
use crate::syntax::Concurrency;

/// An http_request with what the compiler found out about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HttpStep {
    #[serde(flatten)]
    pub request: HttpRequest,
    pub fan_out: FanOut,
    /// Variables that live for one row (or the one request) and its paging.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row_variables: Vec<String>,
    /// The only columns of the for_each table that anyone needs; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_columns: Option<BTreeSet<String>>,
    /// How many pages are asked for at the same time, once a response says how many there are; none: one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_at_once: Option<Concurrency>,
    /// What an incremental request asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
    /// What a step that sends only changed rows compares, and with what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<Synced>,
    /// Whether any status is a success: the step's own expressions look at it, and none is declared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_status: bool,
    /// Where rows go whose request failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<TableRef>,
    /// What it would do if it ran now, where that was looked at.
    #[serde(flatten)]
    pub estimates: Estimates,
}

impl HttpStep {
    /// Tells whether a response may ask for another request.
    pub fn has_pages(&self) -> bool {
        self.request.request.pagination.is_some() || self.request.asks_again()
    }
}

/// How the requests of a step follow each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FanOut {
    /// One request, or one after the other while there are pages.
    Single,
    /// One per row, up to so many at the same time.
    Concurrent { concurrency: Concurrency },
    /// One per row, one after the other, and why.
    Sequential { reason: String },
}
