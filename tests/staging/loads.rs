//! Loads.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use sequor::batch::column::Column;
use sequor::batch::types::{Logical, arrow_schema};
use sequor::error::ErrorKind;
use sequor::sources::database::{Database, TableName};
use sequor::staging::Staging;
use sequor_planner::ops::WriteMode;

use super::support::*;

fn columns(db: &Staging, declared: &[(&str, &str)]) -> Vec<Column> {
    declared
        .iter()
        .map(|(name, sql)| Column {
            name: name.to_string(),
            column_type: db.column_type(sql).unwrap(),
        })
        .collect()
}

fn people(db: &Staging) -> Vec<Column> {
    columns(db, &[("id", "bigint"), ("name", "text"), ("doc", "jsonb")])
}

fn batch(columns: &[Column], ids: std::ops::Range<i64>) -> RecordBatch {
    let ids: Vec<i64> = ids.collect();
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|i| format!("n{i}"))));
    let json: ArrayRef = Arc::new(StringArray::from_iter_values(
        ids.iter().map(|i| format!("{{\"i\":{i}}}")),
    ));
    RecordBatch::try_new(
        arrow_schema(columns),
        vec![Arc::new(Int64Array::from(ids)), text, json],
    )
    .unwrap()
}

async fn load(db: &Staging, table: &str, ids: std::ops::Range<i64>, mode: WriteMode) -> u64 {
    let columns = people(db);
    let mut load = db
        .begin_load(&TableName::new(table), &columns, mode)
        .await
        .unwrap();
    load.write(batch(&columns, ids)).await.unwrap();
    load.commit().await.unwrap()
}

fn files(db: &Db, table: &str) -> usize {
    let Ok(folder) = std::fs::read_dir(db.folder.path().join("main").join(table)) else {
        return 0;
    };
    folder.filter(|f| f.as_ref().unwrap().path().is_file()).count()
}

#[tokio::test]
async fn a_load_is_seen_at_its_commit() {
    let db = db();
    load(&db, "t", 0..3, WriteMode::Replace).await;
    let columns = people(&db);
    let mut second = db
        .begin_load(&TableName::new("t"), &columns, WriteMode::Replace)
        .await
        .unwrap();
    for start in [10, 20, 30] {
        second.write(batch(&columns, start..start + 10)).await.unwrap();
    }
    assert_eq!(value(&db, "select count(*) from t").await, "3");
    assert_eq!(second.commit().await.unwrap(), 30);
    assert_eq!(value(&db, "select count(*), sum(id) from t").await, "30|735");
    assert_eq!(value(&db, "select doc ->> 'i' from t where id = 15").await, "15");
    assert_eq!(files(&db, "t"), 2, "one file for each load, not for each batch");
    let schema = db.scan(&TableName::new("t")).await.unwrap().schema;
    assert_eq!(Logical::of(schema.field(2)), Logical::Json);
    assert_eq!(Logical::of(schema.field(1)), Logical::Plain);
    load(&db, "t", 100..101, WriteMode::Append).await;
    assert_eq!(value(&db, "select count(*) from t").await, "31");
}

