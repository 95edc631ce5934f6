//! `set_variable` and `print`.

use serde::Serialize;

use super::common::FlowAction;
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::expr::{self, Prop};
use crate::syntax::{Keys, Node, Value, both_forms};

/// How long a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableScope {
    /// One run of one flow; inside an http_request, that step.
    Local,
    /// Kept between runs.
    Project,
}

/// One variable to be set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariableSet {
    pub name: String,
    pub value: Prop,
    pub scope: VariableScope,
}

/// `set_variable`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetVariable {
    pub set: Vec<VariableSet>,
}

/// `print`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Print {
    pub message: Prop,
}

pub(super) fn read_print(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let message = keys.required_prop("message", d)?;
    Some(FlowAction::Print(Print { message }))
}

pub(super) fn read_set_variable(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let Some(node) = keys.node("set") else {
        d.error(
            Code::MissingKey,
            keys.place().clone(),
            "a set_variable needs `set`",
        )
        .help("for example `set: {next_page: 1}`");
        return None;
    };
    let set = read_variables(node, VariableScope::Project, d);
    Some(FlowAction::SetVariable(SetVariable { set }))
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
        let (name, value, scope) = match key.strip_suffix("_expression") {
            Some(name) => {
                if entries.iter().any(|(k, ..)| k == name) {
                    both_forms(name, place, d);
                    continue;
                }
                (name, expr::python(key, node, d), default)
            }
            None => match scoped(node) {
                true => {
                    let (value, scope) = read_scoped(node, default, d);
                    (key.as_str(), value, scope)
                }
                false => (key.as_str(), expr::literal(key, node, d), default),
            },
        };
        variables.extend(value.map(|value| VariableSet {
            name: name.to_string(),
            value,
            scope,
        }));
    }
    variables
}

/// Whether a map is the long form of a variable and not a value: it has `value` and nothing but `scope` beside it.
fn scoped(node: &Node) -> bool {
    let Value::Map(entries) = &node.value else {
        return false;
    };
    let value = |k: &str| matches!(k, "value" | "value_expression");
    entries.iter().any(|(k, ..)| value(k)) && entries.iter().all(|(k, ..)| value(k) || k == "scope")
}

fn read_scoped(node: &Node, default: VariableScope, d: &mut Diagnostics) -> (Option<Prop>, VariableScope) {
    let Some(mut keys) = Keys::new(node, "a variable", d) else {
        return (None, default);
    };
    let value = keys.prop("value", d);
    let scope = match keys.name("scope", d) {
        None => default,
        Some((scope, place)) => match scope.as_str() {
            "local" => VariableScope::Local,
            "project" => VariableScope::Project,
            _ => {
                d.error(Code::BadValue, place, format!("`{scope}` is not a scope"))
                    .maybe_help(did_you_mean(&scope, "scopes", ["local", "project"]));
                default
            }
        },
    };
    keys.finish(d);
    (value, scope)
}
