//! Names and statements as SQL text. Names are quoted, always.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub use crate::sources::sql::{column_list, definitions, quote};

use crate::sources::database::TableName;

/// A table's full name. The database part is the one connected to: PostgreSQL can't reach another.
pub fn table(name: &TableName) -> String {
    match &name.namespace {
        Some(namespace) => format!("{}.{}", quote(namespace), quote(&name.table)),
        None => quote(&name.table),
    }
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
