//! Flows, run by the program against real servers.

mod across;
mod auth;
mod bad_data;
mod bad_project;
mod commands;
mod databases;
mod declared;
mod duckdb;
mod example;
mod fan_out;
mod faults;
mod formats;
mod http;
mod interrupts;
mod language;
mod limits;
mod network;
mod order;
mod pagination;
mod paging;
mod python;
mod random;
mod recording;
mod rules;
mod signed;
mod upsert;
