//! A start that the API does not look at: it gives everything each time, and nobody would know.

use std::sync::atomic::{AtomicU64, Ordering};

use super::position::{Kind, Position, Positions};

/// A day, in seconds: APIs that know days alone give all rows of the first one.
const DAY: f64 = 86_400.0;

/// How many rows a request must give that one can tell.
const FEWEST: u64 = 3;

/// Counts rows that are older than what was asked for.
#[derive(Default)]
pub struct Ignored {
    rows: AtomicU64,
    older: AtomicU64,
}

impl Ignored {
    /// Looks at rows that came. `from`: what was asked for.
    pub fn note(&self, positions: &Positions, (at, to): (usize, usize), (kind, from): (Kind, &Position)) {
        let from = match kind {
            Kind::Number | Kind::Text => Some(from.clone()),
            kind => kind.moved(from, -DAY),
        };
        if let Some(from) = from {
            self.rows.fetch_add((to - at) as u64, Ordering::Relaxed);
            self.older
                .fetch_add(positions.below(at, to, &from), Ordering::Relaxed);
        }
    }

    /// Returns how many rows are older than what was asked for, and of how many, where they are most of them.
    pub fn found(&self) -> Option<(u64, u64)> {
        let (rows, older) = (
            self.rows.load(Ordering::Relaxed),
            self.older.load(Ordering::Relaxed),
        );
        (rows >= FEWEST && older > rows / 2).then_some((older, rows))
    }
}
