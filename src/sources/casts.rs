//! `x::type`, which PostgreSQL, DuckDB, Snowflake and staging read, for databases that only know CAST.

use std::borrow::Cow;
use std::ops::ControlFlow;

use sequor_planner::Dialect;
use sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, VisitMut, VisitorMut};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Returns the statement with its casts written as `dialect` reads them; as it is where it has none, or can't be read.
pub fn portable(sql: &str, dialect: Dialect) -> Cow<'_, str> {
    let parser = dialect.parser();
    let tokens = Tokenizer::new(&*parser, sql).tokenize();
    if !tokens.is_ok_and(|tokens| tokens.contains(&Token::DoubleColon)) {
        return Cow::Borrowed(sql);
    }
    let Ok(mut statements) = Parser::parse_sql(&*parser, sql) else {
        return Cow::Borrowed(sql);
    };
    let _ = statements.visit(&mut Casts { dialect });
    let written: Vec<String> = statements.iter().map(ToString::to_string).collect();
    Cow::Owned(written.join("; "))
}

struct Casts {
    dialect: Dialect,
}

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { kind, data_type, .. } = expr
            && *kind == CastKind::DoubleColon
        {
            *kind = CastKind::Cast;
            if self.dialect == Dialect::MySql {
                *data_type = mysql(data_type);
            }
        }
        ControlFlow::Continue(())
    }
}

/// MySQL casts to few types, and a decimal of it has no fraction unless it says so:
/// <https://dev.mysql.com/doc/refman/8.4/en/cast-functions.html#function_cast>
fn mysql(to: &DataType) -> DataType {
    use DataType as T;
    match to {
        T::Text | T::String(_) | T::Varchar(None) | T::Char(None) => T::Char(None),
        T::Varchar(length) | T::Char(length) => T::Char(*length),
        T::SmallInt(_) | T::Int(_) | T::Integer(_) | T::BigInt(_) | T::Int2(_) | T::Int4(_) | T::Int8(_) => {
            T::Signed
        }
        T::Numeric(ExactNumberInfo::None) | T::Decimal(ExactNumberInfo::None) => {
            T::Decimal(ExactNumberInfo::PrecisionAndScale(38, 10))
        }
        T::Numeric(info) => T::Decimal(*info),
        T::Real | T::Float4 | T::Float8 | T::Float64 | T::DoublePrecision | T::Float(_) => {
            T::Double(ExactNumberInfo::None)
        }
        T::Timestamp(..) => T::Datetime(Some(6)),
        T::JSONB => T::JSON,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_are_written_out() {
        let sqlite = |sql| portable(sql, Dialect::Sqlite).into_owned();
        assert_eq!(
            sqlite("SELECT SUM(total_price::decimal) AS s FROM o WHERE a = 'x::y'"),
            "SELECT SUM(CAST(total_price AS DECIMAL)) AS s FROM o WHERE a = 'x::y'"
        );
        assert_eq!(
            sqlite("SELECT (a + 1)::text::integer FROM t"),
            "SELECT CAST(CAST((a + 1) AS TEXT) AS INTEGER) FROM t"
        );
        // What has none stays as it is, to the letter.
        assert_eq!(sqlite("select  1 -- a::b"), "select  1 -- a::b");
        let mysql = |sql| portable(sql, Dialect::MySql).into_owned();
        assert_eq!(
            mysql("SELECT a::decimal, b::numeric(5,2), c::text, d::int FROM t"),
            "SELECT CAST(a AS DECIMAL(38,10)), CAST(b AS DECIMAL(5,2)), CAST(c AS CHAR), CAST(d AS SIGNED) FROM t"
        );
    }
}