#[tokio::test]
async fn nothing_stays_of_a_load_that_is_given_up() {
    let db = db();
    load(&db, "t", 0..3, WriteMode::Replace).await;
    let columns = people(&db);
    for drop_it in [false, true] {
        let mut load = db
            .begin_load(&TableName::new("t"), &columns, WriteMode::Append)
            .await
            .unwrap();
        load.write(batch(&columns, 5..9)).await.unwrap();
        match drop_it {
            true => drop(load),
            false => load.abort().await,
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(scan(&db, "t").await.len(), 3);
    assert_eq!(files(&db, "t"), 1);
    let mut fresh = db
        .begin_load(&TableName::new("fresh"), &columns, WriteMode::Replace)
        .await
        .unwrap();
    fresh.write(batch(&columns, 5..9)).await.unwrap();
    fresh.abort().await;
    assert_eq!(error(&db, "select * from fresh").await.kind(), ErrorKind::NoTable);
}

#[tokio::test]
async fn an_empty_load_leaves_an_empty_table() {
    let db = db();
    load(&db, "t", 0..3, WriteMode::Replace).await;
    let narrow = columns(&db, &[("only", "timestamp"), ("clock", "time")]);
    let empty = db
        .begin_load(&TableName::new("t"), &narrow, WriteMode::Replace)
        .await
        .unwrap();
    assert_eq!(empty.commit().await.unwrap(), 0);
    let rows = db.scan(&TableName::new("t")).await.unwrap();
    assert_eq!(rows.schema.fields().len(), 2);
    assert!(text(rows).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_append_has_to_fit() {
    let db = db_with(&[
        "create table t (id int, name text, extra date)",
        "insert into t values (1, 'a', '2024-01-01')",
    ])
    .await;
    let t = TableName::new("t");
    let some = columns(&db, &[("name", "text"), ("id", "text")]);
    let rows = |id: &str| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["b"])),
            Arc::new(StringArray::from(vec![id])),
        ];
        RecordBatch::try_new(arrow_schema(&some), columns).unwrap()
    };
    let mut fits = db.begin_load(&t, &some, WriteMode::Append).await.unwrap();
    fits.write(rows("2")).await.unwrap();
    fits.commit().await.unwrap();
    assert_eq!(rows_sorted(&db).await, ["1|a|2024-01-01", "2|b|∅"]);
    let mut wrong = db.begin_load(&t, &some, WriteMode::Append).await.unwrap();
    let error = wrong.write(rows("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(
        error.to_string(),
        "table `t`: column `id`: Cannot cast string 'two' to value of Int32 type"
    );
    wrong.abort().await;
    let unknown = columns(&db, &[("id", "int"), ("nme", "text")]);
    let error = db
        .begin_load(&t, &unknown, WriteMode::Append)
        .await
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "table `t`: the table has no column `nme`");
    assert_eq!(error.advice(), Some("did you mean `name`?"));
    assert_eq!(rows_sorted(&db).await.len(), 2);
}

async fn rows_sorted(db: &Staging) -> Vec<String> {
    rows(db, "select * from t order by id").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once() {
    let db = db();
    let loads = (0..8).map(|i| {
        let staging = db.staging.clone();
        tokio::spawn(async move {
            load(&staging, &format!("own{i}"), 0..50, WriteMode::Replace).await;
            load(&staging, "shared", i * 10..i * 10 + 10, WriteMode::Append).await;
            load(&staging, "last", i..i + 1, WriteMode::Replace).await;
            // As another process would: nothing shared but the folder.
            staging
        })
    });
    for done in futures::future::join_all(loads).await {
        done.unwrap();
    }
    assert_eq!(
        value(&db, "select count(*), count(distinct id) from shared").await,
        "80|80"
    );
    assert_eq!(value(&db, "select count(*) from last").await, "1");
    for i in 0..8 {
        assert_eq!(value(&db, &format!("select count(*) from own{i}")).await, "50");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_at_once() {
    let db = db_with(&["create table counter as select 0 as n"]).await;
    let tasks = (0..4).map(|i| {
        // Its own database over the same folder: what two processes share.
        let other = Staging::open_folder(db.folder.path()).unwrap();
        tokio::spawn(async move {
            for j in 0..5 {
                let start = (i * 5 + j) * 10;
                // A table that none of them has made yet.
                let fresh = format!("fresh{j}");
                load(&other, &fresh, 0..10, WriteMode::Upsert(vec!["id".into()])).await;
                load(&other, "shared", start..start + 10, WriteMode::Append).await;
                run(&other, "update counter set n = n + 1").await;
                run(
                    &other,
                    &format!("create or replace table last as select {i} as i"),
                )
                .await;
            }
        })
    });
    for done in futures::future::join_all(tasks).await {
        done.unwrap();
    }
    assert_eq!(
        value(&db, "select count(*), count(distinct id) from shared").await,
        "200|200"
    );
    assert_eq!(value(&db, "select n from counter").await, "20");
    for j in 0..5 {
        assert_eq!(value(&db, &format!("select count(*) from fresh{j}")).await, "10");
        run(&db, &format!("drop table fresh{j}")).await;
        assert!(!db.folder.path().join(format!("main/fresh{j}")).exists());
    }
    let scratch = std::fs::read_dir(db.folder.path().join("sequor_scratch")).unwrap();
    assert_eq!(scratch.count(), 0, "nothing stays of upserts");
    assert_eq!(value(&db, "select count(*) from last").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_gives_rows_in_the_order_they_came() {
    let db = db();
    for i in 0..7 {
        load(&db, "t", i * 20_000..(i + 1) * 20_000, WriteMode::Append).await;
    }
    let ids: Vec<i64> = scan(&db, "t")
        .await
        .iter()
        .map(|row| row.split('|').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), 140_000);
    let firsts: Vec<i64> = ids.iter().step_by(20_000).copied().collect();
    assert!(ids.is_sorted(), "{firsts:?}");
}
