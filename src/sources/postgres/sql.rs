//! Names and statements as SQL text. Names are quoted, always.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::sources::database::{Column, TableName};

/// `name` as a quoted identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's full name. The database part is the one connected to: PostgreSQL can't reach another.
pub fn table(name: &TableName) -> String {
    match &name.namespace {
        Some(namespace) => format!("{}.{}", quote(namespace), quote(&name.table)),
        None => quote(&name.table),
    }
}

/// Column names, quoted, with commas.
pub fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// The columns of a CREATE TABLE; `sql_type` gives each its type.
pub fn definitions(columns: &[Column], sql_type: impl Fn(&Column) -> String) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), sql_type(c)))
        .collect();
    columns.join(", ")
}

/// SQL text as sqlx takes it: the flow author's own, or made here of quoted names.
pub fn statement(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.to_string()).into_sql_str()
}

/// A name for a table that takes the place of `target` later, in the same namespace.
pub fn side(target: &TableName) -> TableName {
    let id = uuid::Uuid::new_v4().simple().to_string();
    TableName {
        // PostgreSQL cuts names at 63 bytes: the random part comes first.
        table: format!("_sequor_{}", &id[..16]),
        ..target.clone()
    }
}
