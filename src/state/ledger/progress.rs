//! How far a step is, from what it keeps. It is only read, so that a step which goes on is not disturbed.

use serde::Serialize;

use super::keeping::RunFiles;
use super::outcome::Before;
use super::rows::Frozen;
use super::watermark::{WATERMARK, Watermark};
use super::{Fate, groups, response};
use crate::error::Result;

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Progress {
    /// How many rows it has; none where that is not kept, or not known yet.
    pub rows: Option<u64>,
    pub done: u64,
    pub rejected: u64,
    /// Rows that may have been sent, and of which nothing else is known: under way, or in doubt.
    pub in_doubt: u64,
    /// Responses whose rows are not in their tables yet.
    pub responses: u64,
}

impl Progress {
    /// Reads how far a step is; none where it keeps nothing.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn of(files: &RunFiles, step: &str) -> Result<Option<Progress>> {
        let (chunks, file) = (files.chunks.clone(), files.name(step, "ledger"));
        let mut before = Before::default();
        let (mut at, mut responses) = (0, 0);
        while let Some((chunk, next)) = chunks.chunk(&file, at).await? {
            match chunk.split_first() {
                Some((&groups::OUTCOMES, bytes)) => before.add(bytes)?,
                Some((&groups::RESPONSES, bytes)) => responses += response::batch(bytes)?.num_rows() as u64,
                _ => {}
            }
            at = next;
        }
        let mark = files.name(step, WATERMARK);
        for row in chunks.jotted(&mark)? {
            before.set_done(row);
        }
        let rows = Frozen::count(files, step).await?;
        let mut progress = Progress {
            rows,
            responses,
            ..Progress::default()
        };
        before.each(|fate| match fate {
            Fate::Done | Fate::Skipped => progress.done += 1,
            Fate::Rejected(_) => progress.rejected += 1,
            Fate::InDoubt => progress.in_doubt += 1,
            Fate::Failed | Fate::New => {}
        });
        let watermark = Watermark::open(chunks, mark).await?;
        let sent = 0..watermark.before();
        progress.in_doubt += sent.filter(|row| !before.knows(*row)).count() as u64;
        Ok((progress != Progress::default()).then_some(progress))
    }
}
