//! Numbers without a fraction, exact ones, and those that count as true.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;
use sequor_planner::Dialect;

use super::computed::{computed, gives};
use super::{EXACT, NUMBER, TRUTH, WHOLE};

/// A number rounded to a whole one, of the same kind: halves of decimals go away from zero, halves of floats to the even neighbour,
/// as in IEEE 754; in Snowflake all go away from zero.
pub fn whole(dialect: Dialect) -> ScalarUDF {
    let returns = |fields: &[FieldRef]| match fields {
        [field] => Ok(gives(match field.data_type() {
            DataType::Decimal128(precision, _) => DataType::Decimal128(*precision, 0),
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            other => other.clone(),
        })),
        _ => exec_err!("one number is rounded"),
    };
    computed(WHOLE, Some(1), returns, move |columns, _| {
        let [column] = columns else {
            return exec_err!("one number is rounded");
        };
        let whole: ArrayRef = match column.data_type() {
            DataType::Decimal128(precision, _) => cast(column, &DataType::Decimal128(*precision, 0))?,
            DataType::Float32 | DataType::Float64 => {
                let numbers = cast(column, &DataType::Float64)?;
                let round = match dialect {
                    Dialect::Snowflake => f64::round,
                    _ => f64::round_ties_even,
                };
                let rounded: Float64Array = numbers.as_primitive::<Float64Type>().unary(round);
                Arc::new(rounded)
            }
            _ => column.clone(),
        };
        Ok(whole)
    })
}

/// A number as it is; 0 or 1 for what is true or not.
pub fn number() -> ScalarUDF {
    fn number_type(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Boolean => DataType::Int64,
            other => other.clone(),
        }
    }
    let returns = |fields: &[FieldRef]| match fields {
        [field] => Ok(gives(number_type(field.data_type()))),
        _ => exec_err!("one value is a number"),
    };
    computed(NUMBER, Some(1), returns, |columns, _| {
        let [column] = columns else {
            return exec_err!("one value is a number");
        };
        Ok(cast(column, &number_type(column.data_type()))?)
    })
}

/// Digits behind the point of decimals that are made of floats and texts.
const FRACTION: i8 = 16;

/// A decimal of any precision: one that is a decimal already keeps its digits.
pub fn exact() -> ScalarUDF {
    fn exact_type(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
            other if other.is_integer() => DataType::Decimal128(38, 0),
            _ => DataType::Decimal128(38, FRACTION),
        }
    }
    let returns = |fields: &[FieldRef]| match fields {
        [field] => Ok(gives(exact_type(field.data_type()))),
        _ => exec_err!("one number is made exact"),
    };
    computed(EXACT, Some(1), returns, |columns, _| {
        let [column] = columns else {
            return exec_err!("one number is made exact");
        };
        let to = exact_type(column.data_type());
        // A float has its shortest digits: 0.1 is 0.1.
        let column = match column.data_type().is_floating() {
            true => cast(column, &DataType::Utf8)?,
            false => column.clone(),
        };
        let strict = arrow::compute::CastOptions {
            safe: false,
            ..Default::default()
        };
        Ok(arrow::compute::cast_with_options(&column, &to, &strict)?)
    })
}

/// Whether a value counts as true: a number that is not 0.
pub fn truth() -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(gives(DataType::Boolean));
    computed(TRUTH, Some(1), returns, |columns, _| {
        let [column] = columns else {
            return exec_err!("one value is true or not");
        };
        Ok(match column.data_type() {
            DataType::Boolean | DataType::Null => cast(column, &DataType::Boolean)?,
            other if other.is_numeric() => {
                let numbers = cast(column, &DataType::Float64)?;
                cast(&numbers, &DataType::Boolean)?
            }
            other => return exec_err!("a value of type {other} is neither true nor false in a dry run"),
        })
    })
}
