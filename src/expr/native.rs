//! Runs the native form of Python expressions. Nothing is guessed: where the outcome could differ from Python's, there is
//! none, and Python runs.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::{Lowered, Native, PathStep};

use crate::exchange::Response;
use crate::value::{Value, json};
use crate::world::World;

/// Returns the value of the code; none: Python has to tell.
pub fn evaluate(lowered: &Lowered, world: &Arc<dyn World>, response: Option<&Response>) -> Option<Value> {
    let mut frame = Frame {
        world,
        response,
        named: Vec::new(),
    };
    match lowered {
        Lowered::ResponsePath(path) => frame.response(path),
        Lowered::Expression { named, value } => {
            for native in named {
                let value = frame.value(native)?;
                frame.named.push(value);
            }
            frame.value(value)
        }
    }
}

struct Frame<'a> {
    world: &'a Arc<dyn World>,
    response: Option<&'a Response>,
    named: Vec<Value>,
}

impl Frame<'_> {
    fn value(&self, native: &Native) -> Option<Value> {
        Some(match native {
            Native::Constant(json) => Value::from(json),
            Native::Variable(name) => self.world.variable(name)?,
            Native::Named(at) => self.named.get(*at)?.clone(),
            Native::Response(path) => self.response(path)?,
            Native::Item(value, step) => item(&self.value(value)?, step)?,
            Native::Get(value, key, default) => {
                let found = match self.value(value)? {
                    // A row's missing column is an error; its null is as good as missing.
                    Value::Row(row) => Some(row.get(key)?).filter(|v| !matches!(v, Value::Null)),
                    Value::Map(entries) => entries.get(key).cloned(),
                    _ => return None,
                };
                match (found, default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => self.value(default)?,
                    (None, None) => Value::Null,
                }
            }
            Native::List(items) => Value::list(items.iter().map(|n| self.value(n)).collect::<Option<_>>()?),
            Native::Dictionary(entries) => {
                let mut map = IndexMap::with_capacity(entries.len());
                for (key, native) in entries {
                    map.insert(key.clone(), self.value(native)?);
                }
                Value::Map(Arc::new(map))
            }
            Native::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&printed(&self.value(part)?)?);
                }
                Value::text(text)
            }
            Native::Sum(left, right) => match (self.value(left)?, self.value(right)?) {
                (Value::Text(left), Value::Text(right)) => Value::text(format!("{left}{right}")),
                (Value::Int(left), Value::Int(right)) => Value::Int(left.checked_add(right)?),
                _ => return None,
            },
            Native::Float(value) => Value::Float(match self.value(value)? {
                Value::Int(n) => n as f64,
                Value::Float(n) => n,
                Value::Number(text) => text.parse().ok().filter(|n: &f64| n.is_finite())?,
                _ => return None,
            }),
            Native::Str(value) => Value::text(printed(&self.value(value)?)?),
            Native::IsNone(value, not) => Value::Bool(matches!(self.value(value)?, Value::Null) != *not),
        })
    }

    fn response(&self, path: &[PathStep]) -> Option<Value> {
        json::value_at(&self.response?.body, path)
    }
}

fn item(value: &Value, step: &PathStep) -> Option<Value> {
    match (value, step) {
        (Value::Map(entries), PathStep::Key(key)) => entries.get(key).cloned(),
        (Value::Row(row), PathStep::Key(key)) => row.get(key),
        (Value::List(items), PathStep::Index(index)) => items.get(*index).cloned(),
        _ => None,
    }
}

/// The text that Python's `str` gives.
fn printed(value: &Value) -> Option<String> {
    match value {
        Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) => None,
        value => Some(value.to_text()),
    }
}
