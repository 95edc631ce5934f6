//! What outlives a run: its history, what it needs to be gone on with, variables, tokens, locks. It is kept in a SQLite file of
//! the project's state folder, or in a PostgreSQL database that machines without a disk share.
//!
//! `Home` is what both places can do; everything else is written once, over it.

mod chunks;
mod cipher;
mod doubts;
mod events;
#[cfg(debug_assertions)]
mod faults;
mod home;
mod journal;
mod ledger;
mod locks;
mod marks;
mod owner;
mod postgres;
mod recorder;
mod runs;
mod schema;
mod sealer;
mod sqlite;
mod steps;
mod store;
mod tokens;
mod variables;

pub use chunks::{Chunks, Folder, Table};
pub use home::{Durability, Field, Home, Record, Statement, Written};
pub use journal::{Entry, FAILED, Journal, Local, Notes, PROJECT};
pub use ledger::{Budget, Fate, Frozen, Ledger, Noting, Outcome, Progress, Rejection, RunFiles};
pub use locks::Holder;
pub use owner::Owner;
pub use postgres::PostgresHome;
pub use recorder::Recorder;
pub use runs::{BEAT, RunRecord, RunStart, RunState, Wanted};
pub use sealer::Sealer;
pub use sqlite::SqliteHome;
pub use steps::StepRecord;
pub use store::{Keeping, Store};
pub use tokens::Tokens;
pub use variables::{KeptVariables, read_file};
