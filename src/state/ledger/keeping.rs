//! What a run keeps in files: where, and how much it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::state::chunks::{Chunks, Mark};
use crate::state::home::Durability;
use crate::state::ledger::watermark::{WATERMARK, Watermark};

/// How much a run may keep.
pub struct Budget {
    most: u64,
    used: AtomicU64,
}

impl Budget {
    /// Returns that of so many bytes.
    pub fn new(most: u64) -> Arc<Budget> {
        Arc::new(Budget {
            most,
            used: AtomicU64::new(0),
        })
    }

    /// Takes so many bytes of it.
    ///
    /// # Errors
    /// There are not so many left.
    pub fn take(&self, bytes: usize) -> Result<()> {
        let used = self.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used <= self.most {
            return Ok(());
        }
        let message = format!(
            "what the run keeps so that it can be gone on with takes more than {} bytes of disk",
            self.most
        );
        Err(Error::new(ErrorKind::State, message).help(
            "allow more by `state: {max_disk: 50GB}` in project.yaml, or keep nothing of a step by `checkpoint: false`",
        ))
    }
}

/// The files of a run.
#[derive(Clone)]
pub struct RunFiles {
    pub chunks: Arc<dyn Chunks>,
    pub budget: Arc<Budget>,
    /// What all their names begin with.
    folder: Arc<str>,
}

impl RunFiles {
    /// Returns those of a run.
    pub fn new(chunks: Arc<dyn Chunks>, run: Uuid, budget: Arc<Budget>) -> RunFiles {
        #[cfg(debug_assertions)]
        let chunks = match crate::state::faults::Faults::asked() {
            Some(faults) => {
                Arc::new(crate::state::faults::FaultyChunks { chunks, faults }) as Arc<dyn Chunks>
            }
            None => chunks,
        };
        RunFiles {
            chunks,
            budget,
            folder: RunFiles::folder(&run.to_string()).into(),
        }
    }

    /// Returns what the names of all files of a run begin with.
    pub fn folder(run: &str) -> String {
        format!("{run}/")
    }

    /// Returns the name of a step's file. `step`: the step's name in the journal.
    pub fn name(&self, step: &str, what: &str) -> String {
        format!("{}{what}", self.of_step(step))
    }

    fn of_step(&self, step: &str) -> String {
        // A name may hold what no file's name does, and be longer.
        let digest = Sha256::digest(step.as_bytes());
        let digest: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        format!("{}{digest}/", self.folder)
    }

    /// Returns those of a sending that outlives its run: the next one goes on with it, whichever that is.
    pub fn of_sending(&self, id: Uuid) -> RunFiles {
        RunFiles {
            folder: RunFiles::folder(&id.to_string()).into(),
            ..self.clone()
        }
    }

    /// Notes that a step begins to be kept: where this is gone later, so is what was kept of it.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn begin(&self, step: &str) -> Result<()> {
        Watermark::open(self.chunks.clone(), self.name(step, WATERMARK))
            .await?
            .begin()
            .await
    }

    /// Removes all that is kept there.
    ///
    /// # Errors
    /// What can't be removed.
    pub async fn forget_all(&self) -> Result<()> {
        self.chunks.remove(&self.folder).await
    }

    /// Notes that the rows of all responses that are kept of a step are in their tables.
    ///
    /// # Errors
    /// What can't be read or written.
    pub async fn loaded(&self, step: &str) -> Result<()> {
        let (file, mut at) = (self.name(step, "ledger"), 0);
        while let Some((_, next)) = self.chunks.chunk(&file, at).await? {
            at = next;
        }
        let mark = Mark {
            value: at,
            ..Mark::default()
        };
        self.chunks
            .set_mark(&self.name(step, "loaded"), &mark, Durability::Machine)
            .await
    }

    /// Removes what is kept of a step.
    ///
    /// # Errors
    /// What can't be removed.
    pub async fn forget(&self, step: &str) -> Result<()> {
        self.chunks.remove(&self.of_step(step)).await
    }
}
