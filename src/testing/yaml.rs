//! Values as a test's file writes them, on one line.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Number, Value as Json};
use serde_saphyr::{FlowMap, FlowSeq};

use crate::value::Value;

/// Returns a value as JSON has it: numbers that a float can't keep, and all that JSON lacks, as texts.
pub fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(is) => Json::Bool(*is),
        Value::Int(n) => Json::from(*n),
        Value::Float(n) => Number::from_f64(*n).map_or_else(|| Json::from(value.to_text()), Json::Number),
        Value::BigInt(text) | Value::Number(text) => number(text),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Row(row) => Json::Object(
            row.iter()
                .map(|(name, value)| (name.to_string(), json(&value)))
                .collect(),
        ),
        Value::Object(object) => object
            .data()
            .map_or_else(|_| Json::from(value.to_text()), |data| json(&data)),
        other => match other.entries() {
            Some(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), json(value)))
                    .collect(),
            ),
            None => Json::from(other.to_text()),
        },
    }
}

fn number(text: &str) -> Json {
    if let Ok(whole) = text.parse::<i64>() {
        return Json::from(whole);
    }
    // Fifteen digits are what a float keeps.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let float = text.parse::<f64>().ok().filter(|_| digits <= 15);
    let trimmed = |n: f64| match n.fract() == 0.0 && n.abs() < 1e15 {
        // Checked: it is whole and small.
        #[allow(clippy::cast_possible_truncation)]
        true => Some(Json::from(n as i64)),
        false => Number::from_f64(n).map(Json::Number),
    };
    float.and_then(trimmed).unwrap_or_else(|| Json::from(text))
}

/// Returns a value on one line.
pub fn line(value: &Json) -> String {
    match value {
        Json::Object(entries) => written(&FlowMap(entries)),
        Json::Array(items) => written(&FlowSeq(items)),
        other => written(other),
    }
}

/// Returns entries on one line: `{id: 1, name: Ann}`.
pub fn entries<'v>(each: impl IntoIterator<Item = (&'v str, Json)>) -> String {
    written(&FlowMap(each.into_iter().collect::<IndexMap<_, _>>()))
}

fn written(value: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(value).unwrap_or_default();
    text.trim_end_matches('\n').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_back_as_they_were() {
        let value = json!({"id": 1, "name": "Ann: \"A\" # 1", "no": "no", "n": "12", "day": "2024-01-01", "tags": ["a", {"b": null}], "text": "a\nb", "empty": "", "price": 1.5});
        let text = line(&value);
        assert!(!text.contains('\n'), "{text}");
        let read: Json = serde_saphyr::from_str(&text).unwrap_or_default();
        assert_eq!(read, value, "{text}");
        assert_eq!(json(&Value::Number("12.50".into())), json!(12.5));
        assert_eq!(
            json(&Value::Number("1234567890123456.78".into())),
            json!("1234567890123456.78")
        );
    }
}
