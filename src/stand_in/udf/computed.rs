//! A function of a type for its arguments' types, and of columns.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

type Returns = dyn Fn(&[FieldRef]) -> Result<Field> + Send + Sync;
type Compute = dyn Fn(&[ArrayRef], &[FieldRef]) -> Result<ArrayRef> + Send + Sync;

/// A function that is computed column by column. Its name tells it from others of its database.
struct Computed {
    name: &'static str,
    signature: Signature,
    returns: Box<Returns>,
    compute: Box<Compute>,
}

/// Creates a function of so many arguments; none: any number.
pub fn computed(
    name: &'static str,
    arguments: Option<usize>,
    returns: impl Fn(&[FieldRef]) -> Result<Field> + Send + Sync + 'static,
    compute: impl Fn(&[ArrayRef], &[FieldRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let volatility = Volatility::Immutable;
    ScalarUDF::from(Computed {
        name,
        signature: match arguments {
            Some(count) => Signature::any(count, volatility),
            None => Signature::variadic_any(volatility),
        },
        returns: Box::new(returns),
        compute: Box::new(compute),
    })
}

/// A column that a function gives.
pub fn gives(data_type: DataType) -> Field {
    Field::new("", data_type, true)
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Computed {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Computed {}

impl Hash for Computed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Computed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        exec_err!("the type of `{}` depends on more than types", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        (self.returns)(args.arg_fields).map(|field| Arc::new(field.with_name(self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let made = (self.compute)(&arrays, &args.arg_fields)?;
        match is_constant {
            true => ScalarValue::try_from_array(&made, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(made)),
        }
    }
}
