//! `run --dry-run`: SQL of other databases on the copies of their tables.

use indoc::indoc;

use super::dry_run::{api, project};
use crate::support::mysql;
use crate::support::postgres;
use crate::support::program::Project;

/// A row whose numbers have no zeros at their ends, and whose nulls are empty.
fn plain(row: &str) -> String {
    let cell = |cell: &str| match cell.parse::<f64>() {
        Ok(number) if cell.contains('.') => number.to_string(),
        _ if cell == "NULL" => String::new(),
        _ => cell.to_string(),
    };
    row.split('|').map(cell).collect::<Vec<_>>().join("|")
}

#[test]
fn sql_that_can_not_be_tried_is_named_before_anything_runs() {
    let (server, _) = api();
    let project = project(&server, "type: postgres\nconn_str: postgresql://127.0.0.1:1/x\n").file(
        "flows/main.yaml",
        indoc! {r#"
            steps:
              - op: transform
                id: good
                source: wh
                target_table: t
                query: select coalesce(lower(a), '') as a, row_number() over (order by b) as n, json_get_str(c, 'x') as x from s
              - op: transform
                id: unknown
                source: wh
                target_table: u
                query: select my_own_function(a) as a from t
              - op: execute
                id: called
                source: wh
                statement: |
                  create index i on t (a);
                  call refresh_all()
        "#},
    );
    let planned = project.sequor(&["plan", "main", "--dry-run"]);
    assert_eq!(planned.code, 2, "{}", planned.all());
    for text in [
        "step unknown: a dry run has no function `my_own_function`",
        "step called: CALL refresh_all",
        "flows/main.yaml:11:5",
    ] {
        assert!(planned.stderr.contains(text), "{text}: {}", planned.stderr);
    }
    assert!(!planned.stderr.contains("step good"), "{}", planned.stderr);
    assert_eq!(project.sequor(&["plan", "main"]).code, 0);
}

#[test]
fn what_is_written_more_than_once_is_counted_together() {
    let (server, _) = api();
    let project = project(&server, "type: sqlite\nconn_str: sqlite:///lite.db\n")
        .file(
            "flows/fill.yaml",
            "- op: execute\n  source: wh\n  statement: create table k as select 1 as id, 'a' as v union all select 2, 'b'\n",
        )
        .file(
            "flows/main.yaml",
            indoc! {"
                - op: execute
                  source: wh
                  statement: |
                    create table if not exists k (id integer, v text);
                    create table made (id integer);
                    insert into made values (1);
                    insert into made select id from k where id = 2
                - op: for_each
                  values: [2, 3]
                  as: n
                  steps:
                    - op: transform
                      source: wh
                      target_table: k
                      write_mode: upsert
                      primary_key: [id]
                      query: select {{ var('n') }} as id, 'c' as v
            "},
        );
    project.run("fill");
    let ran = project.sequor(&["run", "main", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "wh.made: created, 2 rows",
        "wh.k: upserted, 1 new, 1 changed, 3 rows in all",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    project.write(
        "flows/main.yaml",
        "- op: execute\n  source: wh\n  statement: drop table k\n",
    );
    let ran = project.sequor(&["run", "main", "--dry-run"]);
    assert!(ran.stdout.contains("wh.k: dropped"), "{}", ran.all());
    project.write(
        "flows/main.yaml",
        "- op: execute\n  source: wh\n  statement: |\n    begin;\n    delete from k;\n    rollback\n",
    );
    project.sequor(&["run", "main", "--dry-run"]).fails(
        1,
        &["a transaction that is taken back can't be tried in a dry run"],
    );
    assert_eq!(project.rows("wh", "select count(*) as n from k"), ["2"]);
}

#[test]
fn a_query_means_what_it_means_in_its_database() {
    let (server, _) = api();
    let mysql = mysql::Database::new();
    let postgres = postgres::Database::new();
    let rows = "select 1 as id, 'b' as name union all select 2, null union all select 3, 'a'";
    for (source, query) in [
        (
            format!("type: mysql\nconn_str: {}\n", mysql.url),
            "select name, id / 2 as half, concat('x', name) as x from k order by name",
        ),
        (
            "type: sqlite\nconn_str: sqlite:///lite.db\n".to_string(),
            "select name, id / 2 as half, row_number() over (order by name) as n from k order by name",
        ),
        (
            format!("type: postgres\nconn_str: {}\n", postgres.url),
            "select name, id / 2 as half, to_char(date '2026-01-02' + 0, 'YYYY-MM') as m from k order by name desc",
        ),
    ] {
        let project = project(&server, &source)
            .file(
                "flows/fill.yaml",
                &format!("- op: execute\n  source: wh\n  statement: create table k as {rows}\n"),
            )
            .file(
                "flows/main.yaml",
                &format!("- op: transform\n  source: wh\n  target_table: out\n  query: \"{query}\"\n"),
            );
        project.run("fill");
        let ran = project.sequor(&["run", "main", "--dry-run"]);
        assert_eq!(ran.code, 0, "{source}: {}", ran.all());
        let lines: Vec<String> = ran
            .stdout
            .lines()
            .skip_while(|line| !line.contains("name"))
            .skip(1)
            .take(3)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join("|"))
            .collect();
        let real = project.rows("wh", query);
        let real: Vec<String> = real.iter().map(|row| plain(row)).collect();
        let shown: Vec<String> = lines.iter().map(|row| plain(row)).collect();
        assert_eq!(shown, real, "{source}");
    }
}

#[test]
fn a_flow_for_snowflake_is_tried_without_its_driver() {
    let (server, _) = api();
    let source = "type: snowflake\naccount: acme\nuser: u\npassword: \"{{ env_var('SNOWFLAKE_PASSWORD') }}\"\ndatabase: SHOP\nschema: PUBLIC\n";
    let project = Project::new()
        .file("sources/api.yaml", &format!("type: http\nbase_url: {}\n", server.url))
        .file("sources/wh.yaml", source)
        .file(
            "flows/main.yaml",
            indoc! {r#"
                steps:
                  - op: http_request
                    request: {source: api, url: /items}
                    response: {tables: [{source: wh, table: Items, data_path: $, columns: {id: number, name: string}}]}
                  - op: transform
                    source: wh
                    target_table: totals
                    query: select iff(ID > 1, 'many', 'one') as KIND, sum(ID::number) as total, nvl(max(NAME), '') as name from SHOP.PUBLIC.items group by 1 order by 1
                  - op: http_request
                    id: push
                    for_each: {source: wh, table: totals, as: row}
                    request: {source: api, url: "/{{ var('row')['KIND'] }}", method: PUT, body_expression: "{'total': int(var('row')['TOTAL'])}"}
            "#},
        );
    let ran = project.sequor(&["run", "main", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.stdout.contains("push: 2 PUT") && ran.stdout.contains(r#"{"total":2}"#),
        "{}",
        ran.stdout
    );
}
