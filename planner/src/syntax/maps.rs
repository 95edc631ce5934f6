//! What reading maps has in common: which shape a map has, and values as people write them.

use super::shape::EXPRESSION;
use super::tree::{Node, Value};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean, nearest};
use crate::span::Place;

/// Seconds of a time as people write it.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "ms" => 0.001,
        "" | "s" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    match number {
        "" if text.is_empty() => None,
        "" => Some(unit),
        number => Some(number.parse::<f64>().ok()? * unit),
    }
}

/// Bytes of a size as people write it; `MB` and `MiB` are the same, 1024 x 1024.
pub fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Returns the entries of a map.
pub fn map<'a>(node: &'a Node, what: &str, d: &mut Diagnostics) -> Option<&'a [(String, Place, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => {
            let message = format!("{what} must be a map of keys, not {}", node.kind());
            d.error(Code::WrongType, node.place.clone(), message);
            None
        }
    }
}

/// Returns which of several shapes a map has, by its key `tag`: the one that `shapes` lists under its value.
pub fn tagged<T: Copy>(
    node: &Node,
    what: &str,
    tag: &'static str,
    shapes: &[(&'static str, T)],
    code: Code,
    d: &mut Diagnostics,
) -> Option<(&'static str, T, Place)> {
    let entries = map(node, what, d)?;
    let value = entries.iter().find(|(key, ..)| key == tag);
    let Some((_, _, value)) = value.filter(|(.., node)| !node.is_null()) else {
        let near = nearest(tag, entries.iter().map(|(k, ..)| k.as_str()));
        d.error(
            Code::MissingKey,
            node.place.clone(),
            format!("{what} needs `{tag}`"),
        )
        .maybe_help(near.map(|near| format!("`{near}` is there: did you mean `{tag}`?")));
        return None;
    };
    let Some(name) = value.as_text() else {
        let message = format!("`{tag}` of {what} must be a string, not {}", value.kind());
        d.error(Code::WrongType, value.place.clone(), message);
        return None;
    };
    let found = shapes.iter().find(|(known, _)| **known == **name);
    let Some((name, shape)) = found else {
        let names = shapes.iter().map(|(name, _)| *name);
        let (message, list) = match tag {
            "op" => (format!("unknown operation `{name}`"), "operations"),
            _ => (
                format!("`{name}` is not a type of {}", what.trim_start_matches("a ")),
                "types",
            ),
        };
        d.error(code, value.place.clone(), message)
            .maybe_help(did_you_mean(name, list, names));
        return None;
    };
    Some((name, *shape, value.place.clone()))
}

/// Reports `p` together with `p_expression`.
pub fn both_forms(key: &str, place: &Place, d: &mut Diagnostics) {
    d.error(
        Code::BothForms,
        place.clone(),
        format!("both `{key}` and `{key}{EXPRESSION}` are given"),
    )
    .help("keep one: the plain key for a literal or Jinja, `_expression` for Python");
}
