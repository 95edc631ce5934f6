//! The operations of the language: one file each for its keys and its meaning.

mod across;
mod body;
mod column_value;
mod columns;
mod common;
mod control;

mod changes;
mod cursor_kind;
mod deferred;
mod execute;
mod http_request;
mod http_response;
mod incremental;
mod incremental_check;
mod method;
mod migrate_schema;
mod mock;
mod pagination;
mod payload;
mod plain;
mod print;
mod props;
mod rejects;
mod request_keys;
mod reshape;
mod rows;
mod rules;
mod set_variable;
mod since;
mod table;
mod transform;
mod write_mode;
mod written_time;

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::syntax::{Keys, Node, Shape, Value, tagged};

pub use crate::syntax::DataPath;
pub use body::BodyFormat;
pub use changes::{CHANGE, CHANGES_IN_LOOP, Change, Changes, KEPT_RESPONSE};
pub use column_value::{ColumnValue, TimeFormat};
pub use columns::{COLUMN, COLUMN_OPTIONS, COLUMN_TYPE, ColumnSpec, Columns, is_column_type};
pub use common::{COMMON, FlowAction, FlowStep, OnError, each_step};
pub use control::{Branch, ForEach, RunFlow, Try, While};
pub use cursor_kind::{check as check_cursor, counts as counts_numbers};
pub use deferred::{Deferred, DeferredKey};
pub use execute::Execute;
pub use http_request::{HttpRequest, RequestSpec};
pub use http_response::{ResponseSpec, ResponseTable, RowFormat, SchemaPolicy};
pub use incremental::{
    INCREMENTAL_IN_LOOP, Incremental, OnMissing, Order, WINDOW, cursor_column, lead, passing_columns,
};
pub use migrate_schema::MigrateSchema;
pub use mock::{MOCK, Mock};
pub use pagination::{Mark, PageKind, Pagination, ParameterPlace};
pub use payload::{Compression, Csv, Header, InvalidText, Payload, charset};
pub use plain::{Plain, PlainOperation};
pub use print::Print;
pub use reshape::{Flatten, Reshape};
pub use rows::{RowQuery, RowSource, RowsOf};
pub use rules::{Rule, RuleAction};
pub use set_variable::{SetVariable, VARIABLE, VariableScope, VariableSet, read_variables, variables_of};
pub use since::Since;
pub use table::{TableDefaults, TableRef};
pub use transform::{Engine, Transform};
pub use write_mode::WriteMode;
pub use written_time::Precision;

/// An operation: the shape of its keys, and their reader.
#[derive(Clone, Copy)]
pub struct Operation {
    pub shape: &'static Shape,
    read: fn(&Keys<'_>, &mut Diagnostics) -> Option<FlowAction>,
}

/// Every operation by its name.
pub static OPERATIONS: &[(&str, Operation)] = &[
    ("http_request", http_request::OPERATION),
    ("transform", transform::OPERATION),
    ("execute", execute::OPERATION),
    ("migrate_schema", migrate_schema::OPERATION),
    ("set_variable", set_variable::OPERATION),
    ("print", print::OPERATION),
    ("if", control::IF),
    ("for_each", control::FOR_EACH),
    ("while", control::WHILE),
    ("try", control::TRY),
    ("block", control::BLOCK),
    ("run_flow", control::RUN_FLOW),
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

/// Reads one step; none where it can't be read, which is reported.
pub fn read_step(node: &Node, d: &mut Diagnostics) -> Option<FlowStep> {
    // Steps inside note what they leave to the run themselves.
    let errors = d.errors();
    let around = d.deferred.replace(Vec::new());
    let step = read_whole(node, d);
    let keys = std::mem::replace(&mut d.deferred, around).unwrap_or_default();
    let Some(step) = step else {
        // What can't be read without them is told, where nothing else is.
        if d.errors() == errors {
            for key in keys {
                let message = format!("`{}` must be known when planning", key.key);
                d.error(Code::WrongType, key.at, message)
                    .help(format!("give `{}` as a plain value", key.key));
            }
        }
        return None;
    };
    Some(FlowStep {
        deferred: Deferred::read(keys, node, d),
        ..step
    })
}

fn read_whole(node: &Node, d: &mut Diagnostics) -> Option<FlowStep> {
    let (op, operation, place) = tagged(node, "a step", "op", OPERATIONS, Code::UnknownOperation, d)?;
    let keys = Keys::new(node, operation.shape, d)?;
    let common = common::read(op, place, &keys, d);
    let action = (operation.read)(&keys, d)?;
    let one_per_row = matches!(&action, FlowAction::HttpRequest(r) if r.for_each.is_some());
    if keys.choice("on_error", &mut Diagnostics::default()) == Some("reject") && !one_per_row {
        let place = keys.place_of("on_error").cloned();
        d.error(
            Code::BadValue,
            place,
            "`on_error: reject` needs rows to keep: an http_request with `for_each`",
        )
        .help("use `stop` or `continue`");
    }
    let batched = op == "http_request" && http_request::is_batched(&keys);
    if keys.choice("on_error", &mut Diagnostics::default()) == Some("split") && !batched {
        let place = keys.place_of("on_error").cloned();
        d.error(
            Code::BadValue,
            place,
            "`on_error: split` needs a batch to halve: an http_request with `for_each` and `batch_size`",
        )
        .help("use `reject`, `stop` or `continue`");
    }
    Some(common.with(action))
}
