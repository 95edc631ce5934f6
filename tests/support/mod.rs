//! Real things to test against: a PostgreSQL server, an HTTP server, the program itself.

pub mod duckdb;
pub mod faults;
pub mod postgres;
pub mod program;
pub mod server;
pub mod state;
pub mod tls;
