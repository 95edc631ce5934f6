//! Incremental steps: their states are read when they begin, and committed together with the rows.

mod common;
mod definition;
mod digest;
mod noted;
mod recorded;
mod settings;
mod since;
mod state;
mod state_rows;
mod sync;

pub use common::{kind_of_states, known_by_all, parents_of_all};
pub use definition::{Definition, definition};
pub use digest::{as_written, digest};
pub use noted::request_mark;
pub use settings::{Evaluated, column_kind};
pub use since::{StartOf, start};
pub use state::{Owner, TableState};
pub use sync::{Keeps, Sync};
