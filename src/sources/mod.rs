//! Databases: the contract, the registry, and one folder per database.

mod adbc;
pub mod database;
pub mod duckdb;
pub mod postgres;
pub mod registry;
pub mod sql;
