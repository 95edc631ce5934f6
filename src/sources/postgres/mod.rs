//! PostgreSQL, by sqlx: streamed queries, loads by binary COPY into a side table, transforms in the server.

mod arrays;
mod columns;
mod connect;
mod copy;
mod counts;
mod database;
mod decode;
mod error;
mod kept;
mod load;
mod nul;
mod query;
mod side;
mod sql;

pub use connect::{open, open_in, pool};
pub use database::Postgres;
