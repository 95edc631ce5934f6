//! What an incremental step asks by.

use chrono::{DateTime, TimeDelta, Utc};
use sequor_planner::ops::{Incremental, OnMissing, WriteMode};
use sequor_planner::plan::Asks;

use super::partitioning::Partitioning;
use super::position::{Kind, Position};

/// What an incremental step asks by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the flow says.
    pub given: Incremental,
    pub initial: Option<Position>,
    pub asks: Asks,
    /// What the `for_each` calls a row; empty without one.
    pub variable: String,
    /// The range that this run is told to ask for, whatever is covered: its start and its end.
    pub range: Option<(Option<Position>, Option<Position>)>,
    /// What becomes of the rows of the table with the cursor.
    pub mode: WriteMode,
    /// Whether the table begins anew, whatever was covered.
    pub refresh: bool,
    /// When the step started.
    pub now: DateTime<Utc>,
}

impl Settings {
    /// Returns where a range ends at most: when the step started, less `delay`; none where the cursor is no time.
    pub fn end(&self, kind: Kind) -> Option<Position> {
        let micros = (self.given.delay.unwrap_or(0.0) * 1_000_000.0).round() as i64;
        let end = self.now.checked_sub_signed(TimeDelta::microseconds(micros))?;
        let end = kind.at(end);
        match &self.range {
            Some((_, Some(until))) => Some(end.map_or_else(|| until.clone(), |end| end.min(until.clone()))),
            _ => end,
        }
    }

    /// Tells whether rows outside of what is asked for are left out: they come with the range that they are in, and would be
    /// there twice.
    pub fn is_exact(&self) -> bool {
        matches!(self.mode, WriteMode::Append | WriteMode::ReplaceRange)
    }

    /// Returns what becomes of a row without a cursor.
    pub fn on_missing(&self) -> OnMissing {
        self.given.on_missing.unwrap_or(match self.is_exact() {
            true => OnMissing::Fail,
            false => OnMissing::Include,
        })
    }

    /// Returns what tells rows of the `for_each` apart.
    pub fn partitioning(&self) -> Partitioning<'_> {
        Partitioning {
            given: &self.given,
            asks: &self.asks,
            variable: &self.variable,
        }
    }

    /// Returns from where everything is asked for; none: from the first row.
    pub fn start(&self) -> Option<&Position> {
        match &self.range {
            Some((Some(from), _)) => Some(from),
            _ => self.initial.as_ref(),
        }
    }
}
