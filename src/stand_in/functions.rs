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
    /// The whole units that passed between two times: which of its arguments are the unit, the earlier and the later time.
    Elapsed(usize, usize, usize),
    /// Nothing: why.
    Missing(&'static str),
}

use Here::{Add, As, Between, Elapsed, Missing, Sql};

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
    map(&[MySql], "adddate", Some(2), Sql("CAST({1} AS DATE) + CAST(concat(CAST({2} AS text), ' days') AS INTERVAL)"), ("select cast(adddate(cast('2024-02-28' as date), 2) as char)", "2024-03-01")),
    map(&[Postgres], "age", None, Missing("it gives months and days, which are no number"), ("", "")),
    map(&[DuckDb], "arg_max", Some(2), Sql("first_value({1} ORDER BY {2} DESC NULLS LAST)"), ("select arg_max(n, x) from (select 'p' as n, 1 as x union all select 'q', 2) t", "q")),
    map(&[DuckDb], "arg_min", Some(2), Sql("first_value({1} ORDER BY {2} ASC NULLS LAST)"), ("select arg_min(n, x) from (select 'p' as n, 1 as x union all select 'q', 2) t", "p")),
    map(&[Snowflake], "array_construct", None, As("json_array_of"), ("select get(array_construct(5, 6), 0)::int", "5")),
    map(&[Snowflake], "bitand", Some(2), Sql("{1} & {2}"), ("select bitand(5, 3)", "1")),
    map(&[Snowflake], "bitor", Some(2), Sql("{1} | {2}"), ("select bitor(5, 3)", "7")),
    map(&[Snowflake], "bitxor", Some(2), Sql("{1} # {2}"), ("select bitxor(5, 3)", "6")),
    map(&[Postgres, MySql, DuckDb, Snowflake], "ceiling", Some(1), Sql("as_whole(ceil({1}))"), ("select ceiling(-2.1) = -2", "true")),
    map(&[Snowflake], "charindex", Some(2), Sql("strpos({2}, {1})"), ("select charindex('c', 'abc')", "3")),
    map(&[Postgres], "clock_timestamp", Some(0), As("now"), ("select clock_timestamp() >= now()", "true")),
    map(&[Snowflake, DuckDb], "contains", Some(2), Sql("(strpos({1}, {2}) > 0)"), ("select contains('abc', 'bc')", "true")),
    map(&[Snowflake], "convert_timezone", Some(3), Sql("at_zone(at_zone(CAST({3} AS TIMESTAMP), {1}), {2})"), ("select to_char(convert_timezone('UTC', 'America/New_York', '2024-03-05 10:00:00'::timestamp_ntz), 'YYYY-MM-DD HH24:MI:SS')", "2024-03-05 05:00:00")),
    map(&[MySql], "convert_tz", Some(3), Sql("at_zone(at_zone(CAST({1} AS TIMESTAMP), {2}), {3})"), ("select cast(convert_tz('2024-03-05 10:00:00', '+00:00', '+02:00') as char)", "2024-03-05 12:00:00")),
    map(&[Snowflake, DuckDb], "count_if", Some(1), Sql("count(CASE WHEN {1} THEN 1 END)"), ("select count_if(n > 1) from (select 1 as n union all select 2 union all select 3) t", "2")),
    map(&[MySql], "curdate", Some(0), Sql("current_date"), ("select curdate() = current_date", "true")),
    map(&[MySql], "current_timestamp", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select current_timestamp() is null", "false")),
    map(&[MySql], "date", Some(1), Sql("CAST({1} AS DATE)"), ("select cast(date('2024-03-05 10:20:30') as char)", "2024-03-05")),
    map(&[DuckDb], "date_add", Some(2), Sql("as_moment({1}) + {2}"), ("select date_add(date '2024-01-31', interval 1 month)::varchar", "2024-02-29 00:00:00")),
    map(&[DuckDb], "date_diff", Some(3), Between(0, 1, 2), ("select date_diff('day', '2023-12-31'::date, '2024-01-02'::date)", "2")),
    map(&[Snowflake], "date_from_parts", Some(3), As("make_date"), ("select date_from_parts(2024, 3, 5)::varchar", "2024-03-05")),
    map(&[DuckDb], "date_sub", Some(3), Elapsed(0, 1, 2), ("select date_sub('month', '2024-01-31'::date, '2024-03-01'::date)", "1")),
    map(&[Snowflake], "dateadd", Some(3), Add(0, 1, 2), ("select dateadd(month, 2, '2024-01-15'::date)::date::varchar", "2024-03-15")),
    map(&[MySql], "datediff", Some(2), Sql("CAST((date_part('epoch', CAST({1} AS DATE)) - date_part('epoch', CAST({2} AS DATE))) / 86400 AS BIGINT)"), ("select datediff('2024-03-01', '2024-02-01')", "29")),
    map(&[Snowflake, DuckDb], "datediff", Some(3), Between(0, 1, 2), ("select datediff('month', '2024-01-31'::date, '2024-03-01'::date)", "2")),
    map(&[DuckDb], "datesub", Some(3), Elapsed(0, 1, 2), ("select datesub('year', '2023-12-31'::date, '2024-12-30'::date)", "0")),
    map(&[MySql, Snowflake, DuckDb], "day", Some(1), Sql("date_part('day', {1})"), ("select day(cast('2024-05-06' as date))", "6")),
    map(&[MySql, DuckDb], "dayname", Some(1), Sql("to_char({1}, '%A')"), ("select dayname(cast('2024-03-05' as date))", "Tuesday")),
    map(&[Snowflake], "dayname", Some(1), Sql("to_char({1}, '%a')"), ("select dayname('2024-03-05'::date)", "Tue")),
    map(&[MySql, Snowflake, DuckDb], "dayofmonth", Some(1), Sql("date_part('day', {1})"), ("select dayofmonth(cast('2024-05-06' as date))", "6")),
    map(&[DuckDb, Snowflake], "dayofweek", Some(1), Sql("date_part('dow', {1})"), ("select dayofweek('2024-03-05'::date)", "2")),
    map(&[MySql], "dayofweek", Some(1), Sql("date_part('dow', {1}) + 1"), ("select dayofweek(cast('2024-03-05' as date))", "3")),
    map(&[MySql, Snowflake], "dayofyear", Some(1), Sql("date_part('doy', {1})"), ("select dayofyear(cast('2024-03-05' as date))", "65")),
    map(&[Snowflake], "decode", None, Missing("write it with CASE"), ("", "")),
    map(&[Postgres], "div", Some(2), Sql("CAST(trunc({1} / CAST({2} AS DOUBLE PRECISION)) AS BIGINT)"), ("select div(-7, 2)", "-3")),
    map(&[Snowflake], "div0", Some(2), Sql("CASE WHEN {2} = 0 THEN 0 ELSE divided_by({1}, {2}) END"), ("select div0(6, 4) = 1.5", "true")),
    map(&[Snowflake], "editdistance", Some(2), As("levenshtein"), ("select editdistance('abc', 'abd')", "1")),
    map(&[MySql], "elt", None, Missing("write it with CASE"), ("", "")),
    map(&[Snowflake], "endswith", Some(2), As("ends_with"), ("select endswith('abc', 'bc')", "true")),
    map(&[DuckDb], "epoch", Some(1), Sql("date_part('epoch', {1})"), ("select epoch('1970-01-02'::timestamp)::bigint", "86400")),
    map(&[DuckDb], "epoch_ms", Some(1), Sql("CAST(date_part('epoch', {1}) * 1000 AS BIGINT)"), ("select epoch_ms(timestamp '1970-01-01 00:00:01')", "1000")),
    map(&[Snowflake], "equal_null", Some(2), Sql("({1} IS NOT DISTINCT FROM {2})"), ("select equal_null(null, null)", "true")),
    map(&[Postgres], "every", Some(1), As("bool_and"), ("select every(x > 0) from (select 1 as x) t", "true")),
    map(&[MySql], "field", None, Missing("write it with CASE"), ("", "")),
    map(&[DuckDb], "first", Some(1), As("first_value"), ("select first(x) from (select 5 as x) t", "5")),
    map(&[DuckDb], "format", None, Missing("it has no counterpart"), ("", "")),
    map(&[MySql], "format", None, Missing("it has no counterpart"), ("", "")),
    map(&[Postgres], "format", None, Missing("it has no counterpart"), ("", "")),
    map(&[Snowflake], "getdate", Some(0), As("now"), ("select getdate() is null", "false")),
    map(&[MySql], "hex", None, Missing("it has no counterpart"), ("", "")),
    map(&[MySql, DuckDb, Snowflake], "hour", Some(1), Sql("date_part('hour', {1})"), ("select hour(cast('2024-05-06 07:08:09' as datetime))", "7")),
    map(&[MySql], "if", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select if(1 > 2, 'a', 'b')", "b")),
    map(&[Snowflake], "iff", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select iff(1 > 2, 'a', 'b')", "b")),
    map(&[MySql, Snowflake, DuckDb, Sqlite], "ifnull", Some(2), As("coalesce"), ("select ifnull(null, 'x')", "x")),
    map(&[Sqlite], "iif", Some(3), Sql("CASE WHEN {1} THEN {2} ELSE {3} END"), ("select iif(1 > 2, 'a', 'b')", "b")),
    map(&[MySql], "instr", Some(2), As("strpos"), ("select instr('abc', 'c')", "3")),
    map(&[MySql], "isnull", Some(1), Sql("({1} IS NULL)"), ("select isnull(1)", "false")),
    map(&[MySql], "json_array", None, As("json_array_of"), ("select json_value(json_array('x', 1), '$[0]')", "x")),
    map(&[Postgres], "json_build_array", None, As("json_array_of"), ("select json_build_array('a', 1) ->> 0", "a")),
    map(&[Postgres], "json_build_object", None, As("json_object_of"), ("select json_build_object('a', 1) ->> 'a'", "1")),
    map(&[MySql], "json_contains", None, Missing("what it looks for is JSON, where DataFusion's looks for a name"), ("", "")),
    map(&[DuckDb], "json_object", None, As("json_object_of"), ("select json_object('a', 1) ->> 'a'", "1")),
    map(&[DuckDb], "json_array", None, As("json_array_of"), ("select json_array('x', 1) ->> '$[0]'", "x")),
    map(&[MySql], "json_object", None, As("json_object_of"), ("select json_value(json_object('a', 1), '$.a')", "1")),
    map(&[Postgres], "jsonb_build_array", None, As("json_array_of"), ("select jsonb_build_array('a', 1) ->> 0", "a")),
    map(&[Postgres], "jsonb_build_object", None, As("json_object_of"), ("select jsonb_build_object('a', 1) ->> 'a'", "1")),
    map(&[Postgres], "jsonb_set", None, Missing("it has no counterpart"), ("", "")),
    map(&[DuckDb], "last", Some(1), As("last_value"), ("select last(x) from (select 5 as x) t", "5")),
    map(&[MySql, DuckDb, Snowflake], "last_day", Some(1), Sql("CAST(date_trunc('month', {1}) + INTERVAL '1 month' - INTERVAL '1 day' AS DATE)"), ("select last_day(cast('2024-02-05' as date)) = cast('2024-02-29' as date)", "true")),
    map(&[MySql], "lcase", Some(1), As("lower"), ("select lcase('AbC')", "abc")),
    map(&[DuckDb], "len", Some(1), As("length_of"), ("select len('abc')", "3")),
    map(&[Snowflake], "len", Some(1), As("length"), ("select len('abc')", "3")),
    map(&[MySql], "length", Some(1), As("octet_length"), ("select length('é')", "2")),
    map(&[DuckDb], "list", Some(1), As("array_agg"), ("select list(x)[1] from (select 5 as x) t", "5")),
    map(&[DuckDb], "list_value", None, As("make_array"), ("select list_value(1, 2)[1]", "1")),
    map(&[MySql], "localtimestamp", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select localtimestamp() is null", "false")),
    map(&[MySql], "locate", Some(2), Sql("strpos({2}, {1})"), ("select locate('c', 'abc')", "3")),
    map(&[MySql], "log", Some(1), As("ln"), ("select round(log(10), 3)", "2.303")),
    map(&[Postgres], "make_timestamp", Some(6), Sql("CAST(make_date({1}, {2}, {3}) AS TIMESTAMP) + CAST(concat(CAST({4} AS text), ' hours ', CAST({5} AS text), ' minutes ', CAST({6} AS text), ' seconds') AS INTERVAL)"), ("select make_timestamp(2024, 3, 5, 10, 20, 30.5)::text", "2024-03-05 10:20:30.5")),
    map(&[MySql], "makedate", Some(2), Sql("make_date({1}, 1, 1) + CAST(concat(CAST({2} - 1 AS text), ' days') AS INTERVAL)"), ("select cast(makedate(2024, 60) as char)", "2024-02-29")),
    map(&[DuckDb, Snowflake], "max_by", Some(2), Sql("first_value({1} ORDER BY {2} DESC NULLS LAST)"), ("select max_by(n, x) from (select 'p' as n, 1 as x union all select 'q', 2) t", "q")),
    map(&[DuckDb, Snowflake], "min_by", Some(2), Sql("first_value({1} ORDER BY {2} ASC NULLS LAST)"), ("select min_by(n, x) from (select 'p' as n, 1 as x union all select 'q', 2) t", "p")),
    map(&[MySql, Snowflake, DuckDb], "minute", Some(1), Sql("date_part('minute', {1})"), ("select minute(cast('2024-05-06 07:08:09' as datetime))", "8")),
    map(&[MySql, DuckDb, Snowflake, Postgres], "mod", Some(2), Sql("({1} % {2})"), ("select mod(7, 4)", "3")),
    map(&[DuckDb], "mode", None, Missing("it has no counterpart"), ("", "")),
    map(&[Postgres], "mode", None, Missing("it has no counterpart"), ("", "")),
    map(&[MySql, Snowflake, DuckDb], "month", Some(1), Sql("date_part('month', {1})"), ("select month(cast('2024-05-06' as date))", "5")),
    map(&[MySql, DuckDb], "monthname", Some(1), Sql("to_char({1}, '%B')"), ("select monthname(cast('2024-03-05' as date))", "March")),
    map(&[Snowflake], "monthname", Some(1), Sql("to_char({1}, '%b')"), ("select monthname('2024-03-05'::date)", "Mar")),
    map(&[MySql], "now", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select now() is null", "false")),
    map(&[Snowflake], "nullifzero", Some(1), Sql("nullif({1}, 0)"), ("select coalesce(nullifzero(0), 5)", "5")),
    map(&[Snowflake], "nvl", Some(2), As("coalesce"), ("select nvl(null, 'x')", "x")),
    map(&[Snowflake], "nvl2", Some(3), Sql("CASE WHEN {1} IS NOT NULL THEN {2} ELSE {3} END"), ("select nvl2(1, 'a', 'b')", "a")),
    map(&[Snowflake], "object_construct", None, Missing("it leaves out what is null"), ("", "")),
    map(&[Snowflake], "parse_json", Some(1), As("as_json"), ("select parse_json('{\"a\": 1}'):a::int", "1")),
    map(&[Postgres], "percentile_disc", None, Missing("it has no counterpart"), ("", "")),
    map(&[Snowflake], "position", Some(2), Sql("strpos({2}, {1})"), ("select position('c', 'abc')", "3")),
    map(&[DuckDb], "prefix", Some(2), As("starts_with"), ("select prefix('abc', 'ab')", "true")),
    map(&[DuckDb], "printf", None, Missing("it has no counterpart"), ("", "")),
    map(&[DuckDb], "quantile_disc", None, Missing("it has no counterpart"), ("", "")),
    map(&[MySql, Snowflake, DuckDb], "quarter", Some(1), Sql("date_part('quarter', {1})"), ("select quarter(cast('2024-05-06' as date))", "2")),
    map(&[DuckDb], "regexp_extract", Some(2), Sql("coalesce(array_element(regexp_match({1}, concat('(', {2}, ')')), 1), '')"), ("select regexp_extract('a12b', '[0-9]+')", "12")),
    map(&[DuckDb], "regexp_extract", Some(3), Sql("coalesce(array_element(regexp_match({1}, {2}), {3}), '')"), ("select regexp_extract('foo123', '([a-z]+)([0-9]+)', 2)", "123")),
    map(&[DuckDb], "regexp_full_match", Some(2), Sql("regexp_like({1}, concat('^(', {2}, ')$'))"), ("select regexp_full_match('abc', 'b')", "false")),
    map(&[Snowflake], "regexp_like", Some(2), Sql("regexp_like({1}, concat('^(', {2}, ')$'))"), ("select regexp_like('abc', 'a.*')", "true")),
    map(&[DuckDb], "regexp_matches", Some(2), As("regexp_like"), ("select regexp_matches('abc', 'b.')", "true")),
    map(&[MySql, Snowflake], "regexp_replace", Some(3), Sql("regexp_replace({1}, {2}, {3}, 'g')"), ("select regexp_replace('a1b22', '[0-9]+', '#')", "a#b#")),
    map(&[Postgres], "regexp_split_to_array", None, Missing("it has no counterpart"), ("", "")),
    map(&[Postgres, MySql, Snowflake], "regexp_substr", Some(2), Sql("array_element(regexp_match({1}, concat('(', {2}, ')')), 1)"), ("select regexp_substr('a12b', '[0-9]+')", "12")),
    map(&[Postgres], "row_to_json", None, Missing("name its columns: json_build_object('a', a)"), ("", "")),
    map(&[MySql, Snowflake, DuckDb], "second", Some(1), Sql("date_part('second', {1})"), ("select cast(second(cast('2024-05-06 07:08:09' as datetime)) as decimal(4,0))", "9")),
    map(&[Postgres, MySql, DuckDb, Snowflake], "sign", Some(1), Sql("CASE WHEN {1} > 0 THEN 1 WHEN {1} < 0 THEN -1 WHEN {1} = 0 THEN 0 END"), ("select sign(-3) = -1", "true")),
    map(&[Snowflake], "sha2", Some(1), Sql("encode(sha256({1}), 'hex')"), ("select left(sha2('abc'), 8)", "ba7816bf")),
    map(&[MySql, Snowflake], "space", Some(1), Sql("repeat(' ', {1})"), ("select concat('a', space(2), 'b')", "a  b")),
    map(&[Snowflake], "square", Some(1), Sql("({1} * {1})"), ("select square(3)::int", "9")),
    map(&[Snowflake], "startswith", Some(2), As("starts_with"), ("select startswith('abc', 'ab')", "true")),
    map(&[Postgres], "statement_timestamp", Some(0), As("now"), ("select statement_timestamp() >= now()", "true")),
    map(&[MySql], "std", Some(1), As("stddev_pop"), ("select std(x) from (select 1 as x union all select 3) t", "1.0")),
    map(&[MySql], "stddev", Some(1), As("stddev_pop"), ("select stddev(x) from (select 1 as x union all select 3) t", "1.0")),
    map(&[MySql], "strcmp", Some(2), Sql("CASE WHEN {1} < {2} THEN -1 WHEN {1} > {2} THEN 1 WHEN {1} = {2} THEN 0 END"), ("select strcmp('a', 'b')", "-1")),
    map(&[DuckDb], "strftime", Some(2), As("to_char"), ("select strftime('2024-05-06'::date, '%Y/%m')", "2024/05")),
    map(&[DuckDb], "string_split", Some(2), As("string_to_array"), ("select string_split('a,b', ',')[2]", "b")),
    map(&[MySql], "subdate", Some(2), Sql("CAST({1} AS DATE) - CAST(concat(CAST({2} AS text), ' days') AS INTERVAL)"), ("select cast(subdate(cast('2024-03-01' as date), 1) as char)", "2024-02-29")),
    map(&[DuckDb], "suffix", Some(2), As("ends_with"), ("select suffix('abc', 'bc')", "true")),
    map(&[MySql], "sysdate", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select sysdate() is null", "false")),
    map(&[Snowflake], "sysdate", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select sysdate() is null", "false")),
    map(&[MySql], "timestamp", Some(1), Sql("CAST({1} AS TIMESTAMP)"), ("select cast(timestamp('2024-03-05') as char)", "2024-03-05 00:00:00")),
    map(&[MySql], "timestampadd", Some(3), Add(0, 1, 2), ("select cast(timestampadd(day, 3, cast('2024-01-30' as date)) as char)", "2024-02-02")),
    map(&[Snowflake], "timestampadd", Some(3), Add(0, 1, 2), ("select timestampadd(day, 3, '2024-01-30'::date)::date::varchar", "2024-02-02")),
    map(&[MySql], "timestampdiff", Some(3), Elapsed(0, 1, 2), ("select timestampdiff(month, '2024-01-31', '2024-03-01')", "1")),
    map(&[Snowflake], "timestampdiff", Some(3), Between(0, 1, 2), ("select timestampdiff(month, '2024-01-31'::date, '2024-03-01'::date)", "2")),
    map(&[Snowflake], "to_date", Some(1), Sql("CAST({1} AS DATE)"), ("select to_date('2024-03-05')::varchar", "2024-03-05")),
    map(&[Snowflake], "to_double", Some(1), Sql("CAST({1} AS DOUBLE PRECISION)"), ("select to_double('1.5')", "1.5")),
    map(&[Postgres], "to_jsonb", Some(1), As("to_json"), ("select to_jsonb(5)::text", "5")),
    map(&[Postgres], "to_number", None, Missing("its patterns have no counterpart"), ("", "")),
    map(&[Snowflake], "to_number", Some(1), Sql("CAST({1} AS NUMERIC(38,0))"), ("select to_number('12')", "12")),
    map(&[Snowflake], "to_timestamp", Some(1), Sql("CAST(to_timestamp({1}) AS TIMESTAMP)"), ("select to_char(to_timestamp('2024-03-05 10:20:30'), 'YYYY-MM-DD HH24:MI:SS')", "2024-03-05 10:20:30")),
    map(&[Snowflake], "to_timestamp_ntz", Some(1), Sql("CAST(to_timestamp({1}) AS TIMESTAMP)"), ("select to_char(to_timestamp_ntz('2024-03-05 10:20:30'), 'YYYY-MM-DD HH24:MI:SS')", "2024-03-05 10:20:30")),
    map(&[DuckDb], "today", Some(0), Sql("current_date"), ("select today() = current_date", "true")),
    map(&[Sqlite], "total", Some(1), Sql("coalesce(sum(CAST({1} AS DOUBLE PRECISION)), 0)"), ("select total(x) from (select 1 as x union all select 2) t", "3.0")),
    map(&[Postgres], "transaction_timestamp", Some(0), As("now"), ("select transaction_timestamp() = now()", "true")),
    map(&[MySql], "truncate", Some(2), As("trunc"), ("select truncate(2.789, 1) = 2.7", "true")),
    map(&[Snowflake], "try_to_date", Some(1), Sql("TRY_CAST({1} AS DATE)"), ("select try_to_date('x') is null", "true")),
    map(&[Snowflake], "try_to_number", Some(1), Sql("TRY_CAST({1} AS DECIMAL(38,0))"), ("select coalesce(try_to_number('x'), 4)", "4")),
    map(&[MySql], "ucase", Some(1), As("upper"), ("select ucase('AbC')", "ABC")),
    map(&[DuckDb, Sqlite], "unicode", Some(1), As("ascii"), ("select unicode('é')", "233")),
    map(&[MySql], "unix_timestamp", Some(1), Sql("CAST(date_part('epoch', {1}) AS BIGINT)"), ("select unix_timestamp(cast('1970-01-02' as date)) > 0", "true")),
    map(&[MySql], "utc_timestamp", Some(0), Sql("CAST(now() AS TIMESTAMP)"), ("select utc_timestamp() is null", "false")),
    map(&[MySql], "variance", Some(1), As("var_pop"), ("select variance(x) from (select 1 as x union all select 3) t", "1.0")),
    map(&[Postgres, DuckDb, Snowflake], "variance", Some(1), As("var"), ("select variance(x) = 2 from (select 1 as x union all select 3) t", "true")),
    map(&[MySql], "week", None, Missing("its weeks begin on a Sunday; weekofyear has those of ISO 8601"), ("", "")),
    map(&[MySql], "weekday", Some(1), Sql("(date_part('dow', {1}) + 6) % 7"), ("select weekday(cast('2024-03-05' as date))", "1")),
    map(&[MySql, DuckDb, Snowflake], "weekofyear", Some(1), Sql("date_part('week', {1})"), ("select weekofyear(cast('2024-03-05' as date))", "10")),
    map(&[Postgres], "width_bucket", None, Missing("it has no counterpart"), ("", "")),
    map(&[DuckDb], "xor", Some(2), Sql("{1} # {2}"), ("select xor(5, 3)", "6")),
    map(&[MySql, Snowflake, DuckDb], "year", Some(1), Sql("date_part('year', {1})"), ("select year(cast('2024-05-06' as date))", "2024")),
    map(&[MySql], "yearweek", None, Missing("its weeks begin on a Sunday; date_format(.., '%x%v') has those of ISO 8601"), ("", "")),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use futures::StreamExt;

    use super::*;
    use crate::sources::database::Database;
    use crate::staging::{Memory, Staging};
    use crate::stand_in::names::Names;
    use crate::stand_in::sql::translate;
    use crate::stand_in::udf::functions;

    async fn value(staging: &Staging, sql: &str) -> Result<String, String> {
        let rows = staging.query(sql).await;
        let mut rows = rows.map_err(|e| e.to_string())?;
        let batch = rows.batches.next().await.ok_or("no rows")?;
        let batch = batch.map_err(|e| e.to_string())?;
        let options = FormatOptions::default();
        let text = ArrayFormatter::try_new(batch.column(0).as_ref(), &options);
        text.map(|text| text.value(0).to_string())
            .map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn each_example_gives_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(None, None);
        let mut wrong = Vec::new();
        for mapping in MAPPINGS {
            for dialect in mapping.dialects {
                let staging = Staging::open_folder_with(folder.path(), &memory).unwrap();
                let staging = staging.with_functions(functions(*dialect)).unwrap();
                let (sql, gives) = mapping.example;
                let names = Names::new(*dialect, None, None);
                if let Missing(_) = mapping.here {
                    let arguments = vec!["a"; mapping.arguments.unwrap_or(2)].join(", ");
                    let call = format!("select {}({arguments}) from t", mapping.name);
                    assert!(translate(&call, &names).is_err(), "{call}");
                    continue;
                }
                let came = match translate(sql, &names) {
                    Ok(translated) => value(&staging, &translated.sql)
                        .await
                        .map_err(|e| format!("{}: {e}", translated.sql)),
                    Err(e) => Err(e.to_string()),
                };
                let is_number = *dialect == MySql || *dialect == Sqlite;
                let gives = match gives {
                    "true" if is_number => "1",
                    "false" if is_number => "0",
                    other => other,
                };
                if came.as_deref() != Ok(gives) {
                    wrong.push(format!("{dialect:?}: {sql}\n  {gives}\n  {came:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
                Elapsed(..) => "the whole units between".to_string(),
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
