//! Databases by ADBC (<https://arrow.apache.org/adbc>): a driver is a shared library, rows are Arrow on both sides.

mod connect;
mod connections;
mod database;
mod driver;
mod ingest;
mod load;
mod loads;
mod rows;
mod session;
mod side;

pub use connect::open;
pub use connections::{Connection, Connections, Ways, columns, count, texts};
pub use database::Adbc;
pub use driver::{load, opened};
pub use ingest::Plan;
pub use loads::{AtOnce, Explain, Ingests, Landing, Look};
pub use session::Statements;
