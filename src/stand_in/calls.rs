//! Calls of functions that the staging database has under another name, or otherwise.

use sequor_planner::Dialect;
use sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments,
};

use super::functions::{self, Here};
use super::operators::{float, read, read_as_text, time_of_text};
use super::tree::{arguments, call, cast, filled, literal, named, text, value};
use super::{meaning, operators, paths, patterns, truth, udf, written};

/// What stands for a function; none: the function itself, which may have another name now.
///
/// # Errors
/// What it does can't be done here; the text says what.
pub fn of_function(function: &mut Function, dialect: Dialect) -> Result<Option<Expr>, String> {
    let name = function.name.to_string().to_lowercase();
    if truth::is_number(dialect) {
        numbered(function);
    }
    let given = arguments(function);
    if let Some(mapping) = functions::mapping(dialect, &name, given.len()) {
        if let Here::As(other) = mapping.here {
            function.name = named(other);
            return Ok(None);
        }
        return over_rows(function, written::written(mapping, &given)?).map(Some);
    }
    let of = |dialects: &[Dialect]| dialects.contains(&dialect);
    use Dialect::{DuckDb, MySql, Postgres, Snowflake, Sqlite};
    Ok(match name.as_str() {
        "substr" | "substring" | "mid" if (2..=3).contains(&given.len()) => Some(part(given, dialect)?),
        "date_add" | "date_sub" if of(&[MySql]) && given.len() == 2 => {
            let mut given = given.into_iter().map(Box::new);
            let (Some(left), Some(right)) = (given.next(), given.next()) else {
                return Ok(None);
            };
            let op = match name.as_str() {
                "date_add" => BinaryOperator::Plus,
                _ => BinaryOperator::Minus,
            };
            let mut sum = Expr::BinaryOp { left, op, right };
            operators::same(&mut sum, dialect)?;
            Some(Expr::Nested(Box::new(sum)))
        }
        "encode" | "decode"
            if of(&[Postgres]) && given.len() == 2 && literal(&given[1]) == Some("base64") =>
        {
            Some(call(&name, [given[0].clone(), text("base64pad")]))
        }
        "group_concat" | "listagg" => {
            joined_rows(function);
            None
        }
        "avg" if of(&[Postgres, MySql, Snowflake]) => Some(average(function)),
        "avg" if of(&[DuckDb, Sqlite]) => {
            floats(function);
            None
        }
        // Nothing with a null in it has a text there.
        "concat" if of(&[Snowflake, MySql]) => given
            .into_iter()
            .map(|part| match literal(&part) {
                Some(_) => part,
                None => call(udf::TEXT, [part]),
            })
            .reduce(|left, right| Expr::BinaryOp {
                left: Box::new(left),
                op: BinaryOperator::StringConcat,
                right: Box::new(right),
            })
            .map(|all| Expr::Nested(Box::new(all))),
        // It gives rows, not a list.
        "generate_series" if of(&[Postgres]) => {
            let series = Expr::Function(function.clone());
            Some(call("unnest", [series]))
        }
        "concat_ws" if of(&[Snowflake]) => {
            let parts = (0..given.len()).map(|at| format!("as_output({{{}}})", at + 1));
            let nulls = (0..given.len()).map(|at| format!("{{{}}} IS NULL", at + 1));
            let (parts, nulls) = (parts.collect::<Vec<_>>(), nulls.collect::<Vec<_>>());
            let sql = format!(
                "CASE WHEN {} THEN NULL ELSE concat_ws({}) END",
                nulls.join(" OR "),
                parts.join(", ")
            );
            Some(filled(&sql, &given)?)
        }
        "concat" | "concat_ws" => {
            texts(function);
            None
        }
        "greatest" | "least" if of(&[MySql, Snowflake]) => Some(of_all(&name, given)?),
        "max" | "min" if of(&[Sqlite]) && given.len() > 1 => {
            Some(of_all(if name == "max" { "greatest" } else { "least" }, given)?)
        }
        "round" if of(&[Postgres, MySql]) && given.len() == 1 => Some(call(udf::WHOLE, given)),
        "round" if of(&[Sqlite]) => {
            let mut given = given.into_iter();
            let number = given.next().map(float);
            let rounded = call("round", number.into_iter().chain(given));
            // It has no -0.0.
            Some(filled("{1} + 0", &[rounded])?)
        }
        "date_trunc" if of(&[Postgres]) && given.len() == 2 => {
            let mut given = given.into_iter();
            let unit = given.next();
            let time = given.next().map(|time| call(udf::ZONED, [time]));
            Some(call("date_trunc", unit.into_iter().chain(time)))
        }
        "date_trunc" | "date_part" if of(&[Snowflake]) && given.len() == 2 => {
            let unit = match &given[0] {
                Expr::Identifier(unit) => unit.value.to_lowercase(),
                unit => literal(unit).unwrap_or_default().to_lowercase(),
            };
            let time = given[1].clone();
            Some(match (name.as_str(), unit.as_str()) {
                ("date_part", "epoch" | "epoch_second") => {
                    filled("CAST(floor(date_part('epoch', {1})) AS BIGINT)", &[time])?
                }
                // A part of a date is a date.
                ("date_trunc", _) => {
                    let cut = call("date_trunc", [text(&unit), time.clone()]);
                    call(udf::DATE_OF, [cut, time])
                }
                _ => call("date_part", [text(&unit), time]),
            })
        }
        "date_part" if of(&[Postgres]) && given.len() == 2 => {
            Some(meaning::date_part(&given[0], given[1].clone())?)
        }
        "to_char" | "to_varchar" if of(&[Postgres, Snowflake]) && given.len() == 2 => {
            let pattern = letters(&name, &given[1], dialect)?;
            Some(call("to_char", [given[0].clone(), pattern]))
        }
        "to_varchar" | "to_char" if of(&[Snowflake]) && given.len() == 1 => Some(call(udf::TEXT, given)),
        "to_date" if of(&[Postgres, Snowflake]) && given.len() == 2 => {
            let pattern = letters(&name, &given[1], dialect)?;
            Some(call("to_date", [given[0].clone(), pattern]))
        }
        "to_timestamp" if of(&[Postgres]) && given.len() == 2 => {
            let time = read_time(given[0].clone(), letters(&name, &given[1], dialect)?)?;
            Some(filled(&format!("{}({{1}}, 'UTC')", udf::AT_ZONE), &[time])?)
        }
        "date_format" if of(&[MySql]) && given.len() == 2 => {
            let pattern = percents(&name, &given[1])?;
            Some(call("to_char", [time_of_text(given[0].clone()), pattern]))
        }
        "str_to_date" if of(&[MySql]) && given.len() == 2 => {
            let pattern = percents(&name, &given[1])?;
            let has_time = literal(&pattern).is_some_and(patterns::has_time);
            match has_time {
                true => Some(read_time(given[0].clone(), pattern)?),
                false => Some(call("to_date", [given[0].clone(), pattern])),
            }
        }
        "strptime" if of(&[DuckDb]) && given.len() == 2 => {
            Some(read_time(given[0].clone(), given[1].clone())?)
        }
        "json_extract" | "json_extract_path" if of(&[DuckDb, MySql, Postgres]) && given.len() >= 2 => {
            let steps = steps(&given, dialect)?;
            Some(read(given[0].clone(), steps, false))
        }
        "json_extract_string" | "json_value" | "json_extract_path_text" | "jsonb_extract_path_text"
            if given.len() >= 2 =>
        {
            let steps = steps(&given, dialect)?;
            Some(read(given[0].clone(), steps, true))
        }
        "jsonb_extract_path" if given.len() >= 2 => {
            let steps = steps(&given, dialect)?;
            Some(read(given[0].clone(), steps, false))
        }
        "json_unquote" if of(&[MySql]) => given.into_iter().next().map(unquoted),
        "get_path" if of(&[Snowflake]) && given.len() == 2 => {
            Some(read(given[0].clone(), paths::dotted(&given[1])?, false))
        }
        "get" if of(&[Snowflake]) && given.len() == 2 => {
            Some(read(given[0].clone(), vec![given[1].clone()], false))
        }
        "json_length" | "json_array_length" if of(&[MySql, DuckDb]) && given.len() == 2 => {
            let steps = steps(&given, dialect)?;
            Some(call("json_length", given.into_iter().take(1).chain(steps)))
        }
        "floor" | "ceil" if given.len() == 1 => {
            function.name = named(&name);
            Some(call(udf::WHOLE, [Expr::Function(function.clone())]))
        }
        "trunc" if given.len() == 1 => Some(call(udf::WHOLE, [call("trunc", given)])),
        "json_array_length" | "jsonb_array_length" | "json_length" | "array_size" if given.len() == 1 => {
            Some(call("json_length", given))
        }
        "json_agg" | "jsonb_agg" if of(&[Postgres]) => {
            function.name = named("array_agg");
            Some(call(udf::TO_JSON, [Expr::Function(function.clone())]))
        }
        _ => None,
    })
}

