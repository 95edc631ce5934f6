//! Snowflake, by its ADBC driver: loads as Parquet files through a stage, transforms in the warehouse.

mod connect;
mod database;
mod load;
mod side;
mod stage;
mod types;

pub use connect::{Account, Credential, open};
pub use database::Snowflake;
pub use types::of as column_type;
