//! Tables: names, folders, other readers.

use sequor::error::ErrorKind;
use sequor::sources::database::{Database, TableName};
use sequor::staging::Staging;
use sequor_planner::ops::WriteMode;

use super::support::*;

#[tokio::test]
async fn tables_survive_and_any_delta_reader_opens_them() {
    let db = db_with(&[
        "create table orders as select 1 as id, 'x' as name",
        "create table crm.people (id int)",
    ])
    .await;
    let again = Staging::open_folder(db.folder.path()).unwrap();
    assert_eq!(scan(&again, "orders").await, ["1|x"]);
    assert_eq!(again.table_names().await.unwrap(), ["orders", "crm.people"]);
    let url = url::Url::from_directory_path(db.folder.path().join("main/orders")).unwrap();
    let table = deltalake_core::open_table(url).await.unwrap();
    assert_eq!(table.version(), Some(0));
    assert_eq!(table.get_file_uris().unwrap().count(), 1);
    // A change made by another reader of the folder is seen at once.
    run(&again, "insert into orders values (2, 'y')").await;
    assert_eq!(value(&db, "select count(*) from orders").await, "2");
}

#[tokio::test]
async fn any_name_is_a_table() {
    let db = db();
    for name in [
        "Order Items",
        "a/b",
        "..",
        "ключ",
        "say \"hi\"",
        "percent%20",
        "select",
        "a.b",
        "ORDERS",
        "orders",
    ] {
        let table = TableName::new(name);
        let query = format!("select '{}' as name", name.replace('\'', "''"));
        db.transform(&query, &table, WriteMode::Replace).await.unwrap();
        db.transform(&query, &table, WriteMode::Append).await.unwrap();
        assert_eq!(scan(&db, name).await, [name, name]);
        let quoted = name.replace('"', "\"\"");
        assert_eq!(
            value(&db, &format!("select count(*) from \"{quoted}\"")).await,
            "2"
        );
    }
    let inside: Vec<_> = std::fs::read_dir(db.folder.path()).unwrap().collect();
    assert_eq!(inside.len(), 1, "nothing outside the namespace's folder");
    assert_eq!(db.table_names().await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_table_that_is_not_there() {
    let db = db_with(&[
        "create table orders (id int)",
        "create table customers (id int)",
        "create table crm.people (id int)",
    ])
    .await;
    let missing = error(&db, "select * from order_s").await;
    assert_eq!(missing.kind(), ErrorKind::NoTable);
    assert_eq!(missing.to_string(), "table `order_s` does not exist in staging");
    assert_eq!(missing.advice(), Some("did you mean `orders`?"));
    let missing = error(&db, "insert into zzz values (1)").await;
    assert_eq!(
        missing.advice(),
        Some("tables in staging: `customers`, `orders`, `crm.people`")
    );
    let missing = error(&db, "select * from crm.peple").await;
    assert_eq!(missing.to_string(), "table `crm.peple` does not exist in staging");
    assert_eq!(missing.advice(), Some("did you mean `crm.people`?"));
    let wrong = error(&db, "select * from other.main.orders").await;
    assert_eq!(wrong.to_string(), "the staging database has no database `other`");
    assert!(rows(&db, "select * from staging.main.orders").await.is_empty());
    let scan = db.scan(&TableName::new("nothing")).await.err().unwrap();
    assert_eq!(scan.kind(), ErrorKind::NoTable);
}

#[tokio::test]
async fn replaced_files_go_when_no_one_needs_them() {
    let db = db();
    let t = TableName::new("t");
    let data_files = || {
        let folder = std::fs::read_dir(db.folder.path().join("main/t")).unwrap();
        folder
            .filter(|f| {
                f.as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == "parquet")
            })
            .count()
    };
    for n in 0..25 {
        db.transform(&format!("select {n} as n"), &t, WriteMode::Replace)
            .await
            .unwrap();
    }
    assert_eq!(value(&db, "select n from t").await, "24");
    // As if all that had been long ago: files of versions before the last one are removed by the next commit.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(30 * 24 * 3600);
    for file in std::fs::read_dir(db.folder.path().join("main/t")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
    }
    let reading = db.query("select n from t").await.unwrap();
    db.transform("select 100 as n", &t, WriteMode::Replace)
        .await
        .unwrap();
    assert_eq!(data_files(), 26, "a reader keeps them");
    assert_eq!(text(reading).await.unwrap(), ["24"]);
    db.transform("select 101 as n", &t, WriteMode::Replace)
        .await
        .unwrap();
    assert_eq!(data_files(), 2);
    assert_eq!(value(&db, "select n from t").await, "101");
}

#[tokio::test]
async fn a_reader_is_not_disturbed_by_drop_or_replace() {
    let db = db_with(&["create table t as select 1 as n"]).await;
    let reading = db.query("select n from t").await.unwrap();
    run(&db, "drop table t").await;
    run(&db, "create table t as select 'other' as m").await;
    assert_eq!(text(reading).await.unwrap(), ["1"]);
    assert_eq!(scan(&db, "t").await, ["other"]);
}

#[tokio::test]
async fn opening_is_cheap() {
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let db = Staging::open_folder(&folder.path().join("new/state")).unwrap();
    let opened = start.elapsed();
    assert_eq!(value(&db, "select 1").await, "1");
    println!("opened in {opened:?}, first query after {:?}", start.elapsed());
}
