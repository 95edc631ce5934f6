//! Incremental steps: their states are read when they begin, and committed together with the rows.

mod settings;
mod since;
mod state;
mod sync;

pub use settings::{Evaluated, column_kind};
pub use since::start;
pub use state::{Owner, TableState, as_written, digest};
pub use sync::{Keeps, Sync, definition, known_by_all};
