//! Tables of earlier versions become those of this one; those of a later version are left as they are.

use sequor::state::{Durability, Home, Owner, RunState, Statement, Store, Wanted};
use sequor_planner::effects::Resource;
use uuid::Uuid;

use super::all;

/// Each version that was released, by what it left.
const RELEASED: [&str; 1] = [include_str!("version-1.sql")];

async fn fill(home: &dyn Home, sql: &str) {
    let sql: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
    let sql = sql.join("\n").replace("{bytes}", home.bytes_type());
    let statements: Vec<Statement> = sql
        .split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
        .map(|statement| Statement::new(statement, []))
        .collect();
    home.write("test", &statements, Durability::Machine)
        .await
        .unwrap();
}

async fn texts(home: &dyn Home, sql: &str) -> Vec<String> {
    let rows = home.read(&Statement::new(sql, [])).await.unwrap();
    rows.iter().map(|row| row[0].text().to_string()).collect()
}

#[tokio::test]
async fn what_an_earlier_version_kept_is_there() {
    for released in RELEASED {
        for place in all().await {
            fill(&*place.home, released).await;
            let store = Store::open(place.home.clone(), "v1").await.unwrap();
            let runs = store.runs(&Wanted::default()).await.unwrap();
            let seen: Vec<_> = runs
                .iter()
                .map(|r| (r.flow.as_str(), r.state, r.attempt))
                .collect();
            assert_eq!(
                seen,
                [
                    ("bad", RunState::Crashed, 1),
                    ("bad", RunState::Failed, 2),
                    ("good", RunState::Done, 1)
                ],
                "{}",
                place.name
            );
            let failed = store.run(Some("01a21ea5-df")).await.unwrap();
            assert_eq!(failed.environment.as_deref(), Some("dev"), "{}", place.name);
            assert_eq!(failed.error.unwrap().code, "SQ1011", "{}", place.name);
            let steps = store.steps(failed.run).await.unwrap();
            assert_eq!(steps.len(), 2, "{}", place.name);
            assert_eq!(
                (
                    steps[1].step.as_str(),
                    steps[1].totals.rows,
                    steps[1].totals.requests
                ),
                ("broken", 10, 4),
                "{}",
                place.name
            );
            // The lock of a run whose machine is gone is taken over.
            let ours = [Resource::Variable("count".into())];
            let taken = store.lock(Uuid::now_v7(), "ours", &Owner::this(), &ours).await;
            assert!(taken.unwrap().is_none(), "{}", place.name);
        }
    }
}

#[tokio::test]
async fn the_tables_of_a_version_are_made_once() {
    for place in all().await {
        let opened = (0..4).map(|_| async {
            let home = place.again().await;
            Store::open(home, "p").await
        });
        for opened in futures::future::join_all(opened).await {
            opened.unwrap();
        }
        let version = texts(&*place.home, "SELECT value FROM @meta WHERE key = 'version'").await;
        assert_eq!(version, [RELEASED.len().to_string()], "{}", place.name);
        // What was released is what a new state is made of.
        let fresh = columns(&*place.home).await;
        let old = super::Place::new(place.name).await;
        fill(&*old.home, RELEASED[RELEASED.len() - 1]).await;
        assert_eq!(columns(&*old.home).await, fresh, "{}", place.name);
    }
}

/// The columns of all tables.
async fn columns(home: &dyn Home) -> Vec<String> {
    let sql = match home.is_shared() {
        true => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns \
             WHERE table_schema = 'se\"quor' ORDER BY 1"
        }
        false => {
            "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || c.pk \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1"
        }
    };
    let columns = texts(home, sql).await;
    assert!(columns.len() > 50);
    columns
}

#[tokio::test]
async fn a_later_version_is_refused_and_left() {
    for place in all().await {
        fill(&*place.home, RELEASED[0]).await;
        let later = Statement::new("UPDATE @meta SET value = '999' WHERE key = 'version'", []);
        place
            .home
            .write("test", &[later], Durability::Machine)
            .await
            .unwrap();
        let before = columns(&*place.home).await;
        let Err(refused) = Store::open(place.home.clone(), "v1").await else {
            panic!("{}: it was opened", place.name)
        };
        assert_eq!(refused.kind().code(), "SQ1022", "{}", place.name);
        let told = format!("{refused} {}", refused.advice().unwrap());
        assert!(
            told.contains("later version") && told.contains("update the program"),
            "{told}"
        );
        assert_eq!(columns(&*place.home).await, before, "{}", place.name);
        let runs = texts(&*place.home, "SELECT run FROM @runs").await;
        assert_eq!(runs.len(), 3, "{}", place.name);
        let version = texts(&*place.home, "SELECT value FROM @meta WHERE key = 'version'").await;
        assert_eq!(version, ["999"], "{}", place.name);
    }
}
