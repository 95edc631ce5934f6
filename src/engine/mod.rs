//! The front door.

pub mod registry;
