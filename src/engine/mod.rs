//! The front door: a project is opened, a flow of it compiled, a session of it runs the plan.
//! The documentation of the crate has an example.

mod changed_requests;
mod check;
mod compile;
mod dry_report;
mod dry_run;
mod estimate;
mod estimated_changes;
mod estimated_ranges;
mod for_each_rows;
mod history;
mod literal;
mod needed_tables;
mod parts;
mod plan_file;
mod project;
mod registry;
mod resume;
mod rows_of;
mod run;
mod session;
mod set_state;
mod signals;
mod stand_ins;
mod state;
mod step_states;
mod turns;
mod untried;

pub use crate::exec::{
    Answers, Asked, Between, InDoubt, Listener, Opener, Preview, PreviewMode, Resends, Script, collect,
    named_table, records,
};
pub use crate::expr::Evaluator;
pub use crate::stand_in::{GivenRows, Keeps, of_file as table_of_file};
pub use crate::state::{Entry, Journal, Progress, RunRecord, RunState, StepRecord, Store, Wanted};
pub use changed_requests::note as note_changed_requests;
pub use check::Checked;
pub use compile::{CompileError, CompileOptions, Compiled, Loaded, check_jinja2};
pub use dry_run::{Copied, DryOptions, DryRun, GivenTable, TestSetup};
pub use needed_tables::read_first;
pub use plan_file::PlanFile;
pub use project::{Location, Project};
pub use registry::{Files, Opening};
pub use resume::{ResumeOptions, Resumed};
pub use rows_of::rows_of;
pub use run::RunHandle;
pub use session::Session;
pub use set_state::{Covered, SetState};
pub use signals::stop_at_interrupt;
pub use step_states::{StepSent, StepState, is_partition, keeps_state};
pub use untried::untried;
