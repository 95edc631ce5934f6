//! What would be sent now, as far as it can be told without writing anything.

use sequor_planner::ops::Change;

use super::checks::Sent;
use super::columns::Compared;
use super::comparison::Sending;
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::event::ChangeCounts;

/// What would be sent now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    pub counts: ChangeCounts,
    /// How many rows the API has.
    pub sent: Sent,
    /// How many rows an earlier attempt was sending when it ended, or one that goes on is: what became of them is not known here.
    pub under_way: u64,
}

impl Snapshot {
    /// Counts what would be sent, of `all` rows; nothing is written. `baseline`: whether all rows would count as sent, where
    /// nothing was, and whether a run before was the first that took them so.
    ///
    /// # Errors
    /// The database's; rows that were sent by another key.
    pub async fn estimate(
        &self,
        changes: &[Change],
        (baseline, was_taken): (bool, bool),
        all: u64,
    ) -> Result<Estimate> {
        let mut found = Estimate::default();
        let mut takes_all = baseline;
        let is_first = match self.database.columns(&self.table).await? {
            None => true,
            Some(there) => {
                found.sent = self.sent().await?;
                found.under_way = self.under_way().await?;
                let naming = self.database.naming();
                let columns = self.comparison.columns.iter().map(|column| Compared {
                    is_lacking: naming.find(&there, &column.name).is_none(),
                    ..column.clone()
                });
                let as_it_is = self.with_columns(columns.collect());
                takes_all &= !was_taken;
                let is_first = found.sent.is_of_another_key || !self.has_rows().await?;
                if !is_first {
                    let sending = Sending {
                        changes: changes.to_vec(),
                        ..Sending::default()
                    };
                    let from = format!("({}) d", as_it_is.comparison.changes(&sending));
                    found.counts = self.counted(&from, all).await?;
                    found.sent.by_others = as_it_is.still_by_others(&found.sent, &from).await?;
                }
                is_first
            }
        };
        if is_first {
            let sends = !takes_all && changes.contains(&Change::Added);
            found.counts = ChangeCounts {
                added: if sends { all } else { 0 },
                unchanged: if sends { 0 } else { all },
                ..ChangeCounts::default()
            };
        }
        Ok(found)
    }

    /// How many rows an attempt is sending, or was when it ended.
    async fn under_way(&self) -> Result<u64> {
        if self.left().await?.is_none() {
            return Ok(0);
        }
        let count = format!("SELECT count(*) AS a FROM {}", self.comparison.names.pending);
        Ok(self.numbers(&count).await?.first().copied().unwrap_or_default())
    }
}
