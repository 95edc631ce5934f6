//! How much memory queries may take together. Sorts, joins and aggregates that need more go on in files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::error;
use crate::error::Result;

/// The share of the memory that queries may take, in percent.
const SHARE: u64 = 70;

/// The memory and the files of queries, and their clock. Cloning shares them. Nothing is measured and no folder made before
/// the first query: most flows never ask one.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    /// The time that queries see; none: that at which each starts.
    pub(super) now: Option<DateTime<Utc>>,
}

struct Shared {
    /// As it was given.
    limit: Option<u64>,
    folder: Option<PathBuf>,
    opened: OnceLock<Opened>,
}

/// What queries run in.
#[derive(Clone)]
pub(super) struct Opened {
    /// As DataFusion takes it.
    pub runtime: Arc<RuntimeEnv>,
    limit: usize,
}

impl Memory {
    /// At most `limit` bytes in memory; none: 70 % of what the machine or the container gives. More goes to files in
    /// `folder`, which is made when it is needed; none: the system's folder for temporary files.
    pub fn new(limit: Option<u64>, folder: Option<PathBuf>) -> Memory {
        let shared = Arc::new(Shared {
            limit,
            folder,
            opened: OnceLock::new(),
        });
        Memory { shared, now: None }
    }

    /// Returns the same; queries see this time, where there is one.
    pub fn at(self, now: Option<DateTime<Utc>>) -> Memory {
        Memory { now, ..self }
    }

    /// Returns what queries run in, made at the first call.
    ///
    /// # Errors
    /// DataFusion's.
    pub(super) fn open(&self) -> Result<Opened> {
        if let Some(opened) = self.shared.opened.get() {
            return Ok(opened.clone());
        }
        let limit = self.shared.limit.unwrap_or_else(|| available() / 100 * SHARE);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mode = match self.shared.folder.clone().filter(|folder| usable(folder)) {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limit)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc();
        let runtime = runtime.map_err(error::sql)?;
        // Where two were made at the same time, one of them counts.
        Ok(self
            .shared
            .opened
            .get_or_init(|| Opened { runtime, limit })
            .clone())
    }
}

impl Opened {
    /// Returns what each sort keeps back for merging what it wrote to files, in bytes: DataFusion's own, and little of
    /// a small limit, since several sort at the same time.
    pub(super) fn merge_reservation(&self) -> usize {
        (self.limit / 32).min(10 << 20)
    }
}

/// Whether files can be made in a folder. Where not, the system's own is used.
fn usable(folder: &Path) -> bool {
    std::fs::create_dir_all(folder).is_ok()
}

/// The bytes of memory that the machine has, or that the control group of this process allows.
fn available() -> u64 {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let total = system.total_memory();
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => limits.total_memory.min(total),
        _ => total,
    }
}
