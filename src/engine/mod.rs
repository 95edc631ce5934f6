//! The front door: a project is opened, a flow of it compiled, a session of it runs the plan.
//! The documentation of the crate has an example.

mod compile;
mod estimate;
mod parts;
mod plan_file;
mod project;
mod registry;
mod run;
mod session;
mod signals;

pub use crate::exec::{Listener, Opener, Preview, PreviewMode, records};
pub use compile::{CompileError, CompileOptions, Compiled, Loaded, check_jinja2};
pub use plan_file::PlanFile;
pub use project::{Location, Project};
pub use registry::{Files, Opening};
pub use run::RunHandle;
pub use session::Session;
pub use signals::stop_at_interrupt;
