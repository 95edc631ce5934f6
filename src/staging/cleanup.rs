//! Removing files that no version needs any more.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::logstore::object_store::path::Path;
use futures::{StreamExt, TryStreamExt};

use super::error;
use super::names::TableId;
use super::tables::{Tables, delete};
use crate::error::Result;

/// How long the files of an older version stay, for readers in other processes. Readers in this one are known.
const RETENTION: TimeDelta = TimeDelta::minutes(5);

/// How long files stay that no version has: they may belong to a load in another process that is still under way.
const ORPHAN_RETENTION: TimeDelta = TimeDelta::days(7);

/// Removes files that are in no version newer than `before`, the last one before a commit. What that version has stays
/// until the next commit. Best effort: a file that can't be removed now will be later.
pub async fn after_commit(tables: &Tables, id: &TableId, before: &DeltaTable) {
    if tables.is_read(id) {
        return;
    }
    if let Err(error) = clean(before, Utc::now()).await {
        tracing::debug!(%error, table = %id, "unused files are left");
    }
}

async fn clean(before: &DeltaTable, now: DateTime<Utc>) -> Result<()> {
    let store = before.object_store();
    let state = before.snapshot().map_err(error::delta)?;
    let in_use: HashSet<Path> = state
        .log_data()
        .iter()
        .map(|file| file.object_store_path())
        .collect();
    // First what is there at all, which is cheap: mostly there is nothing to remove.
    let mut candidates = Vec::new();
    let mut files = store.list(None);
    while let Some(Ok(file)) = files.next().await {
        let ours = is_ours(&file.location) && !in_use.contains(&file.location);
        if ours && file.last_modified < now - RETENTION {
            candidates.push(file);
        }
    }
    if candidates.is_empty() {
        return Ok(());
    }
    let removed = state.all_tombstones(before.log_store().as_ref());
    let removed = removed.try_filter_map(async |tombstone| {
        let removed_at = tombstone.deletion_timestamp().unwrap_or_default();
        let old = removed_at < (now - RETENTION).timestamp_millis();
        Ok(old.then(|| Path::from(tombstone.path().as_ref())))
    });
    let removed: HashSet<Path> = removed.boxed().try_collect().await.map_err(error::delta)?;
    let unused = candidates
        .into_iter()
        .filter(|file| removed.contains(&file.location) || file.last_modified < now - ORPHAN_RETENTION);
    let unused: Vec<_> = unused.map(|file| Ok(file.location)).collect();
    delete(&store, futures::stream::iter(unused).boxed()).await
}

/// Whether a file is of a kind that this database writes: other writers keep more in a table's folder (deletion
/// vectors, change data), and what the log says of those is not looked at here.
fn is_ours(location: &Path) -> bool {
    let first = location.parts().next();
    let first = first.as_ref().map_or("", |part| part.as_ref());
    let data = !first.starts_with('_') && location.extension() == Some("parquet");
    data || first.starts_with("_dropped_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sources::database::{Database, TableName};
    use crate::staging::Staging;
    use sequor_planner::ops::WriteMode;

    #[tokio::test]
    async fn files_of_older_versions_go_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let db = Staging::open_folder(folder.path()).unwrap();
        for n in 0..12 {
            let query = format!("select {n} as n");
            let target = TableName::new("t");
            db.transform(&query, &target, WriteMode::Replace).await.unwrap();
        }
        // A load of another process that is under way: a file that no version has.
        let load = folder.path().join("main/t/part-under-way.parquet");
        std::fs::write(&load, "").unwrap();
        let files = || {
            let files = std::fs::read_dir(folder.path().join("main/t")).unwrap();
            files.filter(|f| f.as_ref().unwrap().path().is_file()).count()
        };
        let id = TableId::new(None, None, "t").unwrap();
        let table = db.tables.open(&id).await.unwrap().unwrap();
        clean(&table, Utc::now()).await.unwrap();
        assert_eq!(files(), 13);
        clean(&table, Utc::now() + RETENTION + TimeDelta::minutes(1))
            .await
            .unwrap();
        assert_eq!(files(), 2);
        assert!(load.exists());
        clean(&table, Utc::now() + ORPHAN_RETENTION + TimeDelta::days(1))
            .await
            .unwrap();
        assert_eq!(files(), 1);
    }
}
