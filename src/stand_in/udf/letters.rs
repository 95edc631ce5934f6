//! Letters made large or small, one by one, as databases do it: DataFusion follows Unicode's rules for whole texts, which make two
//! letters of one (`ß` is `SS`).

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;
use sequor_planner::Dialect;

use super::computed::{computed, gives};

/// `upper(text)`, in place of DataFusion's.
pub fn upper(dialect: Dialect) -> ScalarUDF {
    each_letter("upper", move |letter| match dialect {
        Dialect::Sqlite => letter.to_ascii_uppercase(),
        Dialect::DuckDb if letter == 'ß' => 'ẞ',
        _ => only(letter, letter.to_uppercase()),
    })
}

/// `lower(text)`, in place of DataFusion's.
pub fn lower(dialect: Dialect) -> ScalarUDF {
    each_letter("lower", move |letter| match dialect {
        Dialect::Sqlite => letter.to_ascii_lowercase(),
        _ => only(letter, letter.to_lowercase()),
    })
}

/// The letter that stands for one; the letter itself where several do.
fn only(letter: char, mut others: impl Iterator<Item = char>) -> char {
    match (others.next(), others.next()) {
        (Some(other), None) => other,
        _ => letter,
    }
}

fn each_letter(name: &'static str, change: impl Fn(char) -> char + Send + Sync + 'static) -> ScalarUDF {
    let returns = |_: &[FieldRef]| Ok(gives(DataType::Utf8));
    computed(name, Some(1), returns, move |columns, _| {
        let [column] = columns else {
            return exec_err!("one text has its letters changed");
        };
        let texts = cast(column, &DataType::Utf8)?;
        let changed = texts
            .as_string::<i32>()
            .iter()
            .map(|text| text.map(|text| text.chars().map(&change).collect::<String>()));
        Ok(Arc::new(changed.collect::<StringArray>()))
    })
}
