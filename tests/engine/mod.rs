//! The engine as a library: the front door, events and plans in files.

mod events;
mod plans;
