//! Values to and fro, without loss.

use arrow::array::{BinaryArray, Int64Array, RecordBatch};
use sequor::batch::types::arrow_schema;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_went() {
    let types = [
        ("i", "integer"),
        ("b", "bigint"),
        ("s", "smallint"),
        ("n", "numeric(10,2)"),
        ("w", "decimal(38,9)"),
        ("r", "real"),
        ("d", "double precision"),
        ("f", "boolean"),
        ("t", "text"),
        ("day", "date"),
        ("stamp", "timestamp"),
        ("zoned", "timestamp with time zone"),
        ("doc", "jsonb"),
    ];
    let row = r#"{"i": -2147483648, "b": 9007199254740993, "s": 32767, "n": 1.10, "w": 12345678901234567890.123456789,
        "r": 0.5, "d": 1e-300, "f": true, "t": "Zoë 🦆 'q' \"d\" \\ \n", "day": "2024-02-29",
        "stamp": "2024-02-29T12:34:56.789012", "zoned": "2024-02-29T12:34:56+02:00", "doc": {"a": [1, null], "b": "x"}}"#;
    for open in all().await.into_iter().filter(|o| o.has(Lack::Types)) {
        let db = &*open.database;
        let t = named(db, "t");
        if !open.has(Lack::Decimals) {
            let long = load(db, &t, &types, WriteMode::Replace, &[row]).await;
            assert!(
                message(long, &open).contains("has more digits than"),
                "{}",
                open.name
            );
        }
        let number = match open.has(Lack::Decimals) {
            true => "12345678901234567890.123456789",
            false => "12345.123456789",
        };
        let row = &row.replace("12345678901234567890.123456789", number);
        load(db, &t, &types, WriteMode::Replace, &[row, "{}"])
            .await
            .unwrap();
        let rows = table(db, &t).await;
        let nulls = vec!["-"; types.len()].join("|");
        assert_eq!(rows.len(), 2, "{}", open.name);
        let empty: Vec<String> = types.iter().map(|(name, _)| format!("{name} is null")).collect();
        let empty = format!("select count(*) as n from t where {}", empty.join(" and "));
        assert_eq!(
            shown(db.query(&empty).await).await.unwrap(),
            ["1"],
            "{}",
            open.name
        );
        // The server that stands for Snowflake sends null timestamps as 1970.
        assert!(
            rows.contains(&nulls) || open.name == "snowflake",
            "{}: {rows:?}",
            open.name
        );
        let values = rows.iter().find(|row| row.starts_with("-2147")).unwrap();
        // JSON is the same, whatever space a database puts into it.
        let seen = values
            .replace("\": ", "\":")
            .replace(", ", ",")
            .replace("[1,null]", "[1, null]");
        let wanted = "-2147483648|9007199254740993|32767|1.10|NUMBER|0.5|1e-300|true|Zoë 🦆 'q' \"d\" \\ \n|2024-02-29|2024-02-29 12:34:56.789012|2024-02-29 10:34:56+00:00|{\"a\":[1, null],\"b\":\"x\"}".replace("NUMBER", number);
        assert_eq!(seen, wanted, "{}", open.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_stay_bytes() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "t");
        let sql = match open.name {
            "mysql" => "longblob",
            "snowflake" => "binary",
            "adbc sqlite" | "sqlite" | "duckdb" => "blob",
            _ => "bytea",
        };
        let columns = columns(db, &[("id", "bigint"), ("b", sql)]);
        let bytes: &[u8] = &[0, 255, 39, 92, 10];
        let batch = RecordBatch::try_new(
            arrow_schema(&columns),
            vec![
                Arc::new(Int64Array::from(vec![1, 2, 3])),
                Arc::new(BinaryArray::from_opt_vec(vec![Some(bytes), None, Some(b"")])),
            ],
        );
        let mut load = db.begin_load(&t, &columns, WriteMode::Replace).await.unwrap();
        load.write(batch.unwrap()).await.unwrap();
        load.commit().await.unwrap();
        assert_eq!(
            table(db, &t).await,
            ["1|[00, ff, 27, 5c, 0a]", "2|-", "3|[]"],
            "{}",
            open.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_where_there_are_some() {
    for open in all().await.into_iter().filter(|o| !o.name.starts_with("adbc")) {
        let db = &*open.database;
        let t = named(db, "t");
        if open.name == "mysql" {
            let none = db.column_type("text[]");
            assert!(message(none, &open).contains("MySQL has no arrays"));
            continue;
        }
        let types = [("id", "bigint"), ("tags", "text[]"), ("counts", "integer[]")];
        let rows = [
            r#"{"id": 1, "tags": ["a", "b, \"c\" {d} \\", "Zoë\n", null], "counts": [1, 2, null]}"#,
            r#"{"id": 2, "tags": [], "counts": null}"#,
        ];
        for mode in [WriteMode::Replace, upsert(db, &["id"])] {
            load(db, &t, &types, mode, &rows).await.unwrap();
            let seen: Vec<String> = table(db, &t)
                .await
                .iter()
                .map(|row| {
                    row.replace(", null", ",null")
                        .replace(", 2", ",2")
                        .replace("\", \"", "\",\"")
                })
                .collect();
            assert_eq!(
                seen,
                [r#"1|["a","b, \"c\" {d} \\","Zoë\n",null]|[1,2,null]"#, "2|[]|-"],
                "{}",
                open.name
            );
        }
        let wrong = load(db, &t, &types, WriteMode::Append, &[r#"{"id": 3, "tags": 5}"#]).await;
        assert!(
            message(wrong, &open).contains("an array is a list"),
            "{}",
            open.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_character_is_kept_or_refused() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "t");
        let rows = [r#"{"t": "a\u0000b"}"#];
        match load(db, &t, &[("t", "text")], WriteMode::Replace, &rows).await {
            Ok(_) => assert_eq!(table(db, &t).await, ["a\0b"], "{}", open.name),
            Err(error) => {
                let text = text(&error);
                assert!(
                    text.contains("0x00") || text.contains("NUL"),
                    "{}: {text}",
                    open.name
                );
                assert!(db.columns(&t).await.unwrap().is_none(), "{}", open.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_queries() {
    for open in all().await {
        let db = &*open.database;
        let integer = match open.name {
            "mysql" => "signed",
            _ => "integer",
        };
        let sql = format!(
            "select count(*) as n, cast(1.50 as decimal(5,2)) as d, cast(null as {integer}) as absent, 'x' as t, 1 = 1 as yes"
        );
        let decimal = if open.has(Lack::Decimals) { "1.50" } else { "1.5" };
        let yes = if open.has(Lack::Booleans) { "true" } else { "1" };
        assert_eq!(
            shown(db.query(&sql).await).await.unwrap(),
            [format!("1|{decimal}|-|x|{yes}")],
            "{}",
            open.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_left_in_the_middle() {
    for open in all().await {
        let db = &*open.database;
        let t = named(db, "big");
        let rows: Vec<String> = (0..20_000).map(|id| format!("{{\"id\": {id}}}")).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        load(db, &t, &[("id", "bigint")], WriteMode::Replace, &rows)
            .await
            .unwrap();
        for _ in 0..20 {
            let mut scanned = db.scan(&t).await.unwrap().batches;
            assert!(
                scanned.next().await.unwrap().unwrap().num_rows() > 0,
                "{}",
                open.name
            );
        }
        let counted = shown(db.query("select count(*) as n from big").await)
            .await
            .unwrap();
        assert_eq!(counted, ["20000"], "{}", open.name);
    }
}
