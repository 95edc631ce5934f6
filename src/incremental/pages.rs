//! Pages of an API that gives rows in the order of their cursor: where they end, and what is committed before they do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sequor_planner::ops::Order;

use super::position::{Position, Positions};
use super::round::Round;
use crate::error::{Error, ErrorKind, Result};

/// After how many rows, or after how long, what came in order is committed before more is asked for.
const PAUSE_ROWS: u64 = 50_000;
const PAUSE: Duration = Duration::from_secs(30);

impl Round {
    /// Notes the cursors of a page's rows, where the API gives them in order.
    ///
    /// # Errors
    /// Rows that come in another order.
    pub fn page(&self, of: u64, positions: &Positions<'_>, rows: usize) -> Result<()> {
        let mut all = self.asked();
        let alone = all.len() == 1 && of == 0;
        let Some(asked) = all.get_mut(&of) else {
            return Ok(());
        };
        let order = self.settings.given.order;
        let mut least = None;
        for position in (0..rows).filter_map(|row| positions.largest(row, row + 1).0) {
            let out_of_order = match (&asked.last, order) {
                (None, _) | (_, Order::None) => false,
                (Some(last), Order::Ascending) => position < *last,
                (Some(last), Order::Descending) => position > *last,
            };
            if out_of_order {
                self.refuted.store(true, Ordering::Relaxed);
                let name = if order == Order::Ascending {
                    "ascending"
                } else {
                    "descending"
                };
                let last = asked.last.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!(
                    "the API gives a row of {position} behind one of {last}, which is not `order: {name}`"
                );
                return Err(Error::new(ErrorKind::Data, message)
                    .help("ask the API for the order by a parameter, or leave `order` out: then begin anew by --full-refresh, since rows may be missing of what counts as covered")
                    .at(&self.settings.given.place));
            }
            least = Some(least.map_or(position.clone(), |least: Position| least.min(position.clone())));
            asked.last = Some(position);
        }
        asked.rows += rows as u64;
        let from = &asked.window.asked_from;
        match order {
            Order::None => {}
            // What follows is older still.
            Order::Descending => asked.ends = from.is_some() && least.is_some() && least < *from,
            Order::Ascending => {
                let is_long = asked.rows >= PAUSE_ROWS || self.begun.elapsed() >= PAUSE;
                // One that has not come behind what is covered would be asked for in the same way again: what lies behind
                // the step's start never counts as covered.
                let cap = self.kind().and_then(|kind| self.settings.end(kind));
                let reached = match (&asked.last, cap) {
                    (Some(last), Some(cap)) => Some(last.clone().min(cap)),
                    (last, _) => last.clone(),
                };
                let further = reached > asked.window.from && self.settings.range.is_none() && !asked.lacks;
                if alone && is_long && further {
                    asked.ends = true;
                    self.paused.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    /// Tells whether no other page is asked for a row.
    pub fn ends(&self, of: u64) -> bool {
        self.asked().get(&of).is_some_and(|asked| asked.ends)
    }

    /// Tells whether it was ended so that what came can be committed, and more is to be asked for.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }
}
