//! Operators that mean something else in the real database.

use sequor_planner::Dialect;
use sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, Expr, LambdaSyntax, OneOrManyWithParens};

use super::tree::{call, called, cast, filled, literal, number, taken, text, wrap};
use super::{paths, udf};

/// Changes an operator so that it means the same.
///
/// # Errors
/// What it does can't be done here; the text says what.
pub fn same(expr: &mut Expr, dialect: Dialect) -> Result<(), String> {
    let Expr::BinaryOp { left, op, right } = expr else {
        return Ok(());
    };
    match op {
        BinaryOperator::Divide => divided(expr, dialect),
        BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
            let both = [taken(left), taken(right)];
            *expr = filled(
                "CAST(trunc({1} / CAST({2} AS DOUBLE PRECISION)) AS BIGINT)",
                &both,
            )?;
        }
        BinaryOperator::Modulo if dialect == Dialect::Sqlite => {
            **right = call("nullif", [taken(right), number("0")]);
        }
        BinaryOperator::StringConcat if dialect == Dialect::MySql => *op = BinaryOperator::Or,
        BinaryOperator::Xor => *op = BinaryOperator::NotEq,
        BinaryOperator::Multiply => multiplied(expr),
        BinaryOperator::StringConcat => {
            for part in [left, right] {
                let is_text = literal(part).is_some()
                    || matches!(
                        &**part,
                        Expr::BinaryOp {
                            op: BinaryOperator::StringConcat,
                            ..
                        } | Expr::Array(_)
                    );
                if !is_text {
                    wrap(udf::JOINED, part);
                }
            }
        }
        // `2 ^ 10` is a power in PostgreSQL and DuckDB.
        BinaryOperator::PGExp | BinaryOperator::BitwiseXor
            if matches!(dialect, Dialect::Postgres | Dialect::DuckDb) =>
        {
            let both = [taken(left), taken(right)];
            *expr = filled("power(CAST({1} AS DOUBLE PRECISION), {2})", &both)?;
        }
        BinaryOperator::Plus | BinaryOperator::Minus => {
            // What a date becomes when something is added to it: in MySQL a timestamp only by hours and less.
            let dates = match dialect {
                Dialect::Postgres | Dialect::DuckDb => true,
                Dialect::MySql => is_of_a_day(left) || is_of_a_day(right),
                _ => false,
            };
            if is_interval(right) {
                time(left, dates, dialect);
            } else if is_interval(left) {
                time(right, dates, dialect);
            }
        }
        BinaryOperator::HashArrow | BinaryOperator::HashLongArrow => {
            let as_text = *op == BinaryOperator::HashLongArrow;
            let steps = paths::braced(right)?;
            *expr = read(taken(left), steps, as_text);
        }
        BinaryOperator::Arrow | BinaryOperator::LongArrow => {
            let as_text = *op == BinaryOperator::LongArrow;
            let steps = paths::dollar(right)?;
            *expr = read(taken(left), steps, as_text);
        }
        _ => {}
    }
    Ok(())
}

/// `doc -> 'a' ->> 'b'` of DuckDB's is read as a function of `doc` where it is a bare name: makes it steps into JSON again.
pub fn chained(expr: &mut Expr) {
    let Expr::Lambda(lambda) = expr else { return };
    let OneOrManyWithParens::One(name) = &lambda.params else {
        return;
    };
    if lambda.syntax == LambdaSyntax::Arrow && begins_with_step(&lambda.body) {
        let body = lambda.body.as_ref().clone();
        *expr = stepped(Expr::Identifier(name.name.clone()), body);
    }
}

fn begins_with_step(body: &Expr) -> bool {
    match body {
        Expr::Value(_) => true,
        Expr::BinaryOp { left, .. } => begins_with_step(left),
        _ => false,
    }
}

