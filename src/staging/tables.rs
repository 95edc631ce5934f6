//! The tables in their folder: opening, listing, dropping, and who is at work on which.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use deltalake_core::logstore::object_store::path::Path;
use deltalake_core::logstore::{LogStoreRef, ObjectStoreRef, object_store};
use deltalake_core::{DeltaTable, DeltaTableBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OwnedMutexGuard;
use url::Url;

use super::names::{DEFAULT_NAMESPACE, SCRATCH_NAMESPACE, TableId, decode};
use super::{error, near};
use crate::error::{Error, ErrorKind, Result};

const LOG_FOLDER: &str = "_delta_log";

/// The tables below one root.
pub struct Tables {
    root: Url,
    states: Mutex<HashMap<TableId, State>>,
}

/// What this process does with one table.
#[derive(Default)]
struct State {
    /// BufferedRows by who commits to the table.
    writing: Arc<tokio::sync::Mutex<()>>,
    /// Shared with every reader.
    reading: Arc<()>,
}

/// As long as it lives, the files of the table that a reader may need are kept.
pub struct Pin {
    _reading: Arc<()>,
}

/// The right to commit to a table; one at a time in this process.
pub struct WriteLock {
    _guard: OwnedMutexGuard<()>,
}

impl Tables {
    /// Creates the tables below `root`, whose path ends with `/`.
    pub fn new(root: Url) -> Self {
        Tables {
            root,
            states: Mutex::default(),
        }
    }

    fn states(&self) -> MutexGuard<'_, HashMap<TableId, State>> {
        // The map is consistent after every statement, so a panic elsewhere did not harm it.
        self.states
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps the table's files in place for a reader.
    pub fn pin(&self, id: &TableId) -> Pin {
        let _reading = self.states().entry(id.clone()).or_default().reading.clone();
        Pin { _reading }
    }

    /// Tells whether a statement of this process reads the table.
    pub fn is_read(&self, id: &TableId) -> bool {
        let states = self.states();
        states
            .get(id)
            .is_some_and(|state| Arc::strong_count(&state.reading) > 1)
    }

    /// Forgets a table that no one will name again.
    pub fn forget(&self, id: &TableId) {
        self.states().remove(id);
    }

    /// Waits until no one else in this process commits to the table.
    pub async fn lock(&self, id: &TableId) -> WriteLock {
        let writing = self.states().entry(id.clone()).or_default().writing.clone();
        WriteLock {
            _guard: writing.lock_owned().await,
        }
    }

    /// Returns the table's storage, whether there is a table or not.
    pub fn store(&self, id: &TableId) -> Result<LogStoreRef> {
        let folder = self.root.join(&id.folder());
        let folder = folder.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        DeltaTableBuilder::from_url(folder)
            .and_then(|builder| builder.build_storage())
            .map_err(error::delta)
    }

    /// Opens the newest version of the table, if there is one.
    pub async fn open(&self, id: &TableId) -> Result<Option<DeltaTable>> {
        let store = self.store(id)?;
        if !store.is_delta_table_location().await.map_err(error::delta)? {
            return Ok(None);
        }
        let mut table = DeltaTable::new(store);
        table.load().await.map_err(error::delta)?;
        Ok(Some(table))
    }

    /// Returns the newest version of a table that has to exist.
    pub async fn require(&self, id: &TableId) -> Result<DeltaTable> {
        match self.open(id).await? {
            Some(table) => Ok(table),
            None => Err(self.missing(id).await),
        }
    }

    /// Returns the error for a table that does not exist, with the names of those that do.
    pub async fn missing(&self, id: &TableId) -> Error {
        let message = format!("table `{id}` does not exist in staging");
        let error = Error::new(ErrorKind::NoTable, message);
        let Ok(names) = self.names().await else {
            return error;
        };
        match near::help("tables in staging", &id.to_string(), &names) {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// Returns the names of all tables, sorted, those outside the default namespace with it.
    pub async fn names(&self) -> Result<Vec<String>> {
        let root = DeltaTableBuilder::from_url(self.root.clone())
            .and_then(|builder| builder.build_storage())
            .map_err(error::delta)?
            .object_store(None);
        let mut names = Vec::new();
        for namespace in folders(&root, None).await? {
            for table in folders(&root, Some(&namespace)).await? {
                let log = folders(&root, Some(&table)).await?;
                if !log.iter().any(|p| p.filename() == Some(LOG_FOLDER)) {
                    continue;
                }
                if let (Some(namespace), Some(table)) = (
                    namespace.filename().and_then(decode),
                    table.filename().and_then(decode),
                ) && namespace != SCRATCH_NAMESPACE
                {
                    names.push(TableId { namespace, table });
                }
            }
        }
        names.sort_by_key(|id| (id.namespace != DEFAULT_NAMESPACE, id.clone()));
        Ok(names.iter().map(ToString::to_string).collect())
    }

    /// Removes the table: its log first, because without a log there is no table.
    pub async fn remove(&self, id: &TableId, _lock: &WriteLock) -> Result<()> {
        let log_store = self.store(id)?;
        let store = log_store.object_store(None);
        let io = |e: object_store::Error| Error::new(ErrorKind::Io, e.to_string());
        let local = log_store.root_url().to_file_path().ok();
        let aside = format!("_dropped_{}", uuid::Uuid::new_v4().simple());
        if let Some(folder) = &local {
            // A rename is atomic: no one ever sees half a log.
            tokio::fs::rename(folder.join(LOG_FOLDER), folder.join(&aside)).await?;
        } else {
            let log = Path::from(LOG_FOLDER);
            let entries = store.list(Some(&log)).map_ok(|meta| meta.location);
            let mut entries: Vec<Path> = entries.try_collect().await.map_err(io)?;
            // From the newest version down: what is left at any moment is a whole log.
            entries.sort_by(|a, b| b.cmp(a));
            delete(&store, futures::stream::iter(entries.into_iter().map(Ok)).boxed()).await?;
        }
        if self.is_read(id) {
            // Someone still streams from it; the files are garbage that a later table of this name cleans up.
            return Ok(());
        }
        delete(&store, store.list(None).map_ok(|meta| meta.location).boxed()).await?;
        if let Some(folder) = local {
            // Empty folders go. One that got a new table's files in the meantime is not empty, and stays.
            for emptied in [folder.join(aside), folder] {
                if let Err(error) = tokio::fs::remove_dir(&emptied).await {
                    tracing::debug!(%error, folder = %emptied.display(), "a folder is left");
                }
            }
        }
        Ok(())
    }
}

type Locations = BoxStream<'static, object_store::Result<Path>>;

/// Deletes files; one that is gone already is fine.
pub async fn delete(store: &ObjectStoreRef, locations: Locations) -> Result<()> {
    let mut results = store.delete_stream(locations);
    while let Some(result) = results.next().await {
        match result {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(Error::new(ErrorKind::Io, error.to_string())),
        }
    }
    Ok(())
}

async fn folders(store: &ObjectStoreRef, below: Option<&Path>) -> Result<Vec<Path>> {
    let listed = store.list_with_delimiter(below).await;
    let listed = listed.map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
    Ok(listed.common_prefixes)
}
