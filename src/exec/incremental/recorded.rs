//! The state that a recorded run began with: kept beside its exchanges, and taken in place of what the tables have where those
//! answer, so that the same is asked for.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::state::TableState;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::run::Between;
use crate::incremental::{Kind, Known, Parents, Ranges};

/// What a step began with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// When the step started: times end there.
    now: String,
    /// The range that the run was told to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    between: Option<Between>,
    /// What was covered, by whose it is.
    covered: BTreeMap<String, Json>,
    /// The cursors that rows of the for_each had themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parents: BTreeMap<String, Vec<String>>,
}

impl Recorded {
    /// Returns what is kept of a step that begins.
    pub fn of(
        (now, between): (DateTime<Utc>, Option<&Between>),
        known: &Known,
        parents: &Parents,
    ) -> Recorded {
        let json = |ranges: &Ranges| serde_json::from_str(&ranges.to_json()).unwrap_or_default();
        Recorded {
            now: now.to_rfc3339_opts(SecondsFormat::Micros, true),
            between: between.cloned(),
            covered: known
                .iter()
                .map(|(part, ranges)| (part.clone(), json(ranges)))
                .collect(),
            parents: parents
                .iter()
                .map(|(part, known)| (part.clone(), known.iter().cloned().collect()))
                .collect(),
        }
    }

    /// Reads it; none where a recording has none.
    ///
    /// # Errors
    /// A file that can't be read, or is none.
    pub async fn read(file: &Path) -> Result<Option<Recorded>> {
        let text = match tokio::fs::read_to_string(file).await {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(wrong(file, &e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|e| wrong(file, &e))
    }

    /// Writes it.
    ///
    /// # Errors
    /// A file that can't be written.
    pub async fn write(&self, file: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder)
                .await
                .map_err(|e| wrong(file, &e))?;
        }
        tokio::fs::write(file, text).await.map_err(|e| wrong(file, &e))
    }

    /// Returns the range that the run was told to ask for.
    pub fn between(&self) -> Option<&Between> {
        self.between.as_ref()
    }

    /// Sees to it that nothing was loaded since by runs that began later: its rows would be set back, and never be asked for again.
    ///
    /// # Errors
    /// Something was; no time.
    pub fn check_is_latest(&self, state: &TableState, file: &Path) -> Result<()> {
        let now = written_time(self.now(file)?);
        let Some(latest) = state.latest.as_ref().filter(|latest| **latest > now) else {
            return Ok(());
        };
        let message = format!(
            "`{}` was loaded since by a run of {latest}, and the recording is of {now}: what came with that run would be set back, and not be asked for again",
            state.target
        );
        Err(Error::new(ErrorKind::Replay, message).help(
            "replay it where nothing was loaded since, as in another environment; look at it by --dry-run; or begin the table anew by --full-refresh",
        ))
    }

    /// Returns when the step started.
    ///
    /// # Errors
    /// No time.
    pub fn now(&self, file: &Path) -> Result<DateTime<Utc>> {
        let read = DateTime::parse_from_rfc3339(&self.now);
        read.map(|now| now.to_utc()).map_err(|e| wrong(file, &e))
    }

    /// Returns what was covered, and the cursors that rows of the for_each had; `kind`: what the cursor's values are, as far as
    /// that is known.
    ///
    /// # Errors
    /// Ranges of another kind of cursor.
    pub fn known(&self, kind: Option<Kind>, file: &Path) -> Result<(Known, Parents)> {
        let ranges = |(part, json): (&String, &Json)| {
            let end = json.pointer("/0/1").and_then(Json::as_str).unwrap_or_default();
            let read = Ranges::read(&json.to_string(), kind.unwrap_or_else(|| Kind::like(end)));
            let read = read.ok_or_else(|| wrong(file, &"it is of another kind of cursor"))?;
            Ok((part.clone(), read))
        };
        let parents = self.parents.iter();
        Ok((
            self.covered.iter().map(ranges).collect::<Result<_>>()?,
            parents
                .map(|(part, known)| (part.clone(), known.iter().cloned().collect()))
                .collect(),
        ))
    }
}

/// A time as states have it.
pub fn written_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn wrong(file: &Path, why: &dyn std::fmt::Display) -> Error {
    let message = format!("the state in the recording, {}: {why}", file.display());
    Error::new(ErrorKind::Replay, message).help("record it again: sequor run FLOW --record DIR")
}
