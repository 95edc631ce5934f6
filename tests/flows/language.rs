//! Rules of the language that need a run.

use crate::support::postgres::Database;
use crate::support::program::Project;
use indoc::indoc;

#[test]
fn jinja_prints_as_python_does() {
    let project = Project::new().file("home/envs/e.yaml", "variables: {n: null, t: true, f: 1.50, s: hi, l: [1, 2]}\n").file(
        "flows/f.yaml",
        indoc! {r#"
            - op: print
              message: "{{ var('n') }} {{ var('t') }} {{ var('f') }} {{ var('s') | upper }} {{ var('l')[1] }} {{ is_var_defined('n') }} {{ is_var_defined('s') }}"
        "#},
    );
    let ran = project.sequor(&["run", "f", "--env", "e", "-q"]);
    assert_eq!(ran.stdout, "None True 1.5 HI 2 False True\n", "{}", ran.stderr);
    let ran = project.sequor(&["run", "f", "--env", "e", "-q", "--var", "s=won"]);
    assert!(ran.stdout.contains("WON"));
}

#[test]
fn control_flow_and_called_flows() {
    let project = Project::new()
        .file(
            "flows/main.yaml",
            r#"
- op: execute
  source: stage
  statement: |
    create or replace table people as select * from (values ('ada', 36), ('bob', 17)) as t(name, age)
    go
    create or replace table log (line text); insert into log values ('a;b');
- op: for_each
  source: stage
  table: people
  as: person
  steps:
    - op: if
      conditions:
        - condition_expression: var('person')['age'] >= 18
          then:
            - {op: print, message: "{{ var('person')['name'] }} is of age"}
      else:
        - op: run_flow
          flow: sub/young
          parameters: {who: "{{ var('person')['name'] }}"}
- op: block
  steps:
    - {op: set_variable, set: {n_expression: "query_scalar('stage', 'select count(*) from people')"}}
    - {op: print, message_expression: "f\"{var('n') + 1} {len(table('stage', 'people'))}\""}
"#,
        )
        .file(
            "flows/sub/young.yaml",
            indoc! {r#"
                - op: print
                  message: "{{ var('who') }} is young, {{ is_var_defined('person') }}"
            "#},
        );
    let ran = project.run("main");
    assert_eq!(
        ran.stdout, "ada is of age\nbob is young, False\n3 2\n",
        "{}",
        ran.stderr
    );
    assert_eq!(project.rows("stage", "select line from log"), ["a;b"]);
}

#[test]
fn rows_have_the_types_of_their_columns() {
    let expression = r#"
- op: print
  message_expression: |
    import datetime, decimal
    row = query('db', "select 1 as i, 1.50::numeric(5,2) as d, true as b, date '2024-05-01' as day, timestamp '2024-05-01 10:11:12' as t, 'x' as s, null as n")[0]
    assert row['d'] == decimal.Decimal('1.5') and isinstance(row['d'], decimal.Decimal)
    assert row['day'] == datetime.date(2024, 5, 1)
    assert row['t'] == datetime.datetime(2024, 5, 1, 10, 11, 12)
    assert row['b'] is True and row['i'] == 1 and row['n'] is None
    assert row.get('n', 'default') == 'default' and 's' in row and 'zzz' not in row
    assert list(row.keys()) == ['i', 'd', 'b', 'day', 't', 's', 'n'] and row.to_dict()['s'] == 'x'
    row['s'] = 'y'
    try:
        row['nope']
    except KeyError as e:
        assert 'nope' in str(e)
    return "good " + row['s']
"#;
    for database in [None, Some(Database::new())] {
        let project = Project::new().file("flows/f.yaml", expression);
        project.write(
            "sources/db.yaml",
            &database.map_or("type: staging\n".into(), |d| d.source()),
        );
        assert_eq!(project.run("f").stdout, "good y\n");
    }
}

#[test]
fn environments_and_init() {
    let project = Project::new();
    let ran = project.sequor(&["env", "init", "dev"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    project
        .sequor(&["env", "init", "dev"])
        .fails(2, &["exists already"]);
    project
        .sequor(&["validate", "--env", "dve"])
        .fails(2, &["no environment `dve`", "did you mean `dev`?"]);
    let ran = project.sequor(&["init", "inner"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = project.sequor(&[
        "-p",
        "inner",
        "run",
        "orders",
        "--replay",
        "inner/recordings/orders",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("2 customers"));
    project
        .sequor(&["init", "inner"])
        .fails(2, &["is a project already"]);
    assert_eq!(project.sequor(&["version"]).code, 0);
}

#[test]
fn maps_and_python_methods_in_jinja() {
    let project = Project::new().file("home/envs/e.yaml", "variables: {site: {host: H, ports: [1, 2]}}\n").file(
        "flows/f.yaml",
        r#"
- op: print
  message: "{{ var('site').host.lower() }} {{ var('site')['ports'][1] }} {{ var('site').get('nope', 'd') }} {{ var('site') | tojson }}"
- op: print
  message: "{% for row in query('stage', \"select 'a b' as s, 1 as n\") %}{{ row.s.split(' ')[1] }} {{ row.to_dict().n }}{% endfor %} {{ 'a b' | urlencode }}"
- &base {op: print, message: base}
- {<<: *base, message: overridden}
"#,
    );
    let ran = project.sequor(&["run", "f", "--env", "e", "-q"]);
    assert_eq!(
        ran.stdout, "h 2 d {\"host\": \"H\", \"ports\": [1, 2]}\nb 1 a%20b\nbase\noverridden\n",
        "{}",
        ran.stderr
    );
}

#[test]
fn a_broken_flow_concerns_only_those_who_run_it() {
    let project = Project::new()
        .file("flows/good.yaml", "- {op: print, message: good}\n")
        .file("flows/bad.yaml", "- {op: prnt}\n")
        .file("flows/caller.yaml", "- {op: run_flow, flow: bad}\n")
        .file(
            "flows/nested.yaml",
            indoc! {"
                - op: block
                  id: b
                  steps:
                    - {op: print, id: x, message: x}
                    - {op: print, id: y, message: y}
            "},
        );
    assert_eq!(project.run("good").stdout, "good\n");
    project
        .sequor(&["run", "caller"])
        .fails(2, &["unknown operation `prnt`"]);
    project
        .sequor(&["validate"])
        .fails(2, &["unknown operation `prnt`"]);
    assert_eq!(
        project.sequor(&["run", "nested", "--op-id", "y", "-q"]).stdout,
        "y\n"
    );
    assert_eq!(
        project.sequor(&["run", "nested", "--op-id", "b", "-q"]).stdout,
        "x\ny\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let project = Project::new();
    let program = env!("CARGO_BIN_EXE_sequor");
    let script = format!(
        "{{ {program} --home-dir home query stage 'select * from generate_series(1, 9000)'; echo \"code $?\" >&2; }} | head -1"
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path())
        .output();
    let text = String::from_utf8_lossy(&output.expect("runs").stderr).into_owned();
    assert!(text.contains("code 0") && !text.contains("panicked"), "{text}");
}
