//! What is counted before anything is sent: rows, keys, what was sent, what has changed.

use super::numbers::number;
use super::snapshot::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::event::ChangeCounts;

/// What a snapshot knows of rows that were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub rows: u64,
    pub in_doubt: u64,
    /// Rows that another request has sent.
    pub by_others: u64,
    /// Whether all that the table has was forgotten, and was kept by another key: it has no room for rows of this one.
    pub is_of_another_key: bool,
    /// Whether the table has never had a row: by which key it was made is not known.
    pub is_empty: bool,
}

impl Snapshot {
    /// Counts what was sent.
    ///
    /// # Errors
    /// The database's; rows that were sent by another key.
    pub async fn sent(&self) -> Result<Sent> {
        let counts = self.numbers(&self.comparison.counted_sent()).await?;
        let [
            rows,
            in_doubt,
            by_others,
            other_key,
            others_key,
            there,
            ever_by_others,
            ever,
        ] = counts.as_slice()
        else {
            return Ok(Sent::default());
        };
        if *other_key > 0 {
            return Err(self.other_key());
        }
        if *others_key > 0 {
            let message = format!(
                "`{}` keeps what another step has sent, and by another key",
                self.table
            );
            return Err(Error::new(ErrorKind::Project, message)
                .help("name another table: `snapshot: {table: ...}` in `changes`"));
        }
        Ok(Sent {
            rows: *rows,
            in_doubt: *in_doubt,
            by_others: *by_others,
            is_of_another_key: *there == 0 && *ever_by_others > 0,
            is_empty: *ever == 0,
        })
    }

    /// Sees to it that what was sent is kept by the key that the rows have.
    ///
    /// # Errors
    /// It is another one; the database's.
    pub async fn check_kept_key(&self) -> Result<()> {
        match self.is_there().await? {
            true => self.sent().await.map(|_| ()),
            false => Ok(()),
        }
    }

    /// Sees to it that each row has a key, and no other row has the same. How many rows there are.
    ///
    /// # Errors
    /// Rows without a key, or with the same; the database's.
    pub async fn check_keys(&self) -> Result<u64> {
        let counts = self.numbers(&self.comparison.counted_rows()).await?;
        let count = |at: usize| counts.get(at).copied().unwrap_or(0);
        let (all, nulls, same) = (count(0), count(1), count(2));
        let keys = self.comparison.key_names();
        let help = "nothing was sent: `changes.key` names columns that tell each row from all others";
        if nulls > 0 {
            let message = format!("{nulls} of {all} rows have no key ({keys} is null)");
            return Err(Error::new(ErrorKind::Data, message).help(help));
        }
        if same > 0 {
            let same = self.rows(&self.comparison.same_keys()).await?;
            let shown = same.iter().map(|row| {
                let mut values: Vec<String> = row.iter().map(|(_, value)| value.to_text()).collect();
                let count = values.pop().unwrap_or_default();
                format!("{} ({count} rows)", values.join(", "))
            });
            let message = format!(
                "several rows have the same key {keys}: {}",
                shown.collect::<Vec<_>>().join("; ")
            );
            return Err(Error::new(ErrorKind::Data, message).help(help));
        }
        Ok(all)
    }

    /// How many rows stay as another request has sent them. `sent`: what stands behind FROM for the rows that are sent now.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn still_by_others(&self, known: &Sent, sent: &str) -> Result<u64> {
        if known.by_others == 0 {
            return Ok(0);
        }
        let counts = self.numbers(&self.comparison.still_by_others(sent)).await?;
        Ok(counts.first().copied().unwrap_or_default())
    }

    /// Returns how many rows stay as another request has sent them, behind a comparison.
    ///
    /// # Errors
    /// The database's.
    pub async fn left_by_others(&self, known: &Sent) -> Result<u64> {
        self.still_by_others(known, &self.comparison.names.pending).await
    }

    /// How many rows are of which kind. `from`: what stands behind FROM for them.
    pub(super) async fn counted(&self, from: &str, all: u64) -> Result<ChangeCounts> {
        let mut counts = ChangeCounts::default();
        for row in self.rows(&self.comparison.counted(from)).await? {
            let values: Vec<String> = row.iter().map(|(_, value)| value.to_text()).collect();
            let count = values.get(1).map_or(0, |count| number(count));
            match values.first().map(String::as_str) {
                Some("added") => counts.added = count,
                Some("changed") => counts.changed = count,
                _ => counts.removed = count,
            }
        }
        counts.unchanged = all.saturating_sub(counts.added + counts.changed);
        Ok(counts)
    }
}
