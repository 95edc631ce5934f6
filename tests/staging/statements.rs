//! Each kind of statement.

use sequor::error::ErrorKind;
use sequor::sources::database::{Database, TableName};
use sequor_planner::ops::WriteMode;

use super::support::*;

#[tokio::test]
async fn create_and_drop() {
    let db = db();
    assert_eq!(run(&db, "create table a (id int, name text)").await, None);
    assert!(scan(&db, "a").await.is_empty());
    assert_eq!(
        sql_error(&db, "create table a (id int)").await,
        "table `a` already exists"
    );
    assert_eq!(run(&db, "create table if not exists a (other text)").await, None);
    assert_eq!(
        run(&db, "create table b as select 1 as x union all select 2").await,
        Some(2)
    );
    assert_eq!(
        sql_error(&db, "create table b as select 1 as x").await,
        "table `b` already exists"
    );
    assert_eq!(
        run(&db, "create table if not exists b as select 9 as x").await,
        None
    );
    assert_eq!(value(&db, "select sum(x) from b").await, "3");
    assert_eq!(
        run(&db, "create or replace table b as select 'n' as y").await,
        Some(1)
    );
    assert_eq!(value(&db, "select y from b").await, "n");
    assert_eq!(run(&db, "create or replace table b (z date)").await, None);
    assert!(scan(&db, "b").await.is_empty());
    assert_eq!(run(&db, "drop table a, b").await, None);
    assert_eq!(error(&db, "drop table a").await.kind(), ErrorKind::NoTable);
    assert_eq!(run(&db, "drop table if exists a, b").await, None);
    assert_eq!(run(&db, "create table a (id text)").await, None);
    assert_eq!(run(&db, "insert into a values ('x')").await, Some(1));
    assert_eq!(scan(&db, "a").await, ["x"]);
}

#[tokio::test]
async fn insert() {
    let db = db_with(&[
        "create table t (id int not null, name text, day date, ok boolean default true, at timestamp)",
    ])
    .await;
    assert_eq!(
        run(
            &db,
            "insert into t values (1, 'a', '2024-01-02', false, '2024-01-02 03:04:05')"
        )
        .await,
        Some(1)
    );
    assert_eq!(
        run(&db, "insert into t (name, id) values ('b', 2), (null, '3')").await,
        Some(2)
    );
    assert_eq!(
        run(&db, "insert into t (id) select id + 10 from t").await,
        Some(3)
    );
    assert_eq!(
        rows(&db, "select * from t order by id").await,
        [
            "1|a|2024-01-02|false|2024-01-02T03:04:05",
            "2|b|∅|true|∅",
            "3|∅|∅|true|∅",
            "11|∅|∅|true|∅",
            "12|∅|∅|true|∅",
            "13|∅|∅|true|∅"
        ]
    );
    for (sql, expected) in [
        (
            "insert into t (id) values ('x')",
            "column `id`: Cannot cast string 'x' to value of Int32 type",
        ),
        (
            "insert into t (id) values (3000000000)",
            "column `id`: Can't cast value 3000000000 to type Int32",
        ),
        (
            "insert into t (id, day) values (1, 'soon')",
            "column `day`: Cannot cast string 'soon' to value of Date32 type",
        ),
        ("insert into t (name) values ('x')", "column `id` can't be null"),
    ] {
        let error = error(&db, sql).await;
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Value);
    }
    let message = error(&db, "insert into t (id, nam) values (1, 'x')").await;
    assert_eq!(message.to_string(), "table `t` has no column `nam`");
    assert_eq!(message.advice(), Some("did you mean `name`?"));
    assert_eq!(
        sql_error(&db, "insert into t (id, name) values (1)").await,
        "INSERT into `t` names 2 columns and gives 1 values"
    );
    assert_eq!(value(&db, "select count(*) from t").await, "6");
    let conflict = error(&db, "insert into t (id) values (1) on conflict do nothing").await;
    assert!(conflict.to_string().contains("ON CONFLICT"), "{conflict}");
}

async fn people() -> Db {
    db_with(&[
        "create table p (id int, name text, age int, pay numeric(10,2))",
        "insert into p values (1, 'ann', 30, 10.10), (2, 'bob', null, 20.20), (3, null, 50, null)",
        "create table boss (id int, extra numeric(10,2))",
        "insert into boss values (1, 5), (1, 5), (3, 7)",
    ])
    .await
}

