//! Databases by ADBC (https://arrow.apache.org/adbc): a driver is a shared library, rows are Arrow on both sides.

mod connections;
mod driver;
mod ingest;
mod rows;

pub use connections::{Connection, Connections, columns, count};
pub use driver::{load, opened};
pub use ingest::{Ingest, Plan};
