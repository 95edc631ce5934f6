//! Loads of several tables: what becomes visible at once, what stays as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sequor::error::Result;
use sequor::sources::database::{Database, TableName};
use sequor::sources::transaction::{Finish, LoadTransaction};
use sequor_planner::ops::WriteMode;

use super::databases::{Lack, Open, all};
use super::{columns, message, named, rows_of, shown, table, upsert};

const ROWS: [(&str, &str); 2] = [("id", "bigint"), ("round", "bigint")];

/// A table each for rows that replace others, that are added, and that take the place of those with their key.
fn targets(db: &dyn Database) -> [(TableName, WriteMode); 3] {
    [
        (named(db, "replaced"), WriteMode::Replace),
        (named(db, "appended"), WriteMode::Append),
        (named(db, "upserted"), upsert(db, &["id"])),
    ]
}

/// Begins loads of tables, each with rows.
async fn loads(
    db: &dyn Database,
    tables: &[(TableName, WriteMode)],
    rows: &[&str],
) -> Result<Box<dyn LoadTransaction>> {
    let declared = columns(db, &ROWS);
    let mut loads = db.begin_loads().await?;
    for (table, mode) in tables {
        loads.add(table, &declared, mode.clone()).await?;
    }
    // In turn, as they come.
    for row in rows {
        for at in 0..tables.len() {
            loads.write(at, rows_of(&declared, &[row])?).await?;
        }
    }
    Ok(loads)
}

