//! What every step has, whatever its operation.

use super::control::{Branch, ForEach, RunFlow};
use super::http_request::HttpRequest;
use super::messages::{Print, SetVariable};
use super::sql::{Execute, Transform};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;
use crate::syntax::{Keys, Value};

/// A step as its flow's file says it.
#[derive(Debug, Clone)]
pub struct FlowStep {
    pub op: &'static str,
    pub id: Option<(String, Place)>,
    pub title: Option<String>,
    pub depends_on: Vec<(String, Place)>,
    pub enabled: bool,
    /// Where `op` stands.
    pub place: Place,
    pub action: FlowAction,
}

/// The operation of a step, with its keys read.
#[derive(Debug, Clone)]
pub enum FlowAction {
    HttpRequest(Box<HttpRequest>),
    Transform(Box<Transform>),
    Execute(Execute),
    SetVariable(SetVariable),
    Print(Print),
    If {
        branches: Vec<Branch>,
        otherwise: Vec<FlowStep>,
    },
    ForEach(Box<ForEach>),
    Block(Vec<FlowStep>),
    RunFlow(RunFlow),
}

/// The common keys, before the action is known.
pub(super) struct Common {
    op: &'static str,
    id: Option<(String, Place)>,
    title: Option<String>,
    depends_on: Vec<(String, Place)>,
    enabled: bool,
    place: Place,
}

impl Common {
    pub(super) fn with(self, action: FlowAction) -> FlowStep {
        FlowStep {
            op: self.op,
            id: self.id,
            title: self.title,
            depends_on: self.depends_on,
            enabled: self.enabled,
            place: self.place,
            action,
        }
    }
}

/// Reads `id`, `title`, `depends_on` and `enabled`.
pub(super) fn read(op: &'static str, place: Place, keys: &mut Keys<'_>, d: &mut Diagnostics) -> Common {
    let id = keys.name("id", d).filter(|(id, place)| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let good = !id.is_empty() && id.chars().all(plain);
        if !good {
            d.error(
                Code::BadValue,
                place.clone(),
                format!("`{id}` can't be a step's id"),
            )
            .help("use letters, digits, `_`, `-` and `.`");
        }
        good
    });
    let title = keys.name("title", d).map(|(title, _)| title);
    let mut depends_on = Vec::new();
    if let Some(node) = keys.node("depends_on") {
        let one = std::slice::from_ref(node);
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => one,
        };
        for item in items {
            match item.as_text() {
                Some(id) => depends_on.push((id.to_string(), item.place.clone())),
                None => {
                    d.error(
                        Code::WrongType,
                        item.place.clone(),
                        format!("`depends_on` must list ids of steps, not {}", item.kind()),
                    );
                }
            }
        }
    }
    let enabled = keys.flag("enabled", d).unwrap_or(true);
    Common {
        op,
        id,
        title,
        depends_on,
        enabled,
        place,
    }
}
