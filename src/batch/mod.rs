//! Arrow batches: column types, and building batches from JSON and Python values.

pub mod builder;
pub mod cell;
pub mod json;
pub mod row;
pub mod spool;
pub mod target;
pub mod types;
