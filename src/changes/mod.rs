//! What has changed: rows beside a snapshot of those that were sent, compared by the database that has both. It knows of tables
//! and queries, and of no step.

mod checks;
mod columns;
mod compare;
mod comparison;
mod counting;
mod difference;
mod ended;
mod estimate;
mod guard;
mod kept;
mod left;
mod names;
mod numbers;
mod snapshot;
mod spelling;
mod types;

pub use columns::Wanted;
pub use compare::Comparing;
pub use comparison::{Ended, Sending};
pub use guard::guard;
pub use kept::Kept;
pub use left::Left;
pub use names::beside;
pub use snapshot::{Of, Snapshot};
