//! Who carries out a run: a process of a machine, so that others can tell whether it is still there.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// The machine's boot: it changes when the machine is started again.
    pub boot: String,
    /// The space of process ids, where containers have their own.
    pub space: String,
    pub process: u32,
    /// When the process was started, in seconds: its number may be given to another later.
    pub since: u64,
}

/// Milliseconds without a sign of life, or of one from the future, after which an owner that can't be looked at counts as gone.
pub const SILENCE: i64 = 60_000;

impl Owner {
    /// Returns this process.
    pub fn this() -> Owner {
        let process = std::process::id();
        Owner {
            host: System::host_name().unwrap_or_default(),
            boot: boot(),
            space: space(),
            process,
            since: started(process).unwrap_or_default(),
        }
    }

    /// Tells whether the owner is gone, as seen from this machine; none where that can't be seen.
    pub fn is_gone(&self) -> Option<bool> {
        if System::host_name().unwrap_or_default() != self.host || self.boot.is_empty() {
            return None;
        }
        if boot() != self.boot {
            return Some(true);
        }
        (space() == self.space).then(|| started(self.process) != Some(self.since))
    }
}

/// When a process was started; none where there is none of this number.
fn started(process: u32) -> Option<u64> {
    let mut system = System::new();
    let id = Pid::from_u32(process);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        true,
        ProcessRefreshKind::nothing(),
    );
    let found = system.process(id)?;
    // One that is dead and was not waited for yet does nothing any more.
    match found.status() {
        sysinfo::ProcessStatus::Zombie | sysinfo::ProcessStatus::Dead => None,
        _ => Some(found.start_time()),
    }
}

/// Returns the id of the machine's boot; elsewhere than on Linux the time of it.
pub fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| System::boot_time().to_string(), |id| id.trim().to_string())
}

fn space() -> String {
    let link = std::fs::read_link(Path::new("/proc/self/ns/pid"));
    link.map_or_else(|_| String::new(), |link| link.to_string_lossy().into_owned())
}
