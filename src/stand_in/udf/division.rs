//! Division as other databases have it.
//!
//! PostgreSQL: of decimals with 16 digits that count, of whole numbers without a rest. How many digits stand behind the point of a
//! quotient depends on both numbers, by `select_div_scale` of PostgreSQL's numeric.c: each is written in groups of four digits;
//! `16 - 4 * q` digits, where `q` is how many groups the quotient's first one stands in front of the point, and at least as many as
//! each number has.
//!
//! MySQL: with four digits more than the dividend has (`div_precision_increment`). Snowflake: with six more, but no more than twelve
//! where the dividend has not more itself. Whole numbers are decimals there.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Float64Type, Int64Type, i256};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use sequor_planner::Dialect;

use super::DIVIDED;
use super::computed::{computed, gives};

/// Digits behind the point of the type of a quotient. Those that the value has not are zeros.
const SCALE: i8 = 20;

/// Digits of a decimal.
const PRECISION: u8 = 38;

/// Returns the function.
pub fn function(dialect: Dialect) -> ScalarUDF {
    let digits = match dialect {
        Dialect::MySql => Digits::More { by: 4, most: SCALE },
        Dialect::Snowflake => Digits::More { by: 6, most: 12 },
        _ => Digits::Sixteen,
    };
    let returns = move |fields: &[FieldRef]| match fields {
        [left, right] => Ok(gives(match kind(left.data_type(), right.data_type(), digits) {
            Kind::Whole => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Decimal(scale, _) => DataType::Decimal128(PRECISION, digits.of_type(scale)),
        })),
        _ => exec_err!("a division has two numbers"),
    };
    computed(DIVIDED, Some(2), returns, move |columns, _| match columns {
        [left, right] => quotients(left, right, digits),
        _ => exec_err!("a division has two numbers"),
    })
}

/// How many digits stand behind the point of a quotient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Digits {
    /// Sixteen that count.
    Sixteen,
    /// So many more than the dividend has, up to a number of them.
    More { by: i8, most: i8 },
}

impl Digits {
    /// The digits behind the point of the type of a quotient of a dividend with so many.
    fn of_type(self, dividend: i8) -> i8 {
        match self {
            Digits::Sixteen => SCALE,
            Digits::More { by, most } => dividend.max((dividend + by).min(most)).min(SCALE),
        }
    }

    fn of_value(self, left: Decimal, right: Decimal) -> i32 {
        match self {
            Digits::Sixteen => scale_of(left, right).min(i32::from(SCALE)),
            Digits::More { .. } => i32::from(self.of_type(left.1)),
        }
    }
}

/// How two numbers are divided.
enum Kind {
    Whole,
    Float,
    /// The digits behind the points of both.
    Decimal(i8, i8),
}

fn kind(left: &DataType, right: &DataType, digits: Digits) -> Kind {
    let scale = |kind: &DataType| match kind {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    };
    let is_whole = |kind: &DataType| kind.is_integer() || kind.is_null();
    match (scale(left), scale(right)) {
        _ if left.is_floating() || right.is_floating() => Kind::Float,
        (None, None) if is_whole(left) && is_whole(right) => match digits {
            Digits::Sixteen => Kind::Whole,
            Digits::More { .. } => Kind::Decimal(0, 0),
        },
        (None, None) => Kind::Float,
        (left, right) => Kind::Decimal(left.unwrap_or_default(), right.unwrap_or_default()),
    }
}

fn quotients(left: &ArrayRef, right: &ArrayRef, digits: Digits) -> Result<ArrayRef> {
    Ok(match kind(left.data_type(), right.data_type(), digits) {
        Kind::Whole => {
            let (left, right) = (cast(left, &DataType::Int64)?, cast(right, &DataType::Int64)?);
            let (left, right) = (
                left.as_primitive::<Int64Type>(),
                right.as_primitive::<Int64Type>(),
            );
            let quotients = each(left, right, |left: i64, right| match right {
                0 => exec_err!("division by zero"),
                _ => match left.checked_div(right) {
                    Some(quotient) => Ok(quotient),
                    None => exec_err!("bigint out of range"),
                },
            });
            Arc::new(quotients?)
        }
        Kind::Float => {
            let (left, right) = (cast(left, &DataType::Float64)?, cast(right, &DataType::Float64)?);
            let (left, right) = (
                left.as_primitive::<Float64Type>(),
                right.as_primitive::<Float64Type>(),
            );
            let quotients = each(left, right, |left, right| match right {
                0.0 => exec_err!("division by zero"),
                _ => Ok(left / right),
            });
            Arc::new(quotients?)
        }
        Kind::Decimal(left_scale, right_scale) => {
            let decimal = |array: &ArrayRef, scale: i8| cast(array, &DataType::Decimal128(PRECISION, scale));
            let (left, right) = (decimal(left, left_scale)?, decimal(right, right_scale)?);
            let (left, right) = (
                left.as_primitive::<Decimal128Type>(),
                right.as_primitive::<Decimal128Type>(),
            );
            let quotients = each(left, right, |left, right| match right {
                0 => exec_err!("division by zero"),
                _ => match divided((left, left_scale), (right, right_scale), digits) {
                    Some(quotient) => Ok(quotient),
                    None => exec_err!("a quotient has more than {PRECISION} digits"),
                },
            });
            Arc::new(quotients?.with_precision_and_scale(PRECISION, digits.of_type(left_scale))?)
        }
    })
}

