//! Joins that do not fit in memory. A hash join holds one of its sides; a sort-merge join sorts both, in files where need
//! be. Which is planned follows from how large that side will be, as far as statistics tell.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// The part of the memory that the held side of one hash join may take: one in so many.
const PARTS: usize = 4;

/// What a text or list is taken to need, in bytes.
const TEXT: usize = 48;

/// What a row needs in a hash table besides its values, in bytes.
const ENTRY: usize = 24;

/// Returns the session in which the plan's joins sort instead; none where what they hold fits.
pub fn sorting_instead(plan: &Arc<dyn ExecutionPlan>, session: &SessionState) -> Option<SessionState> {
    let MemoryLimit::Finite(limit) = session.runtime_env().memory_pool.memory_limit() else {
        return None;
    };
    if !holds_more(plan, limit / PARTS, &StatisticsContext::new()) {
        return None;
    }
    let mut session = session.clone();
    session.config_mut().options_mut().optimizer.prefer_hash_join = false;
    Some(session)
}

/// Whether a hash join in the plan will hold more bytes than that.
fn holds_more(plan: &Arc<dyn ExecutionPlan>, most: usize, statistics: &StatisticsContext) -> bool {
    let here = plan
        .downcast_ref::<HashJoinExec>()
        .and_then(|join| held_bytes(join.left(), statistics))
        .is_some_and(|bytes| bytes > most);
    here || plan
        .children()
        .into_iter()
        .any(|child| holds_more(child, most, statistics))
}

/// About how many bytes the rows of a plan take; none where nobody knows.
fn held_bytes(plan: &Arc<dyn ExecutionPlan>, known: &StatisticsContext) -> Option<usize> {
    let statistics = known.compute(&**plan, &StatisticsArgs::new());
    let statistics = statistics.ok()?;
    let rows = match statistics.num_rows {
        Precision::Exact(rows) | Precision::Inexact(rows) => rows,
        Precision::Absent => return None,
    };
    Some(rows.saturating_mul(row_bytes(&plan.schema()) + ENTRY))
}

fn row_bytes(schema: &Schema) -> usize {
    let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(TEXT);
    schema.fields().iter().map(|field| width(field.data_type())).sum()
}
