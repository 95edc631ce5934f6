//! How many rows may be gone.

use sequor_planner::syntax::MostRows;

use super::checks::Sent;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ChangeCounts, count, grouped};

/// Sees to it that no more rows are removed than may be. `most`: how many that is; `all`: how many rows there are; `name`: what
/// messages call them.
///
/// # Errors
/// More rows are gone.
pub fn guard(
    most: Option<MostRows>,
    (all, sent): (u64, &Sent),
    counts: &ChangeCounts,
    name: &str,
) -> Result<()> {
    let removed = counts.removed;
    let (is_too_many, says) = match most {
        None => (all == 0 && removed > 0, "that table may not be empty".to_string()),
        Some(MostRows::Rows(most)) => (removed > most, format!("at most {} may be", grouped(most))),
        Some(MostRows::Percent(most)) => {
            let is_more = removed as f64 > sent.rows as f64 * most / 100.0;
            (is_more, format!("at most {most}% may be (`max_removed`)"))
        }
    };
    if !is_too_many {
        return Ok(());
    }
    let message = format!(
        "{} of {} that were sent are gone from `{name}`, and {says}: nothing was sent",
        grouped(removed),
        count(sent.rows, "row"),
    );
    let help = match most {
        None => "look at what fills it; where all of them are to be removed: `max_removed: 100%`",
        Some(_) => "look at what fills it; where they are to be removed, raise `max_removed`",
    };
    Err(Error::new(ErrorKind::Data, message).help(help))
}