#[tokio::test]
async fn update() {
    let db = people().await;
    assert_eq!(
        run(&db, "update p set age = age + 1 where age > 20").await,
        Some(2)
    );
    assert_eq!(
        run(
            &db,
            "update p set name = upper(name), pay = pay * 1.5 where name like 'b%' or age = 51"
        )
        .await,
        Some(2)
    );
    assert_eq!(
        rows(&db, "select * from p order by id").await,
        ["1|ann|31|10.10", "2|BOB|∅|30.30", "3|∅|51|∅"]
    );
    assert_eq!(
        run(&db, "update p set name = 'x' where age > 1000").await,
        Some(0)
    );
    assert_eq!(
        run(
            &db,
            "update p as q set name = null, age = id where q.id in (select id from boss)"
        )
        .await,
        Some(2)
    );
    assert_eq!(
        rows(&db, "select id, name, age from p order by id").await,
        ["1|∅|1", "2|BOB|∅", "3|∅|3"]
    );
    assert_eq!(
        run(&db, "update p set age = (select max(extra) from boss)").await,
        Some(3)
    );
    assert_eq!(rows(&db, "select distinct age from p").await, ["7"]);
    assert_eq!(
        run(
            &db,
            "update p set pay = coalesce(p.pay, 0) + boss.extra from boss where boss.id = p.id"
        )
        .await,
        Some(2)
    );
    assert_eq!(
        rows(&db, "select id, pay from p order by id").await,
        ["1|15.10", "2|30.30", "3|7.00"]
    );
    assert_eq!(
        run(
            &db,
            "update p set name = 'has boss' where exists (select 1 from boss b where b.id = p.id)"
        )
        .await,
        Some(2)
    );
    assert_eq!(
        run(
            &db,
            "update p set pay = (select sum(extra) from boss b where b.id = p.id)"
        )
        .await,
        Some(3)
    );
    assert_eq!(
        rows(&db, "select id, name, pay from p order by id").await,
        ["1|has boss|10.00", "2|BOB|∅", "3|has boss|7.00"]
    );
    let error = error(&db, "update p set naem = 'x'").await;
    assert_eq!(error.to_string(), "table `p` has no column `naem`");
    assert_eq!(error.advice(), Some("did you mean `name`?"));
}

#[tokio::test]
async fn delete() {
    let db = people().await;
    assert_eq!(run(&db, "delete from p where age > 1000").await, Some(0));
    // A condition that is null is not true: bob's age is unknown, so he stays.
    assert_eq!(run(&db, "delete from p where age < 40").await, Some(1));
    assert_eq!(rows(&db, "select id from p order by id").await, ["2", "3"]);
    assert_eq!(
        run(&db, "delete from p where id in (select id from boss)").await,
        Some(1)
    );
    assert_eq!(rows(&db, "select id from p").await, ["2"]);
    assert_eq!(
        run(&db, "delete from p where id not in (select id from boss)").await,
        Some(1)
    );
    // No id is known not to be among these, because one of them is unknown.
    let db = people().await;
    run(&db, "insert into boss values (null, 1)").await;
    let none = "delete from p where id not in (select id from boss)";
    assert_eq!(run(&db, none).await, Some(0));
    let some = "delete from p where id in (select id from boss) or name = 'bob'";
    assert_eq!(run(&db, some).await, Some(3));
    assert!(db.table_names().await.unwrap() == ["boss", "p"]);
    let db = people().await;
    assert_eq!(
        run(
            &db,
            "delete from p as x where not exists (select 1 from boss where boss.id = x.id)"
        )
        .await,
        Some(1)
    );
    assert_eq!(
        run(
            &db,
            "delete from p using boss b where b.id = p.id and b.extra > 6"
        )
        .await,
        Some(1)
    );
    assert_eq!(rows(&db, "select id from p").await, ["1"]);
    assert_eq!(run(&db, "delete from p").await, Some(1));
    assert_eq!(run(&db, "truncate table boss").await, None);
    assert!(scan(&db, "boss").await.is_empty());
    assert_eq!(run(&db, "insert into boss values (1, 1)").await, Some(1));
}

#[tokio::test]
async fn alter() {
    let db = people().await;
    run(&db, "alter table p add column note text").await;
    run(&db, "alter table p add column if not exists note int").await;
    run(&db, "alter table p add column n int default 5, drop column age").await;
    assert_eq!(
        rows(&db, "select * from p order by id").await[0],
        "1|ann|10.10|∅|5"
    );
    run(&db, "alter table p drop column if exists nothing").await;
    run(&db, "alter table p drop column note").await;
    run(&db, "alter table p add column note int").await;
    run(&db, "alter table p rename column name to full_name").await;
    run(&db, "alter table p alter column n type text").await;
    run(&db, "insert into p (id, note) values (4, 1)").await;
    assert_eq!(
        rows(&db, "select id, full_name, pay, n, note from p order by id").await,
        ["1|ann|10.10|5|∅", "2|bob|20.20|5|∅", "3|∅|∅|5|∅", "4|∅|∅|5|1"]
    );
    let message = sql_error(&db, "alter table p drop column naem").await;
    assert_eq!(message, "table `p`: column `naem` does not exist");
    let refused = error(&db, "alter table p alter column full_name set not null").await;
    assert_eq!(refused.to_string(), "column `full_name` can't be null");
    assert_eq!(
        run(&db, "alter table if exists nothing add column x int").await,
        None
    );
}

