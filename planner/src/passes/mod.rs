//! Rewrites of the resolved steps, one file each.

pub mod in_order;
pub mod rename;
pub mod select;
pub mod views;
