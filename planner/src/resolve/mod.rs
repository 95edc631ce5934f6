//! From flows as written to regions of planned steps: names resolved, called flows inlined, effects found.

mod actions;
mod calls;
mod changes;
mod checks;
mod frame;
mod incremental;
mod long_names;
mod lookup;
mod steps;

pub use steps::{Names, Resolver};
