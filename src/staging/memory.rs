//! How much memory queries may take together. Sorts, joins and aggregates that need more go on in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::error;
use crate::error::Result;

/// The share of the memory that queries may take, in percent.
const SHARE: u64 = 70;

/// The memory and the files of queries. Cloning shares them.
#[derive(Clone)]
pub struct Memory {
    runtime: Arc<RuntimeEnv>,
    limit: usize,
}

impl Memory {
    /// At most `limit` bytes in memory; none: 70 % of what the machine or the container gives. More goes to files in
    /// `folder`, which is made when it is needed; none: the system's folder for temporary files.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn new(limit: Option<u64>, folder: Option<PathBuf>) -> Result<Memory> {
        let limit = limit.unwrap_or_else(|| available() / 100 * SHARE);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mode = match folder.filter(|folder| usable(folder)) {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limit)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc();
        let runtime = runtime.map_err(error::sql)?;
        Ok(Memory { runtime, limit })
    }

    /// As DataFusion takes it.
    pub(super) fn runtime(&self) -> Arc<RuntimeEnv> {
        self.runtime.clone()
    }

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
