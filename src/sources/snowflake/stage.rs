//! Rows as Parquet files in a stage of the session's own, and from there into a table.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc::{Connection, Connections};

/// A file is sent at this size: a few hundred of them load at the same time
/// (<https://docs.snowflake.com/en/user-guide/data-load-considerations-prepare>).
const FILE_SIZE: usize = 100 * 1024 * 1024;

/// The column that tells the order of rows.
pub const ROW: &str = "SEQUOR_ROW";

/// Returns the name of a column in the files and in the side table: Snowflake finds them in any case, and names of the
/// flow's own may differ in nothing else.
pub fn numbered(column: usize) -> String {
    format!("C{column}")
}

/// Returns the type that a column has in the side table.
pub fn side_type(column: &Column) -> String {
    match column.column_type.logical {
        Logical::Plain => column.column_type.sql.clone(),
        _ => "TEXT".to_string(),
    }
}

/// Files on their way into a stage.
pub struct Stage {
    name: String,
    folder: TempDir,
    schema: SchemaRef,
    writer: Option<ArrowWriter<File>>,
    files: usize,
    rows: i64,
}

fn fail(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("rows can't be written as Parquet: {error}"),
    )
}

impl Stage {
    /// Creates a stage for rows of these columns. It exists from the first file on.
    pub fn new(columns: &[Column]) -> Result<Stage> {
        let mut fields: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(at, c)| Field::new(numbered(at), c.column_type.arrow.clone(), true))
            .collect();
        fields.push(Field::new(ROW, DataType::Int64, true));
        Ok(Stage {
            name: format!(
                "SEQUOR_STAGE_{}",
                uuid::Uuid::new_v4().simple().to_string().to_uppercase()
            ),
            folder: tempfile::tempdir()?,
            schema: Arc::new(Schema::new(fields)),
            writer: None,
            files: 0,
            rows: 0,
        })
    }

    /// Returns how many rows it has got.
    pub fn rows(&self) -> u64 {
        self.rows.unsigned_abs()
    }

    /// Adds rows; a file that is full is sent.
    pub fn write(
        &mut self,
        connections: &Connections,
        connection: &mut Connection,
        batch: &RecordBatch,
    ) -> Result<()> {
        let end = self.rows + batch.num_rows() as i64;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.rows..end));
        self.rows = end;
        let columns = batch.columns().iter().cloned().chain([numbers]).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        let path = self.file();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let file = File::create(path)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .build();
                let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties));
                none.insert(writer.map_err(|e| fail(&e))?)
            }
        };
        writer.write(&batch).map_err(|e| fail(&e))?;
        if writer.bytes_written() + writer.in_progress_size() > FILE_SIZE {
            self.send(connections, connection)?;
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(format!("{}.parquet", self.files))
    }

    /// Sends the file being written, if there is one.
    pub fn send(&mut self, connections: &Connections, connection: &mut Connection) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        writer.close().map_err(|e| fail(&e))?;
        if self.files == 0 {
            connections.execute(connection, &format!("CREATE TEMPORARY STAGE {}", self.name))?;
        }
        let file = self.file();
        let path = file.to_string_lossy().replace('\\', "/").replace('\'', "\\'");
        let put = format!(
            "PUT 'file://{path}' @{} AUTO_COMPRESS = FALSE OVERWRITE = TRUE",
            self.name
        );
        connections.run(connection, &put)?;
        self.files += 1;
        // What is sent takes no place here any more.
        std::fs::remove_file(&file).map_err(Error::from)
    }

    /// Copies the files into a table whose columns have the numbered names.
    pub fn copy(&self, connections: &Connections, connection: &mut Connection, table: &str) -> Result<()> {
        if self.files == 0 {
            return Ok(());
        }
        // Logical types: without them, Snowflake guesses what the integers of a timestamp are.
        let copy = format!(
            "COPY INTO {table} FROM @{} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE) \
             MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT",
            self.name
        );
        connections.run(connection, &copy).map(|_| ())
    }
}
