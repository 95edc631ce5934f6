//! Queries that need more memory than they may take go on in files.

use sequor::sources::database::Database;
use sequor::staging::{Memory, Staging};

use super::support::rows;

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_goes_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    let memory = Memory::new(Some(24 << 20), Some(spill.clone()));
    let db = Staging::open_folder_with(&folder.path().join("tables"), &memory).unwrap();
    let fill = "create table t as select value % 700000 as k, 'text of ' || value as v from generate_series(1, 1400000)";
    db.execute(fill).await.unwrap();
    let seen = tokio::spawn(async move {
        // What is there while the queries run.
        let mut most = 0;
        loop {
            let files = walk(&spill);
            most = most.max(files);
            if files == 0 && most > 0 {
                return most;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
    let groups =
        "select count(*) as n, sum(c) as c from (select k, count(*) as c, max(v) as v from t group by k)";
    assert_eq!(rows(&db, groups).await, ["700000|1400000"]);
    let sorted = "select v from (select v, row_number() over (order by v desc) as at from t) where at = 1";
    assert_eq!(rows(&db, sorted).await, ["text of 999999"]);
    let joined = "select count(*) from t a join t b on a.v = b.v";
    assert_eq!(rows(&db, joined).await, ["1400000"]);
    assert!(seen.await.unwrap() > 0);
}

/// The number of files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.path().is_dir() {
            true => walk(&entry.path()),
            false => 1,
        })
        .sum()
}