fn stepped(json: Expr, body: Expr) -> Expr {
    let (left, op, right) = match body {
        Expr::BinaryOp { left, op, right } => (stepped(json, *left), op, *right),
        step => (json, BinaryOperator::Arrow, step),
    };
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

/// What stands at a place in JSON.
pub fn read(json: Expr, steps: Vec<Expr>, as_text: bool) -> Expr {
    let name = if as_text { "json_as_text" } else { "json_get_json" };
    let read = call(name, [json].into_iter().chain(steps));
    match as_text {
        true => read,
        false => call(udf::JSON, [read]),
    }
}

/// The text of what stands at a place in JSON, where an expression is that; none where it is something else.
pub fn read_as_text(expr: &Expr) -> Option<Expr> {
    let json = called(expr, udf::JSON)?;
    let of = called(json.first()?, "json_get_json")?;
    Some(call("json_as_text", of))
}

/// An expression as a float.
pub fn float(expr: Expr) -> Expr {
    cast(expr, DataType::Double(ExactNumberInfo::None))
}

fn divided(expr: &mut Expr, dialect: Dialect) {
    let Expr::BinaryOp { left, right, .. } = expr else {
        return;
    };
    match dialect {
        // 7 / 2 is 3 in PostgreSQL, and 7.0 / 2 has 16 digits; in MySQL it is 3.5000.
        Dialect::Postgres | Dialect::MySql | Dialect::Snowflake => {
            let both = [taken(left), taken(right)];
            *expr = call(udf::DIVIDED, both);
        }
        // 7 / 2 is 3.5 there, a float.
        Dialect::DuckDb => **left = float(taken(left)),
        Dialect::Sqlite => **right = call("nullif", [taken(right), number("0")]),
        _ => {}
    }
}

/// A text is a time where something is added to it, and a date may be one.
fn time(expr: &mut Box<Expr>, dates: bool, dialect: Dialect) {
    match literal(expr) {
        Some(_) if dialect == Dialect::MySql => **expr = time_of_text(taken(expr)),
        Some(_) => {}
        None if dates => wrap(udf::MOMENT, expr),
        None => {}
    }
}

/// A literal as a date, or as a timestamp where it has a time of day; all else as it is.
pub fn time_of_text(expr: Expr) -> Expr {
    let Some(written) = literal(&expr) else {
        return expr;
    };
    let data_type = match written.trim().len() {
        0..=10 => DataType::Date,
        _ => DataType::Timestamp(None, sqlparser::ast::TimezoneInfo::None),
    };
    cast(expr, data_type)
}

/// `2 * interval '1 week'` as an interval of twice as many.
fn multiplied(expr: &mut Expr) {
    let Expr::BinaryOp { left, right, .. } = expr else {
        return;
    };
    let (times, interval) = match (&**left, &**right) {
        (times, Expr::Interval(interval)) | (Expr::Interval(interval), times) => (times, interval),
        _ => return,
    };
    let Some((number, unit)) = literal(&interval.value).and_then(|text| text.trim().split_once(' ')) else {
        return;
    };
    let (Ok(number), true) = (
        number.parse::<i64>(),
        unit.bytes().all(|b| b.is_ascii_alphabetic()),
    ) else {
        return;
    };
    let sql = format!("CAST(concat(CAST({{1}} * {number} AS text), ' {unit}') AS INTERVAL)");
    if let Ok(made) = filled(&sql, std::slice::from_ref(times)) {
        *expr = made;
    }
}

/// Whether an expression is an interval of hours, minutes or seconds by its shape.
fn is_of_a_day(expr: &Expr) -> bool {
    use sqlparser::ast::DateTimeField::{Hour, Hours, Minute, Minutes, Second, Seconds};
    match expr {
        Expr::Interval(interval) => matches!(
            interval.leading_field,
            Some(Hour | Hours | Minute | Minutes | Second | Seconds)
        ),
        Expr::Nested(inner) => is_of_a_day(inner),
        _ => false,
    }
}

/// Whether an expression is an interval by its shape.
fn is_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) => is_interval(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Interval { .. }),
        Expr::BinaryOp { left, right, .. } => is_interval(left) || is_interval(right),
        _ => false,
    }
}

/// Changes what matches patterns so that it means the same.
///
/// # Errors
/// A pattern that can't be translated.
pub fn matches(expr: &mut Expr, dialect: Dialect) -> Result<(), String> {
    match expr {
        Expr::Like {
            negated,
            any: false,
            expr: of,
            pattern,
            escape_char,
        } if matches!(dialect, Dialect::DuckDb | Dialect::Sqlite) => {
            // A backslash is a letter as any other there.
            if escape_char.is_none()
                && let Some(written) = literal(pattern).filter(|written| written.contains('\\'))
            {
                **pattern = text(&written.replace('\\', "\\\\"));
            }
            if dialect == Dialect::Sqlite {
                *expr = Expr::ILike {
                    negated: *negated,
                    any: false,
                    expr: Box::new(taken(of)),
                    pattern: Box::new(taken(pattern)),
                    escape_char: escape_char.take(),
                };
            }
        }
        Expr::SimilarTo {
            negated,
            expr: of,
            pattern,
            escape_char,
        } => {
            let Some(written) = literal(pattern).filter(|_| escape_char.is_none()) else {
                return Err("`SIMILAR TO` with a pattern that is no text can't be tried in a dry run".into());
            };
            let regex = match dialect {
                Dialect::Postgres => similar(written),
                _ => written.to_string(),
            };
            *expr = regexp(taken(of), text(&format!("^(?:{regex})$")), *negated)?;
        }
        Expr::RLike {
            negated,
            expr: of,
            pattern,
            ..
        } => {
            let mut pattern = taken(pattern);
            if dialect == Dialect::Snowflake {
                let Some(written) = literal(&pattern) else {
                    return Err("`RLIKE` with a pattern that is no text can't be tried in a dry run".into());
                };
                pattern = text(&format!("^(?:{written})$"));
            }
            *expr = regexp(taken(of), pattern, *negated)?;
        }
        _ => {}
    }
    Ok(())
}

fn regexp(of: Expr, pattern: Expr, negated: bool) -> Result<Expr, String> {
    let found = call("regexp_like", [of, pattern]);
    match negated {
        true => filled("NOT {1}", &[found]),
        false => Ok(found),
    }
}

/// A pattern of `SIMILAR TO` as a regular expression: `%` is `.*`, `_` is `.`, and `.`, `^`, `$` are letters.
fn similar(pattern: &str) -> String {
    let mut regex = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '.' | '^' | '$' => {
                regex.push('\\');
                regex.push(letter);
            }
            '\\' => {
                regex.push('\\');
                regex.extend(letters.next());
            }
            other => regex.push(other),
        }
    }
    regex
}
