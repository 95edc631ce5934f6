//! DuckDB, by its ADBC driver: the library that its Python package holds, or the system's.

mod connect;
mod database;
mod find;
mod load;
mod side;
mod types;

pub use super::location::Location;
pub use connect::{Files, open};
pub use database::DuckDb;
pub use find::Places;
pub use types::of as column_type;
