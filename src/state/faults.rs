//! Faults that tests ask for, in builds for tests alone: the program ends, or a write fails, before or after what is kept is
//! written.
//!
//! `SEQUOR_FAULT=what:before|after|fails:3` means the third time that `what` is written; `what` is the name that
//! [`Home::write`] gets, the name of a file of chunks, or `effect`: what the flow does to a database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::chunks::{Chunks, Mark};
use super::home::{Durability, Home, Record, Statement, Written};
use crate::error::{Error, ErrorKind, Result};

/// The variable of the process's environment that names the fault.
const VARIABLE: &str = "SEQUOR_FAULT";

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    Fails,
}

/// What goes wrong.
#[derive(Clone)]
pub struct Faults(Arc<Fault>);

struct Fault {
    what: String,
    when: When,
    /// The time at which it does.
    at: u64,
    times: Mutex<HashMap<String, u64>>,
}

impl Faults {
    /// Returns what the environment asks for.
    pub fn asked() -> Option<Faults> {
        let text = std::env::var(VARIABLE).ok()?;
        let mut parts = text.splitn(3, ':');
        let what = parts.next()?.to_string();
        let when = match parts.next()? {
            "before" => When::Before,
            "after" => When::After,
            _ => When::Fails,
        };
        let at = parts.next()?.parse().ok()?;
        Some(Faults(Arc::new(Fault {
            what,
            when,
            at,
            times: Mutex::default(),
        })))
    }

    /// Whether it is time.
    fn is_due(&self, what: &str) -> bool {
        if self.0.what != what {
            return false;
        }
        let mut times = self.0.times.lock().unwrap_or_else(PoisonError::into_inner);
        let times = times.entry(what.to_string()).or_default();
        *times += 1;
        *times == self.0.at
    }

    /// Does something; ends the program or fails when it is time.
    pub async fn around<T>(&self, what: &str, write: impl Future<Output = Result<T>>) -> Result<T> {
        let due = self.is_due(what);
        match self.0.when {
            When::Before if due => std::process::abort(),
            When::Fails if due => {
                let message = format!("{what}: No space left on device (os error 28)");
                return Err(Error::new(ErrorKind::State, message));
            }
            _ => {}
        }
        let written = write.await;
        if due && self.0.when == When::After {
            std::process::abort();
        }
        written
    }
}

/// A place of state with a fault.
pub struct FaultyHome {
    pub home: Arc<dyn Home>,
    pub faults: Faults,
}

#[async_trait]
impl Home for FaultyHome {
    async fn write(
        &self,
        what: &'static str,
        statements: &[Statement],
        durability: Durability,
    ) -> Result<Written> {
        let write = self.home.write(what, statements, durability);
        self.faults.around(what, write).await
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Record>> {
        self.home.read(statement).await
    }

    async fn has_table(&self, table: &'static str) -> Result<bool> {
        self.home.has_table(table).await
    }

    fn bytes_type(&self) -> &'static str {
        self.home.bytes_type()
    }

    fn is_shared(&self) -> bool {
        self.home.is_shared()
    }

    fn shown(&self) -> String {
        self.home.shown()
    }

    async fn close(&self) {
        self.home.close().await;
    }
}

/// Chunks with a fault.
pub struct FaultyChunks {
    pub chunks: Arc<dyn Chunks>,
    pub faults: Faults,
}

/// The last part of a file's name: what it holds.
fn kind(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

#[async_trait]
impl Chunks for FaultyChunks {
    async fn append(&self, file: &str, chunks: Vec<Vec<u8>>, durability: Durability) -> Result<()> {
        let write = self.chunks.append(file, chunks, durability);
        self.faults.around(kind(file), write).await
    }

    async fn chunk(&self, file: &str, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        self.chunks.chunk(file, at).await
    }

    async fn cut(&self, file: &str, at: u64) -> Result<()> {
        self.faults.around("cut", self.chunks.cut(file, at)).await
    }

    async fn set_mark(&self, file: &str, mark: &Mark, durability: Durability) -> Result<()> {
        let write = self.chunks.set_mark(file, mark, durability);
        self.faults.around(kind(file), write).await
    }

    async fn mark(&self, file: &str) -> Result<Option<Mark>> {
        self.chunks.mark(file).await
    }

    fn jot(&self, file: &str, number: u64) -> Result<()> {
        self.chunks.jot(file, number)
    }

    fn jotted(&self, file: &str) -> Result<Vec<u64>> {
        self.chunks.jotted(file)
    }

    async fn remove(&self, begins: &str) -> Result<()> {
        self.faults.around("remove", self.chunks.remove(begins)).await
    }
}
