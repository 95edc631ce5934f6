//! The values in a step that are computed when it runs.

use super::table::TableDefaults;
use super::{
    ColumnSpec, Columns, DeferredKey, Execute, HttpRequest, MigrateSchema, Mock, Print, RequestSpec,
    ResponseSpec, ResponseTable, RowQuery, RowSource, RowsOf, Rule, SetVariable, TableRef, Transform,
    VariableSet,
};
use crate::expr::{each_prop, each_prop_of_variants};

each_prop! {
    RowsOf { from, changes; variable, batch_size }
    RowQuery { query; source, place }
    VariableSet { value; name, scope, many }
    Rule { when, rows, message; status, action, place }
    RequestSpec {
        url, method, path_parameters, parameters, headers, body, idempotency_key, pagination, incremental;
        source, source_place, url_place, body_format, timeout, total_timeout, concurrency, rate_limit, retry, conditional, safe, idempotent
    }
    HttpRequest { init, for_each, request, response, mock; max_rejects, streams, place }
    Mock { status, headers, json, body; }
    ColumnSpec { value; name, sql_type, format, place }
    ResponseTable { target, columns, data; data_path, listed, write_mode, schema, reshape, place }
    ResponseSpec {
        success_status, rules, tables, defaults, parser, variables, while_;
        format, payload, whole, while_place
    }
    Transform { query, target, incremental; write_mode, engine, query_place }
    Execute { statement; source, place, statement_place }
    MigrateSchema { target, columns }
    SetVariable { set }
    Print { message }
    DeferredKey { value; key, at, is_text }
    TableRef { database, namespace, table; source, place }
    TableDefaults { database, namespace, table; source, source_place }
}

each_prop_of_variants! { RowSource { @Table, @Query, @Values, } else { } }
each_prop_of_variants! { Columns { @Declared, @Computed, } else { Inferred } }
