//! Marks: those by which APIs know whether something has changed, and those by which we know a request.

use std::collections::BTreeMap;
use std::path::Path;

use super::home::{Durability, Statement};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};

impl Store {
    /// Returns a mark; none where none is kept under this name.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn mark(&self, name: &str) -> Result<Option<String>> {
        let sql = "SELECT mark FROM @marks WHERE project = $1 AND name = $2";
        let found = self.read(sql, vec![(&*self.project).into(), name.into()]).await?;
        Ok(found.first().map(|row| row[0].text().to_string()))
    }

    /// Takes over the marks of a file that earlier versions wrote, and removes it.
    ///
    /// # Errors
    /// Marks that can't be kept. What can't be read is left out: it is asked for anew.
    pub async fn take_over_marks(&self, file: &Path) -> Result<()> {
        let failed = |e: std::io::Error| Error::new(ErrorKind::State, format!("{}: {e}", file.display()));
        let text = std::fs::read(file).map_err(failed)?;
        let all: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).unwrap_or_default();
        for (name, mark) in all {
            self.keep_mark(&name, &mark.to_string()).await?;
        }
        std::fs::remove_file(file).map_err(failed)
    }

    /// Forgets a mark.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn forget_mark(&self, name: &str) -> Result<()> {
        let forgotten = Statement::new(
            "DELETE FROM @marks WHERE project = $1 AND name = $2",
            [(&*self.project).into(), name.into()],
        );
        self.write("mark", &[forgotten], Durability::Process)
            .await
            .map(|_| ())
    }

    /// Keeps a mark.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn keep_mark(&self, name: &str, mark: &str) -> Result<()> {
        let kept = Statement::new(
            "INSERT INTO @marks (project, name, mark) VALUES ($1, $2, $3)
             ON CONFLICT (project, name) DO UPDATE SET mark = excluded.mark",
            [(&*self.project).into(), name.into(), mark.into()],
        );
        self.write("mark", &[kept], Durability::Process).await.map(|_| ())
    }
}
