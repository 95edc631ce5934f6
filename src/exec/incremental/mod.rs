//! Incremental steps: their states are read when they begin, and committed together with the rows.

mod settings;
mod state;
mod sync;

pub use state::{Owner, TableState, digest};
pub use sync::{Keeps, Sync};
