//! Whether a value is the one that a test expects: numbers by their amount, times by their moment, lists and maps by what they hold.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sequor_planner::syntax::TYPED;
use serde_json::Value as Json;

use crate::value::{Value, same_number};

/// Tells whether a value is the one that is expected.
pub fn same(expected: &Json, actual: &Value) -> bool {
    match actual {
        Value::Null => expected.is_null(),
        Value::Bool(is) => expected.as_bool() == Some(*is),
        Value::Int(_) | Value::Float(_) | Value::BigInt(_) | Value::Number(_) => {
            digits(expected).is_some_and(|text| same_number(&text, &actual.to_text()))
        }
        Value::Text(text) => same_text(expected, text),
        Value::Date(_) | Value::Time(_) | Value::Timestamp(_) | Value::Instant(_) | Value::Stamp(..) => {
            text(expected).is_some_and(|expected| same_time(&expected, &actual.to_text()))
        }
        Value::Bytes(_) | Value::Duration(_) | Value::Uuid(_) => {
            text(expected).is_some_and(|text| *text == actual.to_text())
        }
        Value::List(items) => match expected {
            Json::Array(expected) => {
                expected.len() == items.len()
                    && expected
                        .iter()
                        .zip(items.iter())
                        .all(|(expected, item)| same(expected, item))
            }
            _ => false,
        },
        Value::Map(_) | Value::Pairs(_) | Value::Row(_) | Value::Object(_) => same_entries(expected, actual),
    }
}

fn same_entries(expected: &Json, actual: &Value) -> bool {
    if let Value::Object(object) = actual
        && let Ok(data) = object.data()
    {
        return same(expected, &data);
    }
    let Json::Object(expected) = expected else {
        return false;
    };
    let entries = match actual {
        Value::Row(row) => row
            .iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
        other => other
            .entries()
            .map(|entries| entries.as_ref().clone())
            .unwrap_or_default(),
    };
    expected.len() == entries.len()
        && expected
            .iter()
            .all(|(name, expected)| entries.get(name).is_some_and(|value| same(expected, value)))
}

/// A text, or what is written in one: JSON, and a date that YAML took for one.
fn same_text(expected: &Json, actual: &str) -> bool {
    match expected {
        Json::String(text) => text == actual || same_json(text, actual),
        Json::Object(typed) if typed.contains_key(TYPED) => {
            text(expected).is_some_and(|text| text == actual || same_time(&text, actual))
        }
        Json::Array(_) | Json::Object(_) => {
            let parsed: Result<Json, _> = serde_json::from_str(actual);
            parsed.is_ok_and(|parsed| same(expected, &Value::from(&parsed)))
        }
        _ => false,
    }
}

/// Whether both are JSON of lists or objects, and hold the same.
fn same_json(expected: &str, actual: &str) -> bool {
    if !expected.starts_with(['{', '[']) || !actual.starts_with(['{', '[']) {
        return false;
    }
    let parsed: (Result<Json, _>, Result<Json, _>) =
        (serde_json::from_str(expected), serde_json::from_str(actual));
    matches!(parsed, (Ok(expected), Ok(actual)) if same(&expected, &Value::from(&actual)))
}

/// The text of what is no text in JSON, too.
fn text(expected: &Json) -> Option<String> {
    match expected {
        Json::String(text) => Some(text.clone()),
        Json::Object(typed) if typed.contains_key(TYPED) => {
            typed.get("value").and_then(Json::as_str).map(str::to_string)
        }
        _ => None,
    }
}

/// The digits of a number, which may be written as a text to keep all of them.
fn digits(expected: &Json) -> Option<String> {
    match expected {
        Json::Number(number) => Some(number.to_string()),
        _ => text(expected),
    }
}

/// Whether both are the same time: a date is its midnight, and what says no offset is UTC.
fn same_time(expected: &str, actual: &str) -> bool {
    if expected == actual {
        return true;
    }
    match (time(expected), time(actual)) {
        (Some(expected), Some(actual)) => expected == actual,
        _ => false,
    }
}

/// Reads a date, a timestamp or a time of day; what says no offset is UTC.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replacen(' ', "T", 1);
    if let Ok(moment) = DateTime::parse_from_rfc3339(&text) {
        return Some(moment.to_utc());
    }
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let minutes = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M").ok();
    let day = || {
        NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            .ok()
            .map(|day| day.and_time(NaiveTime::MIN))
    };
    let clock = || {
        NaiveTime::parse_from_str(&text, "%H:%M:%S%.f")
            .ok()
            .map(|clock| NaiveDate::MIN.and_time(clock))
    };
    local
        .or_else(minutes)
        .or_else(day)
        .or_else(clock)
        .map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_by_what_they_are() {
        let yes = [
            (json!(1), Value::Number("1.00".into())),
            (json!(12.5), Value::Number("12.50".into())),
            (
                json!("12345678901234567.891"),
                Value::Number("12345678901234567.8910".into()),
            ),
            (json!(1e3), Value::Int(1000)),
            (json!(-0.0), Value::Int(0)),
            (
                json!("2024-05-01"),
                Value::Date(NaiveDate::from_ymd_opt(2024, 5, 1).unwrap_or_default()),
            ),
            (json!({"a": [1, null]}), Value::text("{\"a\": [1.0, null]}")),
            (json!(null), Value::Null),
        ];
        for (expected, actual) in yes {
            assert!(same(&expected, &actual), "{expected} {actual:?}");
        }
        let no = [
            (json!("1"), Value::text("1.0")),
            (json!(1), Value::text("1")),
            (json!(null), Value::text("")),
            (json!("None"), Value::Null),
            (json!(true), Value::text("true")),
            (json!(1), Value::Bool(true)),
            (json!({"a": 1}), Value::text("{\"a\": 1, \"b\": 2}")),
            (
                json!("12345678901234567.891"),
                Value::Number("12345678901234567.892".into()),
            ),
        ];
        for (expected, actual) in no {
            assert!(!same(&expected, &actual), "{expected} {actual:?}");
        }
    }
}
