//! The one way a table changes: a single commit to its Delta log.

use arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitProperties, TableReference, TransactionError,
};
use deltalake_core::kernel::{Action, MetadataExt, Protocol, StructType, Transaction, new_metadata};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::names::TableId;
use super::tables::{Tables, WriteLock};
use super::writer::Written;
use super::{cleanup, error};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::overlap::changed_error;

/// How often a commit is tried again when another process was faster.
const ATTEMPTS: usize = 50;

/// What becomes of the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They go; so does the old schema. The table is created when missing.
    Replace,
    /// As `Replace`, for a table that must not exist yet.
    Create,
    /// The table is created, if it is still missing.
    CreateMissing,
    /// They stay. The table is created when missing.
    Append,
    /// They go, if the table is still at the version that the new rows were made from.
    Rewrite { version: u64 },
    /// They stay, only the schema changes, if the table is still at this version.
    Schema { version: u64 },
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The table is no longer as the change was made for it; nothing was changed.
    Stale,
}

/// Commits `written`, rows of `schema`, to the table. Its files are removed again if that is refused.
///
/// # Errors
/// A table that exists, for [`Change::Create`]; another schema than the table's, for [`Change::Append`].
pub async fn commit(
    tables: &Tables,
    id: &TableId,
    lock: &WriteLock,
    change: Change,
    schema: &SchemaRef,
    written: Option<Written>,
) -> Result<Outcome> {
    commit_bound(tables, id, lock, change, (schema, written), &[]).await
}

/// What a commit says of rows in other tables: whose, and up to which generation they count.
pub type Bound = (String, i64);

/// As [`commit`]; with it, rows in other tables come to count.
///
/// # Errors
/// As [`commit`].
pub async fn commit_bound(
    tables: &Tables,
    id: &TableId,
    _lock: &WriteLock,
    change: Change,
    (schema, written): (&SchemaRef, Option<Written>),
    bound: &[Bound],
) -> Result<Outcome> {
    let files = written.as_ref().map(|w| w.files.clone());
    let files = files.unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let current = tables.open(id).await?;
        let actions = match actions(id, current.as_ref(), change, schema).await {
            Ok(Some(actions)) => actions,
            refused => {
                if let Some(written) = written {
                    written.discard().await;
                }
                return refused.map(|_| Outcome::Stale);
            }
        };
        let mut actions = actions;
        actions.extend(files.iter().cloned().map(Action::Add));
        if actions.is_empty() && bound.is_empty() {
            return Ok(Outcome::Done);
        }
        let operation = DeltaOperation::Write {
            mode: match change {
                Change::Append => SaveMode::Append,
                _ => SaveMode::Overwrite,
            },
            partition_by: None,
            predicate: None,
        };
        let state = current.as_ref().map(DeltaTable::snapshot).transpose();
        let state = state.map_err(error::delta)?;
        let reference = state.map(|state| state as &dyn TableReference);
        // No retries of Delta's own: they would check for conflicts where here the later commit simply wins, with
        // its actions made anew from the table as it is then.
        let mut properties = CommitProperties::default().with_max_retries(0);
        for (scope, generation) in bound {
            properties = properties.with_application_transaction(Transaction::new(scope, *generation));
        }
        let result = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(reference, tables.store(id)?, operation)
            .await;
        match result {
            Ok(_) => {
                if let Some(before) = &current {
                    cleanup::after_commit(tables, id, before).await;
                }
                return Ok(Outcome::Done);
            }
            Err(error) if lost_race(&error) => {}
            // Whether the commit got through is unknown here, so its files stay.
            Err(error) => return Err(error::delta(error)),
        }
    }
    if let Some(written) = written {
        written.discard().await;
    }
    let message = format!("table `{id}` is changed by others all the time");
    Err(Error::new(ErrorKind::Sql, message))
}

/// Sees to it that no other commit has let rows in other tables count up to a generation that is new here, too.
///
/// # Errors
/// One has; as reading the log.
pub async fn check_bound(tables: &Tables, id: &TableId, wanted: &[Bound]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(table) = tables.open(id).await? else {
        return Ok(());
    };
    for (scope, generation) in wanted {
        if bound(&table, scope)
            .await?
            .is_some_and(|there| there >= *generation)
        {
            return Err(changed_error());
        }
    }
    Ok(())
}

/// Returns the generation up to which rows in other tables count; none where no commit says it.
///
/// # Errors
/// As reading the log.
pub async fn bound(table: &DeltaTable, scope: &str) -> Result<Option<i64>> {
    let state = table.snapshot().map_err(error::delta)?;
    let log_store = table.log_store();
    let version = state.snapshot().transaction_version(log_store.as_ref(), scope);
    version.await.map_err(error::delta)
}

