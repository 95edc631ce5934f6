//! The comparison of rows with what was sent of them: those that are sent are kept aside, with what became of them.

use sequor_planner::Dialect;
use sequor_planner::ops::{Change, WriteMode};
use uuid::Uuid;

use super::checks::Sent;
use super::comparison::{Sending, Stamp};
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::event::ChangeCounts;

/// What is sent, and when.
pub struct Comparing<'c> {
    pub sending: &'c Sending,
    pub id: Uuid,
    pub at: &'c str,
    /// How many rows a request has; none: one row, by itself.
    pub batch: Option<u64>,
}

impl Snapshot {
    /// Compares, and keeps the rows that are sent. How many they are, of `all`. `sent`: what is known of those that were sent.
    ///
    /// # Errors
    /// The database's.
    pub async fn compare(
        &self,
        comparing: &Comparing<'_>,
        (all, sent): (u64, &Sent),
    ) -> Result<ChangeCounts> {
        let (id, sending) = (comparing.id.to_string(), comparing.sending);
        let stamp = Stamp {
            id: &id,
            at: comparing.at,
            batch: comparing.batch,
        };
        if !self.tells_lengths() {
            self.keep(sending, (stamp, 0), WriteMode::Replace).await?;
            self.retype(self.differing().await?).await?;
            return self.pending_counts(all).await;
        }
        self.begin_pending(stamp).await?;
        let Some(of_rows) = self.without_removed(sending, sent) else {
            self.keep(sending, (stamp, 0), WriteMode::Append).await?;
            return self.pending_counts(all).await;
        };
        // A row that is not new is one of those that were sent: where as many are there, none is gone, and nobody has to look.
        self.keep(&of_rows, (stamp, 0), WriteMode::Append).await?;
        let counts = self.pending_counts(all).await?;
        if sent.rows == all.saturating_sub(counts.added) {
            return Ok(counts);
        }
        let removed = Sending {
            changes: vec![Change::Removed],
            ..Sending::default()
        };
        self.keep(&removed, (stamp, counts.sent()), WriteMode::Append)
            .await?;
        self.pending_counts(all).await
    }

    /// What is sent of the rows that are there, where those that are gone come last, and are found by a join of their own; none
    /// where all come of one.
    fn without_removed(&self, sending: &Sending, sent: &Sent) -> Option<Sending> {
        let two_joins = matches!(
            self.database.dialect(),
            Dialect::Postgres | Dialect::MySql | Dialect::Sqlite
        );
        let (last, others) = sending.changes.split_last()?;
        let is_plain = !sending.full && !sending.resend && !sending.in_doubt && sent.in_doubt == 0;
        let applies = two_joins && is_plain && *last == Change::Removed && others.contains(&Change::Added);
        applies.then(|| Sending {
            changes: others.to_vec(),
            ..sending.clone()
        })
    }

    /// Keeps rows that are sent; `from`: the number of the first.
    async fn keep(&self, sending: &Sending, (stamp, from): (Stamp<'_>, u64), mode: WriteMode) -> Result<()> {
        let pending = self.comparison.pending(sending, stamp, from);
        let kept = self
            .database
            .transform(&pending, &self.pending_table(), mode)
            .await;
        kept.map(|_| ()).map_err(|e| {
            e.context("comparing rows with what was sent")
                .help(self.other_type())
        })
    }

    async fn pending_counts(&self, all: u64) -> Result<ChangeCounts> {
        self.counted(&self.comparison.names.pending, all).await
    }
}
