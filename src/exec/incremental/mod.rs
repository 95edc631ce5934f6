//! Incremental steps: their states are read when they begin, and committed together with the rows.

mod settings;
mod state;
mod sync;

pub use state::{Owner, TableState, as_written, digest};
pub use sync::{Keeps, Sync};
