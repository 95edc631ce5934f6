//! Rows in the order of their query's parts: those of the first half of `union all` before those of the second, as databases give
//! them. DataFusion hands on whichever part is ready first.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{StreamExt, iter};

/// Has a session keep the order of its queries' parts.
pub struct KeepsOrder;

/// Returns the plan with its parts read one after the other, where they are brought together.
///
/// # Errors
/// DataFusion's.
pub fn in_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|plan| {
        let Some(coalesced) = plan.downcast_ref::<CoalescePartitionsExec>() else {
            return Ok(Transformed::no(plan));
        };
        let chained: Arc<dyn ExecutionPlan> = Arc::new(Chained::new(coalesced.input().clone()));
        Ok(Transformed::yes(match coalesced.fetch() {
            Some(rows) => chained.with_fetch(Some(rows)).unwrap_or_else(|| plan.clone()),
            None => chained,
        }))
    })?;
    let plan = plan.data;
    Ok(match plan.properties().output_partitioning().partition_count() {
        0 | 1 => plan,
        _ => Arc::new(Chained::new(plan)),
    })
}

/// The parts of a plan, one after the other.
#[derive(Debug)]
struct Chained {
    input: Arc<dyn ExecutionPlan>,
    /// How many rows are wanted; none: all.
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl Chained {
    fn new(input: Arc<dyn ExecutionPlan>) -> Chained {
        let of_input = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            of_input.emission_type,
            of_input.boundedness,
        );
        Chained {
            input,
            fetch: None,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for Chained {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartitionsInOrder")
    }
}

impl ExecutionPlan for Chained {
    fn name(&self) -> &str {
        "PartitionsInOrder"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return internal_err!("parts have an input");
        };
        let fetch = self.fetch;
        Ok(Arc::new(Chained {
            fetch,
            ..Chained::new(input)
        }))
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Chained {
            fetch,
            ..Chained::new(self.input.clone())
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.clone();
        let parts = 0..input.properties().output_partitioning().partition_count();
        let mut wanted = self.fetch;
        let batches = iter(parts)
            .flat_map(move |part| match input.execute(part, context.clone()) {
                Ok(batches) => batches.boxed(),
                Err(error) => iter([Err(error)]).boxed(),
            })
            .map(move |batch| {
                let batch = batch?;
                let Some(rows) = wanted.as_mut() else {
                    return Ok(batch);
                };
                let taken = batch.num_rows().min(*rows);
                *rows -= taken;
                Ok(batch.slice(0, taken))
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}
