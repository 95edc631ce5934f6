//! Rows on their way into tables: the sink that a response fills, loads that wait for all rows, and what tables and columns
//! are called.

pub mod appends;
pub mod columns;
mod deferred;
mod filled;
mod filling;
pub mod frozen;
mod given;
mod loader;
pub mod ready;
pub mod rows;
pub mod sink;
mod states;
pub mod table;
mod target;
mod unparsed;
mod write_mode;

pub use filled::Filled;
pub use given::given_value;
pub use write_mode::write_mode;
