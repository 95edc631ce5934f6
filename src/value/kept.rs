//! Variables kept between runs, as YAML: what JSON holds, and dates, times and integers of any size.

use std::fmt::Write;
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::Diagnostics;
use sequor_planner::syntax::{self, Node};

use crate::value::{Value, float_text};

/// Returns the variables of a file.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(path: &str, text: &str) -> Result<IndexMap<String, Value>, String> {
    let mut d = Diagnostics::default();
    let node = syntax::parse(&Arc::from(path), text, &mut d);
    let Some(node) = node else {
        let found = d.into_sorted();
        return Err(found.first().map_or_else(String::new, |f| f.message.clone()));
    };
    match &node.value {
        syntax::Value::Map(entries) => {
            let value = |node: &Node| Value::from(&node.to_json());
            Ok(entries
                .iter()
                .map(|(name, _, node)| (name.clone(), value(node)))
                .collect())
        }
        _ if node.is_null() => Ok(IndexMap::new()),
        _ => Err(format!(
            "it must be a map of names to values, and is {}",
            node.kind()
        )),
    }
}

/// Returns the variables as a file.
///
/// # Errors
/// A value that can't be kept: its variable, and why.
pub fn write(variables: &IndexMap<String, Value>) -> Result<String, (String, String)> {
    let mut out = String::new();
    for (name, value) in variables {
        text(name, &mut out);
        out.push_str(": ");
        self::value(value, &mut out).map_err(|why| (name.clone(), why))?;
        out.push('\n');
    }
    Ok(out)
}

/// A value in YAML's flow style.
fn value(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(n) if n.is_nan() => out.push_str(".nan"),
        Value::Float(n) if n.is_infinite() => out.push_str(if *n > 0.0 { ".inf" } else { "-.inf" }),
        Value::Float(n) => out.push_str(&float_text(*n)),
        // A decimal, as a number where one is: whoever reads it gets a float.
        Value::Number(digits) if digits.parse::<f64>().is_ok_and(f64::is_finite) => out.push_str(digits),
        Value::Number(digits) => text(digits, out),
        Value::Text(plain) => text(plain, out),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            let _ = write!(
                out,
                "!!binary {}",
                base64::engine::general_purpose::STANDARD.encode(bytes)
            );
        }
        Value::Date(date) => {
            let _ = write!(out, "{date}");
        }
        Value::Timestamp(t) => {
            let _ = write!(out, "{}", t.format("%Y-%m-%d %H:%M:%S%.f"));
        }
        Value::Stamp(t, zone) => {
            let _ = write!(out, "{}", t.format("%Y-%m-%dT%H:%M:%S%.f"));
            let _ = zone.map_or(Ok(()), |zone| write!(out, "{zone}"));
        }
        Value::Instant(t) => {
            let _ = write!(out, "{}", t.format("%Y-%m-%d %H:%M:%S%.f%:z"));
        }
        Value::Duration(_) | Value::Uuid(_) => text(&value.to_text(), out),
        Value::Time(time) => text(&time.to_string(), out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                self::value(item, out)?;
            }
            out.push(']');
        }
        Value::Map(entries) => map(entries.iter().map(|(k, v)| (k.as_str(), v.clone())), out)?,
        Value::Pairs(pairs) => {
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                match key {
                    Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) | Value::Object(_) => {
                        return Err(format!("a map has a key that can't be kept: {}", key.repr()));
                    }
                    key => self::value(key, out)?,
                }
                out.push_str(": ");
                self::value(value, out)?;
            }
            out.push('}');
        }
        Value::Row(row) => map(row.iter(), out)?,
        Value::Object(object) => self::value(&object.data()?, out)?,
    }
    Ok(())
}

fn map<'a>(entries: impl Iterator<Item = (&'a str, Value)>, out: &mut String) -> Result<(), String> {
    out.push('{');
    for (at, (name, value)) in entries.enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        text(name, out);
        out.push_str(": ");
        self::value(&value, out)?;
    }
    out.push('}');
    Ok(())
}

/// Text in double quotes, as JSON and YAML both read it; a plain name as it is.
fn text(plain: &str, out: &mut String) {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word = plain.starts_with(|c: char| c.is_ascii_alphabetic()) && plain.chars().all(name);
    // Words that YAML 1.1 or 1.2 reads as something else.
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    match word && !meant.contains(&plain.to_ascii_lowercase().as_str()) {
        true => out.push_str(plain),
        false => out.push_str(&serde_json::Value::from(plain).to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let values = [
            ("a", Value::Int(5)),
            ("big", Value::BigInt("12345678901234567890123".into())),
            ("date", Value::Date("2024-01-31".parse().unwrap())),
            ("when", Value::Timestamp("2024-01-31T03:04:05.5".parse().unwrap())),
            ("odd name: x", Value::text("line\nbreak \"quoted\" \u{7f} é")),
            ("yes", Value::text("no")),
            ("f", Value::Float(1e300)),
            ("inf", Value::Float(f64::INFINITY)),
            ("bytes", Value::Bytes(b"hi".as_slice().into())),
            (
                "list",
                Value::list(vec![Value::Null, Value::Bool(true), Value::text("2024-01-31")]),
            ),
        ];
        let kept: IndexMap<String, Value> = values.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        let text = write(&kept).unwrap();
        let back = read("variables.yaml", &text).unwrap();
        let shown =
            |v: &IndexMap<String, Value>| v.iter().map(|(k, v)| (k.clone(), v.repr())).collect::<Vec<_>>();
        assert_eq!(shown(&kept), shown(&back), "{text}");
    }
}
