//! Chunks in a folder: a file each, for its owner alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind as Io, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Chunks, HEAD, Mark, checksum, framed, head};
use crate::error::{Error, ErrorKind, Result};
use crate::state::home::Durability;

/// Files in a folder.
pub struct Folder {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<Open>>>,
}

/// A file that is being written.
struct Open {
    file: File,
    /// Where the next chunk begins.
    end: Mutex<u64>,
}

impl Open {
    /// Writes at a place, while no one else does.
    fn write(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }
}

/// Where numbers beside a mark begin: behind the longest mark.
const JOTS: u64 = 128;

/// What no file of chunks is larger than: a slip would fill the memory.
const MOST: usize = 1 << 31;

impl Folder {
    /// Returns the files of a folder, which need not be there.
    pub fn new(folder: PathBuf) -> Folder {
        Folder {
            folder,
            open: Mutex::default(),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn opened(&self, file: &str) -> Result<Arc<Open>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(file) {
            return Ok(known.clone());
        }
        let path = self.path(file);
        let made = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut options = File::options();
            options.create(true).truncate(false).read(true).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            let end = Mutex::new(file.metadata()?.len());
            Ok(Open { file, end })
        };
        let made = Arc::new(made().map_err(|e| failed(&path, &e))?);
        open.insert(file.to_string(), made.clone());
        Ok(made)
    }

    fn read(&self, file: &str, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        let path = self.path(file);
        let mut open = match File::open(&path) {
            Ok(open) => open,
            Err(e) if e.kind() == Io::NotFound => return Ok(None),
            Err(e) => return Err(failed(&path, &e)),
        };
        let mut bytes = [0; HEAD];
        open.seek(SeekFrom::Start(at)).map_err(|e| failed(&path, &e))?;
        match open.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(e) if e.kind() == Io::UnexpectedEof => return Ok(None),
            Err(e) => return Err(failed(&path, &e)),
        }
        let (length, sum) = head(bytes);
        let left = open.metadata().map_err(|e| failed(&path, &e))?.len();
        let begins = at + HEAD as u64;
        if length > MOST || begins + length as u64 > left {
            return Ok(None);
        }
        let mut chunk = vec![0; length];
        open.read_exact(&mut chunk).map_err(|e| failed(&path, &e))?;
        Ok((checksum(&chunk) == sum).then(|| (chunk, begins + length as u64)))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let help = match error.kind() {
        Io::StorageFull | Io::QuotaExceeded => {
            "the disk is full: make room, and go on with the run by --resume; `checkpoint: false` on a step keeps nothing of it"
        }
        _ => "what a run goes on from is kept there: the folder must be writable",
    };
    Error::new(ErrorKind::State, format!("{}: {error}", path.display())).help(help)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::new(ErrorKind::Internal, format!("a thread ended unexpectedly: {e}")))?
}

#[async_trait]
impl Chunks for Folder {
    async fn append(&self, file: &str, chunks: Vec<Vec<u8>>, durability: Durability) -> Result<()> {
        let (open, path) = (self.opened(file)?, self.path(file));
        blocking(move || {
            let framed = framed(&chunks);
            let mut end = open.end.lock().unwrap_or_else(PoisonError::into_inner);
            open.write(&framed, *end).map_err(|e| failed(&path, &e))?;
            *end += framed.len() as u64;
            if durability == Durability::Machine {
                open.file.sync_data().map_err(|e| failed(&path, &e))?;
            }
            Ok(())
        })
        .await
    }

    async fn chunk(&self, file: &str, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        // Small, and mostly in the system's memory.
        self.read(file, at)
    }

    async fn cut(&self, file: &str, at: u64) -> Result<()> {
        let (open, path) = (self.opened(file)?, self.path(file));
        let mut end = open.end.lock().unwrap_or_else(PoisonError::into_inner);
        open.file.set_len(at).map_err(|e| failed(&path, &e))?;
        *end = at;
        Ok(())
    }

    async fn set_mark(&self, file: &str, mark: &Mark, durability: Durability) -> Result<()> {
        let (open, path) = (self.opened(file)?, self.path(file));
        let bytes = mark_bytes(mark);
        // To the system: a copy in memory, no wait for the disk.
        {
            let _writing = open.end.lock().unwrap_or_else(PoisonError::into_inner);
            open.write(&bytes, 0).map_err(|e| failed(&path, &e))?;
        }
        match durability {
            Durability::Process => Ok(()),
            Durability::Machine => {
                blocking(move || open.file.sync_data().map_err(|e| failed(&path, &e))).await
            }
        }
    }

    async fn mark(&self, file: &str) -> Result<Option<Mark>> {
        let path = self.path(file);
        match std::fs::read(&path) {
            // Numbers beside a mark that was never set.
            Ok(bytes) if bytes.iter().take(HEAD).all(|byte| *byte == 0) => Ok(None),
            Ok(bytes) => match mark_of(&bytes) {
                Some(mark) => Ok(Some(mark)),
                None => {
                    let message = format!("{} is damaged: which rows were sent is not known", path.display());
                    Err(Error::new(ErrorKind::State, message).help("start anew: sequor run FLOW"))
                }
            },
            Err(e) if e.kind() == Io::NotFound => Ok(None),
            Err(e) => Err(failed(&path, &e)),
        }
    }

    fn jot(&self, file: &str, number: u64) -> Result<()> {
        let (open, path) = (self.opened(file)?, self.path(file));
        let mut end = open.end.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*end).max(JOTS);
        let bytes = number.to_le_bytes();
        open.write(&framed(&[bytes]), at).map_err(|e| failed(&path, &e))?;
        *end = at + (HEAD + bytes.len()) as u64;
        Ok(())
    }

    fn jotted(&self, file: &str) -> Result<Vec<u64>> {
        let mut all = Vec::new();
        let mut at = JOTS;
        while let Some((chunk, next)) = self.read(file, at)? {
            all.extend(chunk.try_into().ok().map(u64::from_le_bytes));
            at = next;
        }
        Ok(all)
    }

    async fn remove(&self, begins: &str) -> Result<()> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|file, _| !file.starts_with(begins));
        let path = self.path(begins.trim_end_matches('/'));
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
        match removed {
            Err(e) if e.kind() != Io::NotFound => return Err(failed(&path, &e)),
            _ => {}
        }
        // The folder around goes with the last that was in it.
        if let Some(around) = path.parent().filter(|around| *around != self.folder) {
            let _ = std::fs::remove_dir(around);
        }
        Ok(())
    }
}

/// A mark as a file has it: two numbers and the boot, framed.
fn mark_bytes(mark: &Mark) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&mark.value.to_le_bytes());
    bytes.extend_from_slice(&mark.lease.to_le_bytes());
    bytes.extend_from_slice(mark.boot.as_bytes());
    framed(&[bytes])
}

fn mark_of(bytes: &[u8]) -> Option<Mark> {
    let (first, rest) = bytes.split_first_chunk::<HEAD>()?;
    let (length, sum) = head(*first);
    let chunk = rest.get(..length)?;
    if checksum(chunk) != sum {
        return None;
    }
    let number = |at: usize| {
        let bytes = chunk.get(at..at + 8)?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    };
    Some(Mark {
        value: number(0)?,
        lease: number(8)?,
        boot: String::from_utf8_lossy(chunk.get(16..)?).into_owned(),
    })
}
