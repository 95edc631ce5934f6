//! The state of one project: its place, made ready.

use std::sync::Arc;
use std::time::Duration;

use super::home::{Durability, Home, Record, Statement, Written};
use super::schema;
use crate::error::Result;

/// How long runs that are over are remembered, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    pub time: Duration,
    pub runs: u64,
}

/// The state of a project. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) home: Arc<dyn Home>,
    pub(super) project: Arc<str>,
}

impl Store {
    /// Opens the state of a project; its tables are those of this version behind it.
    ///
    /// # Errors
    /// A place that can't be used; a state of a later version.
    pub async fn open(home: Arc<dyn Home>, project: &str) -> Result<Store> {
        #[cfg(debug_assertions)]
        let home = match super::faults::Faults::asked() {
            Some(faults) => Arc::new(super::faults::FaultyHome { home, faults }) as Arc<dyn Home>,
            None => home,
        };
        schema::migrate(&*home).await?;
        Ok(Store {
            home,
            project: project.into(),
        })
    }

    /// Returns the place.
    pub fn home(&self) -> Arc<dyn Home> {
        self.home.clone()
    }

    /// Tells whether others than the owner of the project's folder can read it.
    pub fn is_shared(&self) -> bool {
        self.home.is_shared()
    }

    /// Gives back connections.
    pub async fn close(&self) {
        self.home.close().await;
    }

    pub(super) async fn read(&self, sql: impl Into<String>, args: Vec<super::Field>) -> Result<Vec<Record>> {
        self.home.read(&Statement::new(sql, args)).await
    }

    pub(super) async fn write(
        &self,
        what: &'static str,
        statements: &[Statement],
        durability: Durability,
    ) -> Result<Written> {
        self.home.write(what, statements, durability).await
    }
}
