//! Which aggregates of a plan can group by codes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use deltalake_core::delta_datafusion::DeltaScanExec;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::aggregate::ByCodes;
use super::scan::coded;

/// Returns the plan with its aggregates by codes, where that can be done.
pub fn by_codes(
    plan: Arc<dyn ExecutionPlan>,
    session: &SessionState,
) -> BoxFuture<'_, PlanResult<Arc<dyn ExecutionPlan>>> {
    async move {
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>()
            && let Some(below) = fitting(aggregate)
            && let Some(found) = below.read(session).await?
        {
            return Ok(found.into_aggregate(aggregate));
        }
        let mut children = Vec::new();
        for child in plan.children() {
            children.push(by_codes(child.clone(), session).await?);
        }
        replace_children_if_necessary(plan, children)
    }
    .boxed()
}

/// What is between an aggregate and the files it reads.
struct Below<'a> {
    /// From the aggregate on.
    nodes: Vec<&'a Arc<dyn ExecutionPlan>>,
    scan: &'a FileScanConfig,
    /// Which rows are read, apart from those without a key.
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// How many columns of the scan are the table's.
    width: usize,
    /// The key's place under the aggregate, and its name in the files.
    key: usize,
    name: String,
    nulls_out: bool,
}

/// The input of an aggregate with codes.
struct Found {
    input: Arc<dyn ExecutionPlan>,
    key: usize,
    nulls_out: bool,
}

/// What an aggregate reads, if its only key is a text of a table that nothing else looks at.
fn fitting(aggregate: &AggregateExec) -> Option<Below<'_>> {
    let group = aggregate.group_expr();
    let [(key, _)] = group.expr() else {
        return None;
    };
    let key = key.downcast_ref::<Column>()?.index();
    let text = *aggregate.input_schema().field(key).data_type() == DataType::Utf8;
    let plain = *aggregate.mode() == AggregateMode::Partial
        && group.is_single()
        && aggregate.limit_options().is_none();
    let adds = |a: &Arc<AggregateFunctionExpr>| {
        a.groups_accumulator_supported()
            && !a.is_distinct()
            && a.order_bys().is_empty()
            && a.expressions().iter().all(|e| unused(e, key))
    };
    let filters = aggregate.filter_expr().iter().flatten();
    if !text || !plain || !aggregate.aggr_expr().iter().all(adds) || !filters.clone().all(|e| unused(e, key))
    {
        return None;
    }
    below(aggregate.input(), key)
}

fn below(input: &Arc<dyn ExecutionPlan>, key: usize) -> Option<Below<'_>> {
    let mut nodes = Vec::new();
    let (mut node, mut place, mut nulls_out, mut width) = (input, key, false, None);
    loop {
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            if let Some(projection) = filter.projection() {
                place = *projection.get(place)?;
            }
            if !unused(filter.predicate(), place) {
                return None;
            }
            // The aggregate leaves rows without a key out itself, without copying the others.
            let whole = filter.projection().is_none() && filter.fetch().is_none();
            let left_out = whole && is_not_null_of(filter.predicate(), place);
            nulls_out |= left_out;
            if !left_out {
                nodes.push(node);
            }
            node = filter.input();
        } else if let Some(spread) = node.downcast_ref::<RepartitionExec>() {
            if !matches!(spread.partitioning(), Partitioning::RoundRobinBatch(_)) {
                return None;
            }
            nodes.push(node);
            node = spread.input();
        } else if let Some(delta) = node.downcast_ref::<DeltaScanExec>() {
            let [files] = delta.children()[..] else {
                return None;
            };
            width = Some(as_in_files(&delta.schema(), &files.schema())?);
            node = files;
        } else {
            let source = node.downcast_ref::<DataSourceExec>()?.data_source();
            let scan = source
                .downcast_ref::<FileScanConfig>()
                .filter(|scan| rows_as_they_are(scan))?;
            let name = node.schema().field(place).name().clone();
            let filter = filter_of(scan, &name)?;
            return Some(Below {
                nodes,
                scan,
                width: width?,
                key,
                name,
                nulls_out: nulls_out || matches!(filter, Filter::OnlyNulls),
                filter: match filter {
                    Filter::Other(filter) => Some(filter),
                    _ => None,
                },
            });
        }
    }
}

/// What a scan leaves out.
enum Filter {
    Nothing,
    /// Rows without the key. Files would be read twice for it: once to see what is null.
    OnlyNulls,
    Other(Arc<dyn PhysicalExpr>),
}

/// What the scan leaves out, if it does without the texts of the column `key`.
fn filter_of(scan: &FileScanConfig, key: &str) -> Option<Filter> {
    let schema = scan.file_source.table_schema().table_schema();
    let key = schema.index_of(key).ok()?;
    match scan.file_source.filter() {
        None => Some(Filter::Nothing),
        Some(filter) if is_not_null_of(&filter, key) => Some(Filter::OnlyNulls),
        Some(filter) => unused(&filter, key).then_some(Filter::Other(filter)),
    }
}

/// How many columns a Delta table has, if it has them as its files do: under the same names, of the same types.
fn as_in_files(table: &Schema, files: &Schema) -> Option<usize> {
    let (table, files) = (table.fields(), files.fields());
    let same = table.len() <= files.len()
        && table
            .iter()
            .zip(files)
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
    same.then_some(table.len())
}

/// Whether nothing needs to be done to the rows of files: no deletion vectors, no limits, nothing computed.
fn rows_as_they_are(scan: &FileScanConfig) -> bool {
    let source = &scan.file_source;
    let stored = |p: &ProjectionExpr| {
        p.expr
            .downcast_ref::<Column>()
            .is_some_and(|c| c.name() == p.alias)
    };
    let columns = source
        .projection()
        .is_some_and(|projection| projection.iter().all(stored));
    columns && source.table_schema().virtual_columns().is_empty() && scan.limit.is_none()
}

/// Whether an expression does without the values of a column.
fn unused(expression: &Arc<dyn PhysicalExpr>, column: usize) -> bool {
    match expression.downcast_ref::<Column>() {
        Some(named) => named.index() != column,
        None if is_not_null_of(expression, column) => true,
        None => expression
            .children()
            .into_iter()
            .all(|child| unused(child, column)),
    }
}

/// Whether an expression says that a column is not null, and nothing else.
fn is_not_null_of(expression: &Arc<dyn PhysicalExpr>, column: usize) -> bool {
    let inner = expression.downcast_ref::<IsNotNullExpr>().map(IsNotNullExpr::arg);
    let named = inner.and_then(|inner| inner.downcast_ref::<Column>());
    named.is_some_and(|named| named.index() == column)
}

impl Below<'_> {
    async fn read(self, session: &SessionState) -> PlanResult<Option<Found>> {
        let Some(mut input) = coded(self.scan, self.filter, &self.name, self.width, session).await? else {
            return Ok(None);
        };
        for node in self.nodes.into_iter().rev() {
            input = replace_children_if_necessary(node.clone(), vec![input])?;
        }
        Ok(Some(Found {
            input,
            key: self.key,
            nulls_out: self.nulls_out,
        }))
    }
}

impl Found {
    fn into_aggregate(self, partial: &AggregateExec) -> Arc<dyn ExecutionPlan> {
        Arc::new(ByCodes::new(partial, self.input, self.key, self.nulls_out))
    }
}