#[tokio::test]
async fn keys_are_not_null() {
    let db =
        db_with(&["create table t (id int primary key, a text, b text, unique (a), primary key (b))"]).await;
    assert_eq!(
        error(&db, "insert into t values (null, 'a', 'b')")
            .await
            .to_string(),
        "column `id` can't be null"
    );
    assert_eq!(
        error(&db, "insert into t (id) values (1)").await.to_string(),
        "column `b` can't be null"
    );
    run(&db, "insert into t values (1, 'a', 'b'), (1, 'a', 'b')").await;
}

#[tokio::test]
async fn what_is_not_supported_says_so() {
    let db = db_with(&["create table t (id int)"]).await;
    for (sql, start) in [
        ("create view v as select 1", "CREATE VIEW is not supported"),
        ("grant select on t to x", "GRANT is not supported"),
        ("create index i on t (id)", "CREATE INDEX is not supported"),
        ("begin", "the staging database has no transactions"),
        ("select 1; select 2", "2 statements where one was expected"),
        ("", "there is no statement"),
        ("selec 1", "SQL syntax: Expected: an SQL statement, found: selec"),
        ("copy t to '/tmp/x'", "COPY is not supported"),
        ("select foo(1)", "Invalid function 'foo'"),
        ("select 'x'::int", "Cannot cast string 'x' to value of Int32 type"),
        ("select 1/0", "Divide by zero"),
        ("select * from t where idd = 1", "column `idd` does not exist"),
        (
            "create table d as select 1 as a, 2 as \"A\"",
            "columns `a` and `A` differ only in case",
        ),
        (
            "create table d as select a.x, b.x from (select 1 as x) a, (select 2 as x) b",
            "column `x` appears twice",
        ),
    ] {
        let message = error(&db, sql).await.to_string();
        assert!(message.starts_with(start), "{sql}: {message}");
        assert!(
            !message.contains("planning") && !message.contains("backtrace"),
            "{message}"
        );
    }
    let error = error(&db, "select idd from t").await;
    assert_eq!(error.advice(), Some("did you mean `id`?"));
    assert!(db.query("drop table t").await.is_err());
}

#[tokio::test]
async fn transform() {
    let db = db_with(&["create table t as select 1 as id, 'a' as name"]).await;
    let t = TableName::new("t");
    let grow = "select id, name from t union all select id + 1, 'b' from t;";
    // It reads the table that it replaces: the old rows.
    assert_eq!(db.transform(grow, &t, WriteMode::Replace).await.unwrap(), 2);
    assert_eq!(db.transform(grow, &t, WriteMode::Append).await.unwrap(), 4);
    assert_eq!(value(&db, "select count(*), sum(id) from t").await, "6|11");
    let shape = "select 1.5::decimal as d, now() as at, null as nothing, '10:00'::time as clock, row_number() over () as n, arrow_cast(7, 'UInt64') as u, interval '1 day' as i, [1, 2] as list";
    assert_eq!(db.transform(shape, &t, WriteMode::Replace).await.unwrap(), 1);
    assert_eq!(
        value(&db, "select d, nothing, clock, n, u, list from t").await,
        "1.5000000000|∅|10:00:00|1|7|[1, 2]"
    );
    let error = db
        .transform("select 1 as other", &t, WriteMode::Append)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the table has no column `other`");
    assert_eq!(
        db.transform("select 2 as n", &t, WriteMode::Append)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        db.transform("select 3 as n", &TableName::new("fresh"), WriteMode::Append)
            .await
            .unwrap(),
        1
    );
    let failing = "select 1 / (x - 2) as y from (values (1), (2)) as v(x)";
    assert!(db.transform(failing, &t, WriteMode::Replace).await.is_err());
    assert_eq!(value(&db, "select count(*) from t").await, "2");
    assert_eq!(
        db.transform("select n from t where false", &t, WriteMode::Replace)
            .await
            .unwrap(),
        0
    );
    assert!(scan(&db, "t").await.is_empty());
}
