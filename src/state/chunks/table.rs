//! Chunks in a table of the database that holds the state: for machines that keep no disk.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Chunks, Mark, checksum};
use crate::error::Result;
use crate::state::home::{Durability, Field, Home, Statement};

/// Rows of a table.
pub struct Table {
    home: Arc<dyn Home>,
}

impl Table {
    /// Returns the chunks in a place of state.
    pub fn new(home: Arc<dyn Home>) -> Table {
        Table { home }
    }
}

#[async_trait]
impl Chunks for Table {
    async fn append(&self, file: &str, chunks: Vec<Vec<u8>>, durability: Durability) -> Result<()> {
        let last = Statement::new(
            "SELECT coalesce(max(number) + 1, 0) FROM @chunks WHERE file = $1",
            [file.into()],
        );
        let at = self.home.read(&last).await?.first().map_or(0, |row| row[0].int());
        let added = (at..).zip(chunks).map(|(at, chunk)| {
            Statement::new(
                "INSERT INTO @chunks (file, number, checksum, chunk) VALUES ($1, $2, $3, $4)",
                [
                    file.into(),
                    Field::Int(Some(at)),
                    u64::from(checksum(&chunk)).into(),
                    Field::Bytes(Some(chunk)),
                ],
            )
        });
        let added: Vec<Statement> = added.collect();
        self.home
            .write("chunk", &added, durability)
            .await?
            .all()
            .map(|_| ())
    }

    async fn chunk(&self, file: &str, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        let wanted = Statement::new(
            "SELECT checksum, chunk FROM @chunks WHERE file = $1 AND number = $2",
            [file.into(), at.into()],
        );
        let found = self.home.read(&wanted).await?;
        Ok(found.first().and_then(|row| {
            let chunk = row[1].bytes()?.to_vec();
            let is_whole = i64::from(checksum(&chunk)) == row[0].int();
            is_whole.then_some((chunk, at + 1))
        }))
    }

    async fn cut(&self, file: &str, at: u64) -> Result<()> {
        let cut = Statement::new(
            "DELETE FROM @chunks WHERE file = $1 AND number >= $2",
            [file.into(), at.into()],
        );
        self.home
            .write("chunk", &[cut], Durability::Machine)
            .await
            .map(|_| ())
    }

    async fn set_mark(&self, file: &str, mark: &Mark, _durability: Durability) -> Result<()> {
        let set = Statement::new(
            "INSERT INTO @watermarks (file, value, lease, boot) VALUES ($1, $2, $3, $4)
             ON CONFLICT (file) DO UPDATE SET value = excluded.value, lease = excluded.lease, boot = excluded.boot",
            [
                file.into(),
                mark.value.into(),
                mark.lease.into(),
                mark.boot.as_str().into(),
            ],
        );
        self.home
            .write("watermark", &[set], Durability::Machine)
            .await
            .map(|_| ())
    }

    async fn mark(&self, file: &str) -> Result<Option<Mark>> {
        let wanted = Statement::new(
            "SELECT value, lease, boot FROM @watermarks WHERE file = $1",
            [file.into()],
        );
        let found = self.home.read(&wanted).await?;
        let number = |field: &Field| u64::try_from(field.int()).unwrap_or_default();
        Ok(found.first().map(|row| Mark {
            value: number(&row[0]),
            lease: number(&row[1]),
            boot: row[2].text().to_string(),
        }))
    }

    async fn remove(&self, begins: &str) -> Result<()> {
        let args = || [(begins.chars().count() as u64).into(), begins.into()];
        let removed = ["chunks", "watermarks"].map(|table| {
            Statement::new(
                format!("DELETE FROM @{table} WHERE substr(file, 1, CAST($1 AS INTEGER)) = $2"),
                args(),
            )
        });
        self.home
            .write("chunk", &removed, Durability::Process)
            .await
            .map(|_| ())
    }
}
