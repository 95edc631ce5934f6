//! Tables of rejects: which step's rows are in them, and when.

use std::sync::atomic::Ordering;

use indoc::indoc;

use super::limits::{picky, push};
use crate::support::program::Project;

/// The id of the latest run.
fn latest(project: &Project) -> String {
    let runs = project
        .sequor(&["runs", "--limit", "1", "--format", "json"])
        .stdout;
    let run: serde_json::Value = serde_json::from_str(runs.trim()).expect("one object");
    run["run"].as_str().expect("an id").to_string()
}

const ROUNDS: &str = indoc! {r#"
    steps:
      - op: for_each
        id: rounds
        values: [a, b, c]
        as: round
        steps:
          - op: transform
            source: stage
            target_table: t
            query: select value as id, '{{ var('round') }}' as round from generate_series(1, 20)
          - op: http_request
            id: push
            on_error: reject
            for_each: {source: stage, table: t, as: row}
            request: {source: api, url: "/{{ var('round') }}/{{ var('row')['id'] }}", method: POST, concurrency: 1}
          - op: http_request
            id: check
            request: {source: api, url: "/check/{{ var('round') }}{{ var('check') }}"}
"#};

#[test]
fn the_rejects_of_all_rounds_of_a_loop_are_kept() {
    let (server, good) = picky();
    let project = push(&server, ROUNDS);
    let rejected = || {
        project.rows(
            "stage",
            "select json_get_str(row, 'round') as round, count(*) as n from push_rejects group by 1 order by 1",
        )
    };
    for _ in 0..2 {
        let ran = project.sequor(&["run", "main", "--var", "check="]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(rejected(), ["a|2", "b|2", "c|2"]);
    }
    project.sequor(&["retry", &latest(&project)]).fails(
        2,
        &[
            "SQ1024",
            "step `rounds/push` is inside of the loop `rounds`",
            "table of rejects",
        ],
    );
    // A run that ends in the second round goes on with what it had.
    let ran = project.sequor(&["run", "main", "--var", "check=3"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert_eq!(rejected(), ["a|2"]);
    good.store(true, Ordering::Relaxed);
    let ran = project.sequor(&["run", "main", "--resume"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(rejected(), ["a|2"]);
}

#[test]
fn rejects_of_a_step_inside_of_blocks_are_sent_again_alone() {
    let (server, good) = picky();
    let flow = indoc! {r#"
        steps:
          - op: http_request
            id: first
            request: {source: api, url: /first, method: POST}
          - op: if
            id: branch
            conditions:
              - condition_expression: "True"
                then:
                  - op: block
                    id: inner
                    steps:
                      - op: transform
                        source: stage
                        target_table: t
                        query: select value as id from generate_series(1, 20)
                      - op: http_request
                        id: push
                        on_error: reject
                        for_each: {source: stage, table: t, as: row}
                        request: {source: api, url: "/{{ var('row')['id'] }}", method: POST}
    "#};
    let project = push(&server, flow);
    project.run("main");
    assert_eq!(server.asked().len(), 21);
    good.store(true, Ordering::Relaxed);
    let ran = project.sequor(&["retry", &latest(&project)]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(server.asked().len(), 23);
    assert_eq!(
        project.rows("stage", "select count(*) as n from push_rejects"),
        ["0"]
    );
}

#[test]
fn a_step_that_fails_leaves_its_rejects_to_be_seen() {
    for (source, kind) in [
        ("stage", "type: staging\n"),
        ("lite", "type: sqlite\nconn_str: sqlite:///lite.db\n"),
    ] {
        let (server, good) = picky();
        let flow = format!(
            "steps:\n  - op: transform\n    source: {source}\n    target_table: t\n    query: \"{}\"\n  - op: http_request\n    id: \"push it!\"\n    on_error: reject\n    max_rejects: 2\n    for_each: {{source: {source}, table: t, as: row}}\n    request: {{source: api, url: \"/{{{{ var('row')['id'] }}}}\", method: POST, concurrency: 1}}\n",
            "with recursive s(id) as (select 1 as id union all select id + 1 from s where id < 40) select id from s"
        );
        let project = push(&server, &flow).file(&format!("sources/{source}.yaml"), kind);
        project
            .sequor(&["run", "main"])
            .fails(1, &["SQ1017", "more than 2 rows were rejected"]);
        let rejected = || project.rows(source, "select count(*) as n from push_it__rejects");
        assert_eq!(rejected(), ["3"], "{source}");
        good.store(true, Ordering::Relaxed);
        let ran = project.sequor(&["run", "main", "--resume"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(rejected(), ["0"], "{source}");
    }
}

#[test]
fn a_table_of_rejects_belongs_to_one_step() {
    let (server, _) = picky();
    let step = "  - op: http_request\n    id: push\n    on_error: reject\n    for_each: {values: [1], as: row}\n    request: {source: api, url: /1}\n";
    let step = step.replace("values: [1]", "source: stage, query: select 1 as id");
    let project = push(&server, &format!("steps:\n{step}"));
    assert_eq!(project.sequor(&["validate"]).code, 0);
    project.write("flows/main.yaml", &format!("steps:\n{step}{step}"));
    project.sequor(&["validate"]).fails(
        2,
        &[
            "SQ0109",
            "where those of the step at flows/main.yaml:2",
            "another `id`",
        ],
    );
    project.write(
        "flows/main.yaml",
        &format!("steps:\n{}", step.replace("    id: push\n", "")),
    );
    project
        .sequor(&["validate"])
        .fails(2, &["SQ0103", "named after the step, and this one has no `id`"]);
}

#[test]
fn the_rows_of_an_older_run_do_not_set_back_what_a_later_one_gave() {
    let (server, good) = picky();
    let flow = ROUNDS
        .split("  - op: http_request\n        id: check")
        .next()
        .expect("a part");
    let flow = flow
        .replace(
            "  - op: for_each\n    id: rounds\n    values: [a, b, c]\n    as: round\n    steps:\n",
            "",
        )
        .replace("'{{ var('round') }}' as round", "'a' as round")
        .replace("/{{ var('round') }}/", "/a/");
    let project = push(&server, &flow);
    project.run("main");
    let first = latest(&project);
    let shown = project.sequor(&["show"]).stdout;
    assert!(
        shown.contains("push: 2 rows were rejected. To send them again: sequor retry"),
        "{shown}"
    );
    project.run("main");
    project
        .sequor(&["retry", &first])
        .fails(2, &["SQ1024", "the flow ran again since", "--force"]);
    good.store(true, Ordering::Relaxed);
    let ran = project.sequor(&["retry", &latest(&project)]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(
        project.rows("stage", "select count(*) as n from push_rejects"),
        ["0"]
    );
}
