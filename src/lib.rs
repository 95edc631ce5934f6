//! Sequor: flows in YAML, Jinja, Python and SQL, compiled to a plan and run concurrently.
//!
//! The compiler is the crate `sequor_planner`; this crate executes its plans. [`engine`] is the front door:
//!
//! ```no_run
//! use std::sync::Arc;
//! use sequor::engine::{CompileOptions, Location, Project, Session};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let project = Arc::new(Project::open(&Location::of("examples/shopify_mailchimp"))?);
//! let compiled = project.compile("main", &CompileOptions::default()).await?;
//! let mut run = Session::new(&compiled.loaded).start(&compiled).await?;
//! while let Some(event) = run.next_event().await {
//!     println!("{}", serde_json::to_string(&*event)?);
//! }
//! println!("{}", run.wait().await?.status.as_str());
//! # Ok(())
//! # }
//! ```
//!
//! The data goes through the modules in this order, and each uses only those before it: [`error`], [`secret`], [`exchange`],
//! [`batch`], [`value`], [`world`], [`http`], [`python`], [`expr`], [`sources`], [`staging`], `local`, [`event`], [`state`],
//! [`exec`], [`engine`], [`testing`], `doctor`, [`report`], [`cli`].
//!
//! Where to look: paging ends in `http::paging` (`Pages::advance`; for `while`, rules and `stop_status` in
//! `exec::request::conversation`), rows are rejected in `exec::request::rejects` (asked by `split` for a row or batch that failed),
//! secrets are hidden in what a run shows by [`secret`] and in plans by `Plan::without_secrets` and `Source::without_secrets` of
//! the compiler, in `planner/`; a run starts in `engine::session`, events are sent in `exec::event`.

/// Arrow batches: types of columns, and rows from JSON, CSV and XML.
pub mod batch;
mod changes;
/// The command line.
pub mod cli;
/// Looking at what a project needs.
mod doctor;
/// The front door: project, compilation, session, run.
pub mod engine;
/// What went wrong: kind, place and advice, and what follows from each kind.
pub mod error;
/// What a run tells, as data.
pub mod event;
/// Requests and responses of HTTP.
pub mod exchange;
/// Executing a plan: the scheduler, its steps, their requests and loads.
pub mod exec;
/// Evaluating properties: Jinja and Python.
pub mod expr;
/// Asking APIs: sending, limits, retries, authentication, paging, recordings.
pub mod http;
mod incremental;
/// Queries over tables of several sources.
mod local;
/// The Python interpreter.
pub mod python;
/// Events as words: progress, lines, JSON.
pub mod report;
/// Texts that no output shows.
pub mod secret;
/// The contract of databases, and one folder for each of them.
pub mod sources;
/// The embedded database: DataFusion over Delta tables.
pub mod staging;
mod stand_in;
/// What outlives a run: history, how far runs are, variables, tokens.
pub mod state;
/// Tests of flows.
pub mod testing;
/// Values of expressions, rows of batches among them.
pub mod value;
/// What expressions can ask the run for.
pub mod world;
