//! `set_variable`, and variables to be set wherever they are.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::common::{COMMON, FlowAction};
use super::plain::{Plain, PlainOperation};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::effects::{Effects, FlowScope, Resource};
use crate::expr::{self, Prop};
use crate::span::Place;
use crate::syntax::{EXPRESSION, Form, Key, Keys, Node, Shape, Value, both_forms};

/// How long a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableScope {
    /// One run of one flow; inside an http_request, that step.
    Local,
    /// Kept between runs.
    Project,
}

/// One variable to be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariableSet {
    pub name: String,
    pub value: Prop,
    pub scope: VariableScope,
    /// Whether the value is a map of variables, whose names only the run knows: `variables_expression`. Then `name` says
    /// below which of its keys they are; below none when it is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub many: bool,
}

impl VariableSet {
    /// Returns where the variable goes.
    pub fn target(&self, scope: &FlowScope<'_>) -> Resource {
        if self.many {
            return Resource::AnyVariable;
        }
        match self.scope {
            VariableScope::Local => Resource::Local {
                frame: scope.frame,
                name: self.name.clone(),
            },
            VariableScope::Project => Resource::Variable(self.name.clone()),
        }
    }

    /// Variables that Python gives, a map of them or a map with such a map below `key`.
    pub fn many(value: Prop, key: &str, scope: VariableScope) -> VariableSet {
        VariableSet {
            name: key.to_string(),
            value,
            scope,
            many: true,
        }
    }
}

/// `set_variable`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetVariable {
    pub set: Vec<VariableSet>,
}

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "a set_variable",
        doc: "Sets variables.",
        with: &[&COMMON],
        keys: &[Key::new("set", Form::Variables, "Names and values.")
            .required()
            .or_python()],
    },
    read: |keys, d| {
        let set = variables_of(keys, "set", VariableScope::Project, d);
        Some(FlowAction::plain(Plain::SetVariable(SetVariable { set })))
    },
};

impl PlainOperation for SetVariable {
    fn sets(&self) -> &[VariableSet] {
        &self.set
    }

    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)> {
        for variable in &self.set {
            effects.read_uses(&variable.value.uses(), scope);
            effects.writes.insert(variable.target(scope));
        }
        Vec::new()
    }

    fn summary(&self) -> String {
        let set = self.set.iter();
        let set: Vec<String> = set
            .map(|v| format!("{} = {}", v.name, v.value.in_short()))
            .collect();
        set.join(", ")
    }
}

/// The long form of a variable.
pub static VARIABLE: Shape = Shape {
    what: "a variable",
    doc: "A variable with its scope.",
    with: &[],
    keys: &[
        Key::new("value", Form::Value, "The value.").required(),
        Key::new(
            "scope",
            Form::Choice(&["local", "project"]),
            "`local`: one run of one flow; `project`: kept between runs.",
        )
        .deferred(),
        Key::new("type", Form::Label, "What 1.x let stand here; it means nothing."),
    ],
};

/// Returns the variables of a key, or of its Python.
pub fn variables_of(
    keys: &Keys<'_>,
    name: &str,
    default: VariableScope,
    d: &mut Diagnostics,
) -> Vec<VariableSet> {
    match keys.node(name) {
        Some(node) => read_variables(node, default, d),
        None => keys
            .prop(name, d)
            .filter(|prop| matches!(prop, Prop::Python { .. }))
            .map(|prop| VariableSet::many(prop, "", default))
            .into_iter()
            .collect(),
    }
}

/// Reads variables to set: `name: value`, `name_expression: code` or `name: {value: V, scope: S}`.
pub fn read_variables(node: &Node, default: VariableScope, d: &mut Diagnostics) -> Vec<VariableSet> {
    let Value::Map(entries) = &node.value else {
        if !node.is_null() {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("variables must be a map of names to values, not {}", node.kind()),
            );
        }
        return Vec::new();
    };
    let mut variables = Vec::with_capacity(entries.len());
    for (key, place, node) in entries {
        let (name, value, scope) = match key.strip_suffix(EXPRESSION) {
            Some(name) => {
                let beside = entries.iter().find(|(k, ..)| k == name);
                match (node.is_null(), beside) {
                    (true, Some(_)) => continue,
                    (false, Some((.., plain))) if !plain.is_falsy() => {
                        both_forms(name, place, d);
                        continue;
                    }
                    (true, None) => (name, Some(Prop::Literal(serde_json::Value::Null)), default),
                    _ => (name, expr::python(key, node, d), default),
                }
            }
            None if node.is_falsy() && python_beside(entries, key) => continue,
            None => match is_long(node) {
                true => {
                    let (value, scope) = read_long(node, default, d);
                    (key.as_str(), value, scope)
                }
                false => (key.as_str(), expr::literal(key, node, d), default),
            },
        };
        variables.extend(value.map(|value| VariableSet {
            name: name.to_string(),
            value,
            scope,
            many: false,
        }));
    }
    variables
}

/// Whether the same variable is given as Python, too.
fn python_beside(entries: &[(String, crate::span::Place, Node)], key: &str) -> bool {
    let python = format!("{key}{EXPRESSION}");
    entries.iter().any(|(k, _, n)| *k == python && !n.is_null())
}

/// Whether a map is the long form of a variable and not a value: `scope` with a word of the language, or `value` and
/// nothing but `scope` beside it.
fn is_long(node: &Node) -> bool {
    let Value::Map(entries) = &node.value else {
        return false;
    };
    let value = |k: &str| matches!(k, "value" | "value_expression");
    let only = entries
        .iter()
        .all(|(k, ..)| value(k) || matches!(k.as_str(), "scope" | "scope_expression" | "type"));
    let scoped = |(k, _, v): &(String, _, Node)| {
        k == "scope" && matches!(v.as_text().map(|t| &**t), Some("local" | "project"))
    };
    !entries.is_empty() && only && entries.iter().any(|e| value(&e.0) || scoped(e))
}

fn read_long(node: &Node, default: VariableScope, d: &mut Diagnostics) -> (Option<Prop>, VariableScope) {
    let Some(keys) = Keys::new(node, &VARIABLE, d) else {
        return (None, default);
    };
    let value = keys.prop("value", d);
    let scope = match keys.choice("scope", d) {
        Some("local") => VariableScope::Local,
        Some("project") => VariableScope::Project,
        _ => default,
    };
    (value, scope)
}
