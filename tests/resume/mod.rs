//! Runs that end too early, and go on.

mod api;
mod crash;
mod history;
mod stops;
