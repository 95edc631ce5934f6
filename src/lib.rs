//! Sequor: flows in YAML, Jinja, Python and SQL, compiled to a plan and run concurrently.
//!
//! The compiler is the crate `sequor_planner`; this crate executes its plans. Data flows one way:
//! [`exec`] runs the plan's steps; [`expr`] and [`python`] evaluate their properties; [`http`] asks APIs; [`batch`] makes
//! Arrow of the answers; [`sources`] and [`staging`] load them, `local` runs queries
//! over tables of several of them; [`report`] tells what happened. `cli` assembles the parts.

pub mod batch;
pub mod cli;
pub mod engine;
pub mod error;
pub mod exchange;
pub mod exec;
pub mod expr;
pub mod http;
mod local;
pub mod project;
pub mod python;
pub mod report;
pub mod secret;
pub mod sources;
pub mod staging;
pub mod value;
pub mod world;
