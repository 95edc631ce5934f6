//! What a token endpoint answers: as RFC 6749 has it, and as servers do.

use std::time::Duration;

use sequor_planner::expr::PathStep;
use sequor_planner::ops::DataPath;

use crate::exchange::Response;
use crate::secret::Secret;
use crate::value::Value;
use crate::value::json::{value_at, value_of};

/// What a token endpoint answers.
pub enum Answer {
    Token {
        access: Secret,
        refresh: Option<Secret>,
        lives: Option<Duration>,
    },
    /// The error in words: also in a 200.
    Error(String),
    /// Something else.
    Other,
}

impl Answer {
    /// Reads an answer: JSON, or a form as some servers write it. `path`: where the token is; none: `access_token`.
    pub fn of(response: &Response, path: Option<&DataPath>) -> Answer {
        let body = &response.body;
        let form = || {
            let pairs = url::form_urlencoded::parse(body.trim_ascii());
            Value::map(pairs.map(|(name, value)| (name.into_owned(), Value::text(value))))
        };
        let all = match value_at(body, &[]) {
            Some(all @ Value::Map(_)) => all,
            None if body.contains(&b'=') && !body.contains(&b'<') => form(),
            _ => return Answer::Other,
        };
        let Value::Map(top) = &all else {
            return Answer::Other;
        };
        let token = match path {
            Some(path) => value_of(body, path),
            None => top.get("access_token").cloned(),
        };
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        if let Some(access) = text(token.as_ref()) {
            // What else belongs to it stands beside it.
            let beside = path.and_then(|path| around(body, path));
            let beside = match &beside {
                Some(Value::Map(entries)) => entries,
                _ => top,
            };
            return Answer::Token {
                access: Secret::new(access),
                refresh: text(beside.get("refresh_token")).map(Secret::new),
                lives: beside.get("expires_in").and_then(lives),
            };
        }
        match text(top.get("error")) {
            Some(error) => Answer::Error(match text(top.get("error_description")) {
                Some(description) => format!("{error}: {description}"),
                None => error,
            }),
            None => Answer::Other,
        }
    }
}

/// The object that a path leads into last.
fn around(body: &[u8], path: &DataPath) -> Option<Value> {
    let DataPath::Steps(steps) = path else { return None };
    let (_, above): (&PathStep, &[PathStep]) = steps.split_last()?;
    value_at(body, above)
}

/// Seconds, as a number or as text.
pub fn lives(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        Value::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}
