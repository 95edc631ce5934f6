//! What an incremental request can't be.

use super::columns::Columns;
use super::http_response::{ResponseSpec, SchemaPolicy};
use super::incremental::{Incremental, OnMissing, Order, lead};
use super::write_mode::WriteMode;
use super::{HttpRequest, ResponseTable};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};

/// Reports what an incremental request can't be.
pub(super) fn check(request: &HttpRequest, d: &mut Diagnostics) {
    let Some(incremental) = &request.request.incremental else {
        refuse_ranges(&request.response, d);
        return;
    };
    // What only the run knows is looked at when the step starts.
    if d.deferred.as_ref().is_some_and(|keys| !keys.is_empty()) {
        return;
    }
    let place = || incremental.place.clone();
    if !request.is_read() {
        d.error(
            Code::BadValue,
            place(),
            "`incremental` is for requests that only read: a window may be asked for again",
        )
        .help("add `safe: true` where the API changes nothing, as with a search by POST");
    }
    if request.request.conditional {
        d.error(
            Code::BothForms,
            place(),
            "both `incremental` and `conditional` are given",
        )
        .help("keep `incremental`: where nothing is new, it loads nothing");
    }
    if request
        .for_each
        .as_ref()
        .is_some_and(|rows| rows.batch_size.is_some())
    {
        d.error(
            Code::BadValue,
            place(),
            "`incremental` keeps how far each row got, and with `batch_size` several share a request",
        )
        .help("leave `batch_size` out");
    }
    if request
        .request
        .pagination
        .as_ref()
        .is_some_and(|p| p.max_pages.is_some())
    {
        d.error(
            Code::BadValue,
            place(),
            "`max_pages` beside `incremental`: rows behind the last page would count as fetched",
        )
        .help("leave `max_pages` out; `window` asks for a part at a time");
    }
    if !incremental.partition.is_empty() && request.for_each.is_none() {
        d.error(
            Code::BadValue,
            place(),
            "`partition` is for requests with a `for_each`",
        )
        .help("leave it out: there is one state");
    }
    if incremental.changed_parents && request.for_each.is_none() {
        d.error(
            Code::BadValue,
            place(),
            "`changed_parents` is for requests with a `for_each`: it says which of its rows are asked for",
        )
        .help("leave it out");
    }
    check_tables(&request.response, incremental, d);
}

/// Reports tables whose rows would take the place of a range that nobody asks for.
fn refuse_ranges(response: &ResponseSpec, d: &mut Diagnostics) {
    let tables = response.tables.iter();
    for table in tables.filter(|table| table.write_mode == WriteMode::ReplaceRange) {
        d.error(
            Code::BadValue,
            table.place.clone(),
            "`write_mode: replace_range` is for requests with `incremental`: it says which range is asked for",
        )
        .help("add `request.incremental`, or use `write_mode: create` to replace all rows");
    }
}

fn check_tables(response: &ResponseSpec, incremental: &Incremental, d: &mut Diagnostics) {
    if response.tables.is_empty() {
        d.error(
            Code::MissingKey,
            incremental.place.clone(),
            "`incremental` needs `response.tables`: how far it got is kept beside a table",
        )
        .help("declare the table that the rows go to");
        return;
    }
    for table in &response.tables {
        if table.write_mode.replaces() {
            let message = format!(
                "{} by `incremental` would have only what is new: it needs `write_mode: upsert`, `append` or `replace_range`",
                table.target.in_short()
            );
            d.error(Code::BadValue, table.place.clone(), message)
                .help("add `write_mode: upsert` and the `primary_key`");
        }
    }
    check_exact(response, incremental, d);
    check_order(response, incremental, d);
    let names = || {
        response
            .tables
            .iter()
            .filter_map(|table| table.target.table.as_text())
    };
    let computed = response
        .tables
        .iter()
        .any(|table| table.target.table.as_text().is_none());
    if let Some(named) = incremental.table.as_ref().filter(|_| !computed)
        && !names().any(|name| name.eq_ignore_ascii_case(named))
    {
        let message = format!("`incremental.table` is `{named}`, which is none of the response's tables");
        d.error(Code::BadValue, incremental.place.clone(), message)
            .maybe_help(did_you_mean(named, "tables", names()));
    } else if !computed && lead(response, incremental).is_none() {
        let message = format!("no column is the cursor `{}`", incremental.cursor);
        let columns = response.tables.iter().flat_map(|table| match &table.columns {
            Columns::Declared(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
            _ => Vec::new(),
        });
        let columns: Vec<&str> = columns.collect();
        let near = did_you_mean(&incremental.cursor, "columns", columns.iter().copied());
        let help = near.unwrap_or_else(|| {
            format!(
                "declare one: `updated: {{type: timestamptz, path: {}}}`",
                incremental.cursor
            )
        });
        d.error(Code::BadValue, incremental.place.clone(), message)
            .help(help);
    }
}

/// Reports what can't be where rows are told apart by their range alone, and by no key.
fn check_exact(response: &ResponseSpec, incremental: &Incremental, d: &mut Diagnostics) {
    let exact =
        |table: &ResponseTable| matches!(table.write_mode, WriteMode::Append | WriteMode::ReplaceRange);
    let lead = lead(response, incremental).map(|(at, _)| at);
    let tables = response.tables.iter().enumerate();
    for (at, table) in tables.filter(|(_, table)| exact(table)) {
        let name = table.target.in_short();
        let mode = match table.write_mode {
            WriteMode::Append => "append",
            _ => "replace_range",
        };
        // Where no table has the cursor, that is told.
        if lead.is_some_and(|lead| lead != at) {
            let message = format!(
                "`write_mode: {mode}` of {name}: only the first table of a response that has the cursor, or the one that `incremental.table` names, can add rows or replace ranges"
            );
            d.error(Code::BadValue, table.place.clone(), message)
                .help("use `write_mode: upsert` for the others, or fill them by steps of their own");
        }
        if mode == "replace_range" && matches!(table.columns, Columns::Inferred) {
            let message = format!(
                "`write_mode: replace_range` of {name} compares the cursor, and its column is not declared"
            );
            d.error(Code::MissingKey, table.place.clone(), message)
                .help("declare `columns`, with a type like timestamptz or date for the cursor");
        }
        if incremental.on_missing == Some(OnMissing::Include) {
            let message = format!(
                "`on_missing: include` beside `write_mode: {mode}`: rows without a cursor are in no range, and would come again with each run"
            );
            d.error(Code::BadValue, incremental.place.clone(), message)
                .help("use `on_missing: exclude` or `fail`, or `write_mode: upsert`");
        }
        if mode == "append" && incremental.lookback.is_some() {
            let message = format!(
                "`lookback` asks for rows again, and {name} gets those that have changed meanwhile besides the old ones"
            );
            d.warning(Code::RowsTwice, incremental.place.clone(), message)
                .help("use `write_mode: upsert` or `replace_range`");
        }
    }
}

/// Reports an order that can't be seen while pages come.
fn check_order(response: &ResponseSpec, incremental: &Incremental, d: &mut Diagnostics) {
    let Some((at, _)) = lead(response, incremental).filter(|_| incremental.order != Order::None) else {
        return;
    };
    let table = &response.tables[at];
    let is_seen = !matches!(table.columns, Columns::Inferred)
        && matches!(table.schema, None | Some(SchemaPolicy::Discard));
    if !is_seen {
        let message = format!(
            "`order` looks at the cursor page by page, and the columns of {} are only known when all rows are there",
            table.target.in_short()
        );
        d.error(Code::MissingKey, table.place.clone(), message)
            .help("declare `columns`, and leave `schema` out");
    }
}
