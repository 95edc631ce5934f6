//! The few Arrow types that rows are given out in, whatever a database makes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

/// Returns the few types that the rest of the engine sees: no views, dictionaries or unsigned integers, time in
/// microseconds.
pub fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        // `row_number()` and its like are UInt64: an integer to whoever reads it, not a decimal.
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Duration(_) | DataType::Interval(_) => DataType::Utf8,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => decimal(*p, *s),
        DataType::Decimal256(_, s) => decimal(38, *s),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(nested(item, plain)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| nested(f, plain)).collect()),
        DataType::Union(..) => DataType::Utf8,
        other => other.clone(),
    }
}

/// Returns the batch with the types of a schema, column by column. A value that does not fit is an error.
pub fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = conformed_columns(batch.columns(), schema)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

/// Columns with the types of a schema's first ones.
pub fn conformed_columns(columns: &[ArrayRef], schema: &SchemaRef) -> Result<Vec<ArrayRef>, ArrowError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = columns.iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
        true => Ok(column.clone()),
        false => cast_with_options(column, field.data_type(), &strict),
    });
    columns.collect()
}

fn decimal(precision: u8, scale: i8) -> DataType {
    if scale < 0 {
        return DataType::Decimal128(38, 0);
    }
    DataType::Decimal128(precision.clamp(1, 38), scale.min(38))
}

/// Returns a field with its type changed, without what its origin says of it.
pub fn nested(field: &FieldRef, to: fn(&DataType) -> DataType) -> FieldRef {
    let changed = field.as_ref().clone().with_data_type(to(field.data_type()));
    Arc::new(changed.with_metadata(Default::default()))
}
