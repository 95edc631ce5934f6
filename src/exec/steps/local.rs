//! Transforms over tables of several sources: the query runs here, its rows are loaded into the target.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use sequor_planner::ops::Transform;

use crate::batch::types::arrow_schema;
use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::load::appends::{self, Appended};
use crate::exec::load::columns::typed;
use crate::exec::load::ready::{specs_of, write};
use crate::exec::load::write_mode;
use crate::local;
use crate::sources::database::{Database, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::duplicate_keys_error;
use crate::sources::overlap::Overlap;
use crate::sources::sql::column_list;
use sequor_planner::ops::WriteMode;

/// Databases as a step sees them.
struct InSight<'a>(&'a StepContext);

#[async_trait]
impl local::Sources for InSight<'_> {
    fn find(&self, name: &str) -> Option<&str> {
        self.0.run.databases.find(name)
    }

    async fn open(&self, source: &str) -> Result<Arc<dyn Database>> {
        self.0.database(source).await
    }

    fn memory(&self) -> &local::Memory {
        &self.0.run.memory
    }
}

/// Runs the query, and loads its rows.
pub async fn transform(
    context: &StepContext,
    step: &Transform,
    query: &str,
    (target, overlap): (&TableName, Option<Overlap>),
) -> Result<()> {
    let own = step.target.source.as_str();
    let sources = InSight(context);
    let database = context.database(own).await?;
    let mut mode = write_mode(&step.write_mode, &*database);
    let rows = local::query(query, own, &sources).await?;
    let specs = specs_of(&rows.schema)?;
    let columns = typed(&*database, &specs)?;
    if let WriteMode::Upsert(_) = &mode {
        let key = upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
        // As the query names them.
        let named: Vec<&str> = columns
            .iter()
            .zip(&specs)
            .filter(|(column, _)| key.contains(&column.name))
            .map(|(_, spec)| spec.name.as_str())
            .collect();
        refuse_duplicate_keys(query, own, &sources, &named).await?;
    }
    let appends = mode == WriteMode::Append && step.incremental.is_none();
    let appended = |rows| Appended {
        source: own.to_string(),
        database: database.clone(),
        table: target.clone(),
        rows: Some(rows),
    };
    let mut load = database.begin_load(target, &columns, mode).await?;
    if let Some(overlap) = overlap {
        load.over(overlap)?;
    }
    match write(&mut load, rows, &arrow_schema(&columns)).await {
        Ok(rows) => {
            if appends && appends::before_commit(context, &[appended(rows)]).await? == [true] {
                load.abort().await;
                return Ok(());
            }
            let rows = context.run.journal.effect(load.commit()).await?;
            context.counters.add_rows(rows);
            Ok(())
        }
        Err(error) => {
            load.abort().await;
            Err(error)
        }
    }
}

/// # Errors
/// Rows of the query with the same key: which would count is not known.
async fn refuse_duplicate_keys(query: &str, own: &str, sources: &InSight<'_>, key: &[&str]) -> Result<()> {
    let list = column_list(key.iter().copied());
    let duplicates =
        format!("SELECT {list} FROM ({query}\n) AS q GROUP BY {list} HAVING count(*) > 1 LIMIT 1");
    let mut batches = local::query(&duplicates, own, sources).await?.batches;
    while let Some(batch) = batches.next().await {
        if batch?.num_rows() > 0 {
            let key: Vec<String> = key.iter().map(ToString::to_string).collect();
            return Err(duplicate_keys_error(&key));
        }
    }
    Ok(())
}
