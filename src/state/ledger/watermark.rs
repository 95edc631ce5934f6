//! The watermark: rows below it may have been sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::error::Result;
use crate::state::chunks::{Chunks, Mark};
use crate::state::home::Durability;
use crate::state::owner::boot;

/// How many rows the mark on the disk is ahead, so that the disk is waited for seldom.
const LEASE: u64 = 4_096;

/// What the file of a step's is called.
pub const WATERMARK: &str = "watermark";

/// A watermark that only rises.
pub struct Watermark {
    chunks: Arc<dyn Chunks>,
    file: String,
    /// Below which rows may have been sent by earlier attempts.
    before: u64,
    /// What is written.
    written: AtomicU64,
    /// What is asked for: those who wait are served together.
    wanted: AtomicU64,
    writing: Mutex<Mark>,
}

impl Watermark {
    /// Opens that of a file.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn open(chunks: Arc<dyn Chunks>, file: String) -> Result<Watermark> {
        let boot = boot();
        let before = match chunks.mark(&file).await? {
            None => 0,
            Some(mark) if mark.boot == boot => mark.value,
            // What was not on the disk when the machine went down is not there.
            Some(mark) => mark.lease.max(mark.value),
        };
        Ok(Watermark {
            chunks,
            file,
            before,
            written: AtomicU64::new(before),
            wanted: AtomicU64::new(before),
            writing: Mutex::new(Mark {
                value: before,
                lease: before,
                boot,
            }),
        })
    }

    /// Tells whether it was ever written.
    pub async fn is_there(&self) -> Result<bool> {
        Ok(self.chunks.mark(&self.file).await?.is_some())
    }

    /// Writes it as it is: that it is gone can be seen then.
    pub async fn begin(&self) -> Result<()> {
        let mark = self.writing.lock().await;
        self.chunks.set_mark(&self.file, &mark, Durability::Machine).await
    }

    /// Returns the number below which earlier attempts may have sent rows.
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Tells whether an earlier attempt may have sent a row.
    pub fn covered(&self, row: u64) -> bool {
        row < self.before
    }

    /// Raises it above a row. Whether the disk was waited for.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn raise(&self, row: u64) -> Result<bool> {
        if row < self.written.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.wanted.fetch_max(row + 1, Ordering::AcqRel);
        let mut mark = self.writing.lock().await;
        if row < self.written.load(Ordering::Acquire) {
            return Ok(false);
        }
        // By no more than what is about to be sent: nothing of it may be sent twice.
        let value = self.wanted.load(Ordering::Acquire);
        let to_disk = value > mark.lease;
        let next = Mark {
            value,
            lease: if to_disk { value + LEASE } else { mark.lease },
            boot: mark.boot.clone(),
        };
        let durability = match to_disk {
            true => Durability::Machine,
            false => Durability::Process,
        };
        self.chunks.set_mark(&self.file, &next, durability).await?;
        *mark = next;
        self.written.store(value, Ordering::Release);
        Ok(to_disk)
    }
}
