//! Rewrites of the resolved steps, one file each.

pub mod in_order;
pub mod select;
pub mod views;