/// Whether another commit took the version that this one wanted.
fn lost_race(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::VersionAlreadyExists(_) | TransactionError::MaxCommitAttempts(_)
        ),
        _ => false,
    }
}

/// What to do to the table besides adding files; none if it has moved on.
async fn actions(
    id: &TableId,
    current: Option<&DeltaTable>,
    change: Change,
    schema: &SchemaRef,
) -> Result<Option<Vec<Action>>> {
    let Some(table) = current else {
        return match change {
            Change::Rewrite { .. } | Change::Schema { .. } => Ok(None),
            Change::Replace | Change::Create | Change::CreateMissing | Change::Append => {
                new_table(schema).map(Some)
            }
        };
    };
    let state = table.snapshot().map_err(error::delta)?;
    match change {
        Change::Create => {
            let message = format!("table `{id}` already exists");
            return Err(Error::new(ErrorKind::Sql, message)
                .help("use CREATE OR REPLACE TABLE, or CREATE TABLE IF NOT EXISTS"));
        }
        Change::CreateMissing => return Ok(None),
        Change::Rewrite { version } | Change::Schema { version } if state.version() != version => {
            return Ok(None);
        }
        Change::Append => {
            if !same_columns(current_schema(table)?.as_ref(), schema) {
                let message = format!("the columns of table `{id}` changed while rows were being added");
                return Err(Error::new(ErrorKind::Sql, message).help("run the step again"));
            }
            return Ok(Some(Vec::new()));
        }
        Change::Replace | Change::Rewrite { .. } | Change::Schema { .. } => {}
    }
    let mut actions = Vec::new();
    let wanted = delta_schema(schema)?;
    if *state.schema() != wanted {
        let metadata = state.metadata().clone().with_schema(&wanted);
        actions.push(Action::Metadata(metadata.map_err(kernel)?));
        if has_zoneless_timestamp(schema) && !has_zoneless_timestamp(current_schema(table)?.as_ref()) {
            actions.insert(0, Action::Protocol(protocol(schema)?));
        }
    }
    if !matches!(change, Change::Schema { .. }) {
        let files = state.snapshot().file_views(table.log_store().as_ref(), None);
        let removes = files.map_ok(|file| Action::Remove(file.remove_action(true)));
        let removes: Vec<Action> = removes.boxed().try_collect().await.map_err(error::delta)?;
        actions.extend(removes);
    }
    Ok(Some(actions))
}

/// Returns the table's columns in Arrow.
pub fn current_schema(table: &DeltaTable) -> Result<SchemaRef> {
    let state = table.snapshot().map_err(error::delta)?;
    Ok(state.snapshot().arrow_schema())
}

fn same_columns(a: &Schema, b: &Schema) -> bool {
    let shape = |schema: &Schema| -> Vec<_> {
        let fields = schema.fields().iter();
        fields
            .map(|f| (f.name().clone(), f.data_type().clone()))
            .collect()
    };
    shape(a) == shape(b)
}

fn new_table(schema: &SchemaRef) -> Result<Vec<Action>> {
    let configuration = [
        ("delta.logRetentionDuration", "interval 1 days"),
        ("delta.deletedFileRetentionDuration", "interval 1 days"),
        // A table is opened by reading its log since the last one: loads of small parts make many commits.
        ("delta.checkpointInterval", "10"),
    ];
    let metadata = new_metadata(&delta_schema(schema)?, Vec::<String>::new(), configuration);
    Ok(vec![
        Action::Protocol(protocol(schema)?),
        Action::Metadata(metadata.map_err(kernel)?),
    ])
}

fn delta_schema(schema: &SchemaRef) -> Result<StructType> {
    schema
        .as_ref()
        .try_into_kernel()
        .map_err(|e| Error::new(ErrorKind::Sql, e.to_string()))
}

/// The oldest protocol that can hold the schema, so that the most readers understand the table.
fn protocol(schema: &Schema) -> Result<Protocol> {
    let protocol = if has_zoneless_timestamp(schema) {
        json!({
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"],
            "writerFeatures": ["timestampNtz", "appendOnly", "invariants"],
        })
    } else {
        json!({"minReaderVersion": 1, "minWriterVersion": 2})
    };
    serde_json::from_value(protocol).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}

fn has_zoneless_timestamp(schema: &Schema) -> bool {
    use arrow::datatypes::DataType;
    fn within(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(_, None) => true,
            DataType::List(item) => within(item.data_type()),
            DataType::Struct(fields) => fields.iter().any(|f| within(f.data_type())),
            DataType::Map(entries, _) => within(entries.data_type()),
            _ => false,
        }
    }
    schema.fields().iter().any(|f| within(f.data_type()))
}

fn kernel(error: deltalake_core::kernel::Error) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}
