//! `run --dry-run --diff` and `--out`: what came out, beside what is there.

use indoc::indoc;

use crate::support::postgres;
use crate::support::program::Project;

fn project(database: &postgres::Database) -> Project {
    Project::new()
        .file("sources/wh.yaml", &database.source())
        .file("sources/api.yaml", "type: http\nbase_url: https://api.test\n")
        .file(
            "flows/main.yaml",
            indoc! {r#"
                - op: transform
                  source: wh
                  target_table: prices
                  write_mode: upsert
                  primary_key: [id]
                  query: "select id, price * 2 as price, name from prices where id <= 2 union all select 9999, 1.5, 'new'"
                - op: transform
                  source: wh
                  target_table: totals
                  query: select count(*) as n, sum(price) as total from prices
                - op: execute
                  source: wh
                  statement: delete from gone where id > 1
                - op: http_request
                  id: push
                  for_each: {source: wh, table: prices, as: row}
                  request: {source: api, url: "/p/{{ var('row')['id'] }}", method: PUT, body_format: json, body: {price: "{{ var('row')['price'] }}"}}
            "#},
        )
}

#[test]
fn tables_are_compared_with_those_that_are_there() {
    let database = postgres::Database::new();
    database.execute(
        "create table prices (id bigint primary key, price numeric, name text);
         insert into prices select n, n * 1.25, 'name ' || n from generate_series(1, 3000) n;
         create table totals (n bigint, total text); insert into totals values (1, '2.5');
         create table gone (id int); insert into gone select generate_series(1, 5)",
    );
    let project = project(&database);
    let ran = project.sequor(&["run", "main", "--dry-run", "--diff", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "wh.prices: upserted, 1 new, 2 changed, 3,001 rows in all",
        "beside the table as it is now, by id: 1 added, 0 removed, 2 changed (price in 2 rows)",
        "beside the table as it is now, by whole rows: 1 added, 1 removed; other types: total from text to numeric",
        "wh.gone: changed, 1 row",
        "by whole rows: 0 added, 4 removed",
        "push: 3001 PUT",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
    let out = project.path().join("out");
    for file in [
        "tables/wh/prices.parquet",
        "tables/wh/totals.parquet",
        "requests/push/0001.yaml",
        "requests/push/3001.yaml",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // The database is as it was.
    assert_eq!(
        database.rows("select sum(price) from prices where id < 3"),
        ["3.75"]
    );
    // What is there is not written over.
    project
        .sequor(&["run", "main", "--dry-run", "--out", "out"])
        .fails(2, &["the folder is not empty"]);
    let ran = project.sequor(&["run", "main", "--dry-run", "--diff", "--format", "json"]);
    let last = ran.stdout.lines().last().unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(last).unwrap();
    let tables = report["report"]["tables"].as_array().unwrap();
    let prices = tables.iter().find(|table| table["table"] == "prices").unwrap();
    assert_eq!(prices["diff"]["columns"][0]["column"], "price", "{last}");
    project
        .sequor(&["run", "main", "--diff"])
        .fails(2, &["--dry-run"]);
}

#[test]
fn rows_that_are_the_same_count_as_often_as_they_are_there() {
    for (before, after, added, removed) in [
        ("1", "1, 1, 1", 2, 0),
        ("1, 1, 2", "1, 2", 0, 1),
        ("1, 1, 2", "1, 2, 2", 1, 1),
        ("1, 1, 2", "2, 3, 2", 2, 2),
    ] {
        let flow = |numbers: &str| {
            let values: Vec<String> = numbers.split(", ").map(|n| format!("select {n} as n")).collect();
            format!(
                "- {{op: transform, source: stage, target_table: t, query: {}}}\n",
                values.join(" union all ")
            )
        };
        let project = Project::new().file("flows/main.yaml", &flow(before));
        assert_eq!(project.run("main").code, 0);
        project.write("flows/main.yaml", &flow(after));
        let ran = project.sequor(&["run", "main", "--dry-run", "--diff"]);
        let says = format!("by whole rows: {added} added, {removed} removed");
        assert!(ran.stdout.contains(&says), "{before} to {after}: {}", ran.all());
    }
}
