//! Real things to test against: servers of databases, an HTTP server, the program itself.

pub mod databases;
pub mod duckdb;
pub mod faults;
pub mod installed;
pub mod mysql;
pub mod postgres;
pub mod program;
pub mod server;
pub mod servers;
pub mod snowflake;
pub mod state;
pub mod tls;
