//! What stands for the call of a function, by the table of functions.

use sqlparser::ast::Expr;

use super::functions::Here::{Add, As, Between, Elapsed, Missing, Sql};
use super::functions::Mapping;
use super::tree::{filled, literal};

/// Units of time by their names, with how they are counted.
const UNITS: &[(&str, &str)] = &[
    ("year", "year"),
    ("years", "year"),
    ("yy", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("months", "month"),
    ("mm", "month"),
    ("week", "week"),
    ("weeks", "week"),
    ("day", "day"),
    ("days", "day"),
    ("dd", "day"),
    ("hour", "hour"),
    ("hours", "hour"),
    ("hh", "hour"),
    ("minute", "minute"),
    ("minutes", "minute"),
    ("second", "second"),
    ("seconds", "second"),
];

/// Returns what stands for a function, its arguments put in.
///
/// # Errors
/// What can't be done here, in words.
pub fn written(mapping: &Mapping, arguments: &[Expr]) -> Result<Expr, String> {
    let unit = |at: usize| {
        let given = arguments.get(at).map(ToString::to_string).unwrap_or_default();
        let given = given.trim_matches(['\'', '"']).to_lowercase();
        let known = UNITS.iter().find(|(name, _)| *name == given);
        known
            .map(|(_, unit)| *unit)
            .ok_or_else(|| format!("`{}` by `{given}` can't be tried in a dry run", mapping.name))
    };
    // A text is a time here where one is meant.
    let time = |at: usize| match arguments.get(at).and_then(literal) {
        Some(_) => format!("CAST({{{}}} AS TIMESTAMP)", at + 1),
        None => format!("{{{}}}", at + 1),
    };
    let sql = match mapping.here {
        As(name) => format!("{name}()"),
        Missing(why) => return Err(format!("`{}` can't be tried in a dry run: {why}", mapping.name)),
        Sql(template) => template.to_string(),
        Add(of_unit, number, of_time) => {
            let (unit, times) = match unit(of_unit)? {
                "quarter" => ("month", "3 * "),
                other => (other, ""),
            };
            let time = match unit {
                "hour" | "minute" | "second" => format!("as_moment({})", time(of_time)),
                _ => time(of_time),
            };
            let number = number + 1;
            format!("{time} + CAST(concat(CAST({times}{{{number}}} AS text), ' {unit}') AS INTERVAL)")
        }
        Between(of_unit, from, to) => {
            let of = |part: &str, at: usize| format!("date_part('{part}', {})", time(at));
            let boundaries = |seconds: u32, at: usize| format!("floor({} / {seconds})", of("epoch", at));
            let of_unit = unit(of_unit)?;
            let whole = |at: usize| match of_unit {
                "year" => of("year", at),
                "quarter" => format!("({} * 4 + {})", of("year", at), of("quarter", at)),
                "month" => format!("({} * 12 + {})", of("year", at), of("month", at)),
                // Weeks begin on a Monday, and the first day of 1970 was a Thursday.
                "week" => format!("floor(({} + 259200) / 604800)", of("epoch", at)),
                "day" => boundaries(86_400, at),
                "hour" => boundaries(3600, at),
                "minute" => boundaries(60, at),
                _ => boundaries(1, at),
            };
            format!("CAST({} - {} AS BIGINT)", whole(to), whole(from))
        }
        Elapsed(of_unit, from, to) => {
            let (from, to) = (time(from), time(to));
            let epoch = |time: &str| format!("date_part('epoch', {time})");
            let seconds = |seconds: u32| {
                format!(
                    "CAST(trunc(({} - {}) / {seconds}) AS BIGINT)",
                    epoch(&to),
                    epoch(&from)
                )
            };
            let months = |per: u32| {
                let number =
                    |time: &str| format!("(date_part('year', {time}) * 12 + date_part('month', {time}))");
                // How far into its month a time is.
                let into = |time: &str| {
                    format!(
                        "({} - date_part('epoch', date_trunc('month', {time})))",
                        epoch(time)
                    )
                };
                let (between, first, last) = (
                    format!("({} - {})", number(&to), number(&from)),
                    into(&from),
                    into(&to),
                );
                format!(
                    "CAST(trunc(({between} - CASE WHEN {between} > 0 AND {last} < {first} THEN 1 \
                     WHEN {between} < 0 AND {last} > {first} THEN -1 ELSE 0 END) / {per}.0) AS BIGINT)"
                )
            };
            match unit(of_unit)? {
                "year" => months(12),
                "quarter" => months(3),
                "month" => months(1),
                "week" => seconds(604_800),
                "day" => seconds(86_400),
                "hour" => seconds(3600),
                "minute" => seconds(60),
                _ => seconds(1),
            }
        }
    };
    filled(&sql, arguments)
}
