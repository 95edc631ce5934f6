//! `test`: tests of flows; `init`, whose projects have some; `doctor`.

mod doctor;
mod expectations;
mod mocks;
mod outputs;
mod projects;
mod recorded;
mod update;
