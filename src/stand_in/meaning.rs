//! Expressions that mean something else in the real database than in the one that stands in for it.

use sequor_planner::Dialect;
use sqlparser::ast::{DateTimeField, Expr, OrderByExpr, Value, WindowType};

use super::operators::{float, read_as_text};
use super::tree::{arguments, call, filled, literal, number, taken, wrap};
use super::{calls, casts, operators, paths, truth, udf};

/// Changes an expression so that it means the same.
///
/// # Errors
/// What it does can't be done here; the text says what.
pub fn same(expr: &mut Expr, dialect: Dialect) -> Result<(), String> {
    if truth::is_number(dialect) {
        truth::of_expr(expr);
    }
    match expr {
        Expr::BinaryOp { .. } => operators::same(expr, dialect)?,
        Expr::Like { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => operators::matches(expr, dialect)?,
        Expr::Cast { .. } | Expr::Convert { .. } => casts::same(expr, dialect),
        Expr::Collate { expr: of, collation } => match is_by_letters(&collation.to_string()) {
            true => *expr = Expr::Nested(Box::new(taken(of))),
            false => {
                return Err(format!(
                    "`collate {collation}` can't be tried in a dry run: texts are compared letter by letter"
                ));
            }
        },
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = call(udf::AT_ZONE, [taken(timestamp), taken(time_zone)]);
        }
        Expr::Extract { field, expr: of, .. } if dialect == Dialect::Postgres => {
            let of = taken(of);
            *expr = extracted(field, of)?;
        }
        Expr::Substring {
            expr: of,
            substring_from: Some(from),
            substring_for,
            ..
        } => {
            let mut parts = vec![taken(of), taken(from)];
            parts.extend(substring_for.as_mut().map(|length| taken(length)));
            *expr = calls::part(parts, dialect)?;
        }
        // `floor(2.5)` has no digit behind the point.
        Expr::Floor { .. } | Expr::Ceil { .. } => wrap(udf::WHOLE, expr),
        Expr::JsonAccess { value, path } => {
            let steps = paths::colon(path);
            *expr = operators::read(taken(value), steps, false);
        }
        Expr::Value(value) => {
            if let Value::Number(text, _) = &value.value {
                let is_float = match dialect {
                    Dialect::Sqlite => text.contains(['e', 'E', '.']),
                    Dialect::DuckDb | Dialect::MySql | Dialect::Snowflake => text.contains(['e', 'E']),
                    _ => false,
                };
                if is_float {
                    *expr = float(taken(expr));
                } else if dialect == Dialect::Postgres
                    && let Some(plain) = without_exponent(text)
                {
                    *expr = number(&plain);
                }
            }
        }
        Expr::Function(function) => {
            if let Some(WindowType::WindowSpec(window)) = &mut function.over {
                window.order_by.iter_mut().for_each(|by| nulls(by, dialect));
            }
            if let Some(changed) = calls::of_function(function, dialect)? {
                *expr = changed;
            }
        }
        _ => {}
    }
    // `x:a::string` of Snowflake's is the text of what stands in JSON, not JSON in quotes.
    if let Expr::Cast { expr: inner, .. } = expr
        && dialect == Dialect::Snowflake
    {
        unquoted(inner);
    }
    Ok(())
}

/// Tells whether a collation compares texts letter by letter, as is done here.
fn is_by_letters(collation: &str) -> bool {
    let name = collation.trim_matches(['"', '`']).to_ascii_lowercase();
    matches!(name.as_str(), "binary" | "c" | "posix" | "ucs_basic") || name.ends_with("_bin")
}

/// A number that is written with an exponent, written without it: it is a decimal in PostgreSQL.
fn without_exponent(text: &str) -> Option<String> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|e: &i32| e.abs() <= 38)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    Some(match usize::try_from(point) {
        Ok(point) if point >= all.len() => format!("{all}{}", "0".repeat(point - all.len())),
        Ok(point) if point > 0 => format!("{}.{}", &all[..point], &all[point..]),
        _ => format!("0.{}{all}", "0".repeat(usize::try_from(-point).ok()?)),
    })
}

/// Reads a value of JSON as text, where its text is asked for.
fn unquoted(expr: &mut Expr) {
    if let Some(text) = read_as_text(expr) {
        *expr = text;
        return;
    }
    match expr {
        Expr::Nested(inner) => unquoted(inner),
        Expr::Function(function) => {
            let name = function.name.to_string();
            if [udf::TEXT, udf::WHOLE, "left"].contains(&name.as_str()) {
                let mut inside = arguments(function);
                if let Some(first) = inside.first_mut() {
                    unquoted(first);
                }
                *expr = call(&name, inside);
            }
        }
        _ => {}
    }
}

/// What PostgreSQL's `extract` gives: a decimal, with six digits of seconds.
fn extracted(field: &DateTimeField, of: Expr) -> Result<Expr, String> {
    let of_moment = |sql: &str| filled(sql, std::slice::from_ref(&of));
    match field {
        DateTimeField::Second | DateTimeField::Seconds => of_moment(
            "CAST(date_part('epoch', {1}) - 60 * floor(date_part('epoch', {1}) / 60) AS NUMERIC(20,6))",
        ),
        DateTimeField::Epoch => of_moment("CAST(date_part('epoch', {1}) AS NUMERIC(20,6))"),
        other => of_moment(&format!(
            "date_part('{}', {{1}})",
            other.to_string().to_lowercase()
        )),
    }
}

/// What PostgreSQL's `date_part` gives: a float.
///
/// # Errors
/// None: its template can be read.
pub fn date_part(field: &Expr, of: Expr) -> Result<Expr, String> {
    let is_second =
        literal(field).is_some_and(|field| matches!(field.to_lowercase().as_str(), "second" | "seconds"));
    let sql = match is_second {
        true => "date_part('epoch', {2}) - 60 * floor(date_part('epoch', {2}) / 60)",
        false => "CAST(date_part({1}, {2}) AS DOUBLE PRECISION)",
    };
    filled(sql, &[field.clone(), of])
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
