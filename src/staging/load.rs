//! Loads: batches from outside into tables.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::commit::{Bound, Change, check_bound, commit_bound, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::names::TableId;
use super::tables::Tables;
use super::types::stored_schema;
use super::upsert::{self, ReadyUpsert, UpsertLoad};
use super::writer::{TableWriter, Written};
use crate::batch::column::Column;
use crate::batch::types::arrow_schema;
use crate::error::{Error, Result};
use crate::sources::database::TableName;
use crate::sources::loading::over;
use crate::sources::overlap::Overlap;
use crate::sources::transaction::{Finish, LoadTransaction};
use sequor_planner::ops::WriteMode;

/// Loads under way: files no table has yet.
///
/// Each table has a log of its own: they are committed one after the other, when all that can fail is done.
pub struct StagingLoads {
    db: Staging,
    tables: Vec<Loading>,
    /// What the commit of a table says of others.
    bound: Vec<(usize, Bound)>,
}

enum Loading {
    Rows(RowsLoad),
    Upsert(UpsertLoad),
}

/// Rows that replace those of a table, or are added to them.
struct RowsLoad {
    id: TableId,
    change: Change,
    schema: SchemaRef,
    writer: TableWriter,
    columns: Vec<Column>,
}

/// Loads whose rows are all there.
enum Ready {
    Skipped,
    Rows(TableId, Change, SchemaRef, Written),
    Upsert(Box<ReadyUpsert>),
}

impl StagingLoads {
    /// Loads without tables.
    pub fn new(db: &Staging) -> StagingLoads {
        StagingLoads {
            db: db.clone(),
            tables: Vec::new(),
            bound: Vec::new(),
        }
    }
}

/// Starts a load that replaces the table's rows, or adds to them.
async fn begin(tables: &Tables, id: TableId, columns: &[Column], change: Change) -> Result<RowsLoad> {
    let incoming = arrow_schema(columns);
    let existing = match change {
        Change::Append => tables.open(&id).await?,
        _ => None,
    };
    let schema = match &existing {
        Some(table) => current_schema(table)?,
        None => stored_schema(&incoming)?,
    };
    let mapping = Mapping::by_name(&incoming, schema.clone())?;
    let writer = TableWriter::new(&tables.store(&id)?, schema.clone(), mapping)?;
    Ok(RowsLoad {
        id,
        change,
        schema,
        writer,
        columns: columns.to_vec(),
    })
}

