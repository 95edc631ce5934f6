//! Expressions that mean something else in the real database than in the one that stands in for it.

use sequor_planner::Dialect;
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, OrderByExpr, Value, ValueWithSpan, WindowType,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

/// Changes an expression so that it means the same.
///
/// # Errors
/// What it does can't be done here; the text says what.
pub fn same(expr: &mut Expr, dialect: Dialect) -> Result<(), String> {
    match expr {
        // 7 / 2 is 3.5 there.
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Divide,
            ..
        } if matches!(dialect, Dialect::Snowflake | Dialect::DuckDb | Dialect::MySql) => {
            let whole = std::mem::replace(left, Box::new(number("1.0")));
            **left = Expr::Nested(Box::new(Expr::BinaryOp {
                left: whole,
                op: BinaryOperator::Multiply,
                right: Box::new(number("1.0")),
            }));
        }
        Expr::Function(function) => {
            if let Some(WindowType::WindowSpec(window)) = &mut function.over {
                window.order_by.iter_mut().for_each(|by| nulls(by, dialect));
            }
            if let Some(changed) = of_function(function, dialect)? {
                *expr = changed;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Has nulls stand where the real database puts them.
pub fn nulls(by: &mut OrderByExpr, dialect: Dialect) {
    let ascending = by.options.asc != Some(false);
    let first = match dialect {
        Dialect::MySql | Dialect::Sqlite => ascending,
        Dialect::DuckDb => false,
        _ => return,
    };
    by.options.nulls_first.get_or_insert(first);
}

/// What stands for a function that the staging database has under another name, or otherwise.
fn of_function(function: &mut Function, dialect: Dialect) -> Result<Option<Expr>, String> {
    let name = function.name.to_string().to_lowercase();
    let of = |dialects: &[Dialect]| dialects.contains(&dialect);
    let other = match name.as_str() {
        "ifnull" | "nvl" => "coalesce",
        "len" if of(&[Dialect::Snowflake, Dialect::DuckDb]) => "length",
        "ucase" if of(&[Dialect::MySql]) => "upper",
        "lcase" if of(&[Dialect::MySql]) => "lower",
        "sysdate" | "getdate" | "current_timestamp" if of(&[Dialect::Snowflake]) => "now",
        "curdate" if of(&[Dialect::MySql]) => "current_date",
        "listagg" | "group_concat" => "string_agg",
        "iff" | "if" => return Ok(case(function)),
        // Nothing with a null in it has a text there.
        "concat" if of(&[Dialect::Snowflake, Dialect::MySql]) => return Ok(joined(function)),
        "to_char" | "to_varchar" if of(&[Dialect::Postgres, Dialect::Snowflake]) => {
            pattern(function)?;
            "to_char"
        }
        _ => return Ok(None),
    };
    function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(other))]);
    Ok(None)
}

fn number(text: &str) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::Number(text.into(), false),
        span: Span::empty(),
    })
}

fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let expression = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(expression).collect()
}

/// `iff(condition, then, else)` as a CASE.
fn case(function: &Function) -> Option<Expr> {
    let given = arguments(function);
    let [condition, then, otherwise] = given.as_slice() else {
        return None;
    };
    let text = format!("CASE WHEN {condition} THEN {then} ELSE {otherwise} END");
    let parsed = Parser::new(&sqlparser::dialect::GenericDialect {}).try_with_sql(&text);
    parsed.and_then(|mut parser| parser.parse_expr()).ok()
}

/// `concat(a, b)` as `(a || b)`.
fn joined(function: &Function) -> Option<Expr> {
    let all = arguments(function)
        .into_iter()
        .reduce(|left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: BinaryOperator::StringConcat,
            right: Box::new(right),
        });
    all.map(|all| Expr::Nested(Box::new(all)))
}

/// The parts of patterns of PostgreSQL, Oracle and Snowflake, longest first, as `strftime` writes them.
const PARTS: &[(&str, &str)] = &[
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("YYYY", "%Y"),
    ("MON", "%b"),
    ("DDD", "%j"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("AM", "%p"),
    ("PM", "%p"),
];

/// Writes the pattern of `to_char` as the staging database reads it.
fn pattern(function: &mut Function) -> Result<(), String> {
    let unknown = |what: &str| Err(format!("`to_char` with {what} can't be tried in a dry run"));
    let FunctionArguments::List(list) = &mut function.args else {
        return Ok(());
    };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(given)))] = list.args.as_mut_slice()
    else {
        return match list.args.len() {
            2 => unknown("a pattern that is no text"),
            _ => Ok(()),
        };
    };
    let Value::SingleQuotedString(text) = &given.value else {
        return unknown("a pattern that is no text");
    };
    let (mut rest, mut out) = (text.as_str(), String::new());
    while let Some(first) = rest.chars().next() {
        let upper = rest.to_ascii_uppercase();
        if let Some((part, written)) = PARTS.iter().find(|(part, _)| upper.starts_with(part)) {
            out.push_str(written);
            rest = &rest[part.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
            out.push_str(inside);
            rest = behind;
        } else if first.is_ascii_alphanumeric() || first == '%' {
            return unknown(&format!("the pattern `{text}`"));
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    given.value = Value::SingleQuotedString(out);
    Ok(())
}
