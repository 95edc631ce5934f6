//! Casts that give something else in the real database.

use sequor_planner::Dialect;
use sqlparser::ast::{CastKind, DataType, Expr};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::tree::{call, filled, literal, number, taken, wrap};
use super::types;
use super::udf;

/// Changes a cast, its type among it.
pub fn same(expr: &mut Expr, dialect: Dialect) {
    // All texts are of one character set here.
    if let Expr::Convert {
        expr: inner,
        charset: Some(_),
        ..
    } = expr
    {
        *expr = Expr::Nested(Box::new(taken(inner)));
        return;
    }
    let Expr::Cast {
        kind,
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return;
    };
    if *kind == CastKind::SafeCast {
        *kind = CastKind::TryCast;
    }
    let real = data_type.to_string().to_lowercase();
    let (name, digits) = match real.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches(')').parse::<u32>().ok()),
        None => (real.as_str(), None),
    };
    *data_type = stored_type(dialect, data_type);
    let stored = data_type.to_string().to_lowercase();
    let is_text = matches!(
        name,
        "text" | "varchar" | "char" | "character" | "string" | "character varying" | "nvarchar" | "bpchar"
    );
    match stored.as_str() {
        _ if is_text => {
            if literal(inner).is_none() {
                wrap(udf::TEXT, inner);
            }
            let cuts = matches!(dialect, Dialect::Postgres | Dialect::MySql | Dialect::Snowflake);
            if let Some(digits) = digits.filter(|_| cuts) {
                let text = taken(inner);
                **inner = call("left", [text, number(&digits.to_string())]);
            }
        }
        "smallint" | "integer" | "int" | "bigint" | "int2" | "int4" | "int8"
            if dialect != Dialect::Sqlite =>
        {
            let is_number = matches!(&**inner, Expr::Value(value) if matches!(&value.value, sqlparser::ast::Value::Number(text, _) if text.bytes().all(|b| b.is_ascii_digit())));
            if !is_number && literal(inner).is_none() {
                wrap(udf::WHOLE, inner);
            }
        }
        // A number below 0 is counted from the end of what 64 bits hold.
        _ if dialect == Dialect::MySql && name.starts_with("unsigned") => {
            let template =
                "CASE WHEN {1} < 0 THEN CAST({1} + 18446744073709551616 AS NUMERIC(20,0)) ELSE {1} END";
            let number = expr.clone();
            if let Ok(counted) = filled(template, &[number]) {
                *expr = counted;
            }
        }
        "numeric" | "decimal" if dialect == Dialect::Postgres => {
            let plain = literal(inner).filter(|text| {
                let digits = text.strip_prefix('-').unwrap_or(text);
                digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.ends_with(|c: char| c.is_ascii_digit())
                    && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            });
            *expr = match plain {
                Some(plain) => number(plain),
                None => call(udf::EXACT, [taken(inner)]),
            };
        }
        "jsonb" if *kind != CastKind::TryCast => {
            let inner = taken(inner);
            // A json of PostgreSQL's is the text that it was.
            *expr = match real.as_str() {
                "json" if dialect == Dialect::Postgres => call(udf::JSON_TEXT, [inner]),
                _ => call(udf::JSON, [inner]),
            };
        }
        _ => {}
    }
}

/// A type of the real database's, as the staging database calls it.
pub fn stored_type(dialect: Dialect, sql: &DataType) -> DataType {
    let text = types::stored(dialect, &sql.to_string());
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text);
    parsed
        .and_then(|mut parser| parser.parse_data_type())
        .unwrap_or_else(|_| sql.clone())
}
