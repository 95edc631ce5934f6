//! How ranges are written, and columns that are others each time that a row comes.

use super::api::Api;
use super::{SQLITE, START, project, totals};
use crate::support::databases;

#[test]
fn rows_are_the_same_whenever_they_were_loaded() {
    for (name, source) in databases::all() {
        let api = Api::start();
        (1..=3).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 1));
        let project = project(&api, &source, START);
        project.replace("flows/main.yaml", "upsert, primary_key: [id]", "append");
        project.replace(
            "flows/main.yaml",
            "columns: {",
            "columns: {loaded: {type: timestamptz, value_expression: now()}, since: {type: text, value: \"{{ var('window')['start'] }}\"}, ",
        );
        for _ in 0..3 {
            let ran = project.run("main");
            assert_eq!(ran.code, 0, "{name}: {}", ran.all());
        }
        assert_eq!(totals(&project), ["1|1", "2|1", "3|1"], "{name}");
        api.put(4, "2024-01-04T00:00:00Z", 1);
        assert_eq!(project.run("main").code, 0, "{name}");
        assert_eq!(totals(&project).len(), 4, "{name}");
    }
}

#[test]
fn offsets_and_digits_are_written_as_python_writes_them() {
    let api = Api::start();
    api.put(1, "2024-01-03T00:00:00Z", 1);
    let incremental = "start_param: since, format: \"%Y-%m-%dT%H:%M:%S.%f%z\"";
    let project = project(&api, SQLITE, incremental);
    for asked in [
        "2024-01-01T00:00:00.000000+0000..",
        "2024-01-03T00:00:00.000000+0000..",
    ] {
        let ran = project.run("main");
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(api.asked(), [asked]);
    }
}

#[test]
fn a_recording_has_the_state_that_it_began_with() {
    let ranges = "start_param: since, end_param: until";
    for incremental in [
        START,
        ranges,
        &format!("{ranges}, window: 400d"),
        "start_param: since, order: ascending",
    ] {
        let api = Api::start();
        api.put(1, "2024-01-03T00:00:00Z", 1);
        let project = project(&api, SQLITE, incremental);
        let first = ["run", "main", "--until", "2024-01-04"];
        let ends = incremental.contains("end_param");
        let first = project.sequor(if ends { &first[..] } else { &first[..2] });
        assert_eq!(first.code, 0, "{}", first.all());
        api.put(2, "2024-01-05T00:00:00Z", 2);
        assert_eq!(project.sequor(&["run", "main", "--record", "rec"]).code, 0);
        api.asked();
        for options in [&["--dry-run"][..], &[]] {
            let command = [&["run", "main", "--replay", "rec"][..], options].concat();
            let ran = project.sequor(&command);
            assert_eq!(ran.code, 0, "{incremental}: {}", ran.all());
        }
        assert_eq!(totals(&project), ["1|1", "2|2"], "{incremental}");
        // Elsewhere, where nothing is known.
        let other = super::project(&api, SQLITE, incremental);
        let rec = project.path().join("rec");
        let ran = other.sequor(&["run", "main", "--replay", rec.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{incremental}: {}", ran.all());
        assert!(api.asked().is_empty());
        // What it has is what came: what was before it is still asked for.
        assert!(totals(&other).contains(&"2|2".to_string()), "{incremental}");
        assert_eq!(other.run("main").code, 0);
        assert_eq!(totals(&other), ["1|1", "2|2"], "{incremental}");
    }
}

#[test]
fn a_replay_sets_no_later_rows_back() {
    for mode in ["upsert, primary_key: [id]", "replace_range"] {
        let api = Api::start();
        api.put(1, "2024-01-03T00:00:00Z", 1);
        let project = project(&api, SQLITE, START);
        project.replace("flows/main.yaml", "upsert, primary_key: [id]", mode);
        let record = ["run", "main", "--from", "2024-01-02", "--record", "rec"];
        let ran = project.sequor(&record);
        assert_eq!(ran.code, 0, "{}", ran.all());
        // It has the range, too.
        let ran = project.sequor(&["run", "main", "--replay", "rec"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        // States tell seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        api.put(1, "2024-01-05T00:00:00Z", 2);
        api.put(2, "2024-01-06T00:00:00Z", 2);
        assert_eq!(project.run("main").code, 0);
        project
            .sequor(&["run", "main", "--replay", "rec"])
            .fails(1, &["was loaded since", "--dry-run"]);
        assert_eq!(totals(&project), ["1|2", "2|2"], "{mode}");
        let ran = project.sequor(&["run", "main", "--replay", "rec", "--dry-run"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let ran = project.sequor(&["run", "main", "--replay", "rec", "--full-refresh"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(totals(&project), ["1|1"], "{mode}");
        assert_eq!(project.run("main").code, 0);
        assert_eq!(totals(&project), ["1|2", "2|2"], "{mode}");
    }
}

#[test]
fn an_api_that_does_not_look_at_the_start_is_told() {
    let api = Api::start();
    (1..=6).for_each(|id| api.put(id, &format!("2024-01-0{id}T00:00:00Z"), 1));
    let project = project(&api, SQLITE, "start_param: changed_since");
    let ran = project.run("main");
    assert!(!ran.all().contains("warning"), "{}", ran.all());
    let ran = project.run("main");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.all().contains(
            "4 of 6 rows that came are older than what was asked for: does the API look at `changed_since`?"
        ),
        "{}",
        ran.all()
    );
    project.replace("flows/main.yaml", "changed_since", "since");
    let ran = project.sequor(&["run", "main", "--keep-state"]);
    assert!(!ran.all().contains("older than"), "{}", ran.all());
}
