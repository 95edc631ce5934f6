//! The events of a run as they were told, to be told again.

use uuid::Uuid;

use super::home::Statement;
use super::store::Store;
use crate::error::Result;
use crate::event::Event;

/// How many events of one attempt are kept: a loop may tell of millions.
pub const MOST: u64 = 50_000;

/// Returns what keeps an event. `number`: its place in its attempt.
pub fn statement(run: Uuid, attempt: u32, number: u64, event: &Event) -> Option<Statement> {
    let text = serde_json::to_string(event).ok()?;
    Some(Statement::new(
        "INSERT INTO @events (run, number, event) VALUES ($1, $2, $3) ON CONFLICT (run, number) DO NOTHING",
        [
            run.to_string().into(),
            (u64::from(attempt) << 32 | number).into(),
            text.into(),
        ],
    ))
}

impl Store {
    /// Returns the events of a run, those behind `after` only, and the place of the last: at most so many at a time.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn events(&self, run: Uuid, after: u64) -> Result<(Vec<Event>, u64)> {
        /// Events that are read at a time.
        const SOME: u64 = 2_000;
        let sql = "SELECT number, event FROM @events WHERE run = $1 AND number > $2 ORDER BY number LIMIT $3";
        let found = self
            .read(sql, vec![run.to_string().into(), after.into(), SOME.into()])
            .await?;
        let last = found
            .last()
            .map_or(after, |row| u64::try_from(row[0].int()).unwrap_or(after));
        // One that this version does not know is left out.
        let events = found
            .iter()
            .filter_map(|row| serde_json::from_str(row[1].text()).ok());
        Ok((events.collect(), last))
    }
}
