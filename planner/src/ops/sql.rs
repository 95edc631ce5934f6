//! `transform` and `execute`: SQL that a database runs.

use serde::Serialize;

use super::common::FlowAction;
use super::table::{TableRef, WriteMode, read_write_mode};
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::Keys;

/// `transform`: the target becomes the result of a query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transform {
    pub query: Prop,
    pub target: TableRef,
    pub write_mode: WriteMode,
    /// Where the query stands.
    #[serde(skip)]
    pub query_place: Place,
}

/// `execute`: statements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Execute {
    pub source: String,
    pub statement: Prop,
    #[serde(skip)]
    pub place: Place,
    /// Where the statement stands.
    #[serde(skip)]
    pub statement_place: Place,
}

pub(super) fn read_transform(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let source = keys.required_name("source", d);
    let query = keys.required_prop("query", d);
    let table = keys.required_prop("target_table", d);
    let database = keys.prop("target_database", d);
    let namespace = keys.prop("target_namespace", d);
    let write_mode = read_write_mode(keys, d);
    let (source, place) = source?;
    let query_place = keys.place_of("query").unwrap_or(&place).clone();
    Some(FlowAction::Transform(Box::new(Transform {
        query: query?,
        target: TableRef {
            source,
            database,
            namespace,
            table: table?,
            place,
        },
        write_mode,
        query_place,
    })))
}

pub(super) fn read_execute(keys: &mut Keys<'_>, d: &mut Diagnostics) -> Option<FlowAction> {
    let source = keys.required_name("source", d);
    let statement = keys.required_prop("statement", d);
    let (source, place) = source?;
    let statement_place = keys.place_of("statement").unwrap_or(&place).clone();
    Some(FlowAction::Execute(Execute {
        source,
        statement: statement?,
        place,
        statement_place,
    }))
}
