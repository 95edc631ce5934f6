//! Reading a table as a whole, its rows in the order they came.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use deltalake_core::DeltaTable;

use super::names::TableId;
use super::statement::parse;
use super::tables::Tables;
use super::{error, query};
use crate::error::Result;
use crate::sources::database::Rows;

/// A file's place among the table's files, by its name.
type Places = HashMap<String, (i64, String)>;

/// Returns all rows of the table, one file after the other, the oldest first.
pub async fn table(session: &SessionState, tables: &Arc<Tables>, id: &TableId) -> Result<Rows> {
    let mut session = session.clone();
    session.config_mut().options_mut().execution.target_partitions = 1;
    let all = parse(&format!("SELECT * FROM {}", id.sql()))?;
    let planned = query::plan(&session, tables, all).await?;
    if files(planned.plan()) < 2 {
        return planned.rows();
    }
    let places = match tables.open(id).await? {
        Some(table) => places(&table)?,
        None => Places::new(),
    };
    planned.map_plan(|plan| in_order(plan, &places))?.rows()
}

fn places(table: &DeltaTable) -> Result<Places> {
    let state = table.snapshot().map_err(error::delta)?;
    let files = state.log_data();
    let places = files.iter().map(|file| {
        let path = file.object_store_path();
        let name = path.filename().unwrap_or_default().to_string();
        (name, (file.modification_time(), path.to_string()))
    });
    Ok(places.collect())
}

/// How many files a plan reads.
fn files(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below: usize = plan.children().into_iter().map(files).sum();
    let source = plan.downcast_ref::<DataSourceExec>();
    let config = source.and_then(|s| s.data_source().downcast_ref::<FileScanConfig>());
    let here = config.map_or(0, |c| c.file_groups.iter().map(FileGroup::len).sum());
    below + here
}

/// Delta lists the newest files first; this turns it round.
fn in_order(plan: Arc<dyn ExecutionPlan>, places: &Places) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let place = |file: &PartitionedFile| {
        let name = file.object_meta.location.filename().unwrap_or_default();
        places.get(name).cloned()
    };
    plan.transform_up(|node| {
        let source = node.downcast_ref::<DataSourceExec>();
        let Some(config) = source.and_then(|s| s.data_source().downcast_ref::<FileScanConfig>()) else {
            return Ok(Transformed::no(node));
        };
        let groups = config.file_groups.iter();
        let mut files: Vec<PartitionedFile> = groups.flat_map(FileGroup::iter).cloned().collect();
        files.sort_by_cached_key(place);
        let config = FileScanConfigBuilder::from(config.clone())
            .with_file_groups(vec![FileGroup::new(files)])
            .build();
        let source: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        Ok(Transformed::yes(source))
    })
    .data()
}