async fn all_rows(db: &dyn Database) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (name, _) in targets(db) {
        all.push(table(db, &name).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_any_mode_are_filled_together() {
    for open in all().await {
        let db = &*open.database;
        for round in 0..2 {
            let (first, second) = (
                format!("{{\"id\": 1, \"round\": {round}}}"),
                format!("{{\"id\": 2, \"round\": {round}}}"),
            );
            let loads = loads(db, &targets(db), &[&first, &second]).await.unwrap();
            if round == 0 {
                assert!(
                    db.columns(&named(db, "replaced")).await.unwrap().is_none(),
                    "{}",
                    open.name
                );
            }
            assert_eq!(
                loads.commit(&Finish::default()).await.unwrap(),
                [2, 2, 2],
                "{}",
                open.name
            );
        }
        let expected: [&[&str]; 3] = [&["1|1", "2|1"], &["1|0", "1|1", "2|0", "2|1"], &["1|1", "2|1"]];
        assert_eq!(all_rows(db).await, expected, "{}", open.name);
        // Some of them alone.
        let some = loads(db, &targets(db), &[r#"{"id": 3, "round": 2}"#])
            .await
            .unwrap();
        some.commit(&Finish {
            skipped: vec![1],
            ..Finish::default()
        })
        .await
        .unwrap();
        let expected: [&[&str]; 3] = [&["3|2"], &["1|0", "1|1", "2|0", "2|1"], &["1|1", "2|1", "3|2"]];
        assert_eq!(all_rows(db).await, expected, "{}", open.name);
        // None of them: taken back, or dropped.
        for round in 0..2 {
            let none = loads(db, &targets(db), &[r#"{"id": 4, "round": 3}"#])
                .await
                .unwrap();
            match round {
                0 => none.abort().await,
                _ => drop(none),
            }
            assert_eq!(all_rows(db).await, expected, "{}", open.name);
        }
        assert_no_more(&open).await;
    }
}

/// Nothing is left of loads: only the tables that were asked for are there.
async fn assert_no_more(open: &Open) {
    let catalog = match open.name {
        "postgres" | "adbc postgresql" => {
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        }
        "duckdb" => "select table_name from information_schema.tables where table_schema = 'main'",
        "mysql" => {
            "select convert(table_name using utf8mb4) from information_schema.tables where table_schema = database()"
        }
        "snowflake" => "select table_name from information_schema.tables where table_schema = 'PUBLIC'",
        "sqlite" | "adbc sqlite" => "select name from sqlite_master where type = 'table'",
        _ => return,
    };
    // What was dropped is taken back by its own task.
    for _ in 0..50 {
        let tables = shown(open.database.query(catalog).await).await.unwrap();
        if tables.iter().all(|name| !name.to_lowercase().contains("sequor")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{}: tables are left", open.name);
}

/// Tables whose rows fail, and what is said of them: when they are looked at, and when the database itself refuses them, at the
/// last moment.
async fn failing(open: &Open) -> Vec<(TableName, WriteMode, &'static str)> {
    let db = &*open.database;
    let mut failing = vec![(named(db, "fresh"), upsert(db, &["round"]), "is null in some rows")];
    if open.has(Lack::ForeignKeys) {
        let keyed = named(db, "keyed");
        let make = format!(
            "create table {} (id bigint primary key, round bigint)",
            db.quoted(&keyed)
        );
        db.execute(&make).await.unwrap();
        failing.push((keyed, WriteMode::Append, "keyed"));
    }
    failing
}

/// The rows of the targets; of those that are not there, none.
async fn as_they_are(db: &dyn Database) -> Vec<Option<Vec<String>>> {
    let mut all = Vec::new();
    for (name, _) in targets(db) {
        all.push(match db.columns(&name).await.unwrap() {
            Some(_) => Some(table(db, &name).await),
            None => None,
        });
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_table_fails_the_others_stay_as_they_were() {
    for open in all().await {
        let db = &*open.database;
        let failing = failing(&open).await;
        for are_there in [false, true] {
            if are_there {
                let first = loads(db, &targets(db), &[r#"{"id": 1, "round": 0}"#]).await;
                first.unwrap().commit(&Finish::default()).await.unwrap();
            }
            let before = as_they_are(db).await;
            assert!(before.iter().all(|table| table.is_some() == are_there));
            for (at, (target, mode, says)) in (0..4).flat_map(|at| failing.iter().map(move |f| (at, f))) {
                let mut tables = targets(db).to_vec();
                tables.insert(at, (target.clone(), mode.clone()));
                let row = r#"{"id": 1, "round": null}"#;
                let failed = loads(db, &tables, &[row, row])
                    .await
                    .unwrap()
                    .commit(&Finish::default())
                    .await;
                let failed = message(failed, &open).to_lowercase();
                assert!(failed.contains(says), "{}: {failed}", open.name);
                let named = failed.contains(&target.table.to_lowercase());
                assert!(named, "{}: {failed}", open.name);
                assert_eq!(as_they_are(db).await, before, "{} {at}", open.name);
            }
        }
        let fresh = named(db, "fresh");
        assert!(db.columns(&fresh).await.unwrap().is_none(), "{}", open.name);
        assert_no_more(&open).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_at_once_also_when_their_load_is_given_up() {
    for open in all().await.into_iter().filter(|open| open.has(Lack::OneChange)) {
        let db = open.database.clone();
        loads(&*db, &targets(&*db), &[r#"{"id": 0, "round": 0}"#])
            .await
            .unwrap()
            .commit(&Finish::default())
            .await
            .unwrap();
        let reading = Arc::new(AtomicBool::new(true));
        let reader = {
            let (db, reading, name) = (db.clone(), reading.clone(), open.name);
            tokio::spawn(async move {
                let mut seen = 0;
                while reading.load(Ordering::Relaxed) {
                    // Loads that are given up may end in another order.
                    let rounds = "select (select count(*) from appended) as a, (select count(*) from upserted) as b, \
                        (select count(*) from appended where round = (select max(round) from replaced)) as c";
                    let Ok(rows) = shown(db.query(rounds).await).await else {
                        // A table that is being replaced, for some of them.
                        continue;
                    };
                    let parts: Vec<&str> = rows[0].split('|').collect();
                    assert!(parts[0] == parts[1] && parts[2] == "1", "{name}: {}", rows[0]);
                    seen += 1;
                }
                seen
            })
        };
        for round in 1..30_u64 {
            let row = format!("{{\"id\": {round}, \"round\": {round}}}");
            let (db, tables) = (db.clone(), targets(&*db));
            let load = tokio::spawn(async move {
                let Ok(loads) = loads(&*db, &tables, &[&row]).await else {
                    return;
                };
                let _ = loads.commit(&Finish::default()).await;
            });
            tokio::time::sleep(Duration::from_millis(round * 7 % 40)).await;
            load.abort();
            let _ = load.await;
        }
        reading.store(false, Ordering::Relaxed);
        assert!(reader.await.unwrap() > 0, "{}", open.name);
    }
}

/// A program that was killed leaves its commit to the server: who goes on waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn writers_are_waited_for_until_they_have_ended() {
    for open in all().await {
        let (take, give) = match open.name {
            "postgres" => ("lock table appended in access exclusive mode", "commit"),
            "mysql" => ("lock tables appended write", "unlock tables"),
            _ => continue,
        };
        let db = open.database.clone();
        let target = [(named(&*db, "appended"), WriteMode::Append)];
        let first = loads(&*db, &target, &[r#"{"id": 1, "round": 0}"#]).await.unwrap();
        first.commit(&Finish::default()).await.unwrap();
        let second = loads(&*db, &target, &[r#"{"id": 2, "round": 0}"#]).await.unwrap();
        let mut other = db.session().await.unwrap();
        if open.name == "postgres" {
            other.execute("begin").await.unwrap();
        }
        other.execute(take).await.unwrap();
        let committing = tokio::spawn(async move { second.commit(&Finish::default()).await });
        let patience = Duration::from_millis(500);
        // Until it stands before the table.
        tokio::time::sleep(patience).await;
        let waiting = db.wait_for_writers(&target[0].0);
        let mut waiting = std::pin::pin!(waiting);
        let early = tokio::time::timeout(patience, &mut waiting).await;
        assert!(early.is_err(), "{}", open.name);
        other.execute(give).await.unwrap();
        waiting.await.unwrap();
        assert_eq!(table(&*db, &target[0].0).await, ["1|0", "2|0"], "{}", open.name);
        assert_eq!(committing.await.unwrap().unwrap(), [1], "{}", open.name);
        drop(other);
    }
}