#[async_trait]
impl LoadTransaction for StagingLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mode: WriteMode) -> Result<usize> {
        let id = TableId::of(target)?;
        let change = match mode {
            WriteMode::Replace => Change::Replace,
            WriteMode::Append => Change::Append,
            WriteMode::Upsert(_) | WriteMode::ReplaceRange => {
                let about = about_id(&id);
                let upsert = upsert::begin(&self.db, id, columns, mode).map_err(about)?;
                self.tables.push(Loading::Upsert(upsert));
                return Ok(self.tables.len() - 1);
            }
        };
        let about = about_id(&id);
        let rows = begin(&self.db.tables, id, columns, change).await;
        self.tables.push(Loading::Rows(rows.map_err(about)?));
        Ok(self.tables.len() - 1)
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        match self.tables.get_mut(table).ok_or_else(over)? {
            Loading::Rows(rows) => rows.writer.write(&batch).await.map_err(about_id(&rows.id)),
            Loading::Upsert(upsert) => {
                let about = about_id(upsert.id());
                upsert.write(&batch).await.map_err(about)
            }
        }
    }

    /// Rows that are compared with those of the table wait where queries see them.
    fn expect_overlap(&mut self, table: usize) -> Result<()> {
        let loading = self.tables.get_mut(table).ok_or_else(over)?;
        if let Loading::Rows(rows) = loading {
            let compared = upsert::begin(&self.db, rows.id.clone(), &rows.columns, WriteMode::Append);
            *loading = Loading::Upsert(compared?);
        }
        Ok(())
    }

    fn bind(&mut self, table: usize, scope: &str, generation: i64) {
        self.bound.push((table, (scope.to_string(), generation)));
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        let StagingLoads { db, tables, bound } = *self;
        let bound_of = |at: usize| -> Vec<Bound> {
            let own = bound.iter().filter(|(table, _)| *table == at);
            own.map(|(_, bound)| bound.clone()).collect()
        };
        let mut ready = Vec::with_capacity(tables.len());
        let mut failed = None;
        for (at, loading) in tables.into_iter().enumerate() {
            let made = match failed.is_some() || finish.skips(at) {
                true => {
                    loading.discard().await;
                    Ok(Ready::Skipped)
                }
                false => loading.ready(&db).await,
            };
            match made {
                Ok(made) => ready.push(made),
                Err(error) => failed = Some(error),
            }
        }
        for (at, ready) in ready.iter().enumerate().filter(|_| failed.is_none()) {
            if let Some(id) = ready.id()
                && let Err(error) = check_bound(&db.tables, id, &bound_of(at)).await
            {
                failed = Some(error);
                break;
            }
        }
        let mut rows = vec![0; ready.len()];
        // Those whose rows are still to be merged come first: a commit of files that are written hardly fails.
        let (merged, written): (Vec<_>, Vec<_>) = ready
            .into_iter()
            .enumerate()
            .partition(|(_, ready)| matches!(ready, Ready::Upsert(_)));
        // Rows that count only by the commit of a table are there before it.
        let (bound, free): (Vec<_>, Vec<_>) = merged
            .into_iter()
            .chain(written)
            .partition(|(at, _)| !bound_of(*at).is_empty());
        for (at, ready) in free.into_iter().chain(bound) {
            match failed {
                Some(_) => ready.discard(&db).await,
                None => match ready.commit(&db, (&bound_of(at), finish.overlap(at))).await {
                    Ok(count) => rows[at] = count,
                    Err(error) => failed = Some(error),
                },
            }
        }
        failed.map_or(Ok(rows), Err)
    }

    async fn abort(self: Box<Self>) {
        for loading in self.tables {
            loading.discard().await;
        }
    }
}

impl Loading {
    async fn discard(self) {
        match self {
            Loading::Rows(rows) => rows.writer.discard().await,
            Loading::Upsert(upsert) => upsert.discard().await,
        }
    }

    async fn ready(self, db: &Staging) -> Result<Ready> {
        match self {
            Loading::Rows(rows) => {
                let written = rows.writer.finish().await.map_err(about_id(&rows.id))?;
                Ok(Ready::Rows(rows.id, rows.change, rows.schema, written))
            }
            Loading::Upsert(upsert) => {
                let about = about_id(upsert.id());
                let ready = upsert.ready(db).await.map_err(about)?;
                Ok(Ready::Upsert(Box::new(ready)))
            }
        }
    }
}

impl Ready {
    fn id(&self) -> Option<&TableId> {
        match self {
            Ready::Skipped => None,
            Ready::Rows(id, ..) => Some(id),
            Ready::Upsert(upsert) => Some(upsert.id()),
        }
    }

    async fn discard(self, db: &Staging) {
        match self {
            Ready::Skipped => {}
            Ready::Rows(.., written) => written.discard().await,
            Ready::Upsert(upsert) => upsert.discard(db).await,
        }
    }

    async fn commit(self, db: &Staging, (bound, overlap): (&[Bound], Option<&Overlap>)) -> Result<u64> {
        match self {
            Ready::Skipped => Ok(0),
            Ready::Rows(id, change, schema, written) => {
                let (rows, lock) = (written.rows, db.tables.lock(&id).await);
                let change = commit_bound(&db.tables, &id, &lock, change, (&schema, Some(written)), bound);
                let committed = change.await;
                committed.map_err(about_id(&id)).map(|_| rows)
            }
            Ready::Upsert(upsert) => {
                let about = about_id(upsert.id());
                upsert.commit(db, bound, overlap).await.map_err(about)
            }
        }
    }
}

/// What says which table an error is about.
fn about_id(id: &TableId) -> impl Fn(Error) -> Error + use<> {
    let id = id.to_string();
    move |error| error.about_table(&id)
}
