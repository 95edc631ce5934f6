//! What is new: positions, the ranges that are covered, and the windows that are asked for. It knows of rows and tables, and of no step.

mod asked_rows;
mod ignored;
mod keeps;
mod overlap;
mod pages;
mod partitioning;
mod position;
mod ranges;
mod round;
mod settings;
mod tracker;
mod windows;

pub use keeps::{KeepsState, StateRows};
pub use overlap::overlap;
pub use partitioning::Partitioning;
pub use position::{Kind, Position};
pub use ranges::Ranges;
pub use round::{Known, Parents, Round};
pub use settings::Settings;
pub use tracker::{Tracker, kind_of};
pub use windows::{Window, no_lookback, windows};
