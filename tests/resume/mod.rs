//! Runs that end too early, and go on.

mod api;
mod broken;
mod crash;
mod faults;
mod history;
mod limits;
mod reject_tables;
mod retries;
mod seldom;
mod stops;
mod turns;
