//! The log file in the home folder.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// Past this the log starts anew; the last one is kept beside it.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// The log file. That it can't be written, since the disk is full, is told once.
struct Log {
    file: File,
    path: PathBuf,
    failed: bool,
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes);
        if let Err(error) = &written
            && !std::mem::replace(&mut self.failed, true)
        {
            eprintln!(
                "warning: {}: {error}: lines of the log are lost",
                self.path.display()
            );
        }
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes what is traced to the log file: `SEQUOR_LOG` sets what (default: `info`). A home that can't be written to
/// is no reason not to run.
pub fn start(path: &Path, format: LogFormat) {
    let open = || -> std::io::Result<File> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if std::fs::metadata(path).is_ok_and(|m| m.len() > MAX_BYTES) {
            std::fs::rename(path, path.with_extension("log.1"))?;
        }
        File::options().create(true).append(true).open(path)
    };
    let Ok(file) = open() else { return };
    let filter = EnvFilter::try_from_env("SEQUOR_LOG").unwrap_or_else(|_| EnvFilter::new("warn,sequor=info"));
    let log = tracing_subscriber::fmt()
        .with_writer(Mutex::new(Log {
            file,
            path: path.to_path_buf(),
            failed: false,
        }))
        .log_internal_errors(false)
        .with_ansi(false)
        .with_env_filter(filter);
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
