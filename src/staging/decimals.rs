//! Casts of text to decimals: amounts of money mostly come as text, and are cast once per row.
//!
//! Arrow's cast takes a text apart into strings of its own. Here texts that are digits with a point among them, which
//! nearly all are, are read at a tenth of that; of a batch with any other text, Arrow casts all.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringArray};
use arrow::compute::cast_with_options;
use arrow::datatypes::DataType;
use datafusion::common::Result as PlanResult;
use datafusion::common::format::DEFAULT_CAST_OPTIONS;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

/// Returns the optimized plan with its casts of text to decimals by this.
pub fn read_fast(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let read = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Aggregate(_) => casts(node),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(read.data)
}

fn casts(node: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let mapped = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let read = expression.transform_up(|expression| match expression {
            Expr::Cast(Cast { expr, field }) => match field.data_type() {
                DataType::Decimal128(precision, scale)
                    if *scale >= 0 && expr.get_type(&schema)? == DataType::Utf8 =>
                {
                    let read = ScalarUDF::new_from_impl(TextToDecimal::new(*precision, *scale));
                    Ok(Transformed::yes(read.call(vec![*expr])))
                }
                _ => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
            },
            other => Ok(Transformed::no(other)),
        })?;
        Ok(match read.transformed {
            true => read.update_data(|expression| name.restore(expression)),
            false => read,
        })
    })?;
    match mapped.transformed {
        true => mapped.map_data(LogicalPlan::recompute_schema),
        false => Ok(mapped),
    }
}

/// The cast to one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextToDecimal {
    name: String,
    signature: Signature,
    precision: u8,
    scale: i8,
}

impl TextToDecimal {
    fn new(precision: u8, scale: i8) -> Self {
        TextToDecimal {
            name: format!("to_decimal_{precision}_{scale}"),
            signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
            precision,
            scale,
        }
    }

    fn cast(&self, texts: &dyn Array) -> PlanResult<ArrayRef> {
        let to = DataType::Decimal128(self.precision, self.scale);
        if let Some(texts) = texts.as_string_opt::<i32>()
            && let Some(values) = plain(texts, self.precision, self.scale)
        {
            return Ok(Arc::new(values.with_data_type(to)));
        }
        Ok(cast_with_options(texts, &to, &DEFAULT_CAST_OPTIONS)?)
    }
}

impl ScalarUDFImpl for TextToDecimal {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Decimal128(self.precision, self.scale))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        match arguments.args.first() {
            Some(ColumnarValue::Array(texts)) => Ok(ColumnarValue::Array(self.cast(texts)?)),
            Some(ColumnarValue::Scalar(text)) => {
                let value = self.cast(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?))
            }
            None => datafusion::common::internal_err!("a cast is of something"),
        }
    }
}

/// Digits and a point that are read here: their number is below 2^64.
const LENGTH: usize = 19;

/// The values, if all texts are plain.
fn plain(texts: &StringArray, precision: u8, scale: i8) -> Option<Decimal128Array> {
    let scale = usize::try_from(scale).ok()?;
    let limit = 10i128.checked_pow(u32::from(precision))?;
    // What a number is multiplied with, by the digits behind its point.
    let factors: Vec<i128> = (0..=scale)
        .map(|fraction| 10i128.checked_pow((scale - fraction) as u32))
        .collect::<Option<_>>()?;
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        values.push(match text {
            Some(text) => number(text.as_bytes(), &factors).filter(|value| value.abs() < limit)?,
            None => 0,
        });
    }
    Some(Decimal128Array::new(values.into(), texts.nulls().cloned()))
}

fn number(text: &[u8], factors: &[i128]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > LENGTH || !digits.first()?.is_ascii_digit() || !digits.last()?.is_ascii_digit() {
        return None;
    }
    let mut value: u64 = 0;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let fraction = point.map_or(0, |point| digits.len() - point - 1);
    let value = i128::from(value).checked_mul(*factors.get(fraction)?)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, precision: u8, scale: i8) -> Option<i128> {
        plain(&StringArray::from(vec![text]), precision, scale).map(|values| values.value(0))
    }

    #[test]
    fn what_is_plain() {
        assert_eq!(read("19.90", 10, 2), Some(1990));
        assert_eq!(read("-0.5", 38, 10), Some(-5_000_000_000));
        assert_eq!(read("007", 3, 0), Some(7));
        assert_eq!(
            read("9999999999999999999", 38, 10),
            Some(99_999_999_999_999_999_990_000_000_000)
        );
        for other in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            " 1",
            "1e3",
            "1.234",
            "1_000",
            "12345678901",
            "1.2.3",
            "٣",
        ] {
            assert_eq!(read(other, 10, 2), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn plain_texts_are_what_arrow_makes_of_them(
            text in "-?[0-9]{1,19}(\\.[0-9]{1,12})?|[-+. 0-9e]{0,8}", precision in 1u8..=38, scale in 0i8..=12
        ) {
            prop_assume!(i16::from(precision) >= i16::from(scale));
            let texts = StringArray::from(vec![text.as_str()]);
            let to = DataType::Decimal128(precision, scale);
            let arrow = cast_with_options(&texts, &to, &DEFAULT_CAST_OPTIONS);
            if let Some(value) = read(&text, precision, scale) {
                let arrow = arrow.unwrap();
                let arrow = arrow.as_primitive::<arrow::datatypes::Decimal128Type>();
                prop_assert_eq!(arrow.value(0), value);
            }
        }
    }
}
