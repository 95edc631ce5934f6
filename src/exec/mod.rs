//! Executes a plan: the scheduler, scopes and what the steps of a run share here; what they do in `steps`, of which `request`
//! asks APIs and `load` fills tables. Knows traits, not connectors.

mod api;
mod apis;
mod boxed;
mod changes;
mod conditions;
mod context;
mod databases;
mod dry;
mod event;
mod incremental;
mod keep;
mod layer;
mod load;
mod marks;
mod reject_tables;
mod request;
mod run;
mod scheduler;
mod scope;
mod script;
mod step;
mod steps;
mod tables;
mod turn;
mod unfold;
mod variables;

pub use apis::{Apis, Transports};
pub use changes::{baseline_mark, request_digest, scope_of};
pub use databases::{Databases, Opener};
pub use dry::Dry;
pub use event::{Events, Listener};
pub use incremental::{
    Definition, Evaluated, Owner, StartOf, TableState, column_kind, definition, kind_of_states, known_by_all,
    parents_of_all, request_mark,
};
pub use keep::Keeper;
pub use load::ready::load as load_rows;
pub use run::{Between, InDoubt, Resends, Run, execute};
pub use scope::Scope;
pub use script::{Answers, Asked, Script};
pub use steps::preview::{Preview, PreviewMode, records};
pub use tables::{collect, named_table};
pub use variables::Variables;
