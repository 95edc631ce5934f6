//! Flows, run by the program against real servers.

mod auth;
mod bad_data;
mod bad_project;
mod commands;
mod example;
mod http;
mod language;
mod limits;
mod order;
mod pagination;
mod python;
mod random;
mod recording;
