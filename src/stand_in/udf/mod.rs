//! Functions that a stand-in has besides DataFusion's: what other databases do otherwise.

mod computed;
mod division;
mod json;
mod letters;
mod moments;
mod rounding;
mod texts;

use datafusion::logical_expr::ScalarUDF;
use sequor_planner::Dialect;

/// A quotient.
pub const DIVIDED: &str = "divided_by";
/// The text of a value, as a cast gives it.
pub const TEXT: &str = "as_text";
/// The text of a value in `||`.
pub const JOINED: &str = "as_part_of_text";
/// The text of a value in `concat`.
pub const OUTPUT: &str = "as_output";
/// A number without a fraction.
pub const WHOLE: &str = "as_whole";
/// A number, 1 for what is true.
pub const NUMBER: &str = "as_number";
/// A number as a decimal of any precision.
pub const EXACT: &str = "as_exact";
/// A date as the timestamp it begins with.
pub const MOMENT: &str = "as_moment";
/// A timestamp as a date, where another value is one.
pub const DATE_OF: &str = "as_date_of";
/// A date or timestamp as a moment of UTC.
pub const ZONED: &str = "as_moment_of_utc";
/// A moment as a clock in a zone shows it, or the moment that it showed something.
pub const AT_ZONE: &str = "at_zone";
/// A part of a text that may be counted from its end.
pub const PART: &str = "part_of_text";
/// A text that is JSON.
pub const JSON: &str = "as_json";
/// A text that is JSON, kept as it is written.
pub const JSON_TEXT: &str = "as_json_text";
/// JSON of any value.
pub const TO_JSON: &str = "to_json";
/// JSON of names and values.
pub const OBJECT: &str = "json_object_of";
/// JSON of values.
pub const ARRAY: &str = "json_array_of";
/// How many letters a text has, or items a list.
pub const LENGTH: &str = "length_of";
/// Whether a value counts as true.
pub const TRUTH: &str = "as_truth";

/// The names of all functions.
pub const NAMES: &[&str] = &[
    DIVIDED, TEXT, JOINED, OUTPUT, WHOLE, NUMBER, EXACT, MOMENT, DATE_OF, ZONED, AT_ZONE, PART, JSON,
    JSON_TEXT, TO_JSON, OBJECT, ARRAY, LENGTH, TRUTH,
];

/// Returns the functions, as a database means them.
pub fn functions(dialect: Dialect) -> Vec<ScalarUDF> {
    vec![
        division::function(dialect),
        texts::as_text(TEXT, dialect),
        texts::as_text(JOINED, dialect),
        texts::as_text(OUTPUT, dialect),
        texts::part(dialect),
        texts::length(),
        letters::upper(dialect),
        letters::lower(dialect),
        rounding::whole(dialect),
        rounding::number(),
        rounding::exact(),
        rounding::truth(),
        moments::moment(),
        moments::zoned(),
        moments::date_of(),
        moments::at_zone(),
        json::as_json(JSON, dialect == Dialect::Postgres),
        json::as_json(JSON_TEXT, false),
        json::to_json(),
        json::object(),
        json::array(),
    ]
}
