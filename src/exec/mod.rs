//! Executes a plan: the scheduler, the scopes, and one file per kind of step. Knows traits, not connectors.

mod api;
mod columns;
mod credentials;
mod debug;
mod event;
mod flow;
mod http_converse;
mod http_fan_out;
mod http_render;
mod http_response;
mod http_step;
mod local;
mod migrate;
mod odd;
mod rejects;
mod rules;
mod run;
mod scheduler;
mod scope;
mod sink;
mod spooled;
mod sql;
mod step;
mod table;
mod turn;
mod variables;
mod waiting;

pub use api::Api;
pub use debug::{Debug, Look, records};
pub use event::{Counters, Event, Events, Outcome, Totals};
pub use run::{Databases, Run, execute};
pub use scope::Scope;
pub use variables::Variables;
