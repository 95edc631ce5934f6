//! What an earlier attempt was sending, where its state is gone: a home folder that was thrown away, or that of another machine.

use futures::TryStreamExt;
use sequor_planner::plan::HttpStep;

use crate::error::Result;
use crate::event::count;
use crate::exec::changes::Pass;
use crate::exec::request::checkpoint::Checkpoint;
use crate::state::Outcome;

/// Takes all of it for begun, save for rows that the snapshot has already. How many rows that is. Those that may be sent twice are sent
/// again as they were; the others are in doubt.
///
/// # Errors
/// The database's; a state that can't be written.
pub async fn take_for_begun(http: &HttpStep, pass: &Pass) -> Result<u64> {
    let Some(kept) = Checkpoint::of_sending(http, pass.files.as_ref()).await? else {
        return Ok(0);
    };
    let ended = pass.snapshot.ended_already().await?;
    let mut items = pass.items().await?;
    let (mut items_so_far, mut begun) = (0, 0);
    while let Some(item) = items.try_next().await? {
        if let Some(part) = &item.part {
            match ended.any(part.first, part.first + part.rows) {
                // It had ended: rows of it that were rejected are sent with what has changed.
                true => kept.ledger.note(items_so_far, Outcome::Failed).await?,
                false => begun += part.rows,
            }
        }
        items_so_far += 1;
    }
    kept.ledger.flush().await?;
    if let Some(last) = u64::checked_sub(items_so_far, 1) {
        // Last of all: from then on the state is there.
        kept.ledger.will_send(last, false).await?;
    }
    Ok(begun)
}

/// Returns what is said of it. `begun`: how many rows count as begun.
pub fn warning(step: &str, begun: u64) -> String {
    format!(
        "{step}: an earlier run had not ended, and its state is gone (another home folder, or one that was thrown away?): {} may have been sent. Those that may be sent twice are sent again first. Keep the state in PostgreSQL (`state` in project.yaml), or the folder",
        count(begun, "row")
    )
}
