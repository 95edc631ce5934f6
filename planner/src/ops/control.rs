//! `if`, `for_each`, `block` and `run_flow`.

use super::common::{FlowAction, FlowStep};
use super::read_steps;
use super::table::{RowsOf, read_rows};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Keys, Node, Value};

/// One condition of an `if` and what follows from it.
#[derive(Debug, Clone)]
pub struct Branch {
    pub condition: Prop,
    pub then: Vec<FlowStep>,
}

/// `for_each`.
#[derive(Debug, Clone)]
pub struct ForEach {
    pub rows: RowsOf,
    pub steps: Vec<FlowStep>,
}

/// `run_flow`.
#[derive(Debug, Clone)]
pub struct RunFlow {
    pub flow: String,
    pub flow_place: Place,
    pub parameters: Option<Prop>,
}

/// A required list of steps.
fn steps(key: &'static str, what: &str, keys: &mut Keys<'_>, d: &mut Diagnostics) -> Vec<FlowStep> {
    match keys.node(key) {
        Some(node) => read_steps(node, d),
        None => {
            d.error(
                Code::MissingKey,
                keys.place().clone(),
                format!("{what} needs `{key}`"),
            );
            Vec::new()
        }
    }
}

pub(super) fn read_block(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    Some(FlowAction::Block(steps("steps", "a block", keys, d)))
}

pub(super) fn read_for_each(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let rows = read_rows(keys, d);
    let steps = steps("steps", "a for_each", keys, d);
    Some(FlowAction::ForEach(Box::new(ForEach { rows: rows?, steps })))
}

pub(super) fn read_if(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let branches = match keys.node("conditions") {
        Some(Node {
            value: Value::List(items),
            ..
        }) => items.iter().filter_map(|item| read_branch(item, d)).collect(),
        Some(node) => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("`conditions` must be a list, not {}", node.kind()),
            )
            .help("each item has `condition` and `then`");
            Vec::new()
        }
        None => {
            d.error(Code::MissingKey, keys.place().clone(), "an if needs `conditions`");
            Vec::new()
        }
    };
    let otherwise = keys
        .node("else")
        .map(|node| read_steps(node, d))
        .unwrap_or_default();
    Some(FlowAction::If { branches, otherwise })
}

fn read_branch(node: &Node, d: &mut Diagnostics) -> Option<Branch> {
    let mut keys = Keys::new(node, "a condition of an if", d)?;
    let condition = keys.required_prop("condition", d);
    let then = steps("then", "a condition of an if", &mut keys, d);
    keys.finish(d);
    Some(Branch {
        condition: condition?,
        then,
    })
}

pub(super) fn read_run_flow(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let flow = keys.required_name("flow", d);
    // `params` is the short name that 1.x accepts.
    let key = if keys.has("params") {
        "params"
    } else {
        "parameters"
    };
    let parameters = keys.entries(key, d);
    let (flow, flow_place) = flow?;
    Some(FlowAction::RunFlow(RunFlow {
        flow,
        flow_place,
        parameters,
    }))
}
