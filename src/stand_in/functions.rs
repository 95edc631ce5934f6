//! Functions of other databases, by those that the staging database has. The page of the docs is made of this table, and the tests
//! run the example of each entry.

use sequor_planner::Dialect::{self, DuckDb, MySql, Postgres, Snowflake, Sqlite};

/// A function that is called otherwise here, or written otherwise.
pub struct Mapping {
    pub dialects: &'static [Dialect],
    pub name: &'static str,
    /// How many arguments it has; none: any number.
    pub arguments: Option<usize>,
    pub here: Here,
    /// A query, and the text of its only value: for the docs and their test.
    #[cfg_attr(not(test), allow(dead_code))]
    pub example: (&'static str, &'static str),
}

/// What stands for a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Here {
    /// Another name.
    As(&'static str),
    /// SQL, with `{1}` for the first argument.
    Sql(&'static str),
    /// Something that is added to a time: which of its arguments are the unit, the number and the time.
    Add(usize, usize, usize),
    /// The boundaries between two times: which of its arguments are the unit, the earlier and the later time.
    Between(usize, usize, usize),
    /// Nothing: why.
    Missing(&'static str),
}

use Here::{Add, As, Between, Missing, Sql};

const fn map(
    dialects: &'static [Dialect],
    name: &'static str,
    arguments: Option<usize>,
    here: Here,
    example: (&'static str, &'static str),
) -> Mapping {
    Mapping {
        dialects,
        name,
        arguments,
        here,
        example,
    }
}

/// All functions that are not the same here, in the order of their names.
// A function a line.
#[rustfmt::skip]
pub static MAPPINGS: &[Mapping] = &[
    map(&[Postgres], "age", None, Missing("it gives months and days, which are no number"), ("", "")),
    map(&[DuckDb], "arg_max", None, Missing("write it with row_number()"), ("", "")),
    map(&[Snowflake], "charindex", Some(2), Sql("strpos({2}, {1})"), ("select charindex('c', 'abc')", "3")),
    map(&[Snowflake, DuckDb], "contains", Some(2), Sql("(strpos({1}, {2}) > 0)"), ("select contains('abc', 'bc')", "true")),
    map(&[Snowflake, DuckDb], "count_if", Some(1), Sql("count(CASE WHEN {1} THEN 1 END)"), ("select count_if(n > 1) from (select 1 as n union all select 2 union all select 3) t", "2")),
    map(&[MySql], "curdate", Some(0), Sql("current_date"), ("select curdate() = current_date", "true")),
    map(&[MySql], "date_add", Some(2), Sql("({1} + {2})"), ("select cast(date_add(cast('2024-01-30' as date), interval 2 day) as char)", "2024-02-01")),
    map(&[MySql], "date_sub", Some(2), Sql("({1} - {2})"), ("select cast(date_sub(cast('2024-03-01' as date), interval 1 day) as char)", "2024-02-29")),
    map(&[Snowflake], "dateadd", Some(3), Add(0, 1, 2), ("select dateadd(month, 2, '2024-01-15'::date)::date::varchar", "2024-03-15")),
    map(&[MySql], "datediff", Some(2), Sql("CAST((date_part('epoch', CAST({1} AS DATE)) - date_part('epoch', CAST({2} AS DATE))) / 86400 AS BIGINT)"), ("select datediff('2024-03-01', '2024-02-01')", "29")),
    map(&[Snowflake, DuckDb], "datediff", Some(3), Between(0, 1, 2), ("select datediff('month', '2024-01-31'::date, '2024-03-01'::date)", "2")),
    map(&[DuckDb], "date_diff", Some(3), Between(0, 1, 2), ("select date_diff('day', '2023-12-31'::date, '2024-01-02'::date)", "2")),
    map(&[MySql, Snowflake, DuckDb], "day", Some(1), Sql("date_part('day', {1})"), ("select day(cast('2024-05-06' as date))", "6")),
    map(&[MySql, Snowflake, DuckDb], "dayofmonth", Some(1), Sql("date_part('day', {1})"), ("select dayofmonth(cast('2024-05-06' as date))", "6")),
    map(&[Snowflake], "div0", Some(2), Sql("CASE WHEN {2} = 0 THEN 0 ELSE {1} * 1.0 / {2} END"), ("select div0(1, 0)::int", "0")),
    map(&[DuckDb], "epoch", Some(1), Sql("date_part('epoch', {1})"), ("select epoch('1970-01-02'::timestamp)::bigint", "86400")),
    map(&[Snowflake], "equal_null", Some(2), Sql("({1} IS NOT DISTINCT FROM {2})"), ("select equal_null(null, null)", "true")),
    map(&[MySql, DuckDb, Snowflake], "hour", Some(1), Sql("date_part('hour', {1})"), ("select hour(cast('2024-05-06 07:08:09' as datetime))", "7")),
    map(&[MySql], "if", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select if(1 > 2, 'a', 'b')", "b")),
    map(&[Snowflake], "iff", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select iff(1 > 2, 'a', 'b')", "b")),
    map(&[MySql, Snowflake, DuckDb, Sqlite], "ifnull", Some(2), As("coalesce"), ("select ifnull(null, 'x')", "x")),
    map(&[Sqlite], "iif", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select iif(1 > 2, 'a', 'b')", "b")),
    map(&[MySql], "instr", Some(2), As("strpos"), ("select instr('abc', 'c')", "3")),
    map(&[MySql], "isnull", Some(1), Sql("({1} IS NULL)"), ("select isnull(1)", "false")),
    map(&[MySql], "lcase", Some(1), As("lower"), ("select lcase('AbC')", "abc")),
    map(&[Snowflake, DuckDb], "len", Some(1), As("length"), ("select len('abc')", "3")),
    map(&[Snowflake], "listagg", Some(2), As("string_agg"), ("select listagg(x, '-') from (select 'a' as x) t", "a")),
    map(&[MySql], "locate", Some(2), Sql("strpos({2}, {1})"), ("select locate('c', 'abc')", "3")),
    map(&[MySql, Snowflake, DuckDb], "minute", Some(1), Sql("date_part('minute', {1})"), ("select minute(cast('2024-05-06 07:08:09' as datetime))", "8")),
    map(&[MySql, DuckDb, Snowflake, Postgres], "mod", Some(2), Sql("({1} % {2})"), ("select mod(7, 4)", "3")),
    map(&[MySql, Snowflake, DuckDb], "month", Some(1), Sql("date_part('month', {1})"), ("select month(cast('2024-05-06' as date))", "5")),
    map(&[Snowflake], "nullifzero", Some(1), Sql("nullif({1}, 0)"), ("select coalesce(nullifzero(0), 5)", "5")),
    map(&[Snowflake], "nvl", Some(2), As("coalesce"), ("select nvl(null, 'x')", "x")),
    map(&[Snowflake], "nvl2", Some(3), Sql("CASE WHEN {1} IS NOT NULL THEN {2} ELSE {3} END"), ("select nvl2(1, 'a', 'b')", "a")),
    map(&[MySql, Snowflake, DuckDb], "quarter", Some(1), Sql("date_part('quarter', {1})"), ("select quarter(cast('2024-05-06' as date))", "2")),
    map(&[DuckDb], "regexp_matches", Some(2), As("regexp_like"), ("select regexp_matches('abc', 'b.')", "true")),
    map(&[MySql, Snowflake, DuckDb], "second", Some(1), Sql("date_part('second', {1})"), ("select cast(second(cast('2024-05-06 07:08:09' as datetime)) as decimal(4,0))", "9")),
    map(&[Snowflake], "square", Some(1), Sql("({1} * {1})"), ("select square(3)::int", "9")),
    map(&[DuckDb], "strftime", Some(2), As("to_char"), ("select strftime('2024-05-06'::date, '%Y/%m')", "2024/05")),
    map(&[DuckDb], "today", Some(0), Sql("current_date"), ("select today() = current_date", "true")),
    map(&[MySql], "truncate", Some(2), As("trunc"), ("select truncate(2.789, 1) = 2.7", "true")),
    map(&[Snowflake], "try_to_number", Some(1), Sql("TRY_CAST({1} AS DECIMAL(38,0))"), ("select coalesce(try_to_number('x'), 4)", "4")),
    map(&[MySql], "ucase", Some(1), As("upper"), ("select ucase('AbC')", "ABC")),
    map(&[MySql], "unix_timestamp", Some(1), Sql("CAST(date_part('epoch', {1}) AS BIGINT)"), ("select unix_timestamp(cast('1970-01-02' as date)) > 0", "true")),
    map(&[MySql, Snowflake, DuckDb], "year", Some(1), Sql("date_part('year', {1})"), ("select year(cast('2024-05-06' as date))", "2024")),
    map(&[Snowflake], "zeroifnull", Some(1), Sql("coalesce({1}, 0)"), ("select zeroifnull(null)", "0")),
];

/// Returns what stands for a function.
pub fn mapping(dialect: Dialect, name: &str, arguments: usize) -> Option<&'static Mapping> {
    MAPPINGS.iter().find(|mapping| {
        mapping.name == name
            && mapping.dialects.contains(&dialect)
            && mapping.arguments.is_none_or(|wanted| wanted == arguments)
    })
}

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

/// Returns the SQL that stands for a function, its arguments put in.
///
/// # Errors
/// What can't be done here, in words.
pub fn written(mapping: &Mapping, arguments: &[String]) -> Result<Option<String>, String> {
    let argument = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    let unit = |at: usize| {
        let given = argument(at).trim_matches('\'').to_lowercase();
        let known = UNITS.iter().find(|(name, _)| *name == given);
        known
            .map(|(_, unit)| *unit)
            .ok_or_else(|| format!("`{}` by `{given}` can't be tried in a dry run", mapping.name))
    };
    // A text is a time here where one is meant.
    let time = |at: usize| match argument(at).starts_with('\'') {
        true => format!("CAST({} AS TIMESTAMP)", argument(at)),
        false => argument(at).to_string(),
    };
    Ok(Some(match mapping.here {
        As(_) => return Ok(None),
        Missing(why) => return Err(format!("`{}` can't be tried in a dry run: {why}", mapping.name)),
        Sql(template) => {
            let mut text = template.to_string();
            for (at, argument) in arguments.iter().enumerate() {
                text = text.replace(&format!("{{{}}}", at + 1), argument);
            }
            text
        }
        Add(of_unit, number, of_time) => {
            let (unit, times) = match unit(of_unit)? {
                "quarter" => ("month", "3 * "),
                other => (other, ""),
            };
            format!(
                "({} + CAST(concat(CAST({times}({}) AS text), ' {unit}') AS INTERVAL))",
                time(of_time),
                argument(number)
            )
        }
        Between(of_unit, from, to) => {
            let of = |part: &str, at: usize| format!("date_part('{part}', {})", time(at));
            let boundaries = |seconds: u32, at: usize| format!("floor({} / {seconds})", of("epoch", at));
            let whole = |at: usize| match unit(of_unit).unwrap_or_default() {
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
            unit(of_unit)?;
            format!("CAST({} - {} AS BIGINT)", whole(to), whole(from))
        }
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use futures::StreamExt;

    use super::*;
    use crate::sources::database::Database;
    use crate::staging::{Memory, Staging};
    use crate::stand_in::division;
    use crate::stand_in::names::Names;
    use crate::stand_in::sql::translate;

    async fn value(staging: &Staging, sql: &str) -> String {
        let mut rows = staging
            .query(sql)
            .await
            .map_err(|e| format!("{sql}: {e}"))
            .unwrap();
        let batch = rows.batches.next().await.unwrap().unwrap();
        let options = FormatOptions::default();
        ArrayFormatter::try_new(batch.column(0).as_ref(), &options)
            .unwrap()
            .value(0)
            .to_string()
    }

    #[tokio::test]
    async fn each_example_gives_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::open_folder_with(folder.path(), &Memory::new(None, None)).unwrap();
        let staging = staging.with_function(division::function()).unwrap();
        for mapping in MAPPINGS {
            for dialect in mapping.dialects {
                let (sql, gives) = mapping.example;
                if let Missing(_) = mapping.here {
                    let call = format!("select {}(a, b) from t", mapping.name);
                    assert!(
                        translate(&call, &Names::new(*dialect, None, None)).is_err(),
                        "{call}"
                    );
                    continue;
                }
                let sql = translate(sql, &Names::new(*dialect, None, None))
                    .map_err(|e| format!("{sql}: {e}"))
                    .unwrap()
                    .sql;
                assert_eq!(value(&staging, &sql).await, gives, "{dialect:?}: {sql}");
            }
        }
    }

    #[test]
    fn the_page_of_the_docs_is_made_of_the_table() {
        let mut page = String::from(
            "# Functions of other databases in a dry run\n\nA dry run computes with DataFusion. Functions that have the same name and meaning there need nothing; these are\nwritten otherwise, or can't be tried. The page is made of the table that does it, and each example is run by a test.\n\n| function | of | in a dry run | example | gives |\n|---|---|---|---|---|\n",
        );
        for mapping in MAPPINGS {
            let dialects: Vec<String> = mapping
                .dialects
                .iter()
                .map(|dialect| format!("{dialect:?}"))
                .collect();
            let here = match mapping.here {
                As(name) => format!("`{name}`"),
                Sql(sql) => format!("`{}`", sql.replace('|', "\\|")),
                Add(..) => "an interval that is added".to_string(),
                Between(..) => "the boundaries between".to_string(),
                Missing(why) => format!("can't be tried: {why}"),
            };
            let (sql, gives) = mapping.example;
            let example = if sql.is_empty() {
                String::new()
            } else {
                format!("`{sql}`")
            };
            page.push_str(&format!(
                "| `{}` | {} | {here} | {example} | {gives} |\n",
                mapping.name,
                dialects.join(", ")
            ));
        }
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dry-run-functions.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, &page).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(file).unwrap_or_default(),
            page,
            "UPDATE_DOCS=1 writes it anew"
        );
    }
}