/// The quotient of each row; null where one of its numbers is.
fn each<T: ArrowPrimitiveType>(
    left: &PrimitiveArray<T>,
    right: &PrimitiveArray<T>,
    divide: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<PrimitiveArray<T>> {
    let quotients = left.iter().zip(right).map(|pair| match pair {
        (Some(left), Some(right)) => divide(left, right).map(Some),
        _ => Ok(None),
    });
    quotients.collect()
}

/// A decimal's digits, and how many of them stand behind the point.
type Decimal = (i128, i8);

/// The group of four digits that a number begins with, and how many groups stand between it and the point.
fn first_group((digits, scale): Decimal) -> (i32, u128) {
    let digits = digits.unsigned_abs();
    if digits == 0 {
        return (0, 0);
    }
    // Digits in front of the point; 0 or less where it begins behind it.
    let length = i32::try_from(digits.ilog10()).unwrap_or_default() + 1 - i32::from(scale);
    let weight = (length - 1).div_euclid(4);
    // As many digits of the number as the group holds.
    let in_group = length - weight * 4;
    let cut = i32::try_from(digits.ilog10()).unwrap_or_default() + 1 - in_group;
    let group = match u32::try_from(cut) {
        Ok(cut) => digits / 10_u128.pow(cut),
        Err(_) => digits * 10_u128.pow(cut.unsigned_abs()),
    };
    // Behind the last digit of a number stand zeros, up to the end of its group.
    (weight, group)
}

/// How many digits of a quotient stand behind the point.
fn scale_of(left: Decimal, right: Decimal) -> i32 {
    let ((left_weight, left_first), (right_weight, right_first)) = (first_group(left), first_group(right));
    let mut weight = left_weight - right_weight;
    if left_first <= right_first {
        weight -= 1;
    }
    (16 - weight * 4)
        .max(i32::from(left.1))
        .max(i32::from(right.1))
        .max(0)
}

/// A quotient with its digits, and zeros up to those of its type; none where there is no room for it.
fn divided(left: Decimal, right: Decimal, digits: Digits) -> Option<i128> {
    let scale = digits.of_value(left, right);
    // left / 10^l divided by right / 10^r, times 10^scale.
    let shift = scale + i32::from(right.1) - i32::from(left.1);
    let ten = i256::from_i128(10);
    let power = |n: i32| ten.checked_pow(n.unsigned_abs());
    let (mut top, mut bottom) = (i256::from_i128(left.0), i256::from_i128(right.0));
    match shift >= 0 {
        true => top = top.checked_mul(power(shift)?)?,
        false => bottom = bottom.checked_mul(power(shift)?)?,
    }
    let quotient = top.checked_div(bottom)?;
    let rest = top.checked_rem(bottom)?;
    // Half is rounded away from zero.
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    let up = twice >= bottom.wrapping_abs();
    let away = match (left.0 < 0) == (right.0 < 0) {
        true => i256::ONE,
        false => i256::MINUS_ONE,
    };
    let quotient = if up { quotient.checked_add(away)? } else { quotient };
    let padded = quotient.checked_mul(power(i32::from(digits.of_type(left.1)) - scale)?)?;
    let most = i256::from_i128(10_i128.pow(u32::from(PRECISION)) - 1);
    (padded.wrapping_abs() <= most)
        .then(|| padded.to_i128())
        .flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What PostgreSQL 15 gives for `left / right`; of the last, with more digits than there is room for.
    #[test]
    fn quotients_are_those_of_postgresql() {
        let cases = [
            ((1, 0), (3, 0), "0.33333333333333333333"),
            ((10, 0), (3, 0), "3.3333333333333333"),
            ((100_000, 0), (3, 0), "33333.333333333333"),
            ((2, 0), (3, 0), "0.66666666666666666667"),
            ((-2, 0), (3, 0), "-0.66666666666666666667"),
            ((7, 0), (2, 0), "3.5000000000000000"),
            ((1050, 2), (4, 0), "2.6250000000000000"),
            ((0, 0), (3, 0), "0.00000000000000000000"),
            ((123_456_789, 2), (7, 0), "176366.841428571429"),
            ((12345, 0), (7, 2), "176357.142857142857"),
            ((999_995, 1), (10_000, 0), "9.9999500000000000"),
            ((500_025, 2), (4999, 0), "1.0002500500100020"),
            ((1, 4), (3, 0), "0.00003333333333333333"),
        ];
        for (left, right, expected) in cases {
            let (_, behind) = expected.split_once('.').unwrap();
            let padded = format!("{expected}{}", "0".repeat(20 - behind.len()));
            let digits: i128 = padded.replace('.', "").parse().unwrap();
            assert_eq!(
                divided(left, right, Digits::Sixteen),
                Some(digits),
                "{left:?} / {right:?}"
            );
        }
    }
}
