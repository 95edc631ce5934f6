//! Loads: what they do with the rows that are there, and that nothing of them is seen before.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn replace_append_upsert() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "people");
        let rows = [
            r#"{"id": 1, "name": "a", "total": 1.10}"#,
            r#"{"id": 2, "name": null, "total": 2}"#,
        ];
        assert_eq!(
            load(db, &t, &PEOPLE, WriteMode::Append, &rows).await.unwrap(),
            2,
            "{}",
            open.name
        );
        assert_eq!(
            table(db, &t).await,
            open.decimals(&["1|a|1.10", "2|-|2.00"]),
            "{}",
            open.name
        );
        load(db, &t, &PEOPLE, WriteMode::Append, &[r#"{"id": 3}"#])
            .await
            .unwrap();
        assert_eq!(
            table(db, &t).await,
            open.decimals(&["1|a|1.10", "2|-|2.00", "3|-|-"]),
            "{}",
            open.name
        );
        let more = [
            r#"{"id": 3, "name": "x", "total": 1}"#,
            r#"{"id": 3, "name": "c", "total": 3}"#,
            r#"{"id": 4, "name": "d", "total": 4}"#,
        ];
        assert_eq!(
            load(db, &t, &PEOPLE, upsert(db, &["id"]), &more).await.unwrap(),
            3,
            "{}",
            open.name
        );
        assert_eq!(
            table(db, &t).await,
            open.decimals(&["1|a|1.10", "2|-|2.00", "3|c|3.00", "4|d|4.00"]),
            "{}",
            open.name
        );
        // Other columns than before: the table becomes what is loaded.
        load(
            db,
            &t,
            &[("other", "text")],
            WriteMode::Replace,
            &[r#"{"other": "x"}"#],
        )
        .await
        .unwrap();
        assert_eq!(table(db, &t).await, ["x"], "{}", open.name);
        load(db, &t, &[("other", "text")], WriteMode::Replace, &[])
            .await
            .unwrap();
        assert!(table(db, &t).await.is_empty(), "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_seen_before_the_commit_nor_after_an_abort() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "people");
        load(db, &t, &PEOPLE, WriteMode::Replace, &[r#"{"id": 1}"#])
            .await
            .unwrap();
        for mode in [WriteMode::Replace, WriteMode::Append, upsert(db, &["id"])] {
            let columns = columns(db, &PEOPLE);
            let mut begun = db.begin_load(&t, &columns, mode.clone()).await.unwrap();
            write(
                &mut begun,
                &columns,
                &[r#"{"id": 1, "name": "new"}"#, r#"{"id": 2}"#],
            )
            .await
            .unwrap();
            assert_eq!(table(db, &t).await, ["1|-|-"], "{} {mode:?}", open.name);
            begun.abort().await;
            assert_eq!(table(db, &t).await, ["1|-|-"], "{} {mode:?}", open.name);
            // Dropped without a word: as if it had never been.
            let mut begun = db.begin_load(&t, &columns, mode.clone()).await.unwrap();
            write(&mut begun, &columns, &[r#"{"id": 3}"#]).await.unwrap();
            drop(begun);
            assert_eq!(table(db, &t).await, ["1|-|-"], "{} {mode:?}", open.name);
        }
        load(db, &t, &PEOPLE, WriteMode::Append, &[r#"{"id": 2}"#])
            .await
            .unwrap();
        assert_eq!(table(db, &t).await, ["1|-|-", "2|-|-"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_kind() {
    for open in all().await {
        let db = &*open.database;
        let odd = [
            ("select", "text"),
            ("Group By", "integer"),
            ("a\"b'c", "text"),
            ("ÄÖ", "text"),
        ];
        let t = named(db, "Order \"x\" items");
        let row = r#"{"select": "s", "Group By": 7, "a\"b'c": "q", "ÄÖ": "ü"}"#;
        load(db, &t, &odd, WriteMode::Replace, &[row]).await.unwrap();
        load(db, &t, &odd, WriteMode::Append, &[row]).await.unwrap();
        load(
            db,
            &t,
            &odd,
            upsert(db, &["Group By", "a\"b'c"]),
            &[r#"{"select": "t", "Group By": 8, "a\"b'c": "q"}"#],
        )
        .await
        .unwrap();
        assert_eq!(
            table(db, &t).await,
            ["s|7|q|ü", "s|7|q|ü", "t|8|q|-"],
            "{}",
            open.name
        );
        let there = db.columns(&t).await.unwrap().unwrap();
        assert_eq!(
            names(&there),
            ["select", "Group By", "a\"b'c", "ÄÖ"],
            "{}",
            open.name
        );
        let some = db.scan_columns(&t, Some(&set(&["Group By"]))).await;
        assert_eq!(shown(some).await.unwrap(), ["7", "7", "8"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces() {
    for open in all().await.into_iter().filter(|o| o.has(Lack::Namespaces)) {
        let db = &*open.database;
        // Schemas of MySQL are the server's, and others' tests run on it, too.
        let namespace = format!("Other one {}", uuid::Uuid::new_v4().simple());
        if open.name != "staging" {
            let create = format!("CREATE SCHEMA {}", open.quote(&namespace));
            db.execute(&create).await.unwrap();
        }
        let t = TableName {
            namespace: Some(namespace),
            ..named(db, "t")
        };
        for (mode, id) in [
            (WriteMode::Replace, 1),
            (WriteMode::Replace, 1),
            (WriteMode::Append, 2),
            (upsert(db, &["id"]), 2),
        ] {
            load(db, &t, &PEOPLE, mode, &[&format!("{{\"id\": {id}}}")])
                .await
                .unwrap();
        }
        assert_eq!(table(db, &t).await.len(), 2, "{}", open.name);
        assert!(
            db.columns(&named(db, "t")).await.unwrap().is_none(),
            "{}",
            open.name
        );
        db.transform("select 5 as five", &t, WriteMode::Replace)
            .await
            .unwrap();
        assert_eq!(table(db, &t).await, ["5"], "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_batches_and_many_loads_at_once() {
    for open in all().await.into_iter().filter(|o| o.has(Lack::LoadsAtOnce)) {
        let db = open.database.clone();
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let db = db.clone();
                tokio::spawn(async move {
                    let t = named(&*db, &format!("t{number}"));
                    let columns = columns(&*db, &PEOPLE);
                    let mut load = db.begin_load(&t, &columns, WriteMode::Replace).await.unwrap();
                    for from in 0..20 {
                        let rows: Vec<String> = (from * 500..(from + 1) * 500)
                            .map(|id| format!("{{\"id\": {id}}}"))
                            .collect();
                        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
                        write(&mut load, &columns, &rows).await.unwrap();
                    }
                    assert_eq!(load.commit().await.unwrap(), 10_000);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        for number in 0..6 {
            let sql = format!("select count(*) as n, cast(sum(id) as decimal(18,0)) as s from t{number}");
            assert_eq!(
                shown(db.query(&sql).await).await.unwrap(),
                ["10000|49995000"],
                "{}",
                open.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_write_the_same_table() {
    for open in all().await.into_iter().filter(|o| o.has(Lack::LoadsAtOnce)) {
        let db = open.database.clone();
        let modes: [fn(&dyn Database) -> WriteMode; 3] = [
            |_| WriteMode::Replace,
            |_| WriteMode::Append,
            |db| upsert(db, &["id"]),
        ];
        for mode in modes {
            let t = named(&*db, "both");
            load(&*db, &t, &PEOPLE, WriteMode::Replace, &[]).await.unwrap();
            let tasks: Vec<_> = (0..4)
                .map(|number| {
                    let (db, t) = (db.clone(), t.clone());
                    tokio::spawn(async move {
                        let columns = columns(&*db, &PEOPLE);
                        let mut load = db.begin_load(&t, &columns, mode(&*db)).await.unwrap();
                        for id in 0..50 {
                            let row = format!("{{\"id\": {id}, \"name\": \"{number}\"}}");
                            write(&mut load, &columns, &[&row]).await.unwrap();
                        }
                        load.commit().await.unwrap();
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let rows = table(&*db, &t).await;
            let of_one = |rows: &[String]| {
                let names: std::collections::BTreeSet<_> =
                    rows.iter().map(|row| row.split('|').nth(1)).collect();
                names.len() == 1
            };
            match mode(&*db) {
                WriteMode::Append => assert_eq!(rows.len(), 200, "{}", open.name),
                // The rows of one, not of several.
                _ => assert!(rows.len() == 50 && of_one(&rows), "{}: {rows:?}", open.name),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "people");
        let none = load(db, &t, &PEOPLE, upsert(db, &["nr"]), &[]).await;
        assert!(
            message(none, &open)
                .to_lowercase()
                .contains("`primary_key` names `nr`"),
            "{}",
            open.name
        );
        let null = load(db, &t, &PEOPLE, upsert(db, &["id"]), &[r#"{"id": null}"#]).await;
        assert!(
            message(null, &open).contains("is null in some rows"),
            "{}",
            open.name
        );
        assert!(db.columns(&t).await.unwrap().is_none(), "{}", open.name);
        load(db, &t, &[("id", "bigint")], WriteMode::Replace, &[])
            .await
            .unwrap();
        let extra = load(db, &t, &PEOPLE, WriteMode::Append, &[r#"{"id": 1}"#]).await;
        let extra = message(extra, &open);
        assert!(extra.to_lowercase().contains("name"), "{}: {extra}", open.name);
        let missing = db.scan(&named(db, "nowhere")).await;
        let missing = shown(missing).await;
        assert!(
            message(missing, &open).to_lowercase().contains("nowhere"),
            "{}",
            open.name
        );
        assert!(
            db.column_type("integer; drop table people").is_err(),
            "{}",
            open.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_the_same_if_every_character_is() {
    const ITEMS: [(&str, &str); 2] = [("k", "varchar(20)"), ("n", "bigint")];
    let rows: Vec<String> = ["a", "A", "a ", "", "\u{e9}", "e\u{301}"]
        .iter()
        .map(|key| format!("{{\"k\": \"{key}\", \"n\": 1}}"))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "items");
        for _ in 0..2 {
            load(db, &t, &ITEMS, upsert(db, &["k"]), &rows).await.unwrap();
        }
        assert_eq!(table(db, &t).await.len(), 6, "{}", open.name);
        db.transform(
            "select k, count(*) as n from items group by k",
            &named(db, "sums"),
            WriteMode::Replace,
        )
        .await
        .unwrap();
        assert_eq!(table(db, &named(db, "sums")).await.len(), 6, "{}", open.name);
    }
}
