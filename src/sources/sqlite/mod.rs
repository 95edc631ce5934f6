//! SQLite, by sqlx: loads by one prepared statement into a side table, which takes its place in one transaction.

mod connect;
mod database;
mod error;
mod kept;
mod load;
mod query;
mod retype;
mod side;
mod types;

pub use connect::open;
pub use database::Sqlite;
pub use types::of as column_type;