/// What stands for a function, with the rows that it is computed over: `filter` and `over`.
fn over_rows(function: &Function, mut written: Expr) -> Result<Expr, String> {
    let is_over = function.over.is_some() || function.filter.is_some();
    if let Expr::Nested(inner) = &mut written
        && let Expr::Function(made) = inner.as_mut()
    {
        made.over = function.over.clone();
        made.filter = function.filter.clone();
        return Ok(written);
    }
    match is_over {
        true => Err(format!(
            "`{}` with FILTER or OVER can't be tried in a dry run",
            function.name
        )),
        false => Ok(written),
    }
}

/// The steps of a path that is given behind JSON: PostgreSQL's are arguments of their own.
fn steps(given: &[Expr], dialect: Dialect) -> Result<Vec<Expr>, String> {
    match dialect {
        Dialect::Postgres => Ok(given[1..].to_vec()),
        _ if given.len() > 2 => Err("more than one path into JSON can't be tried in a dry run".into()),
        _ => paths::dollar(&given[1]),
    }
}

/// A value of JSON, as text.
fn unquoted(expr: Expr) -> Expr {
    read_as_text(&expr).unwrap_or_else(|| call("json_as_text", [expr]))
}

/// A text read as a timestamp.
fn read_time(of: Expr, pattern: Expr) -> Result<Expr, String> {
    let Some(written) = literal(&pattern) else {
        return Err("a pattern that is no text can't be tried in a dry run".into());
    };
    match patterns::has_time(written) {
        true => filled("CAST(to_timestamp({1}, {2}) AS TIMESTAMP)", &[of, pattern]),
        false => filled("CAST(to_date({1}, {2}) AS TIMESTAMP)", &[of, pattern]),
    }
}

