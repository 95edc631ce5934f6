//! Names and statements as SQL text. Names are quoted, always.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub use crate::sources::sql::{column_list, definitions, quote};

use crate::sources::database::TableName;

/// Returns a table's full name. PostgreSQL refuses a database other than the one connected to.
pub fn table(name: &TableName) -> String {
    let (namespace, table) = (name.namespace.as_deref(), quote(&name.table));
    match (&name.database, namespace) {
        (Some(database), namespace) => {
            let namespace = quote(namespace.unwrap_or("public"));
            format!("{}.{namespace}.{table}", quote(database))
        }
        (None, Some(namespace)) => format!("{}.{table}", quote(namespace)),
        (None, None) => table,
    }
}

/// SQL text as sqlx takes it: the flow author's own, or made here of quoted names.
pub fn statement(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.to_string()).into_sql_str()
}

/// Returns a name for a table that takes the place of `target` later, in the same namespace.
pub fn side(target: &TableName) -> TableName {
    let id = uuid::Uuid::new_v4().simple().to_string();
    TableName {
        // PostgreSQL cuts names at 63 bytes: the random part comes first.
        table: format!("_sequor_{}", &id[..16]),
        ..target.clone()
    }
}
