//! What commands say of incremental steps.

use super::api::Api;
use super::{SQLITE, START, flow, project};

#[test]
fn what_is_kept_is_shown_and_forgotten() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    let state = |words: &[&str]| project.sequor(&[&["state"], words].concat());
    assert!(state(&["list", "main"]).stderr.contains("nothing is kept yet"));
    assert_eq!(project.run("main").code, 0);
    let listed = state(&["list", "main", "--format", "json"]);
    assert_eq!(
        listed.stdout.trim(),
        r#"{"step":"orders","table":"wh.orders","partition":"","covered":[["2024-01-01T00:00:00Z","2024-01-05T00:00:00Z"]]}"#
    );
    state(&["reset", "main", "order"]).fails(2, &["no step `order` that keeps a state"]);
    assert!(
        state(&["reset", "main", "orders"])
            .stderr
            .contains("1 state forgotten")
    );
    api.asked();
    assert_eq!(project.run("main").code, 0);
    assert_eq!(api.asked(), ["2024-01-01T00:00:00Z.."]);
}

#[test]
fn what_is_covered_is_told() {
    for (name, source) in [("sqlite", SQLITE), ("staging", "type: staging\n")] {
        let api = Api::start();
        (1..=5).for_each(|day| api.put(day, &format!("2024-01-0{day}T00:00:00Z"), 1));
        let project = project(&api, source, START);
        let state = |words: &[&str]| project.sequor(&[&["state"], words].concat());
        // Of a table that is not there nothing is covered.
        state(&["set", "main", "orders", "--until", "2024-01-03"]).fails(1, &["there is no table `orders`"]);
        // Its rows come from another tool.
        let table = "create table orders as select 1 as id, cast('2024-01-01' as timestamp) as updated_at, 1 as total";
        let table = match name {
            "sqlite" => "create table orders (id bigint, updated_at timestamptz, total bigint)",
            _ => table,
        };
        project.write(
            "flows/table.yaml",
            &format!("- {{op: execute, source: wh, statement: \"{table}\"}}\n"),
        );
        assert_eq!(project.run("table").code, 0, "{name}");
        let set = state(&["set", "main", "orders", "--until", "2024-01-03"]);
        assert_eq!(set.code, 0, "{name}: {}", set.stderr);
        let shown = state(&["show", "main", "orders", "--format", "json"]);
        assert!(
            shown
                .stdout
                .contains(r#""covered":[[null,"2024-01-03T00:00:00Z"]]"#),
            "{name}: {}",
            shown.stdout
        );
        let plan = project.sequor(&["plan", "main", "--estimate"]);
        assert!(
            plan.stdout
                .contains("estimate: asks from 2024-01-03T00:00:00Z on"),
            "{name}: {}",
            plan.stdout
        );
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(api.asked(), ["2024-01-03T00:00:00Z.."], "{name}");
        state(&["set", "main", "orders", "--until", "soon"])
            .fails(2, &["the cursor `updated_at` holds times"]);
        state(&["set", "main", "orders", "--until", "2924-01-03"]).fails(2, &["lies in the future"]);
        state(&[
            "set",
            "main",
            "orders",
            "--until",
            "2024-01-03",
            "--from",
            "2024-02-01",
        ])
        .fails(2, &["lies behind"]);
        state(&[
            "set",
            "main",
            "orders",
            "--until",
            "2024-01-03",
            "--partition",
            "1",
        ])
        .fails(2, &["the step has no for_each"]);
        state(&["show", "main", "order"]).fails(2, &["no step `order` that keeps a state"]);
    }
}

#[test]
fn a_plan_tells_that_the_request_is_another() {
    let api = Api::start();
    api.put(1, "2024-01-05T00:00:00Z", 1);
    let project = project(&api, SQLITE, START);
    assert_eq!(project.run("main").code, 0);
    project.replace("flows/main.yaml", "url: /orders", "url: /orders/0/all");
    let is_told = |is_told: bool| {
        for options in [&["plan", "main"][..], &["plan", "main", "--estimate"]] {
            let plan = project.sequor(options).stdout;
            let told = plan.contains("its request is another one than that by which its tables were filled");
            assert_eq!(told, is_told, "{options:?}: {plan}");
        }
        let validated = project.sequor(&["validate"]);
        assert_eq!(validated.code, 0, "{}", validated.all());
        assert_eq!(validated.all().contains("SQ0216"), is_told, "{}", validated.all());
    };
    is_told(true);
    let refused = project.sequor(&["run", "main"]);
    refused.fails(1, &["its request is another one"]);
    // A dry run changes nothing of it.
    project.sequor(&["run", "main", "--dry-run", "--offline", "--keep-state"]);
    is_told(true);
    assert_eq!(project.sequor(&["run", "main", "--full-refresh"]).code, 0);
    is_told(false);
    project.replace("flows/main.yaml", "url: /orders/0/all", "url: /orders");
    is_told(true);
    assert_eq!(project.sequor(&["run", "main", "--keep-state"]).code, 0);
    is_told(false);
    project.replace("flows/main.yaml", "url: /orders", "url: /orders/0/all");
    assert_eq!(project.sequor(&["state", "reset", "main"]).code, 0);
    is_told(false);
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    let api = Api::start();
    let project = project(&api, SQLITE, START);
    for (from, to, says) in [
        (
            "{type: page_number}",
            "{type: page_number, max_pages: 3}",
            "`max_pages` beside `incremental`",
        ),
        (
            "write_mode: upsert, primary_key: [id]",
            "write_mode: create",
            "it needs `write_mode: upsert`, `append` or `replace_range`",
        ),
        (
            "cursor: updated_at",
            "cursor: updated",
            "no column is the cursor `updated`",
        ),
        (
            "start_param: since",
            "start_param: since, window: 1d",
            "does not say where it ends",
        ),
        ("  id: orders\n", "", "this one has no `id`"),
        (
            "url: /orders",
            "url: /orders, method: POST",
            "requests that only read",
        ),
        (
            "url: /orders",
            "url: /orders, conditional: true",
            "both `incremental` and `conditional`",
        ),
        (
            "start_param: since",
            "start_param: since, partition: [id]",
            "requests with a `for_each`",
        ),
        (
            "start_param: since",
            "start_param: since, table: other",
            "none of the response's tables",
        ),
        (
            "start_param: since",
            "start_param: since, format: often",
            "is not a format",
        ),
        (
            "start_param: since",
            "start_param: since, end_param: until, format: \"%H:%M\"",
            "names no date",
        ),
        (
            "start_param: since",
            "start_param: since, end_param: since",
            "one would take the place of the other",
        ),
        (
            "start_param: since",
            "start_param: page",
            "which `pagination` sets",
        ),
        (
            "start_param: since",
            "start_param: \"\"",
            "`start_param` is empty",
        ),
        (
            "updated_at: timestamptz",
            "updated_at: {type: timestamptz, value_expression: now()}",
            "is the time of the load",
        ),
    ] {
        project.write(
            "flows/main.yaml",
            &flow(START, "")
                .replace(from, to)
                .replace("url: /orders, ", "url: /orders\n    "),
        );
        project.sequor(&["validate"]).fails(2, &[says]);
    }
    for (mode, is_mistake) in [
        ("upsert, primary_key: [id]", false),
        ("append", true),
        ("replace_range", true),
    ] {
        let months = flow("start_param: since, end_param: until, format: \"%Y-%m\"", "");
        project.write(
            "flows/main.yaml",
            &months.replace("upsert, primary_key: [id]", mode),
        );
        let found = project.sequor(&["validate"]);
        match is_mistake {
            true => found.fails(2, &["names no day"]),
            false => assert_eq!(found.code, 0, "{}", found.all()),
        }
    }
    let twice = flow(START, "");
    let other = twice.replace("table: orders", "table: others");
    project.write("flows/main.yaml", &format!("{twice}{other}"));
    project
        .sequor(&["validate"])
        .fails(2, &["another step is called `orders`"]);
    let ranges = flow(START, "").replace("upsert, primary_key: [id]", "replace_range");
    let other = ranges.replace("id: orders", "id: others");
    project.write("flows/main.yaml", &format!("{ranges}{other}"));
    project
        .sequor(&["validate"])
        .fails(2, &["one of them would delete what the other has written"]);
    project.write(
        "flows/main.yaml",
        &flow("start_param: since", "").replace("initial: 2024-01-01", "initial: soon"),
    );
    for command in ["run", "validate"] {
        project.sequor(&[command, "main"]).fails(
            2,
            &["`initial` is `soon`, and the cursor `updated_at` is a timestamptz"],
        );
    }
    assert!(api.asked().is_empty());
}
