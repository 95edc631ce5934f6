//! MySQL and MariaDB, by sqlx: streamed queries, loads by multi-row INSERTs into a side table, transforms in the server.

mod collations;
mod connect;
mod database;
mod error;
mod kept;
mod load;
mod place;
mod query;
mod side;
mod sql;
mod stop;
mod types;

pub use connect::open;
pub use database::MySql;
pub use types::of as column_type;
