//! DuckDB, by its ADBC driver: the library that its Python package holds, or the system's.

mod database;
mod find;
mod load;
mod location;
mod types;

pub use database::DuckDb;
pub use find::Places;
pub use location::Location;
