//! Locks of runs on other machines: only signs of life tell whether they are there.

use std::time::{Duration, Instant};

use sequor::state::{Durability, Field, Owner, Statement, Store};
use sequor_planner::effects::Resource;
use uuid::Uuid;

use super::all;

fn elsewhere() -> Owner {
    Owner {
        host: "another".into(),
        ..Owner::this()
    }
}

fn variable(name: &str) -> Vec<Resource> {
    vec![Resource::Variable(name.into())]
}

/// Sets when a run has given its last sign of life, relative to now.
async fn last_sign(store: &Store, run: Uuid, seconds: i64) {
    let set = Statement::new(
        "UPDATE @locks SET beat = @now + $1 WHERE run = $2",
        [Field::Int(Some(seconds * 1000)), run.to_string().into()],
    );
    let home = store.home();
    home.write("test", &[set], Durability::Process)
        .await
        .unwrap()
        .all()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_signs_of_life_keeps_its_lock() {
    for place in all().await {
        let store = Store::open(place.home.clone(), "p").await.unwrap();
        let (theirs, ours) = (Uuid::now_v7(), Uuid::now_v7());
        let locked = store.lock(theirs, "theirs", &elsewhere(), &variable("a")).await;
        assert!(locked.unwrap().is_none(), "{}", place.name);
        // What does not meet is nobody's matter.
        let other = store
            .lock(Uuid::now_v7(), "other", &Owner::this(), &variable("b"))
            .await;
        assert!(other.unwrap().is_none(), "{}", place.name);
        let begun = Instant::now();
        let holder = store.lock(ours, "ours", &Owner::this(), &variable("a")).await;
        let holder = holder.unwrap().unwrap();
        assert_eq!(
            (holder.run, holder.flow),
            (theirs.to_string(), "theirs".into()),
            "{}",
            place.name
        );
        assert!(begun.elapsed() < Duration::from_secs(4), "{}", place.name);
        // A clock that jumped, or a machine that slept: the next sign of life comes.
        last_sign(&store, theirs, -600).await;
        let living = {
            let store = store.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                store.beat(theirs).await.unwrap();
            })
        };
        let holder = store.lock(ours, "ours", &Owner::this(), &variable("a")).await;
        assert!(holder.unwrap().is_some(), "{}", place.name);
        living.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_none_loses_its_lock() {
    for place in all().await {
        let store = Store::open(place.home.clone(), "p").await.unwrap();
        // Long ago; in the future, when the clock was wrong.
        for seconds in [-600, 86_400] {
            let (theirs, ours) = (Uuid::now_v7(), Uuid::now_v7());
            let locked = store.lock(theirs, "theirs", &elsewhere(), &variable("a")).await;
            assert!(locked.unwrap().is_none(), "{}", place.name);
            last_sign(&store, theirs, seconds).await;
            let taken = store.lock(ours, "ours", &Owner::this(), &variable("a")).await;
            assert!(taken.unwrap().is_none(), "{} {seconds}", place.name);
            store.unlock(ours).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_lock_at_the_same_time_one_has_it() {
    for place in all().await {
        Store::open(place.home.clone(), "p").await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let home = place.again().await;
            tasks.push(tokio::spawn(async move {
                let store = Store::open(home, "p").await.unwrap();
                let owner = Owner::this();
                store
                    .lock(Uuid::now_v7(), "f", &owner, &variable("a"))
                    .await
                    .unwrap()
            }));
        }
        let mut has = 0;
        for task in tasks {
            has += usize::from(task.await.unwrap().is_none());
        }
        assert_eq!(has, 1, "{}", place.name);
    }
}
