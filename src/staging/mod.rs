//! The embedded database: DataFusion's SQL over Delta tables kept in a folder, no server needed.
//!
//! A table is one Delta table in `<root>/<namespace>/<table>/`, so any Delta reader can open it. Every change, whatever
//! statement asked for it, goes one way: a stream of batches is written to Parquet files (`writer`) that nobody sees,
//! then one commit (`commit`) swaps them in. Every statement reads the newest version of each table it names, and
//! the same version throughout (`catalog`).

mod alter;
mod catalog;
mod cleanup;
mod codes;
mod commit;
mod convert;
mod create;
mod database;
mod decimals;
mod error;
mod in_order;
mod insert;
mod joins;
mod load;
mod memory;
mod merging;
mod modify;
mod names;
mod near;
mod output;
mod query;
mod rewrite;
mod scan;
mod scratch;
mod session;
mod statement;
mod tables;
mod types;
mod upsert;
mod writer;
mod writing;

pub use database::Staging;
pub use memory::Memory;
pub use output::derived as column_name;
pub use session::function_names;
// Queries over other tables read SQL as these do.
pub(crate) use error::sql as sql_error;
pub(crate) use query::plan_over;
pub(crate) use session::session;
pub(crate) use statement::parse_query;
