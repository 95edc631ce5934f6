//! Types of the real database, as the one that stands in for it has them.

use sequor_planner::Dialect;

/// Returns the staging database's name of a type.
pub fn stored(dialect: Dialect, sql: &str) -> String {
    let lower = sql.trim().to_ascii_lowercase();
    let (name, arguments) = match lower.split_once('(') {
        Some((name, rest)) => (name.trim(), Some(rest.trim_end_matches(')').trim())),
        None => (lower.as_str(), None),
    };
    let with = |name: &str| match arguments {
        Some(arguments) => format!("{name}({arguments})"),
        None => name.to_string(),
    };
    match (dialect, name) {
        // A bare decimal of Snowflake's and MySQL's has no fraction.
        (Dialect::Snowflake, "number" | "decimal" | "numeric" | "dec") if arguments.is_none() => {
            "numeric(38,0)".into()
        }
        (Dialect::MySql, "decimal" | "numeric" | "dec" | "fixed") if arguments.is_none() => {
            "numeric(10,0)".into()
        }
        (Dialect::DuckDb, "decimal" | "numeric" | "dec") if arguments.is_none() => "numeric(18,3)".into(),
        (Dialect::Snowflake, "number")
        | (Dialect::Postgres | Dialect::DuckDb | Dialect::MySql, "dec" | "fixed") => with("numeric"),
        (Dialect::Snowflake, "int" | "integer" | "bigint" | "smallint" | "tinyint" | "byteint") => {
            "numeric(38,0)".into()
        }
        (Dialect::Snowflake, "variant" | "object" | "array") => "jsonb".into(),
        (Dialect::Snowflake, "float" | "float4" | "float8" | "real" | "double") => "double precision".into(),
        (Dialect::Snowflake, "timestamp_ntz" | "datetime" | "timestamp") => "timestamp".into(),
        (Dialect::Snowflake, "timestamp_tz" | "timestamp_ltz") => "timestamp with time zone".into(),
        (Dialect::Snowflake, "string" | "varchar" | "char" | "character" | "nvarchar" | "text") => {
            "text".into()
        }
        (Dialect::Snowflake, "binary" | "varbinary") => "bytea".into(),
        (Dialect::MySql, "datetime" | "timestamp") => "timestamp".into(),
        (Dialect::MySql, "tinyint") if arguments == Some("1") => "boolean".into(),
        (Dialect::MySql, "tinyint" | "year") => "smallint".into(),
        (Dialect::MySql, "mediumint" | "int" | "integer") => "integer".into(),
        (Dialect::MySql, "bigint unsigned" | "int unsigned") => "bigint".into(),
        (Dialect::MySql, "tinytext" | "mediumtext" | "longtext" | "char" | "varchar" | "enum" | "set") => {
            "text".into()
        }
        (Dialect::MySql, "tinyblob" | "blob" | "mediumblob" | "longblob" | "binary" | "varbinary") => {
            "bytea".into()
        }
        (Dialect::MySql, "signed" | "signed integer") => "bigint".into(),
        (Dialect::MySql, "unsigned" | "unsigned integer") => "numeric(20,0)".into(),
        (Dialect::MySql, "double" | "float") => "double precision".into(),
        (Dialect::DuckDb, "hugeint" | "uhugeint") => "numeric(38,0)".into(),
        (Dialect::DuckDb, "ubigint") => "numeric(20,0)".into(),
        (Dialect::DuckDb, "tinyint" | "utinyint") => "smallint".into(),
        (Dialect::DuckDb, "usmallint") => "integer".into(),
        (Dialect::DuckDb, "uinteger") => "bigint".into(),
        (Dialect::DuckDb, "blob") => "bytea".into(),
        // A decimal is a float there, whatever its digits.
        (Dialect::Sqlite, "numeric" | "decimal" | "dec") => "double precision".into(),
        (Dialect::Sqlite, "blob") => "bytea".into(),
        (_, "json") => "jsonb".into(),
        (_, "string" | "clob" | "nvarchar" | "bpchar") => "text".into(),
        (_, "double") => "double precision".into(),
        (_, "datetime") => "timestamp".into(),
        (_, "timestamptz") => "timestamp with time zone".into(),
        _ => sql.to_string(),
    }
}
