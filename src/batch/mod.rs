//! Arrow batches: column types, and building batches from JSON and Python values.

pub mod bounds;
pub mod builder;
pub mod cell;
pub mod clock;
pub mod column;
pub mod compact;
mod csv;
mod digits;
pub mod field;
pub mod json;
pub mod jsonpath;
mod moment;
pub mod origin;
pub mod plain;
pub mod quotes;
pub mod reshape;
pub mod rows;
pub mod spool;
pub mod target;
pub mod time_format;
pub mod types;
pub mod values;
mod xml;
