//! Decimals of any precision, which databases give as text, as numbers that the staging database computes with.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, stream};

use crate::batch::plain::conformed;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Rows;

/// Rows that are looked at for how many digits their numbers have.
const LOOKED_AT: usize = 100_000;

/// The most digits that a number has.
const DIGITS: u8 = 38;

/// Returns rows whose decimals are numbers, with as many digits behind the point as the first rows have at most.
///
/// # Errors
/// Numbers with more digits than there is room for.
pub async fn exact(rows: Rows) -> Result<Rows> {
    let numeric: Vec<usize> = rows
        .schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| Logical::of(field) == Logical::Numeric)
        .map(|(at, _)| at)
        .collect();
    if numeric.is_empty() {
        return Ok(rows);
    }
    let mut batches = rows.batches.fuse();
    let (mut first, mut count) = (Vec::new(), 0);
    while count < LOOKED_AT
        && let Some(batch) = batches.next().await
    {
        let batch = batch?;
        count += batch.num_rows();
        first.push(batch);
    }
    let fields = rows.schema.fields().iter().enumerate().map(|(at, field)| {
        let field = field.as_ref().clone();
        match numeric.contains(&at) {
            false => field,
            true => {
                let behind = first
                    .iter()
                    .map(|batch| scale(batch, at))
                    .max()
                    .unwrap_or_default();
                let kind = DataType::Decimal128(DIGITS, i8::try_from(behind).unwrap_or(i8::MAX).min(37));
                Field::new(field.name(), kind, true)
            }
        }
    });
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let to = schema.clone();
    let batches = stream::iter(first.into_iter().map(Ok)).chain(batches);
    let batches = batches.map(move |batch| numbers(&batch?, &numeric, &to));
    Ok(Rows {
        schema,
        batches: batches.boxed(),
    })
}

/// The most digits behind a point in a column of texts.
fn scale(batch: &RecordBatch, at: usize) -> usize {
    let texts = batch.column(at).as_string_opt::<i32>();
    let behind = |text: &str| text.split_once('.').map_or(0, |(_, behind)| behind.len());
    texts.map_or(0, |texts| {
        texts.iter().flatten().map(behind).max().unwrap_or_default()
    })
}

fn numbers(batch: &RecordBatch, numeric: &[usize], schema: &SchemaRef) -> Result<RecordBatch> {
    let too_long = |field: &Field, what: &str| {
        let message = format!("column `{}`: {what}", field.name());
        Error::new(ErrorKind::Value, message).help(
            "a dry run computes with 38 digits: give the rows by --fixtures, or read fewer with --sample",
        )
    };
    for at in numeric {
        let field = schema.field(*at);
        // A cast would round it.
        if let DataType::Decimal128(_, room) = field.data_type()
            && i8::try_from(scale(batch, *at)).unwrap_or(i8::MAX) > *room
        {
            return Err(too_long(
                field,
                "a number has more digits behind its point than those before",
            ));
        }
    }
    conformed(batch, schema).map_err(|e| {
        let first = numeric.first().map_or(0, |at| *at);
        too_long(schema.field(first), &e.to_string())
    })
}
