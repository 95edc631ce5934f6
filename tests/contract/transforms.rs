//! Transforms, statements, and columns that come and go.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_mode() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "sums");
        let rows = db
            .transform("select 1 as id, 'a' as name", &t, WriteMode::Append)
            .await
            .unwrap();
        assert_eq!(
            (rows, table(db, &t).await),
            (1, vec!["1|a".to_string()]),
            "{}",
            open.name
        );
        // By the names of columns, in any order.
        db.transform("select 'b' as name, 2 as id", &t, WriteMode::Append)
            .await
            .unwrap();
        assert_eq!(table(db, &t).await, ["1|a", "2|b"], "{}", open.name);
        let rows = db
            .transform(
                "select 2 as id, 'B' as name union all select 3, 'c'",
                &t,
                upsert(db, &["id"]),
            )
            .await
            .unwrap();
        assert_eq!(rows, 2, "{}", open.name);
        assert_eq!(table(db, &t).await, ["1|a", "2|B", "3|c"], "{}", open.name);
        let duplicates = db
            .transform(
                "select 3 as id, 'x' as name union all select 3, 'y'",
                &t,
                upsert(db, &["id"]),
            )
            .await;
        assert!(
            message(duplicates, &open)
                .to_lowercase()
                .contains("several rows with the same `id`"),
            "{}",
            open.name
        );
        // Columns can be null and have room, whatever the first query's literals were.
        for later in ["null", "'a name that is much longer than those before'"] {
            db.transform(&format!("select 9 as id, {later} as name"), &t, WriteMode::Append)
                .await
                .unwrap_or_else(|e| panic!("{} {later}: {e}", open.name));
        }
        db.transform("select * from sums where id < 9", &t, WriteMode::Replace)
            .await
            .unwrap();
        // A query may read the table that it replaces.
        db.transform("select id + 10 as id from sums", &t, WriteMode::Replace)
            .await
            .unwrap();
        assert_eq!(table(db, &t).await, ["11", "12", "13"], "{}", open.name);
        for bad in ["select nope from sums", "select * from nowhere", "selct 1"] {
            assert!(
                db.transform(bad, &t, WriteMode::Replace).await.is_err(),
                "{} {bad}",
                open.name
            );
        }
        assert_eq!(table(db, &t).await, ["11", "12", "13"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_on_a_table_stay() {
    for open in all().await.into_iter().filter(|open| open.has(Lack::Views)) {
        let db = &*open.database;
        let t = named(db, "people");
        load(db, &t, &PEOPLE, WriteMode::Replace, &[r#"{"id": 1}"#])
            .await
            .unwrap();
        db.execute("create view v as select id from people")
            .await
            .unwrap();
        load(db, &t, &PEOPLE, WriteMode::Replace, &[r#"{"id": 2}"#])
            .await
            .unwrap();
        assert_eq!(
            shown(db.query("select * from v").await).await.unwrap(),
            ["2"],
            "{}",
            open.name
        );
        db.transform(
            "select 3 as id, 'x' as name, 1.5 as total",
            &t,
            WriteMode::Replace,
        )
        .await
        .unwrap();
        assert_eq!(
            shown(db.query("select * from v").await).await.unwrap(),
            ["3"],
            "{}",
            open.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_on_a_table_stay() {
    for open in all().await.into_iter().filter(|open| open.has(Lack::ForeignKeys)) {
        let db = &*open.database;
        let t = named(db, "people");
        for statement in [
            "create table people (id bigint primary key, name varchar(20))",
            "insert into people values (1, 'a'), (2, 'b')",
            "create table orders (nr bigint primary key, person bigint, foreign key (person) references people (id))",
        ] {
            db.execute(statement).await.unwrap();
        }
        let columns = [("id", "bigint"), ("name", "varchar(20)")];
        let new = [r#"{"id": 1, "name": "A"}"#, r#"{"id": 3, "name": "c"}"#];
        load(db, &t, &columns, WriteMode::Replace, &new).await.unwrap();
        assert_eq!(table(db, &t).await, ["1|A", "3|c"], "{}", open.name);
        // The key still leads to the table: it refuses what would lead nowhere.
        db.execute("insert into orders values (10, 3)").await.unwrap();
        let without = load(db, &t, &columns, WriteMode::Replace, &[r#"{"id": 1}"#]).await;
        assert!(without.is_err(), "{}", open.name);
        assert_eq!(table(db, &t).await, ["1|A", "3|c"], "{}", open.name);
        let changed = [r#"{"id": 3, "name": "C"}"#];
        load(db, &t, &columns, upsert(db, &["id"]), &changed)
            .await
            .unwrap();
        assert_eq!(table(db, &t).await, ["1|A", "3|C"], "{}", open.name);
        let children = db.query("select o.nr, p.name from orders o join people p on p.id = o.person");
        assert_eq!(shown(children.await).await.unwrap(), ["10|C"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_a_session_belong_together() {
    for open in all().await.into_iter().filter(|open| open.name != "staging") {
        let db = &*open.database;
        db.execute("create table t (id bigint)").await.unwrap();
        let mut session = db.session().await.unwrap();
        for statement in ["begin", "insert into t values (1)", "rollback"] {
            session.execute(statement).await.unwrap();
        }
        for statement in ["begin", "insert into t values (2)", "commit", "begin"] {
            session.execute(statement).await.unwrap();
        }
        // What is left open is taken back, and nobody else is in it.
        session.execute("insert into t values (3)").await.unwrap();
        drop(session);
        assert_eq!(table(db, &named(db, "t")).await, ["2"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_and_go() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "people");
        assert!(db.columns(&t).await.unwrap().is_none(), "{}", open.name);
        load(
            db,
            &t,
            &PEOPLE,
            WriteMode::Replace,
            &[r#"{"id": 1, "name": "a"}"#],
        )
        .await
        .unwrap();
        let new = columns(db, &[("age", "integer"), ("doc", "jsonb")]);
        db.alter(&t, &new, &[db.fold("total")]).await.unwrap();
        let there = db.columns(&t).await.unwrap().unwrap();
        assert_eq!(names(&there), ["id", "name", "age", "doc"], "{}", open.name);
        assert_eq!(table(db, &t).await, ["1|a|-|-"], "{}", open.name);
        if !open.has(Lack::Types) {
            continue;
        }
        // The columns of a table make the same table again.
        let copy = named(db, "copy");
        let mut load = db.begin_load(&copy, &there, WriteMode::Replace).await.unwrap();
        write(&mut load, &there, &[r#"{"id": 1, "doc": {"a": [1]}}"#])
            .await
            .unwrap();
        load.commit().await.unwrap();
        let copied = db.columns(&copy).await.unwrap().unwrap();
        let types = |of: &[Column]| of.iter().map(|c| c.column_type.arrow.clone()).collect::<Vec<_>>();
        assert_eq!(types(&copied), types(&there), "{}", open.name);
    }
}
