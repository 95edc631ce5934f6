//! Databases: the contract, the registry, and one folder per database.

pub mod database;
pub mod postgres;
pub mod registry;
