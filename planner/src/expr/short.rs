//! A value in one line, for people.

use super::Prop;
use crate::syntax::TYPED;

impl Prop {
    /// Returns the value in one line, cut where it is long.
    pub fn in_short(&self) -> String {
        let text = match self {
            Prop::Literal(serde_json::Value::String(text)) => text.clone(),
            Prop::Literal(serde_json::Value::Object(typed)) if typed.contains_key(TYPED) => {
                match typed.get("value") {
                    Some(serde_json::Value::String(text)) => text.clone(),
                    other => other.map_or_else(String::new, ToString::to_string),
                }
            }
            Prop::Literal(json) => json.to_string(),
            Prop::Jinja {
                code, python: true, ..
            } => format!("python: {}", code.text.trim()),
            Prop::Jinja { code, .. } => code.text.to_string(),
            Prop::Python {
                code,
                lowered: Some(_),
                ..
            } => format!("native: {}", code.text.trim()),
            Prop::Python { code, .. } => format!("python: {}", code.text.trim()),
            Prop::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(k, v)| format!("{k}: {}", v.in_short()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Prop::List(items) => {
                let items: Vec<String> = items.iter().map(Prop::in_short).collect();
                format!("[{}]", items.join(", "))
            }
        };
        let line: Vec<&str> = text.split_whitespace().collect();
        let line = line.join(" ");
        match line.char_indices().nth(100) {
            Some((cut, _)) => format!("{}...", &line[..cut]),
            None => line,
        }
    }
}
