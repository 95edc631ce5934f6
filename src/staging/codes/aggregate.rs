//! The first half of a GROUP BY, over codes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::apply_expression_roots;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use futures::stream::{BoxStream, try_unfold};

use super::groups::Groups;

/// Groups are handed on and begun anew at so many, or at so many bytes of text: what adds them up after this adds up
/// parts of the same group, too. It bounds what is held in memory.
const MOST_GROUPS: usize = 1 << 16;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A partial aggregate of DataFusion whose only key is a column of codes: the same rows come out, in the same schema.
#[derive(Debug)]
pub struct ByCodes {
    what: What,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

/// What is added up.
#[derive(Clone)]
struct What {
    schema: SchemaRef,
    /// The key's place in the input.
    key: usize,
    /// Rows without a key are left out.
    nulls_out: bool,
    aggregates: Vec<Arc<AggregateFunctionExpr>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key={}, aggregates={}", self.key, self.aggregates.len())
    }
}

impl ByCodes {
    /// Takes the place of `partial` over `input`, whose column `key` has codes.
    pub fn new(partial: &AggregateExec, input: Arc<dyn ExecutionPlan>, key: usize, nulls_out: bool) -> Self {
        ByCodes {
            what: What {
                schema: partial.schema(),
                key,
                nulls_out,
                aggregates: partial.aggr_expr().to_vec(),
                filters: partial.filter_expr().to_vec(),
            },
            input,
            properties: partial.properties().clone(),
        }
    }
}

impl DisplayAs for ByCodes {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.what.aggregates.iter().map(|a| a.name()).collect();
        let key = self.what.schema.field(0).name();
        write!(
            f,
            "AggregateByCodes: mode=Partial, gby=[{key}], aggr=[{}]",
            names.join(", ")
        )
    }
}

impl ExecutionPlan for ByCodes {
    fn name(&self) -> &str {
        "AggregateByCodes"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        let arguments = self.what.aggregates.iter().flat_map(|a| a.expressions());
        let filters = self.what.filters.iter().flatten().cloned();
        apply_expression_roots(arguments.chain(filters), f)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return internal_err!("an aggregate has an input");
        };
        Ok(Arc::new(ByCodes {
            what: self.what.clone(),
            input,
            properties: self.properties.clone(),
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        let input = self.input.execute(partition, context)?;
        let sums = Sums::new(self.what.clone())?;
        let stream = summed(input, sums).flat_map(move |batch| match batch {
            Ok(batch) => futures::stream::iter(slices(&batch, rows)).boxed(),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.what.schema.clone(),
            stream,
        )))
    }
}

/// The sums of all batches, at each time as many groups as are held.
fn summed(input: SendableRecordBatchStream, sums: Sums) -> BoxStream<'static, PlanResult<RecordBatch>> {
    try_unfold((input, sums), |(mut input, mut sums)| async move {
        while !sums.full() {
            match input.next().await {
                Some(batch) => sums.add(&batch?)?,
                None => break,
            }
        }
        match sums.groups.len() {
            0 => Ok(None),
            _ => Ok(Some((sums.take()?, (input, sums)))),
        }
    })
    .boxed()
}

fn slices(batch: &RecordBatch, rows: usize) -> Vec<PlanResult<RecordBatch>> {
    let starts = (0..batch.num_rows()).step_by(rows.max(1));
    starts
        .map(|from| Ok(batch.slice(from, rows.min(batch.num_rows() - from))))
        .collect()
}

/// Groups and what is known of each.
struct Sums {
    what: What,
    groups: Groups,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    /// The group of each row of a batch.
    rows: Vec<usize>,
}

impl Sums {
    fn new(what: What) -> PlanResult<Self> {
        Ok(Sums {
            accumulators: accumulators(&what)?,
            what,
            groups: Groups::new(),
            rows: Vec::new(),
        })
    }

    fn full(&self) -> bool {
        self.groups.len() >= MOST_GROUPS || self.groups.size() >= MOST_BYTES
    }

    fn add(&mut self, batch: &RecordBatch) -> PlanResult<()> {
        let keys = batch.column(self.what.key);
        let batch = match self.what.nulls_out && keys.null_count() > 0 {
            true => &arrow::compute::filter_record_batch(batch, &arrow::compute::is_not_null(keys)?)?,
            false => batch,
        };
        let Some(keys) = batch.column(self.what.key).as_dictionary_opt::<Int32Type>() else {
            return internal_err!("the key of a group is not a code");
        };
        self.groups.of(keys, &mut self.rows)?;
        let total = self.groups.len();
        let what = self.what.aggregates.iter().zip(&self.what.filters);
        for (accumulator, (aggregate, filter)) in self.accumulators.iter_mut().zip(what) {
            let arguments = aggregate.expressions();
            let values: PlanResult<Vec<ArrayRef>> = arguments.iter().map(|a| column(a, batch)).collect();
            let kept: Option<BooleanArray> = match filter {
                Some(filter) => Some(column(filter, batch)?.as_boolean().clone()),
                None => None,
            };
            accumulator.update_batch(&values?, &self.rows, kept.as_ref(), total)?;
        }
        Ok(())
    }

    /// The groups with their states; there are none afterwards.
    fn take(&mut self) -> PlanResult<RecordBatch> {
        let mut columns = vec![self.groups.take()];
        for accumulator in &mut self.accumulators {
            columns.extend(accumulator.state(EmitTo::All)?);
        }
        self.accumulators = accumulators(&self.what)?;
        Ok(RecordBatch::try_new(self.what.schema.clone(), columns)?)
    }
}

fn accumulators(what: &What) -> PlanResult<Vec<Box<dyn GroupsAccumulator>>> {
    let each = what.aggregates.iter();
    each.map(|aggregate| aggregate.create_groups_accumulator())
        .collect()
}

fn column(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> PlanResult<ArrayRef> {
    expression.evaluate(batch)?.into_array(batch.num_rows())
}
