//! Rows into Parquet files that are not part of the table yet.

use std::num::NonZeroU64;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;
use deltalake_core::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake_core::kernel::Add;
use deltalake_core::logstore::object_store::path::Path;
use deltalake_core::logstore::{LogStoreRef, ObjectStoreRef};

use super::convert::Mapping;
use super::error;
use crate::error::{Error, ErrorKind, Result};

/// A file is closed and the next one begun at this size; it also bounds what is held in memory.
const FILE_SIZE: Option<NonZeroU64> = NonZeroU64::new(64 * 1024 * 1024);

/// Rows are handed to Parquet in slices of this many.
const SLICE_ROWS: usize = 8192;

/// What the names of columns begin with that are no user's.
const OWN: &str = "_sequor_";

/// How many columns statistics are kept for.
const INDEXED_COLUMNS: &str = "32";

/// Writes rows of one schema into new files of a table's folder.
pub struct TableWriter {
    store: ObjectStoreRef,
    writer: Option<DeltaWriter>,
    mapping: Mapping,
    rows: u64,
}

/// Files that are written and wait for their commit.
pub struct Written {
    store: ObjectStoreRef,
    /// The files, as Delta describes them.
    pub files: Vec<Add>,
    /// How many rows they have.
    pub rows: u64,
}

impl TableWriter {
    /// Creates a writer into the folder of `store`; batches become `schema` by `mapping`.
    pub fn new(store: &LogStoreRef, schema: SchemaRef, mapping: Mapping) -> Result<Self> {
        let store = store.object_store(None);
        let indexed = INDEXED_COLUMNS.try_into();
        let indexed = indexed.map_err(|e: _| internal(&e))?;
        let properties = properties(&schema);
        let config = WriterConfig::new(
            schema,
            Vec::new(),
            Some(properties),
            FILE_SIZE,
            Some(SLICE_ROWS),
            indexed,
            None,
        );
        Ok(TableWriter {
            writer: Some(DeltaWriter::new(store.clone(), config)),
            store,
            mapping,
            rows: 0,
        })
    }

    /// Adds a batch.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.mapping.apply(batch)?;
        // One that is given up in the middle of this can't be closed any more: it goes as it is, its file unnamed.
        let Some(mut writer) = self.writer.take() else {
            return Err(Error::new(ErrorKind::Internal, "the writer is closed"));
        };
        let written = writer.write(&batch).await;
        self.writer = Some(writer);
        written.map_err(error::delta)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Closes the files.
    pub async fn finish(mut self) -> Result<Written> {
        let Some(writer) = self.writer.take() else {
            return Err(Error::new(ErrorKind::Internal, "the writer is closed"));
        };
        Ok(Written {
            files: writer.close().await.map_err(error::delta)?,
            store: self.store.clone(),
            rows: self.rows,
        })
    }

    /// Removes what was written.
    pub async fn discard(mut self) {
        if let Some(writer) = self.writer.take() {
            discard(writer, self.store.clone()).await;
        }
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        // Best effort: outside a runtime the files stay until the table's folder is cleaned up.
        if let Some(writer) = self.writer.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(discard(writer, self.store.clone()));
        }
    }
}

/// Closing tells the names of the files, which aborting does not.
async fn discard(writer: DeltaWriter, store: ObjectStoreRef) {
    match writer.close().await {
        Ok(files) => delete(&store, &files).await,
        Err(error) => tracing::debug!(%error, "files of an abandoned write may be left"),
    }
}

impl Written {
    /// Returns these files and others of the same table.
    pub fn and(mut self, others: Written) -> Written {
        self.files.extend(others.files);
        self.rows += others.rows;
        self
    }

    /// Removes the files.
    pub async fn discard(self) {
        delete(&self.store, &self.files).await;
    }
}

async fn delete(store: &ObjectStoreRef, files: &[Add]) {
    use deltalake_core::logstore::object_store::ObjectStoreExt;
    for file in files {
        if let Err(error) = store.delete(&Path::from(file.path.as_str())).await {
            tracing::debug!(%error, file = file.path, "an unused file is left");
        }
    }
}

/// How the files are written: columns of our own, which say the same in row after row, are not looked for by their values.
fn properties(schema: &SchemaRef) -> WriterProperties {
    let own = schema
        .fields()
        .iter()
        .filter(|field| field.name().starts_with(OWN));
    let plain = WriterProperties::builder().set_compression(Compression::SNAPPY);
    own.fold(plain, |properties, field| {
        let column = ColumnPath::from(field.name().as_str());
        properties.set_column_statistics_enabled(column, EnabledStatistics::None)
    })
    .build()
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}
