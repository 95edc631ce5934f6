//! Rows that may have been sent, or not: nobody knows.

use uuid::Uuid;

use super::home::{Durability, Statement};
use super::store::Store;
use crate::error::Result;

/// Rows that are written at once.
const GROUP: usize = 500;

impl Store {
    /// Notes the rows of a step that are in doubt, in place of those that were: their numbers, and the rows as JSON.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn note_doubts(&self, run: Uuid, step: &str, rows: &[(u64, String)]) -> Result<()> {
        let run = run.to_string();
        let gone = Statement::new(
            "DELETE FROM @doubts WHERE run = $1 AND step = $2",
            [run.as_str().into(), step.into()],
        );
        self.write("doubts", &[gone], Durability::Process).await?;
        for group in rows.chunks(GROUP) {
            let noted = group.iter().map(|(number, data)| {
                Statement::new(
                    "INSERT INTO @doubts (run, step, number, data) VALUES ($1, $2, $3, $4)",
                    [
                        run.as_str().into(),
                        step.into(),
                        (*number).into(),
                        data.as_str().into(),
                    ],
                )
            });
            let noted: Vec<Statement> = noted.collect();
            self.write("doubts", &noted, Durability::Process).await?;
        }
        Ok(())
    }

    /// Returns the rows of a run that are in doubt: step, number, and the row as JSON.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn doubts(&self, run: Uuid, most: usize) -> Result<Vec<(String, u64, String)>> {
        let sql = "SELECT step, number, data FROM @doubts WHERE run = $1 ORDER BY step, number LIMIT $2";
        let found = self
            .read(sql, vec![run.to_string().into(), (most as u64).into()])
            .await?;
        let row = |row: &super::Record| {
            let number = u64::try_from(row[1].int()).unwrap_or_default();
            (row[0].text().to_string(), number, row[2].text().to_string())
        };
        Ok(found.iter().map(row).collect())
    }
}
