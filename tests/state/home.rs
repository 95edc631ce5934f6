//! Statements: all of a write or none, what goes in comes out.

use sequor::state::{Durability, Field, Home, Statement, Written};

use super::all;

async fn write(home: &dyn Home, statements: &[Statement]) -> sequor::error::Result<Written> {
    home.write("test", statements, Durability::Process).await
}

fn plain(sql: &str) -> Statement {
    Statement::new(sql, [])
}

async fn numbers(home: &dyn Home) -> Vec<i64> {
    let rows = home.read(&plain("SELECT n FROM @t ORDER BY n")).await.unwrap();
    rows.iter().map(|row| row[0].int()).collect()
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    for place in all().await {
        let home = &*place.home;
        let create = format!(
            "CREATE TABLE @t (n BIGINT, f DOUBLE PRECISION, s TEXT, b {})",
            home.bytes_type()
        );
        assert!(!home.has_table("t").await.unwrap(), "{}", place.name);
        write(home, &[Statement::new(create, [])]).await.unwrap();
        assert!(home.has_table("t").await.unwrap(), "{}", place.name);
        let rows = [
            vec![
                Field::Int(Some(i64::MIN)),
                Field::Float(Some(-0.1)),
                Field::Text(Some("$1 @t '\"ü\n😀".into())),
                Field::Bytes(Some((0..=255).collect())),
            ],
            vec![
                Field::Int(Some(i64::MAX)),
                Field::Float(Some(f64::MAX)),
                Field::Text(Some(String::new())),
                Field::Bytes(Some(Vec::new())),
            ],
        ];
        for row in &rows {
            let insert = Statement::new("INSERT INTO @t VALUES ($1, $2, $3, $4)", row.clone());
            assert_eq!(
                write(home, &[insert]).await.unwrap(),
                Written::All(vec![1]),
                "{}",
                place.name
            );
        }
        let none = [
            Field::Int(None),
            Field::Float(None),
            Field::Text(None),
            Field::Bytes(None),
        ];
        write(
            home,
            &[Statement::new("INSERT INTO @t VALUES ($1, $2, $3, $4)", none)],
        )
        .await
        .unwrap();
        // Another program sees the same.
        for home in [place.home.clone(), place.again().await] {
            let found = home
                .read(&plain("SELECT n, f, s, b FROM @t WHERE n IS NOT NULL ORDER BY n"))
                .await
                .unwrap();
            assert_eq!(found, rows, "{}", place.name);
            let none = home
                .read(&plain("SELECT n, f, s, b FROM @t WHERE n IS NULL"))
                .await
                .unwrap();
            let [row] = &none[..] else {
                panic!("{}: {none:?}", place.name)
            };
            assert_eq!((row[0].int(), row[1].float(), row[2].text()), (0, 0.0, ""));
            assert_eq!((row[2].optional_text(), row[3].bytes()), (None, None));
        }
    }
}

#[tokio::test]
async fn a_write_is_whole_or_nothing() {
    for place in all().await {
        let home = &*place.home;
        write(home, &[plain("CREATE TABLE @t (n BIGINT PRIMARY KEY)")])
            .await
            .unwrap();
        let insert = |n: u64| Statement::new("INSERT INTO @t VALUES ($1)", [n.into()]);
        // One that fails.
        let failed = write(home, &[insert(1), insert(2), insert(1)]).await.unwrap_err();
        assert_eq!(failed.kind().code(), "SQ1022", "{}", place.name);
        assert!(
            failed.advice().is_some_and(|advice| !advice.is_empty()),
            "{}",
            place.name
        );
        assert_eq!(numbers(home).await, [0; 0], "{}", place.name);
        // One that refuses.
        let guard = plain("UPDATE @t SET n = 5 WHERE n = 4").guarding();
        let refused = write(home, &[insert(1), guard.clone(), insert(2)]).await.unwrap();
        assert_eq!(refused, Written::Refused(1), "{}", place.name);
        assert_eq!(numbers(home).await, [0; 0], "{}", place.name);
        let done = write(home, &[insert(1), insert(4), guard, insert(2)])
            .await
            .unwrap();
        assert_eq!(done, Written::All(vec![1, 1, 1, 1]), "{}", place.name);
        assert_eq!(numbers(home).await, [1, 2, 5], "{}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_that_write_at_the_same_time_none_is_lost() {
    for place in all().await {
        write(
            &*place.home,
            &[
                plain("CREATE TABLE @t (n BIGINT)"),
                plain("INSERT INTO @t VALUES (0)"),
            ],
        )
        .await
        .unwrap();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let home = place.again().await;
            tasks.push(tokio::spawn(async move {
                let mut refused = 0;
                for _ in 0..25 {
                    loop {
                        let now = numbers(&*home).await[0];
                        let next = Statement::new(
                            "UPDATE @t SET n = $1 WHERE n = $2",
                            [Field::Int(Some(now + 1)), Field::Int(Some(now))],
                        );
                        match write(&*home, &[next.guarding()]).await.unwrap() {
                            Written::All(_) => break,
                            Written::Refused(_) => refused += 1,
                        }
                    }
                }
                refused
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(numbers(&*place.home).await, [100], "{}", place.name);
    }
}

#[tokio::test]
async fn the_clock_is_in_milliseconds() {
    for place in all().await {
        let now = place.home.read(&plain("SELECT @now AS t")).await.unwrap()[0][0].int();
        let here = chrono::Utc::now().timestamp_millis();
        assert!((now - here).abs() < 60_000, "{}: {now}, {here}", place.name);
    }
}

#[tokio::test]
async fn a_place_that_is_closed_says_so() {
    for place in all().await {
        place.home.close().await;
        let error = place.home.read(&plain("SELECT 1")).await.unwrap_err();
        assert_eq!(error.kind().code(), "SQ1022", "{}", place.name);
    }
}
