//! Transforms that compute only what is new.

use super::SQLITE;
use crate::support::databases;
use crate::support::program::Project;

const QUERY: &str = "select id, happened, total from events {% if var('window')['start'] %}where happened >= '{{ var('window')['start'] }}'{% endif %}";

fn transform(incremental: &str, mode: &str) -> String {
    format!(
        "- op: transform\n  id: sums\n  source: wh\n  target_table: sums\n  write_mode: {mode}\n  incremental: {{cursor: happened, initial: 2020-01-01{incremental}}}\n  query: |\n    {QUERY}\n"
    )
}

/// A table of events, whose statements a flow runs.
fn project(source: &str, incremental: &str, mode: &str) -> Project {
    Project::new()
        .file("sources/wh.yaml", source)
        .file("flows/main.yaml", &transform(incremental, mode))
}

fn execute(project: &Project, statements: &[String]) {
    let steps = statements
        .iter()
        .map(|sql| format!("- {{op: execute, source: wh, statement: \"{sql}\"}}\n"));
    project.write("flows/change.yaml", &steps.collect::<String>());
    let ran = project.run("change");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn event(id: u32, day: u32, total: u32) -> String {
    format!("insert into events values ({id}, '2024-01-{day:02} 10:00:00', {total})")
}

fn create() -> Vec<String> {
    vec![
        "drop table if exists sums".into(),
        "drop table if exists events".into(),
        "create table events (id integer, happened timestamp, total integer)".into(),
    ]
}

fn sums(project: &Project) -> Vec<String> {
    project.rows("wh", "select id, total from sums order by id, total")
}

fn run(project: &Project, name: &str) {
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
}

#[test]
fn only_what_is_new_is_computed_in_every_database() {
    for (name, source) in databases::all() {
        for mode in ["append", "replace_range", "upsert\n  primary_key: [id]"] {
            println!("{name} {mode}");
            let project = project(&source, "", mode);
            execute(
                &project,
                &[create(), vec![event(1, 1, 10), event(2, 2, 20)]].concat(),
            );
            run(&project, name);
            // An old row changes, and is not looked at; another has the time of the newest one.
            let more = [
                "update events set total = 11 where id = 1".to_string(),
                event(3, 2, 30),
                event(4, 3, 40),
            ];
            execute(&project, &more);
            run(&project, name);
            assert_eq!(sums(&project), ["1|10", "2|20", "3|30", "4|40"], "{name} {mode}");
            run(&project, name);
            assert_eq!(sums(&project), ["1|10", "2|20", "3|30", "4|40"], "{name} {mode}");
            assert_eq!(
                project.sequor(&["run", "main", "--full-refresh"]).code,
                0,
                "{name} {mode}"
            );
            assert_eq!(sums(&project), ["1|11", "2|20", "3|30", "4|40"], "{name} {mode}");
        }
    }
}

#[test]
fn rows_that_come_late_are_computed_again_in_every_database() {
    for (name, source) in databases::all() {
        println!("{name}");
        let project = project(&source, ", lookback: 2d", "replace_range");
        project.replace("flows/main.yaml", "initial: 2020-01-01", "initial: 2024-01-02");
        let days = (1..=6).map(|day| event(day, day, 1)).collect();
        execute(&project, &[create(), days].concat());
        run(&project, name);
        assert_eq!(sums(&project).len(), 5, "{name}");
        let late = [
            event(7, 5, 7),
            event(8, 3, 8),
            "delete from events where id = 4".to_string(),
            "delete from events where id = 3".to_string(),
        ];
        execute(&project, &late);
        run(&project, name);
        assert_eq!(sums(&project), ["2|1", "3|1", "5|1", "6|1", "7|7"], "{name}");
    }
}

#[test]
fn a_dry_run_computes_what_the_run_does() {
    for mode in ["append", "replace_range", "upsert\n  primary_key: [id]"] {
        let project = project(SQLITE, ", lookback: 1d", mode);
        execute(
            &project,
            &[create(), vec![event(1, 1, 10), event(2, 2, 20)]].concat(),
        );
        for more in [event(3, 2, 30), event(4, 3, 40)] {
            let dry = project.sequor(&["run", "main", "--dry-run"]);
            assert_eq!(dry.code, 0, "{mode}: {}", dry.all());
            let there = |project: &Project| -> usize { project.rows("wh", "select * from sums").len() };
            run(&project, mode);
            let rows = format!("{} rows", there(&project));
            assert!(dry.stdout.contains(&rows), "{mode}: {rows}: {}", dry.stdout);
            execute(&project, &[more]);
        }
    }
}

#[test]
fn rows_of_other_sources_are_computed_here() {
    let project = project(SQLITE, "", "append").file("sources/stage.yaml", "type: staging\n");
    project.write(
        "flows/main.yaml",
        &transform("", "append").replace("from events", "from stage.events"),
    );
    let fill = |rows: &str| {
        let query = format!("select * from (values {rows}) as t(id, happened, total)");
        project.write(
            "flows/change.yaml",
            &format!("- {{op: transform, source: stage, target_table: events, query: \"{query}\"}}\n"),
        );
        assert_eq!(project.run("change").code, 0);
    };
    fill("(1, timestamp '2024-01-01 10:00:00', 10)");
    run(&project, "first");
    fill(
        "(1, timestamp '2024-01-01 10:00:00', 10), (2, timestamp '2024-01-01 10:00:00', 20), (3, timestamp '2024-01-02 10:00:00', 30)",
    );
    run(&project, "second");
    run(&project, "third");
    assert_eq!(sums(&project), ["1|10", "2|20", "3|30"]);
}

#[test]
fn mistakes_are_told() {
    let project = project(SQLITE, ", lookback: 1h", "create");
    project
        .sequor(&["validate"])
        .fails(2, &["would have only what is new"]);
    let plain = transform("", "replace_range")
        .replace("  incremental: {cursor: happened, initial: 2020-01-01}\n", "");
    project.write("flows/main.yaml", &plain);
    project.sequor(&["validate"]).fails(
        2,
        &["`write_mode: replace_range` is for steps with `incremental`"],
    );
    execute(
        &project,
        &[
            create(),
            vec![event(1, 1, 10), "insert into events values (2, null, 2)".into()],
        ]
        .concat(),
    );
    // A query that leaves them out has none.
    let all = transform("", "append");
    let (before, _) = all.split_once("  query: |").unwrap();
    project.write(
        "flows/main.yaml",
        &format!("{before}  query: select id, happened, total from events\n"),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["a row has no cursor `happened`"]);
    execute(&project, &["delete from events where id = 2".into()]);
    run(&project, "now");
    project.write(
        "flows/main.yaml",
        &transform("", "append").replace("cursor: happened", "cursor: happening"),
    );
    project.sequor(&["run", "main"]).fails(
        1,
        &[
            "the cursor `happening` is no column of `sums`",
            "it has id, happened, total",
        ],
    );
}

#[test]
fn rows_of_the_future_hold_up_nothing() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        for mode in ["append", "replace_range"] {
            let project = project(source, "", mode);
            let future = "insert into events values (9, '2999-01-01 10:00:00', 9)".to_string();
            execute(&project, &[create(), vec![event(1, 1, 1), future]].concat());
            run(&project, name);
            execute(&project, &[event(2, 2, 2)]);
            run(&project, name);
            run(&project, name);
            assert_eq!(sums(&project), ["1|1", "2|2", "9|9"], "{name} {mode}");
        }
    }
}

#[test]
fn an_initial_that_is_no_position_is_told() {
    let project = project(SQLITE, "", "append");
    execute(&project, &[create(), vec![event(1, 1, 1)]].concat());
    run(&project, "first");
    project.replace("flows/main.yaml", "initial: 2020-01-01", "initial: soon");
    project
        .sequor(&["run", "main"])
        .fails(1, &["`initial` is `soon`, and the cursor `happened` holds times"]);
    project.replace("flows/main.yaml", "initial: soon", "lookback: 1h");
    project.sequor(&["validate"]).fails(2, &["needs `initial`"]);
}
