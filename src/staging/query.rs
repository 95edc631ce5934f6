//! Planning and running queries.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::CatalogProviderList;
use datafusion::common::Result as PlanResult;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream, execute_stream_partitioned};
use datafusion::sql::parser::Statement as PlannerStatement;
use futures::StreamExt;
use futures::stream::BoxStream;
use sqlparser::ast::Statement;

use super::catalog::Catalog;
use super::codes::by_codes;
use super::convert::Mapping;
use super::decimals::read_fast;
use super::error;
use super::in_order::{KeepsOrder, in_order};
use super::joins::sorting_instead;
use super::output;
use super::session::FixedTime;
use super::tables::{Pin, Tables};
use super::types::plain_schema;
use crate::error::Result;
use crate::sources::database::Rows;

/// The batches of a query, or of a part of it.
pub type Batches = BoxStream<'static, Result<RecordBatch>>;

/// A query that is planned: its tables are looked up and stay as they are.
pub struct Query {
    plan: Arc<dyn ExecutionPlan>,
    session: SessionState,
    pins: Vec<Pin>,
}

/// Plans a query over the newest versions of the tables it names.
pub async fn plan(session: &SessionState, tables: &Arc<Tables>, statement: Statement) -> Result<Query> {
    let session = started(session);
    let catalog = Arc::new(Catalog::new(tables.clone(), Arc::new(session.clone())));
    let mut query = plan_over(session, catalog.clone(), statement).await?;
    query.pins = catalog.pins();
    Ok(query)
}

/// Plans a query over the tables of a catalog.
pub async fn plan_over(
    session: SessionState,
    catalog: Arc<dyn CatalogProviderList>,
    mut statement: Statement,
) -> Result<Query> {
    output::name_columns(&mut statement);
    let mut session = started(&session);
    session.register_catalog_list(catalog);
    let statement = PlannerStatement::Statement(Box::new(statement));
    let logical = session.statement_to_plan(statement).await;
    let logical = logical.map_err(error::sql)?;
    let optimized = session.optimize(&logical).and_then(read_fast);
    let optimized = optimized.map_err(error::sql)?;
    let plan = session.query_planner().create_physical_plan(&optimized, &session);
    let mut plan = plan.await.map_err(error::sql)?;
    if let Some(sorting) = sorting_instead(&plan, &session) {
        session = sorting;
        let sorted = session.query_planner().create_physical_plan(&optimized, &session);
        plan = sorted.await.map_err(error::sql)?;
    }
    let plan = by_codes(plan, &session).await;
    let mut plan = plan.map_err(error::sql)?;
    if session.config().get_extension::<KeepsOrder>().is_some() {
        plan = in_order(plan).map_err(error::sql)?;
    }
    Ok(Query {
        plan,
        pins: Vec::new(),
        session,
    })
}

/// A session for one statement: `now()` is when it starts, or the time that was laid down.
fn started(session: &SessionState) -> SessionState {
    let mut session = session.clone();
    session.mark_start_execution();
    if let Some(fixed) = session.config().get_extension::<FixedTime>() {
        session.execution_props_mut().query_execution_start_time = Some(fixed.0);
    }
    session
}

impl Query {
    /// Returns the schema of the rows as DataFusion makes them.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }

    /// Returns how it is carried out.
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }

    /// Returns the same query with its plan changed.
    pub fn map_plan(
        mut self,
        change: impl FnOnce(Arc<dyn ExecutionPlan>) -> PlanResult<Arc<dyn ExecutionPlan>>,
    ) -> Result<Self> {
        self.plan = change(self.plan).map_err(error::sql)?;
        Ok(self)
    }

    /// Runs it: what comes at the same time, each part by itself. All of them have to be read at once.
    pub fn parts(self) -> Result<Vec<Batches>> {
        let parts = execute_stream_partitioned(self.plan, self.session.task_ctx()).map_err(error::sql)?;
        let pins = Arc::new(self.pins);
        let pinned = parts.into_iter().map(|part| {
            let pins = pins.clone();
            part.map(move |batch| {
                let _pinned = &pins;
                batch.map_err(error::sql)
            })
            .boxed()
        });
        Ok(pinned.collect())
    }

    /// Runs it: batches as DataFusion makes them.
    pub fn run(self) -> Result<Batches> {
        let stream = execute_stream(self.plan, self.session.task_ctx()).map_err(error::sql)?;
        let pins = self.pins;
        let batches = stream.map(move |batch| {
            // BufferedRows by the stream for as long as it is read.
            let _pinned = &pins;
            batch.map_err(error::sql)
        });
        Ok(batches.boxed())
    }

    /// Runs it: rows of the few types that the rest of the engine knows.
    pub fn rows(self) -> Result<Rows> {
        let schema = plain_schema(&self.schema());
        let mapping = Mapping::by_position(schema.clone());
        let batches = self.run()?;
        Ok(Rows {
            schema,
            batches: batches.map(move |batch| mapping.apply(&batch?)).boxed(),
        })
    }
}
