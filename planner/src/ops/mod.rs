//! The operations of the language: one file each for its keys and its meaning.

mod common;
mod control;
mod http_request;
mod http_response;
mod messages;
mod sql;
mod table;

use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::syntax::{Keys, Node, Value};

pub use common::{FlowAction, FlowStep};
pub use control::{Branch, ForEach, RunFlow};
pub use http_request::{BodyFormat, HttpRequest, Request};
pub use http_response::{Response, ResponseTable};
pub use messages::{Print, SetVariable, VariableScope, VariableSet, read_variables};
pub use sql::{Execute, Transform};
pub use table::{ColumnSpec, RowsOf, TableRef, WriteMode};

/// Reads the keys of an operation.
type ReadOperation = fn(&mut Keys<'_>, &mut Diagnostics) -> Option<FlowAction>;

/// Every operation: its name, the same as messages say it, its reader.
const OPERATIONS: &[(&str, &str, ReadOperation)] = &[
    ("http_request", "an http_request", http_request::read),
    ("transform", "a transform", sql::read_transform),
    ("execute", "an execute", sql::read_execute),
    ("set_variable", "a set_variable", messages::read_set_variable),
    ("print", "a print", messages::read_print),
    ("if", "an if", control::read_if),
    ("for_each", "a for_each", control::read_for_each),
    ("block", "a block", control::read_block),
    ("run_flow", "a run_flow", control::read_run_flow),
];

/// Reads a list of steps; what can't be read is reported and left out.
pub fn read_steps(node: &Node, d: &mut Diagnostics) -> Vec<FlowStep> {
    match &node.value {
        Value::List(items) => items.iter().filter_map(|item| read_step(item, d)).collect(),
        _ if node.is_null() => Vec::new(),
        _ => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!("steps must be a list, not {}", node.kind()),
            )
            .help("each step starts with `- op: ...`");
            Vec::new()
        }
    }
}

fn read_step(node: &Node, d: &mut Diagnostics) -> Option<FlowStep> {
    let mut keys = Keys::new(node, "a step", d)?;
    let (op, place) = keys.required_name("op", d)?;
    let Some((op, what, read)) = OPERATIONS.iter().find(|(name, ..)| *name == op) else {
        let names = OPERATIONS.iter().map(|(name, ..)| *name);
        d.error(Code::UnknownOperation, place, format!("unknown operation `{op}`"))
            .maybe_help(did_you_mean(&op, "operations", names));
        return None;
    };
    let common = common::read(op, place, &mut keys, d);
    keys.is(what);
    let action = read(&mut keys, d);
    keys.finish(d);
    Some(common.with(action?))
}
