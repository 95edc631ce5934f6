//! GROUP BY of a text column: the same rows, whichever way its files let it be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use sequor::batch::column::Column;
use sequor::batch::types::arrow_schema;
use sequor::sources::database::{Database, TableName};
use sequor_planner::ops::WriteMode;

use super::support::*;

type Row = (Option<String>, i64);

async fn append(db: &Db, rows: &[Row]) {
    let columns: Vec<Column> = [("k", "text"), ("n", "bigint")]
        .iter()
        .map(|(name, sql)| Column {
            name: name.to_string(),
            column_type: db.column_type(sql).unwrap(),
        })
        .collect();
    let keys: ArrayRef = Arc::new(rows.iter().map(|(k, _)| k.as_deref()).collect::<StringArray>());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, n)| *n)));
    let table = TableName::new("t");
    let mut load = db.begin_load(&table, &columns, WriteMode::Append).await.unwrap();
    load.write(RecordBatch::try_new(arrow_schema(&columns), vec![keys, numbers]).unwrap())
        .await
        .unwrap();
    load.commit().await.unwrap();
}

async fn sorted(db: &Db, sql: &str) -> Vec<String> {
    let mut rows = rows(db, sql).await;
    rows.sort();
    rows
}

async fn by_codes(db: &Db, sql: &str) -> bool {
    let plan = rows(db, &format!("EXPLAIN ANALYZE {sql}")).await;
    plan.iter().any(|line| line.contains("AggregateByCodes"))
}

/// One core makes no partial aggregates.
fn several_cores() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

const SUMS: &str = "k, sum(n), count(*), count(n) FILTER (WHERE n > 0), min(n), avg(n)";

fn row() -> impl Strategy<Value = Row> {
    (
        prop::option::weighted(0.9, "[ab]{0,2}|\u{e9}\u{1f600}"),
        -50i64..50,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn groups_are_those_of_the_texts(loads in prop::collection::vec(prop::collection::vec(row(), 1..60), 1..4)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let db = db();
            for load in &loads {
                append(&db, load).await;
            }
            let mut sums: BTreeMap<Option<String>, i64> = BTreeMap::new();
            for (key, number) in loads.iter().flatten() {
                *sums.entry(key.clone()).or_default() += number;
            }
            let mut expected: Vec<String> = sums
                .iter()
                .map(|(key, sum)| format!("{}|{sum}", key.as_deref().unwrap_or("∅")))
                .collect();
            expected.sort();
            assert_eq!(sorted(&db, "SELECT k, sum(n) FROM t GROUP BY k").await, expected);
            for condition in ["", "WHERE k IS NOT NULL", "WHERE k IS NOT NULL AND n > 5", "WHERE n % 2 = 0", "WHERE n > 99"] {
                let coded = format!("SELECT {SUMS} FROM t {condition} GROUP BY k");
                // The key is computed: no column, so no codes.
                let plain = format!("SELECT {SUMS} FROM (SELECT k || '' AS k, n FROM t {condition}) t GROUP BY k");
                assert_eq!(sorted(&db, &coded).await, sorted(&db, &plain).await, "{condition}");
            }
        });
    }
}

#[tokio::test]
async fn texts_that_repeat_are_grouped_by_their_codes() {
    let db = db();
    let rows: Vec<Row> = (0..20_000)
        .map(|i| ((i % 10 > 0).then(|| format!("k{}", i % 7)), i))
        .collect();
    append(&db, &rows).await;
    append(&db, &rows[..100]).await;
    if !several_cores() {
        return;
    }
    for sql in [
        "SELECT k, sum(n) FROM t GROUP BY k",
        "SELECT k, sum(n) FROM t WHERE k IS NOT NULL GROUP BY k",
        "SELECT k, sum(n) FROM t WHERE k IS NOT NULL AND n > 10 GROUP BY k ORDER BY 2 DESC LIMIT 3",
        "SELECT DISTINCT k FROM t",
        "SELECT a.k FROM t a JOIN (SELECT k, max(n) AS n FROM t GROUP BY k) b ON a.k = b.k AND a.n = b.n",
        "SELECT k, count(*) FROM t GROUP BY k HAVING count(*) > 5",
    ] {
        assert!(by_codes(&db, sql).await, "{sql}");
    }
    // The text itself is asked for, or is not the key.
    for sql in [
        "SELECT k, max(k) FROM t GROUP BY k",
        "SELECT k, count(*) FROM t WHERE k > 'k2' GROUP BY k",
        "SELECT upper(k), count(*) FROM t GROUP BY 1",
        "SELECT n, count(*) FROM t GROUP BY n",
        "SELECT k, n, count(*) FROM t GROUP BY k, n",
    ] {
        assert!(!by_codes(&db, sql).await, "{sql}");
    }
}

#[tokio::test]
async fn more_groups_than_are_held_at_once() {
    let db = db();
    let keys = 70_000;
    let some = |i: i64| (Some(format!("{:x}", i % keys)), i / keys);
    append(&db, &(0..keys * 3).map(some).collect::<Vec<_>>()).await;
    let sql = "SELECT k, sum(n) AS n, count(*) AS c FROM t GROUP BY k";
    assert!(by_codes(&db, sql).await || !several_cores());
    let all =
        format!("SELECT count(*), sum(n), min(n), max(n), min(c), max(c), count(DISTINCT k) FROM ({sql}) g");
    assert_eq!(value(&db, &all).await, "70000|210000|3|3|3|3|70000");
}

#[tokio::test]
async fn a_column_without_a_dictionary_throughout_is_read_as_text() {
    let db = db();
    // More than a dictionary of Parquet holds.
    let long = |i: i64| (Some(format!("{i:0>100}")), 1);
    append(&db, &(0..30_000).map(long).collect::<Vec<_>>()).await;
    append(&db, &[(None, 1), (Some("b".into()), 2)]).await;
    let sql = "SELECT k, sum(n) AS n FROM t GROUP BY k";
    assert!(!by_codes(&db, sql).await);
    let all = format!("SELECT count(*), sum(n) FROM ({sql}) g");
    assert_eq!(value(&db, &all).await, "30002|30003");
}

#[tokio::test]
async fn a_column_that_older_files_do_not_have() {
    let db = db_with(&["create table t (n bigint)", "insert into t values (1), (2)"]).await;
    run(&db, "alter table t add column k text").await;
    run(
        &db,
        "insert into t (n, k) values (3, 'a'), (4, 'b'), (5, 'a'), (6, null)",
    )
    .await;
    let sql = "SELECT k, sum(n) FROM t GROUP BY k";
    assert_eq!(sorted(&db, sql).await, ["a|8", "b|4", "∅|9"]);
}
