//! Files of chunks that only grow, and marks beside them: what runs keep to go on with. In a folder, or in a table of the database
//! that holds the state. Each chunk has a checksum: one that was not written to its end is as if it had never been.

mod folder;
mod table;

use async_trait::async_trait;

use super::home::Durability;
use crate::error::Result;

pub use folder::Folder;
pub use table::Table;

/// A number that is written before what it counts is done, and the machine's boot in which it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// What lies below may have been done: true as long as the machine is up.
    pub value: u64,
    /// The same, true after the machine was started again, too.
    pub lease: u64,
    /// The machine's boot.
    pub boot: String,
}

/// A place for chunks.
#[async_trait]
pub trait Chunks: Send + Sync {
    /// Adds chunks at the end of a file, in order.
    ///
    /// # Errors
    /// What can't be written.
    async fn append(&self, file: &str, chunks: Vec<Vec<u8>>, durability: Durability) -> Result<()>;

    /// Returns the chunk that begins at a place, and where the next one does; none where there is none. The first begins at 0.
    ///
    /// # Errors
    /// What can't be read.
    async fn chunk(&self, file: &str, at: u64) -> Result<Option<(Vec<u8>, u64)>>;

    /// Takes away what stands from a place on: what follows is written there.
    ///
    /// # Errors
    /// What can't be written.
    async fn cut(&self, file: &str, at: u64) -> Result<()>;

    /// Sets a mark.
    ///
    /// # Errors
    /// What can't be written.
    async fn set_mark(&self, file: &str, mark: &Mark, durability: Durability) -> Result<()>;

    /// Returns a mark; none where it was never set.
    ///
    /// # Errors
    /// What can't be read.
    async fn mark(&self, file: &str) -> Result<Option<Mark>>;

    /// Notes a number beside a mark, at once and for the end of the process alone. Where that costs as much as a chunk, it is not
    /// done.
    ///
    /// # Errors
    /// What can't be written.
    fn jot(&self, _file: &str, _number: u64) -> Result<()> {
        Ok(())
    }

    /// Returns the numbers that were noted beside a mark.
    ///
    /// # Errors
    /// What can't be read.
    fn jotted(&self, _file: &str) -> Result<Vec<u64>> {
        Ok(Vec::new())
    }

    /// Removes all whose names begin so.
    ///
    /// # Errors
    /// What can't be removed.
    async fn remove(&self, begins: &str) -> Result<()>;
}

/// What stands before a chunk: its length and its checksum (CRC-32 of ISO 3309, over both).
pub const HEAD: usize = 8;

/// Returns chunks as they are written.
pub fn framed<C: AsRef<[u8]>>(chunks: &[C]) -> Vec<u8> {
    let size = chunks.iter().map(|chunk| chunk.as_ref().len() + HEAD).sum();
    let mut out = Vec::with_capacity(size);
    for chunk in chunks {
        frame(chunk.as_ref(), &mut out);
    }
    out
}

fn frame(chunk: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(chunk).to_le_bytes());
    out.extend_from_slice(chunk);
}

/// Returns the length and the checksum that a head says.
pub fn head(bytes: [u8; HEAD]) -> (usize, u32) {
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (usize::try_from(number(0)).unwrap_or(usize::MAX), number(4))
}

/// Returns the checksum of a chunk.
pub fn checksum(chunk: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&u32::try_from(chunk.len()).unwrap_or(u32::MAX).to_le_bytes());
    hasher.update(chunk);
    hasher.finalize()
}
