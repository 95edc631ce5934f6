//! What an earlier attempt was sending when it ended.

use std::sync::Arc;

use futures::StreamExt;
use uuid::Uuid;

use super::columns::Compared;
use super::ended::Numbers;
use super::names::is_own;
use super::numbers::number;
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::value::Row;

/// What an earlier attempt was sending.
pub struct Left {
    pub snapshot: Snapshot,
    /// Its id: the ledger has it, too.
    pub id: Uuid,
    /// How many rows its requests had; none: one row each, by itself.
    pub batch: Option<u64>,
}

impl Snapshot {
    /// Returns what an earlier attempt was sending, with its id; none where there is nothing of it.
    ///
    /// # Errors
    /// The database's; a key that is another one by now.
    pub async fn left(&self) -> Result<Option<Left>> {
        let pending = self.pending_table();
        let there = self.database.columns(&pending).await?;
        let Some(there) = there.filter(|columns| is_own(&*self.database, columns)) else {
            return Ok(None);
        };
        let names = &self.comparison.names;
        let own: Vec<String> = [
            "n",
            "change",
            "sent_at",
            "response",
            "sync",
            "at",
            "definition",
            "batch",
        ]
        .map(|name| names.folded(name))
        .to_vec();
        let Some((id, batch)) = self.pending_of().await? else {
            return Ok(None);
        };
        let keys: Vec<&String> = self
            .comparison
            .columns
            .iter()
            .filter(|column| column.is_key)
            .map(|column| &column.name)
            .collect();
        // Older ones do not say how keys were spelled.
        let tells_spellings = there.iter().any(|column| names.is_spelling(&column.name));
        let texts = self.comparison.text_keys();
        let columns = there
            .iter()
            .filter(|column| !own.contains(&column.name) && !names.is_spelling(&column.name))
            .map(|column| Compared {
                name: column.name.clone(),
                is_text: tells_spellings && texts.contains(&column.name),
                is_key: keys.contains(&&column.name),
                is_compared: false,
                is_lacking: false,
            });
        let columns: Vec<Compared> = columns.collect();
        if columns.iter().filter(|column| column.is_key).count() < keys.len() {
            return Err(self.other_key());
        }
        let left = self.with_columns(columns);
        Ok(Some(Left {
            snapshot: left,
            id,
            batch,
        }))
    }

    /// Returns whose rows are being sent, and how many rows their requests have; none where there are no rows.
    pub(super) async fn pending_of(&self) -> Result<Option<(Uuid, Option<u64>)>> {
        if self.database.columns(&self.pending_table()).await?.is_none() {
            return Ok(None);
        }
        let names = &self.comparison.names;
        let id = format!(
            "SELECT {} AS a, {} AS b FROM {} LIMIT 1",
            names.meta("sync"),
            names.meta("batch"),
            names.pending
        );
        let Some(row) = self.rows(&id).await?.into_iter().next() else {
            return Ok(None);
        };
        let texts: Vec<String> = row.iter().map(|(_, value)| value.to_text()).collect();
        let [id, batch] = texts.as_slice() else {
            return Ok(None);
        };
        let size = Some(number(batch)).filter(|size| *size > 0);
        Ok(id.parse::<Uuid>().ok().map(|id| (id, size)))
    }

    /// Tells whether what is being sent is that of a sending, or nothing: another run may have begun meanwhile.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_pending_of(&self, id: Uuid) -> Result<bool> {
        Ok(self.pending_of().await?.is_none_or(|(whose, _)| whose == id))
    }

    /// Returns the numbers of the rows that are being sent, and are known to have been.
    ///
    /// # Errors
    /// The database's.
    pub async fn ended_already(&self) -> Result<Numbers> {
        let mut batches = self
            .database
            .query(&self.comparison.ended_already())
            .await?
            .batches;
        let mut numbers = Numbers::default();
        while let Some(batch) = batches.next().await {
            let batch = Arc::new(batch?);
            for at in 0..batch.num_rows() {
                let row = Row::new(batch.clone(), at);
                if let Some((_, value)) = row.iter().next() {
                    numbers.add(number(&value.to_text()));
                }
            }
        }
        Ok(numbers)
    }

    /// Forgets rows that were not sent of a sending: those from a number on.
    ///
    /// # Errors
    /// The database's.
    pub async fn drop_pending_from(&self, number: u64) -> Result<()> {
        let names = &self.comparison.names;
        let delete = format!(
            "DELETE FROM {} WHERE {} >= {number}",
            names.pending,
            names.meta("n")
        );
        self.database.execute(&delete).await.map(|_| ())
    }
}
