//! Databases: the contract, the registry, and one folder per database.

pub mod adbc;
mod bind;
pub mod blocking;
pub mod buffered;
mod casts;
pub mod database;
pub mod duckdb;
mod failure;
pub mod key;
pub mod landing;
pub mod loading;
pub mod location;
pub mod mysql;
mod names;
pub mod naming;
mod nodelay;
pub mod overlap;
pub mod postgres;
pub mod precedence;
mod reading;
pub mod settings;
pub mod snowflake;
pub mod sql;
pub mod sqlite;
mod stream;
pub mod transaction;
