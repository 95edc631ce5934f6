//! Expressions that mean something else in the real database than in the one that stands in for it.

use sequor_planner::Dialect;
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, OrderByExpr, Value,
    ValueWithSpan, WindowType,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use super::division;
use super::functions::{self, Here};

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
        // 7 / 2 is 3 there, and 7.0 / 2 has 16 digits.
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Divide,
            right,
        } if dialect == Dialect::Postgres => {
            *expr = call(
                division::NAME,
                vec![left.as_ref().clone(), right.as_ref().clone()],
            );
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
    let arguments = arguments(function);
    if let Some(mapping) = functions::mapping(dialect, &name, arguments.len()) {
        let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        if let Here::As(other) = mapping.here {
            function.name = named(other);
            return Ok(None);
        }
        let Some(text) = functions::written(mapping, &texts)? else {
            return Ok(None);
        };
        let parser = dialect.parser();
        let parsed = Parser::new(&*parser).try_with_sql(&text);
        let parsed = parsed.and_then(|mut parser| parser.parse_expr());
        return parsed
            .map(|expr| Some(Expr::Nested(Box::new(expr))))
            .map_err(|e| format!("`{name}`: {e}"));
    }
    let other = match name.as_str() {
        "sysdate" | "getdate" | "current_timestamp" if of(&[Dialect::Snowflake]) => "now",
        "group_concat" => "string_agg",
        "avg" if of(&[Dialect::Postgres]) => return Ok(Some(average(function))),
        // Nothing with a null in it has a text there.
        "concat" if of(&[Dialect::Snowflake, Dialect::MySql]) => return Ok(joined(function)),
        "to_char" | "to_varchar" if of(&[Dialect::Postgres, Dialect::Snowflake]) => {
            pattern(function)?;
            "to_char"
        }
        _ => return Ok(None),
    };
    function.name = named(other);
    Ok(None)
}

fn named(name: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))])
}

fn number(text: &str) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::Number(text.into(), false),
        span: Span::empty(),
    })
}

/// The call of a function.
fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let list = FunctionArgumentList {
        duplicate_treatment: None,
        args: arguments
            .into_iter()
            .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
            .collect(),
        clauses: Vec::new(),
    };
    Expr::Function(Function {
        name: named(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `avg(x)` as PostgreSQL computes it: the sum by the number of them, which is a decimal where no float is.
fn average(function: &Function) -> Expr {
    let of = |name: &str| {
        Expr::Function(Function {
            name: named(name),
            ..function.clone()
        })
    };
    let number = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(of("count")),
        data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 0)),
        array: false,
        format: None,
    };
    call(division::NAME, vec![of("sum"), number])
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
