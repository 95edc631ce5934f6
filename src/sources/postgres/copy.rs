//! Batches in PostgreSQL's binary COPY format, by pgpq.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::{Bytes, BytesMut};
use pgpq::ArrowToPostgresBinaryEncoder;
use pgpq::encoders::{EncoderBuilder, StringEncoderBuilder};
use pgpq::pg_schema::PostgresType;

use super::arrays::as_literals;
use super::counts::{self, counts};
use crate::batch::column::Column;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::{Error, ErrorKind, Result};

/// Returns how a column travels: PostgreSQL checks that the bytes are those of the side table's type.
pub fn side_type(column: &Column) -> String {
    match travels_as_text(column) {
        true => "text".into(),
        false => column.column_type.sql.clone(),
    }
}

/// Tells whether a column goes through COPY as text and gets its type afterwards, in the server.
pub fn travels_as_text(column: &Column) -> bool {
    match column.column_type.logical {
        Logical::Plain => false,
        Logical::Json => json_type(column).is_none(),
        Logical::Numeric | Logical::Array | Logical::Other => true,
    }
}

fn json_type(column: &Column) -> Option<PostgresType> {
    match column.column_type.sql.to_ascii_lowercase().as_str() {
        "json" => Some(PostgresType::Json),
        "jsonb" => Some(PostgresType::Jsonb),
        _ => None,
    }
}

/// What the bytes of a COPY begin with, and end with
/// (<https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4>).
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub const END: &[u8] = &[0xff, 0xff];

/// Encodes the batches of one table, without the header and the end of the COPY that they go into.
pub struct Encoder {
    inner: ArrowToPostgresBinaryEncoder,
    buffer: BytesMut,
    /// Of what is encoded.
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl Encoder {
    /// Creates an encoder for batches of `columns`.
    pub fn new(columns: &[Column]) -> Result<Encoder> {
        let fields = arrow_schema(columns);
        let fields = fields.fields().iter().map(|field| counts::field(field));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut encoders = std::collections::HashMap::new();
        for (column, field) in columns.iter().zip(schema.fields()) {
            let json = json_type(column).filter(|_| column.column_type.logical == Logical::Json);
            let encoder = match json {
                Some(json) => {
                    StringEncoderBuilder::new_with_output(field.clone(), json).map(EncoderBuilder::String)
                }
                None => EncoderBuilder::try_new(field.clone()),
            };
            encoders.insert(column.name.clone(), encoder.map_err(|e| fail(&e))?);
        }
        let mut inner =
            ArrowToPostgresBinaryEncoder::try_new_with_encoders(&schema, &encoders).map_err(|e| fail(&e))?;
        let mut buffer = BytesMut::new();
        inner.write_header(&mut buffer).map_err(|e| fail(&e))?;
        buffer.clear();
        Ok(Encoder {
            inner,
            buffer,
            schema,
            columns: columns.to_vec(),
        })
    }

    /// Returns the bytes of a batch.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes> {
        let mut columns = as_literals(batch, &self.columns)?;
        columns.iter_mut().for_each(|values| *values = counts(values));
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.inner
            .write_batch(&batch, &mut self.buffer)
            .map_err(|e| fail(&e))?;
        Ok(self.buffer.split().freeze())
    }
}

fn fail(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Value,
        format!("the rows can't be written as PostgreSQL's COPY: {error}"),
    )
}