fn letters(name: &str, pattern: &Expr, dialect: Dialect) -> Result<Expr, String> {
    match literal(pattern) {
        Some(written) => patterns::of_letters(written, dialect)
            .map(|written| text(&written))
            .map_err(|why| format!("`{name}`: {why}")),
        None => Err(format!(
            "`{name}` with a pattern that is no text can't be tried in a dry run"
        )),
    }
}

fn percents(name: &str, pattern: &Expr) -> Result<Expr, String> {
    match literal(pattern) {
        Some(written) => patterns::of_percents(written)
            .map(|written| text(&written))
            .map_err(|why| format!("`{name}`: {why}")),
        None => Err(format!(
            "`{name}` with a pattern that is no text can't be tried in a dry run"
        )),
    }
}

/// A part of a text.
///
/// # Errors
/// None: its templates can be read.
pub fn part(given: Vec<Expr>, dialect: Dialect) -> Result<Expr, String> {
    match dialect {
        // `substring(text from 'pattern')`: what the pattern finds, or its first group.
        Dialect::Postgres if given.len() == 2 && literal(&given[1]).is_some() => {
            filled("array_element(regexp_match({1}, {2}), 1)", &given)
        }
        Dialect::Postgres => Ok(call("substr", given)),
        _ => Ok(call(udf::PART, given)),
    }
}

/// `avg(x)` as the sum by the number of them, which is a decimal where no float is.
fn average(function: &Function) -> Expr {
    let of = |name: &str| {
        Expr::Function(Function {
            name: named(name),
            ..function.clone()
        })
    };
    let number = cast(
        of("count"),
        DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 0)),
    );
    call(udf::DIVIDED, [of("sum"), number])
}

/// Changes each argument of a function.
fn each(function: &mut Function, change: impl Fn(Expr) -> Expr) {
    if let FunctionArguments::List(list) = &mut function.args {
        for argument in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                *expr = change(expr.clone());
            }
        }
    }
}

fn floats(function: &mut Function) {
    each(function, float);
}

fn texts(function: &mut Function) {
    each(function, |part| match literal(&part) {
        Some(_) => part,
        None => call(udf::OUTPUT, [part]),
    });
}

fn numbered(function: &mut Function) {
    let is_sum = matches!(function.name.to_string().to_lowercase().as_str(), "sum" | "avg");
    each(function, |mut argument| {
        truth::numbered(&mut argument);
        match is_sum {
            // A column may be true or not, too.
            true => call(udf::NUMBER, [argument]),
            false => argument,
        }
    });
}

/// The greatest or least of values, null where one is.
fn of_all(name: &str, given: Vec<Expr>) -> Result<Expr, String> {
    let is_null = (1..=given.len()).map(|at| format!("{{{at}}} IS NULL"));
    let all = (1..=given.len()).map(|at| format!("{{{at}}}"));
    let (is_null, all) = (
        is_null.collect::<Vec<_>>().join(" OR "),
        all.collect::<Vec<_>>().join(", "),
    );
    filled(
        &format!("CASE WHEN {is_null} THEN NULL ELSE {name}({all}) END"),
        &given,
    )
}

/// `group_concat(x separator '-')` and `listagg(x, '-') within group (order by x)` as `string_agg(x, '-' order by x)`.
fn joined_rows(function: &mut Function) {
    function.name = named("string_agg");
    let by = std::mem::take(&mut function.within_group);
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let mut separator = None;
    list.clauses.retain(|clause| match clause {
        FunctionArgumentClause::Separator(given) => {
            separator = Some(value(given.value.clone()));
            false
        }
        _ => true,
    });
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
        && literal(first).is_none()
    {
        *first = call(udf::TEXT, [first.clone()]);
    }
    if list.args.len() == 1 {
        let separator = separator.unwrap_or_else(|| text(","));
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(separator)));
    }
    if !by.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(by));
    }
}
