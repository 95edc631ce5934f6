//! Whether a condition is true.

use super::context::StepContext;
use crate::value::Value;

/// Returns the truth of a condition. A value that looks like an answer and is none is worth a warning: 2, a list,
/// `yes`.
pub async fn holds(context: &StepContext, what: &str, value: &Value) -> bool {
    let odd = match value {
        Value::Null | Value::Bool(_) => false,
        Value::Int(n) => *n != 0,
        Value::Float(n) => *n != 0.0,
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(text.as_str(), "" | "true" | "false" | "none")
        }
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Pairs(pairs) => !pairs.is_empty(),
        Value::Object(_) => false,
        _ => true,
    };
    if odd {
        let text = value.to_text();
        let shown: String = text.chars().take(40).collect();
        let message = format!("{what} is `{shown}`, which counts as false: only `true` is true");
        context.warn(message).await;
    }
    value.is_true()
}
