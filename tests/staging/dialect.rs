//! SQL as a PostgreSQL user writes it.

use super::support::*;

#[tokio::test]
async fn expressions() {
    let db = db();
    for (sql, expected) in [
        ("select '12'::int + 1", "13"),
        ("select '1.10'::decimal + '2.20'::numeric", "3.3000000000"),
        ("select '1.10'::decimal(10,2) * 3", "3.30"),
        ("select 0.1 + 0.2", "0.3"),
        ("select 1.1 * '10.00'::decimal(10,2)", "11.000"),
        ("select concat('a', null, 1, 2.5)", "a12.5"),
        ("select 'a' || 1 || 'b'", "a1b"),
        ("select coalesce(null, 'x')", "x"),
        ("select 'ABC' ilike 'ab%'", "true"),
        (
            "select date_trunc('month', '2024-03-17'::timestamp)",
            "2024-03-01T00:00:00",
        ),
        ("select '2024-01-31'::date + interval '1 day'", "2024-02-01"),
        (
            "select ('2024-01-31'::timestamp + interval '1 month')::date",
            "2024-02-29",
        ),
        ("select now()::date = current_date", "true"),
        ("select md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("select lower(trim('  AbC '))", "abc"),
        ("select split_part('a-b-c', '-', 2)", "b"),
        (
            "select string_agg(x, ',' order by x) from (values ('b'), ('a')) as t(x)",
            "a,b",
        ),
        (
            "select count(distinct x) from (values (1), (1), (2), (null)) as t(x)",
            "2",
        ),
        ("select extract(year from '2024-05-01'::date)", "2024"),
        (
            "select '2024-05-01 10:00:00+02'::timestamptz",
            "2024-05-01T08:00:00Z",
        ),
        ("select 7 / 2", "3"),
        ("select nullif('', '')", "∅"),
        ("select null", "∅"),
        ("select case when 1 > 0 then 'y' else 'n' end", "y"),
        (
            "with a as (select 1 as x) select x from a union all select 2 order by 1 desc limit 1",
            "2",
        ),
        (
            "select x from (values (1, 'a'), (2, 'b')) as t(y, x) where y = 2",
            "b",
        ),
        (
            "select row_number() over (order by x desc) from (values (1)) as t(x)",
            "1",
        ),
        ("select sum(x) over () from (values (1)) as t(x)", "1"),
        (
            "select '6f9619ff-8b86-d011-b42d-00cf4fc964ff'::uuid",
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        ),
        (
            "select x from (values (1), (2)) as t(x) where exists (select 1) and x in (select 1)",
            "1",
        ),
        ("select to_char('2024-05-01'::date, '%Y')", "2024"),
        ("select regexp_replace('a1b2', '[0-9]', '', 'g')", "ab"),
        ("select substring('hello' from 2 for 3)", "ell"),
        ("select position('l' in 'hello')", "3"),
        ("select round(2.345::numeric, 2)", "2.35"),
        ("select greatest(1, 3, 2)", "3"),
        (
            "select a.x from (select 1 as x) a left join (select 2 as x) b using (x)",
            "1",
        ),
        (
            "select distinct on (x) y from (values (1, 'a'), (1, 'b')) as t(x, y) order by x, y desc",
            "b",
        ),
        ("select value from generate_series(3, 3)", "3"),
        ("select 'x' as \"Odd Name\"", "x"),
        (
            "select count(*) filter (where x > 1) from (values (1), (2)) as t(x)",
            "1",
        ),
        ("select '{\"a\": 1}'::jsonb ->> 'a'", "1"),
        ("select '[1, 2]'::json -> 1", "2"),
        ("select json_get_str('{\"a\": \"x\"}', 'a')", "x"),
        ("select '{\"a\": {\"b\": \"c\"}}'::jsonb -> 'a'", "{\"b\": \"c\"}"),
        ("select '{\"a\": {\"b\": \"c\"}}'::jsonb -> 'a' -> 'b'", "\"c\""),
        ("select '{\"a\": {\"b\": \"c\"}}'::jsonb -> 'a' ->> 'b'", "c"),
        ("select '{\"a\": 1}'::jsonb ? 'a'", "true"),
        ("select ('{\"a\": \"5\"}'::jsonb ->> 'a')::int + 1", "6"),
        ("select ('{\"a\": 1.25}'::jsonb ->> 'a')::decimal(10,2)", "1.25"),
        ("select '{\"a\": null}'::jsonb ->> 'a'", "∅"),
        ("select sum(('{\"a\": 5}'::jsonb ->> 'a')::int)", "5"),
    ] {
        assert_eq!(value(&db, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn decimals_are_exact() {
    let db = db_with(&[
        "create table t (id int, amount decimal, price numeric(12,2), raw text)",
        "insert into t values (1, 0.10, 19.99, '0.10'), (2, 0.20, 0.01, '0.20'), (3, '0.30', 100, '0.30')",
    ])
    .await;
    for (sql, expected) in [
        ("select sum(amount) from t", "0.6000000000"),
        ("select avg(amount) from t", "0.20000000000000"),
        ("select sum(raw::decimal) from t", "0.6000000000"),
        ("select avg(raw::numeric) from t", "0.20000000000000"),
        ("select sum(price) from t", "120.00"),
        ("select sum(price * 1.20) from t", "144.0000"),
        ("select count(*) from t where amount = 0.1", "1"),
        ("select count(*) from t where amount + 0.2 = 0.3", "1"),
        ("select (0.1::decimal + 0.2::decimal) = 0.3::decimal", "true"),
        (
            "select '12345678901234567890.12'::decimal(38,2)",
            "12345678901234567890.12",
        ),
        ("select round(sum(price) / 3, 2) from t", "40.00"),
        ("select 10.00::decimal / 3", "3.33333333333333"),
    ] {
        assert_eq!(value(&db, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn json_columns() {
    let db = db_with(&[
        "create table raw (id int, payload jsonb)",
        r#"insert into raw values (1, '{"name": "Ann", "tags": ["a", "b"], "n": 2}'), (2, null), (3, '{"name": null}')"#,
    ])
    .await;
    assert_eq!(
        rows(
            &db,
            "select id, payload ->> 'name', payload -> 'tags', payload ? 'n' from raw order by id"
        )
        .await,
        ["1|Ann|[\"a\", \"b\"]|true", "2|∅|∅|false", "3|∅|∅|false"]
    );
    assert_eq!(
        value(&db, "select id from raw where (payload ->> 'n')::int = 2").await,
        "1"
    );
    assert_eq!(
        value(&db, "select id from raw where payload ->> 'name' = 'Ann'").await,
        "1"
    );
    assert_eq!(
        value(&db, "select payload -> 'tags' ->> 0 from raw where id = 1").await,
        "a"
    );
    run(
        &db,
        "create table names as select id, payload -> 'name' as name, payload from raw",
    )
    .await;
    assert_eq!(
        scan(&db, "names").await[0],
        r#"1|"Ann"|{"name": "Ann", "tags": ["a", "b"], "n": 2}"#
    );
    use sequor::batch::types::Logical;
    use sequor::sources::database::{Database, TableName};
    let names = db.scan(&TableName::new("names")).await.unwrap();
    assert_eq!(Logical::of(names.schema.field(1)), Logical::Json);
    assert_eq!(Logical::of(names.schema.field(2)), Logical::Json);
}

#[tokio::test]
async fn names_fold_as_in_postgres() {
    let db = db_with(&[
        "CREATE TABLE Orders (Id int, \"Total Due\" text, \"ID2\" int)",
        "insert into ORDERS (ID, \"Total Due\") values (1, 'x')",
    ])
    .await;
    assert_eq!(
        value(&db, "select iD, \"Total Due\", \"ID2\" from orders").await,
        "1|x|∅"
    );
    let message = sql_error(&db, "select \"Id\" from orders").await;
    assert_eq!(message, "column `Id` does not exist");
}

#[tokio::test]
async fn columns_without_a_name_get_that_of_postgres() {
    use sequor::sources::database::Database;
    let db = db_with(&["create table t as select 1 as id, 'a' as name, 2.5 as x"]).await;
    for (sql, names) in [
        ("select count(*), sum(x), max(t.x) from t", "count sum max"),
        ("select count(id), count(name) from t", "count count(t.name)"),
        ("select name::text, (x)::int, upper(name) as u from t", "name x u"),
        (
            "select sum(x)::int, '1'::int, case when true then 1 end from t",
            "sum int case",
        ),
        (
            "select *, row_number() over (order by id) from t",
            "id name x row_number",
        ),
        (
            "select count(*) as n, max(x) from t group by id order by max(x)",
            "n max",
        ),
        ("with a as (select max(id) from t) select max from a", "max"),
        (
            "select (select max(id) from t), extract(year from now())",
            "max extract",
        ),
        (
            "select lower(name) from t union all select 'b' order by 1",
            "lower",
        ),
        ("select s.lower from (select lower(name) from t) as s", "lower"),
    ] {
        let rows = db.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let schema = rows.schema.clone();
        let got: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(got.join(" "), names, "{sql}");
        text(rows).await.unwrap();
    }
}

#[tokio::test]
async fn types_given_out_are_few() {
    use arrow::datatypes::{DataType, TimeUnit};
    use sequor::sources::database::Database;
    let db = db();
    let rows = db
        .query("select now() as a, row_number() over () as b, arrow_cast('x', 'Utf8View') as c, null as d, arrow_cast('x', 'Dictionary(Int32, Utf8)') as e, '10:00'::time as f, 1.5 as g, true as h")
        .await
        .unwrap();
    let types: Vec<DataType> = rows
        .schema
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    assert_eq!(
        types,
        [
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Int64,
            DataType::Utf8,
            DataType::Utf8,
            DataType::Utf8,
            DataType::Time64(TimeUnit::Microsecond),
            DataType::Decimal128(2, 1),
            DataType::Boolean,
        ]
    );
    assert_eq!(text(rows).await.unwrap().len(), 1);
}

#[tokio::test]
async fn text_becomes_decimals_wherever_it_is_cast() {
    let db = db_with(&[
        "create table t (k text, v text)",
        "insert into t values ('a', '1.10'), ('a', '2.205'), ('b', '-3'), ('b', null), ('c', ' 4.5 ')",
    ])
    .await;
    assert_eq!(
        rows(
            &db,
            "select k, sum(v::decimal(10,2)) as total from t where k < 'c' group by k order by k"
        )
        .await,
        ["a|3.31", "b|-3.00"]
    );
    assert_eq!(
        rows(
            &db,
            "select v::numeric(12,3) as v, 1 + v::decimal(4,1) as w from t where k = 'b' order by v"
        )
        .await,
        ["-3.000|-2.0", "∅|∅"]
    );
    assert_eq!(
        rows(
            &db,
            "select v from t where k <> 'c' and v::decimal(10,3) > 2 order by v::decimal(10,3)"
        )
        .await,
        ["2.205"]
    );
    assert_eq!(
        rows(&db, "select sum(v::decimal(10,2)) from t where k = 'a' group by v::decimal(10,2) having sum(v::decimal(10,2)) < 2").await,
        ["1.10"]
    );
    assert_eq!(
        value(&db, "select sum(v::decimal(10,2)) from t where v = ' 4.5 '").await,
        "4.50"
    );
    run(
        &db,
        "create table u as select v::decimal(10,2) as v from t where k = 'a'",
    )
    .await;
    assert_eq!(value(&db, "select sum(v) from u").await, "3.31");
    for wrong in ["'abc'", "'12345678901.00'", "''"] {
        let told = sql_error(
            &db,
            &format!("select v::decimal(10,2) from (select {wrong} || left(k, 0) as v from t) q"),
        )
        .await;
        assert!(told.contains("decimal") || told.contains("Decimal"), "{told}");
    }
}
