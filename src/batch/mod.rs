//! Arrow batches: column types, and building batches from JSON and Python values.

pub mod types;
